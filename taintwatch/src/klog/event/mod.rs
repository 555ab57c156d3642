//! Findings as public events.
//!
//! In: a finding, the flags that the boot's log showed before. Out: events, with their evidence. A letter never
//! decides: the class is by the code that the log names, the sentence by the place that prints such a text.

mod running;
mod summary;
mod taint_line;

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use running::Running;
pub(super) use taint_line::{from_taint_line, unsure};

use super::{Finding, Listed, Origin};
use crate::{
    event::{Cause, Class, Confidence, Event, Kind, Mask, Module, Taint, Time},
    taint::{
        flags::bit::{FORCED_MODULE, RANDSTRUCT},
        release::Release,
        text::Reading,
    },
};

/// A flag that a module of a list carries.
pub(super) fn listed(
    finding: &Finding,
    module: &Listed,
    bit: u32,
    before: Mask,
    origin: &Origin,
) -> Event {
    let mut event = blank(finding, bit, Some(&module.name), "listed", origin);
    event.taint = Some(origin.table_of(finding).taint(bit, before));
    let when = if module.loaded {
        "carries the flag; no line shows when it was loaded"
    } else {
        "carried the flag and was unloaded; no line shows when it was loaded"
    };
    let also = if bit == FORCED_MODULE && marks_unsigned(finding) {
        " (F, which this kernel also sets where a signature is missing or was not verified)"
    } else {
        ""
    };
    event.cause = Some(Cause {
        class: Class::ModuleLoad,
        summary: format!("the module {} {when}{also}", module.name),
        confidence: Confidence::Listed,
        sources: vec![origin.source],
    });
    event.module = Some(Module {
        name: Some(module.name.clone()),
        taints: Some(module.letters.clone()),
        loaded: Some(module.loaded),
        ..Module::default()
    });
    event.log = line_that_lists(finding, &module.name);
    event
}

/// A flag that is set in a state that the kernel printed, and that nothing before explains.
pub(super) fn unattributed(finding: &Finding, bit: u32, before: Mask, origin: &Origin) -> Event {
    let mut event = blank(finding, bit, None, "unattributed", origin);
    let table = origin.table_of(finding);
    event.taint = Some(table.taint(bit, before));
    let name = table.flag(bit).map_or_else(
        || format!("bit {bit}"),
        |flag| format!("{} ({})", flag.letter, flag.name),
    );
    // `tainted_mask` begins with it (kernel/panic.c): no call sets it, and no line shows it.
    let built_in = bit == RANDSTRUCT;
    let (class, why) = if built_in {
        // Its time is that of the kernel's first moment, and not of the line.
        event.boottime_ns = Some(0);
        (event.time, event.stamp) = (Time::unknown(), None);
        (
            Class::Boot,
            "is set from the start of the kernel: it was built with randomised structures",
        )
    } else {
        (
            Class::Unknown,
            "was set before this; no line of the log shows by what",
        )
    };
    let also = if bit == FORCED_MODULE && marks_unsigned(finding) {
        "; in this kernel it also means a module whose signature is missing or was not verified"
    } else {
        ""
    };
    event.cause = Some(Cause {
        class,
        summary: format!("{name} {why}{also}"),
        confidence: Confidence::Unattributed,
        sources: vec![origin.source],
    });
    event.log = line_of_state(finding);
    event
}

/// Whether the kernel marks modules without a verified signature with F.
fn marks_unsigned(finding: &Finding) -> bool {
    let release = finding.boot.release.as_ref();
    let release = release.or(finding.facts.release.as_ref());
    let release = release.and_then(|release| Release::parse(release));
    release.is_some_and(|release| release.marks_unsigned_with_f())
}

/// A module that SUSE's kernel refused: `load_module` returned ENOEXEC before it set a flag.
pub(super) fn refused(finding: &Finding, module: &str, origin: &Origin) -> Event {
    let mut event = blank(finding, u32::MAX, Some(module), "refused", origin);
    event.kind = Kind::ModuleLoadFailed;
    event.cause = Some(Cause {
        class: Class::ModuleLoad,
        summary: format!(
            "the kernel refused the module {module}, which SUSE does not support (unsupported=0): it was not loaded, and no flag was set"
        ),
        confidence: Confidence::Logged,
        sources: vec![origin.source],
    });
    event.module = Some(Module {
        name: Some(module.to_owned()),
        loaded: Some(false),
        errno: Some("ENOEXEC".to_owned()),
        ..Module::default()
    });
    event.log.clone_from(&finding.lines);
    event
}

