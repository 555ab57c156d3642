//! Opcodes in each of their forms: bare, behind 0F, and in the vector forms VEX and EVEX.
//!
//! In: bytes of code behind the prefixes. Out: the opcode, its map, and the bits that extend operands.

use super::{cursor::Cursor, prefix};

/// Bits of a REX prefix, by which the vector forms are kept, too.
pub(super) const W: u32 = 8;
pub(super) const R: u32 = 4;
pub(super) const X: u32 = 2;
pub(super) const B: u32 = 1;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Legacy,
    Vex,
    Evex,
}

#[derive(Clone, Copy)]
pub(super) struct Encoding {
    pub(super) form: Form,
    /// 0, or 1 for 0F; others are not known.
    pub(super) map: u32,
    pub(super) opcode: u32,
    pub(super) rex: u32,
    /// The prefix that is a part of the opcode: none, 66, F3, F2.
    pub(super) part: u32,
    /// Bytes of a vector.
    pub(super) vector: u32,
    pub(super) prefixes: u32,
}

impl Encoding {
    /// Reads as far as the opcode.
    #[inline(always)]
    pub(super) const fn read(code: Cursor, prefixes: u32) -> (Self, Cursor) {
        match code.byte() {
            0xc5 => Self::vex2(code.skip(1), prefixes),
            0xc4 => Self::vex3(code.skip(1), prefixes),
            0x62 => Self::evex(code.skip(1), prefixes),
            _ => Self::legacy(code, prefixes),
        }
    }

    #[inline(always)]
    const fn legacy(code: Cursor, prefixes: u32) -> (Self, Cursor) {
        let has_rex = code.byte() & 0xf0 == 0x40;
        let rex = if has_rex { code.byte() & 0xf } else { 0 };
        let code = code.skip(has_rex as u32);
        let map = (code.byte() == 0x0f) as u32;
        let code = code.skip(map);
        let part = if prefixes & prefix::REP != 0 {
            2
        } else if prefixes & prefix::REPNE != 0 {
            3
        } else {
            prefixes & prefix::WORD
        };
        let encoding = Self {
            form: Form::Legacy,
            map,
            opcode: code.byte(),
            rex,
            part,
            vector: 16,
            prefixes,
        };
        (encoding, code.skip(1))
    }

    #[inline(always)]
    const fn vex2(code: Cursor, prefixes: u32) -> (Self, Cursor) {
        let first = code.byte();
        let code = code.skip(1);
        // The bits that extend are inverted.
        let rex = (!first >> 5) & R;
        Self::vector(code, prefixes, Form::Vex, 1, rex, first & 3, first >> 2 & 1)
    }

    #[inline(always)]
    const fn vex3(code: Cursor, prefixes: u32) -> (Self, Cursor) {
        let first = code.byte();
        let second = code.skip(1).byte();
        let code = code.skip(2);
        let rex = (!first >> 5) & (R | X | B) | second >> 4 & W;
        let map = first & 31;
        Self::vector(
            code,
            prefixes,
            Form::Vex,
            map,
            rex,
            second & 3,
            second >> 2 & 1,
        )
    }

    #[inline(always)]
    const fn evex(code: Cursor, prefixes: u32) -> (Self, Cursor) {
        let first = code.byte();
        let second = code.skip(1).byte();
        let third = code.skip(2).byte();
        let code = code.skip(3);
        let rex = (!first >> 5) & (R | X | B) | second >> 4 & W;
        // Bits that are fixed make no map when they are wrong.
        let map = first & 15 | (!second & 4) << 2;
        Self::vector(
            code,
            prefixes,
            Form::Evex,
            map,
            rex,
            second & 3,
            third >> 5 & 3,
        )
    }

    /// A vector form takes no prefix but a segment.
    #[inline(always)]
    const fn vector(
        code: Cursor,
        prefixes: u32,
        form: Form,
        map: u32,
        rex: u32,
        part: u32,
        length: u32,
    ) -> (Self, Cursor) {
        let misplaced = prefixes & (prefix::WORD | prefix::REP | prefix::REPNE);
        let encoding = Self {
            form,
            map: map | misplaced << 8 | (length / 3) << 12,
            opcode: code.byte(),
            rex,
            part,
            vector: 16 << length,
            prefixes,
        };
        (encoding, code.skip(1))
    }
}
