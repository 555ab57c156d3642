//! A stack as the kernel half took it, without the hook's own frames.
//!
//! In: addresses with the symbols that the kernel gave them at the event. Out: frames, the code that
//! caused the event first. An address that the kernel did not resolve is resolved here only when it
//! lies in the kernel itself, whose symbols never go stale.

use std::fmt;

use taintwatch_common::{STACK_FRAMES, SYMBOLS_PER_TEXT, Stack};

use crate::{decode::text, kernel::kallsyms::Kallsyms};

/// A place in the kernel's code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    Symbol {
        function: String,
        offset: u64,
        module: Option<String>,
    },
    /// No symbol: the text of a hidden or freed module, or generated code.
    Address(u64),
}

impl Frame {
    /// The function's name without what the compiler appends to the parts it splits off.
    #[must_use]
    pub fn function(&self) -> Option<&str> {
        let Self::Symbol { function, .. } = self else {
            return None;
        };
        let base = [".cold", ".constprop", ".isra", ".part"]
            .iter()
            .filter_map(|suffix| function.find(suffix))
            .min();
        function.get(..base.unwrap_or(function.len()))
    }

    /// The module that the code belongs to; `None` for the kernel itself.
    #[must_use]
    pub fn module(&self) -> Option<&str> {
        match self {
            Self::Symbol { module, .. } => module.as_deref(),
            Self::Address(_) => None,
        }
    }

    /// `function+0xoffset/0xsize [module]` of the byte before the frame's address (`%pS`).
    fn parse(line: &str) -> Option<Self> {
        let (place, module) = match line.split_once(" [") {
            Some((place, module)) => (place, Some(module.strip_suffix(']')?.to_owned())),
            None => (line, None),
        };
        let (function, offset) = place.rsplit_once("+0x")?;
        let (offset, _size) = offset.split_once("/0x")?;
        let offset = u64::from_str_radix(offset, 16).ok()?.checked_add(1)?;
        Some(Self::Symbol {
            function: function.to_owned(),
            offset,
            module,
        })
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Symbol {
                function,
                offset,
                module: None,
            } => write!(f, "{function}+{offset:#x}"),
            Self::Symbol {
                function,
                offset,
                module: Some(module),
            } => {
                write!(f, "{function}+{offset:#x} [{module}]")
            }
            Self::Address(address) => write!(f, "{address:#x}"),
        }
    }
}

/// The frames of an entry of `add_taint`: its caller comes first.
#[must_use]
pub fn of_entry(stack: &Stack, symbols: &Kallsyms) -> Vec<Frame> {
    let frames = all(stack, symbols);
    let caller = frames
        .iter()
        .position(|frame| frame.function() == Some("add_taint"));
    let from = caller.map_or(0, |entry| entry + 1);
    frames.into_iter().skip(from).filter(is_kernels).collect()
}

/// The frames of a write to the mask: the code that wrote comes first.
#[must_use]
pub fn of_write(stack: &Stack, symbols: &Kallsyms) -> Vec<Frame> {
    all(stack, symbols).into_iter().filter(is_kernels).collect()
}

/// Frames of the hooks themselves can stand anywhere: a traced function's caller is a trampoline.
fn is_kernels(frame: &Frame) -> bool {
    !frame
        .function()
        .is_some_and(|name| name.starts_with("bpf_trampoline_") || name.starts_with("bpf_prog_"))
}

fn all(stack: &Stack, symbols: &Kallsyms) -> Vec<Frame> {
    let texts = stack
        .text
        .iter()
        .zip(stack.text_len)
        .map(|(text, len)| text.get(..usize::from(len)));
    let resolved = texts.flat_map(|part| lines(part.unwrap_or_default()));
    let depth = usize::try_from(stack.depth).unwrap_or(0).min(STACK_FRAMES);
    let addresses = stack.frames.iter().take(depth);
    addresses
        .zip(resolved.chain(std::iter::repeat(None)))
        .map(|(address, line)| {
            line.and_then(|line| Frame::parse(&line))
                .unwrap_or_else(|| unresolved(*address, symbols))
        })
        .collect()
}

/// One entry a frame of a text; a line that was cut short is none.
fn lines(part: &[u8]) -> Vec<Option<String>> {
    let mut lines: Vec<_> = part
        .split_inclusive(|byte| *byte == b'\n')
        .map(whole_line)
        .collect();
    lines.resize(SYMBOLS_PER_TEXT, None);
    lines
}

fn whole_line(line: &[u8]) -> Option<String> {
    line.strip_suffix(b"\n").map(text)
}

fn unresolved(address: u64, symbols: &Kallsyms) -> Frame {
    let resolved = symbols.resolve(address.wrapping_sub(1));
    let parts = resolved
        .as_deref()
        .and_then(|symbol| symbol.rsplit_once("+0x"));
    parts
        .and_then(|(function, offset)| {
            let offset = u64::from_str_radix(offset, 16).ok()?.checked_add(1)?;
            Some(Frame::Symbol {
                function: function.to_owned(),
                offset,
                module: None,
            })
        })
        .unwrap_or(Frame::Address(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbol(function: &str, offset: u64, module: Option<&str>) -> Frame {
        Frame::Symbol {
            function: function.to_owned(),
            offset,
            module: module.map(str::to_owned),
        }
    }

    #[test]
    fn parses_what_the_kernel_prints() {
        assert_eq!(
            Frame::parse("load_module+0x6ff/0x2190"),
            Some(symbol("load_module", 0x700, None))
        );
        assert_eq!(
            Frame::parse("init+0x1f/0xfe0 [tw_gpl]"),
            Some(symbol("init", 0x20, Some("tw_gpl")))
        );
        assert_eq!(Frame::parse("0xffffffffc0000000"), None);
        assert_eq!(symbol("__warn.cold.3", 1, None).function(), Some("__warn"));
    }

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
        let names: Vec<_> = of_entry(&stack, &Kallsyms::default())
            .iter()
            .map(Frame::to_string)
            .collect();
        assert_eq!(names, ["load_module+0x2", "0xffffffffc0000011", "0x77"]);
    }
}
