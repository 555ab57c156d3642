//! Modules that are loaded, fail to load, or are removed.
//!
//! In: the records of the loader. Out: their events, and what is known of the module that a task is loading.

use taintwatch_common as wire;

use super::{Attributor, record_fields, references};
use crate::{
    event::{Class, Context, Event, Kind, Module},
    record::text,
};

impl Attributor {
    pub(super) fn module_coming(&mut self, coming: &wire::ModuleComing) {
        self.addresses.coming(coming);
        let mut module = record_fields::module_coming(self.table, coming);
        if let Some(file) = self
            .references
            .file_read_by(coming.task.tid, coming.file_ns)
        {
            references::add_file(&mut module, file);
        }
        self.coming.insert(coming.task.tid, module);
    }

    /// Addresses of modules may be another's from now on; the eBPF programs count the same.
    fn code_freed(&mut self) {
        self.epoch += 1;
        if self.callers.len() > super::CALLERS {
            let oldest = self.epoch.saturating_sub(super::EPOCHS);
            self.callers.retain(|(_, _, epoch), _| *epoch >= oldest);
        }
    }

    pub(super) fn module_free(&mut self, free: &wire::ModuleFree) -> Option<Event> {
        let name = text(&free.name);
        self.code_freed();
        self.addresses.remove(&name);
        if free.in_load == 1 {
            return None;
        }
        let mut event = self.event_of(Kind::ModuleUnload, &free.header, &free.task, "module", &[]);
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
        self.code_freed();
        let coming = self.coming.remove(&end.task.tid);
        let mut event = self.event_of(kind, &end.header, &end.task, "module", &[]);
        // `load_module` runs in the context of a task alone, whether the counter can be read or not.
        event.context = Some(Context::Task);
        event.task = Some(self.references.task(&end.task));
        let name = Some(text(&end.loading.name)).filter(|name| !name.is_empty());
        // If the end of an earlier load by this thread was lost, its module is still kept.
        let is_this = |coming: &Module| name.is_none() || coming.name == name;
        let mut module = coming.filter(is_this).unwrap_or_else(|| Module {
            name: name.clone(),
            ..Module::default()
        });
        module.loaded = Some(end.result == 0);
        module.errno = (end.result != 0).then(|| record_fields::errno(end.result));
        event.module = Some(module);
        self.add_file_and_requester(&mut event, end.loading.file_ns);
        if let (Some(task), Some(name), true) = (&event.task, &name, end.result != 0) {
            self.attempts.add(task, name);
        }
        self.references.load_ended(end.task.tid);
        event
    }

    /// Adds the file that the task reads its module from, and the request that the load is for.
    pub(super) fn add_file_and_requester(&self, event: &mut Event, file_ns: u64) {
        let Some(task) = &event.task else {
            return;
        };
        let file = self.references.file_read_by(task.tid, file_ns);
        if let (Some(module), Some(file)) = (&mut event.module, file) {
            references::add_file(module, file);
        }
        if let Some(module) = &mut event.module {
            self.attempts.number(task, module);
        }
        let requester = self
            .references
            .requester(task, event.boottime_ns.unwrap_or(0));
        event.requested_by = requester;
    }

    /// What is known of a module by its name, when it is the one that this task is loading.
    pub(super) fn module(&self, name: String, event: &Event, class: Class) -> Module {
        let tid = event.task.as_ref().map(|task| task.tid);
        let coming = tid.and_then(|tid| self.coming.get(&tid));
        let is_it =
            |coming: &&Module| coming.name.as_deref() == Some(&name) && class != Class::DirectWrite;
        match coming.filter(is_it) {
            Some(coming) => coming.clone(),
            None => Module {
                name: Some(name),
                ..Module::default()
            },
        }
    }
}
