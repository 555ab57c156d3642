//! What later records refer to: processes, files of modules, the kernel's requests for modules.
//!
//! In: the records of these, in ring order. Out: tasks, modules' files and requesters of the public event. Pure.

use std::collections::{HashMap, VecDeque};

use taintwatch_common as wire;

use crate::{
    enrich::{Inode, Place},
    event::{Ancestor, Module, RequestedBy, Task},
    record::text,
};

/// Processes kept: as many as the map `EMITTED` of the eBPF programs.
const PROCESSES: usize = 4096;
/// Requests kept, and for how long a load can be for one: the kernel starts `modprobe` at once.
const REQUESTS: usize = 64;
const REQUEST_NS: u64 = 30_000_000_000;
/// Threads that unload modules at once.
const UNLOADS: usize = 64;
/// `kthreadd`, the kernel thread that starts helpers.
const KTHREADD: u32 = 2;

/// A program that a process ran.
type Key = (u32, u64, u64);

/// What is kept of earlier records.
#[derive(Default)]
pub(super) struct References {
    processes: HashMap<Key, Box<wire::Process>>,
    order: VecDeque<Key>,
    /// By the thread that reads a module.
    files: HashMap<u32, wire::ModuleFile>,
    requests: VecDeque<wire::ModuleRequest>,
    /// By the thread that unloads a module.
    unload_stacks: HashMap<u32, Box<wire::UnloadStack>>,
}

fn key(task: &wire::Task) -> Key {
    (task.tgid, task.start_boottime_ns, task.exec_id)
}

impl References {
    pub(super) fn add_process(&mut self, process: &wire::Process) {
        let key = key(&process.task);
        if self.processes.insert(key, Box::new(*process)).is_none() {
            self.order.push_back(key);
        }
        if self.order.len() > PROCESSES
            && let Some(oldest) = self.order.pop_front()
        {
            self.processes.remove(&oldest);
        }
    }

    pub(super) fn add_file(&mut self, file: &wire::ModuleFile) {
        self.files.insert(file.task.tid, *file);
    }

    /// The file that a thread read at this time: that of an earlier load is not this one's, where the record was lost.
    pub(super) fn file_read_by(&self, tid: u32, at_ns: u64) -> Option<&wire::ModuleFile> {
        let file = self.files.get(&tid);
        file.filter(|file| file.header.boottime_ns == at_ns)
    }

    pub(super) fn load_ended(&mut self, tid: u32) {
        self.files.remove(&tid);
    }

    pub(super) fn add_unload_stack(&mut self, stack: &wire::UnloadStack) {
        if self.unload_stacks.len() >= UNLOADS {
            self.unload_stacks.clear();
        }
        self.unload_stacks.insert(stack.task.tid, Box::new(*stack));
    }

    /// Whether the kernel's own copy of the name is the one that a hook read before from the memory of the process, where another
    /// thread may have changed it in between.
    pub(super) fn confirms_unload(&mut self, tid: u32, name: &[u8]) -> bool {
        let Some(stack) = self.unload_stacks.remove(&tid) else {
            return false;
        };
        let len = name.iter().position(|byte| *byte == 0).unwrap_or(0);
        let with_end = name.get(..=len).unwrap_or_default();
        // Compilers pack arrays of bytes anywhere.
        let mut places = stack.bytes.windows(with_end.len().max(1));
        len > 0 && places.any(|place| place == with_end)
    }

    pub(super) fn add_request(&mut self, request: &wire::ModuleRequest) {
        self.requests.push_back(*request);
        if self.requests.len() > REQUESTS {
            self.requests.pop_front();
        }
    }

    /// A record's task, with what the record of its process adds.
    pub(super) fn task(&self, task: &wire::Task) -> Task {
        let known = self.processes.get(&key(task));
        let args = known.map(|process| arguments(process)).unwrap_or_default();
        Task {
            pid: task.tgid,
            tid: task.tid,
            ppid: (task.ppid != 0).then_some(task.ppid),
            comm: text(&task.comm),
            uid: Some(task.uid),
            start_boottime_ns: (task.start_boottime_ns != 0).then_some(task.start_boottime_ns),
            exe: known.and_then(|process| path(&process.exe)),
            cmdline: args,
            auid: known
                .map(|process| process.auid)
                .filter(|uid| *uid != u32::MAX),
            ancestors: known.map(|process| ancestors(process)).unwrap_or_default(),
            ..Task::default()
        }
    }

