//! `taintwatch explain`: what a flag means, what sets it, and what to do about it.

use std::io::Write;

use anyhow::{Result, ensure};
use serde::Serialize;

use crate::{
    kernel::os_release,
    output::{self, json, wrap},
    taint::{
        explain::{self, Explanation, Policy},
        flags::{self, Flag},
        tables::{LINUX, TABLES, Table},
        vendor::Vendor,
    },
};

/// Explain what flags mean, what sets them, what they do to support, and how to avoid them
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Letters, bit numbers or names; none for a table of all
    #[arg(value_name = "FLAG")]
    flags: Vec<String>,
    /// Vendor of the flags
    #[arg(long, value_name = "V", default_value = "auto")]
    vendor: Vendor,
    /// Print one JSON object a flag
    #[arg(long)]
    json: bool,
    /// Print tables in Markdown, for a wiki
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
}

/// A flag of a vendor's kernels.
type Meant = (&'static Table, &'static Flag);

/// Prints the explanations asked for, or the table.
pub fn run(args: &Args, out: &mut dyn Write) -> Result<u8> {
    explain(args, os_release::vendor_table(), wrap::width(), out)
}

fn explain(
    args: &Args,
    local: Option<&'static Table>,
    width: usize,
    out: &mut dyn Write,
) -> Result<u8> {
    let chosen = args.vendor.table();
    if args.flags.is_empty() {
        let table = chosen.or(local).unwrap_or(LINUX);
        return if args.json {
            lines(table, out)
        } else if args.markdown {
            output::markdown::table(table, out)?;
            Ok(0)
        } else {
            output::explain::table(table, width, out)?;
            Ok(0)
        };
    }
    let mut first = true;
    for text in &args.flags {
        let is_g = matches!(text.as_str(), "G" | "g") && !args.json;
        let meant = if is_g {
            Vec::new()
        } else {
            find(text, chosen, local)?
        };
        if is_g {
            blank(&mut first, out)?;
            writeln!(out, "{}", wrap::hanging(explain::G, 0, width))?;
        }
        for (table, flag) in meant {
            if args.json {
                json::line(&Explained::new(table, flag), out)?;
                continue;
            }
            blank(&mut first, out)?;
            if args.markdown {
                output::markdown::flag(table, flag, out)?;
            } else {
                output::explain::flag(table, flag, width, out)?;
            }
        }
    }
    Ok(0)
}

fn blank(first: &mut bool, out: &mut dyn Write) -> Result<()> {
    if !std::mem::take(first) {
        writeln!(out)?;
    }
    Ok(())
}

/// What a text can mean: in the kernels that were chosen, in this machine's, else in all.
fn find(
    text: &str,
    chosen: Option<&'static Table>,
    local: Option<&'static Table>,
) -> Result<Vec<Meant>> {
    let mut meant = Vec::new();
    for table in [chosen, local.filter(|_| chosen.is_none())]
        .into_iter()
        .flatten()
    {
        meant.extend(matching(table, text));
    }
    if meant.is_empty() && chosen.is_none() {
        meant.extend(TABLES.iter().flat_map(|table| matching(table, text)));
        // The same meaning once: a family's eras and rebuilds share it.
        let mut seen = Vec::new();
        meant.retain(|(table, flag)| {
            let same = (flag.bit, flag.letter, flag.happened);
            let is_new = !seen.contains(&same);
            seen.push(same);
            is_new || table.vendor == flags::VENDOR
        });
    }
    let hint = if crate::taint::text::decode(text).is_ok() {
        format!("; `taintwatch decode {text:?}` reads a whole state")
    } else {
        String::new()
    };
    let kernels = chosen.map_or("any kernel that is known here", |table| table.vendor);
    ensure!(
        !meant.is_empty(),
        "{text:?} is no flag of {kernels}: `taintwatch explain` lists them all (case matters in letters){hint}"
    );
    Ok(meant)
}

fn matching(table: &'static Table, text: &str) -> Vec<Meant> {
    let name = text.strip_prefix("TAINT_").unwrap_or(text);
    let mut letters = text.chars();
    let letter = letters.next().filter(|_| letters.next().is_none());
    let bit = text.parse().ok();
    let fits = |flag: &&'static Flag| {
        Some(flag.letter) == letter || Some(flag.bit) == bit || flag.name.eq_ignore_ascii_case(name)
    };
    table
        .flags()
        .filter(fits)
        .map(|flag| (table, flag))
        .collect()
}

/// An explanation with its flag, for JSON.
#[derive(Serialize)]
struct Explained {
    bit: u32,
    letter: char,
    name: &'static str,
    vendor: &'static str,
    since: String,
    #[serde(flatten)]
    explanation: Explanation,
    policy: &'static Policy,
}

impl Explained {
    fn new(table: &Table, flag: &Flag) -> Self {
        Self {
            bit: flag.bit,
            letter: flag.letter,
            name: flag.name,
            vendor: table.vendor_of(flag.bit),
            since: flag.since.to_string(),
            explanation: explain::of(table, flag),
            policy: explain::policy(table.family),
        }
    }
}

