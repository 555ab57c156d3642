//! Memory, numbers and names that are used again: what was there before is not blamed.
//!
//! In: two modules whose init functions have the same place one after the other; a process that runs two programs; a user who
//! causes many records; a 32-bit system call. Out: each event names its own.

use std::{
    fs,
    process::Command,
    ptr::{null_mut, without_provenance_mut},
};

use anyhow::{Result, ensure};
use nix::{
    errno::Errno,
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::{imitated, unload};
use crate::{
    Lacks,
    history::History,
    loading::{is_ours, load, load_file},
    storm,
};

/// What init code did so often that it is only counted is counted for its own module.
pub(crate) fn init_code(history: &mut History) -> Result<()> {
    const TIMES: u64 = 30;
    let file = imitated::with_name("tw_init", "tw_inib")?;
    let parameters = format!("times={TIMES}");
    load("tw_init", &parameters)?;
    unload("tw_init")?;
    load_file(&file, &parameters)?;
    unload("tw_inib")?;
    for module in ["tw_init", "tw_inib"] {
        let fits = |event: &serde_json::Value| {
            event["taint"]["letter"] == "U"
                && event["cause"]["class"] == "module_code"
                && event["module"]["name"] == module
        };
        storm::counted(history, fits, TIMES)?;
    }
    Ok(())
}

/// One process, two programs: each event has the arguments of its own.
pub(crate) fn exec(history: &mut History) -> Result<()> {
    let recorder = Pid::from_raw(i32::try_from(storm::recorder()?)?);
    kill(recorder, Signal::SIGSTOP)?;
    // Not busybox's own insmod: its shell runs that without an exec.
    let script =
        "echo 64 > /proc/sys/kernel/tainted; exec scenarios insmod /patched/dummy.ko numdummies=0";
    let status = Command::new("sh").args(["-c", script]).status();
    kill(recorder, Signal::SIGCONT)?;
    ensure!(status?.success(), "sh failed");
    let first = history.taint("U", "sysctl_write", None)?;
    let second = history.taint("O", "module_load", Some("dummy"))?;
    ensure!(
        first["task"]["pid"] == second["task"]["pid"],
        "two processes: {first} {second}"
    );
    ensure!(first["task"]["cmdline"][0] == "sh", "arguments: {first}");
    ensure!(
        second["task"]["cmdline"][1] == "insmod" && second["task"]["comm"] == "scenarios",
        "arguments: {second}"
    );
    unload("dummy")
}

/// A user who makes the kernel ask for thousands of modules, while the recorder is stopped: the taint that follows is whole.
pub(crate) fn flood(history: &mut History) -> Result<()> {
    let recorder = Pid::from_raw(i32::try_from(storm::recorder()?)?);
    fs::write("/proc/sys/kernel/modprobe", "/bin/false")?;
    kill(recorder, Signal::SIGSTOP)?;
    let status = Command::new("constrain")
        .args(["unprivileged", "scenarios", "sockets", "3000"])
        .status();
    let loaded = load("tw_gpl", "");
    kill(recorder, Signal::SIGCONT)?;
    ensure!(status?.success(), "the flood failed");
    loaded?;
    let event = history.taint("O", "module_load", Some("tw_gpl"))?;
    is_ours(&event)?;
    let lost = history.new_events()?;
    let lost: Vec<_> = lost
        .iter()
        .filter(|event| event["kind"] == "lost")
        .collect();
    ensure!(lost.is_empty(), "lost: {lost:?}");
    unload("tw_gpl")
}

/// A forced unload by the system call of 32-bit programs.
pub(crate) fn unload_ia32(history: &mut History) -> Result<()> {
    const NUMBER: u64 = 129;
    load("tw_pinned", "")?;
    history.catch_up()?;
    let name = below_4_gib(b"tw_pinned\0")?;
    let flags = u64::try_from(libc::O_NONBLOCK | libc::O_TRUNC)?;
    let result = system_call_ia32(NUMBER, name, flags);
    if result == -i64::from(Errno::ENOSYS as i32) {
        return Err(Lacks("CONFIG_IA32_EMULATION").into());
    }
    ensure!(result == 0, "delete_module: {result}");
    let event = history.taint("R", "module_unload", Some("tw_pinned"))?;
    is_ours(&event)
}

/// A copy of a text at an address that 32 bits can hold.
fn below_4_gib(text: &[u8]) -> Result<u64> {
    // SAFETY: a new private mapping.
    let page = unsafe {
        libc::mmap(
            null_mut(),
            4096,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_32BIT,
            -1,
            0,
        )
    };
    ensure!(
        page != libc::MAP_FAILED && page != without_provenance_mut(0),
        "mmap failed"
    );
    // SAFETY: the page has room for the text, and no other code uses it.
    unsafe { page.cast::<u8>().copy_from(text.as_ptr(), text.len()) };
    Ok(page as u64)
}

/// A system call as 32-bit programs make it, with two arguments.
fn system_call_ia32(number: u64, first: u64, second: u64) -> i64 {
    let result: i64;
    // SAFETY: the call reads a text at `first`; `rbx`, which the compiler keeps for itself, is put back. The kernel may clear
    // r8 to r11 (`entry_INT80_compat`, arch/x86/entry/entry_64_compat.S).
    unsafe {
        std::arch::asm!(
            "xchg rbx, {first}",
            "int 0x80",
            "xchg rbx, {first}",
            first = inout(reg) first => _,
            inlateout("rax") number => result,
            in("rcx") second,
            in("rdx") 0_u64,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
        );
    }
    (result << 32) >> 32
}
