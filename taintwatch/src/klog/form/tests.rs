//! Each form with the same text, and lines that only the kernel or that programs wrote.

use proptest::prelude::*;

use super::*;

fn line(raw: &str) -> Line<'_> {
    Source::default()
        .line(raw)
        .unwrap_or_else(|| panic!("{raw}"))
}

const TEXT: &str = "a: loading out-of-tree module taints kernel.";

/// Time since the boot, whether a time on the wall is certain, caller, host.
type Expected = (
    Option<u64>,
    bool,
    Option<&'static str>,
    Option<&'static str>,
);

/// Forms with the text left out: `@`.
#[rustfmt::skip]
const FORMS: &[(&str, Expected)] = &[
    ("@", (None, false, None, None)),
    ("[ 12.345678] @", (Some(12_345_678_000), false, None, None)),
    ("[ 12.345678][ T77] @", (Some(12_345_678_000), false, Some("T77"), None)),
    ("[ 12.345678] [ C1] @", (Some(12_345_678_000), false, Some("C1"), None)),
    ("[ 12.345678] (2)[123:kworker/2:1]@", (Some(12_345_678_000), false, Some("(2)[123:kworker/2:1]"), None)),
    ("[ 12.345678] [2: insmod: 123] @", (Some(12_345_678_000), false, Some("[2: insmod: 123]"), None)),
    ("[ 12.345678] c1 321 @", (Some(12_345_678_000), false, Some("c1 321"), None)),
    ("[ 12.345678 < 0.000012>] @", (Some(12_345_678_000), false, None, None)),
    ("[ +0.000012] @", (None, false, None, None)),
    ("[Tue Nov 24 12:00:00 2026] @", (None, false, None, None)),
    ("[Nov24 12:00] @", (None, false, None, None)),
    ("<4>[ 12.345678] @", (Some(12_345_678_000), false, None, None)),
    ("<4>@", (None, false, None, None)),
    ("kern :warn : [ 12.345678] @", (Some(12_345_678_000), false, None, None)),
    ("kern :warn : 2026-11-24T12:00:00,123456+00:00 @", (None, true, None, None)),
    ("2026-11-24T12:00:00,123456+00:00 @", (None, true, None, None)),
    ("4,1023,5234112,-;@", (Some(5_234_112_000), false, None, None)),
    ("4,1023,5234112,-,caller=T88;@", (Some(5_234_112_000), false, Some("T88"), None)),
    ("6.7.0-rc1,4,1023,5234112,-;@", (Some(5_234_112_000), false, None, None)),
    ("Nov 24 12:00:00 web1 kernel: @", (None, false, None, Some("web1"))),
    ("Nov 4 12:00:00 web1 kernel: [ 12.345678] @", (Some(12_345_678_000), false, None, Some("web1"))),
    ("Nov 24 12:00:00.123456 web1 kernel: @", (None, false, None, Some("web1"))),
    ("Nov 24 12:00:00 kernel: @", (None, false, None, None)),
    ("Nov 24 12:00:00 web1 kern.warn kernel: [ 12.345678] @", (Some(12_345_678_000), false, None, Some("web1"))),
    ("Tue Nov 24 12:00:00 2026 kern.warn kernel: [ 12.345678] @", (Some(12_345_678_000), false, None, None)),
    ("Tue 2026-11-24 12:00:00 UTC web1 kernel: @", (None, true, None, Some("web1"))),
    ("Tue 2026-11-24 12:00:00.123456 CET web1 kernel: @", (None, false, None, Some("web1"))),
    ("2026-11-24T12:00:00+0100 web1 kernel: @", (None, true, None, Some("web1"))),
    ("2026-11-24T12:00:00.123456+01:00 web1 kernel: [ 12.345678] @", (Some(12_345_678_000), true, None, Some("web1"))),
    ("2026-11-24 12:00:00 web1 kernel: @", (None, false, None, Some("web1"))),
    ("1795521600.123456 web1 kernel: @", (None, true, None, Some("web1"))),
    ("[ 12.345678] web1 kernel: @", (Some(12_345_678_000), false, None, Some("web1"))),
    ("[Di Nov 24 12:00:00 2026] @", (None, false, None, None)),
    ("[mar. nov. 24 12:00:00 2026] @", (None, false, None, None)),
    ("[二 11月 24 12:00:00 2026] @", (None, false, None, None)),
    ("[火  1月  4 12:00:00 2026] @", (None, false, None, None)),
    ("[Di 24. Nov 12:00:00 2026] @", (None, false, None, None)),
    ("[Tue Nov 24 12:00:00 2026 <    0.000000>] @", (None, false, None, None)),
    ("[вт ноя 24 12:00:00 2026] @", (None, false, None, None)),
    ("[Nov 4 12:00] @", (None, false, None, None)),
    ("[нояб.24 12:00] @", (None, false, None, None)),
    ("2026-11-24T12:00:00.7890123Z [   12.345678] @", (Some(12_345_678_000), true, None, None)),
    ("Nov 24 12:00:00 10.0.0.5 [   12.345678] @", (Some(12_345_678_000), false, None, Some("10.0.0.5"))),
    ("Nov 24 12:00:00 [   12.345678] @", (Some(12_345_678_000), false, None, None)),
    ("Nov 24 12:00:00 10.0.0.5 <4>[   12.345678] @", (Some(12_345_678_000), false, None, Some("10.0.0.5"))),
    ("[12:34:56.789] [   12.345678] @", (Some(12_345_678_000), false, None, None)),
    ("[2024-05-01 12:34:56] [   12.345678] @", (Some(12_345_678_000), false, None, None)),
    ("[2024-05-01T12:34:56Z] [   12.345678] @", (Some(12_345_678_000), true, None, None)),
    ("[Wed May 01 12:34:57.123 2024] [   12.345678] @", (Some(12_345_678_000), false, None, None)),
    ("2024-05-01 12:34:57 [   12.345678] @", (Some(12_345_678_000), false, None, None)),
    ("12:34:56.789 [   12.345678] @", (Some(12_345_678_000), false, None, None)),
    ("[   12.345678] [Fri Dec 22 12:26:24 2023] @", (Some(12_345_678_000), false, None, None)),
    ("[   12.345678 <    0.000000>] [Fri Dec 22 12:26:24 2023] @", (Some(12_345_678_000), false, None, None)),
    ("2023-12-22T12:26:24,559615-08:00 [   12.345678] @", (Some(12_345_678_000), true, None, None)),
    ("[  +0.000000] [   12.345678] @", (Some(12_345_678_000), false, None, None)),
    ("Nov 24 12:00:00 [kernel] [   12.345678] @", (Some(12_345_678_000), false, None, None)),
    ("Nov 24 12:00:00 [kernel] @", (None, false, None, None)),
    ("01-01 00:00:05.123     0     0 W         : @", (None, false, None, None)),
    ("01-01 00:00:05.123     0     0 W KERNEL  : [   12.345678] @", (Some(12_345_678_000), false, None, None)),
    ("2024-01-01 00:00:05.123     0     0 W         : @", (None, false, None, None)),
    ("<4>1 2026-11-24T12:00:00.123Z web1 kernel - - - [ 12.345678] @", (Some(12_345_678_000), true, None, Some("web1"))),
    ("<4>1 2026-11-24T12:00:00.123Z web1 kernel - - [meta sequenceId=\"1\"] @", (None, true, None, Some("web1"))),
    ("<4>Nov 24 12:00:00 web1 kernel: @", (None, false, None, Some("web1"))),
    ("> > [ 12.345678] @", (Some(12_345_678_000), false, None, None)),
    (">[   12.345678] @", (Some(12_345_678_000), false, None, None)),
    (">>>>>>[Di Nov 15 22:42:18 2022] @", (None, false, None, None)),
    (">><4>[   12.345678] @", (Some(12_345_678_000), false, None, None)),
    (">Nov 24 12:00:00 web1 kernel: @", (None, false, None, Some("web1"))),
    (">@", (None, false, None, None)),
    ("[   12.345678] @", (Some(12_345_678_000), false, None, None)),
    ("[   12.345678][   T77] @", (Some(12_345_678_000), false, Some("T77"), None)),
    ("[   12.345678]  [2:  insmod:  123] @", (Some(12_345_678_000), false, Some("[2:  insmod:  123]"), None)),
    ("kern  :warn  : [   12.345678] @", (Some(12_345_678_000), false, None, None)),
    ("[    0.000000] [pid:7,cpu0,swapper/0]@", (Some(0), false, Some("[pid:7,cpu0,swapper/0]"), None)),
    (" kernel:[   12.345678] @", (Some(12_345_678_000), false, None, None)),
    ("kern  :err   : [   12.345678] @", (Some(12_345_678_000), false, None, None)),
    ("Nov  4 12:00:00 web1 kernel: [   12.345678] @", (Some(12_345_678_000), false, None, Some("web1"))),
    ("  12.345678] @", (Some(12_345_678_000), false, None, None)),
    ("кві 09 19:54:36 web1 kernel: @", (None, false, None, Some("web1"))),
    ("11月 24 12:00:00 web1 kernel: [   12.345678] @", (Some(12_345_678_000), false, None, Some("web1"))),
    ("[  240.] @", (Some(240_000_000_000), false, None, None)),
    ("\t[   12.345678] @", (Some(12_345_678_000), false, None, None)),
    ("   Nov 24 12:00:00 kernel: [   12.345678] @", (Some(12_345_678_000), false, None, None)),
    ("1262024-Nov 24 12:00:00 web1 kernel: @", (None, false, None, Some("web1"))),
    ("12:[   12.345678] @", (Some(12_345_678_000), false, None, None)),
    ("** 220 printk messages dropped ** [   12.345678] @", (Some(12_345_678_000), false, None, None)),
    ("05/09/2024 11:14:18 @", (None, false, None, None)),
    ("2015-10-03T12:13:13.17218 kern.warn: [   12.345678] @", (Some(12_345_678_000), false, None, None)),
    ("[   12.345678] kernel: @", (Some(12_345_678_000), false, None, None)),
    ("[   12.345678 <    0.000012 >] kernel: @", (Some(12_345_678_000), false, None, None)),
    ("2021-04-24T18:03:53.804300Z WARNING kernel: [  12.345678] @", (Some(12_345_678_000), true, None, None)),
    ("2021-04-24T18:03:53.804300Z ALERT kernel: @", (None, true, None, None)),
    ("Nov 24 12:00:00 web1 warning kernel: @", (None, false, None, Some("web1"))),
    ("2024-05-01 12:34:56 | aa [   12.345678] @", (Some(12_345_678_000), false, None, None)),
    ("2024-05-01 12:34:56 17> [   12.345678] @", (Some(12_345_678_000), false, None, None)),
    ("Nov 24 12:00:00 err kernel: [   12.345678] @", (Some(12_345_678_000), false, None, None)),
    ("2024-05-01T12:34:56.789012345Z stderr F [   12.345678] @", (Some(12_345_678_000), true, None, None)),
    ("2024-05-01 12:34:56,123 DEBUG console [   12.345678] @", (Some(12_345_678_000), false, None, Some("console"))),
    ("**[   12.345678] @**", (Some(12_345_678_000), false, None, None)),
    ("root@(none):/# [   12.345678] @", (Some(12_345_678_000), false, None, None)),
    ("- [   12.345678] @", (Some(12_345_678_000), false, None, None)),
    ("1. [   12.345678] @", (Some(12_345_678_000), false, None, None)),
    ("dmesg: [   12.345678] @", (Some(12_345_678_000), false, None, None)),
    ("/var/log/kern.log:12:[   12.345678] @", (Some(12_345_678_000), false, None, None)),
    ("/var/log/kern.log:12:Nov 24 12:00:00 web1 kernel: @", (None, false, None, Some("web1"))),
    ("web-1  | [   12.345678] @", (Some(12_345_678_000), false, None, None)),
    ("\u{2502}[   12.345678] @", (Some(12_345_678_000), false, None, None)),
    ("12345,\"[   12.345678] @\"", (Some(12_345_678_000), false, None, None)),
    ("[2024-05-01 12:34:56] vm3 console: [   12.345678][   T77] @", (Some(12_345_678_000), false, Some("T77"), None)),
    ("dut-4 uart0 <4>[   12.345678] @", (Some(12_345_678_000), false, None, None)),
    ("2024 Nov 24 12:00:00 kernel: @", (None, false, None, None)),
    ("[   T77] @", (None, false, Some("T77"), None)),
    ("<6>[    0.123456,0] @", (Some(123_456_000), false, None, None)),
    ("[    0.123456s][pid:7,cpu0,swapper/0]@", (Some(123_456_000), false, Some("[pid:7,cpu0,swapper/0]"), None)),
    ("[    0.123456 / 01-01 00:00:00.000] @", (Some(123_456_000), false, None, None)),
    ("[    0.123456] I[0:      swapper/0:    1] @", (Some(123_456_000), false, Some("I[0:      swapper/0:    1]"), None)),
    ("[    0.123456] -(2)[0:swapper/2]@", (Some(123_456_000), false, Some("-(2)[0:swapper/2]"), None)),
];