/// Each flag of a table as JSON.
fn lines(table: &Table, out: &mut dyn Write) -> Result<u8> {
    for flag in table.flags() {
        json::line(&Explained::new(table, flag), out)?;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str, chosen: Option<&'static Table>) -> Vec<(&'static str, u32)> {
        let meant = find(text, chosen, None).unwrap();
        meant
            .iter()
            .map(|(table, flag)| (table.vendor, flag.bit))
            .collect()
    }

    fn explained(flags: &[&str], vendor: Vendor) -> String {
        let flags = flags.iter().map(|text| (*text).to_owned()).collect();
        let mut out = Vec::new();
        explain(
            &Args {
                flags,
                vendor,
                json: false,
                markdown: false,
            },
            None,
            80,
            &mut out,
        )
        .unwrap();
        anstream::adapter::strip_str(&String::from_utf8(out).unwrap()).to_string()
    }

    #[test]
    fn finds_a_flag_by_letter_bit_and_name() {
        for text in ["W", "9", "WARN", "warn", "TAINT_WARN"] {
            assert_eq!(names(text, None), [("linux", 9)], "{text}");
        }
        let error = find("w", None, None).unwrap_err();
        assert!(error.to_string().contains("case matters"));
    }

    #[test]
    fn a_letter_of_many_meanings_is_explained_in_each() {
        assert_eq!(
            names("N", None),
            [("linux", 18), ("suse-sle15sp2", 31), ("suse-sle12", 30)]
        );
        assert_eq!(
            names("N", Table::named("suse-sle15sp2")),
            [("suse-sle15sp2", 18), ("suse-sle15sp2", 31)]
        );
        assert_eq!(names("n", None), [("suse", 31)]);
        assert!(find("n", Table::named("debian"), None).is_err());
        assert_eq!(
            find("X", None, Table::named("debian")).unwrap()[0].0.vendor,
            "debian"
        );
    }

    #[test]
    fn explains_in_the_vendors_words() {
        insta::assert_snapshot!(explained(&["n"], Vendor::Suse), @r#"
        n  NO_SUPPORT  bit 31 of suse, since 6.11
          SUSE may not support a kernel with it: an unsupported module was loaded
          meaning   A module was loaded that SUSE does not support and that no third
                    party is known to support: it is out-of-tree, not mature enough, or
                    for hardware that can no longer be tested.
          set by    Loading a module without `supported: yes` or `supported: external`
                    (see `modinfo`), when its directory in sysfs is created; allowing
                    unsupported features of a file system (`allow_unsupported`);
                    reverting a live patch on SLE 12 and 15. With unsupported=0 such
                    a module is refused with ENOEXEC ("module not supported by SUSE,
                    refusing to load" in the kernel log), and no flag is set; with 1 the
                    kernel logs a warning, with 2 it logs nothing (boot parameter, or
                    /proc/sys/kernel/unsupported).
          messages  Read them with care: they may be about code whose source the vendor
                    does not have.
          effects   The kernel's reports say "Supported: No, Unsupported modules are
                    loaded"; /sys/kernel/supported and /sys/module/NAME/supported show
                    the same.
          support   The kernel is not supported with it: SUSE may not be able to help
                    with a fault of this kernel, whatever module it is in. Reproduce the
                    fault without the module.
                    Messages of a tainted kernel are not necessarily to be trusted,
                    and may be about code whose source SUSE does not have; so support
                    is limited. Make every effort to reproduce the fault on a kernel
                    that is untainted, or tainted only with X. Without a joint support
                    agreement with the vendor of a third party's module, SUSE cannot
                    look for the root cause: that vendor has to fix it, or to show that
                    the fault is in SUSE's kernel.
          avoid     Use a configuration that is certified (YES CERTIFIED), drivers
                    of the kernel-default package, or a vendor's driver from the
                    SolidDriver Program. Modules of kernel-default-extra and -optional
                    are unsupported on servers.
          send      The module's name, version, vendor and file, the kernel log, and
                    `taintwatch report`.
                    A supportconfig archive, the kernel log or the dump (kdump), the
                    `Supported:` line of the report, and `modinfo` of the modules that
                    taint.
          elsewhere N on suse-sle15sp2 (bit 31): SUSE may not support a kernel with
                    it: an unsupported module was loaded; X on suse-sle12, suse-sle11
                    (bit 31): SUSE supports a kernel with it: a module that its vendor
                    supports was loaded; u on rhel10, rhel9, fedora (bit 31): BPF was
                    opened to users without privileges
          sources   SUSE KB 3582750 (Tainted kernel); SUSE SolidDriver Program, Joint
                    Support Agreements; SUSE KB 7017442
        "#);
        let general = explained(&["G"], Vendor::Auto);
        assert!(general.contains("not a flag"));
        let table = explained(&[], Vendor::Suse);
        assert!(table.contains("n* bit 31"), "{table}");
        assert!(table.contains("kexec"), "{table}");
    }

    #[test]
    fn nothing_is_wider_than_the_terminal() {
        for table in &TABLES {
            let flags: Vec<_> = table.flags().map(|flag| flag.bit.to_string()).collect();
            let flags: Vec<_> = flags.iter().map(String::as_str).collect();
            let vendor = <Vendor as clap::ValueEnum>::from_str(table.vendor, false).unwrap();
            for text in [explained(&flags, vendor), explained(&[], vendor)] {
                let wide = text.lines().find(|line| line.chars().count() > 80);
                assert_eq!(wide, None, "{}", table.vendor);
            }
        }
    }
}
