//! What a run consists of.
//!
//! In: the options. Out: jobs for the queue, in the order in which their results are printed at the end.

use std::fmt;

use anyhow::{Result, ensure};

use super::{
    Args, Host, changed,
    guests::{DEMO, DEMO_SECONDS, JOURNAL_KERNEL, KINDS, Kind, UNDER_SYSTEMD, runs},
    queue::Job,
};
use crate::kernels;

/// How long the checks without a guest take, about, and a guest under systemd.
const HOST_SECONDS: u32 = 900;
const SYSTEMD_SECONDS: u32 = 90;

/// A part of a run.
#[derive(Clone, Copy)]
pub(super) enum Work {
    Host(Host),
    Guest(&'static str, &'static Kind),
    /// Its name and its script.
    Systemd(&'static str, &'static str),
    Demo,
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(_) => write!(f, "checks without a guest"),
            Self::Guest(series, kind) => write!(f, "{series}: {}", kind.name),
            Self::Systemd(name, _) => write!(f, "{JOURNAL_KERNEL}: {name}"),
            Self::Demo => write!(f, "{JOURNAL_KERNEL}: {DEMO}"),
        }
    }
}

/// All parts.
pub(super) struct Plan(Vec<Work>);

impl Plan {
    pub(super) fn new(args: &Args) -> Result<Self> {
        if args.browser {
            return Ok(Self(vec![Work::Host(Host::BrowserAlone)]));
        }
        if let Some(base) = &args.changed {
            return Ok(Self::of_changes(&changed::files(base)?));
        }
        let (kernel, guest) = (args.kernel.as_deref(), args.guest.as_deref());
        if let Some(kernel) = kernel {
            let known: Vec<_> = kernels::series().collect();
            let known_text = known.join(", ");
            ensure!(
                known.contains(&kernel),
                "no kernel series {kernel}: there are {known_text}"
            );
        }
        let is_whole = kernel.is_none() && guest.is_none();
        let host = is_whole.then_some(Host::Browser);
        let wants = |name: &str, series: &str| {
            guest.is_none_or(|only| only == name) && kernel.is_none_or(|only| only == series)
        };
        Ok(Self::of(host, wants))
    }

    /// What changed files can break.
    fn of_changes(files: &[String]) -> Self {
        let needs = changed::needs(files.iter().map(String::as_str));
        Self::of(needs.host, |name, series| needs.guest(name, series))
    }

    fn of(host: Option<Host>, wants: impl Fn(&str, &str) -> bool) -> Self {
        let mut works: Vec<_> = host.map(Work::Host).into_iter().collect();
        for series in kernels::series() {
            let kinds = KINDS
                .iter()
                .filter(|kind| runs(kind.name, series) && wants(kind.name, series));
            works.extend(kinds.map(|kind| Work::Guest(series, kind)));
        }
        let systemd = UNDER_SYSTEMD
            .iter()
            .filter(|(name, _)| wants("systemd", JOURNAL_KERNEL) || wants(name, JOURNAL_KERNEL));
        works.extend(systemd.map(|(name, script)| Work::Systemd(name, script)));
        if wants(DEMO, JOURNAL_KERNEL) {
            works.push(Work::Demo);
        }
        Self(works)
    }

    /// Kernels that are booted, in the order in which they are needed; and whether systemd is.
    pub(super) fn series(&self) -> (Vec<&'static str>, bool) {
        let mut series = Vec::new();
        let mut systemd = false;
        for work in &self.0 {
            let one = match work {
                Work::Host(_) => continue,
                Work::Guest(one, _) => one,
                Work::Demo => JOURNAL_KERNEL,
                Work::Systemd(..) => {
                    systemd = true;
                    JOURNAL_KERNEL
                }
            };
            if !series.contains(&one) {
                series.push(one);
            }
        }
        (series, systemd)
    }

    /// For the queue, with the place of each in the results.
    pub(super) fn jobs(&self) -> Vec<Job<(usize, Work)>> {
        let job = |(place, work): (usize, &Work)| Job {
            seconds: match work {
                Work::Host(_) => HOST_SECONDS,
                Work::Guest(_, kind) => kind.seconds,
                Work::Systemd(..) => SYSTEMD_SECONDS,
                Work::Demo => DEMO_SECONDS,
            },
            work: (place, *work),
        };
        self.0.iter().enumerate().map(job).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_the_checks_and_each_kind_of_guest_on_the_kernels_of_its_own() {
        let all = Plan::of(Some(Host::Browser), |_, _| true);
        let on = |series| KINDS.iter().filter(move |kind| runs(kind.name, series));
        let guests = kernels::series().flat_map(on).count();
        assert!(guests > 3 * KINDS.len(), "{guests}");
        assert_eq!(all.jobs().len(), 2 + guests + UNDER_SYSTEMD.len());
        let (series, systemd) = all.series();
        assert_eq!(series, kernels::series().collect::<Vec<_>>());
        assert!(systemd);
    }

    #[test]
    fn a_kind_alone_needs_one_kernel_or_all() {
        let one = Plan::of(None, |name, series| name == "late" && series == "7.3");
        let names: Vec<_> = one.0.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["7.3: late"]);
        let systemd = Plan::of(None, |name, _| name == "systemd");
        assert_eq!(systemd.series(), (vec![JOURNAL_KERNEL], true));
        let one = Plan::of(None, |name, _| name == "systemd-package");
        let names: Vec<_> = one.0.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["6.1: systemd-package"]);
    }
}