/// A flag that ends lock debugging was set, and no line shows which.
pub(super) fn lockdep_off(finding: &Finding, before: Mask, origin: &Origin) -> Event {
    let mut event = blank(finding, u32::MAX, None, "lockdep", origin);
    event.taint = Some(Taint {
        mask_before: Some(before),
        ..Taint::default()
    });
    event.cause = Some(Cause {
        class: Class::Unknown,
        summary: "a flag that ends lock debugging was set (P, F, R, M, B, D or A; on some kernels S, U or I too); no line shows which"
            .to_owned(),
        confidence: Confidence::Unattributed,
        sources: vec![origin.source],
    });
    event.log.clone_from(&finding.lines);
    event
}

/// A place of a state that kernels mean differently: every reading, and no guess.
pub(super) fn ambiguous(
    finding: &Finding,
    readings: &[Reading],
    before: Mask,
    origin: &Origin,
) -> Event {
    // The word is a part of event ids, and so fixed.
    let mut event = blank(finding, u32::MAX, None, "either", origin);
    event.taint = Some(Taint {
        mask_before: Some(before),
        ..Taint::default()
    });
    let one = |reading: &Reading| {
        let name = reading.name.unwrap_or("a flag without a name");
        format!("{name} (bit {}, {})", reading.bit, reading.vendor)
    };
    let readings: Vec<_> = readings.iter().map(one).collect();
    event.cause = Some(Cause {
        class: Class::Unknown,
        summary: format!(
            "a flag was set before this, and the log does not show the vendor of the kernel: {}",
            readings.join(" or ")
        ),
        confidence: Confidence::Unattributed,
        sources: vec![origin.source],
    });
    event.log = line_of_state(finding);
    event
}

/// The line that the state was read from.
fn line_of_state(finding: &Finding) -> Vec<String> {
    let state = finding.facts.state.clone();
    let line = state.or_else(|| finding.lines.first().cloned());
    line.into_iter().collect()
}

/// The line that has a module with its flags, `NAME(…)`: a broken list stands in several.
fn line_that_lists(finding: &Finding, module: &str) -> Vec<String> {
    let lists = |line: &&String| {
        let mut words = line.split_ascii_whitespace();
        words.any(|word| word.split_once('(').is_some_and(|(name, _)| name == module))
    };
    let line = finding.lines.iter().find(lists);
    line.or(finding.lines.first())
        .cloned()
        .into_iter()
        .collect()
}

fn blank(finding: &Finding, bit: u32, module: Option<&str>, how: &str, origin: &Origin) -> Event {
    let boot_id = finding.boot.id.clone().or_else(|| origin.boot_id.clone());
    let at = &finding.at;
    let time = at.wall.or_else(|| {
        let since = i64::try_from(at.since_boot?).ok()?;
        origin
            .booted?
            .checked_add(SignedDuration::from_nanos(since))
            .ok()
    });
    let id = id(finding, bit, module, how, boot_id.as_deref());
    let mut event = Event::blank(id, Kind::Taint, time.map_or_else(Time::unknown, Time));
    event.host.clone_from(&origin.host);
    event.boot_id = boot_id;
    event.boottime_ns = at.since_boot;
    event.stamp = at.stamp.clone().filter(|_| time.is_none());
    event
}

/// The same for the same line of the same log, however often and with whatever else it is read.
fn id(
    finding: &Finding,
    bit: u32,
    module: Option<&str>,
    how: &str,
    boot_id: Option<&str>,
) -> String {
    let at = &finding.at;
    let mut hash = Sha256::new();
    let mut part = |text: &str| {
        hash.update(text.len().to_le_bytes());
        hash.update(text);
    };
    part(finding.host.as_deref().unwrap_or_default());
    part(boot_id.unwrap_or_default());
    part(how);
    part(&bit.to_string());
    part(module.unwrap_or_default());
    part(&format!(
        "{:?} {:?}",
        at.since_boot,
        at.wall.map(Timestamp::as_nanosecond)
    ));
    part(at.stamp.as_deref().unwrap_or_default());
    // A second is long, and without a time all lines are alike: there the place in the log counts.
    if at.since_boot.is_none() {
        part(&format!("{} {}", finding.boot.ordinal, at.number));
    }
    part(
        finding
            .lines
            .first()
            .map(String::as_str)
            .unwrap_or_default(),
    );
    let hash = hash.finalize();
    format!("log-{}", hex::encode(hash.get(..16).unwrap_or_default()))
}
