//! What the record of a process adds to the events of its tasks, and what they are searched by afterwards.

use taintwatch_common::{
    LoadEnd, MaskWrite, ModuleFile, ModuleFree, ModuleRequest, Process, SysctlWrite, context,
};

use super::{attributor, entry, event_of, named_task, put, task, zero};
use crate::{
    attribute::Attributor,
    event::{Ancestor, Task},
    record::Record,
    taint::flags::bit,
};

/// `insmod m.ko` of the session of uid 1000, started by a shell.
fn process() -> Record {
    let mut process: Process = zero();
    process.task = named_task();
    process.cgroup_id = 77;
    process.auid = 1000;
    process.args_len = 12;
    put(&mut process.args, "insmod\0m.ko\0");
    process.ancestors[0].tgid = 4;
    put(&mut process.ancestors[0].comm, "sh");
    process.exe.namespace = 1;
    process.exe.inode = 3;
    put(&mut process.exe.steps[0], "insmod");
    put(&mut process.exe.steps[1], "sbin");
    Record::Process(Box::new(process))
}

fn with_process() -> Attributor {
    let mut attributor = attributor();
    assert_eq!(attributor.events(&process()).0, []);
    attributor
}

#[test]
fn a_task_has_what_the_record_of_its_process_says() {
    let mut taint = entry(bit::WARN, &["f+0x1/0x9"]);
    (taint.task.ppid, taint.task.uid) = (4, 1000);
    let event = event_of(&mut with_process(), &Record::TaintEntry(Box::new(taint)));
    let known = Task {
        pid: 5,
        tid: 5,
        ppid: Some(4),
        comm: "insmod".to_owned(),
        exe: Some("/sbin/insmod".to_owned()),
        cmdline: vec!["insmod".to_owned(), "m.ko".to_owned()],
        uid: Some(1000),
        auid: Some(1000),
        ancestors: vec![Ancestor {
            pid: 4,
            comm: "sh".to_owned(),
        }],
        ..Task::default()
    };
    assert_eq!(event.task, Some(known.clone()));
    // Without that record, and with what the kernel could read of the task alone.
    taint.task.tgid = 6;
    taint.task.ppid = 0;
    taint.task.start_boottime_ns = 8;
    let event = event_of(&mut with_process(), &Record::TaintEntry(Box::new(taint)));
    let alone = Task {
        pid: 6,
        tid: 5,
        comm: known.comm,
        uid: known.uid,
        start_boottime_ns: Some(8),
        ..Task::default()
    };
    assert_eq!(event.task, Some(alone));
}

/// `u32::MAX` is the kernel's number for none (`AUDIT_UID_UNSET`).
#[test]
fn a_process_outside_a_session_has_no_login_uid() {
    let Record::Process(mut process) = process() else {
        unreachable!()
    };
    process.auid = u32::MAX;
    let mut attributor = attributor();
    attributor.events(&Record::Process(process));
    let taint = Box::new(entry(bit::WARN, &["f+0x1/0x9"]));
    let event = event_of(&mut attributor, &Record::TaintEntry(taint));
    assert_eq!(event.task.unwrap().auid, None);
}

#[test]
fn every_kind_of_event_is_searched_by_its_own_task_and_file() {
    let mut file: ModuleFile = zero();
    file.header.boottime_ns = 60;
    file.task = named_task();
    file.path.inode = 4;
    let mut taint = entry(bit::WARN, &["f+0x1/0x9"]);
    taint.loading.file_ns = 60;
    let mut write: MaskWrite = zero();
    write.task = named_task();
    write.loading.file_ns = 60;
    let mut sysctl: SysctlWrite = zero();
    sysctl.task = named_task();
    let mut free: ModuleFree = zero();
    free.task = named_task();
    let mut end: LoadEnd = zero();
    end.task = named_task();
    end.loading.file_ns = 60;
    for (record, has_file) in [
        (Record::TaintEntry(Box::new(taint)), true),
        (Record::MaskWrite(Box::new(write)), true),
        (Record::SysctlWrite(Box::new(sysctl)), false),
        (Record::ModuleFree(Box::new(free)), false),
        (Record::LoadEnd(Box::new(end)), true),
    ] {
        let mut attributor = with_process();
        attributor.events(&Record::ModuleFile(Box::new(file)));
        let (_, hints) = attributor.events(&record);
        assert_eq!(hints.cgroup_id, Some(77), "{record:?}");
        let exe = hints.exe.map(|place| place.inode.number);
        assert_eq!(exe, Some(3), "{record:?}");
        let read = hints
            .file
            .map(|file| (file.place.inode.number, file.boottime_ns));
        assert_eq!(read, has_file.then_some((4, 60)), "{record:?}");
    }
    // A module from memory has no file that could be looked at.
    let mut attributor = with_process();
    file.from_memory = 1;
    attributor.events(&Record::ModuleFile(Box::new(file)));
    let (_, hints) = attributor.events(&Record::LoadEnd(Box::new(end)));
    assert_eq!(hints.file, None);
}

/// What the kernel asked for on behalf of `insmod`, and the helper that it starts for that.
fn requested(asked_ns: u64, began_ns: u64, ended_ns: u64, alias: &str) -> (bool, Option<u64>) {
    let mut request: ModuleRequest = zero();
    request.header.boottime_ns = asked_ns;
    request.header.context = context::TASK;
    request.task = named_task();
    request.task.start_boottime_ns = 3;
    put(&mut request.alias, "net-pf-5");
    let mut helper: Process = zero();
    helper.task = task(9);
    helper.task.start_boottime_ns = began_ns;
    helper.ancestors[0].tgid = 2;
    let words = format!("modprobe\0{alias}\0");
    helper.args_len = u32::try_from(words.len()).unwrap();
    put(&mut helper.args, &words);
    let mut end: LoadEnd = zero();
    end.header.boottime_ns = ended_ns;
    end.task = helper.task;
    let Record::Process(mut process) = process() else {
        unreachable!()
    };
    process.task = request.task;
    let mut attributor = attributor();
    let records = [
        Record::Process(process),
        Record::ModuleRequest(Box::new(request)),
        Record::Process(Box::new(helper)),
    ];
    for record in &records {
        assert_eq!(attributor.events(record).0, []);
    }
    let (events, hints) = attributor.events(&Record::LoadEnd(Box::new(end)));
    let by = events[0].requested_by.as_ref();
    let exe = hints.exe_of_requester.map(|place| place.inode.number);
    (by.is_some_and(|by| by.task.is_some()), exe)
}

#[test]
fn a_request_is_of_the_helper_that_started_after_it_with_the_same_name() {
    const SECOND: u64 = 1_000_000_000;
    let theirs = (true, Some(3));
    let nobodys = (false, None);
    assert_eq!(requested(10, 11, 12, "net-pf-5"), theirs);
    assert_eq!(requested(11, 11, 12, "net-pf-5"), theirs);
    assert_eq!(requested(12, 11, 13, "net-pf-5"), nobodys, "asked later");
    assert_eq!(requested(10, 11, 12, "net-pf-6"), nobodys, "for another");
    let soon = 30 * SECOND + 9;
    assert_eq!(requested(10, 11, soon, "net-pf-5"), theirs);
    assert_eq!(requested(10, 11, soon + 1, "net-pf-5"), nobodys, "old");
}
