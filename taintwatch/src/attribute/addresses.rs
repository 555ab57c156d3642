//! Which code lies where, kept in the order of events, for kernels that cannot resolve an address
//! when the event happens (before 5.13).
//!
//! In: the kernel's own symbols, and modules as they are loaded and freed. Out: a symbol for an address. Module
//! space is reused: a range is a module's only from the record of its load to the record of its end.

use std::ops::Range;

use taintwatch_common::ModuleComing;

use super::symbol::Symbol;
use crate::{kernel::kallsyms::Kallsyms, record::text};

/// What addresses stand for at this point of the stream of records.
#[derive(Debug, Default)]
pub struct Addresses {
    kernel: Kallsyms,
    modules: Vec<Text>,
    /// A record of a module was lost: what the ranges say may be of one that is gone.
    incomplete: bool,
    /// First addresses of generated code: the hooks' own trampolines.
    generated: Vec<u64>,
}

/// Modules that were set aside.
#[derive(Debug)]
pub struct Modules(Vec<Text>);

/// A part of a module's code.
#[derive(Debug)]
struct Text {
    module: String,
    range: Range<u64>,
    /// Of a module that was loaded before the first record: its code begins there, and is no longer than that.
    is_rough: bool,
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
            incomplete: false,
            generated,
        }
    }

    /// A module's code is in memory from now on; `init_of` is the thread that runs it, for init code.
    pub fn add(&mut self, module: &str, range: Range<u64>, init_of: Option<u32>) {
        if !range.is_empty() {
            // Another module's code in this range is gone, even if the record of its end was lost.
            self.modules.retain(|text| {
                text.is_rough || text.range.end <= range.start || text.range.start >= range.end
            });
            self.modules
                .retain(|text| !text.is_rough || text.module != module);
            self.push(module, range, init_of, false);
        }
    }

    /// The code of a module that is being loaded.
    pub fn coming(&mut self, coming: &ModuleComing) {
        let range = |[start, len]: [u64; 2]| start..start.saturating_add(len);
        let name = text(&coming.name);
        self.add(&name, range(coming.text), None);
        self.add(&name, range(coming.init_text), Some(coming.task.tid));
    }

    /// A module that was loaded already, where the kernel's list has it: from 6.4 on its length is that of all its areas,
    /// which lie apart (`/proc/modules`).
    pub fn add_loaded(&mut self, module: &str, range: Range<u64>) {
        if !range.is_empty() {
            self.push(module, range, None, true);
        }
    }

    /// For records of a time when other modules were loaded: the code of modules has no names.
    pub fn set_modules_aside(&mut self) -> Modules {
        Modules(std::mem::take(&mut self.modules))
    }

    /// The opposite.
    pub fn bring_modules_back(&mut self, modules: Modules) {
        self.modules = modules.0;
    }

    /// A record of a module that came or went was lost.
    pub const fn lost(&mut self) {
        self.incomplete = true;
    }

    fn push(&mut self, module: &str, range: Range<u64>, init_of: Option<u32>, is_rough: bool) {
        self.modules.push(Text {
            module: module.to_owned(),
            range,
            is_rough,
            init_of,
            symbols: Vec::new(),
        });
    }

    /// The symbol that the kernel printed for an address, if it names the module whose code lies there: the bytes of a
    /// symbol and of a module's name are its author's, and may imitate another module. Else what the ranges say.
    #[must_use]
    pub fn checked(&self, address: u64, symbol: Symbol) -> Option<Symbol> {
        let exact = self
            .modules
            .iter()
            .find(|text| !text.is_rough && text.range.contains(&address));
        if let Some(text) = exact {
            if symbol.module() == Some(text.module.as_str()) {
                return Some(symbol);
            }
            return (!self.incomplete).then(|| text.resolve(address));
        }
        let named = |text: &&Text| symbol.module() == Some(text.module.as_str());
        let mut of_this = self.modules.iter().filter(named).peekable();
        let is_elsewhere = of_this.peek().is_some()
            && !of_this.any(|text| text.range.contains(&address))
            && !self.incomplete;
        (!is_elsewhere).then_some(symbol)
    }

    /// How many bytes follow an address until another function begins; `None` when that is not known.
    #[must_use]
    pub fn room(&self, address: u64) -> Option<u64> {
        if let Some(text) = self.text(address) {
            let next = text.symbols.iter().map(|(start, _)| *start);
            let next = next.filter(|start| *start > address).min();
            return (!text.symbols.is_empty()).then(|| next.unwrap_or(text.range.end) - address);
        }
        let (name, offset) = self.kernel.resolve(address)?;
        let extent = self.kernel.extent(name)?;
        (offset == 0 && extent.start == address).then(|| extent.end - extent.start)
    }

    /// The code that lies at an address: of rough ranges, which may overlap, the nearest.
    fn text(&self, address: u64) -> Option<&Text> {
        let at = self.modules.iter();
        at.filter(|text| text.range.contains(&address))
            .max_by_key(|text| (!text.is_rough, text.range.start))
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
        if let Some(text) = self.text(address) {
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

    fn symbol(function: &str, module: Option<&str>) -> Symbol {
        Symbol::new(function, 1, module)
    }

    #[test]
    fn a_name_that_imitates_another_module_is_found_by_its_address() {
        let mut addresses = Addresses::default();
        let rootkit = "x] [nvidia";
        addresses.add(rootkit, 0x1000..0x2000, None);
        addresses.add_loaded("nvidia", 0x8000..0x9000);
        let module = |addresses: &Addresses, address, symbol: Symbol| {
            let found = addresses.checked(address, symbol);
            found.map(|symbol| symbol.module().map(str::to_owned))
        };
        let nvidia = || symbol("f", Some("nvidia"));
        assert_eq!(
            module(&addresses, 0x1100, nvidia()),
            Some(Some(rootkit.to_owned()))
        );
        assert_eq!(
            module(&addresses, 0x8100, nvidia()),
            Some(Some("nvidia".to_owned()))
        );
        assert_eq!(
            module(&addresses, 0x5000, nvidia()),
            None,
            "it is not there"
        );
        assert_eq!(
            module(&addresses, 0x5000, symbol("f", Some("bpf"))),
            Some(Some("bpf".to_owned())),
            "nothing is known of it"
        );
        assert_eq!(module(&addresses, 0x5000, symbol("f", None)), Some(None));
        assert_eq!(
            module(&addresses, 0x1100, symbol("f", None)),
            Some(Some(rootkit.to_owned())),
            "no code of the kernel lies there"
        );
        addresses.lost();
        assert_eq!(
            module(&addresses, 0x1100, nvidia()),
            None,
            "the range may be of a module that is gone"
        );
    }

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

    #[test]
    fn code_that_comes_takes_the_place_of_what_lay_there_and_of_nothing_beside_it() {
        let mut addresses = Addresses::default();
        addresses.add("before", 0x1000..0x2000, None);
        addresses.add("old", 0x2800..0x3800, None);
        addresses.add("behind", 0x3000..0x4000, None);
        addresses.add("new", 0x2000..0x3000, None);
        let module = |addresses: &Addresses, address| {
            let symbol = addresses.resolve(address)?;
            symbol.module().map(str::to_owned)
        };
        assert_eq!(module(&addresses, 0x1fff).as_deref(), Some("before"));
        assert_eq!(module(&addresses, 0x2900).as_deref(), Some("new"));
        assert_eq!(module(&addresses, 0x3000).as_deref(), Some("behind"));
        // What the kernel's list says of other modules stays, and goes for this one.
        addresses.add_loaded("listed", 0x8000..0x9000);
        addresses.add_loaded("other", 0xa000..0xb000);
        addresses.add("listed", 0x5000..0x6000, None);
        assert_eq!(module(&addresses, 0x8100), None);
        assert_eq!(module(&addresses, 0xa100).as_deref(), Some("other"));
    }

    #[test]
    fn a_function_has_room_until_the_next_one_begins() {
        let mut addresses = Addresses::default();
        addresses.add("m", 0x1000..0x2000, None);
        assert_eq!(addresses.room(0x1000), None, "no symbols");
        addresses.name("m", &[(0x1000, "first".into()), (0x1100, "second".into())]);
        assert_eq!(addresses.room(0x1000), Some(0x100));
        assert_eq!(addresses.room(0x1100), Some(0xf00), "the last one");
        assert_eq!(addresses.room(0x9000), None, "no code is there");
        // Of two ranges that overlap, the one whose code is known.
        addresses.add_loaded("rough", 0x1800..0x3000);
        let module = addresses.resolve(0x1900).unwrap();
        assert_eq!(module.module(), Some("m"));
    }

    #[test]
    fn the_hooks_own_trampolines_are_a_page_each() {
        let addresses = Addresses::new(Kallsyms::default(), vec![0x1_0000]);
        let shown = |address| addresses.resolve(address).map(|symbol| symbol.to_string());
        assert_eq!(shown(0x1_0000).as_deref(), Some("bpf_trampoline_+0x0"));
        assert_eq!(shown(0x1_0fff).as_deref(), Some("bpf_trampoline_+0xfff"));
        assert_eq!(shown(0x1_1000), None);
        assert_eq!(shown(0xffff), None);
    }

    #[test]
    fn the_kernels_own_functions_are_known_by_their_symbols() {
        let text = "0000000000010000 T first\n0000000000010100 T __kretprobe_trampoline\n0000000000010180 T last\n";
        let kernel = Kallsyms::parse(text.as_bytes()).unwrap();
        let addresses = Addresses::new(kernel, Vec::new());
        assert_eq!(addresses.room(0x1_0000), Some(0x100));
        assert_eq!(addresses.room(0x1_0001), None, "not where it begins");
        assert!(addresses.is_kretprobe(0x1_0100));
        assert!(!addresses.is_kretprobe(0x1_0101));
        assert!(!addresses.is_kretprobe(0x1_0000));
        let shown = addresses.resolve(0x1_0010).unwrap();
        assert_eq!(shown.to_string(), "first+0x10");
    }

    /// Functions of the kernel that are `static` can have one name.
    #[test]
    fn the_room_of_a_function_is_not_that_of_its_namesake() {
        let text = "0000000000010000 T f\n0000000000010100 T g\n0000000000010180 T f\n0000000000010200 T h\n";
        let kernel = Kallsyms::parse(text.as_bytes()).unwrap();
        let addresses = Addresses::new(kernel, Vec::new());
        let rooms = [0x1_0000, 0x1_0180].map(|address| addresses.room(address));
        assert_eq!(rooms, [Some(0x100), None]);
    }
}
