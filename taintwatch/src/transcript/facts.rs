//! What the lines of a report say beside the flag: the CPU, the task, the release, the code, the modules.
//!
//! In: the lines of a report. Out: facts, each absent where no line says it. The first that says something counts.

use super::{
    marks::{PANIC, cpu_of, number_behind},
    modules::{self, Listed},
};
use crate::{
    event::Mask,
    taint::{
        log::module_of,
        release::Release,
        text::{self, Finding, Reader, Reading},
    },
};

/// What a report says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    pub cpu: Option<u32>,
    pub pid: Option<u32>,
    pub comm: Option<String>,
    pub release: Option<String>,
    /// The state that the report prints: before its own flag, for WARN and oops set theirs behind it.
    pub mask: Option<Mask>,
    /// The state stands behind a panic: the report's own flag is in it.
    pub mask_is_after: bool,
    /// Blanks were lost on the way, and the letters were read without their places.
    pub mask_is_doubtful: bool,
    /// Flags that are set and that kernels mean differently: each reading. They are not in the mask.
    pub readings: Vec<Reading>,
    /// The line that the mask was read from: whose kernel it is may be known by another line.
    pub state: Option<String>,
    /// Where the kernel was, `symbol+0xoffset/0xsize`.
    pub code: Option<String>,
    /// The module of that code.
    pub module: Option<String>,
    /// Modules that carry flags.
    pub modules: Vec<Listed>,
    /// SUSE's line on whether the kernel is supportable.
    pub supported: Option<String>,
    /// What the kernel panicked of.
    pub panic: Option<String>,
}

impl Facts {
    /// Reads the lines of one report.
    #[must_use]
    pub fn read(lines: &[String]) -> Self {
        let mut facts = Self::default();
        for line in lines.iter().map(|line| line.trim()) {
            facts.line(line);
        }
        let release = facts.release.as_deref().and_then(Release::parse);
        let mask = facts.mask.filter(|_| !facts.mask_is_doubtful);
        facts.modules = modules::listed(lines);
        for module in &mut facts.modules {
            module.flags = modules::bits(&module.letters, mask, release);
        }
        facts
    }

    fn line(&mut self, line: &str) {
        if line.contains("ainted") {
            self.state(line);
        }
        if self.cpu.is_none() {
            self.cpu = cpu_of(line);
        }
        if self.comm.is_none() {
            self.task(line);
        }
        if self.code.is_none()
            && let Some((code, module)) = place(line)
        {
            self.code = Some(code.to_owned());
            self.module = module.map(str::to_owned);
        }
        if let Some(supported) = line.strip_prefix("Supported: ") {
            self.supported.get_or_insert_with(|| supported.to_owned());
        }
        if let Some((_, panic)) = line.split_once(PANIC) {
            let panic = panic.trim_start_matches([':', ' ']);
            self.panic.get_or_insert_with(|| panic.to_owned());
        }
    }

    /// `… Tainted: G        W  OE      6.12.1 #1`, `… Not tainted (2.6.25 #1)`.
    fn state(&mut self, line: &str) {
        // The old `EIP:` line ends with how its code is printed.
        if let Some(finding) = text::line(line.strip_suffix("VLI").unwrap_or(line))
            && (self.mask.is_none() || self.mask_is_doubtful)
        {
            self.take(finding);
            self.mask_is_after = self.panic.is_some();
            self.state = Some(line.to_owned());
        }
        if self.release.is_none() {
            self.release = release(line).map(str::to_owned);
        }
    }

    /// What is certain of a state, and beside it what is not.
    fn take(&mut self, finding: Finding) {
        let either = finding.readings.iter().map(|reading| reading.bit);
        let either = either.fold(Mask(0), Mask::with);
        self.mask = Some(finding.mask.minus(either));
        self.mask_is_doubtful = finding.notes.iter().any(|note| note.contains("blanks"));
        self.readings = finding.readings;
    }

    /// The same facts, the state read by somebody who knows whose kernel it is.
    #[must_use]
    pub fn read_by(&self, reader: &Reader) -> Self {
        let mut facts = self.clone();
        if let Some(finding) = self.state.as_ref().and_then(|line| reader.line(line)) {
            facts.take(finding);
        }
        facts
    }

