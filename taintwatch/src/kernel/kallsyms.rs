//! The kernel's symbols, from `/proc/kallsyms`.
//!
//! In: the text of the file. Out: addresses by name, and the function an address lies in. Only the
//! kernel's own symbols are kept: a module's are stale as soon as it goes. [`of_module`] gives those of one
//! module as they lie now, for kernels that cannot resolve a symbol when the event happens.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    ops::Range,
};

use super::functions::base_name;

/// Where the kernel lists its symbols.
pub const PATH: &str = "/proc/kallsyms";

/// The kernel lists no symbols.
#[derive(Debug, thiserror::Error)]
#[error("read {PATH}: {0}; the kernel needs CONFIG_KALLSYMS, and /proc must be mounted")]
pub struct Error(#[from] std::io::Error);

/// The kernel's own symbols: names in one text, addresses beside them.
#[derive(Debug, Default)]
pub struct Kallsyms {
    names: String,
    /// Sorted by address.
    symbols: Vec<Symbol>,
    /// Only some are left: an address between two of them is in neither.
    sparse: bool,
    /// No address is shown.
    hidden: bool,
}

#[derive(Clone, Copy, Debug)]
struct Symbol {
    address: u64,
    start: u32,
    len: u16,
}

impl Kallsyms {
    /// Reads the running kernel's symbols.
    pub fn read() -> Result<Self, Error> {
        Self::parse(BufReader::new(File::open(PATH)?))
    }

    /// Parses `address type name [module]` lines, one at a time: the text is three times what is kept of it.
    pub fn parse(text: impl BufRead) -> Result<Self, Error> {
        let mut all = Self::default();
        for line in text.split(b'\n') {
            // A module's author chooses the bytes of its lines.
            let line = line?;
            let line = String::from_utf8_lossy(&line);
            // The kernel's own symbols come first (`kallsyms_show`, kernel/kallsyms.c). Behind them a name with a newline in it
            // can look like one of them.
            if line.contains('\t') {
                break;
            }
            // `$x` and the like mark code and data on arm64: they are no functions.
            if let Some((address, name, None)) = symbol(&line)
                && !name.starts_with('$')
            {
                all.push(address, name);
            }
        }
        all.end_with_the_kernel();
        all.hidden = !all.symbols.is_empty() && all.symbols.iter().all(|it| it.address == 0);
        all.symbols.sort_by_key(|symbol| symbol.address);
        all.symbols.shrink_to_fit();
        all.names.shrink_to_fit();
        Ok(all)
    }

    /// What lies behind the kernel's last symbol is a module's: the first lines of a name with a newline in it.
    fn end_with_the_kernel(&mut self) {
        if let Some(end) = self.address("_end").filter(|end| *end != 0) {
            self.symbols.retain(|symbol| symbol.address <= end);
        }
    }

    /// These alone, in a tenth of the memory.
    #[must_use]
    pub fn only(&self, names: &[&str]) -> Self {
        let mut few = Self {
            sparse: true,
            // A few symbols that are absent would not show it.
            hidden: self.hidden,
            ..Self::default()
        };
        for symbol in self
            .symbols
            .iter()
            .filter(|symbol| names.contains(&self.name(symbol)))
        {
            few.push(symbol.address, self.name(symbol));
        }
        few
    }

    fn push(&mut self, address: u64, name: &str) {
        let (Ok(start), Ok(len)) = (u32::try_from(self.names.len()), u16::try_from(name.len()))
        else {
            return;
        };
        self.names.push_str(name);
        self.symbols.push(Symbol {
            address,
            start,
            len,
        });
    }

    /// The kernel shows zeros for addresses: `kernel.kptr_restrict` is 2, or `CAP_SYSLOG` is missing.
    #[must_use]
    pub const fn hidden(&self) -> bool {
        self.hidden
    }

    /// Whether the kernel lists none at all.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.symbols.is_empty()
    }

    /// Whether the kernel has a symbol, shown with its address or not.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.symbols.iter().any(|symbol| self.name(symbol) == name)
    }

    /// The address of a symbol; for a per-CPU variable its place in each CPU's area.
    #[must_use]
    pub fn address(&self, name: &str) -> Option<u64> {
        let found = self
            .symbols
            .iter()
            .find(|symbol| self.name(symbol) == name)?;
        (!self.hidden()).then_some(found.address)
    }

    /// From a symbol's first address to the next symbol's.
    #[must_use]
    pub fn extent(&self, name: &str) -> Option<Range<u64>> {
        self.range_from(self.address(name)?)
    }

    /// The extents of functions and of the parts that the compiler split off them.
    #[must_use]
    pub fn extents(&self, functions: &[&str]) -> Vec<Range<u64>> {
        if self.hidden() {
            return Vec::new();
        }
        let is_one = |symbol: &&Symbol| functions.contains(&base_name(self.name(symbol)));
        let found = self.symbols.iter().filter(is_one);
        found
            .filter_map(|symbol| self.range_from(symbol.address))
            .collect()
    }

    fn range_from(&self, start: u64) -> Option<Range<u64>> {
        let next = self
            .symbols
            .partition_point(|symbol| symbol.address <= start);
        Some(start..self.symbols.get(next)?.address)
    }

    /// The function that an address in the kernel's text lies in, and how far in; `None` outside what the
    /// symbols span.
    #[must_use]
    pub fn resolve(&self, address: u64) -> Option<(&str, u64)> {
        let last = self.symbols.last()?.address;
        let next = self
            .symbols
            .partition_point(|symbol| symbol.address <= address);
        let symbol = self.symbols.get(next.checked_sub(1)?)?;
        let offset = address - symbol.address;
        let known = if self.sparse {
            offset == 0
        } else {
            address < last
        };
        known.then(|| (self.name(symbol), offset))
    }

    fn name(&self, symbol: &Symbol) -> &str {
        let start = usize::try_from(symbol.start).unwrap_or(0);
        self.names
            .get(start..start + usize::from(symbol.len))
            .unwrap_or_default()
    }
}

