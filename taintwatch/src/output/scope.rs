//! What a report covers: which boots, which of their events, and how much of them in full.
//!
//! In: boots and a filter's result. Out: whether an event is part of the report, and how much there is.

use std::collections::HashSet;

use super::{format, limits::Limits};
use crate::{
    event::{Event, Time},
    fleet::Fleet,
    history::BootHistory,
};

/// What a report covers.
#[derive(Debug)]
pub struct Scope<'h, 'a> {
    pub boots: Vec<&'h BootHistory<'a>>,
    /// The boots and the filter in words, for the head.
    pub description: String,
    pub made: Time,
    /// The events that pass the filter, by their sequence; none: all of them.
    pub only: Option<HashSet<u64>>,
    pub limits: Limits,
    /// What the machines have in common, where there are several.
    pub fleet: Option<&'h Fleet>,
}

impl<'a> Scope<'_, 'a> {
    #[must_use]
    pub fn shows(&self, event: &Event) -> bool {
        self.only
            .as_ref()
            .is_none_or(|only| only.contains(&event.seq))
    }

    /// One of these events is part of the report.
    #[must_use]
    pub fn shows_any(&self, events: &[&Event]) -> bool {
        self.only.is_none() || events.iter().any(|event| self.shows(event))
    }

    /// One boot's part of what all boots share.
    #[must_use]
    pub fn share(&self, all: usize) -> usize {
        Limits::share(all, self.boots.len())
    }

    /// How many boots and events there are.
    #[must_use]
    pub fn size(&self) -> String {
        let known = self.boots.iter().filter(|boot| boot.id.is_some()).count();
        let boots = format::number(known, "boot");
        let other = if known < self.boots.len() {
            " and events of an unknown boot"
        } else {
            ""
        };
        format!("{boots}{other}, {}", format::number(self.events(), "event"))
    }

    /// How many events there are.
    #[must_use]
    pub fn events(&self) -> usize {
        let events = self.boots.iter().flat_map(|boot| &boot.events);
        events.filter(|event| self.shows(event)).count()
    }

    /// Every machine that the boots are of.
    #[must_use]
    pub fn hosts(&self) -> Vec<&'a str> {
        let mut hosts = Vec::new();
        for host in self.boots.iter().filter_map(|boot| boot.host) {
            if !hosts.contains(&host) {
                hosts.push(host);
            }
        }
        hosts
    }
}
