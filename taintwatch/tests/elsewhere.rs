//! `report --events` and `report --journal`: what the binary prints of events that come back, and its exit codes.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::{
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::{Value, json};
use taintwatch::{event::Event, output::journald, store::Store};

const FIXTURE: &str = include_str!("fixtures/three-boots.jsonl");
/// A journal is made of text by a part of systemd that not every machine has.
const MAKER: &str = "/lib/systemd/systemd-journal-remote";

fn run(args: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_taintwatch"));
    command.args(args).stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    // A program that wants no input closes it.
    drop(writer.join());
    output
}

fn events(args: &[&str], input: &str) -> Output {
    run(&[&["report", "--events", "-"], args].concat(), input)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn fixture() -> Vec<Value> {
    let lines = FIXTURE.lines();
    let values = lines.map(|line| serde_json::from_str(line).unwrap());
    values
        .filter(|value: &Value| value.get("heartbeat").is_none())
        .collect()
}

fn lines(events: &[Value]) -> String {
    let lines: Vec<_> = events.iter().map(Value::to_string).collect();
    lines.join(
        "
",
    ) + "
"
}

/// The events of the fixture on another machine: its ids are those of other events.
fn on(host: &str) -> Vec<Value> {
    let mut events = fixture();
    for event in &mut events {
        event["host"] = host.into();
    }
    events
}

/// A history made of events, and what `report --json` prints of it.
fn recorded(db: &Path, events: &[Value]) -> String {
    let mut store = Store::create(db).unwrap();
    for event in events {
        let mut event: Event = serde_json::from_value(event.clone()).unwrap();
        store.append(&mut event).unwrap();
    }
    let report = run(
        &[
            "report",
            "--db",
            db.to_str().unwrap(),
            "--boot",
            "all",
            "--json",
        ],
        "",
    );
    text(&report.stdout)
}

#[test]
fn what_report_prints_comes_back_byte_by_byte() {
    let folder = tempfile::tempdir().unwrap();
    let whole = recorded(&folder.path().join("events.db"), &fixture());
    assert_eq!(whole.lines().count(), fixture().len());
    let back = events(&["--json"], &whole);
    assert_eq!(
        (text(&back.stdout), back.status.code()),
        (whole.clone(), Some(0))
    );
    // Out of order, and twice.
    let turned: Vec<_> = whole.lines().rev().chain(whole.lines()).collect();
    let back = events(&["--json"], &turned.join("\n"));
    assert_eq!(text(&back.stdout), whole);
    let said = format!(
        "{} events were there twice, and is shown once",
        fixture().len()
    );
    assert!(text(&back.stderr).contains(&said), "{back:?}");
}

/// Of a boot that ended well: of the others the history has heartbeats, which no export has.
#[test]
fn the_report_is_that_of_the_history() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("events.db");
    recorded(&db, &fixture());
    let own = ["report", "--db", db.to_str().unwrap(), "--boot", "1f0e7c52"];
    for more in [&[][..], &["--flag", "W"], &["--full"]] {
        let own = text(&run(&[&own[..], more].concat(), "").stdout);
        let back = events(&[&["--boot", "-2"][..], more].concat(), &lines(&fixture()));
        let body = |report: &str| report.split_once("\nBoot ").unwrap().1.to_owned();
        assert_eq!(body(&text(&back.stdout)), body(&own), "{more:?}");
        assert_eq!(back.status.code(), Some(0));
    }
    let diff = ["--diff", "1f9b20aa", "--json"];
    let own = run(&[&own[..], &diff].concat(), "");
    let back = events(&[&["--boot", "-2"][..], &diff].concat(), &lines(&fixture()));
    assert_eq!(back.stdout, own.stdout);
}

#[test]
fn a_boot_that_may_still_run_is_not_said_to_have_ended_badly() {
    let back = events(&["--boot", "0"], &lines(&fixture()));
    let shown = text(&back.stdout);
    assert!(shown.contains("not recorded: it may still run"), "{shown}");
    assert!(!shown.contains("unclean"), "{shown}");
}

