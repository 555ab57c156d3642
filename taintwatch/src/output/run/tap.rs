//! The outcome of a run in the Test Anything Protocol, version 13, as kselftest and prove read it.
//!
//! In: the outcome. Out: lines. A `#` in a name is escaped, since it would begin a directive.

use std::fmt::Write as _;

use super::checks::{self, Checked};
use crate::{output::escape::Escaped, verdict::Outcome};

/// The lines.
#[must_use]
pub fn lines(outcome: &Outcome) -> String {
    let checks = checks::of(outcome);
    let mut out = format!("TAP version 13\n1..{}\n", checks.len());
    for (number, check) in (1..).zip(checks) {
        let name = name(&check.name);
        let (word, directive, lines) = match check.result {
            Checked::Passed => ("ok", String::new(), Vec::new()),
            Checked::Failed(short, lines) | Checked::Unknown(short, lines) => {
                let lines = [vec![short], lines].concat();
                ("not ok", String::new(), lines)
            }
            Checked::Skipped(why) => ("ok", format!(" # SKIP {}", name_of(&why)), Vec::new()),
        };
        // Writing to a String cannot fail.
        _ = writeln!(out, "{word} {number} - {name}{directive}");
        for line in lines {
            _ = writeln!(out, "# {}", Escaped(&line));
        }
    }
    out
}

fn name(text: &str) -> String {
    name_of(text).replace('#', "\\#")
}

fn name_of(text: &str) -> String {
    Escaped(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{output::run::tests, verdict::Ended};

    #[test]
    fn one_line_a_check() {
        insta::assert_snapshot!(lines(&tests::mixed()));
        let text = lines(&tests::clean(Ended::Exit(0)));
        assert!(!text.contains("not ok"), "{text}");
        assert!(lines(&tests::clean(Ended::Signal(9))).contains("not ok 1 - "));
    }

    #[test]
    fn no_name_ends_its_line_or_begins_a_directive() {
        assert_eq!(name("a # SKIP\nok 2"), "a \\# SKIP\\x0aok 2");
    }
}
