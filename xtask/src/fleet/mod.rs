//! `cargo xtask fleet`: the questions of `docs/fleet` on `ClickHouse`'s own engine, held against the report.
//!
//! In: how many machines and events. Out: a line a question with its rows and its time; a failure where the engine and
//! `report --fleet` differ, or where events that are exported again give another report. The engine is a Python package, so
//! no server is needed.

mod expect;
mod generate;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::{build, cache, progress::step, run};
use expect::Common;

/// `ClickHouse` in a process.
const ENGINE: &str = "chdb-core==26.9.0";
const SCRIPT: &str = include_str!("run.py");
/// What the gate asks about.
const SMALL: Args = Args {
    hosts: 300,
    events: 12_000,
};

/// Ask the questions of docs/fleet about simulated machines
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How many machines
    #[arg(long, default_value_t = 10_000)]
    hosts: u64,
    /// How many events they recorded
    #[arg(long, default_value_t = 500_000)]
    events: u64,
}

/// For the gate; a machine without pip does not have it.
pub(crate) fn small() -> Result<()> {
    let pip = Command::new("python3")
        .args(["-m", "pip", "--version"])
        .output();
    if !pip.is_ok_and(|pip| pip.status.success()) {
        eprintln!("note: python3 has no pip, so the questions of docs/fleet are not asked");
        return Ok(());
    }
    all(&SMALL).map(drop)
}

/// Asks, and prints what was found.
pub(crate) fn run(args: &Args) -> Result<()> {
    print!("{}", all(args)?);
    Ok(())
}

fn all(args: &Args) -> Result<String> {
    let engine = engine()?;
    let folder = cache::checkout()?.join("target/fleet");
    fs::create_dir_all(&folder)?;
    let (events, export) = (folder.join("events.jsonl"), folder.join("export.jsonl"));
    let lines = generate::lines(args.hosts, args.events)?;
    fs::write(&events, lines.join("\n") + "\n").context("write the events")?;
    let began = Instant::now();
    let report = report(&events)?;
    let took = began.elapsed();
    let common = Common::of(&report)?;
    ensure!(
        common.machines.len() as u64 == args.hosts,
        "{} machines",
        common.machines.len()
    );
    let mut out = format!(
        "{} lines of {} machines\nreport --fleet: {:.1} s, {} causes\n",
        lines.len(),
        args.hosts,
        took.as_secs_f64(),
        common.causes.len()
    );
    drop(lines);
    for answer in answers(&engine, &events, &export)?.lines() {
        let answer: Value = serde_json::from_str(answer)?;
        out += &judged(&answer, &common)?;
    }
    ensure!(
        self::report(&export)? == report,
        "the exported events give another report"
    );
    out += "exported again: the same report\n";
    Ok(out)
}

/// Compares an answer, and says what it was.
fn judged(answer: &Value, common: &Common) -> Result<String> {
    let name = answer["name"].as_str().unwrap_or_default();
    let rows = answer["rows"].as_array().context("no rows")?;
    let seconds = answer["seconds"].as_f64().unwrap_or_default();
    match name {
        "load" => return Ok(format!("load: {seconds:.1} s\n")),
        "bytes" => {
            return Ok(format!(
                "on disk: {} bytes\n",
                rows.first()
                    .and_then(|row| row.get(0))
                    .unwrap_or(&Value::Null)
            ));
        }
        _ => {}
    }
    let columns = Common::compared(name);
    let text = |row: &Value| {
        let cells = row.as_array().into_iter().flatten().take(columns);
        cells.map(plain).collect::<Vec<_>>().join("|")
    };
    let mut found: Vec<_> = rows.iter().map(text).collect();
    let mut expected: Vec<_> = common.rows(name)?.iter().map(text).collect();
    found.sort();
    expected.sort();
    let other = found
        .iter()
        .zip(&expected)
        .find(|(found, expected)| found != expected);
    ensure!(
        found == expected,
        "{name}: the engine has {} rows and the report {}; the first that differ: {other:?}",
        found.len(),
        expected.len()
    );
    ensure!(
        !found.is_empty(),
        "{name}: no rows, so nothing was compared"
    );
    Ok(format!(
        "{name}: {} rows, {:.0} ms\n",
        rows.len(),
        seconds * 1000.0
    ))
}

/// Engines quote large numbers or do not.
fn plain(cell: &Value) -> String {
    cell.as_str()
        .map_or_else(|| cell.to_string(), str::to_owned)
}

fn report(events: &Path) -> Result<String> {
    let mut report = Command::new(build::dist()?.join("taintwatch"));
    report
        .args(["report", "--fleet", "--json", "--events"])
        .arg(events);
    run::quiet(&mut report)
}

fn answers(engine: &Path, events: &Path, export: &Path) -> Result<String> {
    let questions = cache::checkout()?.join("docs/fleet/clickhouse");
    let mut python = Command::new("python3");
    python
        .args(["-c", SCRIPT])
        .arg(questions)
        .arg(events)
        .arg(export);
    run::quiet(python.env("PYTHONPATH", engine))
}

/// The engine, outside the tree and of no other program's packages.
fn engine() -> Result<PathBuf> {
    let _lock = cache::lock("python")?;
    cache::once(&format!("python/{}", ENGINE.replace("==", "-")), |path| {
        step("fetch ClickHouse's engine, 150 MB", || {
            let mut pip = Command::new("python3");
            pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--target"]);
            run::quiet(pip.arg(path).arg(ENGINE)).map(drop)
        })
    })
}
