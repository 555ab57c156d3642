//! The guest's clock, which counts instructions.

use anyhow::Result;
use nix::time::{ClockId, clock_gettime};

/// How often each thing is done: the cheapest time has the fewest interrupts in it.
const TRIES: u32 = 3;

/// Instructions since the machine began.
pub(crate) fn now() -> Result<u64> {
    let time = clock_gettime(ClockId::CLOCK_BOOTTIME)?;
    let nanoseconds = time.tv_sec() * 1_000_000_000 + time.tv_nsec();
    Ok(u64::try_from(nanoseconds)?)
}

/// Instructions that `work` takes, once.
pub(crate) fn once(work: impl FnOnce() -> Result<()>) -> Result<u64> {
    let began = now()?;
    work()?;
    Ok(now()?.saturating_sub(began))
}

/// The least of some tries.
pub(crate) fn least(mut work: impl FnMut() -> Result<()>) -> Result<u64> {
    let mut least = u64::MAX;
    for _ in 0..TRIES {
        least = least.min(once(&mut work)?);
    }
    Ok(least)
}
