//! Which events a user asked for: the filter options, the same on every command.

use super::{TimeArg, Wanted};
use crate::{
    event::{Event, Kind},
    glob,
};

/// An event passes when it meets every condition that is given.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Filter {
    /// Only these flags: letters, bit numbers or names, `P,O`
    #[arg(long = "flag", value_name = "P,O", value_delimiter = ',')]
    pub flags: Vec<Wanted>,
    /// Only modules whose name fits, with `*` and `?`
    #[arg(long, value_name = "GLOB")]
    pub module: Option<String>,
    /// Only these kinds of event
    #[arg(long = "kind", value_enum, value_name = "K", value_delimiter = ',')]
    pub kinds: Vec<Kind>,
    /// Only from this time on: RFC 3339, a date, or `-2h` for two hours ago (`-3d`, `-1w`)
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub since: Option<TimeArg>,
    /// Only up to this time
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub until: Option<TimeArg>,
}

impl Filter {
    /// Whether the event meets every condition.
    #[must_use]
    pub fn passes(&self, event: &Event) -> bool {
        self.passes_topic(event)
            && !self.cannot_judge(event)
            && self.since.is_none_or(|since| event.time.0 >= since.0)
            && self.until.is_none_or(|until| event.time.0 <= until.0)
    }

    /// Whether it meets every condition but those of its time.
    pub(super) fn passes_topic(&self, event: &Event) -> bool {
        (self.kinds.is_empty() || self.kinds.contains(&event.kind))
            && (self.flags.is_empty() || concerns(event, &self.flags))
            && self
                .module
                .as_ref()
                .is_none_or(|glob| is_about(event, glob))
    }

    /// Whether it has no condition but those of the time.
    pub(super) fn passes_any_topic(&self) -> bool {
        self.flags.is_empty() && self.kinds.is_empty() && self.module.is_none()
    }

    /// Whether every event passes.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.passes_any_topic() && self.since.is_none() && self.until.is_none()
    }

    /// Whether a time is asked for and the event has none: a log of the past may have no date.
    #[must_use]
    pub fn cannot_judge(&self, event: &Event) -> bool {
        (self.since.is_some() || self.until.is_some()) && event.time.is_unknown()
    }
}

fn concerns(event: &Event, wanted: &[Wanted]) -> bool {
    let taint = event.taint.as_ref();
    taint.is_some_and(|taint| wanted.iter().any(|flag| flag.is_of(taint)))
}

fn is_about(event: &Event, glob: &str) -> bool {
    let module = event.module.as_ref();
    let name = module.and_then(|module| module.name.as_deref());
    name.is_some_and(|name| glob::matches(glob, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(second: i64) -> Event {
        let time = jiff::Timestamp::from_second(second).unwrap();
        serde_json::from_value(serde_json::json!({
            "schema": 1, "id": "x", "seq": 1, "kind": "taint", "time": time.to_string(),
            "taint": {"bit": 9, "letter": "W", "name": "WARN"}, "module": {"name": "nvidia_drm"},
        }))
        .unwrap()
    }

    #[test]
    fn an_event_passes_by_its_flag_its_module_and_its_kind() {
        let flag = |text: &str| Filter {
            flags: vec![text.parse().unwrap()],
            ..Filter::default()
        };
        let module = |glob: &str| Filter {
            module: Some(glob.to_owned()),
            ..Filter::default()
        };
        let kind = |kind| Filter {
            kinds: vec![kind],
            ..Filter::default()
        };
        for filter in [
            Filter::default(),
            flag("W"),
            module("nvidia*"),
            kind(Kind::Taint),
        ] {
            assert!(filter.passes(&event(5)), "{filter:?}");
        }
        for filter in [flag("P"), module("nvidia"), kind(Kind::Lost)] {
            assert!(!filter.passes(&event(5)), "{filter:?}");
        }
    }

    #[test]
    fn both_ends_of_a_time_are_in_it() {
        let time = |second| Some(TimeArg(jiff::Timestamp::from_second(second).unwrap()));
        let filter = Filter {
            since: time(5),
            until: time(7),
            ..Filter::default()
        };
        let passes = [4, 5, 7, 8].map(|second| filter.passes(&event(second)));
        assert_eq!(passes, [false, true, true, false]);
    }
}
