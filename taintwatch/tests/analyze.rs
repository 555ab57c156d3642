//! `taintwatch analyze` on its inputs: folders, archives, pstore, pipes; hostile ones too.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test ends where it fails"
)]

use std::{
    fs,
    io::Write as _,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Output, Stdio},
};

const DMESG: &str = "\
[    0.000000] Linux version 6.1.0-50-amd64 (debian-kernel@lists.debian.org) #1
[    9.123456] vboxdrv: loading out-of-tree module taints kernel.
[   19.000001] WARNING: CPU: 1 PID: 77 at x.c:1 f+0x1/0x2 [vboxdrv]
[   19.000002] Modules linked in: vboxdrv(OE)
[   19.000003] CPU: 1 PID: 77 Comm: VBoxHeadless Tainted: G           OE      6.1.0-50-amd64 #1
[   19.000004] ---[ end trace 0000000000000000 ]---
";

fn analyze(args: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_taintwatch"))
        .arg("analyze")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // A reader that ends early is no failure of the test.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Bit, confidence, module and sources of each event.
fn events(output: &Output) -> Vec<String> {
    assert!(output.status.success(), "{}", text(&output.stderr));
    let short = |line: &str| {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        let module = event["module"]["name"].as_str().unwrap_or("-");
        let cause = &event["cause"];
        format!(
            "{} {} {module} {}",
            event["taint"]["bit"],
            cause["confidence"].as_str().unwrap(),
            cause["sources"][0].as_str().unwrap()
        )
    };
    text(&output.stdout).lines().map(short).collect()
}

fn put(root: &Path, name: &str, bytes: impl AsRef<[u8]>) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

/// As a support tool leaves it.
fn support_folder(root: &Path) {
    put(root, "sos_commands/kernel/dmesg", DMESG);
    let mut syslog = Vec::new();
    for line in DMESG.lines() {
        writeln!(syslog, "Nov 24 12:00:00 web1 kernel: {line}").unwrap();
    }
    put(root, "var/log/messages-20261124.gz", gz(&syslog));
    put(root, "var/log/journal/1/system.journal", b"LPKSHHRH");
    put(root, "proc/sys/kernel/tainted", "78340\n");
    put(
        root,
        "proc/modules",
        "vboxdrv 1 2 - Live 0x0 (OE)\nfalcon 1 0 - Live 0x0 (E)\next4 1 0 - Live 0x0\n",
    );
    put(
        root,
        "proc/version",
        "Linux version 6.1.0-50-amd64 (x@y) #1\n",
    );
    put(
        root,
        "etc/os-release",
        "PRETTY_NAME=\"Debian GNU/Linux 12\"\n",
    );
}

/// 78340 is S, W, O, E and X: the log shows O and W, the lists show E, and nothing explains S and X.
const OF_SUPPORT: [&str; 6] = [
    "12 logged vboxdrv log",
    "13 listed vboxdrv log",
    "9 logged vboxdrv log",
    "13 listed falcon log",
    "2 unattributed - log",
    "16 unattributed - log",
];

#[test]
fn a_support_folder_gives_each_event_once_and_flags_that_no_log_explains() {
    let folder = tempfile::tempdir().unwrap();
    support_folder(folder.path());
    let path = folder.path().to_str().unwrap();
    assert_eq!(events(&analyze(&["--json", path], b"")), OF_SUPPORT);
    let again = [
        analyze(&["--json", path], b""),
        analyze(&["--json", path], b""),
    ];
    assert_eq!(again[0].stdout, again[1].stdout);
}

#[test]
fn an_archive_gives_the_events_of_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    support_folder(folder.path());
    let mut tar = tar::Builder::new(Vec::new());
    tar.follow_symlinks(false);
    tar.append_dir_all("sos-web1", folder.path()).unwrap();
    let packed = gz(&tar.into_inner().unwrap());
    let mut found = events(&analyze(&["--json", "-"], &packed));
    let mut expected: Vec<_> = OF_SUPPORT.iter().map(ToString::to_string).collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}

