//! What is known of a module while it is loaded, and when its load has ended.

use taintwatch_common::{LoadEnd, ModuleComing, ModuleFile, ModuleFree, Task, context, stage};

use super::{attributor, class, entry, event_of, named_task, put, sentence, task, zero};
use crate::{
    attribute::Attributor,
    event::{Class, Context, Event, Kind, Source},
    record::Record,
    taint::{flags::bit, log::TaintLine},
};

/// When the file was read: it tells one load from the next.
const READ_NS: u64 = 60;

/// The thread reads `/lib/m.ko`, or a module from its memory.
fn reads(by: Task, from_memory: u32) -> Record {
    let mut file: ModuleFile = zero();
    file.header.boottime_ns = READ_NS;
    file.task = by;
    file.from_memory = from_memory;
    file.path.namespace = 1;
    file.path.inode = 4;
    put(&mut file.path.steps[0], "m.ko");
    put(&mut file.path.steps[1], "lib");
    Record::ModuleFile(Box::new(file))
}

/// The module `m` with the flags P and O, whose init function runs next.
fn comes(by: Task) -> Record {
    let mut coming: ModuleComing = zero();
    coming.task = by;
    coming.text = [0xffff_ffff_c000_0000, 0x1000];
    coming.init_text = [0xffff_ffff_c000_8000, 0x1000];
    put(&mut coming.name, "m");
    put(&mut coming.version, "1.2");
    put(&mut coming.srcversion, "ABC");
    coming.taints = 1 | 1 << bit::OOT_MODULE;
    coming.file_ns = READ_NS;
    Record::ModuleComing(Box::new(coming))
}

fn ends(by: Task, name: &str, result: i64) -> Record {
    let mut end: LoadEnd = zero();
    end.header.boottime_ns = 100;
    end.header.context = context::UNKNOWN;
    end.task = by;
    put(&mut end.loading.name, name);
    end.loading.file_ns = READ_NS;
    end.result = result;
    Record::LoadEnd(Box::new(end))
}

fn is_silent(attributor: &mut Attributor, records: &[Record]) {
    for record in records {
        assert_eq!(attributor.events(record).0, []);
    }
}

#[test]
fn a_flag_that_a_load_sets_names_module_file_and_task() {
    let mut attributor = attributor();
    is_silent(&mut attributor, &[reads(named_task(), 0)]);
    let mut taint = entry(bit::PROPRIETARY_MODULE, &["load_module+0x1/0x9"]);
    taint.loading.stage = stage::UNFORMED;
    taint.loading.file_ns = READ_NS;
    put(&mut taint.loading.name, "m");
    let event = event_of(&mut attributor, &Record::TaintEntry(Box::new(taint)));
    assert_eq!(class(&event), Class::ModuleLoad);
    let said = "a proprietary module was loaded: m, loaded by insmod (pid 5)";
    assert_eq!(sentence(&event), said);
    let sources = event.cause.unwrap().sources;
    assert_eq!(sources, [Source::TaintEntry, Source::LoaderSlot]);
    let module = event.module.unwrap();
    assert_eq!(module.name.as_deref(), Some("m"));
    assert_eq!(module.source.as_deref(), Some("file"));
    assert_eq!(module.path.as_deref(), Some("/lib/m.ko"));
}

#[test]
fn a_module_from_memory_has_no_path() {
    let mut attributor = attributor();
    is_silent(
        &mut attributor,
        &[reads(named_task(), 1), comes(named_task())],
    );
    let module = event_of(&mut attributor, &ends(named_task(), "m", 0))
        .module
        .unwrap();
    assert_eq!(module.source.as_deref(), Some("memory"));
    assert_eq!(module.path, None);
}

/// A warning in its init function.
fn warns_in_init(attributor: &mut Attributor, by: Task, address: u64) -> Event {
    let mut taint = entry(bit::WARN, &["__warn+0x1/0x9", ""]);
    taint.task = by;
    taint.stack.frames[2] = address;
    event_of(attributor, &Record::TaintEntry(Box::new(taint)))
}

#[test]
fn a_module_in_its_init_function_is_known_by_its_code() {
    let mut attributor = attributor();
    is_silent(
        &mut attributor,
        &[reads(named_task(), 0), comes(named_task())],
    );
    let event = warns_in_init(&mut attributor, named_task(), 0xffff_ffff_c000_8011);
    assert_eq!(event.caller.as_deref(), Some("(init)+0x11 [m]"));
    let module = event.module.unwrap();
    assert_eq!(module.version.as_deref(), Some("1.2"));
    assert_eq!(module.srcversion.as_deref(), Some("ABC"));
    assert_eq!(module.taints.as_deref(), Some("PO"));
    assert_eq!(module.path.as_deref(), Some("/lib/m.ko"));
    // Another thread loads nothing, and the file is not its own.
    let event = warns_in_init(&mut attributor, task(6), 0xffff_ffff_c000_0011);
    assert_eq!(event.caller.as_deref(), Some("(text)+0x11 [m]"));
    let module = event.module.unwrap();
    assert_eq!((module.name.as_deref(), module.version), (Some("m"), None));
    let ended = event_of(&mut attributor, &ends(named_task(), "m", 0));
    assert_eq!(ended.kind, Kind::ModuleLoad);
    let event = warns_in_init(&mut attributor, task(6), 0xffff_ffff_c000_8011);
    assert_eq!(event.module_name(), None, "init code is freed");
}

