//! Modules that are loaded, fail to load, or are removed.
//!
//! In: the records of the loader. Out: their events, and what is known of the module that a task is loading right now.

use taintwatch_common as wire;

use super::{Attributor, origins, record_fields};
use crate::{
    event::{Class, Context, Event, Kind, Module},
    record::text,
};

impl Attributor {
    pub(super) fn module_coming(&mut self, live: &wire::ModuleComing) {
        let range = |[start, len]: [u64; 2]| start..start.saturating_add(len);
        let name = text(&live.name);
        self.addresses.add(&name, range(live.text), None);
        self.addresses
            .add(&name, range(live.init_text), Some(live.task.tid));
        self.live.insert(
            live.task.tid,
            record_fields::module_coming(self.table, live),
        );
    }

    pub(super) fn module_free(&mut self, free: &wire::ModuleFree) -> Option<Event> {
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
            taints: record_fields::letters(self.table, free.taints),
            loaded: Some(false),
            ..Module::default()
        });
        Some(event)
    }

    pub(super) fn load_end(&mut self, end: &wire::LoadEnd) -> Event {
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
        // A load of this thread whose end was lost is not this one.
        let is_this = |live: &Module| name.is_none() || live.name == name;
        let mut module = live.filter(is_this).unwrap_or_else(|| Module {
            name: name.clone(),
            ..Module::default()
        });
        module.loaded = Some(end.result == 0);
        module.errno = (end.result != 0).then(|| record_fields::errno(end.result));
        event.module = Some(module);
        self.add_origin(&mut event);
        self.origins.load_ended(end.task.tid);
        event
    }

    /// Where the module that a task is loading comes from, and on whose behalf.
    pub(super) fn add_origin(&self, event: &mut Event) {
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
    pub(super) fn module(&self, name: String, event: &Event, class: Class) -> Module {
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
}