#[test]
fn bad_lines_are_named_and_only_a_whole_failure_is_an_error() {
    let good = lines(&fixture());
    let some = events(&[], &format!("x\n{good}\n{{}}\n"));
    assert_eq!(some.status.code(), Some(0));
    let said = text(&some.stderr);
    assert!(
        said.contains("2 lines were not understood: line 1: no JSON"),
        "{said}"
    );
    let none = events(&[], "x\n\u{1b}[2J\n");
    assert_eq!(none.status.code(), Some(2));
    assert!(text(&none.stdout).contains("cannot be told"), "{none:?}");
    assert!(!text(&none.stderr).contains('\u{1b}'), "{none:?}");
    let empty = events(&[], "\n");
    assert_eq!(
        (empty.status.code(), text(&empty.stdout)),
        (Some(0), "standard input: it holds no event\n".to_owned())
    );
    let newer = events(
        &["--json"],
        r#"{"schema":2,"id":"x","seq":1,"kind":"taint"}"#,
    );
    assert_eq!(newer.status.code(), Some(2));
    assert!(
        text(&newer.stderr).contains("use a newer taintwatch"),
        "{newer:?}"
    );
    let missing = run(&["report", "--events", "/nonexistent"], "");
    assert_eq!(missing.status.code(), Some(2));
    assert!(
        text(&missing.stderr).contains("name a file of JSON lines"),
        "{missing:?}"
    );
}

