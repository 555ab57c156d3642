//! A flag's explanation, and a table of flags, for people.
//!
//! In: a vendor's table, and flags of it. Out: text that is no wider than it is asked to be.

use std::io::{self, Write};

use super::{style, wrap};
use crate::taint::{
    explain::{self, elsewhere::elsewhere},
    flags::{self, Flag},
    tables::Table,
};

/// The flags of a table on a line each, and what holds for all.
pub(crate) fn table(table: &Table, width: usize, out: &mut dyn Write) -> io::Result<()> {
    let bold = style::BOLD;
    let own = table
        .flags()
        .any(|flag| table.vendor_of(flag.bit) != flags::VENDOR);
    let legend = if own { " (* its own)" } else { "" };
    let title = format!("{}: {}{legend}", table.vendor, table.title);
    writeln!(out, "{bold}{}{bold:#}", wrap::hanging(&title, 0, width))?;
    for flag in table.flags() {
        let own = if table.vendor_of(flag.bit) == flags::VENDOR {
            ""
        } else {
            "*"
        };
        let happened = wrap::hanging(flag.happened, 34, width);
        writeln!(
            out,
            "{bold}{}{bold:#}{own:1} bit {:<3} {:<22} {happened}",
            flag.letter, flag.bit, flag.name
        )?;
    }
    let policy = explain::policy(table.family);
    writeln!(out)?;
    for text in [explain::GENERAL, policy.support] {
        writeln!(out, "{}", wrap::hanging(text, 0, width))?;
    }
    let sources = format!(
        "(table: {}; support: {})",
        table.source,
        policy.sources.join("; ")
    );
    let dim = style::DIM;
    writeln!(out, "{dim}{}{dim:#}", wrap::hanging(&sources, 0, width))?;
    Ok(())
}

/// All that is known of a flag.
pub(crate) fn flag(
    table: &Table,
    flag: &Flag,
    width: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    let (bold, dim) = (style::BOLD, style::DIM);
    let words = explain::of(table, flag);
    let policy = explain::policy(table.family);
    writeln!(
        out,
        "{bold}{}  {}{bold:#}  bit {} of {}, since {}",
        flag.letter, flag.name, flag.bit, table.vendor, flag.since
    )?;
    writeln!(out, "  {}", flag.happened)?;
    for (title, text) in [
        ("meaning", words.meaning),
        ("set by", words.set_by),
        ("messages", words.messages),
        ("effects", words.effects),
        ("support", words.support),
        ("", policy.support),
        ("avoid", words.avoid),
        ("send", words.send),
        ("", policy.send),
    ] {
        if !text.is_empty() {
            let text = wrap::hanging(text, 12, width);
            writeln!(out, "  {bold}{title:<10}{bold:#}{text}")?;
        }
    }
    let elsewhere = elsewhere(table, flag);
    if !elsewhere.is_empty() {
        let text = wrap::hanging(&elsewhere.join("; "), 12, width);
        writeln!(out, "  {bold}{:<10}{bold:#}{text}", "elsewhere")?;
    }
    let sources = wrap::hanging(&policy.sources.join("; "), 12, width);
    writeln!(out, "  {dim}{:<10}{sources}{dim:#}", "sources")?;
    Ok(())
}
