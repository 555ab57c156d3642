//! A log, line by line, whatever machines wrote it.
//!
//! In: lines. Out: findings, each as soon as it is complete. Nothing but open reports is kept.

use std::collections::HashMap;

use super::{Finding, Line, tracker::Tracker};

/// Machines that are followed at once; a log of more of them has its oldest reports cut short.
const MOST_HOSTS: usize = 64;

/// Finds what matters in the lines of a log.
#[derive(Debug, Default)]
pub struct Scanner {
    /// The log of lines that name no machine, or of the only one.
    unnamed: Tracker,
    hosts: HashMap<String, (u64, Tracker)>,
    pushed: u64,
    /// The machine of the last line.
    last: Option<String>,
}

impl Scanner {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next line.
    pub fn push(&mut self, line: &Line<'_>) -> Vec<Finding> {
        let mut out = Vec::new();
        self.pushed += 1;
        // The rest of a line is of the same machine.
        let of_last = self.last.take().filter(|_| line.continues);
        let Some(host) = line.host.or(of_last.as_deref()) else {
            self.unnamed.push(line, &mut out);
            return out;
        };
        self.last = Some(host.to_owned());
        if let Some((used, tracker)) = self.hosts.get_mut(host) {
            *used = self.pushed;
            tracker.push(line, &mut out);
            return out;
        }
        if self.hosts.len() >= MOST_HOSTS {
            self.forget(&mut out);
        }
        let mut tracker = Tracker::new(Some(host));
        tracker.push(line, &mut out);
        self.hosts.insert(host.to_owned(), (self.pushed, tracker));
        out
    }

    /// The number of each machine's last boot so far.
    #[must_use]
    pub fn last_boots(&self) -> HashMap<Option<String>, u64> {
        let hosts = self.hosts.iter();
        let hosts = hosts.map(|(host, (_, tracker))| (Some(host.clone()), tracker.boot()));
        hosts.chain([(None, self.unnamed.boot())]).collect()
    }

    /// The log has ended: what is open is complete.
    pub fn finish(&mut self) -> Vec<Finding> {
        let mut out = Vec::new();
        self.unnamed.finish(&mut out);
        let mut rest: Vec<_> = std::mem::take(&mut self.hosts).into_values().collect();
        rest.sort_by_key(|(used, _)| *used);
        for (_, mut tracker) in rest {
            tracker.finish(&mut out);
        }
        out
    }

    /// Ends the log of the machine that was silent longest.
    fn forget(&mut self, out: &mut Vec<Finding>) {
        let oldest = self.hosts.iter().min_by_key(|(_, (used, _))| *used);
        if let Some(host) = oldest.map(|(host, _)| host.clone())
            && let Some((_, mut tracker)) = self.hosts.remove(&host)
        {
            tracker.finish(out);
        }
    }
}

#[cfg(test)]
mod tests;
