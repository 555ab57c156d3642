//! How many records were lost, by what was lost with them.
//!
//! In: events of losses. Out: totals. A record without its detail is still counted by the kernel programs, so it is no
//! lost occurrence.

use serde::Serialize;

use crate::event::{Event, Lost};

/// Totals of losses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Losses {
    /// Occurrences that are counted; who and where is lost.
    pub detail: u64,
    /// Records of other kinds: a load, an unload, the path of a module file …
    pub records: u64,
}

impl Losses {
    #[must_use]
    pub fn of<'a>(events: impl Iterator<Item = &'a Event>) -> Self {
        let mut total = Self::default();
        for lost in events.filter_map(|event| event.lost.as_ref()) {
            total.add(lost);
        }
        total
    }

    /// Both together.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self {
            detail: self.detail.saturating_add(other.detail),
            records: self.records.saturating_add(other.records),
        }
    }

    #[must_use]
    pub const fn total(self) -> u64 {
        self.detail.saturating_add(self.records)
    }

    /// Each kind in words; nothing where nothing was lost.
    #[must_use]
    pub fn sentences(self) -> Vec<String> {
        let detail = format!(
            "{} counted without detail",
            number(self.detail, "occurrence")
        );
        let records = format!("{} lost", number(self.records, "record"));
        let all = [(self.detail, detail), (self.records, records)];
        let some = all.into_iter().filter(|(count, _)| *count > 0);
        some.map(|(_, text)| text).collect()
    }

    const fn add(&mut self, lost: &Lost) {
        if lost.is_detail() {
            self.detail = self.detail.saturating_add(lost.count);
        } else {
            self.records = self.records.saturating_add(lost.count);
        }
    }
}

fn number(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Kind, Time};

    #[test]
    fn what_is_counted_all_the_same_is_no_lost_record() {
        let lost = |count, what: &str| {
            let mut event = Event::blank(what.to_owned(), Kind::Lost, Time::unknown());
            event.lost = Some(Lost {
                count,
                reason: String::new(),
                what: what.to_owned(),
                since_ns: None,
            });
            event
        };
        let events = [lost(41, "detail"), lost(1, "module_load")];
        let total = Losses::of(events.iter());
        assert_eq!(
            total.sentences(),
            ["41 occurrences counted without detail", "1 record lost"]
        );
        assert_eq!(total.total(), 42);
        assert!(Losses::default().sentences().is_empty());
    }
}
