//! The flags that a finding says were set.
//!
//! In: a finding, and the release of its kernel. Out: the flags, each with the line that shows it, in the order in which
//! the kernel set them. None where that kernel has no such flag, or panicked before it set it.

use crate::{
    klog::{Finding, What},
    taint::{
        flags::bit,
        log::{AtPanic, TaintLine},
        release::{self, Release},
        tables::LINUX,
        version::Version,
    },
};

const POWERPC_SETS_M_SINCE: Version = Version::new(4, 14);

const PANICS_FIRST: &str =
    "newer kernels panic before they set the flag, and no line shows the release";

/// A flag that a finding says was set.
#[derive(Clone, Debug)]
pub(super) struct Claim {
    pub(super) line: TaintLine,
    /// Kernels differ in whether it was set, and which one it was is not known: how they differ.
    pub(super) unsure: Option<&'static str>,
}

impl Claim {
    pub(super) fn bit(&self) -> u32 {
        self.line.bit
    }

    /// Whether the report's own state has it already.
    pub(super) fn is_set_first(&self) -> bool {
        self.line.place == Some("machine_check_exception")
    }
}

/// What a finding says was set on a kernel of this release.
pub(super) fn of(finding: &Finding, release: Option<&str>) -> Vec<Claim> {
    let What::TaintLine(line) = &finding.what else {
        return Vec::new();
    };
    if is_before_the_flag(line, release) {
        return Vec::new();
    }
    let parsed = release.and_then(Release::parse);
    let at_panic = at_panic(finding, line, parsed);
    let by_panic = (at_panic == AtPanic::Unknown).then_some(PANICS_FIRST);
    let by_age = is_plain_lockup(finding, line, release)
        .then_some("kernels before 3.17 set no flag with it, and no line shows the release");
    let by_firmware = (release.is_none() && line.place == Some("__ghes_panic"))
        .then_some("kernels before 6.12 set no flag with it, and no line shows the release");
    let is_old = by_age.is_some() && finding.facts.is_before_3_11;
    let own = (at_panic != AtPanic::NotSet && !is_old).then(|| Claim {
        line: line.clone(),
        unsure: by_panic.or(by_age).or(by_firmware),
    });
    let before = machine_check(finding, line, parsed);
    before.into_iter().chain(own).collect()
}

/// What a finding says was set, where a panic follows that is no part of it: the reports of memory checkers end before.
pub(super) fn before_panic(
    finding: &Finding,
    release: Option<&str>,
    panic: Option<&str>,
) -> Vec<Claim> {
    let mut claims = of(finding, release);
    let parsed = release.and_then(Release::parse);
    if let Some(panic) = panic.filter(|_| finding.facts.panic.is_none()) {
        claims.retain(|claim| claim.line.at_panic(panic, parsed) != AtPanic::NotSet);
        for claim in &mut claims {
            if claim.line.at_panic(panic, parsed) == AtPanic::Unknown {
                claim.unsure = Some(PANICS_FIRST);
            }
        }
    }
    claims
}

/// The state behind a panic shows it; else the panic's message does.
fn at_panic(finding: &Finding, line: &TaintLine, release: Option<Release>) -> AtPanic {
    let facts = &finding.facts;
    match (&facts.panic, facts.mask) {
        (Some(_), Some(mask)) if facts.mask_is_after && !facts.mask_is_doubtful => {
            if mask.has(line.bit) {
                AtPanic::Set
            } else {
                AtPanic::NotSet
            }
        }
        (Some(panic), _) => line.at_panic(panic, release),
        (None, _) => AtPanic::Set,
    }
}

/// `Oops: Machine check, sig: 7 [#1]`: powerpc sets M, and then dies of it (`machine_check_exception`,
/// `arch/powerpc/kernel/traps.c`, since 4.14). Older kernels set D alone; what they print of their state shows it.
fn machine_check(finding: &Finding, line: &TaintLine, release: Option<Release>) -> Option<Claim> {
    let first = finding.lines.first()?;
    let text = first.strip_prefix("Oops: ")?;
    let is_one = line.bit == bit::DIE && text.to_ascii_lowercase().contains("machine check");
    let by_state = finding
        .facts
        .mask
        .filter(|_| !finding.facts.mask_is_doubtful);
    let is_older = by_state.map_or_else(
        || release.is_some_and(|release| release.version < POWERPC_SETS_M_SINCE),
        |mask| !mask.has(bit::MACHINE_CHECK),
    );
    (is_one && !is_older).then(|| Claim {
        line: TaintLine {
            bit: bit::MACHINE_CHECK,
            place: Some("machine_check_exception"),
            ..line.clone()
        },
        unsure: None,
    })
}

/// A soft lockup of a kernel that is not known, in the words of kernels up to 3.17: later ones print `NMI watchdog: ` or
/// `watchdog: ` in front (`pr_fmt`, `kernel/watchdog.c`), as does RHEL 7, which has the flag.
fn is_plain_lockup(finding: &Finding, line: &TaintLine, release: Option<&str>) -> bool {
    let first = finding
        .lines
        .first()
        .map(String::as_str)
        .unwrap_or_default();
    release.is_none() && line.bit == bit::SOFTLOCKUP && first.trim_start().starts_with("BUG: ")
}

/// Whether it is a report of a kernel that has no flag for it: warnings, oopses and lockups are older than theirs.
fn is_before_the_flag(line: &TaintLine, release: Option<&str>) -> bool {
    let Some(release) = release else {
        return false;
    };
    let Some(version) = Version::parse(release) else {
        return false;
    };
    let flag = release::table_of(release).unwrap_or(LINUX).flag(line.bit);
    line.report && line.vendor == LINUX.vendor && flag.is_none_or(|flag| version < flag.since)
}
