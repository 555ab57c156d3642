//! `taintwatch explain`: what a flag means, what sets it, and what to do about it.

use std::io::Write;

use anyhow::{Context as _, Result};
use serde::Serialize;

use super::decode::Vendor;
use crate::{
    output::human,
    taint::{
        explain::{Explanation, of},
        flags::{self, Flag, UPSTREAM},
    },
};

/// Explain what flags mean, what sets them, what they do to support, and how to avoid them
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Letters, bit numbers or names; none for a table of all
    #[arg(value_name = "FLAG")]
    flags: Vec<String>,
    /// Whose flags to explain
    #[arg(long, value_name = "V", default_value = "auto")]
    vendor: Vendor,
    /// Print one JSON object a flag
    #[arg(long)]
    json: bool,
}

/// Prints the explanations asked for, or the table.
pub fn run(args: &Args, out: &mut dyn Write) -> Result<u8> {
    let (Vendor::Auto | Vendor::Linux) = args.vendor;
    let asked: Vec<_> = args
        .flags
        .iter()
        .map(|text| find(text))
        .collect::<Result<_>>()?;
    let flags: Vec<_> = if asked.is_empty() {
        UPSTREAM.iter().collect()
    } else {
        asked
    };
    for (index, flag) in flags.iter().enumerate() {
        if args.json {
            serde_json::to_writer(&mut *out, &Explained::new(flag))?;
            writeln!(out)?;
        } else if args.flags.is_empty() {
            let bold = human::BOLD;
            writeln!(
                out,
                "{bold}{}{bold:#}  bit {:<3} {:<22} {}",
                flag.letter, flag.bit, flag.name, flag.happened
            )?;
        } else {
            if index > 0 {
                writeln!(out)?;
            }
            print(flag, out)?;
        }
    }
    Ok(0)
}

fn find(text: &str) -> Result<&'static Flag> {
    let name = text.strip_prefix("TAINT_").unwrap_or(text);
    let mut letters = text.chars();
    let letter = letters.next().filter(|_| letters.next().is_none());
    letter
        .and_then(flags::by_letter)
        .or_else(|| text.parse().ok().and_then(flags::by_bit))
        .or_else(|| UPSTREAM.iter().find(|flag| flag.name.eq_ignore_ascii_case(name)))
        .with_context(|| format!("{text:?} is no upstream flag: `taintwatch explain` lists them all (case matters in letters)"))
}

/// An explanation with its flag, for JSON.
#[derive(Serialize)]
struct Explained {
    bit: u32,
    letter: char,
    name: &'static str,
    vendor: &'static str,
    #[serde(flatten)]
    explanation: &'static Explanation,
}

impl Explained {
    fn new(flag: &Flag) -> Self {
        let Flag {
            bit,
            letter,
            name,
            happened: _,
        } = *flag;
        Self {
            bit,
            letter,
            name,
            vendor: flags::VENDOR,
            explanation: of(flag),
        }
    }
}

fn print(flag: &Flag, out: &mut dyn Write) -> Result<()> {
    let bold = human::BOLD;
    let Explanation {
        meaning,
        set_by,
        messages,
        support,
        avoid,
        send,
    } = of(flag);
    writeln!(
        out,
        "{bold}{}  {}{bold:#}  bit {}, {}",
        flag.letter, flag.name, flag.bit, flag.happened
    )?;
    for (title, text) in [
        ("meaning", meaning),
        ("set by", set_by),
        ("messages", messages),
        ("support", support),
        ("avoid", avoid),
        ("send", send),
    ] {
        let indent = " ".repeat(12);
        let options = textwrap::Options::new(width())
            .initial_indent(&indent)
            .subsequent_indent(&indent);
        let wrapped = textwrap::fill(text, options);
        writeln!(out, "  {bold}{title:<10}{bold:#}{}", wrapped.trim_start())?;
    }
    Ok(())
}

/// Lines longer than this tire the eye; narrower terminals get narrower lines.
fn width() -> usize {
    textwrap::termwidth().clamp(40, 96)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_flag_by_letter_bit_and_name() {
        for text in ["W", "9", "WARN", "warn", "TAINT_WARN"] {
            assert_eq!(find(text).unwrap().bit, 9, "{text}");
        }
        assert!(find("w").unwrap_err().to_string().contains("case matters"));
    }

    #[test]
    fn explains_every_flag_in_full() {
        for flag in &UPSTREAM {
            let explained = serde_json::to_value(Explained::new(flag)).unwrap();
            for key in ["meaning", "set_by", "messages", "support", "avoid", "send"] {
                assert!(
                    explained[key].as_str().unwrap().ends_with('.'),
                    "{} {key}",
                    flag.letter
                );
            }
        }
    }
}
