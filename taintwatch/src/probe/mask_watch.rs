//! The watchpoint on `tainted_mask`, on every CPU.
//!
//! In: the loaded object, the mask's address. Out: open watchpoints by CPU, or why there are none.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use aya::{Ebpf, programs::PerfEvent};

use super::{
    breakpoint,
    hooks::MASK_WATCH,
    mechanism::{Mechanism, Without},
    program::{self, errno, explain},
};
use crate::kernel::{build_options::BuildOptions, capability, kallsyms::Kallsyms, mask_address};

/// Open watchpoints, each with its CPU.
#[derive(Default)]
pub(super) struct Watchpoints(Vec<(u32, OwnedFd)>);

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
        let perf_event: &mut PerfEvent = program::by_name(ebpf, MASK_WATCH)?;
        perf_event.load().map_err(|error| explain(&error))?;
        let program = loaded(ebpf)?;
        let mut all = Self::default();
        for cpu in online_cpus()? {
            let opened = breakpoint::open(address, cpu, program);
            let opened = opened.map_err(|error| refused(cpu, &error, options))?;
            all.0.push((cpu, opened));
        }
        Ok(all)
    }

    pub(super) fn cpus(&self) -> impl Iterator<Item = u32> {
        self.0.iter().map(|(cpu, _)| *cpu)
    }

    /// How long each has been in place.
    pub(super) fn enabled_ns(&self) -> Vec<(u32, Option<u64>)> {
        let all = self.0.iter();
        all.map(|(cpu, event)| (*cpu, breakpoint::enabled_ns(event.as_fd())))
            .collect()
    }

    /// Sets one on each CPU that has none, and forgets those of CPUs that are gone. Gives the CPUs where it failed, and
    /// why.
    pub(super) fn follow(
        &mut self,
        ebpf: &mut Ebpf,
        online: &[u32],
        address: u64,
    ) -> Vec<(u32, String)> {
        self.0.retain(|(cpu, _)| online.contains(cpu));
        let watched: Vec<_> = self.cpus().collect();
        let mut failed = Vec::new();
        for cpu in online.iter().filter(|cpu| !watched.contains(cpu)) {
            let opened = loaded(ebpf).and_then(|program| {
                breakpoint::open(address, *cpu, program).map_err(|error| errno(&error))
            });
            match opened {
                Ok(fd) => self.0.push((*cpu, fd)),
                Err(why) => failed.push((*cpu, why)),
            }
        }
        failed
    }
}

/// The program that a watchpoint runs, once it is loaded.
pub(super) fn loaded(ebpf: &mut Ebpf) -> Result<BorrowedFd<'_>, String> {
    let program: &mut PerfEvent = program::by_name(ebpf, MASK_WATCH)?;
    Ok(program.fd().map_err(|error| explain(&error))?.as_fd())
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
