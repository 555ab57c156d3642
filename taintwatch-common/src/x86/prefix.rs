//! Prefixes of old, as bits.

/// 66: operands of two bytes.
pub(super) const WORD: u32 = 1;
/// F3 and F2: repeat, or a part of the opcode.
pub(super) const REP: u32 = 2;
pub(super) const REPNE: u32 = 4;
pub(super) const GS: u32 = 8;
/// LOCK, and the segments that long mode ignores.
pub(super) const IDLE: u32 = 16;
/// FS, and addresses of four bytes.
pub(super) const UNKNOWN: u32 = 32;

/// Any of them.
const ANY: u32 = 128;

/// The bits of each byte. From a table: what is looked up is one unknown number for the verifier, where a choice is a path
/// for each outcome.
#[expect(
    clippy::indexing_slicing,
    reason = "an index that is too large is an error of the compiler here"
)]
static BITS: [u8; 256] = {
    let mut bits = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let found = of(byte as u32);
        bits[byte] = if found == 0 { 0 } else { (found | ANY) as u8 };
        byte += 1;
    }
    bits
};

/// The bits of a byte, and 1 when it is a prefix.
#[inline(always)]
pub(super) fn look_up(byte: u32) -> (u32, u32) {
    let bits = BITS.get(byte as usize & 0xff).copied().unwrap_or(0);
    (u32::from(bits) & !ANY, u32::from(bits) / ANY)
}

/// The bit of a byte that is a prefix, or 0.
const fn of(byte: u32) -> u32 {
    match byte {
        0x66 => WORD,
        0xf3 => REP,
        0xf2 => REPNE,
        0x65 => GS,
        0xf0 | 0x26 | 0x2e | 0x36 | 0x3e => IDLE,
        0x64 | 0x67 => UNKNOWN,
        _ => 0,
    }
}
