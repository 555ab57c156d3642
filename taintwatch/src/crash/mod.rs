//! What a dead kernel left behind becomes events of the boot that it belongs to.
//!
//! In: the logs of crashes (pstore, systemd's archive of it, the log next to a dump of kdump), and the boots that the
//! history knows. Out: events with confidence `logged` and source `crash`, and the end of the boot. Pure. A crash whose
//! boot is not certain gets no boot id.

pub mod places;

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};

use crate::{
    baseline::Past,
    coverage,
    event::{Coverage, CoverageState, Event, Kind, Source, Time},
    klog::{Finding, Origin, Reconstruction},
};

/// A log that a crash left.
#[derive(Clone, Debug, Default)]
pub struct Dump {
    /// Where it was found.
    pub name: String,
    /// When it was written; what backends and archives say of it.
    pub written: Option<Timestamp>,
    pub findings: Vec<Finding>,
    /// The time of the last line, nanoseconds on the log's clock.
    pub last_ns: u64,
}

impl Dump {
    fn panicked(&self) -> bool {
        let mut findings = self.findings.iter();
        findings.any(|finding| finding.facts.panic.is_some())
    }
}

/// A boot that the history knows.
#[derive(Clone, Debug)]
pub struct CrashedBoot {
    pub boot_id: String,
    pub host: Option<String>,
    /// When it began, by the wall clock of that time.
    pub booted: Timestamp,
    /// The last heartbeat of its monitor, on `CLOCK_BOOTTIME`; none when the monitor recorded its own end.
    pub cut_off_ns: Option<u64>,
    pub past: Past,
}

impl CrashedBoot {
    /// From its events, in the order of the store, and the last time that is known of it.
    #[must_use]
    pub fn of(boot_id: &str, events: &[Event], last: (Time, u64)) -> Option<Self> {
        let (time, last_ns) = last;
        let since = SignedDuration::from_nanos(i64::try_from(last_ns).ok()?);
        let coverage = events.iter().filter_map(|event| event.coverage.as_ref());
        Some(Self {
            boot_id: boot_id.to_owned(),
            host: events.iter().find_map(|event| event.host.clone()),
            booted: time.0.checked_sub(since).ok()?,
            cut_off_ns: coverage::was_cut_off(coverage).then_some(last_ns),
            past: Past::of(events, last_ns),
        })
    }
}

/// How far apart two computed start times of one boot may be.
const APART: SignedDuration = SignedDuration::from_mins(2);
/// The monitor writes a heartbeat each minute: a crash that ended it comes within so long.
const SOON_NS: u64 = 150_000_000_000;

/// The events of a crash.
#[must_use]
pub fn events(dump: &Dump, boots: &[CrashedBoot]) -> Vec<Event> {
    let boot = boot_of(dump, boots);
    let computed = dump
        .written
        .and_then(|written| began(written, dump.last_ns));
    let origin = Origin {
        source: Source::Crash,
        host: boot.and_then(|boot| boot.host.clone()),
        boot_id: boot.map(|boot| boot.boot_id.clone()),
        booted: boot.map(|boot| boot.booted).or(computed),
        table: None,
    };
    let mut events = Reconstruction::events(origin, dump.findings.iter().cloned());
    // Parts of a dump that were put together overlap.
    let mut ids = HashSet::new();
    events.retain(|event| ids.insert(event.id.clone()));
    if let Some(boot) = boot {
        let mut past = boot.past.clone();
        events.retain(|event| past.is_new(event));
    }
    let end = dump
        .findings
        .iter()
        .rev()
        .find_map(|finding| end(finding, boot));
    events.extend(end);
    events
}

