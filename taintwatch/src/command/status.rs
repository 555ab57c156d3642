//! `taintwatch status`: the mask now, and what is known of each set flag. Works for every user, with and without a
//! daemon.

use std::{io::Write, path::Path};

use anyhow::Result;

use super::liveness;
use crate::{
    coverage::{self, BootCoverage, Gap},
    event::{Confidence, Event, Mask},
    history::{self, Liveness, Losses},
    kernel::{identity::Identity, mask, os_release, suse},
    output::{
        json,
        layout::Layout,
        status::{Flag, Status, print},
    },
    store::{Excerpt, Store, Wanted},
    taint::tables::{LINUX, Table},
};

/// Show the taint state now, and the first cause of each flag
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Exit 1 for these flags alone, where they are set or were in this boot: letters, bit numbers or names, `P,W`
    #[arg(long, value_name = "FLAGS", value_delimiter = ',')]
    fail_on: Vec<Wanted>,
    /// Exit 2 where this boot was not monitored without a gap since monitoring began, or records were lost
    #[arg(long)]
    since_boot: bool,
}

/// Exit 0 untainted, 1 tainted, also where the mask was cleared since; 2 when the mask cannot be read, as for any error.
pub fn run(args: &Args, db: &Path, out: &mut dyn Write) -> Result<u8> {
    let mask = mask::read()?;
    let (history, unreadable) = match history(db) {
        Ok(history) => (history, None),
        Err(reason) => (History::default(), Some(reason.to_string())),
    };
    let table = os_release::vendor_table().unwrap_or(LINUX);
    let mut status = status(mask, table, &history);
    status.unreadable = unreadable;
    status.suse = suse::read();
    if args.json {
        json::line(&status, out)?;
    } else {
        let mut layout = Layout::for_stdout();
        print(&status, table, &mut layout);
        if let Some(reason) = &status.unreadable {
            layout.indented(0, reason);
        }
        write!(out, "{}", layout.text())?;
    }
    Ok(code(args, &status, table))
}

fn code(args: &Args, status: &Status, table: &Table) -> u8 {
    let is_wanted =
        |bit: u32| args.fail_on.is_empty() || args.fail_on.iter().any(|flag| flag.is(bit, table));
    if status.true_mask.bits().any(is_wanted) {
        return 1;
    }
    match unsure(status).filter(|_| args.since_boot) {
        Some(why) => {
            log::warn!("not all of this boot is known: {why}");
            2
        }
        None => 0,
    }
}

/// Why flags may have been set and cleared in this boot without an event, if they may.
fn unsure(status: &Status) -> Option<String> {
    if let Some(reason) = &status.unreadable {
        return Some(reason.clone());
    }
    if !status.covered {
        return Some("it is not monitored now".to_owned());
    }
    let degraded = status.intervals.iter().find(|interval| !interval.full);
    let is_later = |gap: &&Gap| gap.reason != coverage::BEFORE;
    let gap = status.gaps.iter().find(is_later);
    let lost = status.losses.records;
    gap.map(|gap| gap.reason.clone())
        .or_else(|| degraded.map(|interval| interval.how.clone()))
        .or_else(|| (lost > 0).then(|| format!("{lost} records were lost")))
}

/// What the history knows of this boot.
#[derive(Default)]
struct History {
    excerpt: Excerpt,
    coverage: BootCoverage,
    running: bool,
}

/// This boot's events, or why there are none.
fn history(db: &Path) -> Result<History> {
    let boot = Identity::read()?.boot_id;
    let store = Store::open(db)?;
    let excerpt = store.flags_of(&boot)?;
    store.warn_of_unread();
    let liveness = liveness::read(&store, &excerpt.events, db)?;
    Ok(History::of(excerpt, &liveness))
}

