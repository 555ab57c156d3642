//! The journal's catalog: what `journalctl -x` says below an entry.
//!
//! In: the kinds of events, and what `explain` knows of a flag. Out: the text of the catalog, with an entry a kind; and the
//! fields of a journal entry that its places stand for, so that each flag has its own words.

use std::{fmt::Write as _, sync::LazyLock};

use super::{message_id::message_id, wrap};
use crate::{
    event::{Event, Kind},
    kernel::os_release,
    taint::{
        explain,
        flags::VENDOR,
        tables::{LINUX, Table},
    },
};

/// `journalctl` puts a mark in front of each line.
const WIDTH: usize = 74;

/// Fields that the catalog shows.
pub const MEANING: &str = "TAINT_MEANING";
pub const SUPPORT: &str = "TAINT_SUPPORT";
pub const REMEDY: &str = "TAINT_REMEDY";

/// The words of one kind. `journalctl` prints the name of a field that an entry does not have: the places are fields that
/// every entry of the kind has.
struct Words {
    subject: &'static str,
    meaning: &'static str,
    support: &'static str,
    remedy: &'static str,
}

const fn words(kind: Kind) -> Words {
    match kind {
        Kind::Taint => Words {
            subject: "The kernel was tainted",
            meaning: "@TAINT_MEANING@",
            support: "@TAINT_SUPPORT@",
            remedy: "@TAINT_REMEDY@",
        },
        Kind::ModuleLoad => Words {
            subject: "A module was loaded",
            meaning: "The kernel loaded a module. Where its load tainted the kernel, an entry of its own says with which flag.",
            support: "None by the load alone. Each flag has its own.",
            remedy: "Nothing is to be done.",
        },
        Kind::ModuleLoadFailed => Words {
            subject: "A module failed to load",
            meaning: "The kernel refused a module, or its own start failed. Flags that the attempt set stay until the next boot, \
                though the module is not loaded and lsmod does not show it.",
            support: "As of the flags that it set: support sees them, and no module that explains them. This entry does.",
            remedy: "Read in the kernel log why it failed. Rebuild the module for the running kernel, or remove it.",
        },
        Kind::ModuleUnload => Words {
            subject: "A module was unloaded",
            meaning: "The module's code is gone. Flags that it set stay until the next boot.",
            support: "None by the unload alone, unless it was forced (R).",
            remedy: "Nothing is to be done. Only a reboot makes the kernel untainted again.",
        },
        Kind::MaskWrite => Words {
            subject: "Something wrote the kernel's taint mask past the kernel's own functions",
            meaning: "No supported code does that. A module or a debugger changed the mask directly, mostly to hide that the kernel is \
                tainted. What the kernel says of its state since then is not true; taintwatch keeps the true one.",
            support: "Support will not trust a system on which this happened, nor should you.",
            remedy: "Treat the machine as compromised until the writer is known: `taintwatch why` names the code where it was \
                seen. Keep the history and a memory dump, then reboot into a kernel without that module.",
        },
        Kind::Coverage => Words {
            subject: "Monitoring of the kernel's taint state changed",
            meaning: "Monitoring began, ended, or goes on with a layer missing. Silence proves that nothing happened only while it is complete.",
            support: "None.",
            remedy: "Where a layer is missing, `taintwatch check` says which and why.",
        },
        Kind::Lost => Words {
            subject: "Records of the kernel's taint events were lost",
            meaning: "The kernel made records faster than they were read. Occurrences are counted all the same; details of some are missing.",
            support: "None. A report says what is missing.",
            remedy: "Find what repeats so often: `taintwatch report` shows the most frequent causes.",
        },
    }
}

/// The text of the catalog.
#[must_use]
pub fn text() -> String {
    let mut out = String::from(
        "# What `journalctl -x` says of the entries of taintwatch. Made from the tables of `taintwatch explain`.\n",
    );
    for kind in Kind::ALL {
        let words = words(kind);
        // Writing to a String cannot fail.
        _ = write!(
            out,
            "\n-- {}\nSubject: {}\nDefined-By: taintwatch\nDocumentation: man:taintwatch(1)\n\n",
            message_id(kind),
            words.subject
        );
        for (title, text) in [
            ("", words.meaning),
            ("Support: ", words.support),
            ("Remedy: ", words.remedy),
        ] {
            let text = format!("{title}{text}");
            _ = writeln!(out, "{}\n", wrap::hanging(&text, 0, WIDTH));
        }
    }
    out
}

