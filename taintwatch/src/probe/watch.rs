//! Loads the kernel half and hooks it up, each layer by the best mechanism that this kernel takes.
//!
//! In: the eBPF object inside this executable, the running kernel. Out: the ring buffer, the loss
//! counters, and an account of what won. The watch lives as long as [`Watch`] does.

use std::os::fd::{AsFd as _, OwnedFd};

use aya::{
    Btf, Ebpf, EbpfLoader,
    maps::{Array, MapData, PerCpuArray, RingBuf},
    programs::PerfEvent,
};
use taintwatch_common::loss;

use super::{
    Error, breakpoint,
    ladder::{self, explain, hook, program},
    target,
};
use crate::{
    event::{Hook, Mask},
    kernel::{btf, kallsyms::Kallsyms, mask, prerequisites},
};

static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/taintwatch-ebpf"));

/// A running watch.
pub struct Watch {
    /// Each layer, and what won.
    pub hooks: Vec<Hook>,
    pub symbols: Kallsyms,
    /// The mask when the watch began.
    pub mask: Mask,
    ring: Option<RingBuf<MapData>>,
    lost: PerCpuArray<MapData, u64>,
    _breakpoints: Vec<OwnedFd>,
    /// Holds the programs and their links.
    _ebpf: Ebpf,
}

impl Watch {
    /// Begins to watch. A layer that cannot be had is told in `hooks`; it is an error only when no
    /// hook that sees a taint can be had.
    pub fn begin() -> Result<Self, Error> {
        prerequisites::check()?;
        let symbols = Kallsyms::read()?;
        let mut ebpf = load(&target::globals(&btf::Btf::read()?, &symbols))?;
        let types = Btf::from_sys_fs().map_err(Box::new)?;
        let mut hooks = ladder::attach(&mut ebpf, &types);
        #[cfg(feature = "bpf-log")]
        super::developer_log::follow(&mut ebpf);
        let mask = mask::read().unwrap_or_default();
        last_mask(&mut ebpf, mask)?;
        let (watch, breakpoints) = mask_watch(&mut ebpf, &symbols);
        hooks.insert(0, watch);
        if hooks.iter().take(2).all(|hook| hook.mechanism.is_none()) {
            return Err(Error::NoHook(account(&hooks)));
        }
        let ring = map(&mut ebpf, "EVENTS")?;
        let lost = map(&mut ebpf, "LOST")?;
        Ok(Self {
            hooks,
            symbols,
            mask,
            ring: Some(ring),
            lost,
            _breakpoints: breakpoints,
            _ebpf: ebpf,
        })
    }

    /// The ring buffer; `None` when it was taken before.
    pub fn take_ring(&mut self) -> Option<RingBuf<MapData>> {
        self.ring.take()
    }

    /// How many records found no room in the ring since the watch began.
    pub fn lost(&self) -> Result<u64, Error> {
        let per_cpu = self.lost.get(&loss::RING, 0).map_err(map_error("LOST"))?;
        Ok(per_cpu.iter().sum())
    }
}

/// Each layer on a line: what won, or why nothing did.
#[must_use]
pub fn account(hooks: &[Hook]) -> String {
    let line = |hook: &Hook| {
        let mechanism = hook.mechanism.as_deref().unwrap_or("none");
        let reason = hook
            .reason
            .as_ref()
            .map_or_else(String::new, |reason| format!(": {reason}"));
        format!("  {:<17} {mechanism}{reason}", hook.layer)
    };
    hooks.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn load(globals: &[(&'static str, u64)]) -> Result<Ebpf, Error> {
    let mut loader = EbpfLoader::new();
    for (name, value) in globals {
        loader.override_global(name, value, true);
    }
    Ok(loader.load(OBJECT).map_err(Box::new)?)
}

/// Borrowed and not taken: a map that is taken and dropped is gone before its programs are loaded.
fn last_mask(ebpf: &mut Ebpf, mask: Mask) -> Result<(), Error> {
    let name = "LAST_MASK";
    let missing = || aya::maps::MapError::InvalidName {
        name: name.to_owned(),
    };
    let map = ebpf
        .map_mut(name)
        .ok_or_else(missing)
        .map_err(map_error(name))?;
    let mut last = Array::try_from(map).map_err(map_error(name))?;
    last.set(0, mask.0, 0).map_err(map_error(name))
}

/// Takes a map; the programs that use it keep it alive.
fn map<M>(ebpf: &mut Ebpf, name: &'static str) -> Result<M, Error>
where
    M: TryFrom<aya::maps::Map, Error = aya::maps::MapError>,
{
    let missing = || aya::maps::MapError::InvalidName {
        name: name.to_owned(),
    };
    ebpf.take_map(name)
        .ok_or_else(missing)
        .and_then(M::try_from)
        .map_err(map_error(name))
}

fn map_error(name: &'static str) -> impl FnOnce(aya::maps::MapError) -> Error {
    move |error| Error::Map {
        name,
        error: Box::new(error),
    }
}

/// Watches the mask on every CPU, or on none: a watch with a blind CPU would prove nothing.
fn mask_watch(ebpf: &mut Ebpf, symbols: &Kallsyms) -> (Hook, Vec<OwnedFd>) {
    match breakpoints(ebpf, symbols) {
        Ok(opened) => (hook("mask_watch", Some("breakpoint"), None), opened),
        Err(reason) => (hook("mask_watch", None, Some(reason)), Vec::new()),
    }
}

fn breakpoints(ebpf: &mut Ebpf, symbols: &Kallsyms) -> Result<Vec<OwnedFd>, String> {
    let address = symbols
        .address("tainted_mask")
        .ok_or("tainted_mask is not in kallsyms (CONFIG_KALLSYMS_ALL)")?;
    let program: &mut PerfEvent = program(ebpf, "mask_watch").map_err(|error| explain(&error))?;
    program.load().map_err(|error| explain(&error))?;
    let program = program.fd().map_err(|error| explain(&error))?.as_fd();
    let cpus = aya::util::online_cpus().map_err(|(path, error)| format!("{path}: {error}"))?;
    cpus.into_iter()
        .map(|cpu| {
            breakpoint::open(address, cpu, program)
                .map_err(|error| format!("no breakpoint on CPU {cpu}: {error}"))
        })
        .collect()
}
