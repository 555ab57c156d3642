//! `taintwatch daemon`: the recorder. In the foreground, for a service manager to run.

mod turns;

use std::{
    io::Write,
    path::{Path, PathBuf},
    pin::pin,
};

use anyhow::Result;

use crate::{
    baseline::Past,
    config::{self, Config, Exec},
    event::{Coverage, Event},
    exec_queue::ExecQueue,
    logging,
    metrics::Metrics,
    output::journald,
    probe::{Without, attempts, pins::Pins},
    recorder::{Outlets, Recorder},
    service_manager::ServiceManager,
    socket::{Request, Standing},
    watcher::{self, Watcher},
};
use turns::{Due, Turns};

/// Record what taints the kernel, until it is stopped
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration to read [default: /etc/taintwatch/taintwatch.toml, where it is there]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where live readers connect [default: that of the configuration, or /run/taintwatch/events.sock]
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    #[command(flatten)]
    without: Without,
}

/// Records until SIGTERM or SIGINT, to `db` or where the configuration says.
pub fn run(args: &Args, db: Option<&Path>, out: &mut dyn Write) -> Result<u8> {
    let config = config::load_or_default(args.config.as_deref())?;
    logging::set_level(config.log.level.into());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(record(args, config, db, out))
}

/// Where programs are pinned; nothing where they cannot be, which is no reason not to record.
fn pins(config: &config::Pins) -> Option<Pins> {
    if !config.enabled {
        return None;
    }
    match Pins::open(&config.path) {
        Ok(pins) => Some(pins),
        Err(why) => {
            log::warn!("not pinned, so the hooks end with this daemon: {why}");
            None
        }
    }
}

/// With hooks; without them where none can be attached, which the first event records.
fn begin(without: &Without, pins: Option<&Pins>) -> Result<Watcher> {
    match Watcher::hooked(without, pins) {
        Ok(watcher) => Ok(watcher),
        Err(error) if !nix::unistd::geteuid().is_root() => Err(error.into()),
        Err(error) => Ok(Watcher::polled(&error)?),
    }
}

async fn record(args: &Args, config: Config, db: Option<&Path>, out: &mut dyn Write) -> Result<u8> {
    // Before anything is recorded: a stop is then recorded as the end of the coverage.
    let mut turns = Turns::begin(ServiceManager::watchdog())?;
    let pins = pins(&config.pins);
    let mut watcher = begin(&args.without, pins.as_ref())?;
    // New files are closed to others until their owner and mode are set.
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
    let db = db.unwrap_or(&config.history.path).to_owned();
    let outlets = Outlets {
        socket: args.socket.as_deref().unwrap_or(&config.socket.path),
        group: &config.socket.group,
        journal: config.journal.enabled,
    };
    let mut recorder = Recorder::new(&db, &outlets, watcher.completer(), watcher.is_adopted())?;
    listen(&config, &mut recorder)?;
    let mut manager = ServiceManager::new();
    manager.ready();
    let of_this_boot = recorder.of_this_boot();
    watcher.resume(&of_this_boot)?;
    watcher.explain_before(Past::of(&of_this_boot, 0), usize::MAX);
    drop(of_this_boot);
    announce(&db, &watcher, out)?;
    let mut daemon = Daemon {
        config_file: args.config.as_deref(),
        config,
        recorder,
        manager,
        coverage: None,
    };
    turns.hear(daemon.recorder.take_requests());
    let mut failed = None;
    let reason = loop {
        let event = match daemon.wait(&mut watcher, &mut turns).await {
            Ok(Ok(event)) => event,
            Ok(Err(error)) => {
                failed = Some(error.into());
                break "monitoring failed";
            }
            Err(Pause::End(reason)) => break reason,
            Err(Pause::Sync(requests)) => {
                if let Err(error) = daemon.sync(requests, &mut watcher).await {
                    failed = Some(error.into());
                    break "monitoring failed";
                }
                continue;
            }
        };
        daemon.record(event, &mut watcher);
        // Readers are served between two events.
        tokio::task::yield_now().await;
    };
    daemon.manager.stopping(reason);
    for mut event in watcher.end(reason) {
        daemon.config.record.restrict(&mut event);
        daemon.recorder.record(event);
    }
    if let Err(error) = daemon.recorder.end() {
        failed.get_or_insert(error);
    }
    tokio::task::yield_now().await;
    failed.map_or(Ok(0), Err)
}