#[test]
fn machines_are_held_against_each_other() {
    let mut all = on("aaaa0001");
    let mut calm = on("aaaa0002");
    calm.retain(|event| event["taint"]["letter"] != "W");
    all.extend(calm);
    all.extend(on("bbbb0003"));
    all.reverse();
    let input = lines(&all);
    let shown = text(&events(&[], &input).stdout);
    for wanted in [
        "What taints these machines\n",
        "history   3 machines, 9 boots,",
        "2 of 3 machines",
        "all but aaaa0002",
        "`--host ID` shows one machine",
    ] {
        assert!(shown.contains(wanted), "no {wanted:?}:\n{shown}");
    }
    assert!(!shown.contains("\nBoot "), "{shown}");
    let one = text(&events(&["--host", "aaaa0002"], &input).stdout);
    assert!(
        one.contains("machine   aaaa0002") && one.contains("\nBoot "),
        "{one}"
    );
    let full = text(&events(&["--full"], &input).stdout);
    assert_eq!(full.matches("\nBoot ").count(), 9, "{full}");
    let json = text(&events(&["--json"], &input).stdout);
    let hosts: Vec<Value> = json
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(hosts.is_sorted_by_key(|event| (event["host"].to_string(), event["seq"].as_u64())));
    assert_eq!(hosts.len(), all.len());
    assert_eq!(text(&events(&["--json"], &json).stdout), json);
    let objects = text(&events(&["--fleet", "--json"], &input).stdout);
    let machines = objects
        .lines()
        .filter(|line| line.starts_with(r#"{"machine""#));
    assert_eq!(machines.count(), 3);
}

#[test]
fn a_page_of_machines_has_what_they_have_in_common() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.html");
    let mut all = on("aaaa0001<b>");
    all.extend(on("bbbb0003"));
    let drawn = events(&["--html", page.to_str().unwrap()], &lines(&all));
    assert_eq!(drawn.status.code(), Some(0), "{drawn:?}");
    let html = fs::read_to_string(&page).unwrap();
    assert!(
        html.contains("id=\"machines\"")
            && html.contains("aaaa0001&lt;b&gt;")
            && !html.contains("<b>")
    );
    assert_eq!(html.matches("<section class=\"boot\"").count(), 8);
}

#[test]
fn no_history_is_read_beside_other_events() {
    for args in [
        &["--db", "x", "report", "--events", "-"][..],
        &["report", "--events", "-", "--db", "x"],
        &["report", "--events", "-", "--journal", "x"],
        &["report", "--host", "x"],
        &["report", "--fleet"],
    ] {
        assert_eq!(run(args, "").status.code(), Some(2), "{args:?}");
    }
}

/// An entry in the journal's export format, as journald writes one of root's on this machine.
fn entry(event: &Value, uid: u32, name: &str, number: u64) -> String {
    let event: Event = serde_json::from_value(event.clone()).unwrap();
    let host = event.host.clone().unwrap_or_default();
    let time = 1_760_000_000_000_000 + number;
    let mut entry = format!(
        "__REALTIME_TIMESTAMP={time}\n__MONOTONIC_TIMESTAMP={number}\n_BOOT_ID=0123456789abcdef0123456789abcdef\n\
         _MACHINE_ID={host}\n_HOSTNAME={name}\n_UID={uid}\n"
    );
    let message = taintwatch::output::event_line::message(&event);
    for (field, value) in journald::fields(&event)
        .into_iter()
        .chain([("MESSAGE", message)])
    {
        // A text of several lines stands behind its length.
        entry.push_str(field);
        entry.push('\n');
        let mut bytes = (value.len() as u64).to_le_bytes().to_vec();
        bytes.extend(value.as_bytes());
        entry.push_str(
            &bytes
                .iter()
                .map(|byte| char::from(*byte))
                .collect::<String>(),
        );
        entry.push('\n');
    }
    entry.push('\n');
    entry
}

/// Makes a journal file of entries in the export format, whose characters are bytes.
fn journal(file: &Path, entries: &str) {
    let bytes: Vec<u8> = entries
        .chars()
        .map(|byte| u8::try_from(u32::from(byte)).unwrap())
        .collect();
    let mut maker = Command::new(MAKER);
    maker.arg("-o").arg(file).arg("-").stdin(Stdio::piped());
    let mut child = maker.spawn().unwrap();
    child.stdin.take().unwrap().write_all(&bytes).unwrap();
    assert!(child.wait().unwrap().success());
}

fn machine(number: u32) -> String {
    format!("{number:032x}")
}

#[test]
fn a_journal_folder_gives_the_events_of_its_machines() {
    if !Path::new(MAKER).exists() {
        println!(
            "not tried: {MAKER} is not there (Debian's package systemd-journal-remote has it)"
        );
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut whole = String::new();
    for number in 1..=2 {
        let mut entries = String::new();
        for (place, event) in (1..).zip(on(&machine(number))) {
            entries.push_str(&entry(&event, 0, &format!("web{number}"), place));
            let event: Event = serde_json::from_value(event).unwrap();
            let mut line = Vec::new();
            taintwatch::output::json::line(&event, &mut line).unwrap();
            whole.push_str(&text(&line));
        }
        let forged = json!({"schema": 1, "id": "forged", "seq": 1, "kind": "taint", "host": machine(number)});
        entries.push_str(&entry(&forged, 1000, "web", 900));
        entries.push_str(
            &entry(
                &json!({"schema": 1, "id": "other", "seq": 1, "kind": "taint", "host": machine(7)}),
                0,
                "web",
                901,
            )
            .replace(
                &format!("_MACHINE_ID={}", machine(7)),
                &format!("_MACHINE_ID={}", machine(number)),
            ),
        );
        journal(
            &folder.path().join(format!("remote-web{number}.journal")),
            &entries,
        );
    }
    let place = folder.path().to_str().unwrap();
    let back = run(&["report", "--journal", place, "--json"], "");
    assert_eq!(text(&back.stdout), whole, "{}", text(&back.stderr));
    let said = text(&back.stderr);
    assert!(
        said.contains("4 entries are left out, for no daemon wrote it"),
        "{said}"
    );
    let shown = text(&run(&["report", "--journal", place], "").stdout);
    assert!(shown.contains("2 machines"), "{shown}");
    let one = text(
        &run(
            &[
                "report",
                "--journal",
                place,
                "--host",
                "web2",
                "--boot",
                "0",
            ],
            "",
        )
        .stdout,
    );
    assert!(one.contains(&format!("machine   {}", machine(2))), "{one}");
    let file = folder.path().join("remote-web1.journal");
    let of_file = run(
        &["report", "--journal", file.to_str().unwrap(), "--json"],
        "",
    );
    assert_eq!(text(&of_file.stdout).lines().count(), fixture().len());
}

#[test]
fn a_folder_without_a_journal_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let empty = run(
        &["report", "--journal", folder.path().to_str().unwrap()],
        "",
    );
    assert!(
        text(&empty.stdout).ends_with(": it holds no event\n"),
        "{empty:?}"
    );
    let missing = run(&["report", "--journal", "/nonexistent"], "");
    assert_eq!(missing.status.code(), Some(2));
    assert!(
        text(&missing.stderr).contains("read the journal /nonexistent"),
        "{missing:?}"
    );
}
