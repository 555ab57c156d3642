//! What set a flag, over many machines.
//!
//! In: events of taints. Out: for each flag, module, version and function the machines, the times and the kernels.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, HashMap},
};

use serde::Serialize;

use super::boot::Boot;
use crate::{
    event::{Class, Event, Kind, Time},
    history::{count, entry::group_key, mark},
    taint::tables::LINUX,
};

/// What makes causes of two machines the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    bit: Option<u32>,
    letter: Option<char>,
    name: Option<String>,
    class: Option<Class>,
    module: Option<String>,
    version: Option<String>,
    function: Option<String>,
}

/// A boot's part of a cause.
#[derive(Debug, Default)]
pub(super) struct Share {
    first: Option<Time>,
    last: Option<Time>,
    count: u64,
}

/// A cause, over all machines.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// The flag's letter, or its bit where no letter is known.
    pub flag: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bit: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<Class>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The function that acted; none for loads, which the loader does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    pub machines: usize,
    pub boots: usize,
    pub count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<Time>,
    /// Where it was seen first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_host: Option<String>,
    /// The kernels of the boots that have it.
    pub releases: Vec<String>,
    /// The machines that have it; one without an id is left out.
    pub hosts: BTreeSet<String>,
}

impl Key {
    /// One for each flag: a direct write may set several at once.
    pub(super) fn of(event: &Event) -> Vec<Self> {
        let (class, module, function) = group_key(event).2;
        let taint = event.taint.as_ref();
        let key = |bit: Option<u32>, letter: Option<char>, name: Option<&str>| Self {
            bit,
            letter,
            name: name.map(str::to_owned),
            class,
            module: module.map(str::to_owned),
            version: event.module.as_ref().and_then(|it| it.version.clone()),
            function: function.map(str::to_owned),
        };
        if event.kind == Kind::Taint {
            let (bit, letter) = (event.bit(), taint.and_then(|taint| taint.letter));
            return vec![key(
                bit,
                letter,
                taint.and_then(|taint| taint.name.as_deref()),
            )];
        }
        let written = taint.and_then(|taint| taint.bits_set.as_deref());
        let written = written.unwrap_or_default().iter();
        written
            .map(|bit| {
                let known = LINUX.flag(*bit);
                key(
                    Some(*bit),
                    known.map(|it| it.letter),
                    known.map(|it| it.name),
                )
            })
            .collect()
    }
}

impl Share {
    pub(super) fn take(&mut self, event: &Event) {
        self.count = self.count.saturating_add(count(event));
        if !event.time.is_unknown() {
            let time = event.time;
            self.first = Some(self.first.map_or(time, |first| first.min(time)));
            self.last = Some(self.last.map_or(time, |last| last.max(time)));
        }
    }
}

impl Cause {
    pub(super) fn of(key: &Key, shares: &HashMap<usize, Share>, boots: &[Boot]) -> Self {
        let shares = || {
            let shares = shares.iter();
            let shares = shares.filter_map(|(place, share)| Some((boots.get(*place)?, share)));
            shares.filter(|(boot, _)| boot.wanted)
        };
        let hosts: BTreeSet<_> = shares().map(|(boot, _)| boot.host.clone()).collect();
        let releases: BTreeSet<_> = shares()
            .filter_map(|(boot, _)| boot.release.clone())
            .collect();
        let earliest = shares().filter_map(|(boot, share)| Some((share.first?, &boot.host)));
        let earliest = earliest.min();
        Self {
            flag: match (key.bit, key.letter) {
                (None, None) => "?".to_owned(),
                (bit, letter) => mark(bit.unwrap_or_default(), letter),
            },
            bit: key.bit,
            name: key.name.clone(),
            class: key.class,
            module: key.module.clone(),
            version: key.version.clone(),
            function: key.function.clone(),
            machines: hosts.len(),
            boots: shares().count(),
            count: shares().fold(0, |sum, (_, share)| share.count.saturating_add(sum)),
            first: earliest.map(|(time, _)| time),
            last: shares().filter_map(|(_, share)| share.last).max(),
            first_host: earliest.and_then(|(_, host)| host.clone()),
            releases: releases.into_iter().collect(),
            hosts: hosts.into_iter().flatten().collect(),
        }
    }

    /// The newest first; of one time, what most machines have.
    pub(super) fn order(&self) -> impl Ord {
        (
            Reverse(self.first),
            Reverse(self.machines),
            self.bit,
            self.module.clone(),
            self.version.clone(),
            self.function.clone(),
            self.class.map(|class| class as u8),
            self.flag.clone(),
            self.name.clone(),
        )
    }
}
