//! The causes of one boot's flags, each once.
//!
//! In: events, in the order of the log. Out: a row for each cause, with the time of its first event and how often it
//! came. Modules that were loaded and set the same flag share a row, and so do modules that lists show with the same flags.

use std::{
    collections::{BTreeMap, HashMap},
    io::{self, Write},
};

use super::listed::ListedModules;
use crate::{
    event::{Cause, Class, Confidence, Event, Kind, Mask},
    history,
    output::{
        escape::Escaped,
        event_line,
        style::{BOLD, DIM},
        wrap,
    },
    taint::flags::{self, bit::LIVEPATCH},
};

/// Causes of one boot that are kept; those beyond are counted.
const MOST: usize = 4096;
/// Modules of one row that are named.
const MOST_MODULES: usize = 64;

/// The causes, in the order of their first event.
#[derive(Debug, Default)]
pub(super) struct Causes {
    rows: Vec<Row>,
    listed: ListedModules,
    known: HashMap<Key, usize>,
    /// The letter of each flag, by the vendor of that kernel.
    letters: BTreeMap<u32, Option<char>>,
    /// Events beyond the causes that are kept.
    more: u64,
}

/// What two events of the same cause agree in: the flag, the confidence, and the code or the sentence. Of loaded
/// modules the last is empty.
type Key = (Option<u32>, &'static str, String);

/// A cause.
#[derive(Debug)]
struct Row {
    time: String,
    flag: String,
    summary: String,
    confidence: &'static str,
    count: u64,
    /// Loaded modules, each with its count: the first is the one that the summary names.
    modules: Vec<(String, u64)>,
}

impl Causes {
    pub(super) fn add(&mut self, event: &Event) {
        let Some(cause) = &event.cause else {
            return;
        };
        if let (Some(bit), Some(taint)) = (event.bit(), &event.taint) {
            let letter = self.letters.entry(bit).or_default();
            *letter = letter.or(taint.letter);
        }
        let module = loaded_module(event, cause);
        if let (Some(bit), Some(_), Confidence::Listed) = (event.bit(), module, cause.confidence) {
            let (flag, time) = (self.flag(bit), time(event));
            self.listed.add(event, &flag, &time, self.rows.len());
            return;
        }
        let key = key(event, cause, module);
        if let Some(row) = self.known.get(&key).and_then(|at| self.rows.get_mut(*at)) {
            row.add(module);
        } else if self.rows.len() < MOST {
            self.known.insert(key, self.rows.len());
            self.rows.push(Row::new(event, cause, module));
        } else {
            self.more += 1;
        }
    }

    /// The set flags as letters.
    pub(super) fn letters(&self, mask: Mask) -> String {
        mask.bits().map(|bit| self.flag(bit)).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.listed.is_empty()
    }

    fn flag(&self, bit: u32) -> String {
        let known = self.letters.get(&bit).copied().flatten();
        // Flags that another log explains: up to K they are the same with all vendors.
        let upstream = || flags::by_bit(bit).filter(|flag| flag.bit <= LIVEPATCH);
        let letter = known.or_else(|| upstream().map(|flag| flag.letter));
        history::mark(bit, letter)
    }

    pub(super) fn print(&self, width: usize, out: &mut dyn Write) -> io::Result<()> {
        let listed = self.listed.rows();
        let own = self
            .rows
            .iter()
            .map(|row| (row.time.as_str(), row.flag.as_str(), row.text()));
        let mut lines: Vec<(&str, &str, String)> = own.collect();
        for row in listed.iter().rev() {
            let line = (row.time.as_str(), row.flags.as_str(), row.text.clone());
            lines.insert(row.place.min(lines.len()), line);
        }
        let wide = |text: fn(&(&str, &str, String)) -> usize| lines.iter().map(text).max();
        let time = wide(|(time, ..)| time.len()).unwrap_or(0);
        let flag = wide(|(_, flag, _)| flag.len()).unwrap_or(0);
        for (at, letters, text) in &lines {
            let text = wrap::hanging(text, 2 + time + 2 + flag + 2, width);
            writeln!(
                out,
                "  {DIM}{at:<time$}{DIM:#}  {BOLD}{letters:<flag$}{BOLD:#}  {text}"
            )?;
        }
        let more = self.more + self.listed.more();
        if more > 0 {
            writeln!(out, "  {DIM}and {more} events of other causes{DIM:#}")?;
        }
        Ok(())
    }
}

impl Row {
    fn new(event: &Event, cause: &Cause, module: Option<&str>) -> Self {
        let taint = event.taint.as_ref();
        let bit = event.bit();
        Self {
            time: time(event),
            flag: match (event.kind, bit) {
                (Kind::ModuleLoadFailed, _) => "refused".to_owned(),
                (_, None) => "?".to_owned(),
                (_, Some(bit)) => history::mark(bit, taint.and_then(|taint| taint.letter)),
            },
            summary: cause.summary.clone(),
            confidence: cause.confidence.as_str(),
            count: 1,
            modules: module
                .map(|name| (name.to_owned(), 1))
                .into_iter()
                .collect(),
        }
    }

    /// The same again, or another module.
    fn add(&mut self, module: Option<&str>) {
        let Some(name) = module else {
            self.count += 1;
            return;
        };
        if let Some((_, count)) = self.modules.iter_mut().find(|(known, _)| known == name) {
            *count += 1;
        } else if self.modules.len() < MOST_MODULES {
            self.modules.push((name.to_owned(), 1));
        }
    }

    fn text(&self) -> String {
        let mut modules = self.modules.iter();
        let count = modules.next().map_or(self.count, |(_, count)| *count);
        let others: Vec<_> = modules
            .map(|(name, count)| format!("{}{}", Escaped(name), times(" (", *count, ")")))
            .collect();
        let others = if others.is_empty() {
            String::new()
        } else {
            format!("; likewise {}", others.join(", "))
        };
        format!(
            "{}{others} ({}{})",
            Escaped(&self.summary),
            self.confidence,
            times(", ", count, "")
        )
    }
}

fn time(event: &Event) -> String {
    event_line::time(event).trim_end().to_owned()
}

fn times(before: &str, count: u64, behind: &str) -> String {
    if count > 1 {
        format!("{before}{count} times{behind}")
    } else {
        String::new()
    }
}

fn loaded_module<'a>(event: &'a Event, cause: &Cause) -> Option<&'a str> {
    event
        .module_name()
        .filter(|_| cause.class == Class::ModuleLoad)
}

