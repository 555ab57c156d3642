//! `taintwatch report`: the history, oldest first.

use std::{io::Write, path::Path};

use anyhow::Result;

use crate::{
    event::{Event, Kind},
    output::human,
    store::{Filter, Store},
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
