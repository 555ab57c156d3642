//! What takes a watchpoint away: a CPU that goes and comes, a machine that sleeps.
//!
//! In: the kernel's uevents of CPUs; a timer that the kernel cancels when the clock is set, which a resume does. Out:
//! that one of them happened. Without them the recorder finds out when it looks.

use std::{
    io,
    os::fd::{AsFd as _, AsRawFd, RawFd},
};

use nix::sys::{
    time::{TimeSpec, TimeValLike as _},
    timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags},
};
use tokio::io::{Interest, unix::AsyncFd};

use crate::kernel::uevent::Uevents;

/// In 2223: more than nix takes is a panic.
const FAR_SECONDS: i64 = 8_000_000_000;

/// Both sources, as far as they can be had.
pub(super) struct Wake {
    uevents: Option<AsyncFd<Uevents>>,
    clock: Option<AsyncFd<Clock>>,
}

impl Wake {
    pub(super) fn begin() -> Self {
        Self {
            uevents: or_warn(Uevents::open(), "CPUs that come and go"),
            clock: or_warn(Clock::open(), "a resume"),
        }
    }

    /// Until a CPU came or went, or the clock was set. To stop waiting loses nothing.
    pub(super) async fn woken(&mut self) {
        let cpus = async {
            let Some(uevents) = &mut self.uevents else {
                return std::future::pending().await;
            };
            loop {
                let Ok(mut ready) = uevents.readable_mut().await else {
                    return std::future::pending().await;
                };
                let is_of_cpu = ready.get_inner_mut().take_cpus();
                ready.clear_ready();
                if is_of_cpu {
                    return;
                }
            }
        };
        let clock = async {
            let Some(clock) = &mut self.clock else {
                return std::future::pending().await;
            };
            let Ok(mut ready) = clock.readable_mut().await else {
                return std::future::pending().await;
            };
            let taken = ready.get_inner_mut().take();
            ready.clear_ready();
            if let Err(error) = taken {
                log::debug!("the timer that a resume cancels: {error}");
            }
        };
        tokio::select! {
            () = cpus => {}
            () = clock => {}
        }
    }
}

/// A timer of the wall clock that ends only when that is set.
struct Clock(TimerFd);

impl Clock {
    fn open() -> io::Result<Self> {
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        let clock = Self(TimerFd::new(ClockId::CLOCK_REALTIME, flags)?);
        clock.set()?;
        Ok(clock)
    }

    fn set(&self) -> io::Result<()> {
        let flags =
            TimerSetTimeFlags::TFD_TIMER_ABSTIME | TimerSetTimeFlags::TFD_TIMER_CANCEL_ON_SET;
        let far = Expiration::OneShot(TimeSpec::seconds(FAR_SECONDS));
        Ok(self.0.set(far, flags)?)
    }

    /// Takes the news, and waits for the next.
    fn take(&self) -> io::Result<()> {
        // It was cancelled: an error that says so, or nothing.
        _ = self.0.wait();
        self.set()
    }
}

impl AsRawFd for Clock {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

fn or_warn<T: AsRawFd>(source: io::Result<T>, of: &str) -> Option<AsyncFd<T>> {
    let waiting = source.and_then(|source| {
        // SAFETY: the source owns its descriptor and never replaces it.
        let fd = unsafe { AsyncFd::register_with_interest(source, Interest::READABLE) };
        fd.map_err(io::Error::from)
    });
    if let Err(error) = &waiting {
        log::warn!("the recorder looks for {of} now and then, and is not notified: {error}");
    }
    waiting.ok()
}
