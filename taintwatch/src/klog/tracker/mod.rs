//! The log of one machine: its boots, and the reports that are open in it.
//!
//! Reports of two CPUs can stand between each other. Where the log names the writer of each line they are distinguished
//! by that; else, while two are open, a line goes to the one whose CPU it names, and to none otherwise.

mod day;
mod list;
mod live_patch;
mod reports;

use list::List;

use super::{
    Facts, Finding, Line, LoggedBoot, What,
    before::Before,
    clock::Clock,
    line::cut,
    marks::{BOOT, CUT_HERE, is_loss, may_matter},
    report::Report,
};
use crate::taint::{
    log::{self, TaintLine},
    release::Release,
    version::Version,
};
use day::Day;
use live_patch::LivePatch;

/// The first line of a kernel comes within so many lines of the clock's start.
const EARLY: u64 = 64;
/// Releases begin with the numbers of 2.6, or later ones.
const OLDEST: Version = Version::new(2, 6);

#[derive(Debug, Default)]
pub(super) struct Tracker {
    host: Option<String>,
    boot: LoggedBoot,
    release: Option<Release>,
    has_begun: bool,
    /// All lines so far, and those of the boot.
    lines: u64,
    lines_of_boot: u64,
    clock: Clock,
    open: Vec<Report>,
    /// Which open report took the last line, for lines that go on.
    last: Option<usize>,
    /// What stands behind a cut mark, before the report that it belongs to.
    before: Option<Before>,
    /// The last line that showed a flag or a state of this boot.
    shown: Option<u64>,
    /// A list of modules outside of any report: the kernel goes on with it in another record.
    list: Option<Box<List>>,
    /// The end mark of a report that is over can still come.
    awaits_end_mark: bool,
    /// A failure of control-flow integrity was printed, and its WARN follows.
    cfi: bool,
    /// A framework set the flag of live patches, and names the patch behind it.
    live_patch: Option<LivePatch>,
    /// The day and minute of lines that count from a line before.
    day: Day,
}

impl Tracker {
    pub(super) fn new(host: Option<&str>) -> Self {
        Self {
            host: host.map(str::to_owned),
            ..Self::default()
        }
    }

    /// The number of the boot.
    pub(super) const fn boot(&self) -> u64 {
        self.boot.ordinal
    }

    pub(super) fn push(&mut self, line: &Line<'_>, out: &mut Vec<Finding>) {
        let day = self.day.of(line);
        self.lines += 1;
        let dated = Line {
            stamp: line.stamp.or(day.as_deref()),
            place: self.lines,
            ..*line
        };
        let before = out.len();
        self.take(&dated, out);
        // What is found behind the beginning of a boot is of that boot.
        let last = out.last().filter(|_| out.len() > before);
        if last.is_some_and(|last| last.what != What::Boot) {
            self.shown = Some(self.lines);
        }
    }

    /// Whether something that shows a flag or a state was read of this boot.
    fn has_shown(&self) -> bool {
        self.shown.is_some()
            || !self.open.is_empty()
            || self.list.is_some()
            || self.live_patch.is_some()
    }

    fn take(&mut self, line: &Line<'_>, out: &mut Vec<Finding>) {
        self.lines_of_boot += 1;
        let matters = may_matter(line.text.as_bytes());
        self.boundary(line, matters, out);
        self.has_begun = true;
        if let Some(patch) = &mut self.live_patch
            && (patch.is_over_with(line) || matters)
        {
            out.extend(self.live_patch.take().map(LivePatch::finding));
        }
        if self.list.is_some() && self.goes_on(line, out) {
            return;
        }
        if self.open.is_empty() && !matters && self.before.is_none() {
            return;
        }
        self.expire(line, out);
        if is_loss(line.text) {
            // It is not known which report the lines behind the gap belong to.
            self.finish(out);
            return;
        }
        if !matters && self.is_before_a_report(line, out) {
            return;
        }
        let text = line.text.trim();
        let waits = |before: &Before| before.waits_for_report() && before.has_writer_of(line);
        if matters && !text.starts_with("WARNING: ") && self.before.as_ref().is_some_and(waits) {
            // What comes now was printed later than that.
            self.flush_before(out);
        }
        if let Some(module) = log::refused(text) {
            out.push(self.single(What::Refused(module.to_owned()), line));
            return;
        }
        let taint_line = if matters {
            TaintLine::parse_on(text, None)
        } else {
            None
        };
        if text == CUT_HERE {
            self.flush_before(out);
            self.before = Some(Before::new(line));
        }
        // A report that begins there is no rest of the line before.
        if line.continues
            && !self.open.is_empty()
            && taint_line
                .as_ref()
                .is_none_or(|taint_line| !taint_line.report)
        {
            self.append_to_last(line.text);
            return;
        }
        match taint_line {
            Some(taint_line) => self.taint_line(taint_line, line, out),
            None => self.plain(text, line, out),
        }
    }

    pub(super) fn finish(&mut self, out: &mut Vec<Finding>) {
        out.extend(self.live_patch.take().map(LivePatch::finding));
        self.flush_before(out);
        out.extend(self.list.take().map(|list| list.finding()));
        self.last = None;
        for report in std::mem::take(&mut self.open) {
            self.emit(report, out);
        }
    }

