//! The numbers as text.
//!
//! In: the state, the kernel's mask, the time. Out: every metric with its help, by the `prometheus` library. A label may hold
//! any text: the library escapes it.

use prometheus::{
    Encoder as _, GaugeVec, IntCounterVec, Opts, Registry, TextEncoder, core::Collector,
};

use super::State;
use crate::{
    event::{CoverageState, Mask, Time},
    taint::tables::Table,
};

/// What is known beside the events.
#[derive(Clone, Debug)]
pub struct About {
    /// As the kernel says now; none where it cannot be read.
    pub mask: Option<Mask>,
    pub table: &'static Table,
    pub kernel: String,
    pub now: Time,
    /// A daemon monitors: at its end the last file says that none does.
    pub is_running: bool,
}

/// A metric as documents and its help describe it.
#[derive(Clone, Copy, Debug)]
pub struct Described {
    pub name: &'static str,
    pub labels: &'static [&'static str],
    pub help: &'static str,
}

const fn described(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Described {
    Described { name, labels, help }
}

const MASK: Described = described(
    "kernel_taint_mask",
    &[],
    "The kernel's taint mask as a number.",
);
const FLAG: Described = described(
    "kernel_taint_flag",
    &["bit", "flag", "name"],
    "Whether the kernel says that a flag is set.",
);
const FIRST: Described = described(
    "kernel_taint_first_set_timestamp_seconds",
    &["bit", "flag"],
    "When a flag was first set in this boot, as far as that is known, in seconds since 1970.",
);
const CLEARED: Described = described(
    "kernel_taint_cleared_flags",
    &[],
    "How many flags were set in this boot and are clear now. Only tampering does that.",
);
const EVENTS: Described = described(
    "kernel_taint_events_total",
    &["flag", "cause"],
    "How often a flag was set in this boot, new or not, by the class of the cause. The flag `mask` is a direct write.",
);
const MONITORED: Described = described(
    "taintwatch_monitored",
    &[],
    "Whether the daemon monitors the kernel.",
);
const FULL: Described = described(
    "taintwatch_coverage_full",
    &[],
    "Whether every layer of the monitoring is in place.",
);
const GAPS: Described = described(
    "taintwatch_coverage_gaps_total",
    &[],
    "Gaps in the monitoring of this boot since it began.",
);
const GAP_SECONDS: Described = described(
    "taintwatch_coverage_gap_seconds",
    &[],
    "The length of all gaps in the monitoring of this boot since it began.",
);
const LOST: Described = described(
    "taintwatch_lost_records_total",
    &["what"],
    "Records of this boot that were lost, by what they held; `detail` is of occurrences that are counted all the same.",
);
const WAITING: Described = described(
    "taintwatch_events_waiting",
    &[],
    "Events that wait since the history cannot be written.",
);
const BUILD: Described = described(
    "taintwatch_build_info",
    &["version", "kernel"],
    "1, with the version of taintwatch and the release of the kernel.",
);
const UPDATED: Described = described(
    "taintwatch_updated_timestamp_seconds",
    &[],
    "When these numbers were written, in seconds since 1970. A file stays when its writer was killed.",
);

/// Every metric.
pub const DESCRIBED: [Described; 13] = [
    MASK,
    FLAG,
    FIRST,
    CLEARED,
    EVENTS,
    MONITORED,
    FULL,
    GAPS,
    GAP_SECONDS,
    LOST,
    WAITING,
    BUILD,
    UPDATED,
];

/// Writes all of them.
pub fn text(state: &State, about: &About) -> prometheus::Result<String> {
    let page = Page(Registry::new());
    flags(&page, state, about)?;
    let events = page.counter(EVENTS)?;
    for ((flag, cause), count) in &state.events {
        events
            .get_metric_with_label_values(&[flag, *cause])?
            .inc_by(*count);
    }
    let lost = page.counter(LOST)?;
    for (what, count) in &state.lost {
        lost.get_metric_with_label_values(&[what])?.inc_by(*count);
    }
    page.counter(GAPS)?
        .get_metric_with_label_values::<&str>(&[])?
        .inc_by(state.gaps);
    let is_full = about.is_running && state.coverage == Some(CoverageState::Began);
    page.one(MONITORED, f64::from(u8::from(about.is_running)))?;
    page.one(FULL, f64::from(u8::from(is_full)))?;
    page.one(GAP_SECONDS, seconds(state.gap_ns))?;
    page.one(WAITING, number(state.waiting))?;
    page.one(UPDATED, timestamp(about.now))?;
    let version = env!("CARGO_PKG_VERSION");
    let build = page.gauge(BUILD)?;
    build
        .get_metric_with_label_values(&[version, &about.kernel])?
        .set(1.0);
    let mut out = Vec::new();
    TextEncoder::new().encode(&page.0.gather(), &mut out)?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}

fn flags(page: &Page, state: &State, about: &About) -> prometheus::Result<()> {
    let name = |bit: u32| {
        let known = about.table.flag(bit);
        let letter = known.map_or_else(|| format!("[{bit}]"), |flag| flag.letter.to_string());
        (letter, known.map_or("", |flag| flag.name))
    };
    if let Some(mask) = about.mask {
        page.one(MASK, number(mask.0))?;
        page.one(CLEARED, f64::from(state.seen.minus(mask).0.count_ones()))?;
        let gauges = page.gauge(FLAG)?;
        let shown = |bit: &u32| about.table.flag(*bit).is_some() || mask.has(*bit);
        for bit in (0..u64::BITS).filter(shown) {
            let (letter, name) = name(bit);
            let labels = [bit.to_string(), letter, name.to_owned()];
            let gauge = gauges.get_metric_with_label_values(&labels)?;
            gauge.set(f64::from(u8::from(mask.has(bit))));
        }
    }
    let first = page.gauge(FIRST)?;
    for (bit, time) in &state.first {
        let labels = [bit.to_string(), name(*bit).0];
        first
            .get_metric_with_label_values(&labels)?
            .set(timestamp(*time));
    }
    Ok(())
}

/// What is written.
struct Page(Registry);

impl Page {
    fn add<C: Collector + Clone + 'static>(&self, metric: C) -> prometheus::Result<C> {
        self.0.register(Box::new(metric.clone()))?;
        Ok(metric)
    }

    fn gauge(&self, of: Described) -> prometheus::Result<GaugeVec> {
        self.add(GaugeVec::new(Opts::new(of.name, of.help), of.labels)?)
    }

    fn counter(&self, of: Described) -> prometheus::Result<IntCounterVec> {
        self.add(IntCounterVec::new(Opts::new(of.name, of.help), of.labels)?)
    }

    fn one(&self, of: Described, value: f64) -> prometheus::Result<()> {
        self.gauge(of)?
            .get_metric_with_label_values::<&str>(&[])?
            .set(value);
        Ok(())
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "Prometheus has no other numbers"
)]
const fn number(value: u64) -> f64 {
    value as f64
}