/// Forms that show the kernel's text only where it is certain by itself.
#[rustfmt::skip]
const UNKNOWN_FORMS: &[(&str, Expected)] = &[
    ("2025-08-31T23:42:06Z - @", (None, true, None, None)),
    ("2024-05-01 12:34:56,123 - INFO - @", (None, false, None, None)),
    ("2024-05-01T12:34:56.789012345Z stdout F @", (None, true, None, None)),
    ("dut-4 uart0 <4>@", (None, false, None, None)),
    ("web1 kernel: @", (None, false, None, None)),
    ("- @", (None, false, None, None)),
    ("vm3> @", (None, false, None, None)),
    ("dmesg: @", (None, false, None, None)),
];

#[test]
fn the_cpu_can_stand_in_the_time() {
    let found = line("[    0.123456@1] x");
    assert_eq!((found.since_boot, found.text), (Some(123_456_000), "x"));
}

#[test]
fn each_form_gives_the_text_and_what_its_prefix_says() {
    for (form, expected) in FORMS.iter().chain(UNKNOWN_FORMS) {
        let raw = form.replace('@', TEXT);
        let line = line(&raw);
        assert_eq!(line.text, TEXT, "{form}");
        let found = (line.since_boot, line.wall.is_some(), line.caller, line.host);
        assert_eq!(found, *expected, "{form}");
    }
    assert_eq!(
        line("Nov 24 12:00:00 web1 kernel: x").stamp,
        Some("Nov 24 12:00:00")
    );
    assert_eq!(
        line("[Tue Nov 24 12:00:00 2026] x").stamp,
        Some("Tue Nov 24 12:00:00 2026")
    );
    assert_eq!(
        line("[二 11月  4 12:00:00 2026] x").stamp,
        Some("二 11月  4 12:00:00 2026")
    );
    assert_eq!(
        line("[Tue Nov 24 12:00:00 2026 <    0.000000>] x").stamp,
        Some("Tue Nov 24 12:00:00 2026")
    );
    let wall = line("2026-11-24T12:00:00.123456+01:00 web1 kernel: x")
        .wall
        .unwrap();
    assert_eq!(wall.to_string(), "2026-11-24T11:00:00.123456Z");
}

