//! `report --events` and `report --journal`: the same report of events that come from elsewhere, of one machine or many.

use std::{
    fs::File,
    io::{self, BufReader, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};

use super::{diff, page, scope};
use crate::{
    command::liveness,
    event::Event,
    fleet::Fleet,
    glob,
    history::{self, BootHistory, History, Liveness},
    intake::{
        Once, Seen, Tally,
        collected::{Collection, Machine},
        journal, lines,
    },
    output::{self, escape::Escaped, fleet, journald, json, layout::Layout, limits::Limits},
};

/// A page with the boots of more machines than these would be too long for a browser.
const DRAWN: usize = 40;

/// Where events come from instead of the history.
#[derive(Debug, clap::Args)]
pub(super) struct Elsewhere {
    /// Read events from JSON lines instead of the history, of any machines: what `report --json` and `tail --json` print, or
    /// what a database or a collector of logs gives back; `-` for standard input
    #[arg(long, value_name = "FILE or -", group = "elsewhere")]
    events: Option<PathBuf>,
    /// Read events from the journal instead of the history: its folder on this machine, that of a collector with the files
    /// of many machines, or one file
    #[arg(long, value_name = "DIR", group = "elsewhere")]
    journal: Option<PathBuf>,
    /// With --events and --journal: only these machines, by the start of the id, or by name with `*` and `?`
    #[arg(long, value_name = "ID", value_delimiter = ',', requires = "elsewhere")]
    host: Vec<String>,
    /// With --events and --journal: what the machines have in common, also where there is one; as JSON an object a cause and
    /// an object a machine
    #[arg(long, requires = "elsewhere", conflicts_with_all = ["diff", "html"])]
    fleet: bool,
}

impl Elsewhere {
    pub(super) const fn is_asked(&self) -> bool {
        self.events.is_some() || self.journal.is_some()
    }

    /// The input in words.
    fn name(&self) -> String {
        match (&self.events, &self.journal) {
            (Some(file), _) if file == Path::new("-") => "standard input".to_owned(),
            (Some(file), _) => file.display().to_string(),
            (None, journal) => {
                let journal = journal.as_deref().unwrap_or(Path::new(""));
                format!("the journal {}", journal.display())
            }
        }
    }

    /// What a part of the input is.
    const fn part(&self) -> &'static str {
        if self.events.is_some() {
            "line"
        } else {
            "entry"
        }
    }

    fn wants(&self, event: &Event, name: Option<&str>) -> bool {
        let host = event.host.as_deref();
        self.host.is_empty()
            || self.host.iter().any(|word| {
                let starts =
                    host.is_some_and(|host| !word.is_empty() && host.starts_with(word.as_str()));
                starts || name.is_some_and(|name| glob::matches(word, name))
            })
    }
}

/// What came in.
struct Input<'a> {
    args: &'a super::Args,
    once: Once,
    fleet: Fleet,
    /// Absent: only what machines have in common is shown, so no event is kept.
    kept: Option<Collection>,
    /// Events of machines that were not asked for.
    others: u64,
    duplicates: u64,
    events: u64,
}

impl<'a> Input<'a> {
    fn new(args: &'a super::Args) -> Self {
        Self {
            args,
            once: Once::default(),
            fleet: Fleet::default(),
            kept: (!args.elsewhere.fleet).then(Collection::default),
            others: 0,
            duplicates: 0,
            events: 0,
        }
    }

    fn take(&mut self, event: Event, name: Option<&str>) {
        if !self.args.elsewhere.wants(&event, name) {
            self.others += 1;
            return;
        }
        if let (Some(host), Some(name)) = (&event.host, name) {
            self.fleet.name(host.clone(), name.to_owned());
        }
        match self.once.see(&event) {
            Seen::New => {
                self.events += 1;
                let passes = self.args.filter.passes(&event);
                self.fleet.add(&event, passes);
            }
            Seen::Copy => self.duplicates += 1,
            // What a module's file says may come after the event.
            Seen::Amended => {}
        }
        if let Some(kept) = &mut self.kept {
            kept.add(event);
            if kept.machines() > 1 && !self.shows_each() {
                self.kept = None;
            }
        }
    }