    /// The file that a record's task executes.
    pub(super) fn exe(&self, task: &wire::Task) -> Option<Place> {
        let process = self.processes.get(&key(task))?;
        Some(place(&process.exe))
    }

    /// The file that a task of an event executes, and the id of its cgroup.
    pub(super) fn places_of(&self, task: &Task) -> Option<(Place, u64)> {
        let is_it = |process: &&wire::Process| {
            process.task.tgid == task.pid
                && Some(process.task.start_boottime_ns) == task.start_boottime_ns
                && path(&process.exe) == task.exe
        };
        let process = self.processes.values().map(AsRef::as_ref).find(is_it)?;
        Some((place(&process.exe), process.cgroup_id))
    }

    pub(super) fn cgroup_id(&self, task: &wire::Task) -> Option<u64> {
        self.processes
            .get(&key(task))
            .map(|process| process.cgroup_id)
    }

    /// The kernel's request that a load is for: the helper that the kernel started has the alias as its last
    /// argument (`call_modprobe`, `kernel/module/kmod.c`).
    pub(super) fn requester(&self, loader: &Task, now_ns: u64) -> Option<RequestedBy> {
        if !loader
            .ancestors
            .iter()
            .any(|ancestor| ancestor.pid == KTHREADD)
        {
            return None;
        }
        let wanted = loader.cmdline.last()?;
        let began_ns = loader.start_boottime_ns.unwrap_or(now_ns);
        let mut requests = self.requests.iter().rev().filter(|request| {
            let at = request.header.boottime_ns;
            let age = now_ns.saturating_sub(at);
            text(&request.alias) == *wanted && age < REQUEST_NS && at <= began_ns
        });
        let request = requests.next()?;
        // Two tasks needed the same: for which of them the kernel started this helper is not known.
        let is_alone = requests.all(|other| key(&other.task) == key(&request.task));
        let in_task = request.header.context == wire::context::TASK && is_alone;
        Some(RequestedBy {
            alias: wanted.clone(),
            task: in_task.then(|| self.task(&request.task)),
            devices: Vec::new(),
        })
    }
}

/// Adds whether a module came from a file or from memory, and the path.
pub(super) fn add_file(module: &mut Module, file: &wire::ModuleFile) {
    if file.from_memory == 1 {
        module.source = Some("memory".to_owned());
    } else {
        module.source = Some("file".to_owned());
        module.path = path(&file.path);
    }
}

/// Which file it was, and where its path is.
pub(super) fn place(path: &wire::FilePath) -> Place {
    let (number, device) = (path.inode, path.device);
    Place {
        inode: Inode { number, device },
        changed: (path.changed_s, path.changed_ns),
        namespace: path.namespace,
    }
}

/// A path, recorded from the file up to the root; none when a part of it is missing or may be cut.
pub(super) fn path(path: &wire::FilePath) -> Option<String> {
    let is_cut = |step: &[u8; wire::COMPONENT_LEN]| {
        step.iter()
            .position(|byte| *byte == 0)
            .is_none_or(|len| len >= wire::COMPONENT_LEN - 1)
    };
    if path.namespace == 0 || path.steps.iter().any(is_cut) {
        return None;
    }
    let parts = path.steps.iter().rev().map(|step| text(step));
    let parts: Vec<_> = parts.filter(|part| !part.is_empty()).collect();
    Some(format!("/{}", parts.join("/")))
}

fn arguments(process: &wire::Process) -> Vec<String> {
    let len = usize::try_from(process.args_len).unwrap_or(0);
    let used = process.args.get(..len).unwrap_or_default();
    let used = used.strip_suffix(b"\0").unwrap_or(used);
    if used.is_empty() {
        return Vec::new();
    }
    used.split(|byte| *byte == 0).map(text).collect()
}