#[test]
fn events_are_printed_boot_by_boot() {
    let folder = tempfile::tempdir().unwrap();
    support_folder(folder.path());
    let output = analyze(&[folder.path().to_str().unwrap()], b"");
    let out = text(&output.stdout);
    assert!(out.contains("boot 1, 6.1.0-50-amd64"), "{out}");
    assert!(
        out.contains("[    9.123456]  O  an out-of-tree module was loaded: vboxdrv"),
        "{out}"
    );
    assert!(!out.contains('\x1b'), "a pipe is plain: {out}");
}

/// The state of each boot stands together on top, before what led to it.
#[test]
fn the_answer_comes_first() {
    let folder = tempfile::tempdir().unwrap();
    support_folder(folder.path());
    let path = folder.path().to_str().unwrap();
    let out = text(&analyze(&[path], b"").stdout);
    let lines: Vec<_> = out.lines().collect();
    let state = "the state of the machine, 6.1.0-50-amd64: tainted SWOEX, 78340 = 0x13204";
    assert!(lines[0].starts_with(state), "{out}");
    assert!(
        lines[1].starts_with("boot 1, 6.1.0-50-amd64: tainted WOE, 12800 = 0x3200"),
        "{out}"
    );
    assert_eq!(lines[2], "", "{out}");
    // One boot alone is its own answer.
    let one = text(&analyze(&["-"], DMESG.as_bytes()).stdout);
    let lines: Vec<_> = one.lines().collect();
    assert_eq!(lines[0], "-");
    assert!(
        lines[1].starts_with("boot 1, 6.1.0-50-amd64: tainted WOE"),
        "{one}"
    );
}

#[test]
fn the_heading_names_the_kernel_and_a_flag_that_is_not_certain() {
    let state = b"[  570.081930] CPU: 5 PID: 31697 Comm: x Kdump: loaded Tainted: G           OE     -------  ---  5.14.0-427.16.1.el9_4.x86_64 #1\n";
    let out = text(&analyze(&["-"], state).stdout);
    assert!(
        out.contains("boot 1, 5.14.0-427.16.1.el9_4.x86_64: tainted OE, 12288"),
        "{out}"
    );
    let unknown = b"[    1.000000] a: loading out-of-tree module taints kernel.\n[    2.000000] Disabling lock debugging due to kernel taint\n";
    let out = text(&analyze(&["-"], unknown).stdout);
    assert!(
        out.contains("tainted O, 4096 = 0x1000, and one more flag that is not certain"),
        "{out}"
    );
}

#[test]
fn a_folder_says_what_it_left_out() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "dmesg", DMESG);
    put(folder.path(), "case.log", DMESG);
    let output = analyze(&[folder.path().to_str().unwrap()], b"");
    let expected =
        "1 file was left out, by their names no kernel logs: case.log; name one to read it";
    assert!(text(&output.stderr).contains(expected), "{output:?}");
}

#[test]
fn the_day_line_of_dmesg_gives_the_times() {
    let log = b"[Apr25 06:33] usb 1-1: new device\n[  +0.000013] a: loading out-of-tree module taints kernel.\n";
    let out = text(&analyze(&["-"], log).stdout);
    assert!(
        out.contains("  Apr25 06:33  O  an out-of-tree module was loaded: a"),
        "{out}"
    );
}

#[test]
fn a_refused_module_is_shown_and_sets_no_flag() {
    let log = b"[   12.000001] falcon: module not supported by SUSE, refusing to load. To override, echo 1 > /proc/sys/kernel/unsupported\n";
    let json = analyze(&["--json", "-"], log);
    let event: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(event["kind"], "module_load_failed");
    assert_eq!(
        event["module"],
        serde_json::json!({"name": "falcon", "loaded": false, "errno": "ENOEXEC"})
    );
    assert!(event.get("taint").is_none());
    let out = text(&analyze(&["-"], log).stdout);
    assert!(
        out.contains("boot 1: no flag")
            && out.contains("refused  the kernel refused the module falcon"),
        "{out}"
    );
}

