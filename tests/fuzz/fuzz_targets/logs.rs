//! Whole logs, from bytes to events: nothing panics, twice is the same, reports are bounded, and the mask agrees.
#![no_main]

use libfuzzer_sys::fuzz_target;
use taintwatch::{
    event::Event,
    klog::{
        Origin, Reconstruction, Scanner,
        input::pstore::{self, Part},
        stream,
    },
    taint::{release::table_of, text::Reader},
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
    let mut reconstruction = Reconstruction::new(Origin::default());
    let mut events = Vec::new();
    for finding in &findings {
        assert!(finding.lines.len() <= 200);
        events.extend(reconstruction.enter(finding));
        let mask = reconstruction.mask(finding.host.as_deref());
        // A line that is cut shows no release of its own: that of the report shows the vendor.
        let releases = [&finding.boot.release, &finding.facts.release];
        let facts = finding.facts.read_by(&Reader {
            log: releases
                .into_iter()
                .flatten()
                .find_map(|release| table_of(release)),
            ..Reader::default()
        });
        if let (Some(printed), false) = (facts.mask, facts.mask_is_doubtful) {
            assert_eq!(printed.0 & !mask.0, 0, "{finding:?}");
        }
    }
    for event in &events {
        let taint = event.taint.as_ref().unwrap();
        // A line that lock debugging is off shows a flag, but not which.
        if let Some(bit) = taint.bit {
            assert!(taint.mask_after.unwrap().has(bit));
        }
        let json = serde_json_of(event);
        assert_eq!(json.as_ref(), Some(event));
    }
    events
}

/// What a reader of the JSON gets.
fn serde_json_of(event: &Event) -> Option<Event> {
    let text = serde_json::to_string(event).ok()?;
    serde_json::from_str(&text).ok()
}
