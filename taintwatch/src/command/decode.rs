//! `taintwatch decode`: what a number, letters or a kernel's line mean.

use std::{
    collections::HashSet,
    io::{self, BufRead, Read as _, Write},
};

use anyhow::{Result, ensure};

use crate::{
    event::Mask,
    kernel::os_release,
    output::{escape::Escaped, json, style, wrap},
    taint::{
        text::{Decoded, Reader, Reading},
        vendor::Vendor,
    },
};

/// A line of a log is read up to here; no kernel prints longer ones.
const LONGEST_LINE: u64 = 64 * 1024;

/// Decode a taint state: a number, letters, or a line of a kernel log
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The number of `/proc/sys/kernel/tainted`, letters such as `P O E`, text with `Tainted:`, or `-` for a log
    /// on standard input
    #[arg(value_name = "VALUE", required = true, num_args = 1.., allow_negative_numbers = true)]
    value: Vec<String>,
    /// Vendor of the flags
    #[arg(long, value_name = "V", default_value = "auto")]
    vendor: Vendor,
    /// Print one JSON object a finding
    #[arg(long)]
    json: bool,
}

/// How findings are printed.
#[derive(Clone, Copy)]
struct Form {
    json: bool,
    width: usize,
}

/// Prints what was found; a log without any taint state is an error, as a value that is none.
pub fn run(args: &Args, out: &mut dyn Write) -> Result<u8> {
    let reader = Reader {
        chosen: args.vendor.table(),
        log: None,
        local: os_release::vendor_table(),
    };
    let form = Form {
        json: args.json,
        width: wrap::width(),
    };
    if args.value == ["-"] {
        return log(reader, form, io::stdin().lock(), out);
    }
    value(reader, &args.value.join(" "), form, out)
}

fn value(reader: Reader, value: &str, form: Form, out: &mut dyn Write) -> Result<u8> {
    if value.trim().contains('\n') {
        return log(reader, form, value.as_bytes(), out);
    }
    print(&reader.decode(value)?, form, out)?;
    Ok(0)
}

/// Line by line, so that a log of any size fits. What a mail reader cut in two is read with its next line.
fn log(mut reader: Reader, form: Form, mut input: impl BufRead, out: &mut dyn Write) -> Result<u8> {
    let mut states = States::new(form, out);
    let mut bytes = Vec::new();
    let mut cut: Option<(String, Decoded)> = None;
    while input
        .by_ref()
        .take(LONGEST_LINE)
        .read_until(b'\n', &mut bytes)?
        > 0
    {
        let line = String::from_utf8_lossy(&bytes).trim_end().to_owned();
        bytes.clear();
        reader.banner(&line);
        if let Some((first, finding)) = cut.take() {
            let whole = reader.whole(&first, &line);
            states.take(whole.as_ref().unwrap_or(&finding))?;
            if whole.is_some() {
                continue;
            }
        }
        match reader.line(&line).or_else(|| reader.reported(&line)) {
            Some(finding) if finding.cut => cut = Some((line, finding)),
            Some(finding) => states.take(&finding)?,
            None => states.note(line),
        }
    }
    if let Some((_, finding)) = cut {
        states.take(&finding)?;
    }
    states.end(&reader)
}

/// Most states that are distinguished; those beyond are printed each time.
const MOST_STATES: usize = 4096;

/// The states of a log, each once: a kernel prints its state with every report, from 6.11 on twice in each.
struct States<'a> {
    form: Form,
    out: &'a mut dyn Write,
    printed: HashSet<(u64, Vec<u32>)>,
    /// The only line so far.
    only: Option<String>,
    lines: u64,
}

impl<'a> States<'a> {
    fn new(form: Form, out: &'a mut dyn Write) -> Self {
        Self {
            form,
            out,
            printed: HashSet::new(),
            only: None,
            lines: 0,
        }
    }

    fn take(&mut self, finding: &Decoded) -> Result<()> {
        let readings = finding.readings.iter().map(|reading| reading.bit);
        let key = (finding.mask.0, readings.collect());
        let is_new = !self.printed.contains(&key);
        if is_new && self.printed.len() < MOST_STATES {
            self.printed.insert(key);
        }
        if is_new {
            print(finding, self.form, self.out)?;
        }
        Ok(())
    }

