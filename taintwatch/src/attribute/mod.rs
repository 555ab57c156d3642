//! Records become events: which flag, by which code, for which module, and how that is known.
//!
//! In: decoded records in ring order, the code's addresses. Out: public events, without what only
//! `/proc` can add. Pure: no file is read, and the clock is a function that the caller passes.

pub mod addresses;
mod attempts;
mod cause;
pub mod chain;
pub(crate) mod count_id;
mod counts;
mod evidence;
pub mod frames;
mod jump;
pub mod loaded_file;
mod loads;
pub mod log_excerpt;
mod log_report;
mod logged;
mod reconcile;
mod record_fields;
mod references;
mod summary;
pub mod symbol;
mod taints;

use std::collections::{HashMap, VecDeque};

use taintwatch_common as wire;

use crate::{
    enrich::{Hints, ReadFile},
    event::{Class, Context, Event, Kind, Mask, Module, Time},
    kernel::identity::Identity,
    record::{Record, text},
    taint::tables::{LINUX, Table},
};
use addresses::Addresses;
use attempts::Attempts;
use evidence::RecordEvidence;
use frames::Frame;
use references::References;

/// Callers kept, and for how many epochs beyond that: counts come some seconds later.
const CALLERS: usize = 4096;
const EPOCHS: u64 = 64;
/// Callees kept: each is named by the next record of its task, and other CPUs' records may come between.
const CALLEES: usize = 64;

/// Turns records into events, and remembers what a later record needs of an earlier one.
pub struct Attributor {
    identity: Identity,
    wall_clock: fn(u64) -> Time,
    /// Which code lies where, at this point of the stream.
    pub addresses: Addresses,
    /// The vendor's flags: upstream's, unless another vendor is known.
    pub table: &'static Table,
    /// The mask as the events so far give it.
    pub mask: Mask,
    /// Whether the eBPF programs can read the mask; if not, `mask` is used.
    pub sees_mask: bool,
    /// Modules whose init function runs, by the thread that loads them.
    coming: HashMap<u32, Module>,
    references: References,
    attempts: Attempts,
    /// Callers that records named, by what they are counted by: address, distinction and epoch.
    callers: HashMap<(u64, u64, u64), Frame>,
    /// Functions that may have left no frame, of records that come next.
    callees: VecDeque<Box<wire::Callees>>,
    /// How many modules and init codes have been freed.
    pub epoch: u64,
}

impl Attributor {
    #[must_use]
    pub fn new(identity: Identity, mask: Mask, wall_clock: fn(u64) -> Time) -> Self {
        Self {
            identity,
            wall_clock,
            addresses: Addresses::default(),
            table: LINUX,
            mask,
            sees_mask: true,
            coming: HashMap::new(),
            references: References::default(),
            attempts: Attempts::default(),
            callers: HashMap::new(),
            callees: VecDeque::new(),
            epoch: 0,
        }
    }

    /// The machine and boot of the events.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The events of a record; none for one that only later records refer to.
    pub fn events(&mut self, record: &Record) -> (Vec<Event>, Hints) {
        let mut hints = self.hints(record);
        let events = match record {
            Record::TaintEntry(entry) => vec![self.taint_entry(entry)],
            Record::MaskWrite(write) => vec![self.mask_write(write)],
            Record::SysctlWrite(write) => self.sysctl_write(write),
            Record::ModuleFree(free) => self.module_free(free).into_iter().collect(),
            Record::LoadEnd(end) => vec![self.load_end(end)],
            Record::ModuleComing(coming) => {
                self.module_coming(coming);
                Vec::new()
            }
            Record::Process(process) => {
                self.references.add_process(process);
                Vec::new()
            }
            Record::ModuleFile(file) => {
                self.references.add_file(file);
                Vec::new()
            }
            Record::ModuleRequest(request) => {
                self.references.add_request(request);
                Vec::new()
            }
            Record::UnloadStack(stack) => {
                self.references.add_unload_stack(stack);
                Vec::new()
            }
            Record::Callees(callees) => {
                self.callees.push_back(callees.clone());
                if self.callees.len() > CALLEES {
                    self.callees.pop_front();
                }
                Vec::new()
            }
        };
        let by = events.first().and_then(|event| event.requested_by.as_ref());
        let requester = by.and_then(|by| by.task.as_ref());
        let places = requester.and_then(|task| self.references.places_of(task));
        hints.exe_of_requester = places.map(|(exe, _)| exe);
        hints.cgroup_id_of_requester = places.map(|(_, cgroup)| cgroup);
        (events, hints)
    }