/// The boot that a crash ended: it began at the computed start time, or was covered until shortly before. `None`
/// when none fits, and when two do.
fn boot_of<'a>(dump: &Dump, boots: &'a [CrashedBoot]) -> Option<&'a CrashedBoot> {
    let began = dump
        .written
        .and_then(|written| began(written, dump.last_ns));
    let by_beginning = |boot: &&CrashedBoot| {
        began.is_some_and(|began| boot.booted.duration_since(began).abs() <= APART)
    };
    let by_end = |boot: &&CrashedBoot| {
        let behind = boot.cut_off_ns.and_then(|at| dump.last_ns.checked_sub(at));
        behind.is_some_and(|behind| behind <= SOON_NS)
    };
    let only = |fits: &dyn Fn(&&CrashedBoot) -> bool| {
        let mut fitting = boots.iter().filter(fits);
        fitting.next().filter(|_| fitting.next().is_none())
    };
    // Where the file's time gives a start time, an end that fits by chance does not count.
    only(&by_beginning).or_else(|| only(&by_end).filter(|_| began.is_none()))
}

fn began(written: Timestamp, last_ns: u64) -> Option<Timestamp> {
    let since = i64::try_from(last_ns).ok()?;
    written.checked_sub(SignedDuration::from_nanos(since)).ok()
}