#[test]
fn the_end_of_a_load_says_how_it_ended() {
    let mut attributor = attributor();
    is_silent(
        &mut attributor,
        &[reads(named_task(), 0), comes(named_task())],
    );
    let event = event_of(&mut attributor, &ends(named_task(), "m", 0));
    assert_eq!(
        (event.kind, event.context),
        (Kind::ModuleLoad, Some(Context::Task))
    );
    assert_eq!(event.task.unwrap().comm, "insmod");
    let module = event.module.unwrap();
    assert_eq!((module.loaded, module.errno), (Some(true), None));
    assert_eq!(module.taints.as_deref(), Some("PO"));
    assert_eq!(module.path.as_deref(), Some("/lib/m.ko"));
    // The thread loads another one, and the record of its file is lost.
    let event = event_of(&mut attributor, &ends(named_task(), "n", -2));
    assert_eq!(event.kind, Kind::ModuleLoadFailed);
    let module = event.module.unwrap();
    assert_eq!(
        (module.name.as_deref(), module.loaded),
        (Some("n"), Some(false))
    );
    assert_eq!(module.errno.as_deref(), Some("ENOENT"));
    assert_eq!(
        (module.path, module.taints, module.attempt),
        (None, None, None)
    );
    // It tries once more; a number that Linux gives no name stays one.
    let event = event_of(&mut attributor, &ends(named_task(), "n", -4094));
    let module = event.module.unwrap();
    assert_eq!(
        (module.errno.as_deref(), module.attempt),
        (Some("4094"), Some(2))
    );
    // A load that succeeded is no failed attempt.
    let event = event_of(&mut attributor, &ends(named_task(), "m", -17));
    assert_eq!(event.module.unwrap().attempt, None);
}

#[test]
fn the_end_of_a_load_is_of_the_module_that_it_names() {
    let end_of = |name: &str| {
        let mut attributor = attributor();
        is_silent(&mut attributor, &[comes(named_task())]);
        event_of(&mut attributor, &ends(named_task(), name, 0))
            .module
            .unwrap()
    };
    // The end of an earlier load was lost: its module is not this one.
    let other = end_of("n");
    assert_eq!((other.name.as_deref(), other.version), (Some("n"), None));
    let unnamed = end_of("");
    assert_eq!(
        (unnamed.name.as_deref(), unnamed.version.as_deref()),
        (Some("m"), Some("1.2"))
    );
    let same = end_of("m");
    assert_eq!(same.version.as_deref(), Some("1.2"));
}

#[test]
fn a_module_that_is_freed_is_unloaded_unless_its_load_failed() {
    let frees = |in_load: u32, taints: u64| {
        let mut attributor = attributor();
        is_silent(&mut attributor, &[comes(named_task())]);
        let mut free: ModuleFree = zero();
        free.header.context = context::TASK;
        free.task = named_task();
        put(&mut free.name, "m");
        (free.in_load, free.taints) = (in_load, taints);
        let (events, _) = attributor.events(&Record::ModuleFree(Box::new(free)));
        let event = warns_in_init(&mut attributor, task(6), 0xffff_ffff_c000_0011);
        assert_eq!(event.module_name(), None, "its code is gone");
        events
    };
    assert_eq!(frees(1, 1), []);
    let events = frees(0, 1);
    assert_eq!((events.len(), events[0].kind), (1, Kind::ModuleUnload));
    assert_eq!(events[0].task.as_ref().unwrap().tid, 5);
    let module = events[0].module.as_ref().unwrap();
    assert_eq!(module.name.as_deref(), Some("m"));
    assert_eq!(
        (module.taints.as_deref(), module.loaded),
        (Some("P"), Some(false))
    );
    assert_eq!(frees(0, 0)[0].module.as_ref().unwrap().taints, None);
}

/// Another module's code in the thread that loads one, and a log that names one.
#[test]
fn what_is_known_of_a_module_is_said_of_no_other() {
    let mut attributor = attributor();
    is_silent(&mut attributor, &[comes(named_task())]);
    let taint = entry(bit::WARN, &["f+0x1/0x9 [n]"]);
    let event = event_of(&mut attributor, &Record::TaintEntry(Box::new(taint)));
    let module = event.module.unwrap();
    assert_eq!((module.name.as_deref(), module.version), (Some("n"), None));
    let text = "m: loading out-of-tree module taints kernel.";
    let line = TaintLine::parse(text).unwrap();
    let event = attributor.logged(&line, text, 1, 1);
    assert_eq!(event.module_name(), Some("m"));
}

/// It runs before the record of its module is sent: the stage of the load ties it to the file.
#[test]
fn a_setter_of_a_parameter_is_of_the_file_that_is_loaded() {
    let path = |stage: u32, name: &str, function: &str| {
        let mut attributor = attributor();
        is_silent(&mut attributor, &[reads(named_task(), 0)]);
        let mut taint = entry(bit::WARN, &["__warn+0x1/0x9", function]);
        taint.loading.stage = stage;
        taint.loading.file_ns = READ_NS;
        put(&mut taint.loading.name, name);
        let event = event_of(&mut attributor, &Record::TaintEntry(Box::new(taint)));
        event.module?.path
    };
    let setter = "set_level+0x1/0x9 [m]";
    assert_eq!(
        path(stage::UNFORMED, "m", setter).as_deref(),
        Some("/lib/m.ko")
    );
    assert_eq!(
        path(stage::COMING, "m", setter),
        None,
        "its record tells the file"
    );
    assert_eq!(path(stage::UNFORMED, "n", setter), None, "another module");
    assert_eq!(path(stage::UNFORMED, "m", "parse_args+0x1/0x9"), None);
}
