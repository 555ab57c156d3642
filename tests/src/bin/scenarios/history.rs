//! What taintwatch stored, as its own commands give it.

use std::{
    path::PathBuf,
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Result, bail, ensure};
use serde_json::Value;

use crate::schema;

/// Emulated processors are slow, and may share theirs; nothing here takes half of this.
const PATIENCE: Duration = Duration::from_mins(1);
/// Without an event for so long, none is on its way.
const QUIET: Duration = Duration::from_millis(250);

/// The history as `taintwatch report` gives it.
pub(crate) struct History {
    pub(crate) seen: u64,
    pub(crate) db: PathBuf,
    /// How many calls a storm makes.
    pub(crate) calls: u64,
}

impl History {
    pub(crate) fn of(db: &str) -> Self {
        Self {
            seen: 0,
            db: db.into(),
            calls: 0,
        }
    }

    pub(crate) fn all(&self) -> Result<Vec<Value>> {
        let output = Command::new("taintwatch")
            .arg("--db")
            .arg(&self.db)
            .args(["report", "--json"])
            .output()?;
        ensure!(
            output.status.success(),
            "report: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let text = String::from_utf8(output.stdout)?;
        let events = text.lines().map(|line| Ok(serde_json::from_str(line)?));
        let events: Vec<Value> = events.collect::<Result<_>>()?;
        schema::check(&events)?;
        Ok(events)
    }

    /// Events of this scenario.
    pub(crate) fn new_events(&self) -> Result<Vec<Value>> {
        let seen = self.seen;
        let is_new = |event: &Value| event["seq"].as_u64() > Some(seen);
        Ok(self.all()?.into_iter().filter(is_new).collect())
    }

    /// Events of this scenario, when no more come.
    pub(crate) fn settled(&self) -> Result<Vec<Value>> {
        let mut before = None;
        loop {
            let events = self.new_events()?;
            if before == Some(events.len()) {
                return Ok(events);
            }
            before = Some(events.len());
            sleep(QUIET);
        }
    }

    pub(crate) fn catch_up(&mut self) -> Result<()> {
        self.seen = self
            .all()?
            .iter()
            .filter_map(|event| event["seq"].as_u64())
            .max()
            .unwrap_or(0);
        Ok(())
    }

    /// Waits for an event with every one of these values, by JSON pointer.
    pub(crate) fn expect(&self, wanted: &[(&str, Value)]) -> Result<Value> {
        self.expect_within(PATIENCE, wanted)
    }

    pub(crate) fn expect_within(
        &self,
        patience: Duration,
        wanted: &[(&str, Value)],
    ) -> Result<Value> {
        let began = Instant::now();
        loop {
            let events = self.new_events()?;
            let fits = |event: &&Value| {
                wanted
                    .iter()
                    .all(|(at, value)| event.pointer(at) == Some(value))
            };
            if let Some(event) = events.iter().find(fits) {
                return Ok(event.clone());
            }
            if began.elapsed() > patience {
                let told: Vec<_> = events.iter().map(Value::to_string).collect();
                bail!("no event with {wanted:?}; there are:\n{}", told.join("\n"));
            }
            sleep(Duration::from_millis(100));
        }
    }

    /// A taint event by its letter, its class, and the module that it must name, or none.
    pub(crate) fn taint(&self, letter: &str, class: &str, module: Option<&str>) -> Result<Value> {
        let mut wanted = vec![
            ("/kind", "taint".into()),
            ("/taint/letter", letter.into()),
            ("/cause/class", class.into()),
            ("/cause/confidence", "observed".into()),
        ];
        wanted.extend(module.map(|name| ("/module/name", name.into())));
        let event = self.expect(&wanted)?;
        ensure!(
            module.is_some() || event.get("module").is_none(),
            "an innocent module is named: {event}"
        );
        Ok(event)
    }
}