/// The panic that ended the boot, as the end of its coverage.
fn end(finding: &Finding, boot: Option<&CrashedBoot>) -> Option<Event> {
    let panic = finding.facts.panic.as_ref()?;
    let boot = boot?;
    let at = finding.at.since_boot?;
    let since = SignedDuration::from_nanos(i64::try_from(at).ok()?);
    let time = boot.booted.checked_add(since).ok()?;
    let id = format!("{}-{at:x}-panic", boot.boot_id.replace('-', ""));
    let mut event = Event::blank(id, Kind::Coverage, Time(time));
    event.host.clone_from(&boot.host);
    event.boot_id = Some(boot.boot_id.clone());
    event.boottime_ns = Some(at);
    event.log.clone_from(&finding.lines);
    event.coverage = Some(Coverage {
        state: CoverageState::Ended,
        reason: format!("{}{panic}", coverage::PANICKED),
        release: None,
        mask: None,
        self_test: None,
        attached_since_ns: None,
        unwatched: None,
        hooks: Vec::new(),
    });
    Some(event)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::klog::{Line, Scanner};

    const SECOND: u64 = 1_000_000_000;

    fn dump(written: Option<&str>) -> Dump {
        let mut scanner = Scanner::new();
        let mut findings = Vec::new();
        let lines = [
            "a: loading out-of-tree module taints kernel.",
            "BUG: kernel NULL pointer dereference, address: 0000000000000008",
            "Oops: 0000 [#1] PREEMPT SMP NOPTI",
            "CPU: 1 PID: 77 Comm: sh Tainted: G           O      6.1.0 #1",
            "RIP: 0010:f+0x5/0x10 [a]",
            "---[ end trace 0000000000000000 ]---",
            "Kernel panic - not syncing: Fatal exception",
        ];
        for (number, text) in (0..).zip(lines) {
            findings.extend(scanner.push(&Line {
                since_boot: Some((100 + number) * SECOND),
                ..Line::of(text)
            }));
        }
        findings.extend(scanner.finish());
        Dump {
            name: "dmesg-ramoops-0".into(),
            written: written.map(|time| time.parse().unwrap()),
            findings,
            last_ns: 106 * SECOND,
        }
    }

    /// Covered from its first second to `covered_to`, with what was recorded.
    fn boot(id: &str, booted: &str, covered_to: u64, recorded: &[(u32, u64)]) -> CrashedBoot {
        let event = |kind: &str, at: u64, more: serde_json::Value| -> Event {
            let mut event = serde_json::json!({"schema": 1, "id": "e", "seq": 1, "kind": kind, "boottime_ns": at});
            event.as_object_mut().unwrap().insert(kind.into(), more);
            serde_json::from_value(event).unwrap()
        };
        let began = serde_json::json!({"state": "began", "reason": ""});
        let mut history = vec![event("coverage", SECOND, began)];
        let taint = |(bit, at): &(u32, u64)| event("taint", *at, serde_json::json!({"bit": bit}));
        history.extend(recorded.iter().map(taint));
        CrashedBoot {
            boot_id: id.into(),
            host: None,
            booted: booted.parse().unwrap(),
            cut_off_ns: Some(covered_to),
            past: Past::of(&history, covered_to),
        }
    }

    #[test]
    fn the_oops_and_the_panic_are_of_the_boot_that_they_ended() {
        let boots = [
            boot("older", "2026-01-01T00:00:00Z", 500 * SECOND, &[]),
            boot(
                "died",
                "2026-01-02T00:00:00Z",
                100 * SECOND + 5,
                &[(12, 100 * SECOND)],
            ),
        ];
        let events = events(&dump(Some("2026-01-02T00:01:46Z")), &boots);
        assert!(
            events
                .iter()
                .all(|event| event.boot_id.as_deref() == Some("died")),
            "{events:?}"
        );
        let bits: Vec<_> = events.iter().map(Event::bit).collect();
        assert_eq!(bits, [Some(7), None], "O was recorded");
        assert_eq!(
            events[0].module.as_ref().unwrap().name.as_deref(),
            Some("a")
        );
        assert_eq!(events[0].time.to_string(), "2026-01-02T00:01:41.000000000Z");
        let coverage = events[1].coverage.as_ref().unwrap();
        assert_eq!(coverage.reason, "the kernel panicked: Fatal exception");
    }

    #[test]
    fn what_was_recorded_before_the_crash_is_not_recorded_again() {
        let bits = |recorded: &[(u32, u64)]| -> Vec<u32> {
            // The last that it recorded is of after the oops.
            let died = boot("died", "2026-01-02T00:00:00Z", 103 * SECOND, recorded);
            let events = events(&dump(Some("2026-01-02T00:01:46Z")), &[died]);
            events.iter().filter_map(Event::bit).collect()
        };
        let module = (12, 100 * SECOND + 7);
        assert_eq!(bits(&[module]), [7]);
        assert_eq!(bits(&[module, (7, 102 * SECOND - 5_000_000)]), [0; 0]);
        assert_eq!(bits(&[module, (7, 90 * SECOND)]), [7], "an older one");
    }

    #[test]
    fn a_line_that_a_dump_has_twice_is_one_event() {
        let mut dump = dump(Some("2026-01-02T00:01:46Z"));
        let again = dump.findings.clone();
        dump.findings.extend(again);
        let recorded = [(12, 100 * SECOND)];
        let died = boot("died", "2026-01-02T00:00:00Z", 100 * SECOND + 5, &recorded);
        let events = events(&dump, &[died]);
        let bits = events.iter().filter_map(Event::bit);
        assert_eq!(bits.collect::<Vec<_>>(), [7]);
    }

    #[test]
    fn a_crash_of_no_boot_that_is_known_names_none() {
        let mut clean = boot("clean", "2026-01-02T00:00:00Z", 100 * SECOND, &[]);
        clean.cut_off_ns = None;
        let boots = [clean];
        for written in [Some("2026-03-01T00:00:00Z"), None] {
            let events = events(&dump(written), &boots);
            assert!(!events.is_empty());
            assert!(
                events.iter().all(|event| event.boot_id.is_none()),
                "{events:?}"
            );
        }
    }

    #[test]
    fn two_boots_that_fit_are_none() {
        let boots = [
            boot("a", "2026-01-02T00:00:00Z", 100 * SECOND, &[]),
            boot("b", "2026-01-03T00:00:00Z", 101 * SECOND, &[]),
        ];
        assert!(boot_of(&dump(None), &boots).is_none());
        assert_eq!(
            boot_of(&dump(None), &boots[..1]).map(|boot| boot.boot_id.as_str()),
            Some("a")
        );
    }
}
