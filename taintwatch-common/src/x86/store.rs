//! What an instruction writes, in a number; and where that lies, once registers are known.
//!
//! In: the fields, then a table of values. Out: an address. Without a branch: the verifier follows each side of every one.

/// Where the values of an address stand: registers by the numbers that instructions have for them, and
pub mod slot {
    /// a zero,
    pub const NOTHING: u64 = 16;
    /// the address of the next instruction,
    pub const NEXT: u64 = 17;
    /// the last eight bytes of the instruction,
    pub const LAST: u64 = 18;
    /// the base of GS,
    pub const GS: u64 = 19;
    /// and every bit, when string instructions go downwards (the flag DF), else none.
    pub const DOWNWARDS: u64 = 20;
    /// Room for all, as a mask leaves it.
    pub const END: usize = 32;
}

/// Where fields begin, from the lowest: the displacement is the first.
const BASE: u32 = 32;
const INDEX: u32 = 37;
const SCALE: u32 = 42;
const REGISTER: u32 = 44;
const BY_GS: u32 = 48;
/// Bytes, and of two, four and eight also the logarithm.
const SIZE: u32 = 49;
const LOGARITHM: u32 = 56;
/// RDI has moved on by the size.
const IS_STRING: u32 = 58;
const IS_REPEATED: u32 = 59;
/// A register counts bits from the operand on; and it sets that bit.
const HAS_BIT_OFFSET: u32 = 60;
const SETS_BIT: u32 = 61;

/// What an instruction writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Store(u64);

/// Its parts.
#[expect(clippy::struct_excessive_bools, reason = "each is a bit of the number")]
pub(super) struct Parts {
    pub(super) base: u64,
    pub(super) index: u64,
    pub(super) scale: u32,
    pub(super) displacement: u32,
    pub(super) register: u32,
    pub(super) by_gs: bool,
    pub(super) size: u32,
    pub(super) is_string: bool,
    pub(super) is_repeated: bool,
    pub(super) has_bit_offset: bool,
    pub(super) sets_bit: bool,
}

impl Store {
    /// No instruction of this length that writes memory, as far as is known.
    pub const NONE: Self = Self(0);

    #[inline(always)]
    pub(super) const fn new(parts: &Parts) -> Self {
        let logarithm = match parts.size {
            2 => 1,
            4 => 2,
            8 => 3,
            _ => 0,
        };
        Self(
            parts.displacement as u64
                | parts.base << BASE
                | parts.index << INDEX
                | (parts.scale as u64) << SCALE
                | (parts.register as u64) << REGISTER
                | (parts.by_gs as u64) << BY_GS
                | (parts.size as u64) << SIZE
                | logarithm << LOGARITHM
                | (parts.is_string as u64) << IS_STRING
                | (parts.is_repeated as u64) << IS_REPEATED
                | (parts.has_bit_offset as u64) << HAS_BIT_OFFSET
                | (parts.sets_bit as u64) << SETS_BIT,
        )
    }

    /// As a number, and back.
    #[inline(always)]
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    #[inline(always)]
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    #[inline(always)]
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Bytes that are written.
    #[inline(always)]
    #[must_use]
    pub const fn size(self) -> u64 {
        self.field(SIZE, 7)
    }

    /// 1 for a string instruction that goes on until RCX is 0: until then its own address is the next one.
    #[inline(always)]
    #[must_use]
    pub const fn is_repeated(self) -> u64 {
        self.field(IS_REPEATED, 1)
    }

    /// The first address that is written, by the values that stand in each [`slot`].
    #[inline(always)]
    #[must_use]
    pub fn address(self, value: impl Fn(u64) -> u64) -> u64 {
        let base = value(self.field(BASE, 5));
        let index = value(self.field(INDEX, 5)) << self.field(SCALE, 2);
        let segment = value(slot::GS) & self.all_if(BY_GS);
        let displacement = i64::from(self.0 as u32 as i32) as u64;
        // One operand behind where RDI would be, and not one before it.
        let down = (2 * self.size()) & value(slot::DOWNWARDS) & self.all_if(IS_STRING);
        base.wrapping_add(index)
            .wrapping_add(segment)
            .wrapping_add(displacement)
            .wrapping_add(down)
            .wrapping_add(self.bit_offset(value(self.field(REGISTER, 4))))
    }

    /// The bit of the eight bytes at `place` that it sets by a register's number, or [`super::WRITTEN`].
    #[inline(always)]
    #[must_use]
    pub fn bit(self, address: u64, place: u64, value: impl Fn(u64) -> u64) -> u32 {
        let number = value(self.field(REGISTER, 4)) & (self.size() * 8).wrapping_sub(1);
        let from = address.wrapping_sub(place).wrapping_mul(8);
        let bit = from.wrapping_add(number);
        if self.field(SETS_BIT, 1) == 1 && bit < 64 {
            bit as u32
        } else {
            super::WRITTEN
        }
    }

    /// How far the operand that holds the bit is from the one that is named.
    #[inline(always)]
    const fn bit_offset(self, register: u64) -> u64 {
        let logarithm = self.field(LOGARITHM, 2);
        let unused = (64 - (8 << logarithm)) & 63;
        let number = (register << unused) as i64 >> unused;
        let operands = (number >> (logarithm + 3)) as u64;
        operands << logarithm & self.all_if(HAS_BIT_OFFSET)
    }

    #[inline(always)]
    const fn field(self, at: u32, bits: u32) -> u64 {
        self.0 >> at & ((1 << bits) - 1)
    }

    #[inline(always)]
    const fn all_if(self, at: u32) -> u64 {
        self.field(at, 1).wrapping_neg()
    }
}

/// 1 when `size` bytes at `address` are among `length` at `place`, else 0.
#[inline(always)]
#[must_use]
pub(super) const fn overlaps(address: u64, size: u64, place: u64, length: u64) -> u64 {
    below(address.wrapping_sub(place), length) | below(place.wrapping_sub(address), size)
}

/// 1 when `value` is less than `limit`, which is small. The difference alone borrows then.
#[inline(always)]
const fn below(value: u64, limit: u64) -> u64 {
    (value.wrapping_sub(limit) & !value) >> 63
}
