//! Taint states as they are met in the wild, from 2.6.10 to 6.19: `fixtures/decode.txt`.

use taintwatch::taint::text::{Reader, decode};

const SHAPES: &str = include_str!("fixtures/decode.txt");

/// Mask, vendor, text.
#[expect(
    clippy::unwrap_used,
    reason = "a fixture that cannot be read fails the test"
)]
fn shapes() -> impl Iterator<Item = (u64, &'static str, String)> {
    let lines = SHAPES
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty());
    lines.map(|line| {
        let mut parts = line.splitn(3, " | ");
        let (mask, vendor) = (parts.next().unwrap(), parts.next().unwrap());
        let mask = u64::from_str_radix(mask.strip_prefix("0x").unwrap(), 16).unwrap();
        (mask, vendor, parts.next().unwrap().replace("\\n", "\n"))
    })
}

#[test]
fn every_shape_has_its_mask_and_vendor() {
    let mut wrong = Vec::new();
    for (mask, vendor, text) in shapes() {
        let finding = decode(&text).map(|found| (found.mask.0, found.vendor.unwrap_or("-")));
        if finding != Ok((mask, vendor)) {
            wrong.push(format!(
                "{text}\n  wanted {mask:#x} {vendor}, got {finding:x?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(shapes().count() >= 60);
}

/// Where the table is certain nothing is left to choose, and each set bit has its name.
#[test]
fn a_certain_table_leaves_no_reading() {
    for (mask, vendor, text) in shapes().filter(|(_, vendor, _)| *vendor != "-") {
        let finding = decode(&text).unwrap();
        assert_eq!(finding.readings, [], "{text}");
        assert_eq!(finding.flags.len(), mask.count_ones() as usize, "{text}");
        assert!(
            finding.flags.iter().all(|flag| flag.name.is_some()),
            "{vendor} {text}"
        );
    }
}

/// What is cut out of a shape, at any place, never makes the reader fail.
#[test]
fn every_piece_of_a_shape_is_harmless() {
    for (_, _, text) in shapes() {
        for (at, _) in text.char_indices() {
            let (head, tail) = text.split_at(at);
            _ = decode(head);
            _ = decode(tail);
            _ = Reader::default().whole(head, tail);
        }
    }
}
