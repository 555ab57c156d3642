//! `cargo xtask test`: every check, the guests last. Ends with `N passed, N failed`.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

use crate::{
    cache, journal, kernels,
    qemu::{Ended, Flow},
    run, vm,
};

/// The kernels whose scenarios run.
const KERNELS: [&str; 2] = ["6.1", "7.3"];
/// Where the systemd guest's events come from.
const JOURNAL_KERNEL: &str = "6.1";
/// From the event to the cut of the power.
const CUT_AFTER: Duration = Duration::from_secs(1);

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only the guests of this kernel, and nothing else
    #[arg(long, value_name = "SERIES")]
    kernel: Option<String>,
}

#[derive(Default)]
struct Tally {
    passed: u32,
    failed: u32,
}

impl Tally {
    fn count(&mut self, name: &str, result: Result<()>) {
        match result {
            Ok(()) => {
                self.passed += 1;
                println!("ok      {name}");
            }
            Err(error) => {
                self.failed += 1;
                println!("FAILED  {name}: {error:#}");
            }
        }
    }
}

/// Runs everything, whatever fails on the way.
pub(crate) fn run(args: &Args) -> Result<u8> {
    let mut tally = Tally::default();
    if args.kernel.is_none() {
        host(&mut tally)?;
    }
    let kernels: Vec<_> = match &args.kernel {
        Some(kernel) => vec![kernel.as_str()],
        None => KERNELS.to_vec(),
    };
    for kernel in kernels {
        let ran = scenarios(kernel, &mut tally);
        tally.count(&format!("{kernel}: guest of the scenarios"), ran);
        tally.count(
            &format!("{kernel}: an event survives a power cut"),
            power_cut(kernel),
        );
        tally.count(
            &format!("{kernel}: errors name what is missing"),
            errors(kernel),
        );
    }
    if args
        .kernel
        .as_deref()
        .is_none_or(|kernel| kernel == JOURNAL_KERNEL)
    {
        let ran = in_the_journal(&mut tally);
        tally.count("systemd: guest of the journal", ran);
    }
    let Tally { passed, failed } = tally;
    println!("\n{passed} passed, {failed} failed");
    Ok(u8::from(failed > 0))
}

fn host(tally: &mut Tally) -> Result<()> {
    let checkout = cache::checkout()?;
    let cargo = |arguments: &[&str]| {
        let mut cargo = Command::new("cargo");
        cargo.args(arguments).current_dir(&checkout);
        cargo
    };
    tally.count(
        "formatting",
        run::quiet(&mut cargo(&["fmt", "--all", "--check"])).map(drop),
    );
    let clippy = [
        "clippy",
        "--quiet",
        "--locked",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ];
    tally.count("clippy", run::quiet(&mut cargo(&clippy)).map(drop));
    tally.count(
        "clippy of the kernel half",
        kernel_half_clippy(&mut cargo(&[])),
    );
    let tests = run::shown(&mut cargo(&["test", "--quiet", "--locked"]));
    tally.count("unit, property and snapshot tests", tests);
    Ok(())
}

/// The kernel half is linted for its own target, with the core library that it is built with.
fn kernel_half_clippy(cargo: &mut Command) -> Result<()> {
    let library = cache::dir()?.join("rust-src/library");
    if library.is_dir() {
        cargo.env("__CARGO_TESTS_ONLY_SRC_ROOT", library);
    }
    cargo
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", "--cfg bpf_target_arch=\"x86_64\"");
    cargo.args([
        "clippy",
        "--quiet",
        "--locked",
        "--package",
        "taintwatch-ebpf",
        "--target",
        "bpfel-unknown-none",
    ]);
    cargo.args([
        "-Zbuild-std=core",
        "--target-dir",
        "target/bpf",
        "--",
        "-D",
        "warnings",
    ]);
    run::quiet(cargo).map(drop)
}

fn scenarios(series: &str, tally: &mut Tally) -> Result<()> {
    let kernel = kernels::get(series)?;
    let mut files = vm::files(&kernel)?;
    files.file("etc/job", 0o755, b"scenarios all".to_vec());
    println!("{series}: {}", kernel.release);
    let began = Instant::now();
    let mut told = Vec::new();
    let ended = vm::guest(&kernel, &files, "scenarios").run(|line| {
        match (line.strip_prefix("PASS "), line.strip_prefix("FAIL ")) {
            (Some(name), _) => tally.count(&format!("{series}: {name}"), Ok(())),
            (_, Some(failure)) => tally.count(
                &format!("{series}: {failure}"),
                Err(anyhow::anyhow!("see above")),
            ),
            _ => told.push(line.to_owned()),
        }
        Flow::Continue
    })?;
    println!("{series}: {} s in the guest", began.elapsed().as_secs());
    if ended != Ended::Exited(0) {
        anyhow::bail!(
            "the scenarios ended with {ended:?}; they said:\n{}",
            told.join("\n")
        );
    }
    Ok(())
}

