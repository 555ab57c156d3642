//! The memory operand of an instruction that writes one.
//!
//! In: an opcode and the bytes behind it. Out: a [`Store`], when these are all of them and it writes memory.

use super::{
    cursor::Cursor,
    encoding::{B, Encoding, Form, R, X},
    prefix,
    shape::{Shape, pair},
    store::{Parts, Store, slot},
};

const RDI: u64 = 7;

/// Reads what follows an opcode.
#[inline(always)]
pub(super) const fn read(code: Cursor, encoding: Encoding) -> Store {
    if matches!(encoding.form, Form::Legacy) && encoding.map == 0 {
        match encoding.opcode {
            0xa2 | 0xa3 => return absolute(code, encoding),
            0x6c | 0x6d | 0xa4 | 0xa5 | 0xaa | 0xab => return string(code, encoding),
            _ => {}
        }
    }
    in_memory(code, encoding)
}

/// `mov %al, address`.
#[inline(always)]
const fn absolute(code: Cursor, encoding: Encoding) -> Store {
    if code.has_left(8) {
        Store::new(&Parts {
            base: slot::LAST,
            ..parts(encoding, pair(encoding))
        })
    } else {
        Store::NONE
    }
}

/// `ins`, `movs`, `stos`; ports are four bytes wide at most. The destination is by ES, whatever the prefix.
#[inline(always)]
const fn string(code: Cursor, encoding: Encoding) -> Store {
    let is_port = encoding.opcode < 0x70;
    let size = match pair(encoding) {
        8 if is_port => 4,
        size => size,
    };
    if !code.has_left(0) {
        return Store::NONE;
    }
    Store::new(&Parts {
        base: RDI,
        displacement: size.wrapping_neg(),
        by_gs: false,
        is_string: true,
        is_repeated: encoding.prefixes & (prefix::REP | prefix::REPNE) != 0,
        ..parts(encoding, size)
    })
}

/// A store to nowhere yet.
#[inline(always)]
const fn parts(encoding: Encoding, size: u32) -> Parts {
    Parts {
        base: slot::NOTHING,
        index: slot::NOTHING,
        scale: 0,
        displacement: 0,
        register: 0,
        by_gs: encoding.prefixes & prefix::GS != 0,
        size,
        is_string: false,
        is_repeated: false,
        has_bit_offset: false,
        sets_bit: false,
    }
}

/// An operand that names its memory.
#[inline(always)]
const fn in_memory(code: Cursor, encoding: Encoding) -> Store {
    let operand = code.byte();
    let shape = Shape::of(encoding, operand);
    let (mode, low) = (operand >> 6, operand & 7);
    // Two zeros are what lies between functions, or the end of a number, and never `add %al,(%rax)`.
    let is_filler = encoding.opcode == 0 && operand == 0;
    if shape.size == 0 || mode == 3 || is_filler {
        return Store::NONE;
    }
    let code = code.skip(1);
    let has_sib = low == 4;
    let sib = code.byte();
    let code = code.skip(has_sib as u32);
    let base = if has_sib { sib & 7 } else { low };
    let has_no_base = mode == 0 && base == 5;
    let length = match mode {
        1 => 1,
        2 => 4,
        _ if has_no_base => 4,
        _ => 0,
    };
    let displacement = match length {
        1 => scaled(code.byte(), encoding, shape.size),
        4 => code.four(),
        _ => 0,
    };
    if !code.skip(length).has_left(shape.immediate) {
        return Store::NONE;
    }
    let base = match (has_no_base, has_sib) {
        (true, true) => slot::NOTHING,
        (true, false) => slot::NEXT,
        _ => (base | (encoding.rex & B) << 3) as u64,
    };
    let index = sib >> 3 & 7 | (encoding.rex & X) << 2;
    let has_index = has_sib && index != 4;
    Store::new(&Parts {
        base,
        index: if has_index {
            index as u64
        } else {
            slot::NOTHING
        },
        scale: if has_index { sib >> 6 } else { 0 },
        displacement,
        register: operand >> 3 & 7 | (encoding.rex & R) << 1,
        has_bit_offset: shape.has_bit_offset,
        sets_bit: shape.has_bit_offset && encoding.opcode == 0xab,
        ..parts(encoding, shape.size)
    })
}

/// A displacement of one byte; EVEX counts it in operands.
#[inline(always)]
const fn scaled(byte: u32, encoding: Encoding, size: u32) -> u32 {
    let signed = byte as u8 as i8 as i32 as u32;
    if matches!(encoding.form, Form::Evex) {
        signed.wrapping_mul(size)
    } else {
        signed
    }
}
