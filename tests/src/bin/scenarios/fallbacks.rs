//! Each mechanism taken away: which one takes its place, what is said, and what is still seen.
//!
//! In: what to take away, and the mechanisms that must win then. Out: a result for each, from a recorder of its own.

mod table;

use std::{fs, path::Path};

use anyhow::{Result, anyhow, ensure};
use nix::{
    errno::Errno,
    kmod::{DeleteModuleFlags, delete_module},
};
use serde_json::Value;

use table::FALLBACKS;

use crate::{
    NO_HEADERS, Tally, codes,
    daemon::Daemon,
    history::History,
    loading::{load, load_file},
    suse, tamper,
};

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
    /// What is taken away at the same time, and replaced in the same way.
    also: &'static [&'static str],
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

/// These recorders are used for more than one check.
const WHOLE: &str = "everything in place";
const KPROBES: &str = "no fentry";
/// Without any hook on functions the watchpoint alone is left.
const BLIND: &str = "kprobes off";

pub(crate) fn all() -> Result<()> {
    let mut tally = Tally::default();
    // Before anything taints.
    tally.count("exit codes of status", codes::status());
    tally.count("exit codes of check", codes::check());
    tally.count("ftrace off", tamper::ftrace_off());
    // Before lockdown, which lets no test module in.
    if Path::new("/modules").is_dir() {
        tally.count("SUSE's flags on a machine of SUSE", suse::flags());
    } else {
        println!("NA SUSE's flags on a machine of SUSE: {NO_HEADERS}");
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
        let held = fallback.holds(bit);
        fallback.with_module(held.is_ok(), &mut tally);
        match (fallback.name, held) {
            (WHOLE, held) => tampered(held, &mut tally),
            (KPROBES, Ok(mut recorder)) => {
                tally.count("hook taken away", tamper::unhooked(&fallback.db()));
                tally.count(KPROBES, recorder.stop());
            }
            (name, held) => {
                let held = held.and_then(|mut recorder| recorder.stop());
                let failed = held.as_ref().err().map(ToString::to_string);
                tally.count(name, held);
                for also in fallback.also {
                    tally.count(also, failed.clone().map_or(Ok(()), |why| Err(anyhow!(why))));
                }
            }
        }
    }
    tally.end()
}

/// The recorder that has everything is killed; the one that follows it is blinded.
fn tampered(recorder: Result<Daemon>, tally: &mut Tally) {
    let db = FALLBACKS[0].db();
    let (held, recorder) = match recorder {
        Ok(recorder) => (Ok(()), Some(recorder)),
        Err(error) => (Err(error), None),
    };
    tally.count(WHOLE, held);
    let missing = || anyhow!("{WHOLE} has no recorder");
    let second = recorder.ok_or_else(missing);
    let second = second.and_then(|first| tamper::killed(first, &db));
    let (survived, second) = match second {
        Ok(second) => (Ok(()), Some(second)),
        Err(error) => (Err(error), None),
    };
    tally.count("killed recorder", survived);
    let second = second.ok_or_else(|| anyhow!("the killed recorder has no successor"));
    if Path::new("/modules").is_dir() {
        let blinded = second.and_then(|recorder| tamper::blinded(recorder, &db));
        tally.count("watchpoint blinded", blinded);
    } else {
        tally.count("watchpoint blinded", Err(NO_HEADERS.into()));
        tally.count(
            "successor of a killed recorder",
            second.and_then(|mut it| it.stop()),
        );
    }
}

impl Fallback {
    const fn also(mut self, names: &'static [&'static str]) -> Self {
        self.also = names;
        self
    }

    fn db(&self) -> String {
        format!("/tmp/fallback-{}.db", self.name.replace(['/', ' '], "-"))
    }

    /// Records under the constraint; bit after bit, since a flag cannot be taken back.
    fn holds(&self, bit: u32) -> Result<Daemon> {
        (self.prepare)()?;
        let db = self.db();
        let daemon = Daemon::start(self.before, self.arguments, &db)?;
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
        Ok(daemon)
    }

    /// A module under the constraint, where the recorder holds.
    fn with_module(&self, held: bool, tally: &mut Tally) {
        // Lockdown lets no unsigned module in; where only the bit is seen, nothing of that is.
        let is_locked_down = self.name.starts_with("lockdown");
        if is_locked_down && self.seen == Seen::BitAlone {
            return;
        }
        let what = if is_locked_down {
            "a refused module"
        } else {
            "a warning"
        };
        let done = || -> Result<()> {
            ensure!(held, "{} has no recorder", self.name);
            let mut history = History::of(&self.db());
            history.catch_up()?;
            if is_locked_down {
                return refused(&history);
            }
            if !Path::new("/modules").is_dir() {
                return Err(NO_HEADERS.into());
            }
            self.warning(&history)
        };
        tally.count(&format!("{}, {what}", self.name), done());
    }

    fn mechanisms(&self, began: &Value) -> Result<()> {
        let hooks = began["coverage"]["hooks"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        for (layer, mechanism) in self.expect {
            let hook = hooks.iter().find(|hook| hook["layer"] == *layer);
            let chosen = hook
                .and_then(|hook| hook["mechanism"].as_str())
                .unwrap_or("-");
            ensure!(
                hook.is_some() && chosen == *mechanism,
                "{layer} is {chosen}: {began}"
            );
        }
        let full = self.says == "every layer is in place";
        let state = if full { "began" } else { "degraded" };
        // A mechanism that takes another's place without a loss is no degradation.
        let replaced = self.name == KPROBES;
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
        let twice = history.later()?;
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
        if self.names_no_module() || self.names_no_code() {
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
        let events = history.later()?;
        let warnings = events
            .iter()
            .filter(|event| event["taint"]["letter"] == "W");
        ensure!(blind || warnings.count() == 1, "reported twice: {events:?}");
        Ok(())
    }
}

/// An unsigned module under lockdown: no flag is set, and the attempt is recorded.
fn refused(history: &History) -> Result<()> {
    let loaded = load_file("/patched/dummy.ko", "numdummies=0");
    ensure!(
        loaded == Err(Errno::EPERM),
        "lockdown lets it in: {loaded:?}"
    );
    history.expect(&[
        ("/kind", "module_load_failed".into()),
        ("/module/errno", "EPERM".into()),
        ("/module/path", "/patched/dummy.ko".into()),
    ])?;
    let taints = history.complete()?;
    let taints: Vec<_> = taints
        .iter()
        .filter(|event| event["kind"] == "taint")
        .collect();
    ensure!(taints.is_empty(), "it set no flag: {taints:?}");
    Ok(())
}