#[test]
fn what_others_wrote_is_not_the_kernels() {
    let mut source = Source::default();
    for raw in [
        "Okt 24 12:00:00 web1 sshd[12]: WARNING: CPU: 0 PID: 1 at x.c:1 f+0x1/0x2",
        "Nov 24 12:00:00 web1 sshd[12]: WARNING: CPU: 0 PID: 1 at x.c:1 f+0x1/0x2",
        "2026-11-24T12:00:00+0100 web1 app: x: loading out-of-tree module taints kernel.",
        "<12>WARNING: CPU: 0 PID: 1 at x.c:1 f+0x1/0x2",
        "12,1023,5234112,-;WARNING: CPU: 0 PID: 1 at x.c:1 f+0x1/0x2",
        "user  :notice: [   12.345678] WARNING: CPU: 0 PID: 1 at x.c:1 f+0x1/0x2",
        " SUBSYSTEM=usb",
        "Nov 24 12:00:00 box app[42]: [   12.345678] x: module license 'X' taints kernel.",
        "Nov 24 12:00:00 app: [   12.345678] x: module license 'X' taints kernel.",
        "Nov 24 12:00:00 box [7.1] x: module license 'X' taints kernel.",
        "Nov 24 12:00:00 box <12>[   12.345678] x: module license 'X' taints kernel.",
        "Nov 24 12:00:00 [root] [kernel] x: module license 'X' taints kernel.",
        "2024-05-01 12:34:56,123 - app - INFO - x: module license 'X' taints kernel.",
        "2024-05-01 12:34:56,123 - app[42]: [   12.345678] x: module license 'X' taints kernel.",
        "app[42]: [   12.345678] x: module license 'X' taints kernel.",
        "[   54.024197800,5] x: module license 'X' taints kernel.",
        "app[42]: Nov 24 12:00:00 box kernel: x: module license 'X' taints kernel.",
        "/var/log/syslog:7:Nov 24 12:00:00 box app: kernel: x: module license 'X' taints kernel.",
        "root@box:~# echo \"[   12.345678] x: module license 'X' taints kernel.\"",
        "Nov 24 12:00:00 box WARNING: CPU: 0 PID: 1 at x.c:1 f+0x1/0x2",
        "2024-05-01T12:34:57.7890123Z x: module license 'X' taints kernel.",
        "01-01 00:00:05.123  1200  1204 W KERNEL  : x: module license 'X' taints kernel.",
        "Nov 24 12:00:00 box root: kernel: x: module license 'X' taints kernel.",
        "Nov 24 12:00:00 root: kernel: x: module license 'X' taints kernel.",
        "Nov 24 12:00:00 box user.notice app[42]: kernel: x: module license 'X' taints kernel.",
        "Nov 24 12:00:00 box app[42] kernel: x: module license 'X' taints kernel.",
        "Nov 24 12:00:00 box kern.warn: x: module license 'X' taints kernel.",
        "Tue 2026-11-24 12:00:00 UTC box app[42]: kernel: x: module license 'X' taints kernel.",
        "2026-11-24T12:00:00+0100 box app: kernel: x: module license 'X' taints kernel.",
        "<4>1 2026-11-24T12:00:00Z box app - - - kernel - - x: module license 'X' taints kernel.",
        "<4>1 2026-11-24T12:00:00Z box app kernel - - - x: module license 'X' taints kernel.",
    ] {
        assert_eq!(source.line(raw), None, "{raw}");
    }
    assert!(source.line("[    1.000000] web1 kernel: x").is_some());
    assert_eq!(
        source.line("[    1.100000] web1 app[7]: Setting dangerous option x"),
        None
    );
}

