//! Records become events: which flag, by which code, for which module, and how that is known.
//!
//! In: decoded records in ring order, the code's addresses. Out: public events without what only
//! `/proc` can add. Pure: no file is read, and the clock is a function that the caller hands in.

pub mod addresses;
mod cause;
pub mod chain;
pub mod frames;
mod origins;
mod parts;
pub mod report;

use std::collections::HashMap;

use taintwatch_common::{self as wire, Count, CountKey, DIRECT_WRITE};

use crate::{
    decode::{Record, text},
    enrich::Hints,
    event::{Cause, Class, Confidence, Context, Event, Kind, Mask, Module, Source, Taint, Time},
    kernel::identity::Identity,
    taint::{
        log::{Teller, Told},
        tables::{LINUX, Table},
    },
};
use addresses::Addresses;
use cause::Evidence;
use frames::{Frame, Symbol};
use origins::Origins;

/// Turns records into events, and remembers what a later record needs of an earlier one.
pub struct Attributor {
    identity: Identity,
    wall_clock: fn(u64) -> Time,
    /// Which code lies where, at this point of the stream.
    pub addresses: Addresses,
    /// Whose flags these are: upstream's, unless it is known better.
    pub table: &'static Table,
    /// The mask as the events so far tell it.
    pub mask: Mask,
    /// Whether the kernel half can read the mask; else `mask` stands in.
    pub sees_mask: bool,
    /// Modules whose init function runs, by the thread that loads them.
    live: HashMap<u32, Module>,
    origins: Origins,
    /// Callers that a record told of, and how many modules had been freed by then.
    callers: HashMap<u64, Frame>,
    epoch: u64,
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
            live: HashMap::new(),
            origins: Origins::default(),
            callers: HashMap::new(),
            epoch: 0,
        }
    }

    /// The machine and boot that events are of.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The events that a record tells of; none for one that only later records need.
    pub fn events(&mut self, record: &Record) -> (Vec<Event>, Hints) {
        let hints = self.hints(record);
        let events = match record {
            Record::TaintEntry(entry) => vec![self.taint_entry(entry)],
            Record::MaskWrite(write) => vec![self.mask_write(write)],
            Record::SysctlWrite(write) => self.sysctl_write(write),
            Record::ModuleFree(free) => self.module_free(free).into_iter().collect(),
            Record::LoadEnd(end) => vec![self.load_end(end)],
            Record::ModuleLive(live) => {
                self.module_live(live);
                Vec::new()
            }
            Record::Process(process) => {
                self.origins.process(process);
                Vec::new()
            }
            Record::ModuleFile(file) => {
                self.origins.reads(file);
                Vec::new()
            }
            Record::ModuleRequest(request) => {
                self.origins.requests(request);
                Vec::new()
            }
        };
        (events, hints)
    }

    /// What the machine can be asked with.
    fn hints(&self, record: &Record) -> Hints {
        let task = match record {
            Record::TaintEntry(entry) => &entry.task,
            Record::MaskWrite(write) => &write.task,
            Record::SysctlWrite(write) => &write.task,
            Record::ModuleFree(free) => &free.task,
            Record::LoadEnd(end) => &end.task,
            _ => return Hints::default(),
        };
        let file = self
            .origins
            .read_by(task.tid)
            .filter(|file| file.from_memory == 0);
        Hints {
            cgroup_id: self.origins.cgroup_id(task),
            inode: file.map(|file| (file.path.inode, file.path.device)),
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

    fn taint_entry(&mut self, entry: &wire::TaintEntry) -> Event {
        let frames = frames::of_entry(&entry.stack, &self.addresses);
        let before = self.before(entry.mask_before);
        let evidence = Evidence {
            bit: Some(entry.flag),
            frames: &frames,
            loading: &entry.loading,
            sources: vec![Source::TaintEntry],
        };
        let key = entry.flag.to_string();
        let mut event = self.started(Kind::Taint, &entry.header, &entry.task, &key, &frames);
        event.taint = Some(self.table.taint(entry.flag, before));
        self.mask = Mask(self.mask.0 | before.0).with(entry.flag);
        self.attribute(event, &evidence)
    }

    /// A write that no entry of `add_taint` explains: a copy of it, or somebody else.
    fn mask_write(&mut self, write: &wire::MaskWrite) -> Event {
        let frames = frames::of_write(&write.stack, &self.addresses);
        let (before, after) = (Mask(write.mask_before), Mask(write.mask_after));
        let (set, cleared) = (after.minus(before), before.minus(after));
        self.mask = after;
        let by_kernel = cause::is_inlined_add_taint(&frames);
        let one_set = (cleared == Mask(0)).then(|| single(set)).flatten();
        // The instruction's own word, where the mask shows no change.
        let told =
            Some(write.bit).filter(|bit| *bit < u64::BITS && after.has(*bit) && cleared == Mask(0));
        let bit = told.or(one_set).filter(|_| by_kernel);
        let evidence = Evidence {
            bit,
            frames: &frames,
            loading: &write.loading,
            sources: vec![Source::MaskWatch],
        };
        let (kind, key) = match bit {
            Some(bit) => (Kind::Taint, bit.to_string()),
            // A flag that was set already: which one, only the hook on `add_taint` could tell.
            None if by_kernel && set == Mask(0) && cleared == Mask(0) => {
                (Kind::Taint, "again".to_owned())
            }
            None => (Kind::MaskWrite, "mask".to_owned()),
        };
        let mut event = self.started(kind, &write.header, &write.task, &key, &frames);
        event.taint = Some(match (bit, kind) {
            (Some(bit), _) => self.table.taint(bit, before),
            (None, Kind::Taint) => parts::again(after),
            (None, _) => parts::change(before, after),
        });
        self.attribute(event, &evidence)
    }

    /// `proc_taint` with a copy of `add_taint` inside: the flags that were written, new or not.
    fn sysctl_write(&mut self, write: &wire::SysctlWrite) -> Vec<Event> {
        let mut frames = vec![Frame {
            address: 0,
            symbol: Some(Symbol::new("proc_taint", 0, None)),
        }];
        frames.extend(frames::of_write(&write.stack, &self.addresses));
        let mut before = self.before(write.mask_before);
        let written = parts::written_mask(&write.text).unwrap_or_default();
        // Where the mask cannot be read, what was written is all that is known of the bits.
        let after = if self.sees_mask {
            Mask(write.mask_after)
        } else {
            Mask(before.0 | written.0)
        };
        let mut events = Vec::new();
        for bit in written.bits().filter(|bit| after.has(*bit)) {
            let evidence = Evidence {
                bit: Some(bit),
                frames: &frames,
                loading: &NO_LOAD,
                sources: vec![Source::TaintEntry],
            };
            let key = bit.to_string();
            let mut event = self.started(Kind::Taint, &write.header, &write.task, &key, &frames);
            event.taint = Some(self.table.taint(bit, before));
            before = before.with(bit);
            events.push(self.attribute(event, &evidence));
        }
        self.mask = Mask(self.mask.0 | before.0);
        events
    }

    /// Occurrences that were counted and not told: `more` of them up to `count.last_ns`.
    pub fn counted(&mut self, key: &CountKey, count: &Count, more: u64, mask_now: Mask) -> Event {
        let direct = key.flag == DIRECT_WRITE;
        let kind = if direct { Kind::MaskWrite } else { Kind::Taint };
        let number = format!("{:x}.{}.count", key.caller, key.context);
        let mut event = self.blank(kind, count.last_ns, &number);
        // What each of many writes changed is not known, only what there is now.
        let mut taint = if direct {
            Taint {
                mask_after: Some(mask_now),
                ..Taint::default()
            }
        } else {
            self.table.taint(key.flag, self.mask)
        };
        taint.count = Some(more);
        self.mask = taint.mask_after.unwrap_or(self.mask);
        event.taint = Some(taint);
        event.context = parts::known_context(key.context, &[]);
        let frame = self.caller_of(key, count);
        let evidence = Evidence {
            bit: (!direct).then_some(key.flag),
            frames: std::slice::from_ref(&frame),
            loading: &count.loading,
            sources: vec![if direct {
                Source::MaskWatch
            } else {
                Source::TaintEntry
            }],
        };
        let mut event = self.attribute(event, &evidence);
        if let Some(cause) = &mut event.cause {
            cause.summary = format!("{more} more times: {}", cause.summary);
        }
        event
    }

    /// Occurrences of keys that found no room: how many is known, and no more.
    #[must_use]
    pub fn unnamed(&self, more: u64, boottime_ns: u64) -> Event {
        let mut event = self.blank(Kind::Taint, boottime_ns, "unnamed");
        event.taint = Some(Taint {
            count: Some(more),
            ..Default::default()
        });
        event.cause = Some(unattributed(format!(
            "{more} more changes by more places in the code than are told apart"
        )));
        event
    }

    /// Flags that the mask has and no event tells of, and flags that events tell of and the mask lost.
    pub fn reconciled(&mut self, now: Mask, boottime_ns: u64) -> Vec<Event> {
        let known = std::mem::replace(&mut self.mask, now);
        let mut events = Vec::new();
        for bit in now.minus(known).bits() {
            let mut event = self.blank(Kind::Taint, boottime_ns, &format!("{bit}.reconcile"));
            event.taint = Some(self.table.taint(bit, known));
            let what = cause::happened(self.table, Some(bit));
            event.cause = Some(unattributed(format!("{what}; nothing saw who did it")));
            events.push(event);
        }
        let lost = known.minus(now);
        if lost != Mask(0) {
            let mut event = self.blank(Kind::MaskWrite, boottime_ns, "reconcile");
            event.taint = Some(parts::change(known, Mask(known.0 & now.0)));
            let letters = self.table.letters(lost);
            event.cause = Some(unattributed(format!(
                "{letters} was set and is clear now; nothing saw who cleared it"
            )));
            events.push(event);
        }
        events
    }

    /// A flag that a line of the kernel log tells of.
    pub fn logged(&mut self, told: &Told, line: &str, boottime_ns: u64, line_seq: u64) -> Event {
        let mut event = self.blank(
            Kind::Taint,
            boottime_ns,
            &format!("{}.log.{line_seq}", told.bit),
        );
        event.taint = Some(self.table.taint(told.bit, self.mask));
        self.mask = self.mask.with(told.bit);
        event.caller.clone_from(&told.code);
        event.log = vec![line.to_owned()];
        let class = match (told.from, &told.module) {
            (Teller::Loader, _) => Class::ModuleLoad,
            (Teller::Kernel, Some(_)) => Class::ModuleCode,
            (Teller::Kernel, None) => Class::KernelCode,
        };
        let happened = cause::happened(self.table, Some(told.bit));
        let of = told.module.as_ref().or(told.code.as_ref());
        let of = of.map(|name| format!(": {name}")).unwrap_or_default();
        event.cause = Some(Cause {
            class,
            summary: format!("{happened}{of}"),
            confidence: Confidence::Logged,
            sources: vec![Source::Log],
        });
        event.module = told.module.clone().map(|name| Module {
            name: Some(name),
            ..Module::default()
        });
        event
    }

    fn before(&self, seen: u64) -> Mask {
        if self.sees_mask {
            Mask(seen)
        } else {
            self.mask
        }
    }

    fn caller_of(&self, key: &CountKey, count: &Count) -> Frame {
        let known = self
            .callers
            .get(&key.caller)
            .filter(|_| self.epoch == key.epoch);
        match known {
            Some(frame) => frame.clone(),
            None => frames::of_address(key.caller, &count.symbol, &self.addresses),
        }
    }

    fn attribute(&mut self, mut event: Event, evidence: &Evidence<'_>) -> Event {
        if evidence.is_nobodys() {
            event.task = None;
        }
        let (cause, module) = cause::find(self.table, evidence, &event);
        if let Some(caller) = evidence.caller() {
            event.caller = Some(caller.to_string());
            self.callers.insert(caller.address, caller.clone());
        }
        event.stack = evidence.frames.iter().map(Frame::to_string).collect();
        event.module = module.map(|name| self.module(name, &event, cause.class));
        if cause.class == Class::ModuleLoad {
            self.add_origin(&mut event);
        }
        event.cause = Some(cause);
        event
    }

    /// Where the module that a task is loading comes from, and on whose behalf.
    fn add_origin(&self, event: &mut Event) {
        let Some(task) = &event.task else {
            return;
        };
        let file = self.origins.read_by(task.tid);
        if let (Some(module), Some(file)) = (&mut event.module, file) {
            origins::add_file(module, file);
        }
        let requester = self.origins.requester(task, event.boottime_ns.unwrap_or(0));
        event.requested_by = requester;
    }

    /// What is known of a module by its name, when it is the one that this task is loading.
    fn module(&self, name: String, event: &Event, class: Class) -> Module {
        let tid = event.task.as_ref().map(|task| task.tid);
        let live = tid.and_then(|tid| self.live.get(&tid));
        match live.filter(|live| live.name.as_deref() == Some(&name) && class != Class::DirectWrite)
        {
            Some(live) => live.clone(),
            None => Module {
                name: Some(name),
                ..Module::default()
            },
        }
    }

    fn module_live(&mut self, live: &wire::ModuleLive) {
        let range = |[start, len]: [u64; 2]| start..start.saturating_add(len);
        let name = text(&live.name);
        self.addresses.add(&name, range(live.text), None);
        self.addresses
            .add(&name, range(live.init_text), Some(live.task.tid));
        self.live
            .insert(live.task.tid, parts::module_live(self.table, live));
    }

    fn module_free(&mut self, free: &wire::ModuleFree) -> Option<Event> {
        let name = text(&free.name);
        self.epoch += 1;
        self.callers.retain(|_, frame| frame.module().is_none());
        self.addresses.remove(&name);
        if free.in_load == 1 {
            return None;
        }
        let mut event = self.started(Kind::ModuleUnload, &free.header, &free.task, "module", &[]);
        event.module = Some(Module {
            name: Some(name),
            taints: parts::letters(self.table, free.taints),
            loaded: Some(false),
            ..Module::default()
        });
        Some(event)
    }

    fn load_end(&mut self, end: &wire::LoadEnd) -> Event {
        let kind = if end.result == 0 {
            Kind::ModuleLoad
        } else {
            Kind::ModuleLoadFailed
        };
        self.addresses.init_freed(end.task.tid);
        let live = self.live.remove(&end.task.tid);
        let mut event = self.started(kind, &end.header, &end.task, "module", &[]);
        // `load_module` runs in the context of a task alone, whether the counter can be read or not.
        event.context = Some(Context::Task);
        event.task = Some(self.origins.task(&end.task));
        let name = Some(text(&end.loading.name)).filter(|name| !name.is_empty());
        let mut module = live.unwrap_or_else(|| Module {
            name,
            ..Module::default()
        });
        module.loaded = Some(end.result == 0);
        module.errno = (end.result != 0).then(|| parts::errno(end.result));
        event.module = Some(module);
        self.add_origin(&mut event);
        self.origins.load_ended(end.task.tid);
        event
    }

    fn started(
        &self,
        kind: Kind,
        header: &wire::Header,
        task: &wire::Task,
        key: &str,
        frames: &[Frame],
    ) -> Event {
        let mut event = self.blank(kind, header.boottime_ns, &format!("{}.{key}", header.cpu));
        event.cpu = Some(header.cpu);
        event.context = parts::known_context(header.context, frames);
        // In an interrupt the current task is merely the one that was interrupted.
        event.task = (event.context == Some(Context::Task)).then(|| self.origins.task(task));
        event
    }
}

/// A write that the loader has no part in.
const NO_LOAD: wire::Loading = wire::Loading {
    stage: wire::stage::NONE,
    reserved: 0,
    name: [0; wire::MODULE_NAME_LEN],
};

fn unattributed(summary: String) -> Cause {
    Cause {
        class: Class::Unknown,
        summary,
        confidence: Confidence::Unattributed,
        sources: vec![Source::Reconcile],
    }
}

fn single(mask: Mask) -> Option<u32> {
    let mut bits = mask.bits();
    bits.next().filter(|_| bits.next().is_none())
}
