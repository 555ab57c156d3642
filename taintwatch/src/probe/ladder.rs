//! The plan of mechanisms: for each layer the ways to hook it, best first.
//!
//! In: the loaded object. Out: an account of each layer. Nothing is assumed from the kernel's
//! version: a rung is tried, and the next one when the kernel refuses it.

use aya::{
    Btf, Ebpf,
    programs::{FEntry, FExit, KProbe, Program, ProgramError, RawTracePoint},
};

use crate::event::Hook;

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
type Ladder = (&'static str, &'static str, &'static [Rung]);

const LADDERS: [Ladder; 5] = [
    (
        "taint_entry",
        "add_taint",
        &[Rung::Fentry("add_taint"), Rung::Kprobe("add_taint_kprobe")],
    ),
    (
        "loader_entry",
        "load_module",
        &[
            Rung::Fentry("load_module"),
            Rung::Kprobe("load_module_kprobe"),
        ],
    ),
    (
        "loader_exit",
        "load_module",
        &[
            Rung::Fexit("load_module_exit"),
            Rung::Kretprobe("load_module_kretprobe"),
        ],
    ),
    (
        "module_load",
        "module_load",
        &[Rung::RawTracepoint("module_load")],
    ),
    (
        "module_free",
        "module_free",
        &[Rung::RawTracepoint("module_free")],
    ),
];

/// Climbs each ladder to the first rung that holds.
pub fn attach(ebpf: &mut Ebpf, types: &Btf) -> Vec<Hook> {
    LADDERS
        .iter()
        .map(|ladder| climb(ebpf, types, ladder))
        .collect()
}

fn climb(ebpf: &mut Ebpf, types: &Btf, (layer, target, rungs): &Ladder) -> Hook {
    let mut refused = Vec::new();
    for rung in *rungs {
        match rung.attach(ebpf, types, target) {
            Ok(()) => {
                let reason = (!refused.is_empty()).then(|| refused.join("; "));
                return hook(layer, Some(rung.mechanism()), reason);
            }
            Err(error) => refused.push(format!(
                "{} on {target}: {}",
                rung.mechanism(),
                explain(&error)
            )),
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

    fn attach(self, ebpf: &mut Ebpf, types: &Btf, target: &str) -> Result<(), ProgramError> {
        match self {
            Self::Fentry(name) => {
                let program: &mut FEntry = program(ebpf, name)?;
                program.load(target, types)?;
                program.attach().map(drop)
            }
            Self::Fexit(name) => {
                let program: &mut FExit = program(ebpf, name)?;
                program.load(target, types)?;
                program.attach().map(drop)
            }
            Self::Kprobe(name) | Self::Kretprobe(name) => {
                let program: &mut KProbe = program(ebpf, name)?;
                program.load()?;
                program.attach(target, 0).map(drop)
            }
            Self::RawTracepoint(name) => {
                let program: &mut RawTracePoint = program(ebpf, name)?;
                program.load()?;
                program.attach(target).map(drop)
            }
        }
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
        let last: Vec<_> = log
            .lines()
            .rev()
            .filter(|line| !line.starts_with("processed "))
            .take(40)
            .collect();
        log::debug!(
            "the verifier's last lines: {}",
            last.iter().rev().copied().collect::<Vec<_>>().join("\n")
        );
        let said = last
            .first()
            .map_or_else(String::new, |line| format!(" (verifier: {line})"));
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
