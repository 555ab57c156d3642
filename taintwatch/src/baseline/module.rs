//! A module that carries flags, as the kernel lists it.
//!
//! In: `/proc/modules`, `/sys/kernel/debug/modules/unloaded_tainted`. Out: the module and its flags; total, whatever
//! the lists hold.

use crate::{
    event::{Cause, Class, Confidence, Mask, Module, Source},
    taint::tables::Table,
};

/// A module with flags of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carrier {
    pub name: String,
    /// As the kernel prints them, `POE`.
    pub letters: String,
    pub flags: Mask,
    /// It is there now; else it was unloaded, so many times.
    pub unloaded: Option<u64>,
}

impl Carrier {
    /// The cause, as far as such a list proves it.
    pub(super) fn cause(&self, table: &Table, bit: u32) -> Cause {
        let happened = table.flag(bit).map_or_else(
            || format!("bit {bit} was set"),
            |flag| flag.happened.to_owned(),
        );
        let what = match self.unloaded {
            None => "is loaded and carries the flag".to_owned(),
            Some(1) => "carried the flag and was unloaded since".to_owned(),
            Some(times) => format!("carried the flag and was unloaded since, {times} times"),
        };
        Cause {
            class: Class::ModuleLoad,
            summary: format!(
                "{happened}: {} {what}; when it was loaded is not known",
                self.name
            ),
            confidence: Confidence::Listed,
            sources: vec![Source::Baseline],
        }
    }

    pub(super) fn module(&self) -> Module {
        Module {
            name: Some(self.name.clone()),
            taints: Some(self.letters.clone()),
            loaded: Some(self.unloaded.is_none()),
            ..Module::default()
        }
    }
}

/// The modules of `/proc/modules` whose seventh column has flags: `(POE)`, `(OE+)` while one loads.
#[must_use]
pub fn loaded(list: &str, table: &Table) -> Vec<Carrier> {
    let parse = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        let name = words.next()?.to_owned();
        let letters = words.nth(5)?.strip_prefix('(')?.strip_suffix(')')?;
        carrier(table, name, letters, None)
    };
    list.lines().filter_map(parse).collect()
}

/// `NAME (POE) 2` (`kernel/module/tracking.c`, 6.0 and later with `CONFIG_MODULE_UNLOAD_TAINT_TRACKING`).
#[must_use]
pub fn unloaded(list: &str, table: &Table) -> Vec<Carrier> {
    let parse = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        let name = words.next()?.to_owned();
        let letters = words.next()?.strip_prefix('(')?.strip_suffix(')')?;
        carrier(table, name, letters, words.next()?.parse().ok())
    };
    list.lines().filter_map(parse).collect()
}

/// A letter that these kernels do not have, or have for two flags, is kept as a letter and is no bit.
fn carrier(table: &Table, name: String, letters: &str, unloaded: Option<u64>) -> Option<Carrier> {
    let letters: String = letters.chars().filter(char::is_ascii_alphabetic).collect();
    let mut flags = Mask(0);
    for letter in letters.chars() {
        let mut found = table.by_letter(letter);
        if let (Some(flag), None) = (found.next(), found.next()) {
            flags = flags.with(flag.bit);
        }
    }
    (!letters.is_empty()).then_some(Carrier {
        name,
        letters,
        flags,
        unloaded,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::taint::tables::LINUX;

    #[test]
    fn reads_the_lists() {
        let list = "nvidia 1 2 x, Live 0xffffffffc0000000 (POE)\next4 1 0 - Live 0x0\nnew 1 1 - Loading 0x0 (OE+)\n";
        let found = loaded(list, LINUX);
        let names: Vec<_> = found
            .iter()
            .map(|it| (it.name.as_str(), it.letters.as_str()))
            .collect();
        assert_eq!(names, [("nvidia", "POE"), ("new", "OE")]);
        assert_eq!(found[0].flags, Mask(1 | 1 << 12 | 1 << 13));
        let gone = unloaded("tw_gpl (OE) 3\n", LINUX);
        assert_eq!(
            (gone[0].name.as_str(), gone[0].unloaded),
            ("tw_gpl", Some(3))
        );
        assert!(
            gone[0]
                .cause(LINUX, 12)
                .summary
                .contains("unloaded since, 3 times")
        );
    }

    #[test]
    fn a_letter_is_the_vendors() {
        let table = Table::named("suse").unwrap();
        let found = loaded("x 1 0 - Live 0x0 (Xn)\n", table);
        assert_eq!(found[0].flags, Mask(1 << 16 | 1 << 31));
        assert_eq!(loaded("x 1 0 - Live 0x0 (n)\n", LINUX)[0].flags, Mask(0));
    }

    proptest! {
        #[test]
        fn never_panics(list: String) {
            _ = loaded(&list, LINUX);
            _ = unloaded(&list, LINUX);
        }
    }
}
