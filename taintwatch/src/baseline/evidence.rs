//! Reads what a running kernel still tells of the time before the watch.
//!
//! In: `/dev/kmsg` from its oldest record on, `/proc/modules`, `/proc/cmdline`, and where they are there the journal
//! and `unloaded_tainted`. Out: evidence. What cannot be read is left out: the flags that it would explain then stay
//! unexplained.

use std::fs;

use super::{Evidence, module};
use crate::{
    event::Mask,
    kernel::kmsg::{From, Kmsg, Next},
    transcript::{Line, Scanner, Sighting},
};

/// Kept of a log: a storm of warnings repeats itself.
const MOST: usize = 2000;
const UNLOADED: &str = "/sys/kernel/debug/modules/unloaded_tainted";

/// Reads it all; `mask` is that of the beginning of the watch.
#[must_use]
pub fn read(mask: Mask) -> Evidence {
    let (sightings, log_is_whole) = log().unwrap_or_else(|error| {
        log::warn!("the kernel log of the time before the watch: {error}");
        (Vec::new(), false)
    });
    let text = |path| fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let mut modules = module::loaded(&text("/proc/modules").unwrap_or_default());
    modules.extend(module::unloaded(&text(UNLOADED).unwrap_or_default()));
    Evidence {
        mask,
        sightings,
        log_is_whole,
        modules,
        command_line: text("/proc/cmdline").unwrap_or_default(),
    }
}

/// What the log tells, and whether its beginning is there.
fn log() -> std::io::Result<(Vec<Sighting>, bool)> {
    let mut kmsg = Kmsg::open(From::Oldest)?;
    let mut scanner = Scanner::new();
    let mut sightings = Vec::new();
    let mut first = None;
    loop {
        match kmsg.read()? {
            Next::Line(line) => {
                first.get_or_insert(line.seq);
                sightings.extend(scanner.push(&Line {
                    number: line.seq,
                    since_boot: Some(line.time_us.saturating_mul(1000)),
                    caller: line.caller.as_deref(),
                    ..Line::of(&line.text)
                }));
            }
            Next::Gap => first = Some(u64::MAX),
            Next::End => break,
        }
        sightings.truncate(MOST);
    }
    sightings.extend(scanner.finish());
    Ok((sightings, first == Some(0)))
}