#[test]
fn links_are_not_followed() {
    let outside = tempfile::tempdir().unwrap();
    put(outside.path(), "messages", DMESG);
    let folder = tempfile::tempdir().unwrap();
    symlink(
        outside.path().join("messages"),
        folder.path().join("messages"),
    )
    .unwrap();
    symlink(outside.path(), folder.path().join("var")).unwrap();
    symlink("/proc/modules", folder.path().join("modules")).unwrap();
    let output = analyze(&[folder.path().to_str().unwrap()], b"");
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("no kernel log was found in"));
}

#[test]
fn the_parts_of_a_crash_are_one_log_to_its_panic() {
    let folder = tempfile::tempdir().unwrap();
    let parts = [
        "Panic#1 Part1\n<0>[    9.000005] ---[ end trace 0000000000000000 ]---\n<0>[    9.000006] Kernel panic - not syncing: Fatal exception\n",
        "Panic#1 Part2\n<4>[    9.000003] CPU: 0 PID: 5 Comm: sh Not tainted 6.1.0 #1\n<4>[    9.000004] RIP: 0010:boom+0x1/0x2 [foo]\n",
        "Panic#1 Part3\n<1>[    9.000001] BUG: kernel NULL pointer dereference, address: 0000000000000000\n<4>[    9.000002] Oops: 0002 [#1] SMP\n",
    ];
    for (number, part) in (1..).zip(parts) {
        put(
            folder.path(),
            &format!("dmesg-efi_pstore-17955216000{number}001"),
            part,
        );
    }
    let output = analyze(&["--json", folder.path().to_str().unwrap()], b"");
    assert_eq!(events(&output), ["7 logged foo crash"]);
    assert!(text(&output.stdout).contains("then it panicked: Fatal exception"));
}

#[test]
fn unreadable_input_is_an_error_that_names_the_remedy() {
    let missing = analyze(&["/nonexistent/log"], b"");
    assert_eq!(missing.status.code(), Some(2));
    assert!(text(&missing.stderr).contains("/nonexistent/log"));
    let journal = analyze(&["-"], b"LPKSHHRH and more");
    assert_eq!(journal.status.code(), Some(2));
    assert!(
        text(&journal.stderr).contains("journalctl --file"),
        "{}",
        text(&journal.stderr)
    );
    let nothing = analyze(&["-"], b"[    1.000000] usb 1-1: new device\n");
    assert!(
        text(&nothing.stdout).contains("1 line of what may be a kernel log: none shows a taint")
    );
    let broken = analyze(&["-"], &gz(DMESG.as_bytes())[..60]);
    assert_eq!(
        broken.status.code(),
        Some(2),
        "a log that is cut is not taken for a whole one"
    );
}

/// As pages, chats and collectors hold a log: the events are the same.
#[test]
fn records_that_lost_their_ends_of_lines_are_read_all_the_same() {
    let expected = events(&analyze(&["--json", "-"], DMESG.as_bytes()));
    let json = |text: &str| serde_json::Value::from(text).to_string();
    let all = |join: &str| DMESG.lines().collect::<Vec<_>>().join(join);
    let objects = |begin: &str, end: &str| {
        let object = |line: &str| format!("{begin}{}{end}", json(line));
        DMESG.lines().map(object).collect::<Vec<_>>().join(",")
    };
    for log in [
        format!("<div class=\"post\">{}</div>\n", all("<br/>")),
        format!(
            "<tr><td>1</td><td>{}</td></tr>\n",
            all("</td></tr><tr><td>2</td><td>")
        ),
        format!("{}\n", all("\\n")),
        format!("[{}]\n", objects("{\"textPayload\":", "}")),
        format!(
            "{{\"streams\":[{{\"values\":[{}]}}]}}\n",
            objects("[\"17\",", "]")
        ),
        format!(
            "{{\n\"events\": [\n{}\n]\n}}\n",
            objects("  {\n    \"message\": ", "\n  }").replace("  },  {", "  },\n  {")
        ),
    ] {
        let found = events(&analyze(&["--json", "-"], log.as_bytes()));
        assert_eq!(found, expected, "{log}");
    }
}

