//! Each mechanism taken away: which one takes its place, what is said, and what is still seen.
//!
//! In: what to take away, and the mechanisms that must win then. Out: a result for each, from a recorder of its own.

use std::{fs, path::Path};

use anyhow::{Result, ensure};
use nix::{
    kmod::{DeleteModuleFlags, delete_module},
    mount::{MntFlags, MsFlags, mount, umount2},
};
use serde_json::Value;

use crate::{Tally, daemon::Daemon, history::History, loading::load, tamper};

/// What is still seen of a write to the sysctl.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// Who wrote it.
    Observed,
    /// That the bit is set, and no more.
    BitAlone,
}

/// A mechanism that is taken away.
struct Fallback {
    name: &'static str,
    /// Takes it away, or makes it available again.
    prepare: fn() -> Result<()>,
    /// What constrains the recorder.
    before: &'static [&'static str],
    arguments: &'static [&'static str],
    /// Layers and the mechanisms that must win; `-` for none.
    expect: &'static [(&'static str, &'static str)],
    /// A part of what is said at the start.
    says: &'static str,
    seen: Seen,
}

#[expect(clippy::unnecessary_wraps, reason = "one of the ways to prepare")]
const fn nothing() -> Result<()> {
    Ok(())
}

const FULL: &[(&str, &str)] = &[
    ("mask_watch", "breakpoint"),
    ("taint_entry", "fentry"),
    ("loader_exit", "fexit"),
];
const POLLED: &[(&str, &str)] = &[("mask", "proc")];

/// Without any hook on functions the watchpoint alone is left.
const BLIND: &str = "kprobes off";

/// Lockdown is last: it cannot be taken back.
const FALLBACKS: [Fallback; 18] = [
    fallback(
        "everything in place",
        nothing,
        &[],
        &[],
        FULL,
        "every layer is in place",
        Seen::Observed,
    ),
    fallback(
        "no free breakpoint",
        nothing,
        &["constrain", "no-breakpoint"],
        &[],
        &[
            ("mask_watch", "-"),
            ("taint_entry", "fentry"),
            ("warn_entry", "fentry"),
            ("warn_exit", "fexit"),
        ],
        "none is free on CPU 0",
        Seen::Observed,
    ),
    fallback(
        "no fentry",
        nothing,
        &[],
        &["--without", "fentry,fexit"],
        &[
            ("mask_watch", "breakpoint"),
            ("taint_entry", "kprobe"),
            ("loader_exit", "kretprobe"),
        ],
        "fentry: ruled out by --without",
        Seen::Observed,
    ),
    fallback(
        BLIND,
        kprobes_off,
        &[],
        &["--without", "fentry,fexit"],
        &[
            ("mask_watch", "breakpoint"),
            ("taint_entry", "-"),
            ("loader_exit", "-"),
        ],
        "switched off in /sys/kernel/debug/kprobes/enabled",
        Seen::Observed,
    ),
    fallback(
        "no breakpoint, no fentry",
        kprobes_on,
        &[],
        &["--without", "fentry,fexit,breakpoint"],
        &[
            ("mask_watch", "-"),
            ("taint_entry", "kprobe"),
            ("sysctl_exit", "kretprobe"),
            ("warn_exit", "kretprobe"),
        ],
        "without mask_watch",
        Seen::Observed,
    ),
    fallback(
        "no tracefs",
        no_tracefs,
        &[],
        &[],
        FULL,
        "every layer is in place",
        Seen::Observed,
    ),
    fallback(
        "no bpffs",
        no_bpffs,
        &[],
        &[],
        FULL,
        "every layer is in place",
        Seen::Observed,
    ),
    fallback(
        "kptr_restrict=2",
        hide_addresses,
        &[],
        &[],
        &[
            ("mask_watch", "-"),
            ("taint_entry", "fentry"),
            ("loader_exit", "fexit"),
            ("warn_exit", "fexit"),
        ],
        "kernel.kptr_restrict is 2",
        Seen::Observed,
    ),
    fallback(
        "perf_event_paranoid=3",
        paranoid,
        &[],
        &[],
        FULL,
        "every layer is in place",
        Seen::Observed,
    ),
    fallback(
        "without CAP_SYSLOG",
        nothing,
        &["constrain", "without", "CAP_SYSLOG"],
        &[],
        &[
            ("mask_watch", "-"),
            ("taint_entry", "fentry"),
            ("loader_exit", "fexit"),
        ],
        "CAP_SYSLOG is missing",
        Seen::Observed,
    ),
    fallback(
        "without CAP_SYS_ADMIN",
        nothing,
        &["constrain", "without", "CAP_SYS_ADMIN"],
        &[],
        &[
            ("mask_watch", "-"),
            ("taint_entry", "fentry"),
            ("warn_exit", "fexit"),
        ],
        "kernel.perf_event_paranoid is 3",
        Seen::Observed,
    ),
    fallback(
        "without CAP_BPF",
        nothing,
        &["constrain", "without", "CAP_BPF,CAP_SYS_ADMIN"],
        &[],
        POLLED,
        "this process lacks CAP_BPF",
        Seen::BitAlone,
    ),
    fallback(
        "without CAP_PERFMON",
        nothing,
        &["constrain", "without", "CAP_PERFMON,CAP_SYS_ADMIN"],
        &[],
        POLLED,
        "this process lacks CAP_PERFMON",
        Seen::BitAlone,
    ),
    fallback(
        "no bpf(2)",
        nothing,
        &["constrain", "no-bpf"],
        &[],
        POLLED,
        "this kernel has no bpf(2) system call",
        Seen::BitAlone,
    ),
    fallback(
        "without raw_tracepoint",
        nothing,
        &[],
        &["--without", "raw_tracepoint"],
        &[
            ("mask_watch", "breakpoint"),
            ("module_load", "-"),
            ("module_free", "-"),
        ],
        "module_load, module_free",
        Seen::Observed,
    ),
    fallback(
        "no BTF",
        no_btf,
        &[],
        &[],
        POLLED,
        "this kernel has no BTF",
        Seen::BitAlone,
    ),
    fallback(
        "lockdown=integrity",
        integrity,
        &[],
        &[],
        FULL,
        "every layer is in place",
        Seen::Observed,
    ),
    fallback(
        "lockdown=confidentiality",
        confidentiality,
        &[],
        &[],
        POLLED,
        "this kernel is locked down (confidentiality)",
        Seen::BitAlone,
    ),
];