impl History {
    fn of(excerpt: Excerpt, liveness: &Liveness) -> Self {
        let boots = history::History::of_excerpt(&excerpt, liveness).boots;
        let coverage = boots.into_iter().next().map(|boot| boot.coverage);
        let running = liveness
            .current
            .as_ref()
            .is_some_and(|(_, now)| now.running);
        Self {
            coverage: coverage.unwrap_or_default(),
            excerpt,
            running,
        }
    }
}

fn status(mask: Mask, table: &Table, history: &History) -> Status {
    let events = &history.excerpt.events;
    let covered = history.running
        && history
            .coverage
            .intervals
            .last()
            .is_some_and(|last| last.ended.is_none());
    let losses = Losses::of(events.iter());
    let flags = mask.bits().map(|bit| flag(bit, table, &history.excerpt));
    let seen = seen(events);
    Status {
        mask,
        flags: flags.collect(),
        cleared: seen.minus(mask),
        true_mask: Mask(seen.0 | mask.0),
        covered,
        intervals: history.coverage.intervals.clone(),
        gaps: history.coverage.gaps.clone(),
        lost: losses.total(),
        losses,
        suse: None,
        unreadable: None,
    }
}

/// Every flag that an event of this boot shows.
fn seen(events: &[Event]) -> Mask {
    let masks = events.iter().filter_map(|event| event.taint.as_ref());
    let both = masks
        .flat_map(|taint| [taint.mask_before, taint.mask_after])
        .flatten();
    both.fold(Mask(0), |all, mask| Mask(all.0 | mask.0))
}

