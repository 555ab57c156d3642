//! `taintwatch status`: the mask now, and what is known of each set flag. Works for everyone, with or
//! without a daemon.

use std::{io::Write, path::Path};

use anyhow::Result;
use serde::Serialize;

use crate::{
    cover::{self, Cover, Hole, Interval},
    event::{Confidence, Event, Mask},
    kernel::{
        identity::{Identity, boottime_ns, wall_clock},
        mask,
    },
    output::human,
    store::{Filter, Store, lock},
    taint::flags,
};

/// Show the taint state now, and the first cause of each flag
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What is printed; the shape is a contract.
#[derive(Debug, Serialize)]
struct Status {
    mask: Mask,
    flags: Vec<Flag>,
    /// Flags that were set in this boot and are clear now: only a write past the kernel's functions does that.
    cleared: Mask,
    /// The flags that this boot had at any time, as far as events tell: the mask without what was cleared.
    true_mask: Mask,
    /// A watch records right now.
    covered: bool,
    intervals: Vec<Interval>,
    holes: Vec<Hole>,
    /// Records of this boot that were lost.
    lost: u64,
}

#[derive(Debug, Serialize)]
struct Flag {
    bit: u32,
    letter: Option<char>,
    name: Option<&'static str>,
    vendor: &'static str,
    first: Option<Event>,
    count: u64,
    confidence: Confidence,
}

/// Exit 0 untainted, 1 tainted; 2 when the mask cannot be read, as for any error.
pub fn run(args: &Args, db: &Path, out: &mut dyn Write) -> Result<u8> {
    let mask = mask::read()?;
    let history = history(db);
    let empty = History::default();
    let status = status(mask, history.as_ref().unwrap_or(&empty));
    if args.json {
        serde_json::to_writer(&mut *out, &status)?;
        writeln!(out)?;
    } else {
        print(&status, out)?;
        if let Err(reason) = history {
            writeln!(out, "{}no history: {reason}{:#}", human::DIM, human::DIM)?;
        }
    }
    Ok(u8::from(mask != Mask(0)))
}

/// What the history knows of this boot.
#[derive(Default)]
struct History {
    events: Vec<Event>,
    cover: Cover,
    running: bool,
}

/// This boot's events, or why there are none.
fn history(db: &Path) -> Result<History> {
    if !db.exists() {
        anyhow::bail!(
            "{} is not there; `taintwatch daemon` records one (as root)",
            db.display()
        );
    }
    let boot = Identity::read()?.boot_id;
    let mut events = Store::open(db)?.events(&Filter::default(), None)?;
    events.retain(|event| event.boot_id.as_deref() == Some(&boot));
    let running = lock::is_held(db);
    let now = cover::Now {
        until: cover::Stamp {
            time: wall_clock(boottime_ns()),
            boottime_ns: Some(boottime_ns()),
        },
        running,
    };
    let cover = cover::of(events.iter(), now);
    Ok(History {
        events,
        cover,
        running,
    })
}

fn status(mask: Mask, history: &History) -> Status {
    let events = &history.events;
    let covered = history.running
        && history
            .cover
            .intervals
            .last()
            .is_some_and(|last| last.ended.is_none());
    let lost = events.iter().filter_map(|event| event.lost.as_ref());
    let lost = lost.map(|lost| lost.count).sum();
    let flags = mask.bits().map(|bit| flag(bit, events)).collect();
    let seen = seen(events);
    Status {
        mask,
        flags,
        cleared: seen.minus(mask),
        true_mask: Mask(seen.0 | mask.0),
        covered,
        intervals: history.cover.intervals.clone(),
        holes: history.cover.holes.clone(),
        lost,
    }
}

/// Every flag that an event of this boot tells of.
fn seen(events: &[Event]) -> Mask {
    let masks = events.iter().filter_map(|event| event.taint.as_ref());
    let both = masks
        .flat_map(|taint| [taint.mask_before, taint.mask_after])
        .flatten();
    both.fold(Mask(0), |all, mask| Mask(all.0 | mask.0))
}

