//! Commands that run on an event: a mail, a ticket, a pager.
//!
//! In: recorded events, which commands for which of them. Out: one command after another, on a thread of its own, with the
//! event as JSON on standard input and in environment variables. No shell; a time limit; a user without rights. When the
//! queue is full, a command is not run, with a warning: recording never waits.

use std::{
    ffi::OsString,
    fs::File,
    io::{Seek as _, Write as _},
    os::unix::process::CommandExt as _,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, channel, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use nix::{
    sys::{
        memfd::{MFdFlags, memfd_create},
        signal::{Signal, killpg},
    },
    unistd::{Gid, Pid, Uid, User, geteuid},
};

use crate::{
    event::Event,
    intake::journal,
    output::{event_line, journald},
    store::Filter,
};

/// Events that wait for a command.
const CAPACITY: usize = 256;
/// How long the end waits for the command that runs.
const LAST: Duration = Duration::from_secs(3);
/// How often a running command is looked at.
const PACE: Duration = Duration::from_millis(20);
/// Of one variable: the kernel takes 128 KiB, and all of them together must fit.
const VALUE: usize = 4 << 10;
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// A command, and the events that it runs on.
#[derive(Clone, Debug)]
pub struct Hook {
    pub command: Vec<String>,
    pub filter: Filter,
    pub timeout: Duration,
    pub user: String,
}

/// A hook whose user is known.
struct Ready {
    hook: Hook,
    /// None where this process is that user already.
    ids: Option<(Uid, Gid)>,
}

/// The sending side.
pub(crate) struct ExecQueue {
    hooks: Arc<Vec<Ready>>,
    queue: Option<SyncSender<(usize, Box<Event>)>>,
    ended: Receiver<()>,
}

impl ExecQueue {
    /// Begins; none where there is no hook. Each user must be there.
    pub(crate) fn begin(hooks: Vec<Hook>) -> Result<Option<Self>> {
        if hooks.is_empty() {
            return Ok(None);
        }
        let hooks = hooks.into_iter().map(Ready::of).collect::<Result<_>>()?;
        let hooks: Arc<Vec<Ready>> = Arc::new(hooks);
        let (queue, events) = sync_channel::<(usize, Box<Event>)>(CAPACITY);
        let (end, ended) = channel();
        let of_thread = Arc::clone(&hooks);
        thread::Builder::new()
            .name("exec".to_owned())
            .spawn(move || {
                for (number, event) in events {
                    if let Some(ready) = of_thread.get(number) {
                        ready.run(&event);
                    }
                }
                drop(end);
            })
            .context("start the thread that runs commands")?;
        Ok(Some(Self {
            hooks,
            queue: Some(queue),
            ended,
        }))
    }

    /// Queues an event for each hook that it passes.
    pub(crate) fn send(&self, event: &Event) {
        let wanted = self.hooks.iter().enumerate();
        for (number, ready) in wanted.filter(|(_, ready)| ready.hook.filter.passes(event)) {
            let queued = self
                .queue
                .as_ref()
                .map(|queue| queue.try_send((number, Box::new(event.clone()))));
            if let Some(Err(TrySendError::Full(_) | TrySendError::Disconnected(_))) = queued {
                log::warn!(
                    "commands are behind: {} is not run on event {}",
                    ready.name(),
                    event.id
                );
            }
        }
    }
}

impl Drop for ExecQueue {
    fn drop(&mut self) {
        self.queue = None;
        if self.ended.recv_timeout(LAST) == Err(RecvTimeoutError::Timeout) {
            log::warn!("not every command was run on the last events");
        }
    }
}

impl Ready {
    fn of(hook: Hook) -> Result<Self> {
        let name = &hook.user;
        let user = User::from_name(name)
            .with_context(|| format!("look for the user {name} of a command"))?
            .with_context(|| {
                format!("the user {name} of a command is not there: name another `user`")
            })?;
        let is_own = user.uid == geteuid();
        ensure!(
            is_own || geteuid().is_root(),
            "only root can run a command as {name}: run the daemon as root, or name its own user"
        );
        let ids = (!is_own).then_some((user.uid, user.gid));
        Ok(Self { hook, ids })
    }

    fn name(&self) -> &str {
        self.hook.command.first().map_or("", String::as_str)
    }

    /// Runs the command to its end, or to that of its time. What is wrong is said, and recording goes on.
    fn run(&self, event: &Event) {
        let ended = self.start(event).and_then(|mut child| {
            let ended = wait(&mut child, self.hook.timeout).context("wait for it")?;
            ended.with_context(|| {
                let seconds = self.hook.timeout.as_secs();
                format!("it was killed, since it took more than {seconds} s")
            })
        });
        match ended {
            Ok(status) if status.success() => {}
            Ok(status) => log::warn!("{} on event {}: {status}", self.name(), event.id),
            Err(error) => log::warn!("{} on event {}: {error:#}", self.name(), event.id),
        }
    }

    fn start(&self, event: &Event) -> Result<Child> {
        let (program, arguments) = self.hook.command.split_first().context("no command")?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .env("PATH", PATH)
            .envs(variables(event))
            .current_dir("/")
            .stdin(Stdio::from(json(event)?))
            .stdout(Stdio::null())
            // With all that it starts it can be ended.
            .process_group(0);
        if let Some((uid, gid)) = self.ids {
            // Without further groups and, with another user, without capabilities.
            command.uid(uid.as_raw()).gid(gid.as_raw());
        }
        command.spawn().context("start it")
    }
}

/// The fields of the journal, so that there is one list of names.
fn variables(event: &Event) -> impl Iterator<Item = (String, OsString)> {
    let message = ("MESSAGE", event_line::message(event));
    // The whole event is the input.
    let fields = journald::fields(event).into_iter();
    let fields = fields.filter(|(name, _)| *name != journal::EVENT);
    fields.chain([message]).map(|(name, value)| {
        let value = value.replace('\0', "\u{fffd}");
        let end = value.floor_char_boundary(VALUE);
        (
            name.to_string(),
            value.get(..end).unwrap_or_default().into(),
        )
    })
}

/// A file that only this process and the command have: no other process has to read it while it is written.
fn json(event: &Event) -> Result<File> {
    let memory = memfd_create("event", MFdFlags::MFD_CLOEXEC).context("make its input")?;
    let mut file = File::from(memory);
    let text = serde_json::to_string(event)? + "\n";
    file.write_all(text.as_bytes()).context("write its input")?;
    file.rewind().context("write its input")?;
    Ok(file)
}

/// How it ended; `None` when its time was over, and it was killed with all that it had started.
fn wait(child: &mut Child, timeout: Duration) -> std::io::Result<Option<ExitStatus>> {
    let began = Instant::now();
    while began.elapsed() < timeout {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        thread::sleep(PACE);
    }
    let group = Pid::from_raw(i32::try_from(child.id()).unwrap_or(i32::MAX));
    if let Err(error) = killpg(group, Signal::SIGKILL) {
        // It stays, and is taken away when this process ends.
        log::warn!("end a command that takes too long: {error}");
        return Ok(None);
    }
    child.wait()?;
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn event(letter: char) -> Event {
        serde_json::from_value(serde_json::json!({
            "schema": 1, "id": "i", "seq": 7, "kind": "taint", "taint": {"bit": 9, "letter": letter},
            "cause": {"class": "kernel_code", "summary": "$(reboot)\u{0};", "confidence": "observed", "sources": []},
        }))
        .unwrap()
    }

    fn hook(command: &[&str], flags: &[&str]) -> Hook {
        let own = User::from_uid(geteuid()).unwrap().unwrap();
        Hook {
            command: command.iter().map(|word| (*word).to_owned()).collect(),
            filter: Filter {
                flags: flags.iter().map(|flag| flag.parse().unwrap()).collect(),
                ..Filter::default()
            },
            timeout: Duration::from_secs(5),
            user: own.name,
        }
    }

    #[test]
    fn a_command_gets_the_event_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        let script = format!("cat > {0}; env >> {0}", out.display());
        let queue = ExecQueue::begin(vec![hook(&["/bin/sh", "-c", &script], &["W"])]);
        let queue = queue.unwrap().unwrap();
        queue.send(&event('P'));
        queue.send(&event('W'));
        drop(queue);
        let text = fs::read_to_string(out).unwrap();
        let (first, env) = text.split_once('\n').unwrap();
        assert_eq!(serde_json::from_str::<Event>(first).unwrap(), event('W'));
        for line in ["TAINT_FLAG=W", "TAINTWATCH_SEQ=7", "TAINT_BIT=9"] {
            assert!(env.lines().any(|it| it == line), "no {line} in {env}");
        }
        assert!(
            env.contains("MESSAGE=kernel taint W: $(reboot)\\x00;"),
            "{env}"
        );
        assert!(!env.contains("CARGO"), "{env}");
    }

    #[test]
    fn one_that_takes_too_long_is_killed_with_what_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let late = folder.path().join("late");
        let script = format!("(sleep 1; touch {}) & sleep 60", late.display());
        let mut slow = hook(&["/bin/sh", "-c", &script], &[]);
        slow.timeout = Duration::from_millis(200);
        let began = Instant::now();
        let queue = ExecQueue::begin(vec![slow]).unwrap().unwrap();
        queue.send(&event('W'));
        drop(queue);
        assert!(began.elapsed() < LAST);
        thread::sleep(Duration::from_millis(1300));
        assert!(!late.exists(), "what it started goes on");
    }

    #[test]
    fn a_full_queue_delays_no_event() {
        let slow = hook(&["/bin/sleep", "60"], &[]);
        let queue = ExecQueue::begin(vec![slow]).unwrap().unwrap();
        let began = Instant::now();
        for _ in 0..2 * CAPACITY {
            queue.send(&event('W'));
        }
        assert!(began.elapsed() < Duration::from_secs(1));
    }

    #[test]
    fn what_cannot_be_run_is_known_at_once_or_said() {
        let mut foreign = hook(&["/bin/true"], &[]);
        foreign.user = "no-such-user".to_owned();
        assert!(ExecQueue::begin(vec![foreign]).is_err());
        assert!(ExecQueue::begin(Vec::new()).unwrap().is_none());
        let missing = Ready::of(hook(&["/nonexistent"], &[])).unwrap();
        missing.run(&event('W'));
        assert!(missing.start(&event('W')).is_err());
    }

    #[test]
    fn the_command_runs_as_its_user() {
        if !geteuid().is_root() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(
            folder.path(),
            std::os::unix::fs::PermissionsExt::from_mode(0o777),
        )
        .unwrap();
        let out = folder.path().join("out");
        let script = format!(
            "id -u > {0}; id -G >> {0}; grep CapEff /proc/self/status >> {0}",
            out.display()
        );
        let mut other = hook(&["/bin/sh", "-c", &script], &[]);
        other.user = "nobody".to_owned();
        Ready::of(other).unwrap().run(&event('W'));
        let text = fs::read_to_string(out).unwrap();
        assert_eq!(text, "65534\n65534\nCapEff:\t0000000000000000\n");
    }
}
