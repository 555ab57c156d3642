//! Proof that what is attached also fires, without a write to anything of the kernel.
//!
//! In: the attached programs and their counters. Out: nothing, or what does not fire.

use aya::Ebpf;
use taintwatch_common::counter;

use super::{breakpoint, counts::Counts, mask_watch};
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
pub(super) fn watchpoints(ebpf: &mut Ebpf, counts: &Counts, cpus: &[u32]) -> Result<(), String> {
    let program = mask_watch::loaded(ebpf)?;
    for cpu in cpus {
        let before = count(counts, counter::PROVEN)?;
        breakpoint::trip(*cpu, program).map_err(|error| format!("CPU {cpu}: {error}"))?;
        if count(counts, counter::PROVEN)? == before {
            return Err(format!(
                "CPU {cpu}: a watchpoint does not reach the program"
            ));
        }
    }
    Ok(())
}

fn count(counts: &Counts, index: u32) -> Result<u64, String> {
    counts.counter(index).map_err(|error| error.to_string())
}
