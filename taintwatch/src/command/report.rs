//! `taintwatch report`: the history, oldest first.

use std::{io::Write, path::Path};

use anyhow::Result;

use crate::{
    cover::{self, Now},
    event::{Event, Kind},
    kernel::identity::{boottime_ns, wall_clock},
    output::human,
    store::{Filter, Store, lock},
};

/// Show the history: what tainted this kernel, when, and how that is known
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    filter: Filter,
    /// Which boot: its id, -1 for the one before, or `all`
    #[arg(
        long,
        value_name = "BOOT",
        default_value = "0",
        allow_hyphen_values = true
    )]
    boot: String,
    /// Print events as JSON, one a line
    #[arg(long)]
    json: bool,
}

/// Prints what the filter lets pass.
pub fn run(args: &Args, db: &Path, out: &mut dyn Write) -> Result<u8> {
    let all = Store::open(db)?.events(&args.filter, None)?;
    let wanted = boot(&args.boot, &all)?;
    let events = all
        .iter()
        .filter(|event| wanted.is_none() || event.boot_id == wanted);
    if args.json {
        for event in events {
            serde_json::to_writer(&mut *out, event)?;
            writeln!(out)?;
        }
        return Ok(0);
    }
    print(events, out)?;
    let is_wanted = |id: &Option<String>| wanted.is_none() || *id == wanted;
    print_cover(db, is_wanted, out)?;
    Ok(0)
}

/// The id of the boot asked for; `None` for all of them.
fn boot(asked: &str, events: &[Event]) -> Result<Option<String>> {
    if asked == "all" {
        return Ok(None);
    }
    let mut boots: Vec<_> = events
        .iter()
        .filter_map(|event| event.boot_id.clone())
        .collect();
    boots.dedup();
    let Ok(back) = asked.parse::<i64>() else {
        return Ok(Some(asked.to_owned()));
    };
    if back == 0 {
        let current = crate::kernel::identity::Identity::read().map(|identity| identity.boot_id);
        return Ok(current.ok());
    }
    let back = usize::try_from(-back)
        .ok()
        .filter(|back| *back < boots.len());
    let found = back.and_then(|back| boots.iter().rev().nth(back));
    match found {
        Some(id) => Ok(Some(id.clone())),
        None => anyhow::bail!(
            "the history has {} boots: --boot takes 0, -1 … or an id",
            boots.len()
        ),
    }
}

fn print<'a>(events: impl Iterator<Item = &'a Event>, out: &mut dyn Write) -> Result<()> {
    let mut boot = None;
    let mut shown = 0;
    for event in events {
        if boot != Some(&event.boot_id) {
            boot = Some(&event.boot_id);
            let id = event.boot_id.as_deref().unwrap_or("unknown");
            writeln!(out, "{}boot {id}{:#}", human::BOLD, human::BOLD)?;
        }
        shown += 1;
        match event.kind {
            Kind::Taint | Kind::MaskWrite => write!(out, "{}", human::block(event))?,
            _ => writeln!(out, "{}", human::line(event))?,
        }
    }
    if shown == 0 {
        writeln!(out, "the history has no such event")?;
    }
    Ok(())
}

/// What was watched and what was not, of each boot that was asked for.
fn print_cover(
    db: &Path,
    is_wanted: impl Fn(&Option<String>) -> bool,
    out: &mut dyn Write,
) -> Result<()> {
    let store = Store::open(db)?;
    let mut all = store.events(&Filter::default(), None)?;
    all.retain(|event| is_wanted(&event.boot_id));
    let current = crate::kernel::identity::Identity::read()
        .map(|identity| identity.boot_id)
        .ok();
    let mut boots: Vec<_> = all
        .iter()
        .filter_map(|event| event.boot_id.clone())
        .collect();
    boots.dedup();
    for boot in boots {
        let events = all
            .iter()
            .filter(|event| event.boot_id.as_deref() == Some(&boot));
        let is_current = current.as_deref() == Some(&boot);
        let last = events.clone().map(|event| event.time).max();
        let alive = store.last_alive(&boot)?.map(|(time, _)| time);
        let until = if is_current {
            Some(wall_clock(boottime_ns()))
        } else {
            last.max(alive)
        };
        let Some(until) = until else {
            continue;
        };
        let now = Now {
            until,
            running: is_current && lock::is_held(db),
        };
        let cover = cover::of(events, now);
        let (bold, dim) = (human::BOLD, human::DIM);
        writeln!(out, "{bold}cover of boot {boot}{bold:#}")?;
        for interval in &cover.intervals {
            writeln!(out, "  {}", human::interval(interval))?;
        }
        for hole in &cover.holes {
            writeln!(out, "  {dim}{}{dim:#}", human::hole(hole))?;
        }
    }
    Ok(())
}
