//! Proof that what is attached also fires, without a write to anything of the kernel.
//!
//! In: the attached programs and their counters. Out: nothing, or what does not fire.

use std::os::fd::{AsFd as _, BorrowedFd};

use taintwatch_common::counter;

use super::{breakpoint, counts::Counts, mask_watch::Programs};
use crate::kernel::mask;

/// A read of the sysctl reaches the hook on `proc_taint`: with `kernel.ftrace_enabled=0` hooks on functions can be
/// attached and never fire.
pub(super) fn functions(counts: &Counts) -> Result<(), String> {
    let before = count(counts, counter::READS)?;
    mask::read().map_err(|error| error.to_string())?;
    if count(counts, counter::READS)? == before {
        return Err(
            "hooks on functions are attached and do not fire: `sysctl kernel.ftrace_enabled=1`"
                .to_owned(),
        );
    }
    Ok(())
}

/// A watchpoint on a variable of this process reaches the program on each of these CPUs. Gives the first CPU where it
/// does not.
pub(super) fn watchpoints(
    programs: &Programs,
    counts: &Counts,
    cpus: &[u32],
) -> Result<(), String> {
    for cpu in cpus {
        let traps = trap_counts(programs.mask_watch.as_fd(), counts, (counter::PROVEN, *cpu))?;
        if !traps {
            return Err(format!(
                "CPU {cpu}: a watchpoint does not reach the program"
            ));
        }
    }
    Ok(())
}

/// Those of these CPUs on which the watchpoint of the mask does not count.
pub(super) fn dead(programs: &Programs, counts: &Counts, cpus: &[u32]) -> Result<Vec<u32>, String> {
    let mut dead = Vec::new();
    for cpu in cpus {
        let program = programs.watch_alive.as_fd();
        if !trap_counts(program, counts, (counter::ALIVE, *cpu))? {
            dead.push(*cpu);
        }
    }
    Ok(dead)
}

/// Whether a trap on a CPU makes the program count.
fn trap_counts(
    program: BorrowedFd<'_>,
    counts: &Counts,
    (counter, cpu): (u32, u32),
) -> Result<bool, String> {
    let before = count(counts, counter)?;
    breakpoint::trip(cpu, program).map_err(|error| format!("CPU {cpu}: {error}"))?;
    Ok(count(counts, counter)? != before)
}

fn count(counts: &Counts, index: u32) -> Result<u64, String> {
    counts.counter(index).map_err(|error| error.to_string())
}
