//! The cause of a change of the mask, found by the code that made it.
//!
//! In: what a record shows of the change. Out: a class, a module when the evidence names one, and a sentence. The letter
//! of a flag never decides: C can come from an interrupt controller's driver, P from a CFI report.

use taintwatch_common::stage;

use super::{
    evidence::{RecordEvidence, is_inlined_add_taint},
    summary::summary,
};
use crate::{
    event::{Cause, Class, Confidence, Event, Source},
    kernel::functions::{LOADER, UNLOADER},
    record::text,
    taint::tables::Table,
};

/// The cause, and the name of its module.
pub(super) fn find(
    table: &Table,
    evidence: &RecordEvidence<'_>,
    event: &Event,
) -> (Cause, Option<String>) {
    let (class, module) = classify(evidence);
    let mut sources = evidence.sources.clone();
    if class == Class::ModuleLoad {
        sources.push(Source::LoaderSlot);
    }
    let confidence = if class == Class::Unknown {
        Confidence::Unattributed
    } else {
        Confidence::Observed
    };
    let summary = summary(table, evidence, event, class, module.as_deref());
    (
        Cause {
            class,
            summary,
            confidence,
            sources,
        },
        module,
    )
}

fn classify(evidence: &RecordEvidence<'_>) -> (Class, Option<String>) {
    let Some(caller) = evidence.caller() else {
        return (Class::Unknown, None);
    };
    let loading = evidence.loading;
    if evidence.bit.is_none() && !is_inlined_add_taint(evidence.frames) {
        return (Class::DirectWrite, caller.module().map(str::to_owned));
    }
    if let Some(module) = caller.module() {
        return (Class::ModuleCode, Some(module.to_owned()));
    }
    if caller.function().is_none() {
        return (Class::Unknown, None);
    }
    if caller.is_one_of(&["proc_taint"]) {
        (Class::SysctlWrite, None)
    } else if caller.is_one_of(&UNLOADER) {
        let name = Some(text(&loading.name));
        let known = name.filter(|name| loading.stage == stage::UNLOADING && !name.is_empty());
        (Class::ModuleUnload, known)
    } else if loading.stage == stage::UNFORMED && caller.is_one_of(&LOADER) {
        (
            Class::ModuleLoad,
            Some(text(&loading.name)).filter(|name| !name.is_empty()),
        )
    } else {
        (Class::KernelCode, None)
    }
}

#[cfg(test)]
mod tests {
    use taintwatch_common::Loading;

    use super::{
        super::{frames::Frame, jump::Gap, symbol::Symbol},
        *,
    };

    const NOWHERE: Frame = Frame {
        address: 7,
        symbol: None,
    };

    fn frame(function: &str, module: Option<&str>) -> Frame {
        Frame {
            address: 7,
            symbol: Some(Symbol::new(function, 1, module)),
        }
    }

    fn class(bit: Option<u32>, stage: u32, frames: &[Frame]) -> (Class, Option<String>) {
        let mut loading = Loading {
            stage,
            ..Loading::NONE
        };
        loading.name[..3].copy_from_slice(b"abc");
        classify(&RecordEvidence {
            bit,
            frames,
            gap: None,
            loading: &loading,
            sources: Vec::new(),
        })
    }

    #[test]
    fn the_code_decides_and_not_the_letter() {
        let loader = [
            frame("load_module", None),
            frame("init_module_from_file", None),
        ];
        assert_eq!(
            class(Some(0), stage::UNFORMED, &loader),
            (Class::ModuleLoad, Some("abc".into()))
        );
        // A warning of the kernel during a load is not the module's.
        let warn = [
            frame("__warn", None),
            frame("report_bug", None),
            frame("vmap_pages", None),
        ];
        assert_eq!(
            class(Some(9), stage::UNFORMED, &warn),
            (Class::KernelCode, None)
        );
        let own = [
            frame("__warn", None),
            frame("handle_bug", None),
            frame("init", Some("other")),
        ];
        assert_eq!(
            class(Some(9), stage::COMING, &own),
            (Class::ModuleCode, Some("other".into()))
        );
        // Bit 0 through WARN is a CFI report or the like: no module is proprietary because of it.
        assert_eq!(
            class(Some(0), stage::NONE, &warn),
            (Class::KernelCode, None)
        );
        assert_eq!(
            class(Some(6), stage::NONE, &[frame("proc_taint", None)]),
            (Class::SysctlWrite, None)
        );
    }

    #[test]
    fn suses_flags_are_of_the_module_that_is_loaded() {
        // Both come from the last step of a load; X from the part that the compiler split off.
        let place = |function| [frame(function, None), frame("load_module", None)];
        for (bit, function) in [(31, "mod_sysfs_setup"), (16, "mod_sysfs_setup.cold")] {
            assert_eq!(
                class(Some(bit), stage::UNFORMED, &place(function)),
                (Class::ModuleLoad, Some("abc".into()))
            );
        }
    }

    #[test]
    fn code_that_left_no_frame_is_not_what_called_it() {
        let frames = [
            frame("process_one_work", None),
            frame("worker_thread", None),
        ];
        let gap = Gap {
            place: 0,
            fits: Vec::new(),
        };
        let mut evidence = RecordEvidence {
            bit: Some(6),
            frames: &frames,
            gap: Some(&gap),
            loading: &Loading::NONE,
            sources: Vec::new(),
        };
        assert_eq!(classify(&evidence), (Class::Unknown, None));
        evidence.gap = None;
        assert_eq!(classify(&evidence), (Class::KernelCode, None));
        // A gap further out says nothing of this code.
        let gap = Gap {
            place: 1,
            fits: Vec::new(),
        };
        evidence.gap = Some(&gap);
        assert_eq!(classify(&evidence), (Class::KernelCode, None));
    }

    #[test]
    fn a_write_by_other_code_than_add_taint_is_a_direct_write() {
        let hostile = [frame("hide", Some("rk")), frame("load_module", None)];
        assert_eq!(
            class(None, stage::COMING, &hostile),
            (Class::DirectWrite, Some("rk".into()))
        );
        assert_eq!(
            class(None, stage::NONE, &[NOWHERE]),
            (Class::DirectWrite, None)
        );
        assert_eq!(
            class(Some(9), stage::NONE, &[NOWHERE]),
            (Class::Unknown, None)
        );
        assert_eq!(class(Some(9), stage::NONE, &[]), (Class::Unknown, None));
    }
}
