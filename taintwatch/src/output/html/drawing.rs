//! What every lane of a drawing needs: the axis of its boot, and which entry of the page shows an event.
//!
//! In: a boot, the entries that are on the page. Out: places and links. `lanes` and `marks` draw with it.

use std::collections::HashMap;

use super::axis::Axis;
use crate::{event::Event, history::BootHistory};

/// The drawing of one boot.
pub(super) struct Drawing<'h, 'a> {
    pub(super) axis: Axis,
    pub(super) boot: &'h BootHistory<'a>,
    /// The entry that shows an event, by sequence.
    entries: HashMap<u64, u64>,
}

impl<'h, 'a> Drawing<'h, 'a> {
    pub(super) fn new(boot: &'h BootHistory<'a>, entries: HashMap<u64, u64>) -> Self {
        Self {
            axis: Axis::of(boot),
            boot,
            entries,
        }
    }

    /// The entry of the page that shows an event.
    pub(super) fn entry(&self, event: &Event) -> Option<u64> {
        self.entries.get(&event.seq).copied()
    }

    /// A link to the entry that shows the event, when the page has it.
    pub(super) fn link(&self, event: &Event) -> Option<String> {
        Some(format!("#e{}", self.entry(event)?))
    }
}
