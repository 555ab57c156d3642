//! The kernel's symbols, from `/proc/kallsyms`.
//!
//! In: the text of the file. Out: addresses by name, and the function an address lies in. Only the
//! kernel's own symbols: a module's are stale as soon as it goes, so they are resolved by the kernel
//! when the event happens and never from here.

use std::{collections::HashMap, fs, ops::Range};

/// Where the kernel lists its symbols.
pub const PATH: &str = "/proc/kallsyms";

/// Why there are no symbols.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("read {PATH}: {0}; the kernel needs CONFIG_KALLSYMS, and /proc must be mounted")]
    Read(#[from] std::io::Error),
    #[error(
        "{PATH} shows no addresses: run as root with CAP_SYSLOG, and with kernel.kptr_restrict at most 1 \
         (`sysctl kernel.kptr_restrict=1`)"
    )]
    Hidden,
}

/// The kernel's own symbols.
#[derive(Debug, Default)]
pub struct Kallsyms {
    /// Sorted by address.
    sorted: Vec<(u64, String)>,
    by_name: HashMap<String, u64>,
}

impl Kallsyms {
    /// Reads the running kernel's symbols.
    pub fn read() -> Result<Self, Error> {
        // Module lines may hold any byte that a module's author liked.
        Self::parse(&String::from_utf8_lossy(&fs::read(PATH)?))
    }

    /// Parses `address type name [module]` lines.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut sorted: Vec<_> = text.lines().filter_map(symbol).collect();
        if sorted.iter().all(|(address, _)| *address == 0) {
            return Err(Error::Hidden);
        }
        sorted.sort_by_key(|(address, _)| *address);
        let by_name = sorted
            .iter()
            .map(|(address, name)| (name.clone(), *address))
            .collect();
        Ok(Self { sorted, by_name })
    }

    /// The address of a symbol; for a per-CPU variable its place in each CPU's area.
    #[must_use]
    pub fn address(&self, name: &str) -> Option<u64> {
        self.by_name.get(name).copied()
    }

    /// From a symbol's first address to the next symbol's.
    #[must_use]
    pub fn extent(&self, name: &str) -> Option<Range<u64>> {
        let start = self.address(name)?;
        let next = self
            .sorted
            .partition_point(|(address, _)| *address <= start);
        let (end, _) = self.sorted.get(next)?;
        Some(start..*end)
    }

    /// `symbol+0xoffset` of an address in the kernel's text; `None` outside what the symbols span.
    #[must_use]
    pub fn resolve(&self, address: u64) -> Option<String> {
        let last = self.sorted.last()?.0;
        let next = self.sorted.partition_point(|(start, _)| *start <= address);
        let (start, name) = self.sorted.get(next.checked_sub(1)?)?;
        (address < last).then(|| format!("{name}+{:#x}", address - start))
    }
}

/// A line of the kernel itself; modules' lines end in `[module]`.
fn symbol(line: &str) -> Option<(u64, String)> {
    let mut words = line.split_ascii_whitespace();
    let address = u64::from_str_radix(words.next()?, 16).ok()?;
    let _type = words.next()?;
    let name = words.next()?;
    // `$x` and the like mark code and data on arm64: they are no functions.
    (words.next().is_none() && !name.starts_with('$')).then(|| (address, name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "0000000000001000 A __preempt_count\nffffffff81000000 T add_taint\nffffffff81000000 t $x\n\
        ffffffff810000b0 T next\nffffffff82000000 b tainted_mask\nffffffffc0000000 t init\t[mod]\n";

    #[test]
    fn finds_addresses_extents_and_functions_of_the_kernel_alone() {
        let symbols = Kallsyms::parse(TEXT).unwrap();
        assert_eq!(symbols.address("tainted_mask"), Some(0xffff_ffff_8200_0000));
        assert_eq!(
            symbols.extent("add_taint"),
            Some(0xffff_ffff_8100_0000..0xffff_ffff_8100_00b0)
        );
        assert_eq!(
            symbols.resolve(0xffff_ffff_8100_0010).as_deref(),
            Some("add_taint+0x10")
        );
        assert_eq!(symbols.address("init"), None, "a module's symbol");
        assert_eq!(
            symbols.resolve(0xffff_ffff_c000_0001),
            None,
            "a module's address"
        );
    }

    #[test]
    fn says_so_when_addresses_are_hidden() {
        let error = Kallsyms::parse("0000000000000000 T add_taint\n").unwrap_err();
        assert!(error.to_string().contains("kptr_restrict"), "{error}");
    }
}
