//! Flags whose event came, and that the kernel has yet to set.
//!
//! In: the mask as events tell it, and as the kernel has it. Out: bits that nobody cleared, for they were never seen set.
//! The hook tells a call when it begins; between it and `set_bit` the kernel prints a line (`add_taint`, `kernel/panic.c`),
//! which a slow console can make a long moment.

use std::time::{Duration, Instant};

use crate::event::Mask;

/// No console takes longer for a line; then somebody cleared the bit at once.
const CONSOLE: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
pub(super) struct Unset {
    /// Bits that the kernel's mask was read with.
    seen: Mask,
    since: Option<Instant>,
}

impl Unset {
    /// The mask as the kernel has it, and events tell it.
    pub(super) fn see(&mut self, mask: Mask) {
        self.seen = mask;
        self.since = None;
    }

    /// Bits that are clear because they are not set yet.
    pub(super) fn waits(&mut self, told: Mask, now: Mask) -> Mask {
        let missing = told.minus(now);
        self.seen = Mask((self.seen.0 | now.0) & told.0);
        let unset = missing.minus(self.seen);
        self.seen = self.seen.minus(missing);
        if unset == Mask(0) {
            self.since = None;
            return unset;
        }
        let since = *self.since.get_or_insert_with(Instant::now);
        if since.elapsed() < CONSOLE {
            unset
        } else {
            Mask(0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bit_that_was_never_seen_set_was_not_cleared() {
        let mut unset = Unset::default();
        unset.see(Mask(1));
        assert_eq!(unset.waits(Mask(0b11), Mask(1)), Mask(0b10));
        assert_eq!(unset.waits(Mask(0b11), Mask(0b11)), Mask(0), "it came");
        assert_eq!(unset.waits(Mask(0b11), Mask(1)), Mask(0), "and was cleared");
    }

    #[test]
    fn what_was_cleared_is_no_longer_seen() {
        let mut unset = Unset::default();
        unset.see(Mask(0b11));
        assert_eq!(unset.waits(Mask(0b11), Mask(1)), Mask(0));
        unset.see(Mask(1));
        assert_eq!(unset.waits(Mask(0b11), Mask(1)), Mask(0b10), "a new call");
    }

    #[test]
    fn it_does_not_wait_for_ever() {
        let mut unset = Unset {
            seen: Mask(0),
            since: Instant::now().checked_sub(CONSOLE),
        };
        assert_eq!(unset.waits(Mask(1), Mask(0)), Mask(0));
    }
}
