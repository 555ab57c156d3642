//! Results by kernel and scenario: a line each, and a table at the end.
//!
//! In: results of checks, lines of guests. Out: text; who prints it is another matter, since guests run at once.

use anyhow::Result;

/// Why a kernel without header packages has no test modules; the scenarios say it in these words.
const NO_HEADERS: &str = "the suites have no headers of this kernel";
/// What kernels of the cloud flavour were built without, and what they cannot have because of it.
const BUILT_WITHOUT: [(&str, &str, &str); 2] = [
    ("5.10", "M, by the machine", "built without CONFIG_X86_MCE"),
    ("6.1", "M, by the machine", "built without CONFIG_X86_MCE"),
];

/// What some kernels refuse, with an error of their own for it: the scenario has seen that error, and none other.
const REFUSED: (&str, &str) = (
    "ftrace off",
    "this kernel does not let ftrace be switched off",
);

/// A cell of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Cell {
    Passed,
    Failed,
    /// What this kernel cannot have, and why.
    Impossible(String),
}

/// Names that events gave, held against the truth, of a kernel and a part of the corpus.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Names {
    kernel: String,
    part: String,
    right: u32,
    unknown: u32,
    wrong: u32,
}

impl Names {
    /// `names: PART RIGHT UNKNOWN WRONG`.
    fn parse(kernel: &str, line: &str) -> Option<Self> {
        let mut words = line.strip_prefix("names: ")?.split(' ');
        let part = words.next()?.to_owned();
        let mut number = || words.next()?.parse().ok();
        Some(Self {
            kernel: kernel.to_owned(),
            part,
            right: number()?,
            unknown: number()?,
            wrong: number()?,
        })
    }
}

/// All results.
#[derive(Default)]
pub(super) struct Matrix {
    /// Scenario, kernel, result; in the order of the first kernel.
    cells: Vec<(String, String, Cell)>,
    names: Vec<Names>,
    /// What is printed of it at once.
    lines: Vec<String>,
    /// How often a guest's first process ran.
    pub(super) boots: u32,
    passed: u32,
}

impl Matrix {
    /// The result of a check that belongs to no kernel.
    pub(super) fn check(&mut self, name: &str, result: Result<()>) {
        self.count(name, result);
    }

    /// A remark beside the results.
    pub(super) fn note(&mut self, text: String) {
        self.lines.push(text);
    }

    /// The results of a part that was run by itself.
    pub(super) fn absorb(&mut self, part: Self) {
        let Self {
            cells,
            names,
            lines,
            boots,
            passed,
        } = part;
        self.cells.extend(cells);
        self.names.extend(names);
        self.lines.extend(lines);
        self.boots += boots;
        self.passed += passed;
    }

    /// The result of a scenario on a kernel.
    pub(super) fn cell(&mut self, kernel: &str, scenario: &str, result: Result<()>) {
        let cell = if result.is_ok() {
            Cell::Passed
        } else {
            Cell::Failed
        };
        self.cells
            .push((scenario.to_owned(), kernel.to_owned(), cell));
        self.count(&format!("{kernel}: {scenario}"), result);
    }

    /// A line of the guest's scenarios; `may_lack` says that this kernel can have no built modules.
    pub(super) fn line(&mut self, kernel: &str, line: &str, may_lack: bool) -> bool {
        if let Some(name) = line.strip_prefix("PASS ") {
            self.cell(kernel, name, Ok(()));
        } else if let Some(failure) = line.strip_prefix("FAIL ") {
            let (name, why) = failure.split_once(": ").unwrap_or((failure, ""));
            self.cell(kernel, name, Err(anyhow::anyhow!("{why}")));
        } else if let Some(lack) = line.strip_prefix("NA ") {
            let (name, why) = lack.split_once(": ").unwrap_or((lack, ""));
            let has_no_modules = may_lack && why == NO_HEADERS;
            let is_built_without = BUILT_WITHOUT.contains(&(kernel, name, why));
            if has_no_modules || is_built_without || (name, why) == REFUSED {
                let cell = Cell::Impossible(why.to_owned());
                self.cells.push((name.to_owned(), kernel.to_owned(), cell));
            } else {
                self.cell(kernel, name, Err(anyhow::anyhow!("{why}")));
            }
        } else if let Some(names) = Names::parse(kernel, line) {
            self.names.push(names);
        } else {
            return false;
        }
        true
    }

    fn count(&mut self, name: &str, result: Result<()>) {
        match result {
            Ok(()) => {
                self.passed += 1;
                self.lines.push(format!("ok      {name}"));
            }
            Err(error) => {
                let line = format!("{FAILED}{name}: {error:#}");
                self.lines.push(line);
            }
        }
    }

    /// A line for each result and remark, in their order.
    pub(super) fn lines(&self) -> String {
        self.lines.join("\n")
    }

    pub(super) fn failed(&self) -> usize {
        self.failures().count()
    }

    fn failures(&self) -> impl Iterator<Item = &String> {
        self.lines.iter().filter(|line| line.starts_with(FAILED))
    }

