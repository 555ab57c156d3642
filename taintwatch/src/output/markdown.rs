//! Flags and their explanations as Markdown, for wikis.
//!
//! In: a vendor's table, and flags of it. Out: tables. What has a meaning in a cell of a table is escaped.

use std::io::{self, Write};

use crate::taint::{
    explain::{self, elsewhere::elsewhere},
    flags::Flag,
    tables::Table,
};

/// A table of all flags, and what holds for all.
pub(crate) fn table(table: &Table, out: &mut dyn Write) -> io::Result<()> {
    let policy = explain::policy(table.family);
    writeln!(out, "## Taint flags of {}: {}\n", table.vendor, table.title)?;
    writeln!(out, "{}\n\n{}\n", explain::GENERAL, policy.support)?;
    row(
        out,
        &[
            "flag",
            "bit",
            "name",
            "since",
            "what happened",
            "support",
            "how to avoid it",
        ],
    )?;
    row(out, &["--"; 7])?;
    for flag in table.flags() {
        let words = explain::of(table, flag);
        let (letter, bit, since) = (
            flag.letter.to_string(),
            flag.bit.to_string(),
            flag.since.to_string(),
        );
        row(
            out,
            &[
                &letter,
                &bit,
                flag.name,
                &since,
                flag.happened,
                words.support,
                words.avoid,
            ],
        )?;
    }
    writeln!(
        out,
        "\nSources: {}; {}",
        table.source,
        policy.sources.join("; ")
    )
}

/// All that is known of a flag.
pub(crate) fn flag(table: &Table, flag: &Flag, out: &mut dyn Write) -> io::Result<()> {
    let (words, policy) = (explain::of(table, flag), explain::policy(table.family));
    writeln!(
        out,
        "## {} ({}), bit {} of {}\n",
        flag.letter, flag.name, flag.bit, table.vendor
    )?;
    row(out, &["", flag.happened])?;
    row(out, &["--"; 2])?;
    let since = flag.since.to_string();
    let elsewhere = elsewhere(table, flag).join("; ");
    for (title, text) in [
        ("since", since.as_str()),
        ("meaning", words.meaning),
        ("set by", words.set_by),
        ("messages", words.messages),
        ("effects", words.effects),
        ("support", words.support),
        ("of all flags", policy.support),
        ("how to avoid it", words.avoid),
        ("what to send", words.send),
        ("with it", policy.send),
        ("elsewhere", &elsewhere),
        ("sources", &policy.sources.join("; ")),
    ] {
        if !text.is_empty() {
            row(out, &[title, text])?;
        }
    }
    Ok(())
}

fn row(out: &mut dyn Write, cells: &[&str]) -> io::Result<()> {
    let cells: Vec<_> = cells.iter().map(|text| cell(text)).collect();
    writeln!(out, "| {} |", cells.join(" | "))
}

/// Without what ends a cell or begins a mark.
fn cell(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '|' | '*' | '_' | '<' | '>' | '[' | ']' | '\\' => out.extend(['\\', character]),
            '\n' => out.push(' '),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::taint::tables::TABLES;

    #[test]
    fn every_row_of_every_table_has_its_cells() {
        let cells = |line: &str| line.replace("\\|", "").matches('|').count() - 1;
        for of in &TABLES {
            let mut text = Vec::new();
            table(of, &mut text).unwrap();
            for one in of.flags() {
                flag(of, one, &mut text).unwrap();
            }
            let text = String::from_utf8(text).unwrap();
            let rows = text.lines().filter(|line| line.starts_with('|'));
            assert!(rows.clone().count() > of.flags().count() * 8);
            assert!(
                rows.clone().all(|row| [2, 7].contains(&cells(row))),
                "{text}"
            );
        }
    }

    #[test]
    fn marks_are_text() {
        assert_eq!(cell("a|b_c <d>\n*"), "a\\|b\\_c \\<d\\> \\*");
    }
}
