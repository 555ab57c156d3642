//! What `analyze` prints of its logs: the answer first, which is the state of each boot, and then what led to it.
//!
//! In: what is settled of each log, in order. Out: text. With more than one boot their states stand together on top.

mod boot;
mod causes;
mod listed;

use std::io::{self, Write};

use super::{escape::Escaped, style::DIM, wrap};
use crate::klog::Settled;
use boot::BootText;

/// Boots that are kept until the end; what is printed before has no answer on top.
const MOST_BOOTS: usize = 256;

/// All logs of one input.
#[derive(Debug, Default)]
pub struct AnalysisText {
    logs: Vec<LogText>,
}

/// One log, or the state of the machine that the other files of an archive show.
#[derive(Debug)]
struct LogText {
    name: String,
    is_state: bool,
    boots: Vec<BootText>,
}

impl AnalysisText {
    /// A log begins.
    pub fn log(&mut self, name: &str) {
        self.begin(name, false);
    }

    /// What the other files show begins.
    pub fn state(&mut self, name: &str) {
        self.begin(name, true);
    }

    fn begin(&mut self, name: &str, is_state: bool) {
        self.logs.push(LogText {
            name: name.to_owned(),
            is_state,
            boots: Vec::new(),
        });
    }

    /// Adds what is settled of the log that has begun; the filter has taken its events.
    pub fn add(&mut self, settled: &Settled, out: &mut dyn Write) -> io::Result<()> {
        let kept: usize = self.logs.iter().map(|log| log.boots.len()).sum();
        if kept >= MOST_BOOTS {
            self.print(out)?;
            self.logs.drain(..self.logs.len().saturating_sub(1));
            self.logs.iter_mut().for_each(|log| log.boots.clear());
        }
        let Some(log) = self.logs.last_mut() else {
            return Ok(());
        };
        if let Some(boot) = log.boots.iter_mut().rev().find(|boot| boot.is_of(settled)) {
            boot.add(settled);
        } else {
            log.boots.push(BootText::new(settled));
        }
        Ok(())
    }

    /// Prints what is there.
    pub fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        // The state of the machine is what the logs led to.
        let (states, logs): (Vec<_>, Vec<_>) = self.logs.iter().partition(|log| log.is_state);
        let logs: Vec<&LogText> = states.into_iter().chain(logs).collect();
        let boots = || {
            logs.iter()
                .flat_map(|log| log.shown().map(move |boot| (log, boot)))
        };
        if boots().count() > 1 {
            for (log, boot) in boots() {
                let answer = boot.answer(log.is_state);
                let name = Escaped(&log.name);
                writeln!(out, "{answer}  {DIM}{name}{DIM:#}")?;
            }
            writeln!(out)?;
        }
        for log in &logs {
            if log.shown().next().is_none() {
                continue;
            }
            writeln!(out, "{DIM}{}{DIM:#}", Escaped(&log.name))?;
            for boot in log.shown() {
                writeln!(out, "{}", boot.answer(log.is_state))?;
                boot.print(wrap::width(), out)?;
                writeln!(out)?;
            }
        }
        Ok(())
    }
}

impl LogText {
    fn shown(&self) -> impl Iterator<Item = &BootText> {
        self.boots.iter().filter(|boot| boot.has_something())
    }
}
