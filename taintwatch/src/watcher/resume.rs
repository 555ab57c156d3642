//! What an earlier daemon recorded of what the attached programs counted.
//!
//! In: this boot's events, and since when the programs are attached. Out: how much of each count is in the history, and the
//! mask as the history has it. Pure. A count in the kernel only grows; what is in the history of it is known from the events
//! alone, so that a daemon that was killed between two steps has recorded nothing twice and left nothing out.

use std::collections::HashMap;

use crate::{
    attribute::count_id,
    event::{Event, Kind, Mask},
};

/// How far the history has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Resume {
    /// The mask after the last event.
    pub(super) mask: Option<Mask>,
    /// The highest total of each count, by [`count_id::of_key`].
    pub(super) counted: HashMap<String, u64>,
    /// Occurrences that were counted without a key.
    pub(super) unkeyed: u64,
    /// Dropped records, by what they held.
    pub(super) dropped: HashMap<String, u64>,
}

impl Resume {
    /// Of events in the order of the history; those of other programs than the attached ones say nothing of their counts.
    pub(super) fn of(events: &[Event], attached_ns: u64) -> Self {
        let mut resume = Self::default();
        for event in events {
            let of_taint = event.taint.as_ref().and_then(|taint| taint.mask_after);
            let of_coverage = event.coverage.as_ref().and_then(|it| it.mask);
            resume.mask = of_taint.or(of_coverage).or(resume.mask);
            if event.boottime_ns.is_some_and(|at| at >= attached_ns) {
                resume.add(event);
            }
        }
        resume
    }

    fn add(&mut self, event: &Event) {
        if let Some((key, total)) = count_id::parse(&event.id) {
            let highest = self.counted.entry(key.to_owned()).or_default();
            *highest = total.max(*highest);
        } else if event.kind == Kind::Taint && event.id.ends_with(count_id::UNNAMED) {
            let taint = event.taint.as_ref();
            self.unkeyed += taint.and_then(|taint| taint.count).unwrap_or(0);
        } else if let Some(lost) = event.lost.as_ref().filter(|lost| lost.is_of_ring()) {
            *self.dropped.entry(lost.what.clone()).or_default() += lost.count;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Lost, Taint, Time};

    fn event(id: &str, at: u64, kind: Kind) -> Event {
        let mut event = Event::blank(format!("b-{at:x}-{id}"), kind, Time::unknown());
        event.boottime_ns = Some(at);
        event
    }

    fn counted(id: &str, at: u64, mask: u64, count: u64) -> Event {
        let mut event = event(id, at, Kind::Taint);
        event.taint = Some(Taint {
            mask_after: Some(Mask(mask)),
            count: Some(count),
            ..Taint::default()
        });
        event
    }

    fn lost(at: u64, count: u64, reason: &str) -> Event {
        let mut event = event("lost-detail", at, Kind::Lost);
        event.lost = Some(Lost {
            count,
            reason: reason.to_owned(),
            what: "detail".to_owned(),
            since_ns: None,
        });
        event
    }

    #[test]
    fn each_count_goes_on_where_the_history_ends() {
        let ring = Lost::RING_WAS_FULL;
        let events = [
            counted("taint-a.0.9.1.5.900.count", 1, 512, 900),
            counted("taint-a.0.9.1.6.7.count", 10, 512, 7),
            counted("taint-a.0.9.1.6.19.count", 11, 512, 12),
            counted("taint-b.0.9.1.8.3.count", 12, 513, 3),
            counted("taint-unnamed", 12, 513, 4),
            counted("taint-unnamed", 13, 513, 5),
            lost(9, 50, ring),
            lost(10, 2, ring),
            lost(14, 3, ring),
            lost(14, 100, "a record could not be read: x"),
        ];
        let resume = Resume::of(&events, 10);
        assert_eq!(resume.mask, Some(Mask(513)));
        assert_eq!(resume.counted.len(), 2, "{:?}", resume.counted);
        assert_eq!(resume.counted["a.0.9.1.6"], 19);
        assert_eq!(resume.counted["b.0.9.1.8"], 3);
        assert_eq!(resume.unkeyed, 9);
        assert_eq!(resume.dropped["detail"], 5);
        assert_eq!(Resume::of(&[], 0), Resume::default());
    }
}
