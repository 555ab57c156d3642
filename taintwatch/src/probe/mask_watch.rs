//! The watchpoint on `tainted_mask`, on every CPU.
//!
//! In: the loaded object or the pins of an earlier daemon, the mask's address. Out: watchpoints by CPU, or why there are
//! none. A map holds their events, so that they live as long as it does, and not only as long as this process.

use std::{
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    path::Path,
};

use aya::{
    Ebpf,
    maps::MapData,
    programs::{PerfEvent, ProgramInfo},
};

use super::{
    bpf, breakpoint,
    hooks::MASK_WATCH,
    maps::Maps,
    mechanism::{Mechanism, Without},
    pins,
    program::{self, errno, explain},
};
use crate::kernel::{build_options::BuildOptions, capability, kallsyms::Kallsyms, mask_address};

/// The map of the events, and the program that asks it.
const EVENTS: &str = "WATCHPOINTS";
const WATCH_ALIVE: &str = "watch_alive";

/// What a watchpoint needs.
pub(super) struct Programs {
    /// Runs at each write.
    pub(super) mask_watch: OwnedFd,
    /// Asks whether the watchpoint of a CPU counts.
    pub(super) watch_alive: OwnedFd,
    /// The map that holds the events.
    events: OwnedFd,
}

/// The watchpoint of a CPU.
struct Watched {
    cpu: u32,
    /// Absent where an earlier daemon set it: a map gives no descriptor back.
    event: Option<OwnedFd>,
}

/// Watchpoints, each with its CPU; none where the programs are missing.
#[derive(Default)]
pub(super) struct Watchpoints {
    cpus: Vec<Watched>,
    programs: Option<Programs>,
}

impl Watchpoints {
    /// Sets one on every CPU, or on none: a CPU without one would see nothing.
    pub(super) fn open(
        ebpf: &mut Ebpf,
        symbols: &Kallsyms,
        options: &BuildOptions,
        without: &Without,
    ) -> Result<Self, String> {
        without.allows(Mechanism::Breakpoint)?;
        let address = mask_address::find(symbols, &capability::status());
        let address = address.map_err(|hidden| hidden.to_string())?;
        let programs = Programs {
            mask_watch: load(ebpf, MASK_WATCH)?,
            watch_alive: load(ebpf, WATCH_ALIVE)?,
            events: events(ebpf)?,
        };
        let mut all = Self::default();
        for cpu in online_cpus()? {
            let set = programs.set(address, cpu);
            let set = set.map_err(|error| refused(cpu, &error, options))?;
            all.cpus.push(set);
        }
        all.programs = Some(programs);
        Ok(all)
    }

    /// Those that an earlier daemon set. Whether each still counts is not known yet.
    pub(super) fn adopt(folder: &Path) -> Result<Self, String> {
        let program = |name| {
            let pinned = ProgramInfo::from_pin(pins::program_pin(folder, name));
            let fd = pinned.and_then(|program| program.fd());
            let fd = fd.map_err(|error| explain(&error))?;
            fd.as_fd()
                .try_clone_to_owned()
                .map_err(|error| errno(&error))
        };
        let events = Maps::Pinned(folder.to_owned()).data(EVENTS);
        let events = events.map_err(|error| error.to_string())?;
        let adopted = |cpu| Watched { cpu, event: None };
        Ok(Self {
            cpus: online_cpus()?.into_iter().map(adopted).collect(),
            programs: Some(Programs {
                mask_watch: program(MASK_WATCH)?,
                watch_alive: program(WATCH_ALIVE)?,
                events: own(&events)?,
            }),
        })
    }

    pub(super) fn cpus(&self) -> impl Iterator<Item = u32> {
        self.cpus.iter().map(|watched| watched.cpu)
    }

    pub(super) const fn programs(&self) -> Option<&Programs> {
        self.programs.as_ref()
    }

