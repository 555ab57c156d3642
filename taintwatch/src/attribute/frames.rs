//! The stack of a record, without the hook's own frames.
//!
//! In: addresses with the symbols that the kernel gave them at the event. Out: frames, the code that
//! caused the event first. What the kernel did not resolve is looked up among the addresses as they
//! stood at that point of the stream.

use std::fmt;

use taintwatch_common::{STACK_FRAMES, SYMBOLS_PER_TEXT, Stack};

use super::{addresses::Addresses, symbol::Symbol};
use crate::record::text;

/// A place in the kernel's code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// A return address, or that of the instruction after the one that acted.
    pub address: u64,
    /// None for generated code and for the text of a module that is freed or hides well.
    pub symbol: Option<Symbol>,
}

impl Frame {
    /// The function's name, without the suffixes of parts that the compiler split off.
    #[must_use]
    pub fn function(&self) -> Option<&str> {
        self.symbol.as_ref().map(Symbol::function)
    }

    /// The module that the code belongs to; `None` for the kernel itself.
    #[must_use]
    pub fn module(&self) -> Option<&str> {
        self.symbol.as_ref()?.module()
    }

    /// Whether this is a function of the kernel itself with one of these names.
    #[must_use]
    pub fn is_one_of(&self, names: &[&str]) -> bool {
        self.module().is_none() && self.function().is_some_and(|name| names.contains(&name))
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.symbol {
            Some(symbol) => symbol.fmt(f),
            None => write!(f, "{:#x}", self.address),
        }
    }
}

/// The frames of an entry of `add_taint`: its caller comes first.
#[must_use]
pub fn of_entry(stack: &Stack, addresses: &Addresses) -> Vec<Frame> {
    let frames = all(stack, addresses);
    // Without any symbol the hook's own frames cannot be distinguished from the caller: then there is no caller.
    if frames.iter().all(|frame| frame.symbol.is_none()) {
        return Vec::new();
    }
    let is_add_taint = |frame: &Frame| frame.is_one_of(&["add_taint"]);
    let from = frames
        .iter()
        .position(is_add_taint)
        .map_or(0, |entry| entry + 1);
    frames.into_iter().skip(from).filter(is_kernels).collect()
}

/// The frames of a write to the mask: the code that wrote comes first.
#[must_use]
pub fn of_write(stack: &Stack, addresses: &Addresses) -> Vec<Frame> {
    all(stack, addresses)
        .into_iter()
        .filter(is_kernels)
        .collect()
}

/// One address, with the symbol that the kernel gave it.
#[must_use]
pub fn of_address(address: u64, symbol: &[u8], addresses: &Addresses) -> Frame {
    let symbol = Symbol::parse(&text(symbol)).or_else(|| unresolved(address, addresses));
    Frame { address, symbol }
}

/// Whether a frame is no hook's own. Those can stand anywhere: the caller of a traced function is a trampoline.
fn is_kernels(frame: &Frame) -> bool {
    !frame
        .function()
        .is_some_and(|name| name.starts_with("bpf_trampoline_") || name.starts_with("bpf_prog_"))
}

fn all(stack: &Stack, addresses: &Addresses) -> Vec<Frame> {
    let texts = stack.text.iter().zip(stack.text_len);
    let resolved =
        texts.flat_map(|(text, len)| lines(text.get(..usize::from(len)).unwrap_or_default()));
    let depth = usize::try_from(stack.depth).unwrap_or(0).min(STACK_FRAMES);
    let taken = stack.frames.iter().take(depth);
    taken
        .zip(resolved.chain(std::iter::repeat(None)))
        .map(|(address, line)| {
            // The byte before such an address lies in an unrelated function.
            if addresses.is_kretprobe(*address) {
                return Frame {
                    address: *address,
                    symbol: None,
                };
            }
            let symbol = line.and_then(|line| Symbol::parse(&line));
            let symbol = symbol.or_else(|| unresolved(*address, addresses));
            Frame {
                address: *address,
                symbol,
            }
        })
        .collect()
}

/// A text has a line for each frame; one that was cut short is `None`.
fn lines(part: &[u8]) -> Vec<Option<String>> {
    let whole = |line: &[u8]| line.strip_suffix(b"\n").map(text);
    let mut lines: Vec<_> = part
        .split_inclusive(|byte| *byte == b'\n')
        .map(whole)
        .collect();
    lines.resize(SYMBOLS_PER_TEXT, None);
    lines
}

/// The byte before lies in the instruction that called or wrote; the one at the address may be another function's.
fn unresolved(address: u64, addresses: &Addresses) -> Option<Symbol> {
    addresses.resolve(address.wrapping_sub(1))?.next_byte()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_the_hooks_own_frames_and_everything_before_the_caller() {
        let lines = "bpf_prog_a+0x1/0x2\nbpf_trampoline_1+0x1/0x2\nadd_taint+0x4/0xb0\nload_module+0x1/0x2\n\
            bpf_trampoline_2+0x1/0x2\n0xffffffffc0000010\n";
        let mut stack = Stack {
            depth: 7,
            text_len: [0; 2],
            frames: [0; STACK_FRAMES],
            text: [[0; 760]; 2],
        };
        stack.text[0][..lines.len()].copy_from_slice(lines.as_bytes());
        stack.text_len[0] = u16::try_from(lines.len()).unwrap();
        stack.frames[5] = 0xffff_ffff_c000_0011;
        stack.frames[6] = 0x77;
        let names: Vec<_> = of_entry(&stack, &Addresses::default())
            .iter()
            .map(Frame::to_string)
            .collect();
        assert_eq!(names, ["load_module+0x2", "0xffffffffc0000011", "0x77"]);
    }
}
