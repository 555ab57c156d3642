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
    io::BufReader,
    path::{Path, PathBuf},
};

use taintwatch::{
    event::Event,
    klog::{Finding, Origin, Reconstruction, Scanner, What, stream},
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

/// A line for each event; for a boot and its kernel, and for a state that adds nothing.
fn read(path: &Path) -> String {
    let mut scanner = Scanner::new();
    let mut findings = Vec::new();
    let mut input = BufReader::with_capacity(7, fs::File::open(path).unwrap());
    stream::read(&mut input, &mut |line| findings.extend(scanner.push(line))).unwrap();
    findings.extend(scanner.finish());
    let mut reconstruction = Reconstruction::new(Origin::default());
    let mut out = String::new();
    for finding in &findings {
        let events = reconstruction.enter(finding);
        for event in &events {
            writeln!(out, "{}", event_text(event)).unwrap();
        }
        if events.is_empty() {
            writeln!(out, "{}", finding_text(finding)).unwrap();
        }
    }
    if out.is_empty() {
        out.push_str("nothing\n");
    }
    out
}

fn event_text(event: &Event) -> String {
    let taint = event.taint.as_ref().unwrap();
    let cause = event.cause.as_ref().unwrap();
    let letter = taint.letter.map(String::from);
    let letter = letter
        .or_else(|| taint.bit.map(|bit| format!("[{bit}]")))
        .unwrap_or_else(|| "?".to_owned());
    let mask = taint.mask_after.or(taint.mask_before).unwrap();
    let or_dash = |text: Option<&str>| text.unwrap_or("-").to_owned();
    let class = serde_json::to_value(cause.class).unwrap();
    let module = event
        .module
        .as_ref()
        .and_then(|module| module.name.as_deref());
    let when = match (event.time.is_unknown(), event.boottime_ns, &event.stamp) {
        (false, ..) => event.time.to_string(),
        (_, _, Some(stamp)) => stamp.clone(),
        (_, Some(ns), _) => format!("{ns} ns"),
        _ => "no time".to_owned(),
    };
    format!(
        "{letter} {} {} module={} code={} mask={} lines={} at {when}\n    {}",
        cause.confidence.as_str(),
        class.as_str().unwrap(),
        or_dash(module),
        or_dash(event.caller.as_deref()),
        mask,
        event.log.len(),
        cause.summary
    )
}

fn finding_text(finding: &Finding) -> String {
    let release = finding.boot.release.as_deref().unwrap_or("unknown");
    match (&finding.what, &finding.facts.panic) {
        (What::Boot, _) => format!("boot {} of {release}", finding.boot.ordinal + 1),
        (_, Some(panic)) => format!("panic, no flag: {panic}"),
        (_, None) => format!(
            "no flag, {} lines: {}",
            finding.lines.len(),
            finding.lines[0]
        ),
    }
}
