//! What happened before monitoring began, as far as a running kernel still shows it.
//!
//! In: the mask at the start of monitoring, the kernel log, the modules that are listed and those that were, the
//! command line; and what the history of this boot knows already. Out: events, each with what it rests on: a line of
//! the log (`logged`), a module that carries the flag (`listed`), or the bit alone (`unattributed`). Pure.
//!
//! The kernel prints P, F, O, E, K and N for the first module alone (`kernel/module/main.c`), and nothing for R, for
//! a write to the sysctl, and for modules that failed to load: the absence of a line proves nothing.

pub mod evidence;
mod module;
mod past;

use jiff::Timestamp;

use crate::{
    event::{Cause, Class, Confidence, Event, Kind, Mask, Source, Taint, Time},
    kernel::identity::Identity,
    klog::{Finding, Origin, Reconstruction, What},
    taint::{flags::bit, tables::Table},
};
pub use module::{Carrier, loaded, unloaded};
pub use past::Past;

/// What a running kernel still shows of that time.
#[derive(Debug)]
pub struct BaselineEvidence {
    /// The flags of this kernel's vendor.
    pub table: &'static Table,
    pub mask: Mask,
    /// What was found in the kernel log, oldest first.
    pub findings: Vec<Finding>,
    /// The log from the boot on is there, none of it overwritten.
    pub log_is_whole: bool,
    /// Modules that carry flags, loaded or not any more.
    pub modules: Vec<Carrier>,
    /// `/proc/cmdline`.
    pub command_line: String,
}

/// When monitoring began, by each clock, and by how much `CLOCK_BOOTTIME` is before the log's clock.
#[derive(Clone, Copy, Debug)]
pub struct Began {
    pub boottime_ns: u64,
    pub time: Time,
    pub log_offset_ns: i64,
}

/// Words of the command line that set a flag, on kernels that know them (`arch/x86/kernel/cpu/common.c`,
/// `arch/x86/pci/common.c`).
const COMMAND_LINE: [(&str, u32); 4] = [
    ("clearcpuid=", bit::CPU_OUT_OF_SPEC),
    ("setcpuid=", bit::CPU_OUT_OF_SPEC),
    ("pci=use_e820", bit::FIRMWARE_WORKAROUND),
    ("pci=no_e820", bit::FIRMWARE_WORKAROUND),
];
/// Flags for which no kernel prints a line where most of them come from: a forced unload, a write to the sysctl.
const SILENT: [u32; 2] = [bit::FORCED_RMMOD, bit::USER];

/// The events of the time before monitoring.
#[must_use]
pub fn events(
    evidence: &BaselineEvidence,
    past: &Past,
    identity: &Identity,
    began: Began,
) -> Vec<Event> {
    let mut events = logged(evidence, past, identity, began);
    let mut known = past.clone();
    known.learn(&events);
    let before = began.time;
    let baseline = |bit: u32, module: &str, kind| {
        let boot = identity.boot_id.replace('-', "");
        let mut event = Event::blank(format!("{boot}-baseline-{bit}-{module}"), kind, before);
        event.host.clone_from(&identity.host);
        event.boot_id = Some(identity.boot_id.clone());
        event.boottime_ns = Some(began.boottime_ns);
        event
    };
    for carrier in &evidence.modules {
        for bit in carrier.flags.bits().filter(|bit| evidence.mask.has(*bit)) {
            if known.has_recorded(&carrier.name, bit) {
                continue;
            }
            let mut event = baseline(bit, &carrier.name, Kind::Taint);
            event.taint = Some(taint(evidence, bit, known.bits));
            event.cause = Some(carrier.cause(evidence.table, bit));
            event.module = Some(carrier.module());
            known.learn(std::slice::from_ref(&event));
            events.push(event);
        }
    }
    for bit in evidence.mask.minus(known.bits).bits() {
        let mut event = baseline(bit, "", Kind::Taint);
        event.taint = Some(taint(evidence, bit, Mask(0)));
        event.cause = Some(unexplained(bit, evidence));
        events.push(event);
    }
    events.extend(cleared(evidence, past).map(|(bits, cause)| {
        let mut event = baseline(0, "cleared", Kind::MaskWrite);
        event.taint = Some(Taint {
            mask_after: Some(evidence.mask),
            bits_cleared: Some(bits.bits().collect()),
            bits_set: Some(Vec::new()),
            ..Taint::default()
        });
        event.cause = Some(cause);
        event
    }));
    events
}

