//! `taintwatch decode`: what a number, letters or a kernel's line mean.

use std::io::{self, BufRead, Read as _, Write};

use anyhow::Result;

use crate::{
    event::Mask,
    output::{escape::Escaped, human},
    taint::{
        flags,
        text::{self, Finding},
    },
};

/// A line of a log is read up to here; no kernel prints longer ones.
const LONGEST_LINE: u64 = 64 * 1024;

/// Decode a taint state: a number, letters, or a line of a kernel log
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The number of `/proc/sys/kernel/tainted`, letters such as `P O E`, text with `Tainted:`, or `-` for a log
    /// on standard input
    #[arg(value_name = "VALUE", required = true, num_args = 1.., allow_hyphen_values = true)]
    value: Vec<String>,
    /// Whose flags to read
    #[arg(long, value_name = "V", default_value = "auto")]
    vendor: Vendor,
    /// Print one JSON object a finding
    #[arg(long)]
    json: bool,
}

/// Whose table reads the flags.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum Vendor {
    /// What the text shows; today that is upstream's
    Auto,
    Linux,
}

/// Prints what was found; a log without any taint state is no error.
pub fn run(args: &Args, out: &mut dyn Write) -> Result<u8> {
    let (Vendor::Auto | Vendor::Linux) = args.vendor;
    if args.value == ["-"] {
        return log(args, io::stdin().lock(), out);
    }
    print(args, &text::decode(&args.value.join(" "))?, out)?;
    Ok(0)
}

/// Line by line, so that a log of any size fits.
fn log(args: &Args, mut input: impl BufRead, out: &mut dyn Write) -> Result<u8> {
    let mut line = Vec::new();
    while input
        .by_ref()
        .take(LONGEST_LINE)
        .read_until(b'\n', &mut line)?
        > 0
    {
        if let Some(finding) = text::line(String::from_utf8_lossy(&line).trim_end()) {
            print(args, &finding, out)?;
        }
        line.clear();
    }
    Ok(0)
}

fn print(args: &Args, finding: &Finding, out: &mut dyn Write) -> Result<()> {
    if args.json {
        serde_json::to_writer(&mut *out, finding)?;
        return Ok(writeln!(out)?);
    }
    let (bold, dim) = (human::BOLD, human::DIM);
    let state = if finding.mask == Mask(0) {
        "not tainted".to_owned()
    } else {
        flags::letters(finding.mask)
    };
    writeln!(
        out,
        "{bold}{state}{bold:#}  {} = {}",
        finding.mask.0, finding.mask
    )?;
    for flag in &finding.flags {
        let letter = flag.letter.map_or_else(|| "?".to_owned(), String::from);
        let known = flags::by_bit(flag.bit);
        let happened = known.map_or("a flag that upstream kernels do not have", |flag| {
            flag.happened
        });
        writeln!(
            out,
            "  {bold}{letter}{bold:#}  bit {:<3} {:<22} {happened}",
            flag.bit,
            flag.name.unwrap_or("unknown")
        )?;
    }
    for note in &finding.notes {
        writeln!(out, "  {dim}note: {}{dim:#}", Escaped(note))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(value: &[&str], json: bool) -> String {
        let value = value.iter().map(|word| (*word).to_owned()).collect();
        let mut out = Vec::new();
        run(
            &Args {
                value,
                vendor: Vendor::Auto,
                json,
            },
            &mut out,
        )
        .unwrap();
        anstream::adapter::strip_str(&String::from_utf8(out).unwrap()).to_string()
    }

    #[test]
    fn tells_each_flag_on_a_line() {
        insta::assert_snapshot!(decoded(&["2147488257"], false), @r"
        PWO[31]  2147488257 = 0x80001201
          P  bit 0   PROPRIETARY_MODULE     a proprietary module was loaded
          W  bit 9   WARN                   the kernel issued a warning
          O  bit 12  OOT_MODULE             an out-of-tree module was loaded
          ?  bit 31  unknown                a flag that upstream kernels do not have
          note: bit 31 is no upstream flag; a vendor's kernel may use it
        ");
        insta::assert_snapshot!(decoded(&["0"], false), @"not tainted  0 = 0x0");
    }

    #[test]
    fn the_json_is_the_contract() {
        insta::assert_snapshot!(decoded(&["Tainted:", "W"], true), @r#"{"mask":"0x200","flags":[{"bit":9,"letter":"W","name":"WARN","vendor":"linux"}],"text":"W"}"#);
    }

    #[test]
    fn a_log_is_read_line_by_line_whatever_its_bytes() {
        let log = b"\xff\xfe junk\nCPU: 0 PID: 1 Comm: a Tainted: G        W          6.1.0\nno\nNot tainted\n";
        let args = Args {
            value: vec!["-".into()],
            vendor: Vendor::Linux,
            json: true,
        };
        let mut out = Vec::new();
        super::log(&args, &log[..], &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap().lines().count(), 2);
    }
}
