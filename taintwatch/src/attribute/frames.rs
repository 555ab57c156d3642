//! The stack of a record, without the hook's own frames.
//!
//! In: addresses with the symbols that the kernel gave them at the event. Out: frames, the code that
//! caused the event first. What the kernel did not resolve is looked up among the addresses as they
//! stood at that point of the stream.

use std::fmt;

use taintwatch_common::{STACK_FRAMES, SYMBOL_LEN, Stack};

use super::{addresses::Addresses, symbol::Symbol};
use crate::record::text;

/// The frames of a record. Those of the hook itself are left out: they can stand anywhere, since the caller of a traced
/// function is a trampoline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frames {
    all: Vec<Frame>,
    /// Where the code that is looked for begins.
    from: usize,
}

/// A place in the kernel's code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// A return address, or that of the instruction after the one that acted.
    pub address: u64,
    /// None for generated code and for the text of a module that is freed or hides well.
    pub symbol: Option<Symbol>,
}

impl Frames {
    /// Of an entry of `add_taint`: its caller comes first.
    #[must_use]
    pub fn of_entry(stack: &Stack, addresses: &Addresses) -> Self {
        let all = read(stack, addresses);
        // Without any symbol the hook's own frames cannot be distinguished from the caller: then there is no caller.
        if all.iter().all(|frame| frame.symbol.is_none()) {
            return Self {
                all: Vec::new(),
                from: 0,
            };
        }
        let is_add_taint = |frame: &Frame| frame.is_one_of(&["add_taint"]);
        let from = all
            .iter()
            .position(is_add_taint)
            .map_or(0, |entry| entry + 1);
        Self::kernels(all, from)
    }

    /// Of a write to the mask: the code that wrote comes first.
    #[must_use]
    pub fn of_write(stack: &Stack, addresses: &Addresses) -> Self {
        Self::kernels(read(stack, addresses), 0)
    }

    fn kernels(all: Vec<Frame>, from: usize) -> Self {
        let before = all.iter().take(from).filter(|frame| is_kernels(frame));
        let from = before.count();
        Self {
            all: all.into_iter().filter(is_kernels).collect(),
            from,
        }
    }

    /// The frames, the code that caused the event first.
    #[must_use]
    pub fn list(&self) -> &[Frame] {
        self.all.get(self.from..).unwrap_or_default()
    }

    /// The frame inside the one at this place of the list: what that one called, if it called it itself.
    pub(super) fn inside(&self, place: usize) -> Option<&Frame> {
        self.all.get((self.from + place).checked_sub(1)?)
    }

    /// Puts a frame that is missing before this place of the list.
    pub(super) fn insert(&mut self, place: usize, frame: Frame) {
        self.all
            .insert((self.from + place).min(self.all.len()), frame);
    }
}

impl Frame {
    /// The first address of its function.
    #[must_use]
    pub fn function_start(&self) -> Option<u64> {
        let symbol = self.symbol.as_ref()?;
        self.address.checked_sub(symbol.offset())
    }

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

/// One address, with the symbol that the kernel gave it.
#[must_use]
pub fn of_address(address: u64, symbol: &[u8], addresses: &Addresses) -> Frame {
    let symbol = resolved(address.wrapping_sub(1), symbol, addresses).map(|(symbol, _)| symbol);
    Frame {
        address,
        symbol: symbol.and_then(Symbol::next_byte),
    }
}

/// The symbol of exactly this address with its function's size: by the kernel's text, else by what lies there at this point
/// of the stream.
#[must_use]
pub(super) fn resolved(
    address: u64,
    bytes: &[u8],
    addresses: &Addresses,
) -> Option<(Symbol, Option<u64>)> {
    if let Some((symbol, size)) = whole(bytes).as_deref().and_then(Symbol::parse) {
        let checked = addresses.checked(address, symbol)?;
        return Some((checked, Some(size)));
    }
    let symbol = addresses.resolve(address)?;
    let start = address.wrapping_sub(symbol.offset());
    Some((symbol, addresses.room(start)))
}

/// A text that fills its field is cut: its end, which names the module, is not the kernel's.
fn whole(bytes: &[u8]) -> Option<String> {
    let len = bytes.iter().position(|byte| *byte == 0)?;
    (len > 0 && len < SYMBOL_LEN - 1).then(|| text(bytes))
}

fn is_kernels(frame: &Frame) -> bool {
    !frame
        .function()
        .is_some_and(|name| name.starts_with("bpf_trampoline_") || name.starts_with("bpf_prog_"))
}

fn read(stack: &Stack, addresses: &Addresses) -> Vec<Frame> {
    let depth = usize::try_from(stack.depth).unwrap_or(0).min(STACK_FRAMES);
    let taken = stack.frames.iter().zip(&stack.text).take(depth);
    taken
        .map(|(address, text)| {
            // The byte before such an address lies in an unrelated function.
            if addresses.is_kretprobe(*address) {
                return Frame {
                    address: *address,
                    symbol: None,
                };
            }
            of_address(*address, text, addresses)
        })
        .collect()
}

#[cfg(test)]
pub(super) mod sample {
    use taintwatch_common::{STACK_FRAMES, SYMBOL_LEN, Stack};