/// What the catalog's places stand for, for an event of a flag.
pub(super) fn fields(event: &Event) -> [(&'static str, Option<String>); 3] {
    let is_flag = event.kind == Kind::Taint;
    let explained = is_flag.then(|| explained_by(table(event), event.bit()));
    let field = |part: fn(&[String; 3]) -> &String| explained.as_ref().map(|all| part(all).clone());
    [
        (MEANING, field(|[meaning, ..]| meaning)),
        (SUPPORT, field(|[_, support, _]| support)),
        (REMEDY, field(|[.., remedy]| remedy)),
    ]
}

/// The table of the flag's vendor; where the flag is upstream's, this machine's vendor has words of its own on it.
fn table(event: &Event) -> &'static Table {
    static LOCAL: LazyLock<Option<&'static Table>> = LazyLock::new(os_release::vendor_table);
    let vendor = event
        .taint
        .as_ref()
        .and_then(|taint| taint.vendor.as_deref());
    let own = vendor
        .filter(|vendor| *vendor != VENDOR)
        .and_then(Table::named);
    own.or(*LOCAL).unwrap_or(LINUX)
}

/// Meaning, support and remedy, in lines.
fn explained_by(table: &Table, bit: Option<u32>) -> [String; 3] {
    let policy = explain::policy(table.family);
    let all = match bit.and_then(|bit| table.flag(bit)) {
        Some(flag) => {
            let words = explain::of(table, flag);
            [
                format!("{} ({}): {}", flag.letter, flag.name, words.meaning),
                format!("{} {}", words.support, policy.support),
                words.avoid.to_owned(),
            ]
        }
        None => [
            "The flag is in no table of flags that taintwatch knows: of a newer kernel, or a vendor's own.".to_owned(),
            policy.support.to_owned(),
            "Ask the kernel's vendor what the bit means.".to_owned(),
        ],
    };
    // The titles stand in front of the first lines.
    all.map(|text| wrap::hanging(&text, 0, WIDTH - "Support: ".len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::taint::tables::TABLES;

    #[test]
    fn each_kind_has_an_entry_and_its_lines_fit() {
        let text = text();
        for kind in Kind::ALL {
            assert_eq!(
                text.matches(&format!("-- {}\n", message_id(kind))).count(),
                1
            );
        }
        let widest = text.lines().map(str::len).max();
        assert!(widest <= Some(110), "{widest:?}");
        for title in ["\nSubject: ", "\nSupport: ", "\nRemedy: "] {
            assert_eq!(text.matches(title).count(), Kind::ALL.len(), "{title:?}");
        }
    }

    #[test]
    fn each_flag_of_each_vendor_has_its_own_words() {
        for table in &TABLES {
            for flag in table.flags() {
                let words = explained_by(table, Some(flag.bit));
                assert!(
                    words
                        .iter()
                        .all(|text| text.len() > 20 && !text.contains('@')),
                    "{words:?}"
                );
                assert!(
                    words
                        .iter()
                        .flat_map(|text| text.lines())
                        .all(|line| line.len() <= WIDTH)
                );
            }
        }
        let [meaning, ..] = explained_by(LINUX, Some(40));
        assert!(meaning.contains("in no table"));
    }

    #[test]
    fn only_a_flag_has_fields() {
        let event = |kind: &str, vendor: &str| -> Event {
            serde_json::from_value(serde_json::json!({
                "schema": 1, "id": "x", "seq": 1, "kind": kind, "taint": {"bit": 31, "vendor": vendor},
            }))
            .unwrap()
        };
        let has = |event: &Event| {
            fields(event)
                .iter()
                .filter(|(_, text)| text.is_some())
                .count()
        };
        assert_eq!(has(&event("taint", "suse")), 3);
        assert_eq!(has(&event("mask_write", "suse")), 0);
        let [(_, meaning), ..] = fields(&event("taint", "suse"));
        assert!(meaning.unwrap().contains("SUSE"), "its vendor's words");
    }
}
