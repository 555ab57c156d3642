//! Loads the kernel half and hooks it up, each layer by the best mechanism that this kernel takes.
//!
//! In: the eBPF object inside this executable, the running kernel. Out: the ring buffer, the counts,
//! and an account of what won. The watch lives as long as [`Watch`] does.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use aya::{
    Ebpf, EbpfLoader,
    maps::{Array, MapData, RingBuf},
    programs::PerfEvent,
};

use taintwatch_common::counter;

use super::{
    Error, Mechanism, Without, breakpoint,
    counts::Counts,
    ladder::{self, Types, explain, hook, program},
    target::{self, Globals},
};
use crate::{
    event::{Hook, Mask},
    kernel::{btf::Btf, capability, kallsyms::Kallsyms, mask, mask_symbol, prerequisites},
};

static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/taintwatch-ebpf"));

/// The layer whose absence is a gap in itself.
pub const MASK_WATCH: &str = "mask_watch";

/// Symbols that are asked for later on: the mask, and what kretprobes put in the place of a return address.
const NEEDED_AGAIN: [&str; 4] = [
    "tainted_mask",
    "kretprobe_trampoline",
    "__kretprobe_trampoline",
    "arch_rethook_trampoline",
];

/// A running watch.
pub struct Watch {
    /// Each layer, and what won.
    pub hooks: Vec<Hook>,
    pub symbols: Kallsyms,
    /// The mask when the watch began.
    pub mask: Mask,
    /// The kernel resolves addresses when an event happens.
    pub resolves_symbols: bool,
    pub counts: Counts,
    ring: Option<RingBuf<MapData>>,
    breakpoints: Vec<(u32, OwnedFd)>,
    /// Holds the programs and their links.
    ebpf: Ebpf,
}

impl Watch {
    /// Begins to watch. A layer that cannot be had is told in `hooks`; it is an error only when no
    /// hook that sees a taint can be had.
    pub fn begin(without: &Without) -> Result<Self, Error> {
        if without.without.contains(&Mechanism::Bpf) {
            return Err(Error::RuledOut);
        }
        prerequisites::check()?;
        let mut symbols = Kallsyms::read()?;
        let globals = target::globals(&Btf::read()?, &symbols);
        let resolves_symbols = target::resolves_symbols(&symbols);
        if resolves_symbols {
            // The kernel names code when it acts; of its list only this is needed again.
            symbols = symbols.only(&NEEDED_AGAIN);
        }
        trim_heap();
        let mut ebpf = load(&globals)?;
        trim_heap();
        // Read anew, since aya keeps its own copy while it loads: one at a time is enough memory.
        let types = Types {
            aya: aya::Btf::from_sys_fs().ok(),
            own: Btf::read()?,
        };
        let mut hooks = ladder::attach(&mut ebpf, &types, without, &ladder::ALWAYS);
        #[cfg(feature = "bpf-log")]
        super::developer_log::follow(&mut ebpf);
        let mask = mask::read()?;
        last_mask(&mut ebpf, mask)?;
        let (watch, breakpoints) = mask_watch(&mut ebpf, &symbols, without);
        if watch.mechanism.is_none() {
            hooks.extend(ladder::attach(
                &mut ebpf,
                &types,
                without,
                &ladder::WITHOUT_WATCH,
            ));
        }
        hooks.insert(0, watch);
        if hooks.iter().take(2).all(|hook| hook.mechanism.is_none()) {
            return Err(Error::NoHook(hooks));
        }
        Ok(Self {
            hooks,
            mask,
            resolves_symbols,
            symbols,
            ring: Some(map(&mut ebpf, "EVENTS")?),
            counts: Counts::take(&mut ebpf)?,
            breakpoints,
            ebpf,
        })
    }

    /// The ring buffer; `None` when it was taken before.
    pub fn take_ring(&mut self) -> Option<RingBuf<MapData>> {
        self.ring.take()
    }

    /// CPUs that the mask watch covers.
    pub fn watched_cpus(&self) -> impl Iterator<Item = u32> {
        self.breakpoints.iter().map(|(cpu, _)| *cpu)
    }

    /// Watches the mask on CPUs that came since; gives those that cannot be watched, and why.
    pub fn follow_cpus(&mut self, online: &[u32], address: u64) -> Vec<(u32, String)> {
        self.breakpoints.retain(|(cpu, _)| online.contains(cpu));
        let watched: Vec<_> = self.watched_cpus().collect();
        let mut failed = Vec::new();
        for cpu in online.iter().filter(|cpu| !watched.contains(cpu)) {
            let opened = watch_program(&mut self.ebpf).and_then(|program| {
                breakpoint::open(address, *cpu, program).map_err(|error| error.to_string())
            });
            match opened {
                Ok(fd) => self.breakpoints.push((*cpu, fd)),
                Err(why) => failed.push((*cpu, why)),
            }
        }
        failed
    }

