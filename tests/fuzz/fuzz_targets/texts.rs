//! Single lines: the taint state, what the kernel says, the forms of a line, the facts of a report.
#![no_main]

use libfuzzer_sys::fuzz_target;
use taintwatch::{
    taint::{log, release::Release, text},
    transcript::{Facts, form::Source},
};

fuzz_target!(|text: &str| {
    _ = text::decode(text);
    _ = text::line(text);
    _ = log::told(text);
    _ = log::told_on(text, Release::parse(text));
    let lines: Vec<_> = text.lines().map(str::to_owned).collect();
    _ = Facts::read(&lines);
    let mut source = Source::default();
    for line in &lines {
        if let Some(line) = source.line(line) {
            assert!(text.contains(line.text));
        }
    }
});
