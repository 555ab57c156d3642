//! Records become events: which flag, by which code, for which module, and how that is known.
//!
//! In: decoded records in ring order, the kernel's own symbols. Out: public events without what only
//! `/proc` can add. Pure: no file is read, and the clock is a function that the caller hands in.

mod cause;
pub mod frames;

use std::collections::HashMap;

use taintwatch_common::{self as wire, context};

use crate::{
    decode::{Record, text},
    event::{Class, Context, Event, Kind, Mask, Module, SCHEMA, Source, Taint, Task, Time},
    kernel::{identity::Identity, kallsyms::Kallsyms},
    taint::flags,
};
use cause::Evidence;
use frames::Frame;

/// Turns records into events, and remembers what a later record needs of an earlier one.
pub struct Attributor {
    identity: Identity,
    symbols: Kallsyms,
    wall_clock: fn(u64) -> Time,
    /// Modules whose init function runs, by the thread that loads them.
    live: HashMap<u32, Module>,
}

impl Attributor {
    #[must_use]
    pub fn new(identity: Identity, symbols: Kallsyms, wall_clock: fn(u64) -> Time) -> Self {
        Self {
            identity,
            symbols,
            wall_clock,
            live: HashMap::new(),
        }
    }

    /// The event that a record tells of; `None` for one that only later records need.
    pub fn event(&mut self, record: &Record) -> Option<Event> {
        match record {
            Record::TaintEntry(entry) => Some(self.taint_entry(entry)),
            Record::MaskWrite(write) => Some(self.mask_write(write)),
            Record::ModuleLive(live) => {
                self.live.insert(live.task.tid, module_live(live));
                None
            }
            Record::ModuleFree(free) => (free.in_load == 0).then(|| self.module_free(free)),
            Record::LoadEnd(end) => Some(self.load_end(end)),
        }
    }

    /// An event of this boot with nothing but its kind and its time.
    #[must_use]
    pub fn blank(&self, kind: Kind, boottime_ns: u64, key: &str) -> Event {
        let boot = self.identity.boot_id.replace('-', "");
        Event {
            schema: SCHEMA,
            id: format!("{boot}-{boottime_ns:x}-{kind}-{key}"),
            seq: 0,
            kind,
            host: self.identity.host.clone(),
            boot_id: Some(self.identity.boot_id.clone()),
            time: (self.wall_clock)(boottime_ns),
            boottime_ns: Some(boottime_ns),
            taint: None,
            cause: None,
            module: None,
            task: None,
            context: None,
            cpu: None,
            caller: None,
            stack: Vec::new(),
            coverage: None,
            lost: None,
        }
    }

    fn taint_entry(&self, entry: &wire::TaintEntry) -> Event {
        let frames = frames::of_entry(&entry.stack, &self.symbols);
        let before = Mask(entry.mask_before);
        let taint = taint(entry.flag, before);
        let evidence = Evidence {
            bit: Some(entry.flag),
            frames: &frames,
            loading: &entry.loading,
            sources: vec![Source::TaintEntry],
        };
        let mut event = self.started(
            Kind::Taint,
            &entry.header,
            &entry.task,
            &format!("{}", entry.flag),
        );
        event.taint = Some(taint);
        self.attribute(event, &evidence)
    }

    /// A write that no entry of `add_taint` explains: an inlined copy of it, or somebody else.
    fn mask_write(&self, write: &wire::MaskWrite) -> Event {
        let frames = frames::of_write(&write.stack, &self.symbols);
        let (before, after) = (Mask(write.mask_before), Mask(write.mask_after));
        let (set, cleared) = (after.minus(before), before.minus(after));
        let mut evidence = Evidence {
            bit: None,
            frames: &frames,
            loading: &write.loading,
            sources: vec![Source::MaskWatch],
        };
        let one_set = (cleared == Mask(0)).then(|| single(set)).flatten();
        if let (true, Some(bit)) = (cause::is_inlined_add_taint(&frames), one_set) {
            evidence.bit = Some(bit);
            let mut event = self.started(Kind::Taint, &write.header, &write.task, &bit.to_string());
            event.taint = Some(taint(bit, before));
            return self.attribute(event, &evidence);
        }
        let mut event = self.started(Kind::MaskWrite, &write.header, &write.task, "mask");
        event.taint = Some(Taint {
            count: Some(1),
            mask_before: Some(before),
            mask_after: Some(after),
            bits_set: Some(set.bits().collect()),
            bits_cleared: Some(cleared.bits().collect()),
            ..Taint::default()
        });
        self.attribute(event, &evidence)
    }

