//! The kinds of guests, and what each must show.
//!
//! In: a kernel, the lines that a guest prints. Out: results. The guests of the disk have files of their own.

use anyhow::{Result, bail, ensure};

use super::{crash, early, file_systems, matrix::Matrix, power_cut};
use crate::{
    acpi, bench, demo, journal,
    kernels::{self, Kernel},
    package,
    progress::Spinner,
    qemu::{Ended, Flow, Guest, Heard},
    vm,
};

/// Where the systemd guests' events come from.
pub(super) const JOURNAL_KERNEL: &str = "6.1";
/// The kernel whose storm is a million calls; the emulated trap makes them dear.
const WHOLE_STORM: &str = "6.1";

/// A kind of guest.
#[derive(Clone, Copy)]
pub(super) struct Kind {
    pub(super) name: &'static str,
    /// The cell that shows whether it ran.
    pub(super) cell: &'static str,
    /// How long it takes beside another one, about.
    pub(super) seconds: u32,
}

const fn kind(name: &'static str, cell: &'static str, seconds: u32) -> Kind {
    Kind {
        name,
        cell,
        seconds,
    }
}

/// Those of the kernels: `runs` says on which.
pub(super) const KINDS: [Kind; 12] = [
    kind("all", "guest of the scenarios", 240),
    kind("causes", "guest of the causes", 170),
    kind("fallbacks", "guest of the fallbacks", 300),
    kind("late", "guest whose recorder starts late", 50),
    kind("store", "guest of a history in trouble", 60),
    kind("power-cut", "events survive power cuts", 30),
    kind("crash", "a panic is in the history of its boot", 60),
    kind("file-systems", "guest of the file systems", 30),
    kind("early", "guest whose first module is seen", 100),
    kind("takeover", "guest of recorders that take over", 90),
    kind("bench", "it costs no more than docs/bench says", 60),
    kind("unprivileged", "without rights: a status and an error", 15),
];

/// What runs under systemd, each in a guest of its own: the events held against the journal, with udev and kmod; and
/// a recorder that starts late and has the journal to ask; and the package.
pub(super) const UNDER_SYSTEMD: [(&str, &str); 3] = [
    (
        "systemd-journal",
        "scenarios all 20000 && journalctl --sync && scenarios journal && depmod && scenarios system",
    ),
    ("systemd-late", "scenarios late"),
    ("systemd-package", "scenarios package"),
];

/// The demo, on one kernel, and about how long it takes.
pub(super) const DEMO: &str = "demo";
pub(super) const DEMO_SECONDS: u32 = 60;

/// A name that is none of these would run nothing, and look like a pass.
pub(super) fn names() -> Vec<&'static str> {
    let names = KINDS.iter().map(|kind| kind.name);
    let under_systemd = UNDER_SYSTEMD.iter().map(|(name, _)| *name);
    names
        .chain(["systemd", DEMO])
        .chain(under_systemd)
        .collect()
}

/// The kernel with `PREEMPT_RT`: what differs there is the context of code, and that is in `all`.
const REALTIME: &str = "6.12-rt";

/// What differs in keeping hooks attached: 5.10 has no link for events of `perf_event_open(2)`.
const TAKEOVER_KERNELS: [&str; 3] = ["5.10", "6.1", "7.3"];

/// Whether this kind of guest runs on this kernel.
pub(super) fn runs(kind: &str, series: &str) -> bool {
    match kind {
        "all" => true,
        _ if series == REALTIME => false,
        "early" => series == JOURNAL_KERNEL,
        "takeover" => TAKEOVER_KERNELS.contains(&series),
        "file-systems" => file_systems::KERNELS.contains(&series),
        // What happens to files is the same on each kernel; what is counted is compared on one.
        "store" | "bench" => series == WHOLE_STORM,
        _ => true,
    }
}

/// Runs a guest of a kernel's series.
pub(super) fn run(series: &str, kind: &Kind, matrix: &mut Matrix) {
    let ran = kernels::get(series).and_then(|kernel| match kind.name {
        "power-cut" => power_cut::run(&kernel, matrix),
        "early" => early::run(&kernel, matrix),
        "crash" => crash::run(&kernel, matrix),
        "file-systems" => file_systems::run(&kernel, matrix),
        "unprivileged" => unprivileged(&kernel, matrix),
        "bench" => bench::check(series),
        name => scenarios(&kernel, name, matrix),
    });
    matrix.cell(series, kind.cell, ran);
}

