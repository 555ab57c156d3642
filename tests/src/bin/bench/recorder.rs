//! The recorder: how long it takes to be armed, what its programs cost.

use std::{
    fs,
    os::unix::net::UnixDatagram,
    process::{Child, Command, Stdio},
    time::{Duration, SystemTime},
};

use anyhow::{Context as _, Result, ensure};
use aya::programs::{ProgramInfo, loaded_programs};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{clock, count, work};

const NOTIFY: &str = "/run/bench.notify";
const STATS: &str = "/proc/sys/kernel/bpf_stats_enabled";
/// Records that a key may send at once.
const BURST: u64 = 8;

pub(crate) struct Recorder(Child);

/// Starts it, and counts until its first program is loaded and until it says that it is ready.
pub(crate) fn start() -> Result<Recorder> {
    let ready = UnixDatagram::bind(NOTIFY)?;
    ready.set_read_timeout(Some(Duration::from_mins(10)))?;
    let (began, began_at) = (clock::now()?, SystemTime::now());
    let child = Command::new("taintwatch")
        .args([
            "--db",
            "/tmp/bench.db",
            "daemon",
            "--socket",
            "/run/bench.sock",
        ])
        .env("NOTIFY_SOCKET", NOTIFY)
        .stdin(Stdio::null())
        .spawn()
        .context("start taintwatch")?;
    let mut said = [0; 4096];
    loop {
        let len = ready.recv(&mut said).context("taintwatch is not ready")?;
        let text = String::from_utf8_lossy(said.get(..len).unwrap_or_default());
        if text.contains("READY=1") {
            break;
        }
    }
    count("arm.ready", clock::now()?.saturating_sub(began));
    count("arm.cpu", cpu_time(child.id())?);
    // The link is made when the program is loaded.
    let first = programs().iter().filter_map(ProgramInfo::loaded_at).min();
    let first = first
        .context("no program is loaded")?
        .duration_since(began_at);
    count(
        "arm.first_hook",
        u64::try_from(first.unwrap_or_default().as_nanos())?,
    );
    Ok(Recorder(child))
}

/// What the process itself took: the rest it waited for, most for grace periods of the kernel.
fn cpu_time(pid: u32) -> Result<u64> {
    let mut sum = 0;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))?.filter_map(Result::ok) {
        let text = fs::read_to_string(thread.path().join("schedstat")).unwrap_or_default();
        let time = text
            .split(' ')
            .next()
            .and_then(|time| time.parse::<u64>().ok());
        sum += time.unwrap_or(0);
    }
    Ok(sum)
}

fn programs() -> Vec<ProgramInfo> {
    loaded_programs().filter_map(Result::ok).collect()
}

/// How many instructions the verifier followed, a program.
pub(crate) fn verified() -> Result<()> {
    let all = programs();
    ensure!(!all.is_empty(), "no program is loaded");
    for program in all {
        let name = program.name_as_str().unwrap_or_default().to_owned();
        if let Some(verified) = program.verified_instruction_count() {
            count(&format!("verified.{name}"), verified.into());
        }
    }
    Ok(())
}

impl Recorder {
    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Counts what the kernel alone does: the recorder is stopped meanwhile.
    pub(crate) fn calls(&self) -> Result<()> {
        // What the start left to do.
        std::thread::sleep(Duration::from_secs(2));
        self.signal(Signal::SIGSTOP)?;
        let none = clock::least(|| work::storm(0, 4))?;
        let first = clock::once(|| work::storm(1, 4))?;
        count("ours.first", first.saturating_sub(none));
        let more = clock::once(|| work::storm(BURST - 1, 4))?;
        count("ours.record", more.saturating_sub(none) / (BURST - 1));
        work::calls("ours")?;
        work::others("ours")?;
        by_program()?;
        self.signal(Signal::SIGCONT)?;
        std::thread::sleep(Duration::from_secs(2));
        let storm = clock::once(|| work::storm(20_000, work::FLAG))?;
        count("ours.storm", storm / 20_000);
        Ok(())
    }

    /// Resident and most, in KiB.
    pub(crate) fn memory(&self) -> Result<()> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid()))?;
        for (name, field) in [
            ("memory.resident_kib", "VmRSS:"),
            ("memory.peak_kib", "VmHWM:"),
        ] {
            let line = status.lines().find_map(|line| line.strip_prefix(field));
            let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
            count(name, number.with_context(|| format!("no {field}"))?);
        }
        Ok(())
    }

    pub(crate) fn end(mut self) -> Result<()> {
        self.signal(Signal::SIGTERM)?;
        let status = self.0.wait()?;
        ensure!(status.success(), "taintwatch: {status}");
        Ok(())
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill(Pid::from_raw(i32::try_from(self.pid())?), signal)?)
    }
}

/// What each program takes of a repeated call; that it is counted is not in it.
fn by_program() -> Result<()> {
    const CALLS: u64 = 1_000;
    let runs = || {
        let all = programs().into_iter();
        all.map(|it| {
            (
                it.id(),
                it.name_as_str().unwrap_or_default().to_owned(),
                it.run_time(),
            )
        })
        .collect::<Vec<_>>()
    };
    fs::write(STATS, "1")?;
    let before = runs();
    work::storm(CALLS, work::FLAG)?;
    let after = runs();
    fs::write(STATS, "0")?;
    for (id, name, time) in after {
        let was = before.iter().find(|(other, _, _)| *other == id);
        let took = time.saturating_sub(was.map(|it| it.2).unwrap_or_default());
        if !took.is_zero() {
            count(
                &format!("repeat.{name}"),
                u64::try_from(took.as_nanos())? / CALLS,
            );
        }
    }
    Ok(())
}