fn flag(bit: u32, events: &[Event]) -> Flag {
    let set = |event: &&Event| {
        event.taint.as_ref().is_some_and(|taint| {
            taint.bit == Some(bit)
                || taint
                    .bits_set
                    .as_ref()
                    .is_some_and(|bits| bits.contains(&bit))
        })
    };
    let known = flags::by_bit(bit);
    let first = events.iter().find(set).cloned();
    let counts = events
        .iter()
        .filter(set)
        .filter_map(|event| event.taint.as_ref()?.count);
    let confidence = first
        .as_ref()
        .and_then(|event| event.cause.as_ref())
        .map(|cause| cause.confidence);
    Flag {
        bit,
        letter: known.map(|flag| flag.letter),
        name: known.map(|flag| flag.name),
        vendor: if known.is_some() {
            flags::VENDOR
        } else {
            "unknown"
        },
        count: counts.sum(),
        confidence: confidence.unwrap_or(Confidence::Unattributed),
        first,
    }
}

fn print(status: &Status, out: &mut dyn Write) -> Result<()> {
    let (bold, dim) = (human::BOLD, human::DIM);
    if status.mask == Mask(0) {
        writeln!(out, "{bold}not tainted{bold:#}")?;
    } else {
        let letters = flags::letters(status.mask);
        writeln!(out, "{bold}tainted: {letters}{bold:#} ({})", status.mask.0)?;
    }
    for flag in &status.flags {
        let letter = flag
            .letter
            .map_or_else(|| format!("[{}]", flag.bit), String::from);
        let name = flag
            .name
            .unwrap_or("a flag that upstream kernels do not have");
        let times = if flag.count > 1 {
            format!(", {} times", flag.count)
        } else {
            String::new()
        };
        writeln!(out, "  {bold}{letter:<4}{bold:#} {name}{times}")?;
        match &flag.first {
            Some(event) => writeln!(out, "       {}", human::line(event))?,
            None => writeln!(out, "       {dim}who set it is not recorded{dim:#}")?,
        }
    }
    if status.cleared != Mask(0) {
        let letters = flags::letters(status.cleared);
        let alarm = human::ALARM;
        writeln!(
            out,
            "{alarm}tampered with: {letters} was set in this boot and is clear now{alarm:#}"
        )?;
        writeln!(
            out,
            "       true mask {} ({}), the kernel says {}",
            status.true_mask.0,
            flags::letters(status.true_mask),
            status.mask.0
        )?;
        writeln!(
            out,
            "       `taintwatch report --kind mask_write` shows who wrote the mask"
        )?;
    }
    for interval in &status.intervals {
        writeln!(out, "{dim}{}{dim:#}", human::interval(interval))?;
    }
    for hole in &status.holes {
        writeln!(out, "{dim}{}{dim:#}", human::hole(hole))?;
    }
    if !status.covered && !status.intervals.is_empty() {
        writeln!(out, "{dim}no watch records now{dim:#}")?;
    }
    if status.lost > 0 {
        writeln!(out, "{} records of this boot were lost", status.lost)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Kind;

    #[test]
    fn a_flag_without_an_event_is_unattributed_and_unknown_bits_stay_bits() {
        let status = status(Mask(1 << 31 | 1), &History::default());
        assert_eq!(
            status.flags.iter().map(|flag| flag.bit).collect::<Vec<_>>(),
            [0, 31]
        );
        assert!(
            status
                .flags
                .iter()
                .all(|flag| flag.confidence == Confidence::Unattributed)
        );
        assert_eq!(status.flags[1].letter, None);
        assert!(!status.covered);
    }

    #[test]
    fn kinds_are_words() {
        assert!(
            Kind::ALL
                .iter()
                .all(|kind| serde_json::to_value(kind).unwrap() == kind.as_str())
        );
    }
}