/// Metrics and commands hear of each event when it is in the history.
fn listen(config: &Config, recorder: &mut Recorder) -> Result<()> {
    let settings = config.metrics.settings();
    if let Some(metrics) = Metrics::begin(&settings, || recorder.of_this_boot())? {
        recorder.listen_in(Box::new(move |event, waiting| metrics.see(event, waiting)));
    }
    let hooks = config.exec.iter().map(Exec::hook).collect();
    if let Some(queue) = ExecQueue::begin(hooks)? {
        recorder.listen_in(Box::new(move |event, _| queue.send(event)));
    }
    Ok(())
}

/// What is recorded where, for who started it.
fn announce(db: &Path, watcher: &Watcher, out: &mut dyn Write) -> Result<()> {
    writeln!(
        out,
        "taintwatch records to {}\n{}",
        db.display(),
        attempts::list(watcher.hooks())
    )?;
    if !journald::is_there() {
        writeln!(
            out,
            "note: this machine has no journal; events go to the history alone"
        )?;
    }
    Ok(out.flush()?)
}

/// A daemon that records.
struct Daemon<'a> {
    config_file: Option<&'a Path>,
    config: Config,
    recorder: Recorder,
    manager: ServiceManager,
    /// What the last event of the coverage says.
    coverage: Option<Coverage>,
}

/// Why the wait for an event was left.
enum Pause {
    Sync(Vec<Request>),
    End(&'static str),
}

impl Daemon<'_> {
    /// The next event, and until then all that is due; or the reason to end. The wait for an event goes on while other
    /// things are done: begun anew each time, it would never come to its checks.
    async fn wait(
        &mut self,
        watcher: &mut Watcher,
        turns: &mut Turns,
    ) -> Result<Result<Event, watcher::Error>, Pause> {
        let mut next = pin!(watcher.next());
        loop {
            let due = tokio::select! {
                event = &mut next, if self.recorder.has_room() => return Ok(event),
                due = turns.due() => due,
                () = self.recorder.due() => Due::Recorder,
            };
            match due {
                Due::Heartbeat => {
                    self.recorder.heartbeat();
                    self.recorder.prune(self.config.history.limits());
                }
                Due::Recorder => {
                    self.recorder.turn();
                    self.manager.history(self.recorder.trouble());
                }
                Due::Alive => self.manager.alive(),
                Due::Reload => self.reload(),
                Due::Sync(requests) => return Err(Pause::Sync(requests)),
                Due::Stop(reason) => return Err(Pause::End(reason)),
            }
        }
    }

    fn record(&mut self, mut event: Event, watcher: &mut Watcher) {
        if let Some(coverage) = &event.coverage {
            self.coverage = Some(coverage.clone());
        }
        // What is added later holds no arguments.
        self.config.record.restrict(&mut event);
        self.manager.recorded(&event);
        self.recorder.record(event);
        self.manager.history(self.recorder.trouble());
        watcher.set_recorded(self.recorder.waiting() == 0);
    }

    /// Records all that happened so far, and answers who waits for that.
    async fn sync(
        &mut self,
        requests: Vec<Request>,
        watcher: &mut Watcher,
    ) -> Result<(), watcher::Error> {
        for event in watcher.caught_up().await? {
            self.record(event, watcher);
        }
        self.recorder.all_passed_on().await;
        let Some(coverage) = &self.coverage else {
            return Ok(());
        };
        let standing = Standing {
            state: coverage.state,
            reason: coverage.reason.clone(),
            waiting: self.recorder.waiting(),
        };
        for request in requests {
            request.answer(standing.clone());
        }
        Ok(())
    }

    /// Takes over what can change while it records; the rest is named. A wrong file changes nothing.
    fn reload(&mut self) {
        self.manager.reloading();
        match config::load_or_default(self.config_file) {
            Ok(new) => self.take_over(new),
            Err(error) => log::error!("the configuration stays as it was: {error}"),
        }
        self.manager.ready();
    }

    fn take_over(&mut self, new: Config) {
        for key in config::differences(&self.config, &new) {
            if config::AT_RUN_TIME.contains(&key.as_str()) {
                log::info!("{key} is changed");
            } else {
                log::warn!(
                    "{key} differs from what this daemon began with: restart it to change that"
                );
            }
        }
        logging::set_level(new.log.level.into());
        self.config.log = new.log;
        self.config.record = new.record;
    }
}
