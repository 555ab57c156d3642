//! The cause of each flag that a guest can have: module, file, task, requester, code, context, log lines. And cases
//! that are made to mislead.

use std::{
    ffi::CString,
    fs::{self, File, OpenOptions},
    io::{Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::process::CommandExt as _,
    process::Command,
    thread::sleep,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use nix::{
    errno::Errno,
    kmod::{DeleteModuleFlags, ModuleInitFlags, delete_module, finit_module, init_module},
    sys::{
        fanotify::{EventFFlags, Fanotify, InitFlags, MarkFlags, MaskFlags},
        signal::{Signal, kill},
    },
    unistd::Pid,
};
use serde_json::Value;

use crate::{
    history::History,
    loading::{caller_has, is_ours, load, load_file},
};

fn unload(name: &str) -> Result<()> {
    Ok(delete_module(
        &CString::new(name)?,
        DeleteModuleFlags::empty(),
    )?)
}

fn log_has(event: &Value, words: &[&str]) -> Result<()> {
    let log = event["log"].as_array().cloned().unwrap_or_default();
    let text: Vec<_> = log.iter().filter_map(Value::as_str).collect();
    for word in words {
        ensure!(
            text.iter().any(|line| line.contains(word)),
            "no {word:?} in the log of {event}"
        );
    }
    Ok(())
}

/// Everything that is known of a load: who, by which way, which file.
pub(crate) fn identity(history: &mut History) -> Result<()> {
    fs::copy("/modules/tw_proprietary.ko", "/tmp/renamed.ko")?;
    load_file("/tmp/renamed.ko", "")?;
    let event = history.taint("P", "module_load", Some("tw_proprietary"))?;
    is_ours(&event)?;
    ensure!(
        event["module"]["path"] == "/tmp/renamed.ko",
        "path: {event}"
    );
    ensure!(
        event["task"]["cmdline"][0] == "scenarios",
        "arguments: {event}"
    );
    ensure!(
        event["task"]["ancestors"][0]["comm"] == "sh",
        "ancestors: {event}"
    );
    let loaded = history.expect(&[
        ("/kind", "module_load".into()),
        ("/module/name", "tw_proprietary".into()),
    ])?;
    let module = &loaded["module"];
    ensure!(
        module["path"] == "/tmp/renamed.ko" && module["source"] == "file",
        "path: {loaded}"
    );
    ensure!(
        module["license"] == "Proprietary" && module["signature"] == "none",
        "licence: {loaded}"
    );
    let hash = Command::new("sha256sum")
        .arg("/tmp/renamed.ko")
        .output()?
        .stdout;
    let hash = String::from_utf8(hash)?;
    ensure!(
        Some(module["sha256"].as_str().unwrap_or_default()) == hash.split(' ').next(),
        "hash {hash}: {loaded}"
    );
    ensure!(
        module["build_id"].as_str().is_some_and(|id| id.len() == 40),
        "build id: {loaded}"
    );
    unload("tw_proprietary")
}

/// From memory there is no file; and a file that is gone tells nothing but its name.
pub(crate) fn no_file(history: &mut History) -> Result<()> {
    let bytes = fs::read("/modules/tw_gpl.ko")?;
    init_module(&bytes, c"")?;
    let loaded = history.expect(&[
        ("/kind", "module_load".into()),
        ("/module/name", "tw_gpl".into()),
    ])?;
    ensure!(
        loaded["module"]["source"] == "memory" && loaded["module"].get("path").is_none(),
        "source: {loaded}"
    );
    unload("tw_gpl")?;
    history.catch_up()?;
    fs::copy("/modules/tw_gpl.ko", "/tmp/gone.ko")?;
    let file = File::open("/tmp/gone.ko")?;
    fs::remove_file("/tmp/gone.ko")?;
    finit_module(&file, c"", ModuleInitFlags::empty())?;
    let loaded = history.expect(&[
        ("/kind", "module_load".into()),
        ("/module/name", "tw_gpl".into()),
    ])?;
    ensure!(loaded["module"]["path"] == "/tmp/gone.ko", "path: {loaded}");
    ensure!(
        loaded["module"]["file_state"] == "gone since",
        "state: {loaded}"
    );
    ensure!(loaded["module"].get("sha256").is_none(), "hash: {loaded}");
    unload("tw_gpl")
}

/// F by a load with flags, R by an unload with force.
pub(crate) fn forced(history: &mut History) -> Result<()> {
    let file = File::open("/modules/tw_pinned.ko")?;
    let force = ModuleInitFlags::MODULE_INIT_IGNORE_MODVERSIONS
        | ModuleInitFlags::MODULE_INIT_IGNORE_VERMAGIC;
    finit_module(&file, c"", force)?;
    is_ours(&history.taint("F", "module_load", Some("tw_pinned"))?)?;
    delete_module(
        c"tw_pinned",
        DeleteModuleFlags::O_NONBLOCK | DeleteModuleFlags::O_TRUNC,
    )?;
    let event = history.taint("R", "module_unload", Some("tw_pinned"))?;
    is_ours(&event)?;
    history.expect(&[
        ("/kind", "module_unload".into()),
        ("/module/name", "tw_pinned".into()),
    ])?;
    Ok(())
}

/// Modules whose own words taint: staging, live patch, test.
pub(crate) fn kinds(history: &mut History) -> Result<()> {
    load("tw_staging", "")?;
    let event = history.taint("C", "module_load", Some("tw_staging"))?;
    is_ours(&event)?;
    log_has(
        &event,
        &["tw_staging: module is from the staging directory"],
    )?;
    unload("tw_staging")?;
    load("tw_livepatch", "")?;
    is_ours(&history.taint("K", "module_load", Some("tw_livepatch"))?)?;
    unload("tw_livepatch")?;
    load("tw_test", "")?;
    // The flag came with 6.0.
    if release()? >= (6, 0) {
        is_ours(&history.taint("N", "module_load", Some("tw_test"))?)?;
    }
    unload("tw_test")
}

fn release() -> Result<(u32, u32)> {
    let text = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let mut numbers = text.split(['.', '-']).map(str::parse);
    let mut next = || numbers.next().context("no number")?.context("not a number");
    Ok((next()?, next()?))
}

/// S by a write to a register of the processor, through the kernel's own driver.
pub(crate) fn register(history: &mut History) -> Result<()> {
    const MISC_ENABLE: u64 = 0x1a0;
    load_file("/patched/msr.ko", "")?;
    sleep(Duration::from_millis(300));
    let mut device = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/cpu/0/msr")?;
    let mut value = [0; 8];
    device.seek(SeekFrom::Start(MISC_ENABLE))?;
    device.read_exact(&mut value)?;
    device.seek(SeekFrom::Start(MISC_ENABLE))?;
    device.write_all(&value)?;
    let event = history.taint("S", "module_code", Some("msr"))?;
    is_ours(&event)?;
    caller_has(&event, "msr_write+")?;
    let summary = event["cause"]["summary"].as_str().unwrap_or_default();
    ensure!(
        summary.contains("model-specific register"),
        "summary: {event}"
    );
    drop(device);
    unload("msr")
}

/// D in a kernel thread: code of the module, and nobody of user space.
pub(crate) fn oops(history: &mut History) -> Result<()> {
    load("tw_oops", "")?;
    let event = history.expect(&[("/kind", "taint".into()), ("/taint/letter", "D".into())])?;
    ensure!(event["task"]["comm"] == "tw_oops", "task: {event}");
    ensure!(
        event["cause"]["confidence"] == "observed",
        "confidence: {event}"
    );
    let summary = event["cause"]["summary"].as_str().unwrap_or_default();
    ensure!(
        summary.contains("oops") && summary.contains("while tw_oops"),
        "summary: {event}"
    );
    ensure!(
        event["cause"]["class"] == "module_code" && event["module"]["name"] == "tw_oops",
        "class: {event}"
    );
    ensure!(
        event["stack"].to_string().contains("tw_oops_read"),
        "stack: {event}"
    );
    log_has(
        &event,
        &[
            "BUG: kernel NULL pointer dereference, address: 0000000000000008",
            "tw_oops_read",
        ],
    )
}

/// B by an allocator's check, when the overwritten object is freed.
pub(crate) fn overflow(history: &mut History) -> Result<()> {
    load("tw_overflow", "")?;
    let event = history.expect(&[("/kind", "taint".into()), ("/taint/letter", "B".into())])?;
    is_ours(&event)?;
    ensure!(
        event["cause"]["class"] == "kernel_code" && event.get("module").is_none(),
        "class: {event}"
    );
    let summary = event["cause"]["summary"].as_str().unwrap_or_default();
    ensure!(summary.contains("while scenarios"), "summary: {event}");
    log_has(&event, &["BUG kmalloc-64"])
}

/// L by the watchdog, in an interrupt: the stuck thread is told in the log and blamed by nobody.
pub(crate) fn lockup(history: &mut History) -> Result<()> {
    fs::write("/proc/sys/kernel/watchdog_thresh", "1")?;
    // Twice the threshold is a lockup; a shared processor looks late.
    load("tw_lockup", "seconds=5")?;
    let event = history.expect(&[("/kind", "taint".into()), ("/taint/letter", "L".into())]);
    fs::write("/proc/sys/kernel/watchdog_thresh", "10")?;
    let event = event?;
    ensure!(
        event["context"] == "hardirq" && event.get("task").is_none(),
        "context: {event}"
    );
    caller_has(&event, "watchdog_timer_fn")?;
    log_has(&event, &["soft lockup", "tw_lockup"])
}

/// X by a mark that Debian's kernels do not support.
pub(crate) fn fanotify(history: &mut History) -> Result<()> {
    let group = Fanotify::init(InitFlags::FAN_CLASS_CONTENT, EventFFlags::O_RDONLY)?;
    group.mark(
        MarkFlags::FAN_MARK_ADD,
        MaskFlags::FAN_OPEN_PERM,
        nix::fcntl::AT_FDCWD,
        Some("/mnt"),
    )?;
    let event = history.taint("X", "kernel_code", None)?;
    is_ours(&event)?;
    let summary = event["cause"]["summary"].as_str().unwrap_or_default();
    ensure!(summary.contains("fanotify"), "summary: {event}");
    Ok(())
}

/// W with its report, whole.
pub(crate) fn warning(history: &mut History) -> Result<()> {
    unload("tw_warn_init").or_else(|error| {
        if error.downcast_ref() == Some(&Errno::ENOENT) {
            Ok(())
        } else {
            Err(error)
        }
    })?;
    load("tw_warn_init", "")?;
    let event = history.taint("W", "module_code", Some("tw_warn_init"))?;
    log_has(
        &event,
        &["WARNING: ", "tw_warn_init_init", "---[ end trace"],
    )
}

/// The kernel asks for a module since a task without any right made a socket.
pub(crate) fn requested(history: &mut History) -> Result<()> {
    fs::write("/proc/sys/kernel/modprobe", "/usr/bin/modprobe")?;
    let status = Command::new("constrain")
        .args(["nobody", "scenarios", "socket", "5"])
        .status()?;
    ensure!(status.success(), "socket: {status}");
    let event = history.taint("O", "module_load", Some("dummy"))?;
    ensure!(
        event["task"]["comm"] == "modprobe" && event["task"]["uid"] == 0,
        "task: {event}"
    );
    let by = &event["requested_by"];
    ensure!(by["alias"] == "net-pf-5", "alias: {event}");
    ensure!(
        by["task"]["uid"] == 65534 && by["task"]["comm"] == "scenarios",
        "requester: {event}"
    );
    ensure!(by["task"]["cmdline"][1] == "socket", "requester: {event}");
    unload("dummy")
}

/// What an author wrote is data: printed escaped, kept as it is.
pub(crate) fn hostile(history: &mut History) -> Result<()> {
    load("tw_hostile", "")?;
    let loaded = history.expect(&[
        ("/kind", "module_load".into()),
        ("/module/name", "tw_hostile".into()),
    ])?;
    ensure!(
        loaded["module"]["license"] == "no\u{1b}[31m red\nnew line <b>&",
        "licence: {loaded}"
    );
    for arguments in [["report", "--boot", "0"].as_slice(), &["why"], &["status"]] {
        let output = Command::new("taintwatch")
            .args(arguments)
            .env("NO_COLOR", "1")
            .output()?;
        ensure!(
            output
                .stdout
                .iter()
                .all(|byte| *byte == b'\n' || *byte >= b' '),
            "{arguments:?} prints control characters"
        );
    }
    unload("tw_hostile")?;
    let long = format!("tw_{}", "n".repeat(52));
    load(&long, "")?;
    let event = history.taint("O", "module_load", Some(&long))?;
    ensure!(
        event["module"]["path"] == format!("/modules/{long}.ko"),
        "path: {event}"
    );
    unload(&long)
}

/// Nobody reads meanwhile: one module after the other at the same place, and a task that is gone long since.
pub(crate) fn late(history: &mut History) -> Result<()> {
    let recorder = Pid::from_raw(i32::try_from(crate::storm::recorder()?)?);
    unload("tw_warn_init")?;
    kill(recorder, Signal::SIGSTOP)?;
    let done = (|| {
        load("tw_warn_init", "")?;
        unload("tw_warn_init")?;
        load("tw_warn_later", "delay_ms=1")?;
        sleep(Duration::from_millis(300));
        unload("tw_warn_later")?;
        let status = Command::new("sh")
            .args(["-c", "echo 64 > /proc/sys/kernel/tainted"])
            .uid(0)
            .status()?;
        ensure!(status.success(), "sh: {status}");
        Ok(())
    })();
    kill(recorder, Signal::SIGCONT)?;
    done?;
    let first = history.taint("W", "module_code", Some("tw_warn_init"))?;
    let second = history.taint("W", "module_code", Some("tw_warn_later"))?;
    ensure!(
        !second["stack"].to_string().contains("tw_warn_init"),
        "stale: {second}"
    );
    is_ours(&first)?;
    let gone = history.taint("U", "sysctl_write", None)?;
    ensure!(
        gone["task"]["cmdline"][1] == "-c",
        "arguments of a task that is gone: {gone}"
    );
    ensure!(
        gone["task"]["exe"] == "/bin/busybox",
        "its executable: {gone}"
    );
    ensure!(
        gone["task"]["ancestors"][0]["comm"] == "scenarios",
        "its parent: {gone}"
    );
    Ok(())
}

/// Two loads on two CPUs at once, again and again: each flag is of the module that its own thread loads.
pub(crate) fn at_once(history: &mut History) -> Result<()> {
    const ROUNDS: usize = 10;
    let threads: Vec<_> = ["tw_gpl", "tw_test"]
        .into_iter()
        .map(|name| {
            std::thread::spawn(move || -> Result<()> {
                for _ in 0..ROUNDS {
                    load(name, "")?;
                    unload(name)?;
                }
                Ok(())
            })
        })
        .collect();
    for thread in threads {
        thread.join().ok().context("a thread ended")??;
    }
    history.expect(&[
        ("/kind", "module_unload".into()),
        ("/module/name", "tw_gpl".into()),
    ])?;
    sleep(Duration::from_secs(2));
    let events = history.new_events()?;
    let of = |kind: &str| {
        events
            .iter()
            .filter(|event| event["kind"] == kind)
            .collect::<Vec<_>>()
    };
    ensure!(
        of("module_load").len() == 2 * ROUNDS,
        "{} loads",
        of("module_load").len()
    );
    let thread_of = |name: &str| {
        of("module_load")
            .into_iter()
            .find(|event| event["module"]["name"] == name)
            .map(|event| event["task"]["tid"].clone())
    };
    for event in of("taint") {
        let name = event["module"]["name"].as_str().unwrap_or_default();
        ensure!(
            Some(&event["task"]["tid"]) == thread_of(name).as_ref(),
            "another thread's module: {event}"
        );
    }
    Ok(())
}

/// A task in namespaces of its own is named as the whole machine knows it.
pub(crate) fn namespaces(history: &mut History) -> Result<()> {
    let status = Command::new("busybox")
        .args(["unshare", "-p", "-f", "-m", "insmod", "/modules/tw_gpl.ko"])
        .status()?;
    ensure!(status.success(), "unshare: {status}");
    let event = history.taint("O", "module_load", Some("tw_gpl"))?;
    ensure!(
        event["task"]["comm"] == "insmod" && event["task"]["pid"].as_u64() > Some(2),
        "task: {event}"
    );
    ensure!(
        event["module"]["path"] == "/modules/tw_gpl.ko",
        "path: {event}"
    );
    unload("tw_gpl")
}

/// `scenarios socket FAMILY`: makes the kernel ask for `net-pf-FAMILY`.
pub(crate) fn socket(family: i32) -> Result<()> {
    // SAFETY: no pointers.
    let fd = unsafe { libc::socket(family, libc::SOCK_DGRAM, 0) };
    ensure!(fd < 0, "the family {family} is there already");
    Ok(())
}

/// As the kernel's helper: loads the same module for whatever is asked for.
pub(crate) fn modprobe() -> Result<()> {
    Ok(load_file("/patched/dummy.ko", "numdummies=0")?)
}
