//! The plan of mechanisms: for each layer the ways to hook it, best first.
//!
//! In: the loaded object, the kernel's types, what a person ruled out. Out: an account of each layer.
//! Nothing is assumed from the kernel's version: a rung is tried, and the next one when the kernel
//! refuses it.

use aya::{
    Ebpf,
    programs::{FEntry, FExit, KProbe, Program, ProgramError, RawTracePoint},
};

use super::{Without, contract};
use crate::{event::Hook, kernel::btf::Btf};

/// A way to hook: the program of the object that it takes.
#[derive(Clone, Copy)]
enum Rung {
    Fentry(&'static str),
    Fexit(&'static str),
    Kprobe(&'static str),
    Kretprobe(&'static str),
    RawTracepoint(&'static str),
}

/// A layer, the function or tracepoint that it watches, and its rungs.
pub struct Ladder {
    layer: &'static str,
    target: &'static str,
    rungs: &'static [Rung],
}

/// In every watch.
pub const ALWAYS: [Ladder; 12] = [
    Ladder {
        layer: "taint_entry",
        target: "add_taint",
        rungs: &[Rung::Fentry("add_taint"), Rung::Kprobe("add_taint_kprobe")],
    },
    Ladder {
        layer: "sysctl_entry",
        target: "proc_taint",
        rungs: &[
            Rung::Fentry("proc_taint"),
            Rung::Kprobe("proc_taint_kprobe"),
        ],
    },
    Ladder {
        layer: "sysctl_exit",
        target: "proc_taint",
        rungs: &[
            Rung::Fexit("proc_taint_exit"),
            Rung::Kretprobe("proc_taint_kretprobe"),
        ],
    },
    Ladder {
        layer: "loader_entry",
        target: "load_module",
        rungs: &[
            Rung::Fentry("load_module"),
            Rung::Kprobe("load_module_kprobe"),
        ],
    },
    Ladder {
        layer: "loader_exit",
        target: "load_module",
        rungs: &[
            Rung::Fexit("load_module_exit"),
            Rung::Kretprobe("load_module_kretprobe"),
        ],
    },
    Ladder {
        layer: "module_file",
        target: "security_kernel_read_file",
        rungs: &[
            Rung::Fentry("module_read"),
            Rung::Kprobe("module_read_kprobe"),
        ],
    },
    Ladder {
        layer: "module_memory",
        target: "security_kernel_load_data",
        rungs: &[
            Rung::Fentry("module_memory"),
            Rung::Kprobe("module_memory_kprobe"),
        ],
    },
    Ladder {
        layer: "module_request",
        target: "module_request",
        rungs: &[Rung::RawTracepoint("module_request")],
    },
    Ladder {
        layer: "unload_entry",
        target: "__x64_sys_delete_module",
        rungs: &[
            Rung::Fentry("delete_module"),
            Rung::Kprobe("delete_module_kprobe"),
        ],
    },
    Ladder {
        layer: "unload_exit",
        target: "__x64_sys_delete_module",
        rungs: &[
            Rung::Fexit("delete_module_exit"),
            Rung::Kretprobe("delete_module_kretprobe"),
        ],
    },
    Ladder {
        layer: "module_load",
        target: "module_load",
        rungs: &[Rung::RawTracepoint("module_load")],
    },
    Ladder {
        layer: "module_free",
        target: "module_free",
        rungs: &[Rung::RawTracepoint("module_free")],
    },
];

/// Where the watch on the mask cannot be had: copies of `add_taint` that the compiler may have made.
pub const WITHOUT_WATCH: [Ladder; 2] = [
    Ladder {
        layer: "warn_entry",
        target: "__warn",
        rungs: &[Rung::Fentry("warn"), Rung::Kprobe("warn_kprobe")],
    },
    Ladder {
        layer: "warn_exit",
        target: "__warn",
        rungs: &[Rung::Fexit("warn_exit"), Rung::Kretprobe("warn_kretprobe")],
    },
];

/// The kernel's types: for aya, and for the contract.
pub struct Types {
    pub aya: Option<aya::Btf>,
    pub own: Btf,
}

/// Climbs each ladder to the first rung that holds.
pub fn attach(ebpf: &mut Ebpf, types: &Types, without: &Without, ladders: &[Ladder]) -> Vec<Hook> {
    ladders
        .iter()
        .map(|ladder| climb(ebpf, types, without, ladder))
        .collect()
}

fn climb(ebpf: &mut Ebpf, types: &Types, without: &Without, ladder: &Ladder) -> Hook {
    let Ladder {
        layer,
        target,
        rungs,
    } = ladder;
    if let Some(found) = contract::differs(&types.own, target) {
        let reason =
            format!("this kernel's {target} is `{found}`, which this program does not know");
        return hook(layer, None, Some(reason));
    }
    let mut refused = Vec::new();
    for rung in *rungs {
        let began = std::time::Instant::now();
        let tried = rung.attach(ebpf, types, without, target);
        log::debug!(
            "{} on {target}: {} ms",
            rung.mechanism(),
            began.elapsed().as_millis()
        );
        match tried {
            Ok(()) => {
                let reason = (!refused.is_empty()).then(|| refused.join("; "));
                return hook(layer, Some(rung.mechanism()), reason);
            }
            Err(why) => refused.push(format!("{} on {target}: {why}", rung.mechanism())),
        }
    }
    hook(layer, None, Some(refused.join("; ")))
}

impl Rung {
    const fn mechanism(self) -> &'static str {
        match self {
            Self::Fentry(_) => "fentry",
            Self::Fexit(_) => "fexit",
            Self::Kprobe(_) => "kprobe",
            Self::Kretprobe(_) => "kretprobe",
            Self::RawTracepoint(_) => "raw_tracepoint",
        }
    }

    fn attach(
        self,
        ebpf: &mut Ebpf,
        types: &Types,
        without: &Without,
        target: &str,
    ) -> Result<(), String> {
        without.allows(self.mechanism())?;
        let for_aya = types
            .aya
            .as_ref()
            .ok_or("aya cannot read this kernel's types");
        let done = match self {
            Self::Fentry(name) => fentry(ebpf, name, target, for_aya?),
            Self::Fexit(name) => fexit(ebpf, name, target, for_aya?),
            Self::Kprobe(name) | Self::Kretprobe(name) => {
                kprobes_are_armed()?;
                kprobe(ebpf, name, target)
            }
            Self::RawTracepoint(name) => raw_tracepoint(ebpf, name, target),
        };
        done.map_err(|error| explain(&error))
    }
}

fn fentry(ebpf: &mut Ebpf, name: &str, target: &str, types: &aya::Btf) -> Result<(), ProgramError> {
    let program: &mut FEntry = program(ebpf, name)?;
    program.load(target, types)?;
    program.attach().map(drop)
}

fn fexit(ebpf: &mut Ebpf, name: &str, target: &str, types: &aya::Btf) -> Result<(), ProgramError> {
    let program: &mut FExit = program(ebpf, name)?;
    program.load(target, types)?;
    program.attach().map(drop)
}

fn kprobe(ebpf: &mut Ebpf, name: &str, target: &str) -> Result<(), ProgramError> {
    let program: &mut KProbe = program(ebpf, name)?;
    program.load()?;
    program.attach(target, 0).map(drop)
}

fn raw_tracepoint(ebpf: &mut Ebpf, name: &str, target: &str) -> Result<(), ProgramError> {
    let program: &mut RawTracePoint = program(ebpf, name)?;
    program.load()?;
    program.attach(target).map(drop)
}

/// Disarmed kprobes can be registered and never fire (`kprobes_all_disarmed`, `kernel/kprobes.c`).
fn kprobes_are_armed() -> Result<(), String> {
    const SWITCH: &str = "/sys/kernel/debug/kprobes/enabled";
    // Without debugfs nobody can have switched them off there since the boot, as far as can be told.
    let switch = std::fs::read_to_string(SWITCH).unwrap_or_default();
    if switch.trim() == "0" {
        Err(format!("switched off in {SWITCH}"))
    } else {
        Ok(())
    }
}

/// A program of the object by its name and type.
pub fn program<'a, P>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut P, ProgramError>
where
    &'a mut P: TryFrom<&'a mut Program, Error = ProgramError>,
{
    ebpf.program_mut(name)
        .ok_or(ProgramError::NotAttached)?
        .try_into()
}

/// A line of the account.
#[must_use]
pub fn hook(layer: &str, mechanism: Option<&str>, reason: Option<String>) -> Hook {
    Hook {
        layer: layer.to_owned(),
        mechanism: mechanism.map(str::to_owned),
        reason,
    }
}

/// An error with its causes in one line, and the verifier's last words when it refused a program.
#[must_use]
pub fn explain(error: &ProgramError) -> String {
    if let ProgramError::LoadError {
        io_error,
        verifier_log,
    } = error
    {
        let log = verifier_log.to_string();
        let is_summary = |line: &&str| {
            ["processed ", "stack depth", "verification time"]
                .iter()
                .any(|begin| line.starts_with(begin))
        };
        let said = log.lines().rev().filter(|line| !is_summary(line));
        let last: Vec<_> = said.take(40).collect();
        let shown: Vec<_> = last.iter().rev().copied().collect();
        log::debug!("the verifier's last lines: {}", shown.join("\n"));
        let said = last
            .first()
            .map(|line| format!(" (verifier: {line})"))
            .unwrap_or_default();
        return format!("load: {io_error}{said}");
    }
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
