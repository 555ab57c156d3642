//! `taintwatch analyze`: what a log of the past tells of the taint state.

use std::{
    cell::RefCell,
    collections::HashSet,
    io::{self, BufRead, IsTerminal as _, Read, Write},
    path::{Path, PathBuf},
};

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};

use crate::{
    event::{Event, Source},
    output::{boots::Boots, escape::Escaped, human, json},
    store::Filter,
    taint::{tables::Table, vendor::Vendor},
    transcript::{
        Account, Origin, Scanner, Sighting,
        input::{self, Fact, Snapshot, Visitor},
        stream,
    },
};

/// A bar is for who waits.
const LONG: u64 = 64 * 1024 * 1024;
/// Events of an archive that are known from another log of it.
const MOST_KNOWN: usize = 20_000;
const SECOND: u64 = 1_000_000_000;

/// Read logs of the past: a kernel log, vmcore-dmesg, a pstore folder, an export of the journal, a support archive
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A log, packed or not, a folder, an archive, or `-` for standard input
    #[arg(value_name = "FILE, DIR or -", required = true, num_args = 1..)]
    input: Vec<PathBuf>,
    /// Whose flags to read; `auto` is whoever the log shows
    #[arg(long, value_name = "V", default_value = "auto")]
    vendor: Vendor,
    #[command(flatten)]
    filter: Filter,
    /// Print events as JSON, one a line
    #[arg(long)]
    json: bool,
}

/// Exit 0; 2 as for any error.
pub fn run(args: &Args, out: &mut dyn Write) -> Result<u8> {
    for path in &args.input {
        let mut analysis = Analysis::new(args, out);
        let visited = input::visit(path, &mut analysis);
        // What a closed pipe or a full disk did to the output is no fault of the log.
        if let Some(error) = analysis.failed.take() {
            return Err(error.into());
        }
        visited.map_err(|error| {
            let tried = tried(path, &error);
            anyhow::Error::from(error).context(tried)
        })?;
        analysis.finish()?;
    }
    Ok(0)
}

/// What was tried, and what to do when whoever asked can mend it.
fn tried(path: &Path, error: &io::Error) -> String {
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

/// One input while it is read.
struct Analysis<'a> {
    args: &'a Args,
    out: &'a mut dyn Write,
    seq: u64,
    logs: u64,
    lines: u64,
    snapshot: Snapshot,
    accounts: Vec<Account>,
    /// What logs before this one told of, and what this one does.
    known: HashSet<String>,
    told: Vec<String>,
    bar: ProgressBar,
    failed: Option<io::Error>,
}

impl<'a> Analysis<'a> {
    fn new(args: &'a Args, out: &'a mut dyn Write) -> Self {
        Self {
            args,
            out,
            seq: 0,
            logs: 0,
            lines: 0,
            snapshot: Snapshot::default(),
            accounts: Vec::new(),
            known: HashSet::new(),
            told: Vec::new(),
            bar: ProgressBar::hidden(),
            failed: None,
        }
    }

    /// Prints what a sighting gives.
    fn sighting(
        &mut self,
        sighting: &Sighting,
        account: &mut Account,
        boots: &mut Boots,
    ) -> io::Result<()> {
        let mut events = account.enter(sighting);
        events.retain(|event| self.is_new(event) && self.args.filter.passes(event));
        for event in &mut events {
            self.seq += 1;
            event.seq = self.seq;
        }
        let (out, as_json) = (&mut *self.out, self.args.json);
        self.bar.suspend(|| {
            if !as_json {
                return boots.enter(sighting, &events, out);
            }
            events.iter().try_for_each(|event| json::line(event, out))
        })
    }

    /// Archives hold the same log more than once: dmesg, messages, the journal. The clock tells one line from another,
    /// but for the first second, in which it is the same in many boots.
    fn is_new(&mut self, event: &Event) -> bool {
        let clock = event.boottime_ns.filter(|at| *at >= SECOND);
        let time = || Some(event.time.to_string()).filter(|_| !event.time.is_unknown());
        let when = clock
            .map(|at| at.to_string())
            .or_else(time)
            .or_else(|| event.stamp.clone());
        let bit = event.taint.as_ref().and_then(|taint| taint.bit);
        let (Some(when), Some(bit)) = (when, bit) else {
            return true;
        };
        let module = event
            .module
            .as_ref()
            .and_then(|module| module.name.as_deref());
        let text = event.log.first().map(String::as_str).unwrap_or_default();
        let key = format!("{when} {bit} {} {text}", module.unwrap_or_default());
        if self.known.contains(&key) {
            return false;
        }
        if self.told.len() + self.known.len() < MOST_KNOWN {
            self.told.push(key);
        }
        true
    }

    fn read(&mut self, name: &str, input: &mut dyn BufRead) -> io::Result<()> {
        self.logs += 1;
        self.known.extend(self.told.drain(..));
        let is_crash = input::pstore::is_part(name) || name.contains("vmcore-dmesg");
        let source = if is_crash { Source::Crash } else { Source::Log };
        let mut account = Account::new(Origin {
            source,
            table: self.table(),
            ..Origin::default()
        });
        if !self.args.json {
            writeln!(self.out, "{}{}{:#}", human::DIM, Escaped(name), human::DIM)?;
        }
        let mut boots = Boots::default();
        let mut scanner = Scanner::new();
        let mut failed = None;
        // Two closures cannot both hold what is written to.
        let this = RefCell::new(self);
        let read = stream::read(input, &mut |line| {
            for sighting in scanner.push(line) {
                if failed.is_none() {
                    failed = this
                        .borrow_mut()
                        .sighting(&sighting, &mut account, &mut boots)
                        .err();
                }
            }
        });
        let this = this.into_inner();
        for sighting in scanner.finish() {
            if failed.is_none() {
                failed = this.sighting(&sighting, &mut account, &mut boots).err();
            }
        }
        if !this.args.json && failed.is_none() {
            failed = boots.end(this.out).err();
        }
        this.failed = this.failed.take().or(failed);
        this.accounts.push(account);
        this.lines += read?.lines;
        Ok(())
    }

    /// What the files show to be set, and no log explains.
    fn finish(mut self) -> Result<()> {
        self.bar.finish_and_clear();
        if let Some(sighting) = self.snapshot.sighting() {
            let mut account = Account::new(Origin {
                table: self.table(),
                ..Origin::default()
            });
            for log in &self.accounts {
                account.absorb(log, self.snapshot.release.as_deref());
            }
            let mut boots = Boots::default();
            self.sighting(&sighting, &mut account, &mut boots)?;
            if !self.args.json {
                boots.end(self.out)?;
            }
        }
        if !self.args.json && self.seq == 0 {
            writeln!(self.out, "{}", self.nothing())?;
        }
        Ok(())
    }

    fn table(&self) -> Option<&'static Table> {
        self.args.vendor.table()
    }

    /// Why there are no events: nothing was told, or nothing could be read.
    fn nothing(&self) -> String {
        match (self.logs, self.lines) {
            (0, _) => "no kernel log was found there".to_owned(),
            (_, 0) => "no line of a kernel was found there".to_owned(),
            (_, lines) => format!("{lines} lines of a kernel, and none tells of a taint"),
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