    /// The tables.
    pub(super) fn tables(&self) -> String {
        format!("{}{}", self.table(), self.names())
    }

    /// The last lines: what failed, once more, for who sees the end of a long output alone; and the sum.
    pub(super) fn sum(&self) -> String {
        let (passed, failed) = (self.passed, self.failed());
        let shortened = self.failures().map(|line| shorten(line) + "\n");
        let again: String = shortened.collect();
        format!("{again}{passed} passed, {failed} failed")
    }

    /// Who was named, against the truth.
    fn names(&self) -> String {
        if self.names.is_empty() {
            return String::new();
        }
        let head = ["causes named", "", "right", "unknown", "wrong"];
        let mut out = format!(
            "\n{:<13}{:<9}{:>7}{:>9}{:>7}\n",
            head[0], head[1], head[2], head[3], head[4]
        );
        for Names {
            kernel,
            part,
            right,
            unknown,
            wrong,
        } in &self.names
        {
            out = format!("{out}{kernel:<13}{part:<9}{right:>7}{unknown:>9}{wrong:>7}\n");
        }
        out
    }

    fn table(&self) -> String {
        let scenarios = unique(self.cells.iter().map(|(scenario, ..)| scenario.as_str()));
        let kernels = unique(self.cells.iter().map(|(_, kernel, _)| kernel.as_str()));
        if kernels.is_empty() {
            return String::new();
        }
        let width = scenarios.iter().map(|name| name.len()).max().unwrap_or(0) + 2;
        let mut out = format!("\n{:width$}", "");
        for kernel in &kernels {
            out = format!("{out}{kernel:<9}");
        }
        let mut notes: Vec<&str> = Vec::new();
        for scenario in scenarios {
            out = format!("{}\n{scenario:width$}", out.trim_end());
            for kernel in &kernels {
                let of =
                    |(name, of, _): &&(String, String, Cell)| name == scenario && of == *kernel;
                let shown = match self.cells.iter().find(of).map(|(.., cell)| cell) {
                    Some(Cell::Passed) => "ok".to_owned(),
                    Some(Cell::Failed) => "FAILED".to_owned(),
                    Some(Cell::Impossible(why)) => {
                        let known = notes.iter().position(|note| note == why);
                        let number = known.unwrap_or_else(|| {
                            notes.push(why);
                            notes.len() - 1
                        });
                        format!("- ({})", number + 1)
                    }
                    None => "not run".to_owned(),
                };
                out = format!("{out}{shown:<9}");
            }
        }
        out = format!("{}\n", out.trim_end());
        for (number, note) in (1..).zip(notes) {
            out = format!("{out}({number}) {note}\n");
        }
        out
    }
}

/// How the line of a failure begins.
const FAILED: &str = "FAILED  ";
/// The longest that a failure is when it is printed again.
const AGAIN: usize = 300;

fn shorten(line: &str) -> String {
    let mut short: String = line.chars().take(AGAIN).collect();
    if short.len() < line.len() {
        short.push('…');
    }
    short
}

/// Each name once, in the order of the first.
fn unique<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = Vec::new();
    for name in names {
        if !seen.contains(&name) {
            seen.push(name);
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_that_could_have_it_fails_without_it() {
        let mut matrix = Matrix::default();
        assert!(matrix.line("6.1", "PASS load", false));
        let lack = format!("NA load: {NO_HEADERS}");
        assert!(matrix.line("6.18", &lack, true));
        assert!(matrix.line("7.3", &lack, false));
        assert!(!matrix.line("7.3", "chatter", false));
        assert!(matrix.line("7.3", "names: causes 12 3 0", false));
        assert!(
            matrix
                .names()
                .contains("7.3          causes        12        3      0"),
            "{}",
            matrix.names()
        );
        assert_eq!((matrix.passed, matrix.failed()), (1, 1));
        assert!(matrix.sum().starts_with("FAILED  7.3: load: "));
        let table = matrix.table();
        assert!(table.contains("load  ok       - (1)    FAILED"), "{table}");
        assert!(table.contains(&format!("(1) {NO_HEADERS}")), "{table}");
    }

    #[test]
    fn a_kernel_without_headers_lacks_nothing_but_modules() {
        let mut matrix = Matrix::default();
        assert!(matrix.line("6.18", "NA load: it did not feel like it", true));
        let (refused, why) = REFUSED;
        assert!(matrix.line("6.18", &format!("NA load: {why}"), true));
        assert!(matrix.line("6.18", &format!("NA {refused}: {why}"), true));
        assert_eq!((matrix.passed, matrix.failed()), (0, 2));
        assert!(!matrix.table().contains("ok"));
    }

    #[test]
    fn a_kernel_lacks_what_it_is_known_to_lack_and_nothing_else() {
        let mut matrix = Matrix::default();
        let lack = "NA M, by the machine: built without CONFIG_X86_MCE";
        matrix.line("6.1", lack, false);
        matrix.line("7.3", lack, false);
        assert_eq!((matrix.passed, matrix.failed()), (0, 1));
    }
}
