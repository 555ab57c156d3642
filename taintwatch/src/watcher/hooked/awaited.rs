//! Flags whose event came, and that the kernel has yet to set.
//!
//! In: the mask as events have it, and as the kernel has it. Out: bits that were not cleared, for they were never seen
//! set. The hook records a call when it begins; between it and `set_bit` the kernel prints a line (`add_taint`,
//! `kernel/panic.c`), which a slow console can delay for seconds.

use std::time::{Duration, Instant};

use crate::event::Mask;

/// No console takes longer for a line; after that the bit was set and cleared again.
const CONSOLE: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
pub(super) struct Awaited {
    /// Bits that the kernel's mask was read with.
    seen: Mask,
    since: Option<Instant>,
}

impl Awaited {
    /// The kernel and the events agree on this mask.
    pub(super) fn see(&mut self, mask: Mask) {
        self.seen = mask;
        self.since = None;
    }

    /// Bits that are clear because they are not set yet.
    pub(super) fn bits(&mut self, recorded: Mask, now: Mask) -> Mask {
        let missing = recorded.minus(now);
        self.seen = Mask((self.seen.0 | now.0) & recorded.0);
        let awaited = missing.minus(self.seen);
        self.seen = self.seen.minus(missing);
        if awaited == Mask(0) {
            self.since = None;
            return awaited;
        }
        let since = *self.since.get_or_insert_with(Instant::now);
        if since.elapsed() < CONSOLE {
            awaited
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
        let mut awaited = Awaited::default();
        awaited.see(Mask(1));
        assert_eq!(awaited.bits(Mask(0b11), Mask(1)), Mask(0b10));
        assert_eq!(awaited.bits(Mask(0b11), Mask(0b11)), Mask(0), "it came");
        assert_eq!(
            awaited.bits(Mask(0b11), Mask(1)),
            Mask(0),
            "and was cleared"
        );
    }

    #[test]
    fn what_was_cleared_is_no_longer_seen() {
        let mut awaited = Awaited::default();
        awaited.see(Mask(0b11));
        assert_eq!(awaited.bits(Mask(0b11), Mask(1)), Mask(0));
        awaited.see(Mask(1));
        assert_eq!(awaited.bits(Mask(0b11), Mask(1)), Mask(0b10), "a new call");
    }

    #[test]
    fn it_does_not_wait_for_ever() {
        let mut awaited = Awaited {
            seen: Mask(0),
            since: Instant::now().checked_sub(CONSOLE),
        };
        assert_eq!(awaited.bits(Mask(1), Mask(0)), Mask(0));
    }
}
