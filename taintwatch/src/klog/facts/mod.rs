//! What the lines of a report say besides the flag: the CPU, the task, the release, the code, the modules.
//!
//! In: the lines of a report. Out: facts, each absent where no line says it. The first that says something counts.

mod context;
mod place;
mod task;

pub use context::Ran;
pub(super) use task::{Runner, named};

use super::{
    marks::{PANIC, begins_trace, cpu_of},
    modules::{self, Listed},
};
use crate::{
    event::Mask,
    taint::{
        release::Release,
        text::{self, Decoded, Reader, Reading},
    },
};

/// What a report says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    pub cpu: Option<u32>,
    pub pid: Option<u32>,
    pub comm: Option<String>,
    /// Whether it was that task that ran, or an interrupt.
    pub ran: Ran,
    pub release: Option<String>,
    /// The state that the report prints: before its own flag, for WARN and oops set theirs behind it.
    pub mask: Option<Mask>,
    /// The state stands behind a panic: the report's own flag is in it.
    pub mask_is_after: bool,
    /// Blanks were lost on the way, and the letters were read without their places.
    pub mask_is_doubtful: bool,
    /// Flags that are set and that kernels mean differently: each reading. They are not in the mask.
    pub readings: Vec<Reading>,
    /// The line that the mask was read from: another line may show the vendor.
    pub state: Option<String>,
    /// Where the kernel was, `symbol+0xoffset/0xsize`. Once the stack trace has begun no place is taken: what it names
    /// is what an interrupt interrupted, or the task's own code.
    pub code: Option<String>,
    /// The module of that code.
    pub module: Option<String>,
    /// Modules that carry flags.
    pub modules: Vec<Listed>,
    /// It names CPU and task as kernels before 3.11 did.
    pub is_before_3_11: bool,
    /// Flags of modules whose names were broken over two lines.
    pub torn: Mask,
    /// SUSE's line on whether the kernel is supportable.
    pub supported: Option<String>,
    /// The message of the panic.
    pub panic: Option<String>,
}

impl Facts {
    /// Reads the lines of one report.
    #[must_use]
    pub fn read(lines: &[String]) -> Self {
        Self::read_of(lines, None)
    }

    /// Reads the lines of one report of a known writer.
    pub(super) fn read_of(lines: &[String], caller: Option<&str>) -> Self {
        let mut facts = Self::default();
        let first = lines.first().map(String::as_str).unwrap_or_default();
        let runner = Runner::of(first.trim());
        facts.pid = runner.pid();
        let mut in_trace = false;
        for line in lines.iter().map(|line| line.trim()) {
            in_trace |= begins_trace(line);
            facts.line(line);
            facts.task(line, runner);
            if !in_trace {
                facts.place(line);
            }
        }
        facts.ran = context::ran(lines, caller);
        let release = facts.release.as_deref().and_then(Release::parse);
        let mask = facts.mask.filter(|_| !facts.mask_is_doubtful);
        facts.modules = modules::listed(lines);
        for module in &mut facts.modules {
            module.flags = modules::bits(&module.letters, mask, release);
        }
        facts.torn = modules::bits(&modules::torn(lines), mask, release);
        facts
    }

    fn line(&mut self, line: &str) {
        if line.contains("ainted") {
            self.state(line);
        }
        if self.cpu.is_none() {
            self.cpu = cpu_of(line);
        }
        self.is_before_3_11 |= is_old(line);
        if let Some(supported) = line.strip_prefix("Supported: ") {
            self.supported.get_or_insert_with(|| supported.to_owned());
        }
        if let Some((_, panic)) = line.split_once(PANIC) {
            let panic = panic.trim_start_matches([':', ' ']);
            self.panic.get_or_insert_with(|| panic.to_owned());
        }
    }

    fn task(&mut self, line: &str, runner: Runner) {
        if self.comm.is_none()
            && let Some((comm, pid)) = named(line)
            && !runner.is_other(line)
        {
            self.pid = Some(pid);
            self.comm = Some(comm.to_owned());
        }
    }

    fn place(&mut self, line: &str) {
        if self.code.is_none()
            && let Some((code, module)) = place::place(line)
        {
            self.code = Some(code.to_owned());
            self.module = module.map(str::to_owned);
        }
    }