    /// The shapes in which reports name the running task.
    fn task(&mut self, line: &str) {
        let found = comm_line(line)
            .or_else(|| stuck(line))
            .or_else(|| new_warning(line))
            .or_else(|| process(line))
            .or_else(|| by_task(line))
            .or_else(|| atomic(line));
        // The task of a machine whose memory is broken can be without a name.
        if let Some((comm, pid)) = found.filter(|(comm, _)| !comm.trim().is_empty()) {
            self.pid = Some(pid);
            self.comm = Some(comm.trim().to_owned());
        } else if self.pid.is_none() && line.starts_with("WARNING: CPU: ") {
            self.pid = number_behind(line, " PID: ");
        }
    }
}

/// `CPU: 1 UID: 0 PID: 7 Comm: NAME Tainted: …`; before 3.11 `Pid: 7, comm: NAME Tainted: …`.
fn comm_line(line: &str) -> Option<(&str, u32)> {
    let (pid, rest) = match line.split_once(" Comm: ") {
        Some((before, rest)) => (number_behind(before, "PID: ")?, rest),
        None => (
            number_behind(line, "Pid: ")?,
            line.split_once(", comm: ")?.1,
        ),
    };
    // The name may hold these words itself; the kernel's own stand last.
    let end = [" Kdump: ", " Tainted: ", " Not tainted"]
        .iter()
        .filter_map(|word| rest.rfind(word))
        .min()
        .unwrap_or(rest.len());
    Some((rest.get(..end)?, pid))
}

/// `BUG: soft lockup - CPU#0 stuck for 22s! [NAME:1]`.
fn stuck(line: &str) -> Option<(&str, u32)> {
    let (_, task) = line.split_once(" stuck for ")?.1.split_once('[')?;
    let (comm, pid) = task.trim_end().strip_suffix(']')?.rsplit_once(':')?;
    Some((comm, pid.parse().ok()?))
}

/// `WARNING: … at …, CPU#3: NAME/88`, from 6.19 on.
fn new_warning(line: &str) -> Option<(&str, u32)> {
    let (_, rest) = line.strip_prefix("WARNING: ")?.rsplit_once(", CPU#")?;
    let (comm, pid) = rest.split_once(": ")?.1.rsplit_once('/')?;
    Some((comm, pid.trim().parse().ok()?))
}

/// `Process NAME (pid: 7, threadinfo …)`, of old kernels.
fn process(line: &str) -> Option<(&str, u32)> {
    let (comm, rest) = line.strip_prefix("Process ")?.split_once(" (pid: ")?;
    Some((comm, rest.split([',', ')']).next()?.trim().parse().ok()?))
}

/// `Read of size 8 at addr … by task NAME/77` (KASAN).
fn by_task(line: &str) -> Option<(&str, u32)> {
    let (comm, pid) = line.split_once(" by task ")?.1.rsplit_once('/')?;
    Some((comm, pid.trim_end_matches(':').parse().ok()?))
}

/// `BUG: scheduling while atomic: NAME/77/0x00000002`, `in_atomic(): 1, …, pid: 77, name: NAME`.
fn atomic(line: &str) -> Option<(&str, u32)> {
    if let Some(rest) = line.strip_prefix("BUG: scheduling while atomic: ") {
        let (comm, pid) = rest.rsplit_once('/')?.0.rsplit_once('/')?;
        return Some((comm, pid.parse().ok()?));
    }
    let comm = line.strip_prefix("in_atomic(): ")?.split_once("name: ")?.1;
    Some((comm, number_behind(line, "pid: ")?))
}

