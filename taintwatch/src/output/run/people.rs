//! The outcome of a run for people: the answer first, then each cause, then what was not seen.
//!
//! In: the outcome. Out: lines on a page.

use jiff::SignedDuration;

use super::checks;
use crate::{
    output::{
        event_line, format,
        layout::Layout,
        style::{ALARM, BOLD, CAUTION, DIM},
    },
    verdict::{Monitor, Outcome, Verdict, allow::Rule, group::Group, whose::Whose},
};

/// Where the sentences of causes begin.
const COLUMN: usize = 9;
/// Causes of one kind that are shown; files have all.
const SHOWN: usize = 20;

/// Prints the whole.
pub fn print(outcome: &Outcome, layout: &mut Layout) {
    layout.marked(0, "taintwatch:", 12, BOLD, &answer(outcome));
    let groups = outcome.groups();
    let of = |wanted: fn(&Group<'_>) -> bool| groups.iter().filter(move |group| wanted(group));
    list(outcome, "", of(|group| group.first.fails), layout);
    list(
        outcome,
        "allowed:",
        of(|group| group.first.allowed.is_some()),
        layout,
    );
    let is_other = |group: &Group<'_>| !group.first.fails && group.first.allowed.is_none();
    list(outcome, "not held against it:", of(is_other), layout);
    if outcome.more > 0 {
        layout.indented(2, &format!("and {} more events", outcome.more));
    }
    for gap in &outcome.gaps {
        layout.marked(2, "gap", COLUMN, ALARM, gap);
    }
    for note in &outcome.notes {
        layout.marked(2, "note", COLUMN, DIM, note);
    }
    for (rule, _) in outcome
        .rules
        .iter()
        .zip(&outcome.used)
        .filter(|(_, used)| **used == 0)
    {
        let unused = format!("nothing needed the rule `{}`", words(rule));
        layout.marked(2, "note", COLUMN, DIM, &unused);
    }
    layout.indented(2, &how(outcome));
}

fn answer(outcome: &Outcome) -> String {
    let command = command(outcome);
    let failing: Vec<_> = outcome
        .groups()
        .iter()
        .filter(|group| group.first.fails)
        .map(Group::mark)
        .collect();
    let ended = checks::ended(&outcome.command.ended);
    let code = outcome.exit_code;
    match outcome.verdict {
        Verdict::Clean => format!("not tainted while `{command}` ran; {ended}"),
        Verdict::Tainted => {
            let marks = failing.join(", ");
            format!("TAINTED while `{command}` ran: {marks}; {ended}, and this is exit {code}")
        }
        Verdict::Unwatched => {
            format!(
                "CANNOT TELL whether `{command}` tainted the kernel; {ended}, and this is exit {code}"
            )
        }
        Verdict::NotStarted => format!("`{command}`: {ended}"),
    }
}

fn list<'a>(
    outcome: &Outcome,
    title: &str,
    groups: impl Iterator<Item = &'a Group<'a>>,
    layout: &mut Layout,
) {
    let groups: Vec<_> = groups.collect();
    if !groups.is_empty() && !title.is_empty() {
        layout.indented(2, title);
    }
    for group in groups.iter().take(SHOWN) {
        let finding = group.first;
        let style = if finding.fails { ALARM } else { CAUTION };
        let rule = finding.allowed.and_then(|rule| outcome.rules.get(rule));
        let doubt = event_line::doubt(&finding.event).map(|doubt| format!(" ({doubt})"));
        let more = rule
            .map(checks::allowed)
            .or_else(|| checks::expired(outcome, group));
        let more = more.map(|more| format!("; {more}"));
        let text = format!(
            "{}: {}{}{}",
            by(finding.whose),
            event_line::sentence(&finding.event),
            doubt.unwrap_or_default(),
            more.unwrap_or_default()
        );
        layout.marked(2, &group.mark(), COLUMN, style, &text);
    }
    if groups.len() > SHOWN {
        layout.indented(2, &format!("and {} more causes", groups.len() - SHOWN));
    }
}

const fn by(whose: Whose) -> &'static str {
    match whose {
        Whose::Command => "by the command",
        Whose::Other => "by another process",
        Whose::Unknown => "by something unknown",
    }
}

/// How it was seen, and how its processes are known.
fn how(outcome: &Outcome) -> String {
    let command = &outcome.command;
    let by = match outcome.monitor {
        Monitor::Daemon => "the daemon",
        Monitor::Itself => "this command itself",
    };
    let time = i64::try_from(command.lasted_ns).unwrap_or(i64::MAX);
    let time = format::length(SignedDuration::from_nanos(time));
    let known = match &command.cgroup {
        Some(cgroup) => format!("its processes are those of the cgroup {cgroup}"),
        None => "its processes are known by their parents".to_owned(),
    };
    let left = if command.left_running {
        "; some of them still run"
    } else {
        ""
    };
    format!("monitored for {time} by {by}; {known}{left}")
}

fn command(outcome: &Outcome) -> String {
    let words = outcome.command.words.join(" ");
    let short: String = words.chars().take(60).collect();
    let dots = if short.len() < words.len() { "…" } else { "" };
    format!("{short}{dots}")
}

fn words(rule: &Rule) -> String {
    let parts = [
        ("flag", rule.flag.map(|flag| flag.to_string())),
        ("module", rule.module.clone()),
        ("signer", rule.signer.clone()),
        ("caller", rule.caller.clone()),
        ("expires", rule.expires.map(|day| day.to_string())),
    ];
    let parts = parts
        .into_iter()
        .filter_map(|(name, value)| Some(format!("{name}={}", value?)));
    parts.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{output::run::tests, verdict::Ended};

    fn printed(outcome: &Outcome) -> String {
        let mut layout = Layout::new(90);
        print(outcome, &mut layout);
        anstream::adapter::strip_str(&layout.text()).to_string()
    }

    #[test]
    fn the_answer_is_first() {
        insta::assert_snapshot!(printed(&tests::mixed()));
        insta::assert_snapshot!(printed(&tests::clean(Ended::Exit(3))));
        insta::assert_snapshot!(printed(&tests::unwatched()));
        let missing = tests::clean(Ended::NotFound("No such file or directory".to_owned()));
        insta::assert_snapshot!(printed(&missing));
    }
}
