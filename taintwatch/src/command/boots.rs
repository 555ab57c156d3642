//! Which boots of the history a user asked for: the option, the same on every verb that has it.
//!
//! In: words such as `0`, `-1`, `all`, or the beginning of a boot's id; the history. Out: the ids of boots.

use std::collections::HashSet;

use anyhow::Result;

use crate::{
    event::Event,
    history::{self, History, Liveness},
    kernel::identity::Identity,
    store::Store,
};

/// The option; every boot where it is not given.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Boots {
    /// Only these boots: 0 for this one, -1 for the one before, the start of an id, or `all`
    #[arg(
        long,
        value_name = "ID,-1,all",
        value_delimiter = ',',
        allow_hyphen_values = true
    )]
    boot: Vec<String>,
}

/// Boots that were asked for.
#[derive(Debug)]
pub(super) struct Chosen {
    ids: HashSet<Option<String>>,
    current: Option<String>,
}

impl Boots {
    /// None: every boot, so nothing is left out.
    pub(super) fn of(&self, store: &Store) -> Result<Option<Chosen>> {
        if self.boot.is_empty() || self.boot.iter().any(|word| word == "all") {
            return Ok(None);
        }
        let outline = store.outline()?;
        let history = History::of_excerpt(&outline, &Liveness::default());
        // What is shown is read again, and what of it cannot be read is said then.
        _ = store.unread();
        let current = Identity::read().ok().map(|identity| identity.boot_id);
        Chosen::of(&self.boot, &history, current).map(Some)
    }

    /// Where there is no history there is only the boot that runs.
    pub(super) fn without_history(&self) -> Result<()> {
        let older = self.boot.iter().find(|word| *word != "0" && *word != "all");
        older.map_or(Ok(()), |word| {
            anyhow::bail!(
                "there is no history, and so no boot {word:?}: give --boot 0, or leave it out"
            )
        })
    }
}

impl Chosen {
    fn of(words: &[String], history: &History<'_>, current: Option<String>) -> Result<Self> {
        let mut ids = HashSet::new();
        for word in words {
            match history::select(history, std::slice::from_ref(word), current.as_deref()) {
                Ok(boots) => ids.extend(boots.iter().map(|boot| boot.id.map(str::to_owned))),
                // Nothing is recorded of it yet.
                Err(history::Unknown::Current(_)) => {
                    ids.insert(current.clone());
                }
                Err(unknown) => return Err(unknown.into()),
            }
        }
        Ok(Self { ids, current })
    }

    pub(super) fn has(&self, event: &Event) -> bool {
        self.ids.contains(&event.boot_id)
    }

    /// Whether the boot that runs is one of them.
    pub(super) fn has_current(&self) -> bool {
        self.current.is_some() && self.ids.contains(&self.current)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::tests::{A, B, C, fixture};

    #[test]
    fn boots_are_chosen_by_words_and_the_running_one_needs_no_event() {
        let (events, liveness) = fixture();
        let history = History::of(&events, &liveness);
        let chosen = |words: &[&str], current: &str| {
            let words: Vec<_> = words.iter().map(|&word| word.to_owned()).collect();
            Chosen::of(&words, &history, Some(current.to_owned()))
        };
        let of_b = chosen(&["-1"], C).unwrap();
        let seen = events.iter().filter(|event| of_b.has(event));
        assert!(
            seen.clone().count() > 0
                && seen
                    .clone()
                    .all(|event| event.boot_id.as_deref() == Some(B))
        );
        assert!(!of_b.has_current() && chosen(&["0"], C).unwrap().has_current());
        assert!(chosen(&["0", &A[..8]], "elsewhere").unwrap().has_current());
        assert!(chosen(&["-9"], C).is_err() && chosen(&["x"], C).is_err());
    }
}
