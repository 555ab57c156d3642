//! Each flag by its real cause, where a guest can have it.

use std::{
    fs::{self, File, OpenOptions},
    io::{Read as _, Seek as _, SeekFrom, Write as _},
    thread::sleep,
    time::Duration,
};

use super::{log_has, release, unload};
use crate::{
    history::History,
    loading::{caller_has, is_ours, load, load_file},
};
use anyhow::{Result, ensure};
use nix::{
    errno::Errno,
    kmod::{DeleteModuleFlags, ModuleInitFlags, delete_module, finit_module},
    sys::fanotify::{EventFFlags, Fanotify, InitFlags, MarkFlags, MaskFlags},
};

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

/// D in a kernel thread: code of the module, and no task of user space.
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

/// How long a CPU is held, in seconds; a stall that RCU would report takes 21 (`CONFIG_RCU_CPU_STALL_TIMEOUT`).
const LOCKED_UP: u64 = 20;

/// L by the watchdog, in an interrupt: the log names the stuck thread, and no event blames it.
pub(crate) fn lockup(history: &mut History) -> Result<()> {
    // Twice the threshold is a lockup; an emulated processor that has to share looks late.
    fs::write("/proc/sys/kernel/watchdog_thresh", "1")?;
    load("tw_lockup", &format!("seconds={LOCKED_UP}"))?;
    let patience = Duration::from_secs(LOCKED_UP * 3);
    let wanted = [("/kind", "taint".into()), ("/taint/letter", "L".into())];
    let event = history.expect_within(patience, &wanted);
    // Its thread ends with it.
    unload("tw_lockup")?;
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

/// M by an error that QEMU injects: of the machine, and of no task.
pub(crate) fn machine_check(history: &mut History) -> Result<()> {
    // The processor has it (`-cpu max`); this folder is the kernel's part (`arch/x86/kernel/cpu/mce/core.c`).
    if !fs::exists("/sys/devices/system/machinecheck")? {
        return Err(crate::Lacks("built without CONFIG_X86_MCE").into());
    }
    // The host that boots this guest reads it.
    println!("host: machine check");
    let event = history.taint("M", "kernel_code", None)?;
    ensure!(event.get("task").is_none(), "a task is blamed: {event}");
    caller_has(&event, "do_machine_check+")?;
    let summary = event["cause"]["summary"].as_str().unwrap_or_default();
    ensure!(
        summary == "the processor reported a hardware error",
        "summary: {event}"
    );
    Ok(())
}

/// I by a task that sets what the firmware should.
pub(crate) fn memory_node(history: &mut History) -> Result<()> {
    fs::write("/sys/bus/pci/devices/0000:00:00.0/numa_node", "0")?;
    let event = history.taint("I", "kernel_code", None)?;
    is_ours(&event)?;
    caller_has(&event, "numa_node_store+")?;
    let summary = event["cause"]["summary"].as_str().unwrap_or_default();
    ensure!(summary.contains("memory node"), "summary: {event}");
    log_has(&event, &["Overriding NUMA node to 0"])
}

/// A and J by a module's own call: a table from the initial file system does not taint, Debian's kernels are built
/// without what does (`CONFIG_ACPI_CUSTOM_DSDT`, `CONFIG_ACPI_CUSTOM_METHOD`), and no guest has a device of `fwctl`. J came with 6.15.
pub(crate) fn by_call(history: &mut History) -> Result<()> {
    load("tw_taint", "")?;
    for (bit, letter, since) in [(8, "A", (0, 0)), (19, "J", (6, 15))] {
        let fire = "/sys/module/tw_taint/parameters/fire";
        let written = fs::write(fire, format!("{bit} task"));
        if release()? < since {
            let error = written.err().and_then(|error| error.raw_os_error());
            ensure!(
                error == Some(libc::EINVAL),
                "a kernel without {letter} took it"
            );
            continue;
        }
        written?;
        let event = history.taint(letter, "module_code", Some("tw_taint"))?;
        is_ours(&event)?;
        caller_has(&event, "tw_taint_fire+")?;
        let summary = event["cause"]["summary"].as_str().unwrap_or_default();
        ensure!(
            summary.starts_with("the flag ") && summary.contains("tw_taint"),
            "a letter's usual story: {event}"
        );
    }
    unload("tw_taint")
}