fn flag(bit: u32, table: &Table, Excerpt { events, omitted }: &Excerpt) -> Flag {
    let set = |event: &&Event| event.sets(bit);
    let known = table.flag(bit);
    let first = events.iter().find(set).cloned();
    let count = |event: &Event| history::count(event).saturating_add(omitted.occurrences(event));
    let counts = events.iter().filter(set).map(count);
    let confidence = first
        .as_ref()
        .and_then(|event| event.cause.as_ref())
        .map(|cause| cause.confidence);
    Flag {
        bit,
        letter: known.map(|flag| flag.letter),
        name: known.map(|flag| flag.name),
        vendor: table.vendor_of(bit),
        count: counts.fold(0, u64::saturating_add),
        confidence: confidence.unwrap_or(Confidence::Unattributed),
        first,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Kind;

    #[test]
    fn a_flag_without_an_event_is_unattributed_and_unknown_bits_stay_bits() {
        let status = status(Mask(1 << 31 | 1), LINUX, &History::default());
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

    fn excerpt(events: Vec<Event>) -> Excerpt {
        Excerpt {
            events,
            ..Excerpt::default()
        }
    }

    fn printed(status: &Status) -> String {
        let mut layout = Layout::new(80);
        print(status, LINUX, &mut layout);
        anstream::adapter::strip_str(&layout.text()).to_string()
    }

    #[test]
    fn the_exit_code_is_about_the_flags_that_are_asked_for() {
        let exit = |mask: u64, flags: &[&str], since_boot| {
            let (events, liveness) = history::tests::fixture();
            let (id, _) = liveness.current.clone().unwrap();
            let is_own = |event: &Event| event.boot_id.as_ref() == Some(&id);
            let events = events.into_iter().filter(is_own).collect();
            let status = status(Mask(mask), LINUX, &History::of(excerpt(events), &liveness));
            let args = Args {
                json: false,
                fail_on: flags.iter().map(|flag| flag.parse().unwrap()).collect(),
                since_boot,
            };
            code(&args, &status, LINUX)
        };
        assert_eq!(exit(0x3045, &[], false), 1);
        assert_eq!(exit(0x3045, &["W", "DIE"], false), 0);
        assert_eq!(exit(0x3045, &["W", "0"], true), 1);
        assert_eq!(exit(0, &["P"], false), 1, "it was set in this boot");
        assert_eq!(exit(0x3045, &["W"], true), 0, "covered without a gap");
        assert_eq!(
            unsure(&status(Mask(0), LINUX, &History::default())).unwrap(),
            "it is not monitored now"
        );
    }

    #[test]
    fn it_fits_a_terminal() {
        let (events, liveness) = history::tests::fixture();
        let (id, _) = liveness.current.clone().unwrap();
        let is_own = |event: &Event| event.boot_id.as_ref() == Some(&id);
        let events: Vec<_> = events.into_iter().filter(is_own).collect();
        let history = History::of(excerpt(events.clone()), &liveness);
        let text = printed(&status(Mask(0x3045), LINUX, &history));
        assert!(text.lines().count() < 24);
        insta::assert_snapshot!(text, @r##"
        tainted: PSUOE (12357), since 2026-01-06 10:02:10Z or before
          P    PROPRIETARY_MODULE, observed 2026-01-06 10:02:13Z
               a proprietary module was loaded: nvidia, loaded by (udev-worker) (pid 401)
          S    CPU_OUT_OF_SPEC, unattributed, set before 2026-01-06 10:02:10Z
               the kernel runs on hardware out of its specification
          U    USER, observed 2026-01-06 10:17:00Z
               a write to /proc/sys/kernel/tainted by sh (pid 2301)
          O    OOT_MODULE, 2 times, listed, set before 2026-01-06 10:02:10Z
               the loaded module vboxdrv carries it
          E    UNSIGNED_MODULE, 2 times, listed, set before 2026-01-06 10:02:10Z
               the loaded module vboxdrv carries it
        monitored since 2026-01-06 10:02:10Z: every layer is in place
        1 coverage gap, 10.1 s; the longest until 2026-01-06 10:02:10Z: before monitoring began
        next  `taintwatch why P` for the whole chain, `taintwatch report` for all
        "##);
        // Killed: its last event was the last time that it ran.
        let mut liveness = liveness;
        liveness.current.as_mut().unwrap().1.running = false;
        let history = History::of(excerpt(events), &liveness);
        insta::assert_snapshot!(printed(&status(Mask(1 << 31), LINUX, &history)), @r##"
        tainted: [31] (2147483648), since before the first record
          [31] a flag that is not known here, unattributed
               what set it is not recorded
        tampered with: PSUOE was set in this boot and is clear now
               true mask 2147496005 (PSUOE[31]), the kernel says 2147483648
               `taintwatch report --kind mask_write` shows what wrote the mask
        not monitored since 2026-01-06 10:17:00Z: monitoring ended uncleanly: the daemon was killed or the power was lost
        2 coverage gaps, 45 min 10 s; the longest until 2026-01-06 11:02:00Z: monitoring ended uncleanly: the daemon was killed or the power was lost
        next  `taintwatch why 31` for the whole chain, `taintwatch report` for all
        "##);
    }

    #[test]
    fn a_mask_that_was_cleared_is_tampered_with_and_not_untainted() {
        let (events, liveness) = history::tests::fixture();
        let history = History::of(excerpt(events), &liveness);
        let status = status(Mask(0), LINUX, &history);
        assert_ne!(status.true_mask, Mask(0));
        let text = printed(&status);
        assert!(text.starts_with("tampered with: "), "{text}");
        assert!(!text.contains("not tainted"), "{text}");
    }

    #[test]
    fn a_boot_without_monitoring_is_not_just_untainted() {
        let status = status(Mask(0), LINUX, &History::default());
        insta::assert_snapshot!(printed(&status), @r"
        not tainted
        this boot was not monitored: a flag that was set and cleared again is not seen,
        and when and by what a flag was set is not recorded
        next  `systemctl start taintwatch`, or `taintwatch daemon` as root
        ");
    }

    #[test]
    fn what_may_not_be_read_is_not_said_to_be_unmonitored() {
        let mut status = status(Mask(0), LINUX, &History::default());
        status.unreadable = Some("the history x cannot be read".to_owned());
        insta::assert_snapshot!(printed(&status), @r"
        not tainted
        whether this boot was monitored is not known here: a flag that was set and
        cleared again is not seen, nor when and by what a flag was set
        ");
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
