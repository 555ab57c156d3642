//! Logs in the forms in which they are found, and what is read from each. `tests/fixtures/logs/SOURCES.md` says where
//! they are from, `expected/` beside it has what is read: `cargo insta review` shows a change.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test ends where it fails"
)]

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
};

use proptest::{prelude::*, test_runner::RngSeed};
use taintwatch::{
    event::Event,
    klog::{Finding, Origin, Reconstruction, Scanner, What, stream},
    taint::{release::table_of, text::Reader},
};

#[test]
fn each_log_gives_its_expected_events() {
    let folder = folder();
    let logs = logs();
    let mut settings = insta::Settings::new();
    settings.set_snapshot_path(folder.join("expected"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for log in logs {
            insta::assert_snapshot!(name(&log), read(&log));
        }
    });
}

/// Sixty are published logs of real machines; each log has a row in the table.
#[test]
fn each_log_has_a_source_and_enough_are_real() {
    let table = fs::read_to_string(folder().join("SOURCES.md")).unwrap();
    let rows = table
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split_once(" | "))
        .filter(|(log, _)| *log != "log");
    let (logs_of_table, sources): (Vec<_>, Vec<_>) = rows.unzip();
    let logs = logs();
    assert_eq!(
        logs_of_table,
        logs.iter().map(|log| name(log)).collect::<Vec<_>>()
    );
    // A shape that was taken from a source names a file and no report.
    let real: BTreeSet<_> = sources
        .iter()
        .filter(|source| source.starts_with("https://"))
        .collect();
    assert!(real.len() >= 60, "{}", real.len());
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/logs")
}

fn logs() -> Vec<PathBuf> {
    let mut logs: Vec<_> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file() && path.extension().is_none_or(|end| end != "md"))
        .collect();
    logs.sort();
    logs
}

fn name(log: &Path) -> &str {
    log.file_name().unwrap().to_str().unwrap()
}

fn findings(input: &mut dyn BufRead) -> Vec<Finding> {
    let mut scanner = Scanner::new();
    let mut findings = Vec::new();
    stream::read(input, &mut |line| findings.extend(scanner.push(line))).unwrap();
    findings.extend(scanner.finish());
    findings
}

/// Each event with all that it says; then the boots, and what shows a state or a panic and sets no flag.
fn read(path: &Path) -> String {
    let mut input = BufReader::with_capacity(7, fs::File::open(path).unwrap());
    let findings = findings(&mut input);
    let mut reconstruction = Reconstruction::new(Origin::default());
    let mut settled = Vec::new();
    for finding in &findings {
        settled.extend(reconstruction.enter(finding.clone()));
    }
    settled.extend(reconstruction.finish());
    let mut out = String::new();
    for event in settled.iter().flat_map(|one| &one.events) {
        writeln!(out, "{}", event_text(event)).unwrap();
    }
    for bit in settled.iter().flat_map(|one| &one.denied) {
        writeln!(out, "denied: bit {bit}").unwrap();
    }
    for text in findings.iter().filter_map(finding_text) {
        writeln!(out, "{text}").unwrap();
    }
    if out.is_empty() {
        out.push_str("nothing\n");
    }
    out
}

/// No flag that the log's own later state denies: the kernel never clears one. A report sets its flag at its end, so a
/// state that another CPU printed meanwhile says nothing of it.
fn contradictions(findings: &[Finding], events: &[Event]) -> Vec<String> {
    let mut found = Vec::new();
    for event in events {
        let cause = event.cause.as_ref().unwrap();
        let is_of = |finding: &&Finding| {
            finding.lines == event.log && finding.at.since_boot == event.boottime_ns
        };
        // Of the same lines in two boots it is not known which they are.
        let of: Vec<_> = findings.iter().filter(is_of).collect();
        let (Some(bit), [finding]) = (event.bit(), &of[..]) else {
            continue;
        };
        let mut later = findings
            .iter()
            .filter(|later| later.at.place > finding.at.place)
            .filter(|later| {
                later.host == finding.host && later.boot.ordinal == finding.boot.ordinal
            })
            .filter(|later| !later.says_nothing_of(finding));
        let state = later.find_map(|later| has(later, bit));
        if cause.confidence.as_str() == "logged" && state == Some(false) {
            found.push(format!("{bit} of {:?}", event.log));
        }
    }
    found
}