#[test]
fn what_people_put_around_a_line_is_no_part_of_it() {
    for raw in [
        "kernel: @",
        "kernel: [   12.345678] @",
        "`[   12.345678] @",
        "```@```",
        "    @",
        "12:@",
    ] {
        let found = raw.replace('@', TEXT);
        let expected = if raw.starts_with(' ') {
            found.as_str()
        } else {
            TEXT
        };
        assert_eq!(line(&found).text, expected, "{raw}");
    }
    let mut source = Source::default();
    assert!(source.line("[    1.000000] a").is_some());
    assert_eq!(source.line("         ..."), None);
    assert!(source.line(&"1:".repeat(40_000)).is_some());
}

#[test]
fn a_line_without_a_time_goes_on_where_the_last_was_broken() {
    let mut source = Source::default();
    assert!(!source.line("first of all").unwrap().continues);
    assert!(
        !source
            .line("[    1.000000] WARNING: CPU: 0 PID: 1 at")
            .unwrap()
            .continues
    );
    assert!(source.line("x.c:1 f+0x1/0x2").unwrap().continues);
}

#[test]
fn lines_are_counted_where_their_reader_does_not() {
    let mut source = Source::default();
    for (raw, expected) in [("a", Some(1)), ("", None), ("[    1.000000] b", Some(3))] {
        assert_eq!(source.line(raw).map(|line| line.number), expected, "{raw}");
    }
}

