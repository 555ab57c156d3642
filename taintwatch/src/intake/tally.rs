//! What was read, and what of it was not understood.
//!
//! In: lines. Out: counts, and sentences for people, not yet escaped.

/// Lines that are named.
const MOST: usize = 4;

/// Counts of one run.
#[derive(Debug, Default)]
pub struct Tally {
    pub events: u64,
    pub duplicates: u64,
    /// Events that whoever wrote the input did not get.
    pub missed: u64,
    bad: Left,
    untrusted: Left,
}

/// What is left out of one kind, with the first reasons.
#[derive(Debug, Default)]
struct Left {
    count: u64,
    first: Vec<String>,
}

impl Left {
    fn add(&mut self, what: impl FnOnce() -> String) {
        self.count += 1;
        if self.first.len() < MOST {
            self.first.push(what());
        }
    }

    fn places(&self) -> String {
        let more = self.count > MOST as u64;
        let more = if more { "; …" } else { "" };
        format!("{}{more}", self.first.join("; "))
    }
}

impl Tally {
    pub(super) fn bad(&mut self, place: &str, why: &str) {
        self.bad.add(|| format!("{place}: {why}"));
    }

    pub(super) fn untrusted(&mut self, place: &str, why: &str) {
        self.untrusted.add(|| format!("{place}: {why}"));
    }

    /// Nothing is known, since nothing was understood.
    #[must_use]
    pub const fn is_in_doubt(&self) -> bool {
        self.events == 0 && (self.bad.count > 0 || self.untrusted.count > 0)
    }

    /// What a reader must know, a sentence each.
    #[must_use]
    pub fn sentences(&self, of: &str) -> Vec<String> {
        let mut all = Vec::new();
        if self.bad.count > 0 {
            let count = counted(self.bad.count, of, "was", "were");
            all.push(format!("{count} not understood: {}", self.bad.places()));
        }
        if self.untrusted.count > 0 {
            let count = counted(self.untrusted.count, of, "is", "are");
            let places = self.untrusted.places();
            all.push(format!(
                "{count} left out, for no daemon wrote it: {places}"
            ));
        }
        if self.duplicates > 0 {
            let count = counted(self.duplicates, "event", "was", "were");
            all.push(format!("{count} there twice, and is shown once"));
        }
        if self.missed > 0 {
            let count = counted(self.missed, "event", "is", "are");
            all.push(format!(
                "{count} missing: whoever wrote this was too slow for the daemon, whose history has them"
            ));
        }
        all
    }
}

fn counted(count: u64, what: &str, one: &str, many: &str) -> String {
    match (count, what) {
        (1, _) => format!("1 {what} {one}"),
        (_, "entry") => format!("{count} entries {many}"),
        _ => format!("{count} {what}s {many}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_places_are_named() {
        let mut tally = Tally::default();
        assert!(tally.sentences("line").is_empty() && !tally.is_in_doubt());
        for line in 1..=6 {
            tally.bad(&line.to_string(), "no JSON");
        }
        tally.duplicates = 1;
        tally.missed = 3;
        assert!(tally.is_in_doubt());
        assert_eq!(
            tally.sentences("line"),
            [
                "6 lines were not understood: 1: no JSON; 2: no JSON; 3: no JSON; 4: no JSON; …",
                "1 event was there twice, and is shown once",
                "3 events are missing: whoever wrote this was too slow for the daemon, whose history has them",
            ]
        );
        tally.events = 1;
        assert!(!tally.is_in_doubt());
    }
}
