//! What differs between two boots: "what changed since the good one?"
//!
//! In: two boots. Out: the kernels, the flags and modules of one alone, what has another cause, another version or
//! another count. A gap in coverage proves nothing, so each side has the number of its gaps.

use serde::Serialize;

use super::{BootHistory, Flag, Losses, Module};
use crate::event::{Confidence, Mask, Time};

/// Two boots compared.
#[derive(Debug, Serialize)]
pub struct Diff {
    pub a: Side,
    pub b: Side,
    pub flags_only_a: Vec<Set>,
    pub flags_only_b: Vec<Set>,
    /// In both, and not for the same reasons.
    pub flags_other_cause: Vec<Both>,
    /// In both for the same reasons, and not as often.
    pub flags_other_count: Vec<Both>,
    pub modules_only_a: Vec<Identity>,
    pub modules_only_b: Vec<Identity>,
    pub modules_changed: Vec<Difference>,
}

/// One of the two boots.
#[derive(Debug, Serialize)]
pub struct Side {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boot_id: Option<String>,
    pub releases: Vec<String>,
    pub from: Time,
    pub to: Time,
    /// Every flag that it had.
    pub mask: Mask,
    pub letters: String,
    pub events: usize,
    /// Intervals without monitoring, or with a layer missing.
    pub not_watched: usize,
    /// All losses; `losses` has them by kind.
    pub lost: u64,
    pub losses: Losses,
}

/// A flag in one of the boots.
#[derive(Debug, Serialize)]
pub struct Set {
    pub bit: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub letter: Option<char>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub count: u64,
    pub confidence: Confidence,
    pub causes: Vec<String>,
}

/// A flag that both have.
#[derive(Debug, Serialize)]
pub struct Both {
    pub a: Set,
    pub b: Set,
}

/// What distinguishes a module from another of the same name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Identity {
    pub name: String,
    pub versions: Vec<String>,
    pub srcversions: Vec<String>,
    pub build_ids: Vec<String>,
    pub sha256: Vec<String>,
    pub paths: Vec<String>,
    pub signers: Vec<String>,
    pub taints: String,
}

/// A module that both have, with what is not the same.
#[derive(Debug, Serialize)]
pub struct Difference {
    pub name: String,
    pub changes: Vec<Change>,
}

/// One thing that is not the same.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    pub what: &'static str,
    pub a: Vec<String>,
    pub b: Vec<String>,
}

impl Diff {
    /// Nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.a.releases == self.b.releases
            && self.flags_only_a.is_empty()
            && self.flags_only_b.is_empty()
            && self.flags_other_cause.is_empty()
            && self.flags_other_count.is_empty()
            && self.modules_only_a.is_empty()
            && self.modules_only_b.is_empty()
            && self.modules_changed.is_empty()
    }
}

/// Compares two boots.
#[must_use]
pub fn diff(a: &BootHistory<'_>, b: &BootHistory<'_>) -> Diff {
    let both = shared(a, b);
    let same_reasons = |(one, other): &(&Flag<'_>, &Flag<'_>)| keys(one) == keys(other);
    let (same, other): (Vec<_>, Vec<_>) = both.into_iter().partition(same_reasons);
    let same = same
        .into_iter()
        .filter(|(one, other)| one.count != other.count);
    Diff {
        a: side(a),
        b: side(b),
        flags_only_a: only(a, b),
        flags_only_b: only(b, a),
        flags_other_cause: other.into_iter().map(sets).collect(),
        flags_other_count: same.map(sets).collect(),
        modules_only_a: modules_only(a, b),
        modules_only_b: modules_only(b, a),
        modules_changed: changed(a, b),
    }
}

