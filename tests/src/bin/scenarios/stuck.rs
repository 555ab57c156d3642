//! A module on a file system that stops to answer when the module is loaded, as a server that is gone.
//!
//! In: a file system in user space with one file. Out: events of the load at once, and later what is not known of the
//! file; other events do not wait.

use std::{
    ffi::OsStr,
    fs,
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread::sleep,
    time::{Duration, Instant, UNIX_EPOCH},
};

use anyhow::{Context as _, Result, bail, ensure};
use fuser::{
    BackgroundSession, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, Generation,
    INodeNo, LockOwner, OpenFlags, ReplyAttr, ReplyData, ReplyEntry, Request,
};
use nix::{
    mount::{MntFlags, umount2},
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

use crate::{
    causes::unload,
    history::History,
    loading::{is_ours, load_file},
    storm::recorder,
};

const PLACE: &str = "/tmp/stuck";
const NAME: &str = "dummy.ko";
/// The recorder gives a file up after five seconds.
const GIVEN_UP: Duration = Duration::from_mins(1);

/// Whether the server answers.
#[derive(Default)]
struct Gate(Mutex<bool>, Condvar);

impl Gate {
    fn set(&self, is_stuck: bool) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = is_stuck;
        self.1.notify_all();
    }

    fn pass(&self) {
        let stuck = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = self.1.wait_while(stuck, |is_stuck| *is_stuck);
        drop(passed);
    }
}

struct Server {
    gate: Arc<Gate>,
    bytes: Vec<u8>,
}

/// Nothing is kept by the kernel: it asks again each time.
const TTL: Duration = Duration::ZERO;
const FILE: INodeNo = INodeNo(2);

impl Server {
    fn attributes(&self, inode: INodeNo) -> FileAttr {
        let is_file = inode == FILE;
        FileAttr {
            ino: inode,
            size: if is_file { self.bytes.len() as u64 } else { 0 },
            blocks: 1,
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH + Duration::from_secs(1),
            crtime: UNIX_EPOCH,
            kind: if is_file {
                FileType::RegularFile
            } else {
                FileType::Directory
            },
            perm: 0o755,
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            flags: 0,
            blksize: 4096,
        }
    }
}

impl Filesystem for Server {
    fn lookup(&self, _request: &Request, _parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        self.gate.pass();
        if name == NAME {
            reply.entry(&TTL, &self.attributes(FILE), Generation(0));
        } else {
            reply.error(Errno::ENOENT);
        }
    }

    fn getattr(&self, _request: &Request, inode: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        self.gate.pass();
        reply.attr(&TTL, &self.attributes(inode));
    }

    fn read(
        &self,
        _request: &Request,
        _inode: INodeNo,
        _handle: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        self.gate.pass();
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let rest = self.bytes.get(from..).unwrap_or_default();
        let most = usize::try_from(size).unwrap_or(0);
        reply.data(rest.get(..most).unwrap_or(rest));
    }
}

/// The mounted file system, and whether it answers.
fn mounted() -> Result<(Arc<Gate>, BackgroundSession)> {
    fs::create_dir_all(PLACE)?;
    let gate = Arc::new(Gate::default());
    let server = Server {
        gate: Arc::clone(&gate),
        bytes: fs::read("/patched/dummy.ko")?,
    };
    let session = fuser::spawn_mount(server, PLACE, &Config::default());
    Ok((gate, session.context("mount a file system in user space")?))
}

pub(crate) fn file(history: &mut History) -> Result<()> {
    let (gate, session) = mounted()?;
    let done = stuck(history, &gate);
    gate.set(false);
    // A thread of the recorder may just be leaving it.
    umount2(PLACE, MntFlags::MNT_DETACH).context("unmount it")?;
    session.join()?;
    done?;
    unload("dummy")?;
    history.catch_up()?;
    // What answers is read as before.
    load_file("/patched/dummy.ko", "numdummies=0")?;
    let event = loaded(history)?;
    ensure!(
        event["module"]["file_state"] == "as loaded",
        "state: {event}"
    );
    unload("dummy")
}

fn stuck(history: &History, gate: &Gate) -> Result<()> {
    let recorder = Pid::from_raw(i32::try_from(recorder()?)?);
    kill(recorder, Signal::SIGSTOP)?;
    let done = load_file(&format!("{PLACE}/{NAME}"), "numdummies=0");
    gate.set(true);
    kill(recorder, Signal::SIGCONT)?;
    done?;
    let began = Instant::now();
    fs::write("/proc/sys/kernel/tainted", "64")?;
    let event = loaded(history)?;
    ensure!(event["module"].get("sha256").is_none(), "a guess: {event}");
    let early = event["module"].get("file_state").is_none();
    is_ours(&history.taint("U", "sysctl_write", None)?)?;
    let state = given_up(history)?;
    println!(
        "stuck: the event {} its file was given up, after {:?}: {state}",
        if early {
            "came before"
        } else {
            "did not come before"
        },
        began.elapsed()
    );
    ensure!(early, "the event waited for its file: {event}");
    Ok(())
}

fn loaded(history: &History) -> Result<Value> {
    history.expect(&[
        ("/kind", "module_load".into()),
        ("/module/name", "dummy".into()),
    ])
}

/// Each event of the load says in the end that its file is not known.
fn given_up(history: &History) -> Result<String> {
    let began = Instant::now();
    while began.elapsed() < GIVEN_UP {
        let events = history.new_events()?;
        let of_load = events
            .iter()
            .filter(|event| event["module"]["name"] == "dummy");
        let mut states =
            of_load.map(|event| event["module"]["file_state"].as_str().unwrap_or_default());
        let first = states.next().unwrap_or_default().to_owned();
        if first.contains("did not answer") && states.all(|state| state == first) {
            return Ok(first);
        }
        sleep(Duration::from_millis(500));
    }
    bail!(
        "no event says that its file is not known: {:?}",
        history.new_events()?
    )
}
