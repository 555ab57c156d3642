//! For whom the kernel asked for a module.

use taintwatch_common::{LoadEnd, ModuleRequest, Process, Task, context};

use super::{attributor, blank, put, task};
use crate::{event::RequestedBy, record::Record};

const ALIAS: &str = "net-pf-5";

fn request(at_ns: u64, by: Task) -> Record {
    let Record::ModuleRequest(mut request) = blank::<ModuleRequest>() else {
        unreachable!()
    };
    request.header.boottime_ns = at_ns;
    request.header.context = context::TASK;
    request.task = by;
    put(&mut request.alias, ALIAS);
    Record::ModuleRequest(request)
}

/// The helper that the kernel starts: a child of `kthreadd`, with the alias as its last argument.
fn helper(tid: u32) -> Record {
    let Record::Process(mut process) = blank::<Process>() else {
        unreachable!()
    };
    process.task = task(tid);
    process.ancestors[0].tgid = 2;
    let words = format!("modprobe\0-q\0--\0{ALIAS}\0");
    process.args_len = u32::try_from(words.len()).unwrap();
    put(&mut process.args, &words);
    Record::Process(process)
}

/// Who is said to have needed the module that the helper loads, after these requests.
fn needed_by(requests: &[Record]) -> RequestedBy {
    let mut attributor = attributor();
    for record in requests.iter().chain([&helper(9)]) {
        assert!(attributor.events(record).0.is_empty());
    }
    let Record::LoadEnd(mut end) = blank::<LoadEnd>() else {
        unreachable!()
    };
    end.header.boottime_ns = 100;
    end.task = task(9);
    let (events, _) = attributor.events(&Record::LoadEnd(end));
    events[0].requested_by.clone().expect("the kernel asked")
}

#[test]
fn who_asked_is_named_only_where_nobody_else_asked_for_the_same() {
    let tid = |by: &RequestedBy| by.task.as_ref().map(|task| task.tid);
    let alone = needed_by(&[request(1, task(5))]);
    assert_eq!((alone.alias.as_str(), tid(&alone)), (ALIAS, Some(5)));
    let again = needed_by(&[request(1, task(5)), request(2, task(5))]);
    assert_eq!(tid(&again), Some(5), "twice by one task");
    let two = needed_by(&[request(1, task(5)), request(2, task(6))]);
    assert_eq!((two.alias.as_str(), tid(&two)), (ALIAS, None));
}