#[test]
fn what_is_not_understood_is_said_with_its_place() {
    let unread = b"first\nacme report q7, says Oops: see Tainted: yes\n";
    let program = b"Nov 24 12:00:00 box app: x: module license 'X' taints kernel.\n";
    let people = b"first\n> your kernel has been tainted (flags:GBDL).\n<WARN>  Kernel tainting module (is: x:OK)\n";
    // The part of a dump that says what happened is missing: the reason alone proves no flag, a reset of POWER has it too
    // (`system_reset_exception`, `arch/powerpc/kernel/traps.c`).
    let part = b"Oops#1 Part5\n<4>[    9.000001] Call Trace:\n<4>[    9.000002]  f+0x1/0x2 [x]\n";
    let object =
        b"{\n  \"tags\": [\n    {\n      \"a\": \"acme: Oops, Tainted: yes\"\n    }\n  ]\n}\n";
    for (log, expected) in [
        (
            &people[..],
            "2 lines that speak of a taint or a crash: not understood: -:2,3",
        ),
        (
            &part[..],
            "1 line that speaks of a taint or a crash: not understood: -:1",
        ),
        (
            &object[..],
            "1 line that speaks of a taint or a crash: not understood: -:5",
        ),
        (
            &unread[..],
            "1 line that speaks of a taint or a crash: not understood: -:2",
        ),
        (
            program,
            "1 line that speaks of a taint or a crash: no line of the kernel's: -:1",
        ),
        (b"", "it has no line of a kernel log"),
    ] {
        let output = analyze(&["-"], log);
        assert_eq!(output.status.code(), Some(2), "{expected}");
        assert!(
            text(&output.stdout).contains(expected),
            "{}",
            text(&output.stdout)
        );
        let output = analyze(&["--json", "-"], log);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
        assert_eq!(text(&output.stderr).contains(expected), !log.is_empty());
    }
    let both = analyze(&["-"], &[DMESG.as_bytes(), &unread[..]].concat());
    assert_eq!(both.status.code(), Some(0));
    assert!(
        text(&both.stderr).contains("not understood: -:8"),
        "{}",
        text(&both.stderr)
    );
}

#[test]
fn events_that_the_filter_leaves_out_are_counted() {
    let other = analyze(&["--flag", "X", "-"], DMESG.as_bytes());
    assert!(
        text(&other.stdout).ends_with("3 events, which the filter leaves out\n"),
        "{}",
        text(&other.stdout)
    );
    for bound in [
        "--since=2000-01-01T00:00:00Z",
        "--until=2100-01-01T00:00:00Z",
    ] {
        let undated = analyze(&[bound, "-"], DMESG.as_bytes());
        assert!(
            text(&undated.stderr).contains("3 of the events have no date"),
            "{}",
            text(&undated.stderr)
        );
    }
}

#[test]
fn events_of_two_logs_have_numbers_of_their_own_and_name_their_file() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.log", "b.log"] {
        put(folder.path(), name, DMESG);
    }
    let paths = ["a.log", "b.log"].map(|name| folder.path().join(name).display().to_string());
    let output = analyze(&["--json", &paths[0], &paths[1]], b"");
    let events: Vec<serde_json::Value> = text(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let found: Vec<_> = events
        .iter()
        .map(|event| {
            (
                event["seq"].as_u64().unwrap(),
                event["file"].as_str().unwrap(),
            )
        })
        .collect();
    let expected: Vec<_> = (1..=6)
        .map(|seq| (seq, paths[usize::from(seq > 3)].as_str()))
        .collect();
    assert_eq!(found, expected);
}

