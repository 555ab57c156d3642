//! The package, as an administrator has it: installed, enabled, used, configured, stopped, purged.
//!
//! In: `/taintwatch.deb`, systemd as PID 1, the test modules. Out: a line a step. The sandbox of the unit must take
//! nothing from the daemon: coverage, files of modules, arguments.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    process::{Command, Output},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

use crate::{Tally, loading};

const UNIT: &str = "taintwatch.service";
const CONFIGURATION: &str = "/etc/taintwatch/taintwatch.toml";
/// For what an emulated processor does in some seconds.
const PATIENCE: Duration = Duration::from_mins(1);
/// Tenths of what `systemd-analyze security` calls exposure. Less would cost evidence: it counts root, `CAP_SYS_ADMIN`
/// (the watchpoint), `CAP_SYS_PTRACE` and `CAP_DAC_READ_SEARCH` (executables, cgroups), the kernel's log and symbols,
/// and that modules are read.
const EXPOSURE: &str = "26";

/// A name, and what is done.
type Step = (&'static str, fn() -> Result<()>);

pub(crate) fn all() -> Result<()> {
    let mut tally = Tally::default();
    let steps: [Step; 9] = [
        ("package: install", install),
        ("package: enable and start", start),
        ("package: report and journal agree", agree),
        ("package: sandbox", sandbox),
        ("package: reload", reload),
        ("package: watchdog", watchdog),
        ("package: stop", stop),
        ("package: upgrade keeps what was set", upgrade),
        ("package: purge", purge),
    ];
    for (name, step) in steps {
        tally.count(name, step());
    }
    tally.end()
}

/// Nothing is enabled or started by surprise.
fn install() -> Result<()> {
    fs::create_dir_all("/var/cache/apt/archives/partial")?;
    apt(&["install", "/taintwatch.deb"])?;
    let enabled = text(&output("systemctl", &["is-enabled", UNIT])?);
    ensure!(enabled.trim() == "disabled", "is-enabled: {enabled}");
    ensure!(!is_active()?, "it runs before it is started");
    run("getent", &["group", "taintwatch"])?;
    run("systemd-analyze", &["verify", "--man=no", UNIT])?;
    run("taintwatch", &["config", "check"]).map(drop)
}

fn start() -> Result<()> {
    run("systemctl", &["enable", "--now", UNIT])?;
    let status = show("StatusText")?;
    ensure!(
        status.contains("hooks") || status.contains("begins"),
        "status: {status}"
    );
    let status = wait("a status line of the coverage", || {
        let status = show("StatusText")?;
        Ok(status.starts_with("coverage ").then_some(status))
    })?;
    ensure!(status.starts_with("coverage complete"), "status: {status}");
    let group = run("getent", &["group", "taintwatch"])?;
    let group = group
        .split(':')
        .nth(2)
        .context("no number of the group")?
        .parse::<u32>()?;
    for folder in ["/var/lib/taintwatch", "/run/taintwatch"] {
        let found = fs::metadata(folder)?;
        let mode = found.permissions().mode() & 0o7777;
        ensure!(
            (mode, found.uid(), found.gid()) == (0o750, 0, group),
            "{folder}: {mode:o} {} {}",
            found.uid(),
            found.gid()
        );
    }
    Ok(())
}

/// A module from a home folder: the sandbox must show its file to the daemon.
fn agree() -> Result<()> {
    fs::create_dir_all("/root")?;
    fs::copy("/modules/tw_proprietary.ko", "/root/tw_proprietary.ko")?;
    loading::load_file("/root/tw_proprietary.ko", "")?;
    let event = event_of("taint", "tw_proprietary")?;
    ensure!(event["cause"]["confidence"] == "observed", "cause: {event}");
    let load = event_of("module_load", "tw_proprietary")?;
    for pointer in [
        "/module/sha256",
        "/task/exe",
        "/task/cmdline/0",
        "/task/cgroup",
    ] {
        ensure!(load.pointer(pointer).is_some(), "no {pointer}: {load}");
    }
    ensure!(load["task"].get("mount_namespace").is_none(), "{load}");
    run("journalctl", &["--sync"])?;
    let journal = run("journalctl", &["-t", "taintwatch", "-o", "json", "--all"])?;
    explained()?;
    let report = events()?;
    ensure!(report.len() > 3, "{} events", report.len());
    for event in &report {
        let id = event["id"].as_str().unwrap_or_default();
        ensure!(journal.contains(id), "not in the journal: {event}");
    }
    Ok(())
}

/// `journalctl -x` has the words of the flag, and leaves no place of the catalog open.
fn explained() -> Result<()> {
    let shown = run(
        "journalctl",
        &["-x", "-t", "taintwatch", "--no-pager", "TAINT_FLAG=P"],
    )?;
    for wanted in [
        "kernel taint P: a proprietary module was loaded: tw_proprietary",
        "Subject: The kernel was tainted",
        "P (PROPRIETARY_MODULE): ",
        "Support: ",
        "Remedy: ",
    ] {
        ensure!(shown.contains(wanted), "no {wanted:?} in: {shown}");
    }
    let whole = run("journalctl", &["-x", "-t", "taintwatch", "--no-pager"])?;
    ensure!(
        whole.contains("Subject: Monitoring of the kernel"),
        "{whole}"
    );
    let mut lines = whole.lines();
    let open = lines.find(|line| line.starts_with('░') && line.contains("TAINT_"));
    ensure!(open.is_none(), "an open place: {open:?}");
    println!(
        "package: {}",
        shown.lines().take(14).collect::<Vec<_>>().join(" / ")
    );
    Ok(())
}

fn sandbox() -> Result<()> {
    let threshold = format!("--threshold={EXPOSURE}");
    let rated = output(
        "systemd-analyze",
        &["security", "--no-pager", &threshold, UNIT],
    )?;
    let rating = text(&rated);
    let last = rating.lines().rev().find(|line| line.contains("exposure"));
    println!("package: {}", last.unwrap_or_default().trim());
    let bad: Vec<_> = rating
        .lines()
        .filter(|line| line.starts_with('✗'))
        .collect();
    ensure!(rated.status.success(), "{}", bad.join("; "));
    let said = run("journalctl", &["-u", UNIT, "--no-pager", "-p", "warning"])?;
    ensure!(!said.contains("taintwatch: "), "it warned: {said}");
    Ok(())
}

/// What can change while it records is taken over; a wrong file fails the reload and changes nothing.
fn reload() -> Result<()> {
    let shipped = fs::read_to_string(CONFIGURATION)?;
    fs::write(
        CONFIGURATION,
        shipped.replace("#cmdline = true", "cmdline = false"),
    )?;
    run("systemctl", &["reload", UNIT])?;
    wait("the end of the reload", || {
        Ok((show("SubState")? == "running").then_some(()))
    })?;
    loading::load_file("/modules/tw_gpl.ko", "")?;
    let load = event_of("module_load", "tw_gpl")?;
    ensure!(load["task"].get("cmdline").is_none(), "arguments: {load}");
    fs::write(CONFIGURATION, "[record]\ncmd_line = false\n")?;
    let refused = output("systemctl", &["reload", UNIT])?;
    ensure!(!refused.status.success(), "a wrong file was taken");
    let check = output("taintwatch", &["config", "check"])?;
    ensure!(check.status.code() == Some(2), "{check:?}");
    ensure!(is_active()?, "a wrong file ended it");
    fs::write(
        CONFIGURATION,
        shipped.replace("#cmdline = true", "cmdline = false"),
    )?;
    Ok(())
}

/// A daemon that hangs is ended and started anew.
fn watchdog() -> Result<()> {
    fs::create_dir_all("/run/systemd/system/taintwatch.service.d")?;
    let drop_in = "/run/systemd/system/taintwatch.service.d/watchdog.conf";
    fs::write(drop_in, "[Service]\nWatchdogSec=10s\n")?;
    run("systemctl", &["daemon-reload"])?;
    run("systemctl", &["restart", UNIT])?;
    let pid = show("MainPID")?;
    // It is silent for as long only when it hangs.
    sleep(Duration::from_secs(15));
    ensure!(show("MainPID")? == pid, "it was ended without a reason");
    kill(Pid::from_raw(pid.parse()?), Signal::SIGSTOP)?;
    // Between its end and the next start it has no process, and 0 is another number as well.
    wait("another process", || {
        let restarted = show("NRestarts")? != "0" && show("MainPID")? != pid;
        Ok((restarted && is_active()?).then_some(()))
    })?;
    ensure!(
        show("NRestarts")? == "1",
        "restarts: {}",
        show("NRestarts")?
    );
    fs::remove_dir_all("/run/systemd/system/taintwatch.service.d")?;
    run("systemctl", &["daemon-reload"]).map(drop)
}

fn stop() -> Result<()> {
    run("systemctl", &["stop", UNIT])?;
    ensure!(show("Result")? == "success", "result: {}", show("Result")?);
    let events_then = events()?;
    let last = events_then.last().context("no events")?;
    ensure!(last["coverage"]["state"] == "ended", "last: {last}");
    ensure!(
        last["coverage"]["reason"]
            .as_str()
            .is_some_and(|why| why.starts_with("stopped by SIGTERM; the eBPF programs stay")),
        "last: {last}"
    );
    // What happens while it is stopped is in the history of the next one, and the upgrade below leaves no gap either.
    loading::load_file("/modules/tw_storm.ko", "")?;
    run("systemctl", &["start", UNIT])?;
    let load = event_of("module_load", "tw_storm")?;
    ensure!(load["module"]["path"] == "/modules/tw_storm.ko", "{load}");
    no_gaps()
}

/// Nothing after the first daemon began is a gap.
fn no_gaps() -> Result<()> {
    let status = output("taintwatch", &["status", "--json"])?;
    let status: Value = serde_json::from_str(&text(&status))?;
    let holes = status["holes"].as_array().context("no holes")?;
    let known = |hole: &Value| hole["reason"] == "before monitoring began";
    ensure!(holes.iter().all(known), "gaps: {holes:?}");
    Ok(())
}

/// The same package again, as dpkg upgrades: it runs on, and history and configuration stay.
fn upgrade() -> Result<()> {
    let (pid, before) = (show("MainPID")?, events()?.len());
    let configuration = fs::read(CONFIGURATION)?;
    run("dpkg", &["--install", "/taintwatch.deb"])?;
    wait("the restart", || {
        Ok((is_active()? && show("MainPID")? != pid).then_some(()))
    })?;
    ensure!(
        fs::read(CONFIGURATION)? == configuration,
        "the configuration was replaced"
    );
    ensure!(events()?.len() > before, "the history was replaced");
    no_gaps()
}

fn purge() -> Result<()> {
    apt(&["purge", "taintwatch"])?;
    let found = run(
        "find",
        &[
            "/etc",
            "/usr",
            "/var",
            "/run",
            "-xdev",
            "-iname",
            "*taintwatch*",
            "-not",
            "-path",
            "/run/systemd/units/*",
        ],
    )?;
    // What is left of dpkg's own log, and of the journal's entries, is not the package's.
    let left: Vec<_> = found
        .lines()
        .filter(|path| !path.starts_with("/var/log/"))
        .collect();
    ensure!(left.is_empty(), "left behind: {left:?}");
    ensure!(
        !fs::exists("/sys/fs/bpf/taintwatch")?,
        "pins are left behind"
    );
    run("getent", &["group", "taintwatch"])
        .context("the group is gone")
        .map(drop)
}

/// The event of the report of this kind and module, once it is there.
fn event_of(kind: &str, module: &str) -> Result<Value> {
    wait(&format!("{kind} of {module}"), || {
        let found = events()?.into_iter().rev();
        let mut found =
            found.filter(|event| event["kind"] == kind && event["module"]["name"] == module);
        // Its file is read after it is recorded.
        Ok(found.find(|event| event["module"].get("sha256").is_some()))
    })
}

fn events() -> Result<Vec<Value>> {
    let report = run("taintwatch", &["report", "--json"])?;
    Ok(report
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?)
}

fn wait<T>(what: &str, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let began = Instant::now();
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if began.elapsed() > PATIENCE {
            bail!(
                "no {what}; {}",
                text(&output("systemctl", &["status", "--no-pager", UNIT])?)
            );
        }
        sleep(Duration::from_millis(500));
    }
}

fn is_active() -> Result<bool> {
    Ok(output("systemctl", &["is-active", "--quiet", UNIT])?
        .status
        .success())
}

fn show(property: &str) -> Result<String> {
    let value = run(
        "systemctl",
        &["show", "--value", "--property", property, UNIT],
    )?;
    Ok(value.trim().to_owned())
}

fn apt(words: &[&str]) -> Result<()> {
    let mut all = vec!["-o", "APT::Sandbox::User=root", "-y"];
    all.extend(words);
    run("apt-get", &all).map(drop)
}

fn run(program: &str, arguments: &[&str]) -> Result<String> {
    let output = output(program, arguments)?;
    ensure!(
        output.status.success(),
        "{program} {arguments:?}: {} {}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr),
        text(&output)
    );
    Ok(text(&output))
}

fn output(program: &str, arguments: &[&str]) -> Result<Output> {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive");
    command.output().with_context(|| format!("run {program}"))
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}
