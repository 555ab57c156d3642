//! Whole logs, from bytes to events: nothing panics, twice is the same, reports are bounded, each flag of a state has an
//! event, and no event has a flag that the next state denies.
#![no_main]

use libfuzzer_sys::fuzz_target;
use taintwatch::{
    event::{Confidence, Event},
    klog::{
        Facts, Finding, Origin, Reconstruction, Scanner, What,
        input::pstore::{self, Part},
        stream,
    },
    taint::{flags::bit::MACHINE_CHECK, release::table_of, text::Reader},
};

fuzz_target!(|bytes: &[u8]| {
    assert_eq!(events(bytes), events(bytes));
    let part = |bytes: &[u8]| Part {
        name: "dmesg-efi_pstore-170000000001001.enc.z".to_owned(),
        bytes: bytes.to_vec(),
    };
    let (front, back) = bytes.split_at(bytes.len() / 2);
    _ = pstore::join(vec![part(front), part(back)]);
});

fn events(bytes: &[u8]) -> Vec<Event> {
    let mut scanner = Scanner::new();
    let mut findings = Vec::new();
    stream::read(&mut &bytes[..], &mut |line| {
        findings.extend(scanner.push(line))
    })
    .unwrap();
    findings.extend(scanner.finish());
    let events = Reconstruction::events(Origin::default(), findings.clone());
    let mut reconstruction = Reconstruction::new(Origin::default());
    for finding in &findings {
        assert!(finding.lines.len() <= 200);
        reconstruction.enter(finding.clone());
        let mask = reconstruction.mask(finding.host.as_deref());
        // The flags of the report itself are open until the next state.
        let own = match &finding.what {
            What::TaintLine(line) => 1 << line.bit | 1 << MACHINE_CHECK,
            _ => 0,
        };
        if let Some(printed) = state_alone(finding) {
            assert_eq!(printed & !mask.0 & !own, 0, "{finding:?}");
        }
    }
    for event in &events {
        denied_by_none(event, &findings);
    }
    for event in &events {
        let Some(taint) = &event.taint else {
            continue;
        };
        // A line that lock debugging is off shows a flag, but not which.
        if let Some(bit) = taint.bit {
            assert!(taint.mask_after.unwrap().has(bit));
        }
        let json = serde_json_of(event);
        assert_eq!(json.as_ref(), Some(event));
    }
    events
}

/// The kernel never clears a flag, so the next state has it, unless another CPU printed it while the report was written.
fn denied_by_none(event: &Event, findings: &[Finding]) {
    let logged = event.cause.as_ref().unwrap().confidence == Confidence::Logged;
    let is_of = |finding: &&Finding| {
        finding.lines == event.log && finding.at.since_boot == event.boottime_ns
    };
    let of = findings.iter().filter(is_of);
    let (Some(bit), true, [finding]) = (event.bit(), logged, &of.collect::<Vec<_>>()[..]) else {
        return;
    };
    let state = findings
        .iter()
        .filter(|later| later.at.place > finding.at.place)
        .filter(|later| later.host == finding.host && later.boot.ordinal == finding.boot.ordinal)
        .filter(|later| !later.says_nothing_of(finding))
        .find_map(|later| has(later, bit));
    assert_ne!(state, Some(false), "{finding:?}");
}

/// Whether a state has a flag, every reading of letters that kernels mean differently among it. Letters that lost their
/// blanks prove no clear flag.
fn has(finding: &Finding, bit: u32) -> Option<bool> {
    let facts = read(finding);
    let readings = facts
        .readings
        .iter()
        .fold(0, |all, reading| all | 1 << reading.bit);
    let is_set = (facts.mask?.0 | readings) >> bit & 1 == 1;
    (is_set || !facts.mask_is_doubtful).then_some(is_set)
}

/// The flags that are certain.
fn state_alone(finding: &Finding) -> Option<u64> {
    let facts = read(finding);
    let mask = facts.mask.filter(|_| !facts.mask_is_doubtful)?;
    Some(mask.0)
}

fn read(finding: &Finding) -> Facts {
    // A line that is cut shows no release of its own: that of the report shows the vendor.
    let releases = [&finding.boot.release, &finding.facts.release];
    finding.facts.read_by(&Reader {
        log: releases
            .into_iter()
            .flatten()
            .find_map(|release| table_of(release)),
        ..Reader::default()
    })
}

/// What a reader of the JSON gets.
fn serde_json_of(event: &Event) -> Option<Event> {
    let text = serde_json::to_string(event).ok()?;
    serde_json::from_str(&text).ok()
}