/// Whether a state has a flag, those among it that kernels mean differently. Letters that lost their blanks prove no
/// clear flag.
fn has(finding: &Finding, bit: u32) -> Option<bool> {
    let releases = [&finding.boot.release, &finding.facts.release];
    let mut releases = releases.into_iter().flatten();
    let facts = finding.facts.read_by(&Reader {
        log: releases.find_map(|release| table_of(release)),
        ..Reader::default()
    });
    let readings = facts
        .readings
        .iter()
        .fold(0, |all, reading| all | 1 << reading.bit);
    let is_set = (facts.mask?.0 | readings) >> bit & 1 == 1;
    (is_set || !facts.mask_is_doubtful).then_some(is_set)
}

#[test]
fn no_log_denies_what_is_read_from_it() {
    for log in logs() {
        let findings = findings(&mut BufReader::new(fs::File::open(&log).unwrap()));
        let events = Reconstruction::events(Origin::default(), findings.clone());
        let wrong = contradictions(&findings, &events);
        assert_eq!(wrong, [""; 0], "{}", name(&log));
    }
}

proptest! {
    // The same mixtures each time: in one of ten thousand two boots meet that nothing in the text separates.
    #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(11), ..ProptestConfig::default() })]

    /// Lines of all logs, put together at random.
    #[test]
    fn no_mixture_of_logs_denies_what_is_read_from_it(picks in prop::collection::vec((any::<prop::sample::Index>(), 1..12_usize), 1..8)) {
        let lines: Vec<Vec<u8>> = logs()
            .iter()
            .flat_map(|log| fs::read(log).unwrap().split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>())
            .collect();
        let mut text = Vec::new();
        for (at, count) in picks {
            for line in lines.iter().skip(at.index(lines.len())).take(count) {
                text.extend_from_slice(line);
                text.push(b'\n');
            }
        }
        let findings = findings(&mut &text[..]);
        let events = Reconstruction::events(Origin::default(), findings.clone());
        let wrong = contradictions(&findings, &events);
        prop_assert!(wrong.is_empty(), "{wrong:?}\n{}", String::from_utf8_lossy(&text));
    }
}

/// What syslog daemons write of programs, and what only looks so.
const PROGRAMS: [&str; 14] = [
    "Nov 24 12:00:00 web1 sshd[42]: Accepted publickey for root from 10.0.0.1 port 22 ssh2",
    "Nov  4 12:00:00 web1 CRON[4]: pam_unix(cron:session): session opened for user root(uid=0)",
    "2026-11-24T12:00:00.123456+01:00 web1 systemd[1]: Started foo.service - Foo.",
    "Nov 24 12:00:01 web1 app[7]: x",
    "Nov 24 12:00:01 web1 app[7]: a text that is as wide as a terminal is, and has no room for another word",
    "Nov 24 12:00:01 web1 app[7]: at [ 12",
    "Nov 24 12:00:01 web1 app[7]: [    1.500000] nvidia: module license 'NVIDIA' taints kernel.",
    "Nov 24 12:00:01 web1 app[7]: kernel is not tainted",
    "Nov 24 12:00:01 web1 app[7]: {",
    "Nov 24 12:00:01 error app[7]: x",
    "Nov 24 12:00:01 web1 kernel: usb 1-1: new device",
    "Nov 24 12:00:01 web1 kernel: [    1.500000] foo: loading out-of-tree module taints kernel.",
    "the rest of a line",
    "nvidia(POE)",
];