    /// How long each has been in place that this process set.
    pub(super) fn enabled_ns(&self) -> Vec<(u32, Option<u64>)> {
        let own = self.cpus.iter().filter_map(|watched| {
            let event = watched.event.as_ref()?.as_fd();
            Some((watched.cpu, breakpoint::enabled_ns(event)))
        });
        own.collect()
    }

    /// CPUs whose watchpoint an earlier daemon set.
    pub(super) fn adopted(&self) -> Vec<u32> {
        let adopted = self.cpus.iter().filter(|watched| watched.event.is_none());
        adopted.map(|watched| watched.cpu).collect()
    }

    /// Sets one on each CPU that has none, and forgets those of CPUs that are gone. Gives the CPUs where it failed, and
    /// why.
    pub(super) fn follow(&mut self, online: &[u32], address: u64) -> Vec<(u32, String)> {
        let Some(programs) = &self.programs else {
            return Vec::new();
        };
        let gone = |watched: &mut Watched| !online.contains(&watched.cpu);
        for Watched { cpu, .. } in self.cpus.extract_if(.., gone) {
            if let Err(error) = bpf::remove_event(programs.events.as_fd(), cpu) {
                log::warn!("the watchpoint of CPU {cpu} cannot be removed: {error}");
            }
        }
        let mut failed = Vec::new();
        for cpu in online {
            if self.cpus.iter().any(|watched| watched.cpu == *cpu) {
                continue;
            }
            match programs.set(address, *cpu) {
                Ok(set) => self.cpus.push(set),
                Err(error) => failed.push((*cpu, errno(&error))),
            }
        }
        self.cpus.sort_unstable_by_key(|watched| watched.cpu);
        failed
    }
}

impl Programs {
    /// Sets the watchpoint of a CPU, which the map then holds.
    fn set(&self, address: u64, cpu: u32) -> std::io::Result<Watched> {
        let event = breakpoint::open(address, cpu, self.mask_watch.as_fd())?;
        bpf::keep_event(self.events.as_fd(), cpu, event.as_fd())?;
        Ok(Watched {
            cpu,
            event: Some(event),
        })
    }
}

/// Loads a program for watchpoints.
fn load(ebpf: &mut Ebpf, name: &str) -> Result<OwnedFd, String> {
    let program: &mut PerfEvent = program::by_name(ebpf, name)?;
    program.load().map_err(|error| explain(&error))?;
    let fd: BorrowedFd<'_> = program.fd().map_err(|error| explain(&error))?.as_fd();
    fd.try_clone_to_owned().map_err(|error| errno(&error))
}

/// The map that holds the events.
fn events(ebpf: &Ebpf) -> Result<OwnedFd, String> {
    match ebpf.map(EVENTS) {
        Some(aya::maps::Map::PerfEventArray(map)) => own(map),
        _ => Err(format!("the eBPF object has no map {EVENTS}")),
    }
}

fn own(map: &MapData) -> Result<OwnedFd, String> {
    let fd = map.fd().as_fd().try_clone_to_owned();
    fd.map_err(|error| errno(&error))
}

/// Why a breakpoint could not be set.
fn refused(cpu: u32, error: &std::io::Error, options: &BuildOptions) -> String {
    let errno = errno(error);
    match error.raw_os_error() {
        Some(libc::EACCES | libc::EPERM) => format!(
            "not permitted on CPU {cpu}: {errno} (kernel.perf_event_paranoid is 3: then Debian's kernels ask for \
             CAP_SYS_ADMIN)"
        ),
        Some(libc::ENOSPC | libc::EBUSY) => {
            format!("none is free on CPU {cpu}: {errno} (a debugger has them)")
        }
        _ => match options.first_missing(Mechanism::Breakpoint.needs().iter().copied()) {
            Some(option) => format!("this kernel is built without {option}"),
            None => format!("CPU {cpu}: {errno}"),
        },
    }
}

/// The CPUs that run.
pub fn online_cpus() -> Result<Vec<u32>, String> {
    aya::util::online_cpus().map_err(|(path, error)| format!("{path}: {error}"))
}