    /// A stack of these addresses, each with the text of `%pS`.
    pub(in crate::attribute) fn stack(frames: &[(u64, &str)]) -> Stack {
        let mut stack = Stack {
            depth: u32::try_from(frames.len()).unwrap(),
            reserved: 0,
            frames: [0; STACK_FRAMES],
            text: [[0; SYMBOL_LEN]; STACK_FRAMES],
        };
        for (index, (address, text)) in frames.iter().enumerate() {
            stack.frames[index] = *address;
            let len = text.len().min(SYMBOL_LEN - 1);
            stack.text[index][..len].copy_from_slice(&text.as_bytes()[..len]);
        }
        stack
    }
}

#[cfg(test)]
mod tests {
    use super::{sample::stack, *};

    fn names(frames: &Frames) -> Vec<String> {
        frames.list().iter().map(Frame::to_string).collect()
    }

    #[test]
    fn drops_the_hooks_own_frames_and_everything_before_the_caller() {
        let stack = stack(&[
            (0x11, "bpf_prog_a+0x1/0x2"),
            (0x22, "bpf_trampoline_1+0x1/0x2"),
            (0x33, "add_taint+0x4/0xb0"),
            (0x44, "load_module+0x1/0x2"),
            (0x55, "bpf_trampoline_2+0x1/0x2"),
            (0xffff_ffff_c000_0011, "0xffffffffc0000010"),
            (0x77, ""),
        ]);
        let frames = Frames::of_entry(&stack, &Addresses::default());
        assert_eq!(
            names(&frames),
            ["load_module+0x2", "0xffffffffc0000011", "0x77"]
        );
        let inside = frames.inside(0).unwrap();
        assert_eq!(inside.function_start(), Some(0x33 - 5));
    }

    #[test]
    fn a_hostile_symbol_moves_no_other_frame() {
        let stack = stack(&[
            (0x33, "add_taint+0x4/0xb0"),
            (0x44, "a+0x1/0x2 [nvidia]\nb+0x1/0x9 [rk]"),
            (0x55, "vfs_write+0x1/0x9"),
        ]);
        let frames = Frames::of_entry(&stack, &Addresses::default());
        let modules: Vec<_> = frames.list().iter().map(Frame::module).collect();
        assert_eq!(modules, [Some("rk"), None]);
        assert_eq!(names(&frames)[1], "vfs_write+0x2");
    }

    #[test]
    fn a_symbol_that_was_cut_names_no_module() {
        let long = format!("f+0x1/0x2 [nvidia]{}", "x".repeat(200));
        let stack = stack(&[(0x33, "add_taint+0x4/0xb0"), (0x44, &long)]);
        let frames = Frames::of_entry(&stack, &Addresses::default());
        assert_eq!(names(&frames), ["0x44"]);
    }

    #[test]
    fn a_symbol_that_just_fits_is_whole() {
        let field = |text: &str| {
            let mut bytes = [0; SYMBOL_LEN];
            bytes[..text.len()].copy_from_slice(text.as_bytes());
            bytes
        };
        assert_eq!(whole(&field("")), None);
        assert_eq!(whole(&field("f")).as_deref(), Some("f"));
        let longest = "x".repeat(SYMBOL_LEN - 2);
        assert_eq!(whole(&field(&longest)), Some(longest));
        assert_eq!(whole(&field(&"x".repeat(SYMBOL_LEN - 1))), None);
        assert_eq!(whole(&[b'x'; SYMBOL_LEN]), None);
    }

    #[test]
    fn a_frame_is_put_in_behind_the_hooks_own() {
        let stack = stack(&[
            (0x33, "add_taint+0x4/0xb0"),
            (0x44, "a+0x1/0x9"),
            (0x55, "b+0x1/0x9"),
        ]);
        let mut frames = Frames::of_entry(&stack, &Addresses::default());
        assert_eq!(frames.inside(1).unwrap().function(), Some("a"));
        frames.insert(1, frames.inside(1).unwrap().clone());
        assert_eq!(names(&frames), ["a+0x2", "a+0x2", "b+0x2"]);
    }
}
