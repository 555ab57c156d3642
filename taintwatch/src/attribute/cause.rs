//! The cause of a change of the mask, told by the code that made it.
//!
//! In: frames, the loader slot, the layers that saw it. Out: a class, a module when the evidence
//! names one, and a sentence. The letter of a flag never decides: C can come from an interrupt
//! controller's driver, P from a CFI report.

use taintwatch_common::{Loading, stage};

use super::frames::Frame;
use crate::{
    event::{Cause, Class, Confidence, Event, Mask, Source},
    kernel::functions::{INLINERS, LOADER, OOPS_REPORTERS, REPORTERS, UNLOADER},
    record::text,
    taint::{
        callers::{self, Part},
        flags::bit,
        tables::Table,
    },
};

/// What is known of one change.
pub(super) struct Evidence<'a> {
    pub(super) bit: Option<u32>,
    pub(super) frames: &'a [Frame],
    pub(super) loading: &'a Loading,
    pub(super) sources: Vec<Source>,
}

impl Evidence<'_> {
    /// The code that caused the change: past the functions that only report what others did.
    pub(super) fn caller(&self) -> Option<&Frame> {
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

    /// The place that the code is known as.
    fn known(&self) -> Option<&'static callers::Caller> {
        let caller = self.caller()?;
        let known = callers::known(caller.function()?, self.bit?)?;
        // A module may call a function of its own whatever it likes.
        (caller.module().is_none() || known.can_be_a_module()).then_some(known)
    }

    /// Whether no task has a part: a machine check stops whoever runs.
    pub(super) fn is_nobodys(&self) -> bool {
        self.known().is_some_and(|known| known.part == Part::NoTask)
    }
}

/// Whether a write was made by `add_taint` or by a copy of it, and not by somebody else.
pub(super) fn is_inlined_add_taint(frames: &[Frame]) -> bool {
    frames
        .first()
        .is_some_and(|frame| frame.is_one_of(&INLINERS))
}

/// The cause, and the name of the module that it is about.
pub(super) fn find(
    table: &Table,
    evidence: &Evidence<'_>,
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

fn classify(evidence: &Evidence<'_>) -> (Class, Option<String>) {
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

/// What it means that a flag is set, in a few words.
pub(super) fn happened(table: &Table, bit: Option<u32>) -> String {
    match bit.map(|bit| (bit, table.flag(bit))) {
        None => "a flag was set again, which one is not known".to_owned(),
        Some((bit, None)) => format!("bit {bit} was set"),
        Some((_, Some(flag))) => flag.happened.to_owned(),
    }
}

fn summary(
    table: &Table,
    evidence: &Evidence<'_>,
    event: &Event,
    class: Class,
    module: Option<&str>,
) -> String {
    let happened = happened(table, evidence.bit);
    // A letter says what a flag is usually for; code that is not known may have meant another thing.
    let did = match evidence.bit {
        Some(bit::WARN | bit::DIE) | None => happened.clone(),
        Some(bit) => table.flag(bit).map_or_else(
            || happened.clone(),
            |flag| format!("the flag {} ({}) was set", flag.letter, flag.name),
        ),
    };
    let module = module.unwrap_or("a module whose name was not seen");
    let place = evidence
        .caller()
        .map_or_else(|| "code without a symbol".to_owned(), Frame::to_string);
    let by = event.task.as_ref().map_or_else(String::new, |task| {
        format!(" by {} (pid {})", task.comm, task.pid)
    });
    if let Some(known) = evidence.known() {
        let module = evidence.caller().and_then(Frame::module);
        let of = module
            .map(|module| format!(" [{module}]"))
            .unwrap_or_default();
        return match (&event.task, known.part) {
            (Some(_), Part::Asked) => format!("{}{of}{by}", known.sentence),
            (Some(task), Part::Victim) => {
                format!(
                    "{}{of}, while {} (pid {}) was running",
                    known.sentence, task.comm, task.pid
                )
            }
            _ => format!("{}{of}", known.sentence),
        };
    }
    match class {
        Class::ModuleLoad => format!("{happened}: {module}, loaded{by}"),
        Class::ModuleCode => {
            let during = event
                .task
                .as_ref()
                .filter(|_| evidence.bit == Some(bit::DIE));
            let during =
                during.map(|task| format!(", while {} (pid {}) was running", task.comm, task.pid));
            format!(
                "{did} in code of the module {module}, at {place}{}",
                during.unwrap_or_default()
            )
        }
        Class::SysctlWrite => format!("a write to /proc/sys/kernel/tainted{by}"),
        Class::ModuleUnload => format!("{happened}: {module}{by}"),
        Class::DirectWrite => format!(
            "{place} wrote the mask past add_taint: {}",
            bits(table, event)
        ),
        Class::KernelCode => match &event.task {
            Some(task) => format!(
                "{did} at {place}, while {} (pid {}) was running",
                task.comm, task.pid
            ),
            None => format!("{did} at {place}"),
        },
        Class::Boot | Class::Unknown => {
            format!("{did}; the code that did it has no symbol: {place}")
        }
    }
}

/// `set W, cleared PO`, by the letters that the bits have and not by what they usually mean.
fn bits(table: &Table, event: &Event) -> String {
    let letters = |bits: Option<&Vec<u32>>| {
        let mask = bits
            .into_iter()
            .flatten()
            .fold(Mask(0), |mask, bit| mask.with(*bit));
        (mask != Mask(0)).then(|| table.letters(mask))
    };
    let taint = event.taint.as_ref();
    let set = letters(taint.and_then(|taint| taint.bits_set.as_ref()));
    let cleared = letters(taint.and_then(|taint| taint.bits_cleared.as_ref()));
    match (set, cleared) {
        (Some(set), Some(cleared)) => format!("set {set}, cleared {cleared}"),
        (Some(set), None) => format!("set {set}"),
        (None, Some(cleared)) => format!("cleared {cleared}"),
        (None, None) if taint.is_none_or(|taint| taint.bits_set.is_none()) => {
            "which bits is not known of each".to_owned()
        }
        (None, None) => "changed no bit".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use taintwatch_common::MODULE_NAME_LEN;

    use super::{super::frames::Symbol, *};

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
            reserved: 0,
            name: [0; MODULE_NAME_LEN],
        };
        loading.name[..3].copy_from_slice(b"abc");
        classify(&Evidence {
            bit,
            frames,
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
    fn a_name_of_the_kernel_in_a_module_is_the_modules_own() {
        fn evidence(frames: &[Frame]) -> Evidence<'_> {
            Evidence {
                bit: Some(5),
                frames,
                loading: &Loading {
                    stage: stage::NONE,
                    reserved: 0,
                    name: [0; MODULE_NAME_LEN],
                },
                sources: Vec::new(),
            }
        }
        let (kernels, modules) = ([frame("bad_page", None)], [frame("bad_page", Some("rk"))]);
        assert!(evidence(&kernels).known().is_some());
        assert!(evidence(&modules).known().is_none());
    }

    #[test]
    fn a_write_from_elsewhere_is_a_direct_one() {
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