/// Runs a guest under systemd.
pub(super) fn under_systemd(name: &str, script: &str, matrix: &mut Matrix) {
    let mut run = || -> Result<()> {
        let kernel = kernels::get(JOURNAL_KERNEL)?;
        let mut guest = journal::guest(&kernel, name, script)?;
        if name == "systemd-late" {
            guest.files.file(acpi::PATH, 0o644, acpi::table());
        }
        if name == "systemd-package" {
            guest.files.copy(&package::of("deb")?, "taintwatch.deb")?;
        }
        judged(&guest, "systemd", false, matrix)
    };
    let ran = run();
    matrix.check(&format!("guest of {name}"), ran);
}

/// The demo shows what the README says.
pub(super) fn demo(matrix: &mut Matrix) {
    let mut run = || -> Result<()> {
        let guest = demo::guest(&kernels::get(JOURNAL_KERNEL)?, false)?;
        let mut printed = Vec::new();
        let ended = run_guest(&guest, matrix, |line, _| {
            printed.push(line.to_owned());
            Flow::Continue
        })?;
        ensure!(matches!(ended, Ended::Exited(_)), "it ended with {ended:?}");
        // Texts are wrapped at the width of the guest's console.
        let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let whole = one_line(&printed.join(" "));
        let mut rest = whole.as_str();
        for wanted in demo::SHOWS {
            let found = rest.split_once(&one_line(wanted));
            let Some((_, behind)) = found else {
                bail!("no {wanted:?} in its output:\n{}", printed.join("\n"));
            };
            rest = behind;
        }
        Ok(())
    };
    let ran = run();
    matrix.check("the demo shows what the README says", ran);
}

/// Runs scenarios in a guest; each prints its own result.
fn scenarios(kernel: &Kernel, name: &str, matrix: &mut Matrix) -> Result<()> {
    let calls = if kernel.series == WHOLE_STORM {
        "1000000"
    } else {
        "50000"
    };
    let job = match name {
        "all" => format!("scenarios all {calls}"),
        // That needs a kernel which is tainted already, and finds one here.
        "late" => "scenarios late && scenarios run".to_owned(),
        name => format!("scenarios {name}"),
    };
    let mut guest = vm::guest(kernel, name, &job)?;
    if name == "late" {
        guest.files.file(acpi::PATH, 0o644, acpi::table());
    }
    judged(&guest, &kernel.series, !kernel.has_headers, matrix)
}

/// A guest whose job prints results of this column; its status must be 0.
pub(super) fn judged(
    guest: &Guest,
    column: &str,
    may_lack: bool,
    matrix: &mut Matrix,
) -> Result<()> {
    let mut other = Vec::new();
    let ended = run_guest(guest, matrix, |line, matrix| {
        if !matrix.line(column, line, may_lack) {
            if line.starts_with("storm: ") {
                matrix.note(format!("        {line}"));
            }
            other.push(line.to_owned());
        }
        Flow::Continue
    })?;
    if ended != Ended::Exited(0) {
        bail!("it ended with {ended:?}; it printed:\n{}", other.join("\n"));
    }
    Ok(())
}

/// Runs a guest to its end, with its boots counted and its lines handed on.
pub(super) fn run_guest(
    guest: &Guest,
    matrix: &mut Matrix,
    mut on: impl FnMut(&str, &mut Matrix) -> Flow,
) -> Result<Ended> {
    let spinner = Spinner::new(&guest.name);
    guest.run(|heard| match heard {
        Heard::Began => {
            matrix.boots += 1;
            Flow::Continue
        }
        Heard::Line(line) => {
            spinner.show(format!("{}: {line}", guest.name));
            on(line, matrix)
        }
        Heard::Again(why) => {
            matrix.note(format!("note: {why}"));
            Flow::Continue
        }
    })
}

/// Who has no rights still gets a status, and from the recorder an error that says what is missing.
fn unprivileged(kernel: &Kernel, matrix: &mut Matrix) -> Result<()> {
    let job = "constrain unprivileged taintwatch status; echo \"status $?\"\n\
         constrain unprivileged taintwatch daemon; echo \"daemon $?\"\n";
    let guest = vm::guest(kernel, "unprivileged", job)?;
    let mut text = String::new();
    run_guest(&guest, matrix, |line, _| {
        text = format!("{text}{line}\n");
        Flow::Continue
    })?;
    for wanted in [
        "not tainted",
        "status 0",
        "run it as root",
        "CAP_BPF",
        "daemon 2",
    ] {
        ensure!(
            text.contains(wanted),
            "no {wanted:?} in its output:\n{text}"
        );
    }
    Ok(())
}
