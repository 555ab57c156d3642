//! Which code lies where, kept in the order of events, for kernels that cannot resolve an address
//! when the event happens (before 5.13).
//!
//! In: the kernel's own symbols, and modules as they are loaded and freed. Out: a symbol for an address. Module
//! space is reused: a range is a module's only from the record of its load to the record of its end.

use std::ops::Range;

use super::symbol::Symbol;
use crate::kernel::kallsyms::Kallsyms;

/// What addresses stand for at this point of the stream of records.
#[derive(Debug, Default)]
pub struct Addresses {
    kernel: Kallsyms,
    modules: Vec<Text>,
    /// First addresses of generated code: the hooks' own trampolines.
    generated: Vec<u64>,
}

/// A part of a module's code.
#[derive(Debug)]
struct Text {
    module: String,
    range: Range<u64>,
    /// For init code, which is freed when the init function returns: the thread that runs it.
    init_of: Option<u32>,
    /// By address; empty when they could not be read in time.
    symbols: Vec<(u64, String)>,
}

/// What kretprobes put in place of a return address (`arch/*/kernel/kprobes`, 5.10 to 7.3).
const KRETPROBES: [&str; 3] = [
    "kretprobe_trampoline",
    "__kretprobe_trampoline",
    "arch_rethook_trampoline",
];
/// Trampolines take a page each (`arch_bpf_trampoline_size`, `kernel/bpf/trampoline.c`, 5.10).
const GENERATED_LEN: u64 = 4096;

impl Addresses {
    #[must_use]
    pub fn new(kernel: Kallsyms, generated: Vec<u64>) -> Self {
        Self {
            kernel,
            modules: Vec::new(),
            generated,
        }
    }

    /// A module's code is in memory from now on; `init_of` is the thread that runs it, for init code.
    pub fn add(&mut self, module: &str, range: Range<u64>, init_of: Option<u32>) {
        if !range.is_empty() {
            // Another module's code in this range is gone, even if the record of its end was lost.
            self.modules
                .retain(|text| text.range.end <= range.start || text.range.start >= range.end);
            let module = module.to_owned();
            self.modules.push(Text {
                module,
                range,
                init_of,
                symbols: Vec::new(),
            });
        }
    }

    /// Adds the symbols of a module in memory.
    pub fn name(&mut self, module: &str, symbols: &[(u64, String)]) {
        for text in self.modules.iter_mut().filter(|text| text.module == module) {
            let inside = symbols
                .iter()
                .filter(|(address, _)| text.range.contains(address));
            text.symbols = inside.cloned().collect();
        }
    }

    /// The init function that this thread ran has returned.
    pub fn init_freed(&mut self, tid: u32) {
        self.modules.retain(|text| text.init_of != Some(tid));
    }

    /// A module is freed.
    pub fn remove(&mut self, module: &str) {
        self.modules.retain(|text| text.module != module);
    }

    /// Whether a return address is that of a kretprobe, which hides where the function returns to.
    #[must_use]
    pub fn is_kretprobe(&self, address: u64) -> bool {
        let found = self.kernel.resolve(address);
        found.is_some_and(|(name, offset)| offset == 0 && KRETPROBES.contains(&name))
    }

    /// The symbol of an address of code.
    #[must_use]
    pub fn resolve(&self, address: u64) -> Option<Symbol> {
        if let Some(text) = self
            .modules
            .iter()
            .find(|text| text.range.contains(&address))
        {
            return Some(text.resolve(address));
        }
        let ours = |start: &&u64| address >= **start && address - **start < GENERATED_LEN;
        if let Some(start) = self.generated.iter().find(ours) {
            return Some(Symbol::new("bpf_trampoline_", address - start, None));
        }
        let (function, offset) = self.kernel.resolve(address)?;
        Some(Symbol::new(function, offset, None))
    }
}

impl Text {
    fn resolve(&self, address: u64) -> Symbol {
        let next = self.symbols.partition_point(|(start, _)| *start <= address);
        let found = next
            .checked_sub(1)
            .and_then(|index| self.symbols.get(index));
        let part = if self.init_of.is_some() {
            "(init)"
        } else {
            "(text)"
        };
        let (start, function) =
            found.map_or((self.range.start, part), |(start, name)| (*start, name));
        Symbol::new(function, address - start, Some(&self.module))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_a_modules_only_until_it_is_freed() {
        let mut addresses = Addresses::default();
        let shown = |addresses: &Addresses, address| {
            addresses.resolve(address).map(|symbol| symbol.to_string())
        };
        addresses.add("a", 0x1000..0x2000, None);
        addresses.add("a", 0x5000..0x6000, Some(7));
        addresses.name("a", &[(0x1000, "first".into()), (0x1100, "second".into())]);
        assert_eq!(shown(&addresses, 0x1104).as_deref(), Some("second+0x4 [a]"));
        assert_eq!(
            shown(&addresses, 0x5010).as_deref(),
            Some("(init)+0x10 [a]")
        );
        addresses.init_freed(7);
        assert_eq!(shown(&addresses, 0x5010), None);
        addresses.remove("a");
        assert_eq!(shown(&addresses, 0x1104), None);
        addresses.add("b", 0x1000..0x2000, None);
        assert_eq!(
            shown(&addresses, 0x1104).as_deref(),
            Some("(text)+0x104 [b]")
        );
    }
}