fn side(boot: &BootHistory<'_>) -> Side {
    let part = boot.coverage.intervals.iter().filter(|it| !it.full).count();
    let losses = Losses::of(boot.losses());
    Side {
        boot_id: boot.id.map(str::to_owned),
        releases: owned(&boot.releases),
        from: boot.from.time,
        to: boot.to.time,
        mask: boot.mask(),
        letters: boot.marks(),
        events: boot.events.len(),
        not_watched: boot.coverage.gaps.len() + part,
        lost: losses.total(),
        losses,
    }
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn set(flag: &Flag<'_>) -> Set {
    let causes = flag.reasons.iter().filter_map(|reason| {
        let cause = reason.first.cause.as_ref()?;
        Some(cause.summary.clone())
    });
    Set {
        bit: flag.bit,
        letter: flag.letter,
        name: flag.name.map(str::to_owned),
        count: flag.count,
        confidence: flag.confidence,
        causes: causes.collect(),
    }
}

fn sets((a, b): (&Flag<'_>, &Flag<'_>)) -> Both {
    Both {
        a: set(a),
        b: set(b),
    }
}

fn only(own: &BootHistory<'_>, other: &BootHistory<'_>) -> Vec<Set> {
    let mask = other.mask();
    let flags = own.flags.iter().filter(|flag| !mask.has(flag.bit));
    flags.map(set).collect()
}

fn shared<'h, 'a>(
    a: &'h BootHistory<'a>,
    b: &'h BootHistory<'a>,
) -> Vec<(&'h Flag<'a>, &'h Flag<'a>)> {
    let find = |bit| b.flags.iter().find(|flag| flag.bit == bit);
    let flags = a.flags.iter();
    flags
        .filter_map(|flag| Some((flag, find(flag.bit)?)))
        .collect()
}

fn keys<'a>(flag: &Flag<'a>) -> Vec<(Option<String>, Option<&'a str>, Option<&'a str>)> {
    let key = |reason: &super::Reason<'a>| {
        let class = reason.class.map(|class| format!("{class:?}"));
        (class, reason.module, reason.function)
    };
    let mut keys: Vec<_> = flag.reasons.iter().map(key).collect();
    keys.sort();
    keys
}

fn identity(module: &Module<'_>) -> Identity {
    Identity {
        name: module.name.to_owned(),
        versions: owned(&module.versions),
        srcversions: owned(&module.srcversions),
        build_ids: owned(&module.build_ids),
        sha256: owned(&module.hashes),
        paths: module.paths.clone(),
        signers: owned(&module.signers),
        taints: module.taints.clone(),
    }
}

fn modules_only(own: &BootHistory<'_>, other: &BootHistory<'_>) -> Vec<Identity> {
    let is_there = |name| other.modules.iter().any(|module| module.name == name);
    let modules = own.modules.iter().filter(|module| !is_there(module.name));
    modules.map(identity).collect()
}

fn changed(a: &BootHistory<'_>, b: &BootHistory<'_>) -> Vec<Difference> {
    let mut changed = Vec::new();
    for one in &a.modules {
        let Some(other) = b.modules.iter().find(|other| other.name == one.name) else {
            continue;
        };
        let found = changes(&identity(one), &identity(other));
        if !found.is_empty() {
            changed.push(Difference {
                name: one.name.to_owned(),
                changes: found,
            });
        }
    }
    changed
}

/// What is not known of one side is no difference.
fn changes(a: &Identity, b: &Identity) -> Vec<Change> {
    let taints = |identity: &Identity| vec![identity.taints.clone()];
    let all = [
        ("version", &a.versions, &b.versions),
        ("srcversion", &a.srcversions, &b.srcversions),
        ("build id", &a.build_ids, &b.build_ids),
        ("sha256", &a.sha256, &b.sha256),
        ("file", &a.paths, &b.paths),
        ("signer", &a.signers, &b.signers),
        ("flags", &taints(a), &taints(b)),
    ];
    let differing = all.into_iter().filter(|(_, a, b)| {
        let is_known = |all: &[String]| all.iter().any(|text| !text.is_empty());
        is_known(a) && is_known(b) && a != b
    });
    differing
        .map(|(what, a, b)| Change {
            what,
            a: a.clone(),
            b: b.clone(),
        })
        .collect()
}
