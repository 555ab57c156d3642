//! Where intervals and gaps are.

use super::*;
use crate::event::{Time, Unwatched};

fn coverage(state: &str, second: u32, reason: &str) -> Event {
    serde_json::from_value(serde_json::json!({
        "schema": 1, "id": format!("{second}"), "seq": 1, "kind": "coverage",
        "time": format!("2026-01-01T00:00:{second:02}Z"), "boottime_ns": u64::from(second) * 1_000_000_000,
        "coverage": {"state": state, "reason": reason},
    }))
    .unwrap()
}

fn until(second: u32) -> Stamp {
    Stamp {
        time: at(second),
        boottime_ns: Some(u64::from(second) * 1_000_000_000),
    }
}

fn at(second: u32) -> Time {
    Time(format!("2026-01-01T00:00:{second:02}Z").parse().unwrap())
}

#[test]
fn gaps_lie_before_between_and_after() {
    let events = [
        coverage("began", 5, "all"),
        coverage("degraded", 10, "no mask watch"),
        coverage("ended", 20, "stopped"),
        coverage("began", 30, "all"),
        coverage("ended", 40, "stopped again"),
    ];
    let found = of(
        events.iter(),
        Now {
            until: until(50),
            running: false,
            monitored: None,
        },
    );
    let spans: Vec<_> = found
        .intervals
        .iter()
        .map(|it| (it.period.from, it.period.to, it.full))
        .collect();
    assert_eq!(
        spans,
        [
            (at(5), at(10), true),
            (at(10), at(20), false),
            (at(30), at(40), true)
        ]
    );
    let gaps: Vec<_> = found
        .gaps
        .iter()
        .map(|it| (it.period.from, it.period.to, it.reason.as_str()))
        .collect();
    assert_eq!(
        gaps,
        [
            (at(0), at(5), "before monitoring began"),
            (at(20), at(30), "stopped"),
            (at(40), at(50), "stopped again"),
        ]
    );
}

#[test]
fn a_time_without_watchpoints_that_was_found_later_is_no_full_coverage() {
    let mut found = coverage("began", 20, "watched again");
    found.coverage.as_mut().unwrap().unwatched = Some(Unwatched {
        cpus: vec![1],
        from: at(12),
        to: at(19),
        from_ns: 12_000_000_000,
        to_ns: 19_000_000_000,
    });
    let events = [
        coverage("began", 5, "all"),
        found,
        coverage("ended", 30, "stopped"),
    ];
    let now = Now {
        until: until(30),
        running: false,
        monitored: None,
    };
    let found = of(events.iter(), now);
    let spans: Vec<_> = found
        .intervals
        .iter()
        .map(|it| (it.period.from, it.period.to, it.full))
        .collect();
    assert_eq!(
        spans,
        [
            (at(5), at(12), true),
            (at(12), at(19), false),
            (at(19), at(30), true)
        ]
    );
    assert_eq!(found.gaps.len(), 1, "only that before the start");
    // It is longer than the interval that it is in.
    let mut early = events.clone();
    early[1]
        .coverage
        .as_mut()
        .unwrap()
        .unwatched
        .as_mut()
        .unwrap()
        .from_ns = 1;
    let found = of(early.iter(), now);
    assert_eq!(found.intervals.len(), 2);
    assert_eq!(
        (found.intervals[0].period.from, found.intervals[0].full),
        (at(5), false)
    );
}

#[test]
fn an_interval_without_an_end_goes_on_or_ended_uncleanly() {
    let events = [coverage("began", 5, "all")];
    let running = of(
        events.iter(),
        Now {
            until: until(9),
            running: true,
            monitored: None,
        },
    );
    assert_eq!(running.intervals[0].ended, None);
    let killed = of(
        events.iter(),
        Now {
            until: until(9),
            running: false,
            monitored: None,
        },
    );
    assert_eq!(killed.intervals[0].ended.as_deref(), Some(UNCLEAN));
    let known = Now {
        until: until(9),
        running: false,
        monitored: Some(until(7)),
    };
    let known = of(events.iter(), known);
    assert_eq!(known.intervals[0].period.to, at(7));
    let gap = known.gaps.last().unwrap();
    assert_eq!((gap.period.from, gap.period.to), (at(7), at(9)));
    assert_eq!(
        of(
            [].iter(),
            Now {
                until: until(9),
                running: false,
                monitored: None,
            }
        ),
        BootCoverage::default()
    );
}

