//! `taintwatch run`: whose taints are found, and which exit code follows, with a recorder and without.
//!
//! In: a kernel that may be tainted already, `/modules` where they could be built. Out: a result a case. What a shell does
//! here, a test suite does there.

use std::{
    fs,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use serde_json::Value;

use crate::{
    NO_HEADERS, Tally, causes::unload, daemon::Daemon, live::socket_of, loading::load, outlets,
};

const DB: &str = "/var/lib/taintwatch/run.db";
const CGROUPS: &str = "/sys/fs/cgroup";
/// Writes a flag that is set by now: what only `run` sees.
const AGAIN: &str = "echo 64 > /proc/sys/kernel/tainted";

/// One invocation.
struct Run {
    socket: String,
    number: u32,
}

/// What came of it.
struct Done {
    code: Option<i32>,
    outcome: Value,
    said: String,
}

/// Every case, first without a recorder, then beside one.
pub(crate) fn all(tally: &mut Tally) -> Result<()> {
    fs::write("/proc/sys/kernel/tainted", "64")?;
    if fs::exists("/sys/module/dummy")? {
        unload("dummy")?;
    }
    let mut alone = Run {
        socket: "/nonexistent/socket".to_owned(),
        number: 0,
    };
    cases(tally, "run", &mut alone);
    tally.count("run, without BPF", without_bpf(&mut alone));
    tally.count("run, without cgroups", without_cgroups(&mut alone));
    let config = outlets::configuration()?;
    let mut daemon = Daemon::start(&[], &["--config", config], DB)?;
    let mut beside = Run {
        socket: socket_of(DB),
        number: 100,
    };
    cases(tally, "run beside a recorder", &mut beside);
    tally.count("metrics, as a file and over HTTP", outlets::metrics());
    tally.count("a command on an event", outlets::commands());
    let went = recorder_goes(&mut beside, &mut daemon);
    tally.count("run, the recorder goes away", went);
    tally.count("metrics, when the recorder is gone", outlets::gone());
    Ok(())
}

fn cases(tally: &mut Tally, title: &str, run: &mut Run) {
    type Case = (&'static str, fn(&mut Run) -> Result<()>);
    const CASES: [Case; 10] = [
        ("exit codes", codes),
        // Of one place in the kernel, the first eight have a task: these come first.
        ("two at once", two),
        ("what it leaves behind", background),
        ("a flag that is set again", again),
        ("what is allowed", allowed),
        ("a list of what is allowed", list),
        ("a module", module),
        ("a module that the kernel asks for", requested),
        ("what nobody can be blamed for", unknown),
        ("a flag that is set many times", storm),
    ];
    for (name, case) in CASES {
        tally.count(&format!("{title}, {name}"), case(run));
    }
}

impl Run {
    fn begin(&mut self, options: &[&str], command: &[&str]) -> Result<(Child, String)> {
        self.number += 1;
        let json = format!("/tmp/run-{}.json", self.number);
        let child = Command::new("taintwatch")
            .args(["run", "--db", DB, "--socket", &self.socket, "--json", &json])
            .args(options)
            .arg("--")
            .args(command)
            .stderr(Stdio::piped())
            .stdin(Stdio::null())
            .spawn()?;
        Ok((child, json))
    }

    fn run(&mut self, options: &[&str], command: &[&str]) -> Result<Done> {
        let begun = self.begin(options, command)?;
        end(begun)
    }

    /// Runs a line of a shell, which must end with this code.
    fn sh(&mut self, options: &[&str], line: &str, code: i32) -> Result<Done> {
        let done = self.run(options, &["sh", "-c", line])?;
        done.ends(code)?;
        Ok(done)
    }
}

fn end((child, json): (Child, String)) -> Result<Done> {
    let output = child.wait_with_output()?;
    let text = fs::read_to_string(json).unwrap_or_default();
    Ok(Done {
        code: output.status.code(),
        outcome: serde_json::from_str(&text).unwrap_or_default(),
        said: String::from_utf8(output.stderr)?,
    })
}

impl Done {
    fn ends(&self, code: i32) -> Result<()> {
        ensure!(
            self.code == Some(code),
            "exit {:?} and not {code}: {}\n{}",
            self.code,
            self.said,
            self.outcome
        );
        Ok(())
    }

    /// How many occurrences are of whom, with this flag.
    fn count(&self, whose: &str, letter: &str) -> u64 {
        let taints = self.outcome["taints"].as_array().into_iter().flatten();
        let fits = taints
            .filter(|it| it["whose"] == whose && it["event"]["taint"]["letter"] == letter)
            .map(|it| it["event"]["taint"]["count"].as_u64().unwrap_or(1));
        fits.sum()
    }

    fn has(&self, whose: &str, letter: &str, count: u64) -> Result<()> {
        let found = self.count(whose, letter);
        ensure!(
            found == count,
            "{letter} by {whose}: {found} and not {count}: {}",
            self.outcome
        );
        Ok(())
    }

    fn says(&self, part: &str) -> Result<()> {
        let one_line = self.said.split_whitespace().collect::<Vec<_>>().join(" ");
        ensure!(one_line.contains(part), "no {part:?} in: {one_line}");
        Ok(())
    }
}

fn codes(run: &mut Run) -> Result<()> {
    let clean = run.sh(&[], "true", 0)?;
    clean.says("not tainted while `sh -c true` ran")?;
    ensure!(clean.outcome["verdict"] == "clean", "{}", clean.outcome);
    ensure!(
        clean.outcome["command"]["cgroup"].is_string(),
        "no cgroup: {}",
        clean.outcome
    );
    run.sh(&[], "exit 7", 7)?;
    run.sh(&[], "kill -TERM $$", 128 + 15)?;
    run.run(&[], &["/nonexistent/program"])?.ends(127)?;
    run.run(&[], &["/etc"])?.ends(126)?;
    run.run(&["--bogus"], &["true"])?.ends(125)?;
    run.run(&["--junit", "/nonexistent/file"], &["true"])?
        .ends(125)?;
    ensure!(
        !fs::read_dir(CGROUPS)?.flatten().any(|entry| entry
            .file_name()
            .to_string_lossy()
            .starts_with("taintwatch-run")),
        "a cgroup is left"
    );
    Ok(())
}

fn again(run: &mut Run) -> Result<()> {
    let files = ["--junit", "/tmp/run.xml", "--tap", "/tmp/run.tap"];
    let done = run.sh(&files, &format!("{AGAIN}; {AGAIN}; exit 7"), 99)?;
    done.has("command", "U", 2)?;
    done.says("TAINTED while")?;
    let xml = fs::read_to_string("/tmp/run.xml")?;
    ensure!(xml.contains("failures=\"2\""), "{xml}");
    let tap = fs::read_to_string("/tmp/run.tap")?;
    ensure!(tap.contains("not ok 3 - no taint U"), "{tap}");
    Ok(())
}

/// More often than each gets an event of its own: what is only counted has no task, and is counted. Hooks of its own
/// have no occurrences behind them.
fn storm(run: &mut Run) -> Result<()> {
    let line = format!("for i in $(seq 50); do {AGAIN}; done");
    let many = run.sh(&[], &line, 99)?;
    let (own, unknown) = (many.count("command", "U"), many.count("unknown", "U"));
    ensure!(own + unknown == 50, "{own} + {unknown}");
    run.sh(&["--own-hooks"], AGAIN, 99)?.has("command", "U", 1)
}

fn allowed(run: &mut Run) -> Result<()> {
    run.sh(&["--allow", "U"], AGAIN, 0)?
        .has("command", "U", 1)?;
    run.sh(&["--allow", "flag=U,caller=proc_*"], AGAIN, 0)?;
    run.sh(&["--allow", "W"], AGAIN, 99)?
        .says("nothing needed the rule `flag=W`")?;
    run.sh(&["--allow", "U"], &format!("{AGAIN}; exit 3"), 3)?;
    let expired = ["--allow", "U,expires=2020-01-01,reason=old"];
    run.sh(&expired, AGAIN, 99)?
        .says("it was allowed until 2020-01-01: old")
}

fn list(run: &mut Run) -> Result<()> {
    let file = "/tmp/allow.toml";
    fs::write(file, "[[allow]]\nflag = \"U\"\nreason = \"known\"\n")?;
    run.sh(&["--allow-file", file], AGAIN, 0)?;
    fs::write(file, "[[allow]]\nflag = \"U\"\n")?;
    run.sh(&["--allow-file", file], "true", 125)?
        .says("give a `reason`")
}

/// A command that says that it began, and waits until it may end.
const HELD: &str = "touch /tmp/run-began; while [ ! -e /tmp/run-end ]; do sleep 0.2; done";

/// Starts such a command, and waits until it runs.
fn hold(run: &mut Run) -> Result<(Child, String)> {
    for file in ["/tmp/run-began", "/tmp/run-end"] {
        _ = fs::remove_file(file);
    }
    let begun = run.begin(&[], &["sh", "-c", HELD])?;
    for _ in 0..600 {
        if fs::exists("/tmp/run-began")? {
            return Ok(begun);
        }
        sleep(Duration::from_millis(100));
    }
    bail!("the command does not begin")
}

/// Each is held responsible for its own.
fn two(run: &mut Run) -> Result<()> {
    let quiet = hold(run)?;
    let taints = run.sh(&[], AGAIN, 99)?;
    fs::write("/tmp/run-end", "")?;
    taints.has("command", "U", 1)?;
    let quiet = end(quiet)?;
    quiet.ends(0)?;
    quiet.has("other", "U", 1)?;
    quiet.has("command", "U", 0)
}

/// A process that outlives its parent is the command's.
fn background(run: &mut Run) -> Result<()> {
    let line = format!("(sleep 1; {AGAIN}) > /dev/null 2>&1 &");
    run.sh(&["--wait", "4"], &line, 99)?.has("command", "U", 1)
}

fn module(run: &mut Run) -> Result<()> {
    let line = "insmod /patched/dummy.ko numdummies=0 && rmmod dummy";
    let done = run.sh(&[], line, 99)?;
    done.has("command", "O", 1)?;
    run.sh(&["--allow", "module=dummy"], line, 0)?;
    run.sh(&["--allow", "module=dum"], line, 99)?;
    Ok(())
}

/// The kernel starts a helper, outside the cgroup, which loads it for the command.
fn requested(run: &mut Run) -> Result<()> {
    fs::write("/proc/sys/kernel/modprobe", "/usr/bin/modprobe")?;
    let done = run.run(&[], &["scenarios", "socket", "5"])?;
    unload("dummy")?;
    done.ends(99)?;
    done.has("command", "O", 1)
}

/// An interrupt and a work item act for no task, also where a command set them going.
fn unknown(run: &mut Run) -> Result<()> {
    if load("tw_taint", "").is_err() && !fs::exists("/sys/module/tw_taint")? {
        return Err(NO_HEADERS.into());
    }
    for context in ["work", "softirq", "hardirq", "nmi", "kthread"] {
        let line = format!("echo '9 {context}' > /sys/module/tw_taint/parameters/fire");
        let done = run.sh(&[], &line, 99)?;
        done.has("unknown", "W", 1)
            .with_context(|| context.to_owned())?;
        run.sh(&["--whose", "command"], &line, 0)?;
    }
    let line = "echo '9 task' > /sys/module/tw_taint/parameters/fire";
    run.sh(&[], line, 99)?.has("command", "W", 1)
}

fn without_bpf(run: &mut Run) -> Result<()> {
    let words = ["no-bpf", "taintwatch", "run", "--socket", &run.socket];
    let ends = |more: &[&str], code| {
        let output = Command::new("constrain").args(words).args(more).output()?;
        let said = String::from_utf8(output.stderr)?;
        ensure!(output.status.code() == Some(code), "{more:?}: {said}");
        Ok(said)
    };
    let said = ends(&["--", "true"], 125)?;
    ensure!(said.contains("CANNOT TELL"), "{said}");
    ends(&["--allow-gaps", "--", "sh", "-c", "exit 3"], 3)?;
    Ok(())
}

fn without_cgroups(run: &mut Run) -> Result<()> {
    let none = None::<&str>;
    mount(
        Some("tmpfs"),
        CGROUPS,
        Some("tmpfs"),
        MsFlags::empty(),
        none,
    )?;
    let held = by_parents(run);
    umount2(CGROUPS, MntFlags::empty())?;
    held
}

fn by_parents(run: &mut Run) -> Result<()> {
    let done = run.sh(&[], AGAIN, 99)?;
    done.has("command", "U", 1)?;
    done.says("the command has no cgroup of its own")?;
    ensure!(
        done.outcome["command"].get("cgroup").is_none(),
        "{}",
        done.outcome
    );
    background(run)
}

/// What happened while nothing recorded is not known.
fn recorder_goes(run: &mut Run, daemon: &mut Daemon) -> Result<()> {
    let begun = hold(run)?;
    daemon.stop()?;
    fs::write("/tmp/run-end", "")?;
    let done = end(begun)?;
    done.ends(125)?;
    done.says("CANNOT TELL whether `sh -c touch")
}
