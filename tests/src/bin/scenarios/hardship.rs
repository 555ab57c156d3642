//! What happens to a history while its recorder runs: a full disk, a folder that is removed, noise in the file, others
//! who hold locks, a clock that is set back, a recorder that stands still.
//!
//! In: one recorder, and a small file system that is its own. Out: nothing that was recorded is lost, but for what
//! went with the files; and the recorder goes on.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::{fd::AsRawFd as _, unix::fs::FileExt as _, unix::process::CommandExt as _},
    path::Path,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use nix::{
    kmod::{DeleteModuleFlags, delete_module},
    mount::{MsFlags, mount},
    sys::{
        signal::{Signal, kill},
        time::TimeSpec,
    },
    time::{ClockId, clock_gettime, clock_settime},
};
use serde_json::Value;

use crate::{
    Tally,
    daemon::Daemon,
    loading::{load, load_file},
    storm::delete,
};

const PLACE: &str = "/mnt/small";
const FOLDER: &str = "/mnt/small/store";
const DB: &str = "/mnt/small/store/events.db";
/// The recorder tries again after 30 seconds at the latest.
const PATIENCE: Duration = Duration::from_secs(90);
/// Loads until a full disk shows: SQLite's log has some room of its own.
const MOST_LOADS: usize = 400;
const NOBODY: u32 = 65534;
const GROUP: u32 = 990;
const YEAR: i64 = 365 * 86400;
const CALLS: u64 = 20_000;

/// A part of the guest, of one recorder.
type Part = fn(&mut Store) -> Result<()>;

const PARTS: [(&str, Part); 7] = [
    ("a full disk", full_disk),
    ("locks of strangers", strangers),
    ("locks of a member of the group", member),
    ("a clock that is set back a year", clock),
    ("a storm while the recorder stands still", still),
    ("noise in the history's file", noise),
    ("the history's folder is removed", removed),
];

pub(crate) fn all() -> Result<()> {
    fs::create_dir_all(PLACE)?;
    let small = Some("size=8m");
    mount(Some("small"), PLACE, Some("tmpfs"), MsFlags::empty(), small)?;
    // The daemon itself closes its folder.
    fs::write("/etc/group", format!("taintwatch:x:{GROUP}:\n"))?;
    let mut tally = Tally::default();
    let daemon = Daemon::start(&[], &[], DB)?;
    let mut store = Store { daemon, loads: 0 };
    for (name, part) in PARTS {
        let began = Instant::now();
        let done = part(&mut store);
        println!("store: {name}: {} s", began.elapsed().as_secs());
        tally.count(&format!("store: {name}"), done);
    }
    tally.count(
        "store: the recorder goes on to its end",
        store.daemon.stop(),
    );
    tally.end()
}

struct Store {
    daemon: Daemon,
    /// How often a module was loaded since the history was begun.
    loads: usize,
}

impl Store {
    /// A load and an unload, each with an event.
    fn load(&mut self) -> Result<()> {
        load_file("/patched/dummy.ko", "numdummies=0")?;
        delete_module(c"dummy", DeleteModuleFlags::empty())?;
        self.loads += 1;
        Ok(())
    }

    /// Waits until each load since the history was begun is in it, and says how long that took.
    fn whole(&self) -> Result<Duration> {
        let began = Instant::now();
        loop {
            // It may just be moved away.
            let events = events().unwrap_or_default();
            let loads = of_loads(&events);
            if loads == self.loads {
                let numbers = events.iter().map(|event| event["seq"].as_u64());
                let is_whole = numbers.eq((1..).map(Some).take(events.len()));
                ensure!(is_whole, "the numbers have a gap: {events:?}");
                return Ok(began.elapsed());
            }
            ensure!(
                loads < self.loads,
                "{} loads, and {loads} events",
                self.loads
            );
            ensure!(
                began.elapsed() < PATIENCE,
                "{} loads, and {loads} events; it says: {}",
                self.loads,
                self.daemon.said()?
            );
            sleep(Duration::from_millis(100));
        }
    }

