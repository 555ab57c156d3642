//! How often the recorder wakes up while nothing happens.

use std::{fs, thread, time::Duration};

use anyhow::Result;

use crate::{count, recorder::Recorder};

const MINUTE: Duration = Duration::from_mins(1);
/// By then nothing of the start is left.
const SETTLED: u32 = 3;

/// Counts the wake-ups of the minute that follows now, and of one some minutes later. The guest's clock does not wait
/// while nothing runs.
pub(crate) fn run(recorder: &Recorder) -> Result<()> {
    count("idle.first_minute", minute(recorder)?);
    thread::sleep(MINUTE * SETTLED);
    count("idle.minute", minute(recorder)?);
    Ok(())
}

fn minute(recorder: &Recorder) -> Result<u64> {
    let before = wakeups(recorder.pid())?;
    thread::sleep(MINUTE);
    Ok(wakeups(recorder.pid())?.saturating_sub(before))
}

/// Each sleep of a thread ends with one.
fn wakeups(pid: u32) -> Result<u64> {
    let mut sum = 0;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))?.filter_map(Result::ok) {
        let status = fs::read_to_string(thread.path().join("status")).unwrap_or_default();
        let field = status
            .lines()
            .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        sum += field
            .and_then(|text| text.trim().parse::<u64>().ok())
            .unwrap_or(0);
    }
    Ok(sum)
}