const fn fallback(
    name: &'static str,
    prepare: fn() -> Result<()>,
    before: &'static [&'static str],
    arguments: &'static [&'static str],
    expect: &'static [(&'static str, &'static str)],
    says: &'static str,
    seen: Seen,
) -> Fallback {
    Fallback {
        name,
        prepare,
        before,
        arguments,
        expect,
        says,
        seen,
    }
}

pub(crate) fn all() -> Result<()> {
    let mut tally = Tally::default();
    tally.count("killed recorder", tamper::killed());
    tally.count("hook taken away", tamper::unhooked());
    tally.count("ftrace off", tamper::ftrace_off());
    if Path::new("/modules").is_dir() {
        tally.count("watch blinded", tamper::blinded());
    } else {
        println!("NA watch blinded: the suites have no headers of this kernel");
    }
    // Where only the bit is seen it must be a new one: neither 6, nor what the test modules set (9, 12, 13).
    let mut new_bits = [1, 2, 3, 4, 5, 7, 8, 10, 11, 14].into_iter();
    for fallback in FALLBACKS {
        let blind = fallback.seen == Seen::BitAlone || fallback.name == BLIND;
        let bit = if blind {
            new_bits.next().unwrap_or(15)
        } else {
            6
        };
        tally.count(fallback.name, fallback.holds(bit));
    }
    tally.end()
}

impl Fallback {
    /// Records under the constraint; bit after bit, since a flag cannot be taken back.
    fn holds(&self, bit: u32) -> Result<()> {
        (self.prepare)()?;
        let db = format!("/tmp/fallback-{}.db", self.name.replace(['/', ' '], "-"));
        let mut daemon = Daemon::start(self.before, self.arguments, &db)?;
        let mut history = History::of(&db);
        let began = history.expect(&[("/kind", "coverage".into())])?;
        let said = daemon.said()?;
        ensure!(
            began.to_string().contains(self.says),
            "{:?} is not said: {began}\n{said}",
            self.says
        );
        self.mechanisms(&began)?;
        history.catch_up()?;
        fs::write("/proc/sys/kernel/tainted", (1_u64 << bit).to_string())?;
        self.sysctl_write(&history, bit)?;
        history.catch_up()?;
        // Lockdown lets no unsigned module in.
        if Path::new("/modules").is_dir()
            && !self.name.starts_with("lockdown")
            && !self.names_no_code()
        {
            self.warning(&history)?;
        }
        daemon.stop()
    }