/// One second after an event the power goes; a second guest finds the event in the same store.
fn power_cut(series: &str) -> Result<()> {
    let kernel = kernels::get(series)?;
    let disk = cache::checkout()?.join(format!("target/guests/disk-{series}.img"));
    std::fs::File::create(&disk)?.set_len(64 << 20)?;
    run::quiet(Command::new("/usr/sbin/mkfs.ext4").arg("-q").arg(&disk))
        .context("make a file system")?;
    let mut files = vm::files(&kernel)?;
    vm::add_disk_modules(&kernel, &mut files)?;
    let mount = "for m in /stock/*.ko; do insmod $m 2>/dev/null; done; mount -t ext4 /dev/vda /mnt || { ls /stock /dev/vd*; dmesg | tail -n 15; exit 9; }\n";
    let first = format!(
        "{mount}taintwatch --db /mnt/events.db daemon >/tmp/daemon 2>&1 &\n\
         i=0; while [ ! -S /run/taintwatch/events.sock ] && [ $i -lt 100 ]; do sleep 0.1; i=$((i+1)); done; sleep 1\n\
         echo 64 > /proc/sys/kernel/tainted; echo written; sleep 60\n"
    );
    files.file("etc/job", 0o755, first.into_bytes());
    let mut guest = vm::guest(&kernel, &files, "power-cut");
    guest.disk = Some(&disk);
    let mut lines = Vec::new();
    let ended = guest.run(|line| {
        if line != "written" {
            lines.push(line.to_owned());
            return Flow::Continue;
        }
        std::thread::sleep(CUT_AFTER);
        Flow::Kill
    })?;
    anyhow::ensure!(
        ended == Ended::Killed,
        "the first guest ended by itself: {ended:?}; it said:\n{}",
        lines.join("\n")
    );
    let second =
        format!("{mount}taintwatch --db /mnt/events.db report --boot all --kind taint --json");
    files.file("etc/job", 0o755, second.into_bytes());
    let mut guest = vm::guest(&kernel, &files, "power-back");
    guest.disk = Some(&disk);
    let mut lines = Vec::new();
    guest.run(|line| {
        lines.push(line.to_owned());
        Flow::Continue
    })?;
    let found = lines.iter().any(|line| {
        line.contains("\"class\":\"sysctl_write\"") && line.contains("\"letter\":\"U\"")
    });
    anyhow::ensure!(
        found,
        "the event is not in the store; it says: {}",
        lines.join("\n")
    );
    Ok(())
}

/// Who cannot watch is told what is missing; who has no rights still gets a status.
fn errors(series: &str) -> Result<()> {
    let kernel = kernels::get(series)?;
    let mut files = vm::files(&kernel)?;
    let job = "constrain nobody taintwatch status; echo \"status $?\"\n\
         constrain nobody taintwatch daemon; echo \"daemon $?\"\n\
         echo 2 > /proc/sys/kernel/kptr_restrict; taintwatch daemon; echo \"hidden $?\"; echo 0 > /proc/sys/kernel/kptr_restrict\n\
         echo confidentiality > /sys/kernel/security/lockdown; taintwatch daemon; echo \"lockdown $?\"\n\
         constrain no-bpf taintwatch daemon; echo \"bpf $?\"\n\
         umount /sys/kernel/security; umount /sys/kernel/debug; umount /sys/kernel/tracing; umount /sys/fs/bpf; umount /sys\n\
         taintwatch daemon; echo \"btf $?\"\n";
    files.file("etc/job", 0o755, job.into());
    let mut text = String::new();
    vm::guest(&kernel, &files, "errors").run(|line| {
        text = format!("{text}{line}\n");
        Flow::Continue
    })?;
    for wanted in [
        "not tainted",
        "status 0",
        "needs root",
        "daemon 2",
        "kptr_restrict",
        "hidden 2",
        "locked down",
        "lockdown 2",
        "bpf(2)",
        "bpf 2",
        "/sys/kernel/btf/vmlinux",
        "btf 2",
    ] {
        anyhow::ensure!(
            text.contains(wanted),
            "no {wanted:?} in what was said:\n{text}"
        );
    }
    Ok(())
}

/// The same scenarios under systemd, and each event held against the journal.
fn in_the_journal(tally: &mut Tally) -> Result<()> {
    let kernel = kernels::get(JOURNAL_KERNEL)?;
    let script = "scenarios all && journalctl --sync && scenarios journal";
    let mut told = Vec::new();
    let status = journal::run(&kernel, script, |line| {
        match (line.strip_prefix("PASS "), line.strip_prefix("FAIL ")) {
            (Some(name), _) => tally.count(&format!("systemd: {name}"), Ok(())),
            (_, Some(failure)) => tally.count(
                &format!("systemd: {failure}"),
                Err(anyhow::anyhow!("see above")),
            ),
            _ => told.push(line.to_owned()),
        }
        Flow::Continue
    })?;
    anyhow::ensure!(status == 0, "exit {status}; it said:\n{}", told.join("\n"));
    Ok(())
}