fn key(event: &Event, cause: &Cause, module: Option<&str>) -> Key {
    let what = match module {
        Some(_) => String::new(),
        None => event.caller.as_ref().unwrap_or(&cause.summary).clone(),
    };
    (event.bit(), cause.confidence.as_str(), what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(class: &str, confidence: &str, summary: &str, module: &str) -> Event {
        let mut event: Event = serde_json::from_value(serde_json::json!({
            "schema": 1, "id": "x", "seq": 0, "kind": "taint", "taint": {"bit": 9, "letter": "W"},
            "cause": {"class": class, "confidence": confidence, "summary": summary, "sources": []},
            "module": {"name": module}, "boottime_ns": 5_000_000_000_u64,
        }))
        .unwrap();
        event.module = event.module.filter(|_| !module.is_empty());
        event
    }

    fn printed(events: &[Event], width: usize) -> String {
        let mut causes = Causes::default();
        for event in events {
            causes.add(event);
        }
        let mut out = Vec::new();
        causes.print(width, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        anstream::adapter::strip_str(&text).to_string()
    }

    #[test]
    fn each_cause_has_one_row() {
        let kernel = event("kernel_code", "logged", "a warning at f", "");
        let module = event("module_code", "logged", "a warning in a", "a");
        assert_eq!(
            printed(&[kernel.clone(), module, kernel], 80),
            "  [    5.000000]  W  a warning at f (logged, 2 times)\n  [    5.000000]  W  a warning in a (logged)\n"
        );
    }

    #[test]
    fn modules_of_one_flag_share_a_row_unless_they_are_known_in_another_way() {
        let load = |confidence, module| event("module_load", confidence, module, module);
        let events = [
            event("unknown", "unattributed", "set before this", ""),
            load("listed", "a"),
            load("logged", "b"),
            load("logged", "c"),
            load("logged", "c"),
            load("logged", "b"),
        ];
        let text = printed(&events, 200).replace("  [    5.000000]  W  ", "");
        assert_eq!(
            text,
            "set before this (unattributed)\n\
            the module a carries the flag; no line shows when it was loaded (listed)\n\
            b; likewise c (2 times) (logged, 2 times)\n"
        );
    }

    #[test]
    fn modules_that_a_list_shows_with_the_same_flags_share_a_row() {
        let listed = |bit: u32, letter: char, module: &str| {
            let mut event = event("module_load", "listed", module, module);
            let taint = event.taint.as_mut().unwrap();
            (taint.bit, taint.letter) = (Some(bit), Some(letter));
            event
        };
        let events = [
            listed(0, 'P', "zfs"),
            listed(12, 'O', "zfs"),
            listed(12, 'O', "spl"),
            listed(0, 'P', "zavl"),
            listed(12, 'O', "zavl"),
        ];
        let text = printed(&events, 200).replace("  [    5.000000]  ", "");
        assert_eq!(
            text,
            "PO  the modules zfs, zavl carry these flags; no line shows when they were loaded (listed)\n\
            O   the module spl carries the flag; no line shows when it was loaded (listed)\n"
        );
    }

    #[test]
    fn rows_are_wrapped_between_words_and_below_themselves() {
        let long = event(
            "kernel_code",
            "logged",
            "a warning at apply_retpolines+0x379/0x570",
            "",
        );
        assert_eq!(
            printed(&[long], 48),
            "  [    5.000000]  W  a warning at\n                     apply_retpolines+0x379/0x570\n                     (logged)\n"
        );
    }

    #[test]
    fn causes_beyond_the_bound_are_counted() {
        let numbered = |number: usize| event("kernel_code", "logged", &number.to_string(), "");
        let events: Vec<_> = (0..MOST + 94).map(numbered).collect();
        let text = printed(&events, 80);
        assert_eq!(text.lines().count(), MOST + 1);
        assert!(text.ends_with("and 94 events of other causes\n"), "{text}");
    }
}