    /// Waits until the recorder says something again.
    fn says(&self, from: usize, words: &str) -> Result<()> {
        let began = Instant::now();
        loop {
            let said = self.daemon.said()?;
            let new = said.get(from..).unwrap_or_default();
            if new.contains(words) {
                return Ok(());
            }
            ensure!(
                began.elapsed() < PATIENCE,
                "it does not say {words:?}, but: {new}"
            );
            sleep(Duration::from_millis(100));
        }
    }

    fn said(&self) -> Result<usize> {
        Ok(self.daemon.said()?.len())
    }
}

fn events() -> Result<Vec<Value>> {
    let output = Command::new("taintwatch")
        .args(["--db", DB, "report", "--json"])
        .output()?;
    ensure!(output.status.success(), "report: {}", output.status);
    let text = String::from_utf8(output.stdout)?;
    text.lines()
        .map(|line| Ok(serde_json::from_str(line)?))
        .collect()
}

fn of_loads(events: &[Value]) -> usize {
    let is_load =
        |event: &&Value| event["kind"] == "module_load" && event["module"]["name"] == "dummy";
    events.iter().filter(is_load).count()
}

/// Filled to the last block: events wait, and are written when there is room again, in order.
fn full_disk(store: &mut Store) -> Result<()> {
    store.load()?;
    store.whole()?;
    let said = store.said()?;
    let filler = format!("{PLACE}/fill");
    let mut file = File::create(&filler)?;
    for size in [1 << 20, 4096, 1] {
        while file.write_all(&vec![1; size]).is_ok() {}
    }
    drop(file);
    let words = "the history cannot be written";
    for _ in 0..MOST_LOADS {
        store.load()?;
        if store
            .daemon
            .said()?
            .get(said..)
            .unwrap_or_default()
            .contains(words)
        {
            break;
        }
    }
    store.says(said, words)?;
    store.says(said, "full: make room")?;
    for _ in 0..5 {
        store.load()?;
    }
    let status = Command::new("taintwatch")
        .args(["--db", DB, "status"])
        .output()?;
    ensure!(status.status.code() == Some(1), "status: {status:?}");
    fs::remove_file(&filler)?;
    store.whole()?;
    store.says(said, "the history is written again")
}

/// `scenarios hold FOLDER`: holds every lock that it can have on what is in a folder, until its input ends.
pub(crate) fn hold(folder: &str) -> Result<()> {
    let mut held = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let both = File::options().read(true).write(true).open(&path);
        let Ok(file) = both.or_else(|_refused| File::open(&path)) else {
            continue;
        };
        // Of another kind than those of SQLite, which are taken as well.
        _ = file.try_lock();
        for kind in [libc::F_RDLCK, libc::F_WRLCK] {
            let lock = libc::flock {
                l_type: i16::try_from(kind)?,
                l_whence: 0,
                l_start: 0,
                l_len: 0,
                l_pid: 0,
            };
            // SAFETY: the descriptor is open, and the structure is whole.
            unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLK, &raw const lock) };
        }
        held.push(file);
    }
    println!("{}", held.len());
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// Somebody who holds locks, and on how many files.
fn holder(group: u32) -> Result<(Child, usize)> {
    let mut child = Command::new("scenarios")
        .args(["hold", FOLDER])
        .uid(NOBODY)
        .gid(group)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let output = child.stdout.take().context("no output")?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    let files = line.trim().parse();
    Ok((child, files.with_context(|| format!("it says {line:?}"))?))
}

/// Who is not of the group can open nothing, and hold nothing up.
fn strangers(store: &mut Store) -> Result<()> {
    let (mut stranger, files) = holder(NOBODY)?;
    store.load()?;
    let took = store.whole();
    drop(stranger.stdin.take());
    stranger.wait()?;
    ensure!(files == 0, "a stranger can open {files} files");
    ensure!(took? < Duration::from_secs(20), "it took long");
    Ok(())
}