    /// A line without a state.
    fn note(&mut self, line: String) {
        if !line.trim().is_empty() {
            self.lines += 1;
            self.only = Some(line).filter(|_| self.lines == 1);
        }
    }

    /// One line alone is a value: `cat /proc/sys/kernel/tainted`.
    fn end(mut self, reader: &Reader) -> Result<u8> {
        if self.printed.is_empty() {
            let value = self.only.take().and_then(|line| reader.decode(&line).ok());
            if let Some(finding) = value {
                self.take(&finding)?;
            }
        }
        ensure!(
            !self.printed.is_empty(),
            "no taint state was found: give a kernel log with \"Tainted:\" or \"Not tainted\", or the number of /proc/sys/kernel/tainted; `taintwatch analyze` reads the other lines of a log too"
        );
        Ok(0)
    }
}

fn print(finding: &Decoded, form: Form, out: &mut dyn Write) -> Result<()> {
    if form.json {
        return Ok(json::line(finding, out)?);
    }
    let (bold, dim) = (style::BOLD, style::DIM);
    let state = if finding.mask == Mask(0) {
        "not tainted".to_owned()
    } else {
        finding.letters()
    };
    let vendor = finding
        .vendor
        .map_or_else(String::new, |vendor| format!("  {dim}{vendor}{dim:#}"));
    let number = format!("{} = {}", finding.mask.0, finding.mask);
    writeln!(out, "{bold}{state}{bold:#}  {number}{vendor}")?;
    for flag in &finding.flags {
        let letter = flag.letter.map_or_else(|| "?".to_owned(), String::from);
        let name = flag.name.unwrap_or("unknown");
        let is_read = finding
            .readings
            .iter()
            .any(|reading| reading.bit == flag.bit);
        let happened = flag.happened.unwrap_or(if is_read {
            "what it is depends on the kernel"
        } else {
            "a flag that no kernel known here has"
        });
        writeln!(
            out,
            "  {bold}{letter}{bold:#}  bit {:<3} {name:<22} {}",
            flag.bit,
            wrap::hanging(happened, 36, form.width)
        )?;
    }
    readings(&finding.readings, form.width, out)?;
    for note in &finding.notes {
        let note = wrap::hanging(&Escaped(note).to_string(), 8, form.width);
        writeln!(out, "  {dim}note: {note}{dim:#}")?;
    }
    Ok(())
}

