//! Which memory an x86 instruction writes, from its bytes.
//!
//! In: the last sixteen bytes of code before an address, as two little-endian numbers, and a length. Out: the memory that an
//! instruction of exactly this length writes, as [`Store`]; then, with the registers, its address. Pure and without a
//! slice: the eBPF programs run it, and tests hold it against another disassembler. [`Trap`] asks of each length.
//!
//! Not known, and so no [`Store`]: pushes and calls, which write their stack; wide stores of processor state (`fxsave`,
//! `sgdt`, `fnsave` and the like) and of the x87; the maps 0F38 and 0F3A; operands by FS, whose base is a program's own, and
//! with addresses of four bytes, where no kernel lies.
#![expect(
    clippy::inline_always,
    reason = "an eBPF program calls functions of five numbers at most; these become parts of one"
)]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "fields are cut out of numbers, and displacements have a sign"
)]

mod cursor;
mod encoding;
mod operand;
mod prefix;
mod shape;
mod store;
mod trap;

pub use store::{Store, slot};
pub use trap::{ELSEWHERE, Trap, WRITTEN};

use cursor::Cursor;
use encoding::Encoding;

/// Every instruction that writes memory has a length of these; string instructions alone have the first.
pub const SHORTEST: u32 = 1;
pub const LONGEST: u32 = 15;

/// The store that the last `length` of sixteen bytes are, or [`Store::NONE`].
#[inline(always)]
#[must_use]
pub fn decode(first: u64, second: u64, length: u32) -> Store {
    let mut code = Cursor::last(first, second, length);
    // One of each group: lock or repeat, operand size, segment; and one to spare.
    let mut prefixes = 0;
    let mut count = 0;
    while count < 4 {
        let (bits, is_prefix) = prefix::look_up(code.byte());
        prefixes |= bits;
        code = code.skip(is_prefix);
        count += 1;
    }
    if prefixes & prefix::UNKNOWN != 0 {
        return Store::NONE;
    }
    let (encoding, code) = Encoding::read(code, prefixes);
    operand::read(code, encoding)
}