/// The events that the log shows of the time without coverage. A line whose flag is not set was misread.
fn logged(
    evidence: &BaselineEvidence,
    past: &Past,
    identity: &Identity,
    began: Began,
) -> Vec<Event> {
    let since_boot = i64::try_from(began.boottime_ns).unwrap_or(0);
    let since_boot = jiff::SignedDuration::from_nanos(since_boot);
    let booted = began.time.0.checked_sub(since_boot).ok();
    let origin = Origin {
        source: Source::Log,
        host: identity.host.clone(),
        boot_id: Some(identity.boot_id.clone()),
        booted,
        table: Some(evidence.table),
    };
    let mut events = Reconstruction::events(origin, evidence.findings.iter().cloned());
    for event in &mut events {
        on_boottime(event, began.log_offset_ns, booted);
        if let Some(cause) = &mut event.cause {
            cause.sources = vec![Source::Baseline, Source::Log];
        }
    }
    let mut past = past.clone();
    let is_new = |event: &Event| {
        let bit = event.bit();
        past.is_new(event)
            && event.boottime_ns < Some(began.boottime_ns)
            && bit.is_some_and(|bit| evidence.mask.has(bit))
    };
    events.retain(is_new);
    events
}

/// The log's clock leaves suspends out; right for lines since the last resume.
fn on_boottime(event: &mut Event, log_offset_ns: i64, booted: Option<Timestamp>) {
    let at = event
        .boottime_ns
        // The first moment is so on each clock.
        .map(|at| {
            if at == 0 {
                0
            } else {
                at.saturating_add_signed(log_offset_ns)
            }
        });
    event.boottime_ns = at;
    let since = at.and_then(|at| i64::try_from(at).ok());
    let time = booted.zip(since).and_then(|(booted, since)| {
        booted
            .checked_add(jiff::SignedDuration::from_nanos(since))
            .ok()
    });
    event.time = time.map_or(event.time, Time);
}

fn taint(evidence: &BaselineEvidence, bit: u32, known: Mask) -> Taint {
    Taint {
        // Which of several was the first is not known.
        first: known.has(bit).then_some(false),
        mask_after: Some(evidence.mask),
        ..evidence.table.named_flag(bit)
    }
}

/// The cause of a flag that nothing explains; what may have set it is named as a possibility.
fn unexplained(bit: u32, evidence: &BaselineEvidence) -> Cause {
    let flag = evidence.table.flag(bit);
    let flag = flag.map_or_else(
        || format!("bit {bit}"),
        |flag| format!("{} ({})", flag.letter, flag.name),
    );
    let words = evidence.command_line.split_ascii_whitespace();
    let word = COMMAND_LINE
        .iter()
        .find(|(word, of)| *of == bit && words.clone().any(|given| given.starts_with(word)));
    let (class, why) = match (bit, word) {
        (_, Some((word, _))) => (
            Class::Boot,
            format!("the kernel's command line has {word}, which sets the flag on some kernels"),
        ),
        // The build sets it, no event does.
        (bit::RANDSTRUCT, _) => (
            Class::Boot,
            "a kernel that is built with randomised structures has it set from the start".to_owned(),
        ),
        (bit, _) if SILENT.contains(&bit) => (
            Class::Unknown,
            "the kernel prints nothing when it comes by a write to /proc/sys/kernel/tainted or by a forced unload"
                .to_owned(),
        ),
        _ if evidence.log_is_whole => (
            Class::Unknown,
            "the kernel log is whole and has no line of it".to_owned(),
        ),
        _ => (
            Class::Unknown,
            "the kernel log has no line of it, and its first lines are overwritten".to_owned(),
        ),
    };
    Cause {
        class,
        summary: format!("{flag} was set before monitoring began; {why}"),
        confidence: Confidence::Unattributed,
        sources: vec![Source::Baseline],
    }
}

/// Flags that the kernel printed as set in this boot and that are clear now: a user wrote the mask.
fn cleared(evidence: &BaselineEvidence, past: &Past) -> Option<(Mask, Cause)> {
    let printed = evidence
        .findings
        .iter()
        .filter(|finding| !finding.facts.mask_is_doubtful && finding.what != What::Boot);
    let printed = printed.filter_map(|finding| finding.facts.mask);
    let all = printed.fold(Mask(0), |all, mask| Mask(all.0 | mask.0));
    let bits = Mask(all.minus(evidence.mask).0 & !past.cleared.0);
    let letters = evidence.table.letters(bits);
    let cause = Cause {
        class: Class::Unknown,
        summary: format!(
            "{letters} was set when the kernel printed its state in this boot, and was clear when monitoring began"
        ),
        confidence: Confidence::Logged,
        sources: vec![Source::Baseline, Source::Log],
    };
    (bits != Mask(0)).then_some((bits, cause))
}

#[cfg(test)]
mod tests;
