//! `taintwatch analyze`: the taint state that a log of the past shows.

mod boots;
mod known;
mod left_out;
mod unread;

use std::{
    cell::RefCell,
    io::{self, BufRead, IsTerminal as _, Read, Write},
    path::{Path, PathBuf},
};

use anyhow::{Result, ensure};
use indicatif::{ProgressBar, ProgressStyle};

use self::{boots::Boots, known::Known, left_out::LeftOut, unread::Doubts};
use crate::{
    event::{Event, Source},
    klog::{
        Finding, Origin, Reconstruction, Scanner, Settled,
        input::{self, Fact, Snapshot, Visitor},
        stream,
    },
    output::{analysis::AnalysisText, escape::Escaped, format, json},
    store::Filter,
    taint::{tables::Table, vendor::Vendor},
};

/// Smaller inputs are read without a progress bar.
const LONG: u64 = 64 * 1024 * 1024;

/// Read logs of the past: a kernel log, vmcore-dmesg, a pstore folder, an export of the journal, a support archive
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A log, packed or not, a folder, an archive, or `-` for standard input
    #[arg(value_name = "FILE, DIR or -", required = true, num_args = 1..)]
    input: Vec<PathBuf>,
    /// Vendor of the flags; `auto`: as the log shows
    #[arg(long, value_name = "V", default_value = "auto")]
    vendor: Vendor,
    #[command(flatten)]
    filter: Filter,
    /// Only these boots of each log: 0 for its last one, -1 for the one before, the start of an id, or `all`
    #[arg(
        long,
        value_name = "ID,-1,all",
        value_delimiter = ',',
        allow_hyphen_values = true
    )]
    boot: Vec<String>,
    /// Print events as JSON, one a line
    #[arg(long)]
    json: bool,
}

/// Exit 0; 2 where nothing was found and not everything was understood, and as for any error.
pub fn run(args: &Args, out: &mut dyn Write) -> Result<u8> {
    let (mut seq, mut exit) = (0, 0);
    for path in &args.input {
        let mut analysis = Analysis::new(args, seq, out);
        let visited = input::visit(path, &mut analysis);
        // A closed pipe or a full disk is no fault of the log.
        if let Some(error) = analysis.failed.take() {
            return Err(error.into());
        }
        visited.map_err(|error| {
            let failure = failure(path, &error);
            anyhow::Error::from(error).context(failure)
        })?;
        let end = analysis.finish(path)?;
        seq = end.seq;
        exit = exit.max(if end.is_certain { 0 } else { 2 });
    }
    Ok(exit)
}

/// What failed, and what the user can do.
fn failure(path: &Path, error: &io::Error) -> String {
    let path = path.display();
    match error.kind() {
        io::ErrorKind::NotFound => format!(
            "read {path}: name a kernel log, a folder of one, an archive, or `-` for standard input"
        ),
        io::ErrorKind::PermissionDenied => {
            format!("read {path}: become root, or pipe it: `sudo cat FILE | taintwatch analyze -`")
        }
        _ => format!("read {path}"),
    }
}

/// How the reading of one input ended.
struct End {
    /// The number of the last event.
    seq: u64,
    /// There were events, or there is nothing to tell.
    is_certain: bool,
}

/// One input while it is read.
struct Analysis<'a> {
    args: &'a Args,
    out: &'a mut dyn Write,
    /// Over all inputs.
    seq: u64,
    /// Of those, this input's.
    before: u64,
    /// Events that the filter leaves out, and those of them that have no date to filter by.
    hidden: u64,
    undated: u64,
    logs: u64,
    lines: u64,
    doubts: Doubts,
    /// The log that is read.
    name: String,
    snapshot: Snapshot,
    reconstructions: Vec<Reconstruction>,
    known: Known,
    text: AnalysisText,
    left_out: LeftOut,
    bar: ProgressBar,
    failed: Option<io::Error>,
}

impl<'a> Analysis<'a> {
    fn new(args: &'a Args, seq: u64, out: &'a mut dyn Write) -> Self {
        Self {
            args,
            out,
            seq,
            before: seq,
            hidden: 0,
            undated: 0,
            logs: 0,
            lines: 0,
            doubts: Doubts::default(),
            name: String::new(),
            snapshot: Snapshot::default(),
            reconstructions: Vec::new(),
            known: Known::default(),
            text: AnalysisText::default(),
            left_out: LeftOut::default(),
            bar: ProgressBar::hidden(),
            failed: None,
        }
    }

    /// Prints what is settled as JSON, or keeps it for the text.
    fn settled(&mut self, mut settled: Settled) -> io::Result<()> {
        settled
            .events
            .retain(|event| self.known.is_new(event) && self.passes(event));
        for event in &mut settled.events {
            self.seq += 1;
            event.seq = self.seq;
            event.file = Some(self.name.clone());
        }
        let (out, text) = (&mut *self.out, &mut self.text);
        let as_json = self.args.json;
        self.bar.suspend(|| {
            if !as_json {
                return text.add(&settled, out);
            }
            let mut events = settled.events.iter();
            events.try_for_each(|event| json::line(event, out))
        })
    }

    fn passes(&mut self, event: &Event) -> bool {
        let filter = &self.args.filter;
        let passes = filter.passes(event);
        self.hidden += u64::from(!passes);
        self.undated += u64::from(filter.cannot_judge(event));
        passes
    }