    /// Another boot: its first line, another id, or the clock started again.
    fn boundary(&mut self, line: &Line<'_>, matters: bool, out: &mut Vec<Finding>) {
        let text = line.text.trim_start();
        let first = matters && text.starts_with(BOOT);
        let other_id = line.boot_id.is_some() && line.boot_id != self.boot.id.as_deref();
        let back = self.clock.goes_back(line);
        let already = first
            && self.boot.release.is_none()
            && self.lines_of_boot <= EARLY
            && !back
            && !other_id
            // Nothing taints a kernel before it has said its name (`start_kernel`, `init/main.c`).
            && !self.has_shown();
        let begins = self.has_begun && (other_id || back || (first && !already));
        if begins {
            self.finish(out);
            self.boot = LoggedBoot {
                ordinal: self.boot.ordinal + 1,
                ..LoggedBoot::default()
            };
            self.lines_of_boot = 0;
            self.shown = None;
            self.clock.restart(line);
            self.release = None;
        }
        if let Some(id) = line.boot_id.filter(|_| self.boot.id.is_none()) {
            self.boot.id = Some(cut(id).to_owned());
        }
        if first {
            let release = text
                .strip_prefix(BOOT)
                .and_then(|rest| rest.split(' ').next());
            self.boot.release = release.map(str::to_owned);
            self.release = release.and_then(Release::parse);
        }
        if begins || first {
            out.push(self.single(What::Boot, line));
        }
    }

    fn is_before_a_report(&mut self, line: &Line<'_>, out: &mut Vec<Finding>) -> bool {
        let is_free = self.is_free();
        let Some(before) = &mut self.before else {
            return false;
        };
        if !before.has_writer_of(line) {
            return false;
        }
        let is_its = is_free && before.take(line);
        if !is_its {
            self.flush_before(out);
        }
        is_its
    }

    /// Whether a line goes on with the list; else the list has ended.
    fn goes_on(&mut self, line: &Line<'_>, out: &mut Vec<Finding>) -> bool {
        let takes = self.list.as_mut().is_some_and(|list| list.take(line));
        if !takes {
            out.extend(self.list.take().map(|list| list.finding()));
        }
        takes
    }

    /// No report is open that can go on.
    fn is_free(&self) -> bool {
        self.open.iter().all(|report| report.has_end)
    }

    /// No report comes behind the cut mark.
    fn flush_before(&mut self, out: &mut Vec<Finding>) {
        out.extend(self.before.take().and_then(Before::alone));
    }

    fn emit(&mut self, report: Report, out: &mut Vec<Finding>) {
        let mut finding = report.finding(self.host.as_deref(), &self.boot);
        self.other_kernel(&mut finding, out);
        self.learn_release(&mut finding);
        out.push(finding);
    }

    /// A state of another kernel is of another boot, of which the first line is missing.
    fn other_kernel(&mut self, finding: &mut Finding, out: &mut Vec<Finding>) {
        let version = |release: &Option<String>| Some(Release::parse(release.as_deref()?)?.version);
        let is_sure = finding.facts.mask.is_some() && !finding.facts.mask_is_doubtful;
        let of_state = version(&finding.facts.release).filter(|version| *version >= OLDEST);
        let differs = version(&self.boot.release)
            .zip(of_state)
            .is_some_and(|(boot, state)| boot != state);
        if !differs || !is_sure || self.boot.id.is_some() {
            return;
        }
        self.boot = LoggedBoot {
            ordinal: self.boot.ordinal + 1,
            ..LoggedBoot::default()
        };
        self.lines_of_boot = 0;
        self.learn_release(finding);
        finding.boot = self.boot.clone();
        out.push(Finding {
            what: What::Boot,
            facts: Facts::default(),
            lines: finding.lines.iter().take(1).cloned().collect(),
            last_place: finding.at.place,
            ..finding.clone()
        });
    }

    /// A state names the kernel too.
    fn learn_release(&mut self, finding: &mut Finding) {
        if self.boot.release.is_none()
            && let Some(release) = &finding.facts.release
        {
            self.boot.release = Some(release.clone());
            self.release = Release::parse(release);
            finding.boot.release.clone_from(&self.boot.release);
        }
    }

    fn single(&mut self, what: What, line: &Line<'_>) -> Finding {
        let lines = vec![cut(line.text.trim()).to_owned()];
        // What else the first line of a boot says belongs to its own finding.
        let facts = match what {
            What::Boot => Facts::default(),
            _ => Facts::read(&lines),
        };
        let mut what = what;
        if let (What::TaintLine(taint_line), Some(release)) = (&mut what, self.release)
            && let Some(again) = TaintLine::parse_on(line.text.trim(), Some(release))
        {
            taint_line.bit = again.bit;
        }
        let mut finding = Finding {
            what,
            host: self.host.clone(),
            boot: self.boot.clone(),
            at: line.into(),
            last_place: line.place,
            facts,
            lines,
        };
        self.learn_release(&mut finding);
        finding
    }
}
