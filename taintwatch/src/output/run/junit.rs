//! The outcome of a run as JUnit XML, the form that CI systems read.
//!
//! In: the outcome. Out: one XML document. Characters that XML cannot hold, and those with power over a terminal, are
//! shown as text.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};

use super::checks::{self, Checked};
use crate::{output::escape::Escaped, verdict::Outcome};

/// The document.
pub fn document(outcome: &Outcome) -> Result<String, SerializeError> {
    let time = Duration::from_nanos(outcome.command.lasted_ns);
    let mut suite = TestSuite::new("kernel taint");
    suite.set_time(time);
    for check in checks::of(outcome) {
        let mut case = TestCase::new(safe(&check.name), status(check.result));
        case.set_classname("taintwatch");
        suite.add_test_case(case);
    }
    let mut report = Report::new("taintwatch");
    report.set_time(time);
    report.add_test_suite(suite);
    report.to_string()
}

fn status(result: Checked) -> TestCaseStatus {
    let non_success = |kind, short: String, lines: Vec<String>| {
        let mut status = TestCaseStatus::non_success(kind);
        let lines: Vec<_> = lines.iter().map(|line| safe(line)).collect();
        status
            .set_message(safe(&short))
            .set_description(lines.join("\n"));
        status
    };
    match result {
        Checked::Passed => TestCaseStatus::success(),
        Checked::Failed(short, lines) => non_success(NonSuccessKind::Failure, short, lines),
        Checked::Unknown(short, lines) => non_success(NonSuccessKind::Error, short, lines),
        Checked::Skipped(why) => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(safe(&why));
            status
        }
    }
}

fn safe(text: &str) -> String {
    Escaped(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{output::run::tests, verdict::Ended};

    #[test]
    fn one_case_a_cause() {
        insta::assert_snapshot!(document(&tests::mixed()).unwrap());
        let clean = tests::clean(Ended::Exit(0));
        let text = document(&clean).unwrap();
        assert!(
            text.contains("failures=\"0\"") && text.contains("errors=\"0\""),
            "{text}"
        );
    }
}