    /// Proves that hooks on functions fire, by reading the sysctl: with `kernel.ftrace_enabled=0` they can be attached,
    /// and stay silent.
    pub fn prove_hooks(&self) -> Result<(), String> {
        let hooked = |hook: &&Hook| hook.layer == "sysctl_entry" && hook.mechanism.is_some();
        if !self.hooks.iter().any(|hook| hooked(&hook)) {
            return Ok(());
        }
        let reads = || {
            self.counts
                .counter(counter::READS)
                .map_err(|error| error.to_string())
        };
        let before = reads()?;
        mask::read().map_err(|error| error.to_string())?;
        if reads()? == before {
            return Err(
                "hooks on functions are attached and do not fire: `sysctl kernel.ftrace_enabled=1`"
                    .to_owned(),
            );
        }
        Ok(())
    }

    /// Proves on each watched CPU that a trap reaches the program, by a watchpoint on a variable of this
    /// process: nothing of the kernel is written. Gives the first CPU where it does not.
    pub fn prove(&mut self) -> Result<(), String> {
        let cpus: Vec<_> = self.watched_cpus().collect();
        let program = watch_program(&mut self.ebpf)?;
        for cpu in cpus {
            let proven = || {
                self.counts
                    .counter(counter::PROVEN)
                    .map_err(|error| error.to_string())
            };
            let before = proven()?;
            breakpoint::trip(cpu, program).map_err(|error| format!("CPU {cpu}: {error}"))?;
            if proven()? == before {
                return Err(format!(
                    "CPU {cpu}: a watchpoint does not reach the program"
                ));
            }
        }
        Ok(())
    }
}

/// Gives free memory back to the kernel: what reading types and symbols took is not needed again.
pub fn trim_heap() {
    // SAFETY: the call touches no memory that is in use.
    unsafe { libc::malloc_trim(0) };
}

/// Each layer on a line: what won, or why nothing did.
#[must_use]
pub fn account(hooks: &[Hook]) -> String {
    let line = |hook: &Hook| {
        let mechanism = hook.mechanism.as_deref().unwrap_or("none");
        let reason = hook
            .reason
            .as_ref()
            .map(|reason| format!(": {reason}"))
            .unwrap_or_default();
        format!("  {:<17} {mechanism}{reason}", hook.layer)
    };
    hooks.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn load(globals: &Globals) -> Result<Ebpf, Error> {
    let mut loader = EbpfLoader::new();
    for (name, value) in &globals.single {
        loader.override_global(name, value, true);
    }
    let reporters: Vec<u64> = globals.reporters.iter().flatten().copied().collect();
    loader.override_global("REPORTERS", reporters.as_slice(), true);
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
pub(super) fn map<M>(ebpf: &mut Ebpf, name: &'static str) -> Result<M, Error>
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
fn mask_watch(
    ebpf: &mut Ebpf,
    symbols: &Kallsyms,
    without: &Without,
) -> (Hook, Vec<(u32, OwnedFd)>) {
    let opened = without
        .allows("breakpoint")
        .and_then(|()| breakpoints(ebpf, symbols));
    match opened {
        Ok(opened) => (hook(MASK_WATCH, Some("breakpoint"), None), opened),
        Err(reason) => (
            hook(MASK_WATCH, None, Some(format!("breakpoint: {reason}"))),
            Vec::new(),
        ),
    }
}

fn breakpoints(ebpf: &mut Ebpf, symbols: &Kallsyms) -> Result<Vec<(u32, OwnedFd)>, String> {
    let address = mask_symbol::find(symbols, &capability::status());
    let address = address.map_err(|hidden| hidden.to_string())?;
    let perf_event: &mut PerfEvent = program(ebpf, MASK_WATCH).map_err(|error| explain(&error))?;
    perf_event.load().map_err(|error| explain(&error))?;
    let program = watch_program(ebpf)?;
    online_cpus()?
        .into_iter()
        .map(|cpu| match breakpoint::open(address, cpu, program) {
            Ok(fd) => Ok((cpu, fd)),
            Err(error) => Err(refused(cpu, &error)),
        })
        .collect()
}

/// Why a breakpoint could not be had.
fn refused(cpu: u32, error: &std::io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::EACCES | libc::EPERM) => format!(
            "not permitted on CPU {cpu}: {error} (kernel.perf_event_paranoid is 3: then Debian's kernels ask for \
             CAP_SYS_ADMIN)"
        ),
        Some(libc::ENOSPC | libc::EBUSY) => {
            format!("none is free on CPU {cpu}: {error} (a debugger has them)")
        }
        _ => format!("CPU {cpu}: {error}"),
    }
}

/// The CPUs that run.
pub fn online_cpus() -> Result<Vec<u32>, String> {
    aya::util::online_cpus().map_err(|(path, error)| format!("{path}: {error}"))
}

fn watch_program(ebpf: &mut Ebpf) -> Result<BorrowedFd<'_>, String> {
    let program: &mut PerfEvent = program(ebpf, MASK_WATCH).map_err(|error| explain(&error))?;
    Ok(program.fd().map_err(|error| explain(&error))?.as_fd())
}