/// The word before ` #1`, the number of the build.
fn release(line: &str) -> Option<&str> {
    let build = |(at, _): &(usize, &str)| {
        let behind = line.as_bytes().get(at + 2);
        behind.is_some_and(u8::is_ascii_digit)
    };
    let (at, _) = line.rmatch_indices(" #").find(build)?;
    let word = line.get(..at)?.rsplit([' ', '(']).next()?;
    (word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.')).then_some(word)
}

/// The lines that say where the kernel was, on each architecture.
const PLACES: [&str; 13] = [
    "RIP: ",
    "RIP  ",
    "EIP: ",
    "EIP is at ",
    "IP: ",
    "IP is at ",
    "pc : ",
    "PC is at ",
    "NIP [",
    "epc : ",
    "epc   : ",
    "Krnl PSW : ",
    "TPC: <",
];

/// Code and module that a line names as the place.
fn place(line: &str) -> Option<(&str, Option<&str>)> {
    let named = PLACES
        .iter()
        .find_map(|begin| line.strip_prefix(begin))
        .or_else(|| sanitizer(line))?;
    let start = named.find("+0x")?;
    // `0010:f+0x1/0x2 [m]`, `0010:[<ffff>]  [<ffff>] f+0x1/0x2 [m]`, `(f+0x1/0x2 [m])`.
    let begin = named.get(..start)?.rfind([' ', ':', '(', '<', '>', ']']);
    let code = named.get(begin.map_or(0, |at| at + 1)..)?;
    let (symbol, rest) = code.split_once(' ').unwrap_or((code, ""));
    let symbol = symbol.trim_end_matches([')', '>', ',']);
    (!symbol.starts_with("+0x")).then_some((symbol, module_of(rest.trim_start())))
}

/// `BUG: KASAN: slab-out-of-bounds in f+0x1/0x2 [m]`.
fn sanitizer(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("BUG: K")?;
    let (kind, rest) = rest.split_once(": ")?;
    matches!(kind, "ASAN" | "ASan" | "FENCE" | "MSAN")
        .then(|| rest.split_once(" in ").map(|(_, place)| place))?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn facts(lines: &[&str]) -> Facts {
        let lines: Vec<_> = lines.iter().map(|line| (*line).to_owned()).collect();
        Facts::read(&lines)
    }

    #[test]
    fn tasks_are_named_in_many_ways() {
        for (line, comm, pid) in [
            (
                "CPU: 1 UID: 0 PID: 7 Comm: a b Tainted: G        W          6.12.1 #1",
                "a b",
                7,
            ),
            (
                "CPU: 1 PID: 7 Comm: x Kdump: loaded Not tainted 5.14.0-70.el9 #1",
                "x",
                7,
            ),
            (
                "Pid: 77, comm: insmod Tainted: P           2.6.32-5-amd64 #1",
                "insmod",
                77,
            ),
            (
                "BUG: soft lockup - CPU#2 stuck for 22s! [kworker/2:1:88]",
                "kworker/2:1",
                88,
            ),
            (
                "WARNING: x.c:9 at f+0x1/0x2, CPU#3: kworker/3:1/88",
                "kworker/3:1",
                88,
            ),
            ("Process insmod (pid: 12, ti=c1 task=c2)", "insmod", 12),
            ("Read of size 8 at addr ffff by task cat/55", "cat", 55),
            (
                "BUG: scheduling while atomic: swapper/0/1/0x00000002",
                "swapper/0",
                1,
            ),
        ] {
            let facts = facts(&[line]);
            assert_eq!(
                (facts.comm.as_deref(), facts.pid),
                (Some(comm), Some(pid)),
                "{line}"
            );
        }
    }

    #[test]
    fn the_place_is_read_on_each_architecture() {
        for (line, code, module) in [
            ("RIP: 0010:f+0x1/0x2 [m]", "f+0x1/0x2", Some("m")),
            (
                "RIP: 0010:[<ffffffff81>]  [<ffffffff81>] f+0x1/0x2 [m]",
                "f+0x1/0x2",
                Some("m"),
            ),
            ("EIP is at f+0x1/0x2", "f+0x1/0x2", None),
            ("pc : f.isra.0+0x1/0x2 [m]", "f.isra.0+0x1/0x2", Some("m")),
            ("NIP [c00000] f+0x1/0x2 [m]", "f+0x1/0x2", Some("m")),
            (
                "Krnl PSW : 0704c000 00000 (f+0x1/0x2 [m])",
                "f+0x1/0x2",
                Some("m"),
            ),
            ("epc : f+0x1/0x2 [m]", "f+0x1/0x2", Some("m")),
            (
                "BUG: KASAN: use-after-free in f+0x1/0x2 [m]",
                "f+0x1/0x2",
                Some("m"),
            ),
        ] {
            let facts = facts(&[line]);
            assert_eq!(
                (facts.code.as_deref(), facts.module.as_deref()),
                (Some(code), module),
                "{line}"
            );
        }
        assert_eq!(facts(&["RIP: 0033:0x7f1234"]).code, None);
    }

    #[test]
    fn the_release_stands_before_the_build() {
        for (line, release) in [
            (
                "Comm: a Tainted: G        W  OE     6.1.0-50-cloud-amd64 #1 Debian 6.1",
                "6.1.0-50-cloud-amd64",
            ),
            ("Pid: 1, comm: swapper Not tainted (2.6.25 #1)", "2.6.25"),
        ] {
            assert_eq!(facts(&[line]).release.as_deref(), Some(release), "{line}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(lines: Vec<String>, begin in 0..PLACES.len(), line: String) {
            _ = Facts::read(&lines);
            _ = place(&format!("{}{line}+0x1", PLACES[begin]));
        }
    }
}