/// The readings on which kernels disagree, each with its vendors.
fn readings(all: &[Reading], width: usize, out: &mut dyn Write) -> Result<()> {
    let mut meanings: Vec<(&Reading, Vec<&str>)> = Vec::new();
    for reading in all {
        let same = |(other, _): &&mut (&Reading, Vec<&str>)| {
            other.bit == reading.bit
                && other.letter == reading.letter
                && other.happened == reading.happened
        };
        match meanings.iter_mut().find(same) {
            Some((_, vendors)) if vendors.contains(&reading.vendor) => {}
            Some((_, vendors)) => vendors.push(reading.vendor),
            None => meanings.push((reading, vec![reading.vendor])),
        }
    }
    if meanings.is_empty() {
        return Ok(());
    }
    let dim = style::DIM;
    writeln!(out, "  kernels differ; `--vendor` selects one:")?;
    for (reading, vendors) in meanings {
        let letter = reading.letter.unwrap_or('?');
        let text = format!(
            "{}: {}",
            vendors.join(", "),
            reading.happened.unwrap_or_default()
        );
        let text = wrap::hanging(&text, 16, width);
        writeln!(
            out,
            "  {letter}  {dim}bit {:<3}{dim:#}    {text}",
            reading.bit
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::taint::tables::Table;

    const FORM: Form = Form {
        json: true,
        width: 80,
    };

    fn decoded(text: &str, vendor: Vendor, json: bool) -> String {
        let reader = Reader {
            chosen: vendor.table(),
            ..Reader::default()
        };
        let mut out = Vec::new();
        value(reader, text, Form { json, ..FORM }, &mut out).unwrap();
        anstream::adapter::strip_str(&String::from_utf8(out).unwrap()).to_string()
    }

    #[test]
    fn options_stand_where_people_put_them() {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            args: Args,
        }
        let args = |words: &[&str]| {
            let words = std::iter::once(&"decode").chain(words);
            <Line as clap::Parser>::try_parse_from(words).map(|line| line.args)
        };
        for words in [
            &["P", "O", "--vendor", "suse", "--json"][..],
            &["--json", "--vendor=suse", "P", "O"],
        ] {
            let args = args(words).unwrap();
            assert!(args.json && args.vendor == Vendor::Suse);
            assert_eq!(args.value, ["P", "O"]);
        }
        assert_eq!(args(&["-"]).unwrap().value, ["-"]);
        assert_eq!(args(&["-1"]).unwrap().value, ["-1"], "refused as a number");
        assert!(args(&[]).is_err());
    }

    #[test]
    fn prints_each_flag_on_a_line() {
        insta::assert_snapshot!(decoded("2147488257", Vendor::Auto, false), @r#"
        PWO[31]  2147488257 = 0x80001201
          P  bit 0   PROPRIETARY_MODULE     a proprietary module was loaded
          W  bit 9   WARN                   the kernel issued a warning
          O  bit 12  OOT_MODULE             an out-of-tree module was loaded
          ?  bit 31  unknown                what it is depends on the kernel
          kernels differ; `--vendor` selects one:
          n  bit 31     suse: SUSE may not support a kernel with it: an unsupported
                        module was loaded
          N  bit 31     suse-sle15sp2: SUSE may not support a kernel with it: an
                        unsupported module was loaded
          X  bit 31     suse-sle12, suse-sle11: SUSE supports a kernel with it: a module
                        that its vendor supports was loaded
          u  bit 31     rhel10, rhel9, fedora: BPF was opened to users without
                        privileges
          note: bit 31 is no upstream flag; a vendor's kernel may use it
        "#);
        insta::assert_snapshot!(decoded("2147488257", Vendor::Suse, false), @r#"
        PWOn  2147488257 = 0x80001201  suse
          P  bit 0   PROPRIETARY_MODULE     a proprietary module was loaded
          W  bit 9   WARN                   the kernel issued a warning
          O  bit 12  OOT_MODULE             an out-of-tree module was loaded
          n  bit 31  NO_SUPPORT             SUSE may not support a kernel with it: an
                                            unsupported module was loaded
        "#);
        insta::assert_snapshot!(decoded("0", Vendor::Linux, false), @r#"not tainted  0 = 0x0  linux"#);
    }

    #[test]
    fn the_json_is_the_contract() {
        insta::assert_snapshot!(decoded("Tainted: W", Vendor::Auto, true), @r#"{"mask":"0x200","flags":[{"bit":9,"letter":"W","name":"WARN","vendor":"linux"}],"text":"W"}"#);
        insta::assert_snapshot!(decoded("T", Vendor::Auto, true), @r#"{"mask":"0x20000","flags":[{"bit":17,"letter":"T","name":"RANDSTRUCT","vendor":"linux"}],"readings":[{"bit":17,"letter":"T","name":"RANDSTRUCT","vendor":"linux"},{"bit":29,"letter":"T","name":"TECH_PREVIEW","vendor":"rhel7"},{"bit":29,"letter":"T","name":"TECH_PREVIEW","vendor":"rhel6"}],"text":"T"}"#);
        insta::assert_snapshot!(decoded("T", Vendor::Rhel7, true), @r#"{"mask":"0x20000000","flags":[{"bit":29,"letter":"T","name":"TECH_PREVIEW","vendor":"rhel7"}],"text":"T","vendor":"rhel7"}"#);
    }

    #[test]
    fn a_log_is_read_line_by_line_whatever_its_bytes() {
        let input = b"\xff\xfe junk\nCPU: 0 PID: 1 Comm: a Tainted: G        W          6.1.0\nno\nNot tainted\n";
        let mut out = Vec::new();
        log(Reader::default(), FORM, &input[..], &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap().lines().count(), 2);
    }

    fn masks_of_log(text: &str) -> Result<Vec<String>> {
        let mut out = Vec::new();
        log(Reader::default(), FORM, text.as_bytes(), &mut out)?;
        let mask = |line: &str| {
            let found: serde_json::Value = serde_json::from_str(line).unwrap();
            found["mask"].as_str().unwrap().to_owned()
        };
        Ok(String::from_utf8(out).unwrap().lines().map(mask).collect())
    }

    #[test]
    fn a_log_shows_each_state_once_and_none_is_an_error() {
        let twice = "CPU: 5 UID: 0 PID: 1 Comm: m Tainted: G S         OE      6.12.7 #4\n\
            Tainted: [S]=CPU_OUT_OF_SPEC, [O]=OOT_MODULE, [E]=UNSIGNED_MODULE\n";
        assert_eq!(masks_of_log(twice).unwrap(), ["0x3004"]);
        for none in ["", "usb 1-1: new device\n", "a\nb\n", "WARN one\n"] {
            let error = masks_of_log(none).unwrap_err().to_string();
            assert!(
                error.starts_with("no taint state was found"),
                "{none:?}: {error}"
            );
        }
    }

    #[test]
    fn what_other_programs_report_is_read() {
        let abrt = "> A kernel problem occurred, but your kernel has been tainted (flags:GBDL). Explanation:\n\
            > B - Bad page referenced or some unexpected page flags.\n\
            > Kernel maintainers are unable to diagnose tainted reports.\n";
        assert_eq!(masks_of_log(abrt).unwrap(), ["0x40a0"]);
        let check = "[C] L0090 <WARN>  Kernel tainting module (is: hv_balloon:X)\n\
            [C] L0090 <WARN>  OS kernel is NOT un-tainted as required (is: 102400, Flags:OKX)\n";
        assert_eq!(masks_of_log(check).unwrap(), ["0x19000"]);
        assert_eq!(
            masks_of_log("x\nkernel.tainted = 12289\n").unwrap(),
            ["0x3001"]
        );
        assert_eq!(masks_of_log("12289\n").unwrap(), ["0x3001"]);
        assert!(decoded("flags:GBDL", Vendor::Auto, true).contains("0x40a0"));
    }

    #[test]
    fn a_log_shows_its_kernel_at_the_start_and_joins_what_was_cut() {
        let text = "Linux version 5.14.21-150500.55.39-default (geeko@buildhost)\n\
            Tainted: [X]=AUX\n\
            CPU: 0 PID: 1 Comm: a Tainted: G\n          OE  X  N 5.14.21-150500.55.39-default #1\n\
            CPU: 0 PID: 1 Comm: b Tainted: G        W\n";
        let mut out = Vec::new();
        log(Reader::default(), FORM, text.as_bytes(), &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let found: Vec<serde_json::Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let masks: Vec<_> = found
            .iter()
            .map(|finding| finding["mask"].as_str().unwrap())
            .collect();
        assert_eq!(masks, ["0x10000", "0x80013000", "0x200"]);
        assert!(
            found
                .iter()
                .all(|finding| finding["vendor"] == "suse-sle15sp2")
        );
        assert!(found[2]["notes"][0].as_str().unwrap().contains("missing"));
    }

    #[test]
    fn a_table_that_is_certain_leaves_no_reading() {
        for table in &crate::taint::tables::TABLES {
            let reader = Reader {
                local: Table::named(table.vendor),
                ..Reader::default()
            };
            let all = table
                .flags()
                .fold(Mask(0), |mask, flag| mask.with(flag.bit));
            let finding = reader.decode(&all.0.to_string()).unwrap();
            assert_eq!(finding.readings, [], "{}", table.vendor);
            assert_eq!(finding.vendor, Some(table.vendor));
            assert!(finding.flags.iter().all(|flag| flag.name.is_some()));
        }
    }
}