/// Reports on more machines than are followed, a report without end, a line without end: each some 20 MB and more, in
/// 40 MiB of addresses, of which the program itself takes more than half.
#[test]
fn no_log_takes_more_than_its_share() {
    let mut log = Vec::new();
    let filler = "x".repeat(900);
    for host in 0..2000 {
        let prefix = format!("Nov 24 12:00:00 web{host} kernel:");
        writeln!(
            log,
            "{prefix} WARNING: CPU: 1 PID: 1 at x.c:1 f+0x1/0x2 [m]"
        )
        .unwrap();
        for _ in 0..10 {
            writeln!(log, "{prefix} {filler}").unwrap();
        }
    }
    let prefix = "Nov 24 12:00:00 web1 kernel:";
    writeln!(
        log,
        "{prefix} BUG: unable to handle page fault for address: 0"
    )
    .unwrap();
    for _ in 0..40_000 {
        writeln!(log, "{prefix} {filler}").unwrap();
    }
    log.extend(vec![b'y'; 20_000_000]);
    let limited = format!(
        "ulimit -v 40960; exec {} analyze --json -",
        env!("CARGO_BIN_EXE_taintwatch")
    );
    let mut child = Command::new("sh")
        .args(["-c", &limited])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&log).unwrap();
    assert!(child.wait().unwrap().success());
}

/// The last boot of the log is the one that runs when it ends, with a taint or without.
#[test]
fn boots_of_a_log_are_counted_from_its_end() {
    let second = DMESG.replace("vboxdrv", "nvidia");
    let log = format!(
        "{DMESG}{second}[    0.000000] Linux version 6.1.0-50-amd64 (a@b) #1\n[    5.0] usb 1-1: new\n"
    );
    let of = |boot: &str| {
        let output = analyze(&["--json", "--boot", boot, "-"], log.as_bytes());
        let modules = events(&output).into_iter();
        let mut modules: Vec<_> = modules
            .filter_map(|event| Some(event.split(' ').nth(2)?.to_owned()))
            .collect();
        modules.dedup();
        modules.retain(|name| name != "-");
        modules.join(" ")
    };
    assert_eq!(of("-1"), "nvidia");
    assert_eq!(of("-2"), "vboxdrv");
    assert_eq!(of("0"), "");
    assert_eq!(of("-2,-1"), of("all"));
    let none = analyze(&["--boot", "0", "-"], log.as_bytes());
    assert!(
        text(&none.stdout).contains("which the filter leaves out"),
        "{none:?}"
    );
}

#[test]
fn boots_of_a_journal_have_ids() {
    let entry = |boot: &str, name: &str| {
        format!(
            "{{\"_BOOT_ID\":\"{boot}\",\"_TRANSPORT\":\"kernel\",\"SYSLOG_IDENTIFIER\":\"kernel\",\
             \"__REALTIME_TIMESTAMP\":\"1767323045000000\",\"_HOSTNAME\":\"m\",\
             \"MESSAGE\":\"{name}: loading out-of-tree module taints kernel.\"}}\n"
        )
    };
    let log = entry(&"a1".repeat(16), "one") + &entry(&"b2".repeat(16), "two");
    for (boot, expected) in [
        ("A1A1", "one"),
        ("b2b2b2b2-b2b2", "two"),
        ("-1", "one"),
        ("0", "two"),
    ] {
        let output = analyze(&["--json", "--boot", boot, "-"], log.as_bytes());
        let found = events(&output);
        assert!(
            found.iter().all(|event| event.contains(expected)) && !found.is_empty(),
            "{boot}: {found:?}"
        );
    }
}