fn ancestors(process: &wire::Process) -> Vec<Ancestor> {
    let known = process
        .ancestors
        .iter()
        .take_while(|ancestor| ancestor.tgid != 0);
    known
        .map(|ancestor| Ancestor {
            pid: ancestor.tgid,
            comm: text(&ancestor.comm),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{super::tests::zero, *};

    fn at(steps: &[&[u8]], namespace: u32) -> wire::FilePath {
        let mut path = wire::FilePath {
            inode: 1,
            changed_s: 1,
            changed_ns: 1,
            reserved: 0,
            device: 1,
            namespace,
            steps: [[0; wire::COMPONENT_LEN]; wire::PATH_STEPS],
        };
        for (slot, step) in path.steps.iter_mut().zip(steps) {
            slot[..step.len()].copy_from_slice(step);
        }
        path
    }

    #[test]
    fn the_name_of_an_unload_is_the_one_that_the_kernel_copied() {
        let with = |name: &[u8], at: usize| {
            let mut bytes = [7; wire::UNLOAD_STACK_LEN];
            bytes[at..at + name.len()].copy_from_slice(name);
            wire::UnloadStack {
                header: wire::Header {
                    kind: wire::kind::UNLOAD_STACK,
                    version: wire::VERSION,
                    len: 0,
                    boottime_ns: 1,
                    cpu: 0,
                    context: wire::context::TASK,
                },
                task: wire::Task {
                    tgid: 3,
                    tid: 4,
                    ppid: 0,
                    uid: 0,
                    start_boottime_ns: 1,
                    exec_id: 1,
                    comm: [0; wire::COMM_LEN],
                },
                bytes,
            }
        };
        let mut name = [0; wire::MODULE_NAME_LEN];
        name[..5].copy_from_slice(b"dummy");
        let mut references = References::default();
        let mut confirms = |stack: Option<wire::UnloadStack>| {
            if let Some(stack) = stack {
                references.add_unload_stack(&stack);
            }
            references.confirms_unload(4, &name)
        };
        assert!(confirms(Some(with(b"dummy\0", 136))));
        assert!(!confirms(None), "each is for one event");
        assert!(!confirms(Some(with(b"dummy2\0", 136))), "another module");
        assert!(!confirms(Some(with(b"dummy", 136))), "a longer name");
        assert!(confirms(Some(with(b"dummy\0", 137))), "packed");
        assert!(confirms(Some(with(b"dummy\0", wire::UNLOAD_STACK_LEN - 8))));
    }

    #[test]
    fn each_program_of_a_process_has_its_own_arguments() {
        let task = |exec_id| wire::Task {
            tgid: 3,
            tid: 3,
            ppid: 0,
            uid: 0,
            start_boottime_ns: 1,
            exec_id,
            comm: [0; wire::COMM_LEN],
        };
        let mut references = References::default();
        for (exec_id, argument) in [(1, b"sh"), (2, b"im")] {
            let mut process: wire::Process = zero();
            process.task = task(exec_id);
            process.args_len = 3;
            process.args[..2].copy_from_slice(argument);
            references.add_process(&process);
        }
        let arguments = |exec_id| references.task(&task(exec_id)).cmdline;
        assert_eq!(arguments(1), ["sh"]);
        assert_eq!(arguments(2), ["im"]);
        assert_eq!(arguments(3), [""; 0]);
    }

    #[test]
    fn a_file_that_was_read_for_another_load_is_not_this_ones() {
        let mut file: wire::ModuleFile = zero();
        file.task.tid = 3;
        file.header.boottime_ns = 77;
        let mut references = References::default();
        references.add_file(&file);
        assert!(references.file_read_by(3, 77).is_some());
        // The record of the later load's own file was lost.
        assert!(references.file_read_by(3, 99).is_none());
        assert!(references.file_read_by(3, 0).is_none());
    }

    #[test]
    fn a_path_is_whole_or_absent() {
        let steps: [&[u8]; 4] = [b"m.ko", b"", b"modules", b"lib"];
        assert_eq!(path(&at(&steps, 1)).as_deref(), Some("/lib/modules/m.ko"));
        assert_eq!(path(&at(&steps, 0)), None, "the root was not reached");
        assert_eq!(
            path(&at(&[&[b'x'; 63]], 1)),
            None,
            "cut, for all that is known"
        );
        assert_eq!(
            path(&at(&[&[b'x'; 62]], 1)).map(|path| path.len()),
            Some(63)
        );
    }

    #[test]
    fn a_helper_is_one_that_the_kernel_started() {
        let with = |parent: u32| {
            let mut references = References::default();
            let mut request: wire::ModuleRequest = zero();
            request.alias[0] = b'x';
            references.add_request(&request);
            let loader = Task {
                cmdline: vec!["modprobe".to_owned(), "x".to_owned()],
                ancestors: vec![Ancestor {
                    pid: parent,
                    comm: String::new(),
                }],
                ..Task::default()
            };
            references.requester(&loader, 1).is_some()
        };
        assert!(with(KTHREADD));
        assert!(!with(1), "somebody's modprobe");
    }

    /// As many as the bound says, the oldest go first.
    #[test]
    fn what_is_kept_is_bounded() {
        let mut references = References::default();
        let mut process: wire::Process = zero();
        for tgid in 0..=u32::try_from(PROCESSES).unwrap() {
            process.task.tgid = tgid;
            process.cgroup_id = 9;
            references.add_process(&process);
            // A record that comes twice takes no place.
            references.add_process(&process);
            if tgid == u32::try_from(PROCESSES).unwrap() - 1 {
                process.task.tgid = 0;
                assert_eq!(references.cgroup_id(&process.task), Some(9));
            }
        }
        process.task.tgid = 0;
        assert_eq!(references.cgroup_id(&process.task), None);
        process.task.tgid = 1;
        assert_eq!(references.cgroup_id(&process.task), Some(9));
        for place in 0..=REQUESTS {
            let mut request: wire::ModuleRequest = zero();
            request.header.boottime_ns = place as u64;
            references.add_request(&request);
            assert_eq!(references.requests.len(), (place + 1).min(REQUESTS));
        }
        assert_eq!(references.requests[0].header.boottime_ns, 1);
        for tid in 0..=u32::try_from(UNLOADS).unwrap() {
            let mut stack: wire::UnloadStack = zero();
            stack.task.tid = tid;
            references.add_unload_stack(&stack);
            if tid == 1 {
                assert_eq!(references.unload_stacks.len(), 2);
            }
        }
        assert_eq!(references.unload_stacks.len(), 1);
    }

    #[test]
    fn the_program_of_a_task_is_that_of_the_same_process() {
        let mut process: wire::Process = zero();
        process.task.tgid = 5;
        process.task.start_boottime_ns = 3;
        process.exe.namespace = 1;
        process.exe.inode = 4;
        let mut references = References::default();
        references.add_process(&process);
        let task = |pid, start, exe: &str| Task {
            pid,
            start_boottime_ns: Some(start),
            exe: Some(exe.to_owned()),
            ..Task::default()
        };
        let inode = |task: &Task| references.places_of(task).map(|(exe, _)| exe.inode.number);
        assert_eq!(inode(&task(5, 3, "/")), Some(4));
        assert_eq!(inode(&task(6, 3, "/")), None);
        assert_eq!(inode(&task(5, 4, "/")), None);
        assert_eq!(inode(&task(5, 3, "/sh")), None);
    }

    #[test]
    fn the_file_of_a_load_that_ended_is_forgotten() {
        let mut file: wire::ModuleFile = zero();
        file.task.tid = 3;
        let mut references = References::default();
        references.add_file(&file);
        references.load_ended(3);
        assert!(references.file_read_by(3, 0).is_none());
    }

    #[test]
    fn an_unload_without_a_name_confirms_nothing() {
        let mut references = References::default();
        let stack: wire::UnloadStack = zero();
        references.add_unload_stack(&stack);
        assert!(!references.confirms_unload(0, &[0; wire::MODULE_NAME_LEN]));
    }
}