fn seconds(nanoseconds: u64) -> f64 {
    number(nanoseconds) / 1e9
}

fn timestamp(time: Time) -> f64 {
    time.0.as_duration().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{event::Event, history, taint::tables::LINUX};

    fn about(mask: u64) -> About {
        About {
            mask: Some(Mask(mask)),
            table: LINUX,
            kernel: "6.1.0-\"x\"".to_owned(),
            now: Time("2026-01-06T11:00:00Z".parse().unwrap()),
            is_running: true,
        }
    }

    fn of_fixture() -> State {
        let (events, liveness) = history::tests::fixture();
        let (id, _) = liveness.current.unwrap();
        let mut state = State::default();
        for event in events
            .iter()
            .filter(|event| event.boot_id.as_ref() == Some(&id))
        {
            state.see(event);
        }
        state
    }

    #[test]
    fn a_boot_as_text() {
        let text = text(&of_fixture(), &about(0x8000_3045)).unwrap();
        let version = env!("CARGO_PKG_VERSION");
        insta::assert_snapshot!(text.replace(version, "VERSION"));
    }

    #[test]
    fn every_metric_is_described_once_and_printed() {
        let mut state = of_fixture();
        state.lost.insert("event".to_owned(), 1);
        let text = text(&state, &about(1)).unwrap();
        for metric in DESCRIBED {
            let help = format!("# HELP {} {}\n", metric.name, metric.help);
            assert_eq!(text.matches(&help).count(), 1, "{}", metric.name);
        }
        assert_eq!(text.matches("# HELP ").count(), DESCRIBED.len());
    }

    #[test]
    fn gaps_are_counted_between_an_end_and_a_beginning() {
        let coverage = |state: &str, second: u64| -> Event {
            serde_json::from_value(serde_json::json!({
                "schema": 1, "id": "x", "seq": 1, "kind": "coverage", "boottime_ns": second * 1_000_000_000,
                "coverage": {"state": state, "reason": "x"},
            }))
            .unwrap()
        };
        let mut state = State::default();
        for (word, second) in [
            ("began", 5),
            ("degraded", 6),
            ("ended", 10),
            ("began", 13),
            ("ended", 20),
        ] {
            state.see(&coverage(word, second));
        }
        assert_eq!((state.gaps, state.gap_ns), (1, 3_000_000_000));
        let text = text(&state, &about(0)).unwrap();
        assert!(text.contains("taintwatch_coverage_full 0\n"), "{text}");
    }

    proptest::proptest! {
        #[test]
        fn no_text_of_the_kernel_breaks_a_line(what: String, letter: char, bit in 0_u32..64) {
            let event: Event = serde_json::from_value(serde_json::json!({
                "schema": 1, "id": "x", "seq": 1, "kind": "lost", "lost": {"count": 1, "reason": "", "what": what},
                "taint": {"bit": bit, "letter": letter},
            }))
            .unwrap();
            let mut state = State::default();
            state.see(&event);
            let text = text(&state, &about(1)).unwrap();
            let is_sample = |line: &str| line.starts_with("# ") || line.rsplit_once(' ').is_some_and(|(_, value)| value.parse::<f64>().is_ok());
            proptest::prop_assert!(text.split_terminator('\n').all(is_sample), "{text}");
        }
    }
}
