//! What an opcode does to its memory operand: how many bytes it writes, and what follows.
//!
//! In: an opcode and the byte behind it. Out: its shape, of size 0 when it writes no memory. After the opcode maps of Intel's
//! manual (SDM, volume 2, appendix A).

use super::{
    encoding::{Encoding, Form, W},
    prefix,
};

#[derive(Clone, Copy)]
pub(super) struct Shape {
    /// Bytes that are written; 0 for an instruction that writes no memory.
    pub(super) size: u32,
    /// Bytes behind the operand.
    pub(super) immediate: u32,
    /// Whether the register operand counts bits from the memory operand on.
    pub(super) has_bit_offset: bool,
}

const NOTHING: Shape = shape(0, 0);

const fn shape(size: u32, immediate: u32) -> Shape {
    Shape {
        size,
        immediate,
        has_bit_offset: false,
    }
}

impl Shape {
    #[inline(always)]
    pub(super) const fn of(encoding: Encoding, operand: u32) -> Self {
        let extension = operand >> 3 & 7;
        match (encoding.form, encoding.map) {
            (Form::Legacy, 0) => one_byte(encoding, extension),
            (Form::Legacy, 1) => {
                let known = two_bytes(encoding, extension);
                if known.size == 0 {
                    moves(encoding)
                } else {
                    known
                }
            }
            (_, 1) => moves(encoding),
            _ => NOTHING,
        }
    }
}

/// Bytes of a general operand.
#[inline(always)]
const fn wide(encoding: Encoding) -> u32 {
    if encoding.rex & W != 0 {
        8
    } else if encoding.prefixes & prefix::WORD != 0 {
        2
    } else {
        4
    }
}

/// Most opcodes come in pairs: of a byte, and of the general size.
#[inline(always)]
pub(super) const fn pair(encoding: Encoding) -> u32 {
    if encoding.opcode & 1 == 0 {
        1
    } else {
        wide(encoding)
    }
}

#[inline(always)]
const fn one_byte(encoding: Encoding, extension: u32) -> Shape {
    let size = pair(encoding);
    let full = if wide(encoding) == 2 { 2 } else { 4 };
    match encoding.opcode {
        // Arithmetic, but for the comparison. What a zeroed page holds is no code.
        opcode if opcode < 0x38 && opcode & 6 == 0 => shape(size, 0),
        0x80 if extension != 7 => shape(1, 1),
        0x81 if extension != 7 => shape(size, full),
        0x83 if extension != 7 => shape(size, 1),
        // Exchange, move, shift by one or by CL.
        0x86..=0x89 | 0xd0..=0xd3 => shape(size, 0),
        // A segment register has two bytes.
        0x8c => shape(2, 0),
        // Pop is of eight bytes, or of two.
        0x8f if extension == 0 => shape(if wide(encoding) == 2 { 2 } else { 8 }, 0),
        0xc0 | 0xc1 => shape(size, 1),
        0xc6 if extension == 0 => shape(1, 1),
        0xc7 if extension == 0 => shape(size, full),
        // NOT and NEG; INC and DEC.
        0xf6 | 0xf7 if extension == 2 || extension == 3 => shape(size, 0),
        0xfe | 0xff if extension < 2 => shape(size, 0),
        _ => NOTHING,
    }
}

#[inline(always)]
const fn two_bytes(encoding: Encoding, extension: u32) -> Shape {
    let wide = wide(encoding);
    match encoding.opcode {
        // SETcc.
        0x90..=0x9f => shape(1, 0),
        // Double shifts.
        0xa4 | 0xac => shape(wide, 1),
        0xa5 | 0xad => shape(wide, 0),
        // BTS, BTR, BTC: by a register, and by a number.
        0xab | 0xb3 | 0xbb => Shape {
            size: wide,
            immediate: 0,
            has_bit_offset: true,
        },
        0xba if extension > 4 => shape(wide, 1),
        // Compare and exchange; exchange and add.
        0xb0 | 0xb1 | 0xc0 | 0xc1 => shape(pair(encoding), 0),
        0xc7 if extension == 1 => shape(if wide == 8 { 16 } else { 8 }, 0),
        // MOVNTI.
        0xc3 if encoding.part == 0 => shape(wide, 0),
        _ => NOTHING,
    }
}

/// Moves from vector registers; a masked one writes a part.
#[inline(always)]
const fn moves(encoding: Encoding) -> Shape {
    let bare = matches!(encoding.form, Form::Legacy) && encoding.part == 0;
    let general = if encoding.rex & W != 0 { 8 } else { 4 };
    let size = match (encoding.opcode, encoding.part) {
        (0x11, 2) => 4,
        (0x11, 3) | (0x13 | 0x17, 0 | 1) | (0xd6, 1) => 8,
        (0x11 | 0x29 | 0x2b, 0 | 1) | (0x7f, 1 | 2) | (0xe7, 1) => encoding.vector,
        (0x7f, 3) if matches!(encoding.form, Form::Evex) => encoding.vector,
        (0x7e, 1) => general,
        // MMX.
        (0x7e, 0) if bare => general,
        (0x7f | 0xe7, 0) if bare => 8,
        _ => 0,
    };
    shape(size, 0)
}
