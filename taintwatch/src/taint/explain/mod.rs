//! Explanations of the flags: what each means, in the words of upstream and of the vendors.
//!
//! In: a table and a flag. Out: an explanation, which is upstream's with the vendor's words in the places
//! where they differ, and how the vendor's support handles tainted kernels. Data, not code.

pub(crate) mod elsewhere;
mod policy;
mod upstream;
mod vendors;

use serde::Serialize;

use super::{flags::Flag, tables::Table};
pub use policy::{Policy, policy};

/// The explanation of a flag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    pub meaning: &'static str,
    /// Everything that sets it.
    pub set_by: &'static str,
    /// Whether the kernel's own messages can still be trusted.
    pub messages: &'static str,
    /// What else changes in the kernel.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub effects: &'static str,
    pub support: &'static str,
    pub avoid: &'static str,
    /// What to send to support.
    pub send: &'static str,
}

/// A vendor's words over upstream's: what is not given stays.
#[derive(Debug)]
struct Overlay {
    /// The flag's name.
    flag: &'static str,
    meaning: Option<&'static str>,
    set_by: Option<&'static str>,
    support: Option<&'static str>,
    avoid: Option<&'static str>,
    send: Option<&'static str>,
}

/// An overlay that changes nothing yet.
const fn over(flag: &'static str) -> Overlay {
    Overlay {
        flag,
        meaning: None,
        set_by: None,
        support: None,
        avoid: None,
        send: None,
    }
}

/// The letter that is printed in the place of P when P is clear.
pub const G: &str = "G is not a flag: the kernel prints it in the place of P when P is clear. The kernel is tainted for another reason, and every module loaded so far has a licence that is compatible with the GPL.";

/// What holds for every flag.
pub const GENERAL: &str = "A taint is a marker, not an error: it says that something happened that may matter when a fault is investigated. It stays until the kernel is loaded again (reboot or kexec), also when the module is unloaded. The kernel prints it in every report, behind \"Tainted:\"; each flag is one bit of the number in /proc/sys/kernel/tainted, and 0 is untainted.";

/// The explanation of a flag of a table.
#[must_use]
pub fn of(table: &Table, flag: &Flag) -> Explanation {
    let own = vendors::own(flag.name);
    let upstream = upstream::of(flag).filter(|_| own.is_none());
    let mut words = own.or(upstream).unwrap_or(&vendors::UNKNOWN).clone();
    for over in vendors::overlays(table.family) {
        if over.flag == flag.name {
            words.meaning = over.meaning.unwrap_or(words.meaning);
            words.set_by = over.set_by.unwrap_or(words.set_by);
            words.support = over.support.unwrap_or(words.support);
            words.avoid = over.avoid.unwrap_or(words.avoid);
            words.send = over.send.unwrap_or(words.send);
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::taint::tables::TABLES;

    fn text(vendor: &str, letter: char) -> String {
        let table = Table::named(vendor).unwrap();
        let policy = policy(table.family);
        let flags = table.by_letter(letter).map(|flag| of(table, flag));
        let words = flags.map(|words| serde_json::to_string(&words).unwrap());
        words.collect::<String>() + policy.support + policy.send
    }

    #[test]
    fn every_flag_of_every_table_is_explained_in_full() {
        for table in &TABLES {
            for flag in table.flags() {
                let words = of(table, flag);
                for text in [
                    words.meaning,
                    words.set_by,
                    words.messages,
                    words.support,
                    words.avoid,
                    words.send,
                ] {
                    assert!(
                        text.ends_with('.'),
                        "{} {}: {text:?}",
                        table.vendor,
                        flag.name
                    );
                }
                assert_ne!(words, vendors::UNKNOWN, "{} {}", table.vendor, flag.name);
            }
            let policy = policy(table.family);
            assert!(policy.support.ends_with('.') && policy.send.ends_with('.'));
            assert!(!policy.sources.is_empty());
        }
    }

    #[test]
    fn every_overlay_names_a_flag_of_its_family() {
        for table in &TABLES {
            for over in vendors::overlays(table.family) {
                let family = TABLES.iter().filter(|other| other.family == table.family);
                let names: Vec<_> = family
                    .flat_map(Table::flags)
                    .map(|flag| flag.name)
                    .collect();
                assert!(names.contains(&over.flag), "{} {}", table.vendor, over.flag);
            }
        }
    }

    /// SUSE's knowledge base article 3582750.
    #[test]
    fn suse_flags_have_the_facts_of_its_article() {
        for (letter, words) in [
            (
                'P',
                &["licence", "closed", "multipath", "device-mapper"][..],
            ),
            (
                'F',
                &["consistency", "force options", "exactly the running kernel"],
            ),
            ('R', &["in use", "not made to be removed", "force"]),
            ('S', &["certified", "SMP"]),
            ('M', &["overheating", "memory", "hardware", "diagnostics"]),
            ('B', &["corrupt", "memory", "cache", "diagnostics"]),
            ('U', &["SUSE", "without support"]),
            (
                'n',
                &[
                    "third party",
                    "not mature enough",
                    "no longer be tested",
                    "YES",
                ],
            ),
            ('X', &["work together", "external"]),
        ] {
            let text = text("suse", letter);
            for word in words {
                assert!(text.contains(word), "{letter}: {word}");
            }
            assert!(
                text.contains("only with X"),
                "reproduce untainted, or tainted only with X"
            );
        }
        assert!(
            GENERAL.contains("until the kernel is loaded again")
                && GENERAL.contains("0 is untainted")
        );
        assert!(G.contains("compatible with the GPL"));
    }
}
