//! `taintwatch report`: the history over boots, as a text, a page, or events.

mod elsewhere;

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use super::liveness;
use crate::{
    event::Time,
    history::{self, BootHistory, History},
    kernel::identity::Identity,
    output::{
        self,
        escape::Escaped,
        format::{clock, number},
        json,
        layout::Layout,
        limits::Limits,
        scope::Scope,
    },
    store::{Filter, Removed, Store, TimeArg},
};

/// Show the history: what tainted this kernel, when, and how that is known
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    filter: Filter,
    /// Which boots: 0 for this one, -1 for the one before, the start of an id, or `all` [default: 0; with --events and
    /// --journal all]. There 0 is the newest boot of each machine
    #[arg(
        long,
        value_name = "ID,-1,all",
        value_delimiter = ',',
        allow_hyphen_values = true
    )]
    boot: Vec<String>,
    /// Show what differs between the boot and this other one
    #[arg(
        long,
        value_name = "BOOT",
        allow_hyphen_values = true,
        conflicts_with = "html"
    )]
    diff: Option<String>,
    /// Print events as JSON, one a line; with --diff one object
    #[arg(long, conflicts_with = "html")]
    json: bool,
    /// Write a page for a browser, all in one file; `-` for standard output
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Print every event in full, however many there are; otherwise long lists are cut, and say so
    #[arg(long, conflicts_with_all = ["json", "diff"])]
    full: bool,
    #[command(flatten)]
    elsewhere: elsewhere::Elsewhere,
}

impl Args {
    /// Whether it reads no history.
    #[must_use]
    pub const fn reads_elsewhere(&self) -> bool {
        self.elsewhere.is_asked()
    }
}

/// Prints what was asked for.
pub fn run(args: &Args, db: &Path, out: &mut dyn Write) -> Result<u8> {
    if args.reads_elsewhere() {
        return elsewhere::run(args, out);
    }
    let asked = if args.boot.is_empty() {
        vec!["0".to_owned()]
    } else {
        args.boot.clone()
    };
    let store = Store::open(db)?;
    let outline = store.outline()?;
    let liveness = liveness::read(&store, &outline.events, db)?;
    let all = History::of_excerpt(&outline, &liveness);
    let current = Identity::read().ok().map(|identity| identity.boot_id);
    let select = |words: &[String]| history::select(&all, words, current.as_deref());
    let mut boots = match select(&asked) {
        // Nothing is wrong with asking what there is of this boot.
        Err(unknown @ history::Unknown::Current(_))
            if args.html.is_none() && args.diff.is_none() =>
        {
            store.warn_of_unread();
            if !args.json {
                writeln!(out, "{unknown}")?;
            }
            return Ok(0);
        }
        boots => boots?,
    };
    if let Some(other) = &args.diff {
        anyhow::ensure!(
            boots.len() == 1,
            "--diff compares one boot with another: give one to --boot, too"
        );
        let others = select(std::slice::from_ref(other))?;
        anyhow::ensure!(others.len() == 1, "--diff takes one boot");
        boots.extend(others);
    }
    // What is read of it again is said then. Of the other boots nothing is read but their place.
    _ = store.unread();
    let ids: Vec<_> = boots
        .iter()
        .map(|boot| boot.id.map(str::to_owned))
        .collect();
    let filter = match &args.diff {
        Some(_) => &Filter::default(),
        None => &args.filter,
    };
    let excerpt = store.of_report(&ids, filter)?;
    let unread = store.unread();
    if let Some(unread) = unread.as_ref().filter(|_| args.html.is_none()) {
        log::warn!("{unread}");
    }
    let history = History::of_excerpt(&excerpt, &liveness);
    let of = |id: &Option<String>| history.boots.iter().find(|boot| boot.id == id.as_deref());
    let boots: Vec<_> = ids.iter().filter_map(of).collect();
    if args.diff.is_some() {
        let [a, b] = boots.as_slice() else {
            anyhow::bail!("a boot of --diff is not in the history any more: try again");
        };
        return diff(args.json, a, b, out);
    }
    if args.json {
        return json(&args.filter, &boots, out);
    }
    let mut scope = scope(args, &asked, boots);
    // A page is read elsewhere.
    if let Some(unread) = unread.filter(|_| args.html.is_some()) {
        scope.description = format!("{}; {unread}", scope.description);
    }
    if let Some(removed) = store.removed()? {
        scope.description = format!("{}; {}", scope.description, gone(removed));
    }
    if let Some(file) = &args.html {
        return page(file, &scope, out);
    }
    let mut layout = Layout::for_stdout();
    output::report::print(&scope, &mut layout);
    write!(out, "{}", layout.text())?;
    Ok(0)
}

