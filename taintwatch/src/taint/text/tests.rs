//! The shapes of a taint state, as users and kernels write them.

use proptest::prelude::*;

use super::*;
use crate::taint::tables::LINUX;

fn mask(text: &str) -> Option<u64> {
    decode(text).ok().map(|finding| finding.mask.0)
}

#[test]
fn reads_each_shape() {
    for (text, expected) in [
        ("4609", 4609),
        ("0x1201", 4609),
        ("0", 0),
        ("18446744073709551615", u64::MAX),
        ("P O E", 12289),
        ("POE", 12289),
        ("P,O,E", 12289),
        ("(POE)", 12289),
        ("G W OE", 12800),
        ("G", 0),
        (
            "CPU: 1 PID: 7 Comm: insmod Tainted: G        W  OE     6.1.0-50-cloud-amd64 #1",
            12800,
        ),
        (
            "CPU: 1 PID: 7 Comm: x Tainted: P           OE      6.1.0 #1",
            12289,
        ),
        ("Tainted: G W OE 6.1.0-50-amd64", 12800),
        ("Tainted: [W]=WARN, [O]=OOT_MODULE", 4608),
        ("CPU: 0 PID: 1 Comm: swapper/0 Not tainted 6.12.1 #1", 0),
        ("Comm: Tainted: Z Tainted: G        W          6.1.0", 512),
        (
            "Tainted: G           O     -------------------------------u 5.14.0",
            4096,
        ),
    ] {
        assert_eq!(mask(text), Some(expected), "{text}");
    }
}

#[test]
fn shows_what_it_does_not_know_and_refuses_what_is_nothing() {
    let finding = decode("2147483649").unwrap();
    assert_eq!(
        finding.flags[1],
        Reading {
            bit: 31,
            letter: None,
            name: None,
            vendor: "unknown",
            happened: None
        }
    );
    assert!(finding.notes[0].contains("bit 31") && finding.notes[0].ends_with("use it"));
    let two = decode("0xc0000000000").unwrap();
    assert!(two.notes[0].ends_with("use them"), "{:?}", two.notes);
    assert!(decode("P Z").unwrap().notes[0].contains('Z'));
    for text in ["", "hello!", "-1", "18446744073709551616", "0x", "Z"] {
        assert!(decode(text).is_err(), "{text}");
    }
}

fn readings(finding: &Decoded) -> Vec<(u32, &'static str)> {
    let short = |reading: &Reading| (reading.bit, reading.vendor);
    finding.readings.iter().map(short).collect()
}

#[test]
fn where_kernels_differ_every_reading_is_shown_and_none_is_guessed() {
    assert_eq!(
        readings(&decode("N").unwrap()),
        [
            (18, "linux"),
            (30, "suse-sle12"),
            (30, "suse-sle11"),
            (31, "suse-sle15sp2")
        ]
    );
    assert_eq!(
        readings(&decode("T").unwrap()),
        [(17, "linux"), (29, "rhel7"), (29, "rhel6")]
    );
    assert_eq!(readings(&decode("4609").unwrap()), []);
    // By its place it is one bit, and by its version not of every kernel.
    let place = line("Tainted: G               X    6.1.0 #1").unwrap();
    assert_eq!(
        readings(&place),
        [(16, "linux"), (16, "suse-sle15sp2"), (16, "debian")]
    );
    let release = line("Tainted: G               X    6.1.0-50-amd64 #1").unwrap();
    assert_eq!(
        (readings(&release), release.vendor),
        (vec![], Some("debian"))
    );
}

#[test]
fn a_number_is_this_machines_only_where_its_kernel_can_mean_it() {
    let at = |vendor, text: &str| {
        let local = Table::named(vendor);
        let reader = Reader {
            local,
            ..Reader::default()
        };
        let finding = reader.decode(text).unwrap();
        (finding.vendor, finding.notes.len())
    };
    assert_eq!(at("debian", "4609"), (Some("debian"), 0));
    assert_eq!(at("debian", "65536"), (Some("debian"), 1), "others differ");
    assert_eq!(at("debian", "2147483648"), (None, 1));
    assert_eq!(at("suse", "2147483648"), (Some("suse"), 1));
    assert_eq!(at("debian", "H"), (None, 0));
    // What a line shows is not overridden by where it is read.
    assert_eq!(
        at("suse", "Tainted: G               X    6.1.0 #1"),
        (None, 0)
    );
    let chosen = Reader {
        chosen: Table::named("rhel7"),
        ..Reader::default()
    };
    assert_eq!(chosen.decode("T").unwrap().mask, Mask(1 << 29));
}