#[test]
fn the_rest_of_a_programs_line_is_a_programs() {
    let mut source = Source::default();
    assert!(source.line("Nov 24 12:00:00 web1 kernel: a").is_some());
    assert_eq!(source.line("Nov 24 12:00:00 web1 sshd[12]: b"), None);
    assert_eq!(source.line("the rest of b"), None);
    assert!(source.line("Nov 24 12:00:00 web1 kernel: c").is_some());
    assert_eq!(source.line("the rest of c").unwrap().text, "the rest of c");
}

#[test]
fn a_time_with_a_comma_can_have_a_writer_behind_it() {
    let found = line("2026-11-24T12:00:00,123456+01:00 web1 kernel: a");
    assert_eq!((found.text, found.host), ("a", Some("web1")));
}

#[test]
fn what_only_looks_like_a_time_stays_in_the_text() {
    for raw in [
        "[   12.345678] @[<80012345>] (unwind_backtrace) from [<8001a>]",
        "[   12.345678] @[    4.000000] of a guest",
        "@[<80012345>] (unwind_backtrace) from [<8001a>]",
        "Nov 24 12:00:00 web1 kernel: @[<80012345>] (unwind_backtrace)",
        "@[12:34:56] x",
        "@12:34:56 x",
        "@>ffff888012345678: fa fb",
    ] {
        let (_, text) = raw.split_once('@').unwrap();
        assert_eq!(line(&raw.replace('@', "")).text, text, "{raw}");
    }
}

proptest! {
    #[test]
    fn no_prefix_changes_the_text(text in "[a-zA-Z][a-zA-Z0-9 :+/_.\\[\\]-]{0,60}[a-z]", form in 1..FORMS.len()) {
        let raw = FORMS[form].0.replace('@', &text);
        // A machine and `kernel:` in front are a form of their own.
        prop_assume!(!text.contains("kernel"));
        prop_assert_eq!(line(&raw).text, text.as_str());
    }

    #[test]
    fn never_panics(lines: Vec<String>, form in 0..FORMS.len(), cut in 0..80_usize, tail: String) {
        let mut source = Source::default();
        for line in &lines { _ = source.line(line); }
        let head: String = FORMS[form].0.chars().take(cut).collect();
        _ = source.line(&format!("{head}{tail}"));
    }
}