#[test]
fn a_clock_that_was_set_back_hides_no_gap() {
    let mut again = coverage("began", 30, "all");
    again.time = at(2);
    let events = [
        coverage("began", 5, "all"),
        coverage("ended", 20, "stopped"),
        again,
    ];
    let now = Now {
        until: Stamp {
            time: at(9),
            boottime_ns: Some(37_000_000_000),
        },
        running: true,
        monitored: None,
    };
    let found = of(events.iter(), now);
    let gaps: Vec<_> = found
        .gaps
        .iter()
        .map(|it| (it.period.from_ns, it.period.to_ns))
        .collect();
    let second = |number: u64| Some(number * 1_000_000_000);
    assert_eq!(gaps, [(second(0), second(5)), (second(20), second(30))]);
}

/// What was found later, such as the lines of a log, has a time that was computed: it is no measure of the boot's begin.
#[test]
fn the_boot_began_when_the_daemons_own_times_say() {
    let mut found = coverage("began", 4, "all");
    (found.kind, found.coverage) = (crate::event::Kind::Taint, None);
    found.time = at(59);
    let now = Now {
        until: until(9),
        running: true,
        monitored: None,
    };
    let began = coverage("began", 5, "all");
    let with_coverage = of([&found, &began].into_iter(), now);
    let before = &with_coverage.gaps[0].period;
    assert_eq!((before.from, before.to), (at(0), at(5)));
    let without = of([&found].into_iter(), now);
    assert_eq!(
        without.gaps[0].period.from,
        at(55),
        "the only time that there is"
    );
}

/// The eBPF programs stayed attached while no daemon ran: what happened then is in the history of the next one.
#[test]
fn no_gap_is_left_where_the_programs_stayed_attached() {
    let taken_over = |second, since: u32| {
        let mut event = coverage("began", second, "taken over");
        let coverage = event.coverage.as_mut().unwrap();
        coverage.attached_since_ns = Some(u64::from(since) * 1_000_000_000);
        event
    };
    let now = Now {
        until: until(50),
        running: true,
        monitored: None,
    };
    let found = |events: &[Event]| {
        let found = of(events.iter(), now);
        let spans = found.intervals.iter();
        let spans: Vec<_> = spans
            .map(|it| (it.period.from, it.period.to, it.full))
            .collect();
        (spans, found.gaps.len())
    };
    let stopped = [
        coverage("began", 5, "all"),
        coverage("ended", 20, "stopped"),
        taken_over(30, 5),
    ];
    let whole = |from, to| (at(from), at(to), true);
    let spans = vec![whole(5, 20), whole(20, 30), whole(30, 50)];
    assert_eq!(found(&stopped), (spans, 1), "the one before it began");
    let killed = [coverage("began", 5, "all"), taken_over(30, 5)];
    assert_eq!(found(&killed), (vec![whole(5, 30), whole(30, 50)], 1));
    let incomplete = [
        coverage("degraded", 5, "without x"),
        coverage("ended", 20, "stopped"),
        taken_over(30, 5),
    ];
    assert!(!found(&incomplete).0[1].2, "a hook was missing then");
    let others = [
        coverage("began", 5, "all"),
        coverage("ended", 20, "stopped"),
        taken_over(30, 25),
    ];
    let (spans, gaps) = found(&others);
    assert_eq!(gaps, 2, "they were attached later");
    assert_eq!(spans[1], whole(25, 30));
    let early = [taken_over(30, 2)];
    assert_eq!(found(&early), (vec![whole(2, 30), whole(30, 50)], 1));
}