/// In the order of the sequence, which is not that of the clocks.
fn json(filter: &Filter, boots: &[&BootHistory<'_>], out: &mut dyn Write) -> Result<u8> {
    let events = boots.iter().flat_map(|boot| &boot.events);
    let mut events: Vec<_> = events.filter(|event| filter.passes(event)).collect();
    events.sort_by_key(|event| event.seq);
    for event in events {
        json::line(event, out)?;
    }
    Ok(0)
}

fn diff(
    as_json: bool,
    a: &BootHistory<'_>,
    b: &BootHistory<'_>,
    out: &mut dyn Write,
) -> Result<u8> {
    let diff = history::diff(a, b);
    if as_json {
        json::line(&diff, out)?;
        return Ok(0);
    }
    let mut layout = Layout::for_stdout();
    output::diff::print(&diff, &mut layout);
    write!(out, "{}", layout.text())?;
    Ok(0)
}

fn scope<'h, 'a>(args: &Args, asked: &[String], boots: Vec<&'h BootHistory<'a>>) -> Scope<'h, 'a> {
    let filter = &args.filter;
    let conditions = conditions(filter);
    let events = boots.iter().flat_map(|boot| &boot.events);
    let passing = events.filter(|event| filter.passes(event));
    let only = (!conditions.is_empty()).then(|| passing.map(|event| event.seq).collect());
    let which = match asked {
        [all] if all == "all" => "all boots".to_owned(),
        [this] if this == "0" && !args.reads_elsewhere() => "the running boot".to_owned(),
        others => format!("boot {}", others.join(", ")),
    };
    let limits = match (args.full, &args.html) {
        (true, _) => Limits::FULL,
        (false, Some(_)) => Limits::PAGE,
        (false, None) => Limits::TEXT,
    };
    let mut description = vec![which];
    description.extend(conditions);
    Scope {
        boots,
        description: description.join("; "),
        made: liveness::now().time,
        only,
        limits,
        fleet: None,
    }
}

/// What is not in the history any more.
fn gone(removed: Removed) -> String {
    let Removed { events, until, at } = removed;
    let events = number(usize::try_from(events).unwrap_or(usize::MAX), "event");
    let (until, at) = (clock(until), clock(at));
    format!("without {events} up to {until} that were removed by {at}, as the configuration says")
}

/// The filter's conditions, for the head of a report; none when everything passes.
fn conditions(filter: &Filter) -> Vec<String> {
    let Filter {
        flags,
        module,
        kinds,
        since,
        until,
    } = filter;
    let flags = flags.iter().map(ToString::to_string);
    let kinds = kinds.iter().map(ToString::to_string);
    let listed = |name: &str, words: Vec<String>| {
        (!words.is_empty()).then(|| format!("{name} {}", words.join(", ")))
    };
    let time = |at: &TimeArg| clock(Time(at.0));
    let conditions = [
        listed("flags", flags.collect()),
        listed("modules", module.iter().cloned().collect()),
        listed("kinds", kinds.collect()),
        since.as_ref().map(|at| format!("since {}", time(at))),
        until.as_ref().map(|at| format!("until {}", time(at))),
    ];
    conditions.into_iter().flatten().collect()
}

/// Writes the page, and says where.
fn page(file: &Path, scope: &Scope<'_, '_>, out: &mut dyn Write) -> Result<u8> {
    let page = output::html::page(scope);
    if file == Path::new("-") {
        out.write_all(page.as_bytes())?;
        return Ok(0);
    }
    std::fs::write(file, page).with_context(|| {
        format!(
            "write the page {}: name a file where you may write, or `-` for standard output",
            file.display()
        )
    })?;
    let name = file.display().to_string();
    writeln!(out, "{}: {}", Escaped(&name), scope.size())?;
    Ok(0)
}