/// Who is of it can: events wait while one holds a lock, and none is lost.
fn member(store: &mut Store) -> Result<()> {
    let (mut member, files) = holder(GROUP)?;
    for _ in 0..3 {
        store.load()?;
    }
    sleep(Duration::from_secs(2));
    let is_up = Path::new(&format!("/proc/{}", store.daemon.pid()?)).exists();
    drop(member.stdin.take());
    member.wait()?;
    ensure!(files > 0, "a member can open no file: nothing is tried");
    ensure!(is_up, "the recorder ended");
    store.whole()?;
    Ok(())
}

fn clock(store: &mut Store) -> Result<()> {
    let wall = ClockId::CLOCK_REALTIME;
    let moved = |seconds: i64| -> Result<()> {
        let now = clock_gettime(wall)?;
        Ok(clock_settime(
            wall,
            TimeSpec::new(now.tv_sec() + seconds, now.tv_nsec()),
        )?)
    };
    moved(-YEAR)?;
    store.load()?;
    let took = store.whole();
    let events = events();
    moved(YEAR)?;
    ensure!(took? < Duration::from_secs(20), "it took long");
    let events = events?;
    let time = |event: &Value| event["time"].as_str().unwrap_or_default().to_owned();
    let last = events.last().context("no event")?;
    let first = events.first().context("no event")?;
    ensure!(time(last) < time(first), "the clock was not set: {last}");
    let status = Command::new("taintwatch")
        .args(["--db", DB, "status", "--json"])
        .output()?;
    let status: Value = serde_json::from_slice(&status.stdout)?;
    let holes = status["holes"].as_array().map_or(0, Vec::len);
    ensure!(status["covered"] == true && holes == 1, "status: {status}");
    Ok(())
}

/// Every call of a storm counts, though no recorder took records meanwhile.
fn still(store: &mut Store) -> Result<()> {
    if load("tw_storm", "").is_err() {
        bail!(crate::NO_HEADERS);
    }
    let recorder = store.daemon.pid()?;
    kill(recorder, Signal::SIGSTOP)?;
    let done = fs::write("/sys/module/tw_storm/parameters/go", format!("{CALLS} 2 6"));
    let loaded = (0..30).try_for_each(|_| store.load());
    kill(recorder, Signal::SIGCONT)?;
    done?;
    loaded?;
    store.whole()?;
    let began = Instant::now();
    loop {
        let events = events()?;
        let of_storm = events.iter().filter(|event| {
            event["taint"]["letter"] == "U" && event["module"]["name"] == "tw_storm"
        });
        let sum: u64 = of_storm
            .filter_map(|event| event["taint"]["count"].as_u64())
            .sum();
        if sum == CALLS {
            return delete("tw_storm");
        }
        ensure!(
            sum < CALLS && began.elapsed() < PATIENCE,
            "{CALLS} calls, and the events stand for {sum}"
        );
        sleep(Duration::from_millis(500));
    }
}

/// The damaged file is kept, and a new history begins.
fn noise(store: &mut Store) -> Result<()> {
    let said = store.said()?;
    let file = File::options().write(true).open(DB)?;
    let mut state = 88_172_645_463_325_252_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    })
    .take(1 << 13)
    .flatten()
    .collect();
    file.write_all_at(&noise, 0)?;
    drop(file);
    store.loads = 0;
    store.load()?;
    store.whole()?;
    store.says(said, "the damaged history is kept as")?;
    let names = fs::read_dir(FOLDER)?
        .flatten()
        .map(|entry| entry.file_name());
    let kept = names.filter(|name| name.to_string_lossy().contains(".db.damaged-"));
    ensure!(kept.count() > 0, "no damaged file is kept");
    begun_anew()
}

fn removed(store: &mut Store) -> Result<()> {
    fs::remove_dir_all(FOLDER)?;
    store.loads = 0;
    store.load()?;
    store.whole()?;
    begun_anew()
}

/// A history that takes the place of another one says so first.
fn begun_anew() -> Result<()> {
    let events = events()?;
    let first = events.first().context("no event")?;
    let reason = first["coverage"]["reason"].as_str().unwrap_or_default();
    ensure!(
        reason.contains("this history was begun while monitoring went on"),
        "the first event: {first}"
    );
    Ok(())
}