    fn mechanisms(&self, began: &Value) -> Result<()> {
        let hooks = began["coverage"]["hooks"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        for (layer, mechanism) in self.expect {
            let hook = hooks.iter().find(|hook| hook["layer"] == *layer);
            let won = hook
                .and_then(|hook| hook["mechanism"].as_str())
                .unwrap_or("-");
            ensure!(
                hook.is_some() && won == *mechanism,
                "{layer} is {won}: {began}"
            );
        }
        let full = self.says == "every layer is in place";
        let state = if full { "began" } else { "degraded" };
        // A mechanism that takes another's place without a loss is no degradation.
        let replaced = self.name == "no fentry";
        ensure!(
            replaced || began["coverage"]["state"] == state,
            "state: {began}"
        );
        ensure!(
            !full
                || began["coverage"]["self_test"]
                    .as_str()
                    .is_some_and(|it| !it.contains("unproven")),
            "self-test: {began}"
        );
        Ok(())
    }

    /// Kernels before 5.13 cannot resolve symbols when the event happens.
    fn resolves() -> bool {
        let symbols = fs::read_to_string("/proc/kallsyms").unwrap_or_default();
        symbols.contains(" bpf_snprintf\n")
    }

    /// There, hidden addresses hide the code.
    fn names_no_code(&self) -> bool {
        let hidden = self.says.contains("kptr_restrict") || self.says.contains("CAP_SYSLOG");
        hidden && !Self::resolves()
    }

    /// There, a module that no tracepoint reports has no place, and a kretprobe hides who called.
    fn names_no_module(&self) -> bool {
        let blinding = ["without raw_tracepoint", "no breakpoint, no fentry"];
        blinding.contains(&self.name) && !Self::resolves()
    }

    fn sysctl_write(&self, history: &History, bit: u32) -> Result<()> {
        let event = history.expect(&[("/kind", "taint".into()), ("/taint/bit", bit.into())])?;
        let seen = if self.names_no_code() {
            Seen::BitAlone
        } else {
            self.seen
        };
        let (class, confidence) = match seen {
            Seen::Observed => ("sysctl_write", "observed"),
            Seen::BitAlone => ("unknown", "unattributed"),
        };
        ensure!(event["cause"]["class"] == class, "class: {event}");
        ensure!(
            event["cause"]["confidence"] == confidence,
            "confidence: {event}"
        );
        if seen == Seen::Observed {
            ensure!(event["task"]["pid"] == std::process::id(), "task: {event}");
        } else {
            ensure!(event.get("task").is_none(), "a task is blamed: {event}");
        }
        let twice = history.new_events()?;
        let of_it = twice
            .iter()
            .filter(|event| event["kind"] == "taint" || event["kind"] == "mask_write");
        ensure!(of_it.count() == 1, "reported twice: {twice:?}");
        Ok(())
    }

    /// A warning in a module's init function: with hooks in full, else by what the kernel printed.
    fn warning(&self, history: &History) -> Result<()> {
        load("tw_warn_init", "")?;
        let blind = self.name == BLIND;
        if self.names_no_module() {
            let wanted = [
                ("/taint/letter", "W".into()),
                ("/cause/class", "unknown".into()),
            ];
            let event = history.expect(&wanted);
            delete_module(c"tw_warn_init", DeleteModuleFlags::empty())?;
            ensure!(
                event?.get("module").is_none(),
                "a module is named that nothing shows"
            );
            return Ok(());
        }
        // The flag is set by now: without the hook on add_taint which one is set again is not known.
        let what = if blind {
            ("/module/name", "tw_warn_init".into())
        } else {
            ("/taint/letter", "W".into())
        };
        let event = history.expect(&[
            ("/kind", "taint".into()),
            what,
            ("/cause/class", "module_code".into()),
        ]);
        delete_module(c"tw_warn_init", DeleteModuleFlags::empty())?;
        let event = event?;
        let known = event["cause"]["confidence"].as_str().unwrap_or_default();
        let expected = if self.seen == Seen::Observed {
            "observed"
        } else {
            "logged"
        };
        ensure!(known == expected, "confidence: {event}");
        ensure!(event["module"]["name"] == "tw_warn_init", "module: {event}");
        ensure!(event["cause"]["class"] == "module_code", "class: {event}");
        let events = history.new_events()?;
        let warnings = events
            .iter()
            .filter(|event| event["taint"]["letter"] == "W");
        ensure!(blind || warnings.count() == 1, "reported twice: {events:?}");
        Ok(())
    }
}

fn switch(path: &str, value: &str) -> Result<()> {
    Ok(fs::write(path, value)?)
}

fn kprobes_off() -> Result<()> {
    switch("/sys/kernel/debug/kprobes/enabled", "0")
}

fn kprobes_on() -> Result<()> {
    switch("/sys/kernel/debug/kprobes/enabled", "1")
}

fn no_tracefs() -> Result<()> {
    umount2("/sys/kernel/tracing", MntFlags::MNT_DETACH)?;
    Ok(umount2("/sys/kernel/debug", MntFlags::MNT_DETACH)?)
}

fn no_bpffs() -> Result<()> {
    Ok(umount2("/sys/fs/bpf", MntFlags::MNT_DETACH)?)
}

fn hide_addresses() -> Result<()> {
    switch("/proc/sys/kernel/kptr_restrict", "2")
}

fn paranoid() -> Result<()> {
    switch("/proc/sys/kernel/kptr_restrict", "0")?;
    switch("/proc/sys/kernel/perf_event_paranoid", "3")
}

fn no_btf() -> Result<()> {
    let none: Option<&str> = None;
    Ok(mount(
        Some("tmpfs"),
        "/sys/kernel/btf",
        Some("tmpfs"),
        MsFlags::empty(),
        none,
    )?)
}

fn integrity() -> Result<()> {
    umount2("/sys/kernel/btf", MntFlags::MNT_DETACH)?;
    switch("/sys/kernel/security/lockdown", "integrity")
}

/// An unsigned module cannot be loaded any more under lockdown; the test modules are then of no use.
fn confidentiality() -> Result<()> {
    switch("/sys/kernel/security/lockdown", "confidentiality")
}