    /// What `/proc`, cgroups and files are searched by.
    fn hints(&self, record: &Record) -> Hints {
        let (task, file_ns) = match record {
            Record::TaintEntry(entry) => (&entry.task, entry.loading.file_ns),
            Record::MaskWrite(write) => (&write.task, write.loading.file_ns),
            Record::SysctlWrite(write) => (&write.task, 0),
            Record::ModuleFree(free) => (&free.task, 0),
            Record::LoadEnd(end) => (&end.task, end.loading.file_ns),
            _ => return Hints::default(),
        };
        let file = self
            .references
            .file_read_by(task.tid, file_ns)
            .filter(|file| file.from_memory == 0);
        Hints {
            cgroup_id: self.references.cgroup_id(task),
            exe: self.references.exe(task),
            exe_of_requester: None,
            cgroup_id_of_requester: None,
            file: file.map(|file| ReadFile {
                place: references::place(&file.path),
                boottime_ns: file.header.boottime_ns,
            }),
        }
    }

    /// An event of this boot with nothing but its kind and its time.
    #[must_use]
    pub fn blank(&self, kind: Kind, boottime_ns: u64, key: &str) -> Event {
        let boot = self.identity.boot_id.replace('-', "");
        let id = format!("{boot}-{boottime_ns:x}-{kind}-{key}");
        Event {
            host: self.identity.host.clone(),
            boot_id: Some(self.identity.boot_id.clone()),
            boottime_ns: Some(boottime_ns),
            ..Event::blank(id, kind, (self.wall_clock)(boottime_ns))
        }
    }

    fn attribute(&mut self, mut event: Event, evidence: &RecordEvidence<'_>) -> Event {
        if evidence.names_no_task() {
            event.task = None;
        }
        let (cause, module) = cause::find(self.table, evidence, &event);
        if let Some(caller) = evidence.caller() {
            event.caller = Some(caller.to_string());
        }
        event.stack = evidence.frames.iter().map(Frame::to_string).collect();
        event.module = module.map(|name| self.module(name, &event, cause.class));
        // A parameter's setter runs before the record of its module.
        let is_loaded_here = event.module_name() == Some(&text(&evidence.loading.name));
        let in_load = is_loaded_here && evidence.loading.stage == wire::stage::UNFORMED;
        if cause.class == Class::ModuleLoad || in_load && cause.class == Class::ModuleCode {
            self.add_file_and_requester(&mut event, evidence.loading.file_ns);
        }
        let again = event.module.as_ref().and_then(|module| module.attempt);
        event.cause = Some(summary::of_attempt(cause, again));
        event
    }

    /// An event of a record, with the CPU, the context and the task of its header.
    fn event_of(
        &self,
        kind: Kind,
        header: &wire::Header,
        task: &wire::Task,
        key: &str,
        frames: &[Frame],
    ) -> Event {
        let mut event = self.blank(kind, header.boottime_ns, &format!("{}.{key}", header.cpu));
        event.cpu = Some(header.cpu);
        event.context = record_fields::known_context(header.context, frames);
        // In an interrupt the current task is merely the one that was interrupted. The idle task does nothing of its own: it runs
        // what other CPUs ask for (`do_idle`, `kernel/sched/idle.c`).
        let acts = event.context == Some(Context::Task) && task.tid != 0;
        event.task = acts.then(|| self.references.task(task));
        event
    }
}

#[cfg(test)]
mod tests;