/// Functions of a module (or `bpf`, for generated code) as they lie now, sorted by address.
pub fn of_module(module: &str) -> Result<Vec<(u64, String)>, Error> {
    let mut found = Vec::new();
    for line in BufReader::new(File::open(PATH)?).split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        if let Some((address, name, Some(owner))) = symbol(&line)
            && owner == module
        {
            found.push((address, name.to_owned()));
        }
    }
    found.sort();
    Ok(found)
}

/// A line's address, name, and module, which stands behind the last tab: the name may hold anything.
fn symbol(line: &str) -> Option<(u64, &str, Option<&str>)> {
    let (place, module) = match line.rsplit_once('\t') {
        Some((place, module)) => {
            let module = module.strip_prefix('[')?.strip_suffix(']')?;
            (place, Some(module))
        }
        None => (line, None),
    };
    let mut words = place.splitn(3, ' ');
    let address = u64::from_str_radix(words.next()?, 16).ok()?;
    let _type = words.next()?;
    Some((address, words.next()?, module))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "0000000000001000 A __preempt_count\nffffffff81000000 T add_taint\nffffffff81000000 t $x\n\
        ffffffff810000b0 T next\nffffffff81000100 t __warn.cold\nffffffff82000000 b tainted_mask\n\
        ffffffffc0000000 t init\t[mod]\n";

    #[test]
    fn finds_addresses_extents_and_functions_of_the_kernel_alone() {
        let symbols = Kallsyms::parse(TEXT.as_bytes()).unwrap();
        assert_eq!(symbols.address("tainted_mask"), Some(0xffff_ffff_8200_0000));
        assert_eq!(
            symbols.extent("add_taint"),
            Some(0xffff_ffff_8100_0000..0xffff_ffff_8100_00b0)
        );
        assert_eq!(
            symbols.resolve(0xffff_ffff_8100_0010),
            Some(("add_taint", 0x10))
        );
        assert_eq!(symbols.extents(&["__warn"]).len(), 1, "the cold part too");
        assert_eq!(symbols.address("init"), None, "a module's symbol");
        assert_eq!(
            symbols.resolve(0xffff_ffff_c000_0001),
            None,
            "a module's address"
        );
    }

    #[test]
    fn a_modules_symbol_is_not_taken_for_the_kernels() {
        // The second symbol's name holds two newlines, and a line of its own between them.
        let text = "ffffffff81000000 T add_taint\nffffffff82000000 B _end\nffffffffc0000000 t a\n\
            ffffffffc0000100 T tainted_mask\nb\t[rk]\nffffffff81000010 T proc_taint\n";
        let symbols = Kallsyms::parse(text.as_bytes()).unwrap();
        assert!(symbols.has("add_taint"));
        assert!(!symbols.has("tainted_mask"));
        assert!(!symbols.has("proc_taint"));
        assert_eq!(
            symbol("ffffffffc0000000 t x [nvidia\t[rk]"),
            Some((0xffff_ffff_c000_0000, "x [nvidia", Some("rk")))
        );
        assert_eq!(symbol("ffffffffc0000000 t x\t[rk"), None);
    }

    #[test]
    fn a_few_symbols_are_no_neighbours() {
        let few = Kallsyms::parse(TEXT.as_bytes())
            .unwrap()
            .only(&["add_taint"]);
        assert_eq!(few.resolve(0xffff_ffff_8100_0000), Some(("add_taint", 0)));
        assert_eq!(few.resolve(0xffff_ffff_8100_0010), None);
    }

    #[test]
    fn hidden_addresses_are_no_addresses() {
        let symbols = Kallsyms::parse(
            &b"0000000000000000 T add_taint\n0000000000000000 b tainted_mask\n"[..],
        )
        .unwrap();
        assert!(symbols.hidden() && symbols.has("tainted_mask"));
        assert_eq!(symbols.address("tainted_mask"), None);
        assert!(symbols.extents(&["add_taint"]).is_empty());
    }
}