    fn attribute(&self, mut event: Event, evidence: &Evidence<'_>) -> Event {
        let (cause, module) = cause::find(evidence, &event);
        event.caller = evidence.caller().map(Frame::to_string);
        event.stack = evidence.frames.iter().map(Frame::to_string).collect();
        event.module = module.map(|name| self.module(name, &event, cause.class));
        event.cause = Some(cause);
        event
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

    fn module_free(&self, free: &wire::ModuleFree) -> Event {
        let mut event = self.started(Kind::ModuleUnload, &free.header, &free.task, "module");
        event.module = Some(Module {
            name: Some(text(&free.name)),
            taints: letters(free.taints),
            loaded: Some(false),
            ..Module::default()
        });
        event
    }

    fn load_end(&mut self, end: &wire::LoadEnd) -> Event {
        let kind = if end.result == 0 {
            Kind::ModuleLoad
        } else {
            Kind::ModuleLoadFailed
        };
        let live = self.live.remove(&end.task.tid);
        let mut event = self.started(kind, &end.header, &end.task, "module");
        let name = Some(text(&end.loading.name)).filter(|name| !name.is_empty());
        let mut module = live.unwrap_or_else(|| Module {
            name,
            ..Module::default()
        });
        module.loaded = Some(end.result == 0);
        module.errno = (end.result != 0).then(|| errno(end.result));
        event.module = Some(module);
        event
    }

    fn started(&self, kind: Kind, header: &wire::Header, task: &wire::Task, key: &str) -> Event {
        let mut event = self.blank(kind, header.boottime_ns, &format!("{}.{key}", header.cpu));
        event.cpu = Some(header.cpu);
        event.context = known_context(header.context);
        // In an interrupt the current task is merely the one that was interrupted.
        event.task = (header.context == context::TASK).then(|| self::task(task));
        event
    }
}

fn taint(bit: u32, before: Mask) -> Taint {
    let flag = flags::by_bit(bit);
    Taint {
        bit: Some(bit),
        letter: flag.map(|flag| flag.letter),
        name: flag.map(|flag| flag.name.to_owned()),
        vendor: flag.map(|_| flags::VENDOR.to_owned()),
        first: Some(!before.has(bit)),
        count: Some(1),
        mask_before: Some(before),
        mask_after: Some(before.with(bit)),
        bits_set: None,
        bits_cleared: None,
    }
}

fn single(mask: Mask) -> Option<u32> {
    let mut bits = mask.bits();
    bits.next().filter(|_| bits.next().is_none())
}

fn module_live(live: &wire::ModuleLive) -> Module {
    let field = |bytes: &[u8]| Some(text(bytes)).filter(|text| !text.is_empty());
    Module {
        name: field(&live.name),
        version: field(&live.version),
        srcversion: field(&live.srcversion),
        taints: letters(live.taints),
        loaded: None,
        errno: None,
    }
}

fn letters(taints: u64) -> Option<String> {
    (taints != 0).then(|| flags::letters(Mask(taints)))
}

/// `ENOENT`; a number that has no name stays one.
fn errno(result: i64) -> String {
    let number = i32::try_from(-result).unwrap_or(0);
    match nix::errno::Errno::from_raw(number) {
        nix::errno::Errno::UnknownErrno => number.to_string(),
        known => format!("{known:?}"),
    }
}

fn known_context(context: u32) -> Option<Context> {
    match context {
        context::TASK => Some(Context::Task),
        context::SOFTIRQ => Some(Context::Softirq),
        context::HARDIRQ => Some(Context::Hardirq),
        context::NMI => Some(Context::Nmi),
        _ => None,
    }
}

fn task(task: &wire::Task) -> Task {
    Task {
        pid: task.tgid,
        tid: task.tid,
        ppid: (task.ppid != 0).then_some(task.ppid),
        comm: text(&task.comm),
        uid: Some(task.uid),
        start_boottime_ns: (task.start_boottime_ns != 0).then_some(task.start_boottime_ns),
        ..Task::default()
    }
}