    fn read(&mut self, name: &str, input: &mut dyn BufRead) -> io::Result<()> {
        self.logs += 1;
        name.clone_into(&mut self.name);
        self.known.next_log();
        let is_crash = input::pstore::is_part(name) || name.contains("vmcore-dmesg");
        let source = if is_crash { Source::Crash } else { Source::Log };
        let mut reconstruction = Reconstruction::new(Origin {
            source,
            table: self.table(),
            ..Origin::default()
        });
        self.text.log(name);
        let mut scanner = Scanner::new();
        let mut failed = None;
        // Two closures cannot both hold what is written to.
        let mut boots = Boots::new(&self.args.boot);
        let this = RefCell::new(self);
        let mut enter = |findings: Vec<Finding>| {
            let settled = findings.into_iter().flat_map(|it| reconstruction.enter(it));
            for settled in settled.filter_map(|it| boots.take(it)) {
                if failed.is_none() {
                    failed = this.borrow_mut().settled(settled).err();
                }
            }
        };
        let read = stream::read(input, &mut |line| enter(scanner.push(line)));
        let last = scanner.last_boots();
        enter(scanner.finish());
        let this = this.into_inner();
        let rest = reconstruction.finish().into_iter();
        let mut rest: Vec<_> = rest.filter_map(|it| boots.take(it)).collect();
        rest.extend(boots.finish(&last));
        for settled in rest {
            if failed.is_none() {
                failed = this.settled(settled).err();
            }
        }
        this.hidden += boots.left_out;
        this.failed = this.failed.take().or(failed);
        this.reconstructions.push(reconstruction);
        let read = read?;
        this.lines += read.lines;
        this.doubts.add(name, &read);
        Ok(())
    }

    /// Prints the flags that the files show to be set and no log explains, and what was not understood.
    fn finish(mut self, path: &Path) -> Result<End> {
        self.bar.finish_and_clear();
        if let Some(message) = self.left_out.message() {
            log::warn!("{message}");
        }
        let finding = self.snapshot.finding();
        ensure!(
            self.logs > 0 || finding.is_some(),
            "no kernel log was found in {}: name a log, a folder of one or an archive",
            path.display()
        );
        if let Some(finding) = finding {
            self.name = path.display().to_string();
            let mut reconstruction = Reconstruction::new(Origin {
                table: self.table(),
                ..Origin::default()
            });
            for log in &self.reconstructions {
                reconstruction.absorb(log, self.snapshot.release.as_deref());
            }
            self.text.state(&path.display().to_string());
            let mut settled = reconstruction.enter(finding);
            settled.extend(reconstruction.finish());
            for settled in settled {
                self.settled(settled)?;
            }
        }
        if !self.args.json {
            self.text.print(self.out)?;
        }
        if self.undated > 0 {
            log::warn!(
                "{} of the events have no date and are left out: --since and --until need one",
                self.undated
            );
        }
        let is_empty = self.seq == self.before && self.hidden == 0;
        if !self.args.json && self.seq == self.before {
            writeln!(self.out, "{}", self.nothing())?;
        }
        if let Some(doubt) = self
            .doubts
            .text(is_empty)
            .filter(|_| self.args.json || !is_empty)
        {
            log::warn!("{doubt}");
        }
        Ok(End {
            seq: self.seq,
            is_certain: !is_empty || self.lines > 0 && self.doubts.is_none(),
        })
    }

    fn table(&self) -> Option<&'static Table> {
        self.args.vendor.table()
    }

    /// Why there are no events: they were not asked for, no line shows a flag, or not everything could be read.
    fn nothing(&self) -> String {
        let doubt = self.doubts.text(true).filter(|_| self.hidden == 0);
        if let Some(doubt) = doubt {
            return format!("whether it shows a taint cannot be told: {doubt}");
        }
        match (self.hidden, self.lines) {
            (0, 0) => "it has no line of a kernel log".to_owned(),
            // Text without any mark of a kernel may be one's all the same.
            (0, lines) => {
                let lines = format::number(usize::try_from(lines).unwrap_or(usize::MAX), "line");
                format!("{lines} of what may be a kernel log: none shows a taint")
            }
            (1, _) => "1 event, which the filter leaves out".to_owned(),
            (events, _) => format!("{events} events, which the filter leaves out"),
        }
    }
}

impl Visitor for Analysis<'_> {
    fn log(&mut self, name: &str, input: &mut dyn BufRead) -> io::Result<()> {
        if self.failed.is_some() {
            return Ok(());
        }
        self.read(name, input)
    }

    fn fact(&mut self, fact: Fact, name: &str, text: &str) {
        self.snapshot.take(fact, name, text);
    }

    fn refused(&mut self, name: &str, why: &str) {
        self.bar
            .suspend(|| log::warn!("{}: {}", Escaped(name), Escaped(why)));
    }

    fn left_out(&mut self, name: &str) {
        self.left_out.add(name);
    }

    fn opened(&mut self, input: Box<dyn Read>, len: Option<u64>) -> Box<dyn Read> {
        let Some(len) = len.filter(|len| *len >= LONG && io::stderr().is_terminal()) else {
            return input;
        };
        self.bar = ProgressBar::new(len);
        let style = ProgressStyle::with_template("{wide_bar} {bytes}/{total_bytes} {eta}");
        self.bar
            .set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Box::new(self.bar.wrap_read(input))
    }
}
