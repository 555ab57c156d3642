//! What a record shows of one change of the mask, and the code that caused it.
//!
//! In: frames, the loader slot, the flag. Out: the frame of the code past the functions that only report, and the known
//! place in the kernel that it is.

use taintwatch_common::Loading;

use super::{frames::Frame, jump::Gap};
use crate::{
    event::Source,
    kernel::functions::{INLINERS, OOPS_REPORTERS, REPORTERS},
    taint::{
        callers::{self, Part},
        flags::bit,
    },
};

/// What a record shows of one change.
pub(super) struct RecordEvidence<'a> {
    pub(super) bit: Option<u32>,
    pub(super) frames: &'a [Frame],
    /// Where a function is missing among them.
    pub(super) gap: Option<&'a Gap>,
    pub(super) loading: &'a Loading,
    pub(super) sources: Vec<Source>,
}

impl RecordEvidence<'_> {
    /// The code that caused the change; `None` as well where it left no frame.
    pub(super) fn caller(&self) -> Option<&Frame> {
        let nearest = self.nearest()?;
        let is_gap = |gap: &Gap| self.frames.get(gap.place) == Some(nearest);
        self.gap.is_none_or(|gap| !is_gap(gap)).then_some(nearest)
    }

    /// The first frame past the functions that only report: the code that caused the change, or what called it.
    pub(super) fn nearest(&self) -> Option<&Frame> {
        let in_oops = self.bit == Some(bit::DIE);
        let is_reporter = |frame: &&Frame| {
            frame.is_one_of(&REPORTERS)
                || frame.is_one_of(&["add_taint"])
                || in_oops && frame.is_one_of(&OOPS_REPORTERS)
        };
        self.frames
            .iter()
            .find(|frame| !is_reporter(frame))
            .or(self.frames.first())
    }

    /// The known place that taints, when the code is one.
    pub(super) fn known(&self) -> Option<&'static callers::Caller> {
        let caller = self.caller()?;
        let known = callers::known(caller.function()?, self.bit?)?;
        // A module can give its own function any name.
        (caller.module().is_none() || known.can_be_a_module()).then_some(known)
    }

    /// Whether no task is to be named: a machine check interrupts any task.
    pub(super) fn names_no_task(&self) -> bool {
        self.known().is_some_and(|known| known.part == Part::NoTask)
    }
}

/// Whether a write was made by `add_taint` or by a copy of it, and not by other code.
pub(super) fn is_inlined_add_taint(frames: &[Frame]) -> bool {
    frames
        .first()
        .is_some_and(|frame| frame.is_one_of(&INLINERS))
}

#[cfg(test)]
mod tests {
    use super::{super::symbol::Symbol, *};

    #[test]
    fn a_modules_function_with_a_name_of_the_kernels_is_not_the_kernels() {
        fn evidence(frames: &[Frame]) -> RecordEvidence<'_> {
            RecordEvidence {
                bit: Some(5),
                frames,
                gap: None,
                loading: &Loading::NONE,
                sources: Vec::new(),
            }
        }
        let frame = |module| Frame {
            address: 7,
            symbol: Some(Symbol::new("bad_page", 1, module)),
        };
        let (kernels, modules) = ([frame(None)], [frame(Some("rk"))]);
        assert!(evidence(&kernels).known().is_some());
        assert!(evidence(&modules).known().is_none());
    }
}