    /// Whether the events themselves are needed, however many machines there are.
    const fn shows_each(&self) -> bool {
        let args = self.args;
        args.json || args.full || args.html.is_some() || args.diff.is_some()
    }
}

/// Exit 0; 2 where nothing was understood, and as for any error.
pub(super) fn run(args: &super::Args, out: &mut dyn Write) -> Result<u8> {
    let asked = if args.boot.is_empty() {
        vec!["all".to_owned()]
    } else {
        args.boot.clone()
    };
    let mut input = Input::new(args);
    let mut tally = Tally::default();
    read(&args.elsewhere, &mut tally, &mut input)?;
    tally.events = input.events + input.others;
    tally.duplicates = input.duplicates;
    let said = tally.sentences(args.elsewhere.part());
    let source = args.elsewhere.name();
    for sentence in &said {
        log::warn!("{}: {}", Escaped(&source), Escaped(sentence));
    }
    let code = if tally.is_in_doubt() { 2 } else { 0 };
    if input.events == 0 {
        if !args.json {
            let nothing = nothing(&tally, input.others);
            writeln!(out, "{}: {nothing}", Escaped(&source))?;
        }
        return Ok(code);
    }
    show(args, &asked, input, &said, out)?;
    Ok(code)
}

fn nothing(tally: &Tally, others: u64) -> String {
    if tally.is_in_doubt() {
        "whether a kernel was tainted cannot be told, since nothing was understood".to_owned()
    } else if others > 0 {
        let others = output::format::number(usize::try_from(others).unwrap_or(usize::MAX), "event");
        format!("{others}, and none of a machine that was asked for")
    } else {
        "it holds no event".to_owned()
    }
}

fn read(args: &Elsewhere, tally: &mut Tally, input: &mut Input<'_>) -> Result<()> {
    if let Some(folder) = &args.journal {
        let mut take = |event: Event, name: Option<&str>| input.take(event, name);
        let complaint = journal::read(folder, journald::message_id, tally, &mut take)?;
        if !complaint.is_empty() {
            log::warn!("journalctl: {}", Escaped(&complaint));
        }
        return Ok(());
    }
    let mut take = |event: Event| input.take(event, None);
    let file = args.events.as_deref().unwrap_or(Path::new("-"));
    if file == Path::new("-") {
        return lines::read(&mut io::stdin().lock(), tally, &mut take)
            .context("read standard input");
    }
    let advice = || {
        format!(
            "read the events {}: name a file of JSON lines, or `-` for standard input",
            file.display()
        )
    };
    let opened = File::open(file).with_context(advice)?;
    lines::read(&mut BufReader::new(opened), tally, &mut take).with_context(advice)
}

fn show(
    args: &super::Args,
    asked: &[String],
    input: Input<'_>,
    said: &[String],
    out: &mut dyn Write,
) -> Result<()> {
    let mut common = input.fleet;
    if let Some(word) = common.select(asked) {
        return Err(history::Unknown::Id(word.to_owned()).into());
    }
    let machines = input.kept.map(Collection::finish).unwrap_or_default();
    let liveness = Liveness {
        elsewhere: true,
        ..Liveness::default()
    };
    let histories: Vec<_> = machines
        .iter()
        .map(|machine| History::of(&machine.events, &liveness))
        .collect();
    let chosen: Vec<_> = histories.iter().map(|it| chosen(it, asked)).collect();
    if let Some(other) = &args.diff {
        return compare(args, &histories, &chosen, other, out);
    }
    if args.json {
        return if args.elsewhere.fleet {
            objects(&common, out)
        } else {
            events(args, &machines, &chosen, out)
        };
    }
    if let Some(file) = &args.html {
        return drawn(args, asked, file, &common, &chosen, said, out);
    }
    let mut layout = Layout::for_stdout();
    let is_alone = machines.len() == 1;
    if !is_alone {
        let limits = if args.full {
            Limits::FULL
        } else {
            Limits::TEXT
        };
        let head = fleet::Head {
            scope: described(args, asked, Vec::new()),
            made: liveness::now().time,
        };
        fleet::print(&common, &head, limits, &mut layout);
        if machines.is_empty() && !args.elsewhere.fleet {
            layout.blank();
            layout.indented(2, "`--host ID` shows one machine, `--full` each");
        }
    }
    for boots in chosen.into_iter().filter(|boots| !boots.is_empty()) {
        if !is_alone {
            layout.blank();
        }
        let mut scope = scope(args, asked, boots);
        scope.description = format!("{}; from {}", scope.description, args.elsewhere.name());
        output::report::print(&scope, &mut layout);
    }
    write!(out, "{}", layout.text())?;
    Ok(())
}

