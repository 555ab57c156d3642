//! Single texts: a taint state, a line of the kernel log and its prefix, the facts of a report, lists of modules, the
//! vendor of a kernel, records of /dev/kmsg and of uevents, events that come back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use taintwatch::{
    baseline,
    intake::{Tally, lines},
    kernel::{kmsg, suse, uevent},
    klog::{Facts, form::Source},
    output::escape::Escaped,
    store::TimeArg,
    taint::{
        log::TaintLine,
        release::{Release, table_of},
        tables::TABLES,
        text, vendor,
    },
};

fuzz_target!(|text: &str| {
    _ = text::decode(text);
    _ = text::line(text);
    _ = TaintLine::parse(text);
    _ = TaintLine::parse_on(text, Release::parse(text));
    _ = table_of(text);
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    _ = vendor::of_machine(rest, first);
    for table in &TABLES {
        let reader = text::Reader {
            chosen: Some(table),
            ..text::Reader::default()
        };
        _ = reader.line(first);
        _ = reader.whole(first, rest);
        _ = baseline::loaded(text, table);
        _ = baseline::unloaded(text, table);
    }
    _ = kmsg::parse(text.as_bytes());
    _ = uevent::parse(text.as_bytes());
    _ = suse::supported_line(text);
    _ = text.parse::<TimeArg>();
    assert!(!Escaped(text).to_string().chars().any(char::is_control));
    facts(text);
    let mut tally = Tally::default();
    // A slice is read without an error.
    _ = lines::read(&mut text.as_bytes(), &mut tally, &mut |_event| {});
    _ = tally.sentences("line");
});

fn facts(text: &str) {
    let lines: Vec<_> = text.lines().map(str::to_owned).collect();
    _ = Facts::read(&lines);
    let mut source = Source::default();
    for line in &lines {
        if let Some(line) = source.line(line) {
            assert!(text.contains(line.text));
        }
    }
}