    /// `… Tainted: G        W  OE      6.12.1 #1`, `… Not tainted (2.6.25 #1)`.
    fn state(&mut self, line: &str) {
        // The old `EIP:` line ends with how its code is printed.
        if let Some(finding) = text::line(line.strip_suffix("VLI").unwrap_or(line))
            && (self.mask.is_none() || self.mask_is_doubtful)
        {
            let release = finding.release.clone();
            self.take(finding);
            // `#dev` is a build too, and a line can be cut before it.
            if self.release.is_none() {
                self.release = release.filter(|word| is_release(word));
            }
            self.mask_is_after = self.panic.is_some();
            self.state = Some(line.to_owned());
        }
        if self.release.is_none() {
            self.release = release(line).map(str::to_owned);
        }
    }

    /// What is certain of a state, and separately what is not.
    fn take(&mut self, finding: Decoded) {
        let ambiguous = finding.readings.iter().map(|reading| reading.bit);
        let ambiguous = ambiguous.fold(Mask(0), Mask::with);
        self.mask = Some(finding.mask.minus(ambiguous));
        self.mask_is_doubtful = finding.notes.iter().any(|note| note.contains("blanks"));
        self.readings = finding.readings;
    }

    /// The same facts, with the state read again by a reader that knows the vendor.
    #[must_use]
    pub fn read_by(&self, reader: &Reader) -> Self {
        let mut facts = self.clone();
        if let Some(finding) = self.state.as_ref().and_then(|line| reader.line(line)) {
            facts.take(finding);
        }
        facts
    }
}

/// `CPU 6 `, `Pid: 7, comm: x`: since 3.11 all architectures print `CPU: 6 PID: 7 Comm: x` (`dump_stack_print_info`,
/// `lib/dump_stack.c`).
fn is_old(line: &str) -> bool {
    let cpu = line.strip_prefix("CPU ").map(str::trim_end);
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    cpu.is_some_and(is_number) || line.starts_with("Pid: ") && line.contains(", comm: ")
}

/// The word before ` #1`, the number of the build.
fn release(line: &str) -> Option<&str> {
    let build = |(at, _): &(usize, &str)| {
        let behind = line.as_bytes().get(at + 2);
        behind.is_some_and(u8::is_ascii_digit)
    };
    let (at, _) = line.rmatch_indices(" #").find(build)?;
    let word = line.get(..at)?.rsplit([' ', '(']).next()?;
    is_release(word).then_some(word)
}

fn is_release(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.')
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
    fn what_was_interrupted_is_no_place() {
        for trace in ["Call Trace:", "<IRQ>"] {
            let lines = ["BUG: x", trace, "RIP: 0010:_nv037018rm+0x14/0x40 [nvidia]"];
            assert_eq!(facts(&lines).code, None, "{trace}");
        }
    }

    #[test]
    fn the_task_of_another_report_is_not_named() {
        let facts = facts(&[
            "WARNING: CPU: 1 PID: 77 at x.c:12 f+0x1/0x2 [foo]",
            "CPU: 3 PID: 4242 Comm: java Not tainted 5.4.0-42-generic #46-Ubuntu",
        ]);
        assert_eq!((facts.pid, facts.comm), (Some(77), None));
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
        fn never_panics(lines: Vec<String>) { _ = Facts::read(&lines); }
    }

    #[test]
    fn an_old_header_has_a_number_or_a_task() {
        for (line, expected) in [
            ("CPU 6 ", true),
            ("CPU 6", true),
            ("CPU ", false),
            ("CPU x", false),
            ("Pid: 7, comm: x", true),
            ("Pid: 7", false),
            ("x, comm: y", false),
        ] {
            assert_eq!(is_old(line), expected, "{line}");
        }
    }

    #[test]
    fn a_release_stands_before_the_number_of_its_build() {
        assert_eq!(release("x 6.1.0-generic #1 SMP"), Some("6.1.0-generic"));
        assert_eq!(release("x 6.1.0-64 #SMP"), None);
        assert_eq!(release("x generic #1"), None);
    }
}