#[test]
fn a_flag_that_is_younger_than_its_kernel_is_told() {
    let notes = |text: &str| line(text).unwrap().notes;
    let young = notes("Tainted: G        W        N 5.4.0 #1");
    assert!(young[0].contains("N since 6.0"), "{young:?}");
    assert!(notes("Tainted: G        W        N 6.1.0 #1").is_empty());
    // Red Hat brought it into 5.14.
    assert!(notes("Tainted: G                 N-------  ---  5.14.0-570.el9.x86_64 #1").is_empty());
}

#[test]
fn numbers_are_read_as_the_kernel_reads_them() {
    for (text, expected) in [
        ("0o17", Some(15)),
        ("017", Some(15)),
        ("00", Some(0)),
        ("0X1F", Some(31)),
    ] {
        assert_eq!(mask(text), expected, "{text}");
    }
    for (text, digit) in [("00012801", '8'), ("kernel.tainted = 09", '9')] {
        let error = decode(text).unwrap_err().to_string();
        assert!(
            error.ends_with(&format!("{digit} is no octal digit")),
            "{error}"
        );
    }
    for text in ["09", "0x-1", "-0x1", "+5", "0o", "1e3", "12 13"] {
        assert_eq!(mask(text), None, "{text}");
    }
}

/// As `print_tainted` prints it with so many flags.
fn printed(mask: u32, width: u32) -> String {
    (0..width)
        .map(|bit| match (mask >> bit & 1, bit) {
            (1, _) => flags::by_bit(bit).unwrap().letter,
            (_, 0) => 'G',
            _ => ' ',
        })
        .collect()
}

proptest! {
    #[test]
    fn every_mask_survives_every_shape(mask in 1_u32..1 << 20) {
        let decimal = mask.to_string();
        let hex = format!("{mask:#x}");
        let letters = LINUX.letters(Mask(mask.into()));
        let bits = flags::UPSTREAM.iter().filter(|flag| mask >> flag.bit & 1 == 1);
        let items: Vec<_> = bits.map(|flag| format!("[{}]={}", flag.letter, flag.name)).collect();
        let verbose = format!("Tainted: {}", items.join(", "));
        for text in [decimal, hex, letters, verbose] {
            prop_assert_eq!(self::mask(&text), Some(u64::from(mask)), "{}", text);
        }
        for width in 18..=20 {
            let mask = mask & ((1 << width) - 1);
            let line = format!("CPU: 0 PID: 1 Comm: a b Tainted: {} 6.1.0 #1", printed(mask, width));
            prop_assert_eq!(self::mask(&line), Some(u64::from(mask)), "{}", line);
        }
    }

    #[test]
    fn never_panics(text: String, tail: String) {
        _ = decode(&text);
        _ = line(&format!("Tainted: {tail}"));
    }
}

/// Two lines are halves of one only where the second has the release that the first lacks.
#[test]
fn halves_without_a_release_are_two_lines() {
    let reader = Reader::default();
    assert!(reader.line("x Tainted: G").is_some());
    assert_eq!(reader.whole("x Tainted: G", "W"), None);
}

/// Since 3.15 such a module has a letter of its own, E.
#[test]
fn an_unsigned_module_is_f_in_some_kernels_alone() {
    let (forced, warned) = (decode("F").unwrap(), decode("W").unwrap());
    assert!(unsigned(&forced, Some("3.10.0 #1")).is_some());
    assert_eq!(unsigned(&warned, Some("3.10.0 #1")), None);
    assert_eq!(unsigned(&forced, Some("6.1.0 #1")), None);
}

#[test]
fn no_flag_is_too_young_for_the_kernel_that_brought_it() {
    for flag in &flags::UPSTREAM {
        let found = decode(&(1_u64 << flag.bit).to_string()).unwrap();
        assert_eq!(too_young(&found, Some(flag.since)), None, "{}", flag.letter);
    }
    let randstruct = decode("131072").unwrap();
    assert!(too_young(&randstruct, Version::parse("3.10.0")).is_some());
}

/// Lock debugging prints the release before the state (`print_kernel_ident`, `kernel/locking/lockdep.c`).
#[test]
fn a_release_can_stand_before_the_state() {
    let found = line("6.1.0-13-amd64 #1 Tainted: G        W         ").unwrap();
    assert_eq!(found.release.as_deref(), Some("6.1.0-13-amd64"));
    let found = line("x #1 Tainted: G        W         ").unwrap();
    assert_eq!(found.release, None);
}