/// The boots of a machine that the words name; where it has none of them, another machine has.
fn chosen<'h, 'a>(history: &'h History<'a>, words: &[String]) -> Vec<&'h BootHistory<'a>> {
    let newest = history.boots.iter().rev().find_map(|boot| boot.id);
    let known = words
        .iter()
        .filter(|word| history::select(history, std::slice::from_ref(word), newest).is_ok());
    let known: Vec<_> = known.cloned().collect();
    history::select(history, &known, newest).unwrap_or_default()
}

fn described(args: &super::Args, asked: &[String], boots: Vec<&BootHistory<'_>>) -> String {
    let scope = scope(args, asked, boots);
    format!("{}; from {}", scope.description, args.elsewhere.name())
}

fn compare(
    args: &super::Args,
    histories: &[History<'_>],
    chosen: &[Vec<&BootHistory<'_>>],
    other: &str,
    out: &mut dyn Write,
) -> Result<()> {
    let ([history], [boots]) = (histories, chosen) else {
        anyhow::bail!("--diff compares boots of one machine: name it with --host");
    };
    let [a] = boots.as_slice() else {
        anyhow::bail!("--diff compares one boot with another: give one to --boot, too");
    };
    let newest = history.boots.iter().rev().find_map(|boot| boot.id);
    let others = history::select(history, &[other.to_owned()], newest)?;
    let [b] = others.as_slice() else {
        anyhow::bail!("--diff takes one boot");
    };
    diff(args.json, a, b, out).map(drop)
}

/// Machine by machine, each in the order of its own numbers.
fn events(
    args: &super::Args,
    machines: &[Machine],
    chosen: &[Vec<&BootHistory<'_>>],
    out: &mut dyn Write,
) -> Result<()> {
    for (machine, boots) in machines.iter().zip(chosen) {
        let events = boots.iter().flat_map(|boot| &boot.events);
        let mut events: Vec<_> = events.filter(|event| args.filter.passes(event)).collect();
        events.sort_by_key(|event| event.seq);
        for event in events {
            json::line(&machine.recorded(event), out)?;
        }
    }
    Ok(())
}

/// What machines have in common, for programs.
fn objects(common: &Fleet, out: &mut dyn Write) -> Result<()> {
    for cause in common.causes() {
        json::line(&serde_json::json!({ "cause": cause }), out)?;
    }
    for machine in common.machines() {
        json::line(&serde_json::json!({ "machine": machine }), out)?;
    }
    Ok(())
}

fn drawn(
    args: &super::Args,
    asked: &[String],
    file: &Path,
    common: &Fleet,
    chosen: &[Vec<&BootHistory<'_>>],
    said: &[String],
    out: &mut dyn Write,
) -> Result<()> {
    let machines = chosen.iter().filter(|boots| !boots.is_empty()).count();
    ensure!(
        machines <= DRAWN,
        "a page shows the boots of at most {DRAWN} machines, and these are {machines}: choose some with --host, or leave \
         out --html"
    );
    let boots = chosen.iter().flatten().copied().collect();
    let mut scope = scope(args, asked, boots);
    // A page is read elsewhere.
    let mut description = vec![scope.description, format!("from {}", args.elsewhere.name())];
    description.extend(said.iter().cloned());
    scope.description = description.join("; ");
    scope.fleet = (machines > 1).then_some(common);
    page(file, &scope, out).map(drop)
}
