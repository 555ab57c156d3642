//! The sentence of a flag says what the code did, and names a task only where it has a part in it.

use taintwatch_common::{self as wire, UnloadStack, stage};

use super::{attributor, class, entry, event_of, named_task, put, sentence, zero};
use crate::{
    event::{Class, Confidence, Context, Event, Source},
    record::Record,
    taint::flags::bit,
};

fn tainted(flag: u32, callers: &[&str]) -> Event {
    let record = Record::TaintEntry(Box::new(entry(flag, callers)));
    event_of(&mut attributor(), &record)
}

#[test]
fn code_of_a_module_is_named_with_its_place() {
    let event = tainted(
        bit::WARN,
        &["__warn+0x1/0x9", "report_bug+0x1/0x9", "f+0x1/0x9 [rk]"],
    );
    let said = "the kernel issued a warning in code of the module rk, at f+0x2 [rk]";
    assert_eq!(sentence(&event), said);
    assert_eq!(event.caller.as_deref(), Some("f+0x2 [rk]"));
    assert_eq!(event.stack.len(), 3);
    let cause = event.cause.unwrap();
    assert_eq!(cause.confidence, Confidence::Observed);
    assert_eq!(cause.sources, [Source::TaintEntry]);
    // A letter that code of a module sets for a reason of its own.
    let event = tainted(bit::USER, &["f+0x1/0x9 [rk]"]);
    let said = "the flag U (USER) was set in code of the module rk, at f+0x2 [rk]";
    assert_eq!(sentence(&event), said);
    let event = tainted(40, &["f+0x1/0x9"]);
    let said = "bit 40 was set at f+0x2, while insmod (pid 5) was running";
    assert_eq!(sentence(&event), said);
}

#[test]
fn an_oops_is_of_the_code_that_crashed() {
    let reporters = ["oops_end+0x1/0x9", "exc_page_fault+0x1/0x9"];
    let of = |callers: &[&str]| tainted(bit::DIE, &[&reporters, callers].concat());
    assert_eq!(
        sentence(&of(&["f+0x1/0x9 [m]"])),
        "the kernel died in an oops or a BUG in code of the module m, at f+0x2 [m], while insmod (pid 5) was running"
    );
    // For any other flag these functions are code like any other.
    let event = tainted(bit::WARN, &["__warn+0x1/0x9", "oops_end+0x1/0x9"]);
    assert_eq!(event.caller.as_deref(), Some("oops_end+0x2"));
}

#[test]
fn a_known_place_names_the_task_by_its_part() {
    let event = tainted(bit::CPU_OUT_OF_SPEC, &["msr_write+0x1/0x9 [msr]"]);
    let said = "a task wrote to a model-specific register of the processor [msr] by insmod (pid 5)";
    assert_eq!(sentence(&event), said);
    let event = tainted(bit::SOFTLOCKUP, &["watchdog_timer_fn+0x1/0x9"]);
    let said = "a CPU ran kernel code for too long without a pause (soft lockup), while insmod (pid 5) was running";
    assert_eq!(sentence(&event), said);
    let event = tainted(bit::MACHINE_CHECK, &["do_machine_check+0x1/0x9"]);
    assert_eq!(sentence(&event), "the processor reported a hardware error");
    assert_eq!(event.task, None, "it interrupts any task");
    assert!(tainted(bit::WARN, &["f+0x1/0x9"]).task.is_some());
}

#[test]
fn code_without_a_symbol_is_not_the_kernels() {
    let event = tainted(bit::WARN, &[""]);
    assert_eq!(class(&event), Class::Unknown);
    let said = "the kernel issued a warning; the code at 0xffffffff81001011 has no symbol";
    assert_eq!(sentence(&event), said);
    let cause = event.cause.unwrap();
    assert_eq!(cause.confidence, Confidence::Unattributed);
}

/// The kernel copies the name that the process passes; what the hook read may have changed since.
#[test]
fn a_forced_unload_names_its_module_where_the_kernel_confirms_it() {
    let unloaded = |copied: Option<&str>| {
        let mut attributor = attributor();
        if let Some(copied) = copied {
            let mut stack: UnloadStack = zero();
            stack.task = named_task();
            put(&mut stack.bytes[136..200], copied);
            let record = Record::UnloadStack(Box::new(stack));
            assert!(attributor.events(&record).0.is_empty());
        }
        let mut taint = entry(bit::FORCED_RMMOD, &["__x64_sys_delete_module+0x1/0x9"]);
        taint.loading.stage = stage::UNLOADING;
        put(&mut taint.loading.name, "dummy");
        event_of(&mut attributor, &Record::TaintEntry(Box::new(taint)))
    };
    let event = unloaded(Some("dummy"));
    assert_eq!(class(&event), Class::ModuleUnload);
    let said = "a module was force-unloaded: dummy by insmod (pid 5)";
    assert_eq!(sentence(&event), said);
    for event in [unloaded(None), unloaded(Some("other"))] {
        assert_eq!(event.module_name(), None);
        let said =
            "a module was force-unloaded: a module whose name is not known by insmod (pid 5)";
        assert_eq!(sentence(&event), said);
    }
    // Nor is a load that the task is in the module that is unloaded.
    let mut taint = entry(bit::FORCED_RMMOD, &["__x64_sys_delete_module+0x1/0x9"]);
    taint.loading.stage = stage::UNFORMED;
    put(&mut taint.loading.name, "dummy");
    let event = event_of(&mut attributor(), &Record::TaintEntry(Box::new(taint)));
    assert_eq!(event.module_name(), None);
}

#[test]
fn in_an_interrupt_and_on_an_idle_cpu_no_task_is_named() {
    let with = |context: u32, tid: u32| {
        let mut taint = entry(bit::WARN, &["f+0x1/0x9"]);
        taint.header.context = context;
        taint.task.tid = tid;
        event_of(&mut attributor(), &Record::TaintEntry(Box::new(taint)))
    };
    let context = |context| with(context, 5).context;
    assert_eq!(context(wire::context::TASK), Some(Context::Task));
    assert_eq!(context(wire::context::SOFTIRQ), Some(Context::Softirq));
    assert_eq!(context(wire::context::HARDIRQ), Some(Context::Hardirq));
    assert_eq!(context(wire::context::UNKNOWN), None);
    assert!(with(wire::context::TASK, 5).task.is_some());
    assert_eq!(with(wire::context::TASK, 0).task, None);
    let interrupted = with(wire::context::SOFTIRQ, 5);
    assert_eq!(interrupted.task, None);
    let said = "the kernel issued a warning at f+0x2";
    assert_eq!(sentence(&interrupted), said);
}
