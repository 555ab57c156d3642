//! `taintwatch daemon`: the recorder. In the foreground, for a service manager to run.

use std::{
    collections::BTreeMap,
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result};
use jiff::SignedDuration;
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    baseline::Past,
    cover, crash,
    event::{Coverage, CoverageState, Event},
    kernel::identity::{Identity, boottime_ns, wall_clock},
    output::journald,
    probe::{Without, watch::account},
    socket::{self, Feed},
    store::{
        Filter, Store,
        lock::{self, Lock},
    },
    watcher::Watcher,
};

/// How often the history is told that the watch is alive: the most that an unclean end leaves open.
const HEARTBEAT: Duration = Duration::from_mins(1);

/// Record what taints the kernel, until told to stop
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where live readers connect
    #[arg(long, value_name = "PATH", default_value = socket::DEFAULT_PATH)]
    socket: PathBuf,
    #[command(flatten)]
    without: Without,
}

/// Records until SIGTERM or SIGINT.
pub fn run(args: &Args, db: &Path, out: &mut dyn Write) -> Result<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(record(args, db, out))
}

/// By hooks; without them where the kernel has none to give, which is told in the first event.
fn begin(without: &Without) -> Result<Watcher> {
    match Watcher::hooked(without) {
        Ok(watcher) => Ok(watcher),
        Err(error) if !nix::unistd::geteuid().is_root() => Err(error.into()),
        Err(error) => Ok(Watcher::polled(&error)?),
    }
}

async fn record(args: &Args, db: &Path, out: &mut dyn Write) -> Result<u8> {
    let mut watcher = begin(&args.without)?;
    let mut recorder = Recorder::new(db, &args.socket)?;
    recorder.import_crashes()?;
    recorder.end_of_last()?;
    watcher.explain_before(recorder.past()?);
    writeln!(
        out,
        "taintwatch records to {}\n{}",
        db.display(),
        account(watcher.hooks())
    )?;
    if !recorder.journal {
        writeln!(
            out,
            "note: this machine has no journal; events go to the history alone"
        )?;
    }
    out.flush()?;
    let mut terminate = signal(SignalKind::terminate()).context("wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("wait for SIGINT")?;
    let mut heartbeat = tokio::time::interval(HEARTBEAT);
    let reason = loop {
        tokio::select! {
            event = watcher.next() => recorder.record(event?)?,
            _ = heartbeat.tick() => recorder.alive()?,
            _ = terminate.recv() => break "stopped by SIGTERM",
            _ = interrupt.recv() => break "stopped by SIGINT",
        }
    };
    for event in watcher.end(reason) {
        recorder.record(event)?;
    }
    Ok(0)
}

/// Where a recorded event goes, the history first.
struct Recorder {
    store: Store,
    feed: Feed,
    journal: bool,
    boot_id: String,
    _lock: Lock,
}

impl Recorder {
    fn new(db: &Path, socket: &Path) -> Result<Self> {
        let store = Store::create(db)?;
        let lock = lock::take(db).with_context(|| format!("lock {}", db.display()))?;
        let lock = lock.with_context(|| {
            format!(
                "another taintwatch records to {}: stop it first",
                db.display()
            )
        })?;
        Ok(Self {
            store,
            feed: Feed::listen(socket)?,
            journal: journald::is_there(),
            boot_id: Identity::read()?.boot_id,
            _lock: lock,
        })
    }

    fn record(&mut self, mut event: Event) -> Result<()> {
        self.store.append(&mut event)?;
        if self.journal
            && let Err(error) = journald::send(&event)
        {
            log::warn!("the journal did not take event {}: {error}", event.seq);
        }
        self.feed.publish(&event)
    }

    fn alive(&mut self) -> Result<()> {
        let now = boottime_ns();
        Ok(self.store.alive(&self.boot_id, wall_clock(now), now)?)
    }

    /// What the history knows of this boot.
    fn past(&self) -> Result<Past> {
        let mut events = self.store.events(&Filter::default(), None)?;
        events.retain(|event| event.boot_id.as_deref() == Some(&self.boot_id));
        Ok(Past::of(&events, 0))
    }

    /// What dead kernels left behind; what is in the history already stays as it is.
    fn import_crashes(&mut self) -> Result<()> {
        let dumps = crash::places::dumps();
        if dumps.is_empty() {
            return Ok(());
        }
        let boots = self.boots_before()?;
        for dump in &dumps {
            for event in crash::events(dump, &boots) {
                self.record(event)?;
            }
        }
        Ok(())
    }

    /// The boots of the history, but for the present one.
    fn boots_before(&self) -> Result<Vec<crash::Boot>> {
        let mut of_boot: BTreeMap<String, Vec<Event>> = BTreeMap::new();
        for event in self.store.events(&Filter::default(), None)? {
            if let Some(boot_id) = event.boot_id.clone().filter(|id| *id != self.boot_id) {
                of_boot.entry(boot_id).or_default().push(event);
            }
        }
        let mut boots = Vec::new();
        for (boot_id, events) in of_boot {
            let Some((time, last_ns)) = self.store.last_of(&boot_id)? else {
                continue;
            };
            let ended = events
                .iter()
                .rev()
                .find_map(|event| event.coverage.as_ref());
            let told = |coverage: &Coverage| {
                coverage.state == CoverageState::Ended && coverage.reason != cover::UNCLEAN
            };
            let since = SignedDuration::from_nanos(i64::try_from(last_ns).unwrap_or(0));
            let Ok(booted) = time.0.checked_sub(since) else {
                continue;
            };
            boots.push(crash::Boot {
                host: events.iter().find_map(|event| event.host.clone()),
                booted,
                cut_off_ns: (!ended.is_some_and(told)).then_some(last_ns),
                past: Past::of(&events, last_ns),
                boot_id,
            });
        }
        Ok(boots)
    }

    /// The end of a watch that could not tell it itself: its last sign of life.
    fn end_of_last(&mut self) -> Result<()> {
        let Some(mut last) = self.store.unended()? else {
            return Ok(());
        };
        let boot_id = last.boot_id.clone().unwrap_or_default();
        if let Some((time, boottime_ns)) = self.store.last_of(&boot_id)? {
            last.time = time;
            last.boottime_ns = Some(boottime_ns);
        }
        last.id = format!("{}-end", last.id);
        if let Some(coverage) = &mut last.coverage {
            coverage.state = CoverageState::Ended;
            cover::UNCLEAN.clone_into(&mut coverage.reason);
        }
        self.record(last)
    }
}
