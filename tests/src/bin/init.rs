//! PID 1 of a guest: mounts what a kernel offers, runs `/etc/job` with its output on the second serial
//! port, writes the job's status there, and powers off.

use std::{
    fs::{self, File},
    io::Write as _,
    os::unix::process::ExitStatusExt as _,
    process::{Command, ExitStatus, Stdio},
};

use anyhow::{Context as _, Result};
use nix::{
    mount::{MsFlags, mount},
    sys::{
        reboot::{RebootMode, reboot},
        termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr},
    },
    unistd::sync,
};

/// The job's port; the first is the kernel's console.
const CHANNEL: &str = "/dev/ttyS1";

/// File systems by type, place, and whether a guest without it is broken.
const MOUNTS: [(&str, &str, bool); 11] = [
    ("proc", "/proc", true),
    ("sysfs", "/sys", true),
    ("devtmpfs", "/dev", true),
    ("devpts", "/dev/pts", false),
    ("tracefs", "/sys/kernel/tracing", false),
    ("debugfs", "/sys/kernel/debug", false),
    ("securityfs", "/sys/kernel/security", false),
    ("bpf", "/sys/fs/bpf", false),
    ("cgroup2", "/sys/fs/cgroup", false),
    ("tmpfs", "/run", true),
    ("tmpfs", "/tmp", true),
];

fn main() {
    if let Err(error) = run() {
        // Only the console is left to report it.
        println!("init: {error:#}");
    }
    sync();
    let Err(error) = reboot(RebootMode::RB_POWER_OFF);
    println!("init: power off: {error}");
}

fn run() -> Result<()> {
    for (kind, place, needed) in MOUNTS {
        // A place that the kernel does not offer makes the mount fail, and that is reported.
        _ = fs::create_dir_all(place);
        let mounted = mount(
            Some(kind),
            place,
            Some(kind),
            MsFlags::empty(),
            None::<&str>,
        );
        match mounted.with_context(|| format!("mount {kind} at {place}")) {
            Err(error) if needed => return Err(error),
            Err(error) => println!("init: {error:#}"),
            Ok(()) => {}
        }
    }
    let mut channel = open_channel()?;
    writeln!(channel, "guest: began").context("report that the guest runs")?;
    let status = job(&channel)?;
    writeln!(channel, "\nguest: exit {}", code(status)).context("report the job's status")
}

/// Opens the port, so that it passes bytes as they are.
fn open_channel() -> Result<File> {
    let channel = File::options().read(true).write(true).open(CHANNEL);
    let channel = channel.with_context(|| format!("open {CHANNEL}"))?;
    let mut settings = tcgetattr(&channel)?;
    // A person's shell keeps what a terminal does for people.
    if !fs::read_to_string("/etc/job")?.contains("sh -i") {
        cfmakeraw(&mut settings);
        tcsetattr(&channel, SetArg::TCSANOW, &settings)?;
    }
    Ok(channel)
}

fn job(channel: &File) -> Result<ExitStatus> {
    Command::new("/bin/busybox")
        .args(["--install", "-s", "/bin"])
        .status()
        .context("run busybox")?;
    Command::new("/bin/sh")
        .arg("/etc/job")
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", "/tmp")
        .env("TERM", "xterm")
        .stdin(Stdio::from(channel.try_clone()?))
        .stdout(Stdio::from(channel.try_clone()?))
        .stderr(Stdio::from(channel.try_clone()?))
        .status()
        .context("run the job")
}

/// As a shell reports it: 128 and the signal's number for a death by signal.
fn code(status: ExitStatus) -> i32 {
    status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}