proptest! {
    #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(12), ..ProptestConfig::default() })]

    /// Lines of programs are passed over where they come at once, and read where they come byte by byte.
    #[test]
    fn what_is_passed_over_changes_nothing(
        picks in prop::collection::vec((any::<prop::sample::Index>(), 0..8_usize, prop::collection::vec(0..PROGRAMS.len(), 0..8)), 1..8),
    ) {
        let lines = lines();
        let mut text = Vec::new();
        for (at, count, programs) in picks {
            let programs = programs.into_iter().flat_map(|at| vec![PROGRAMS[at].as_bytes(); 1 + at % 3]);
            let some = lines.iter().skip(at.index(lines.len())).take(count).map(Vec::as_slice);
            for line in some.chain(programs) {
                text.extend_from_slice(line);
                text.push(b'\n');
            }
        }
        let read = |input: &mut dyn BufRead| {
            let mut lines = Vec::new();
            let read = stream::read(input, &mut |line| lines.push(format!("{line:?}"))).unwrap();
            (lines, read)
        };
        let passed = read(&mut &text[..]);
        prop_assert_eq!(passed, read(&mut BufReader::with_capacity(1, &text[..])));
    }
}

/// The lines of all logs.
fn lines() -> &'static [Vec<u8>] {
    static LINES: std::sync::LazyLock<Vec<Vec<u8>>> = std::sync::LazyLock::new(|| {
        let of = |log: &PathBuf| -> Vec<Vec<u8>> {
            fs::read(log)
                .unwrap()
                .split(|byte| *byte == b'\n')
                .map(<[u8]>::to_vec)
                .collect()
        };
        logs().iter().flat_map(of).collect()
    });
    &LINES
}

fn event_text(event: &Event) -> String {
    let taint = event.taint.clone().unwrap_or_default();
    let cause = event.cause.as_ref().unwrap();
    let letter = taint.letter.map(String::from);
    let letter = letter
        .or_else(|| taint.bit.map(|bit| format!("[{bit}]")))
        .unwrap_or_else(|| "?".to_owned());
    let first = match (event.kind.as_str(), taint.first) {
        ("taint", Some(true)) => " first",
        ("taint", _) => "",
        (kind, _) => &format!(" {kind}"),
    };
    let mask = match (taint.mask_before, taint.mask_after) {
        (Some(before), Some(after)) => format!("{before} -> {after}"),
        (before, _) => before.map_or_else(|| "-".to_owned(), |mask| mask.to_string()),
    };
    let or_dash = |text: Option<&str>| text.unwrap_or("-").to_owned();
    let class = serde_json::to_value(cause.class).unwrap();
    let context = event
        .context
        .map(|context| serde_json::to_value(context).unwrap());
    let task = event.task.as_ref();
    let when = match (event.time.is_unknown(), event.boottime_ns, &event.stamp) {
        (false, ..) => event.time.to_string(),
        (_, _, Some(stamp)) => stamp.clone(),
        (_, Some(ns), _) => format!("{ns} ns"),
        _ => "no time".to_owned(),
    };
    let mut text = format!(
        "{letter}{first} {} {} mask={mask} at {when}\n    module={} code={} task={} context={}\n    {}",
        cause.confidence.as_str(),
        class.as_str().unwrap(),
        or_dash(event.module_name()),
        or_dash(event.caller.as_deref()),
        task.map_or_else(
            || "-".to_owned(),
            |task| format!("{}/{}", task.comm, task.pid)
        ),
        or_dash(context.as_ref().and_then(|context| context.as_str())),
        cause.summary
    );
    for line in &event.log {
        let line: String = line.chars().take(120).collect();
        write!(text, "\n    | {line}").unwrap();
    }
    text
}

fn finding_text(finding: &Finding) -> Option<String> {
    let release = finding.boot.release.as_deref().unwrap_or("unknown");
    match (&finding.what, &finding.facts.panic) {
        (What::Boot, _) => Some(format!("boot {} of {release}", finding.boot.ordinal + 1)),
        (What::TaintLine(_), Some(panic)) => Some(format!("panic: {panic}")),
        (What::TaintLine(_) | What::Refused(_), _) => None,
        (What::State, Some(panic)) => Some(format!("panic, no flag: {panic}")),
        (What::State, None) => Some(format!(
            "state, {} lines: {}",
            finding.lines.len(),
            finding.lines[0]
        )),
    }
}
