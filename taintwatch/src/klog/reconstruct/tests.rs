//! The order of flags, and states that confirm or deny what lines say.

use super::*;
use crate::klog::{Line, Scanner};

fn findings(lines: &[(u64, &str)]) -> Vec<Finding> {
    let mut scanner = Scanner::new();
    let mut findings = Vec::new();
    for (number, (second, text)) in (1..).zip(lines) {
        findings.extend(scanner.push(&Line {
            number,
            since_boot: Some(second * 1_000_000_000),
            ..Line::of(text)
        }));
    }
    findings.extend(scanner.finish());
    findings
}

/// Letter and module of each event, and the state at the end.
fn read(lines: &[(u64, &str)]) -> (Vec<String>, Mask) {
    let mut reconstruction = Reconstruction::default();
    let mut settled = Vec::new();
    for finding in findings(lines) {
        settled.extend(reconstruction.enter(finding));
    }
    settled.extend(reconstruction.finish());
    let events = settled.iter().flat_map(|one| &one.events);
    let short = |event: &Event| {
        let letter = event.taint.as_ref().and_then(|taint| taint.letter);
        let letter = letter.unwrap_or('?');
        let module = event.module_name().unwrap_or_default();
        format!("{letter} {module}").trim_end().to_owned()
    };
    (events.map(short).collect(), reconstruction.mask(None))
}

#[test]
fn two_lines_of_one_load_are_one_event() {
    let (events, _) = read(&[
        (1, "a: module license 'X' taints kernel."),
        (1, "Disabling lock debugging due to kernel taint"),
        (1, "a: module license taints kernel."),
    ]);
    assert_eq!(events, ["P a"]);
}

#[test]
fn a_kernel_without_the_flag_did_not_set_it() {
    let lockup = |release: &str| {
        let state = format!("CPU: 0 PID: 7 Comm: x Not tainted {release} #1");
        read(&[
            (1, "BUG: soft lockup - CPU#0 stuck for 22s! [x:7]"),
            (1, &state),
        ])
        .0
    };
    assert_eq!(lockup("4.4.0"), ["L"]);
    assert_eq!(lockup("3.10.58-1.el6.elrepo.x86_64"), [""; 0]);
    assert_eq!(lockup("2.6.32-754.el6.x86_64"), [""; 0]);
}

/// A release that comes later in the log counts for what stands before it.
#[test]
fn a_later_line_names_the_kernel() {
    let (events, _) = read(&[
        (1, "BUG: soft lockup - CPU#0 stuck for 22s! [x:7]"),
        (300, "      Not tainted 3.14.15 #1"),
    ]);
    assert_eq!(events, [""; 0]);
}

#[test]
fn a_state_that_is_printed_later_denies_what_was_misread() {
    let warning = (1, "WARNING: CPU: 1 PID: 7 at a.c:1 f+0x1/0x2");
    let state = |second| (second, "CPU: 0 PID: 1 Comm: x Not tainted 6.1.0 #1");
    assert_eq!(read(&[warning, state(1)]).0, ["W"], "at once");
    let later = (300, "BUG: soft lockup - CPU#0 stuck for 22s! [x:7]");
    assert_eq!(
        read(&[warning, later, state(300)]),
        (vec!["L".to_owned()], Mask(1 << 14))
    );
    let load = (1, "a: loading out-of-tree module taints kernel.");
    assert_eq!(read(&[load, state(1)]).0, [""; 0], "a line is at no time");
}

#[test]
fn a_panic_before_the_flag_leaves_it_clear() {
    let (events, mask) = read(&[
        (1, "WARNING: CPU: 1 PID: 7 at a.c:1 f+0x1/0x2"),
        (
            1,
            "Kernel panic - not syncing: kernel: panic_on_warn set ...",
        ),
    ]);
    assert_eq!((events.len(), mask), (0, Mask(0)));
    let (events, mask) = read(&[
        (1, "BUG: KASAN: invalid-access in f+0x50/0x90"),
        (
            1,
            "==================================================================",
        ),
        (1, "Kernel panic - not syncing: kasan.fault=panic set ..."),
        (
            1,
            "CPU: 5 PID: 8 Comm: x Tainted: G        W          6.1.155 #1",
        ),
    ]);
    assert_eq!((events, mask), (vec!["W".to_owned()], Mask(1 << 9)));
}

#[test]
fn a_machine_check_whose_kernel_is_not_known_is_no_flag() {
    let check = "mce: [Hardware Error]: CPU 7: Machine Check Exception: 5 Bank 0: b2";
    let panic = "Kernel panic - not syncing: Fatal machine check";
    assert_eq!(
        read(&[(1, check), (1, panic)]),
        (vec!["?".to_owned()], Mask(0))
    );
    let boot = (0, "Linux version 5.10.0 (a@b) #1");
    assert_eq!(read(&[boot, (1, check), (1, panic)]).0, ["M"]);
    let boot = (0, "Linux version 6.1.0 (a@b) #1");
    assert_eq!(read(&[boot, (1, check), (1, panic)]).0, [""; 0]);
}

#[test]
fn a_firmwares_fatal_error_is_a_flag_of_newer_kernels() {
    let panic = (1, "Kernel panic - not syncing: Fatal hardware error!");
    let on = |release: &str| {
        let boot = format!("Linux version {release} (a@b) #1");
        read(&[(0, boot.as_str()), panic]).0
    };
    assert_eq!((on("6.18.0"), on("5.10.0")), (vec!["M".to_owned()], vec![]));
    assert_eq!(read(&[panic]).0, ["?"]);
}

/// The lists begin with the module that was loaded last.
#[test]
fn what_was_loaded_before_comes_before() {
    let (events, mask) = read(&[
        (1, "kpatch: tainting kernel with TAINT_LIVEPATCH"),
        (1, "kpatch: loaded patch module 'kpatch_new'"),
        (1, "Modules linked in: kpatch_new(O+) kpatch(O) bnx2(O)"),
        (
            1,
            "CPU: 2 PID: 6721 Comm: insmod Tainted: G           O  K 4.4.0+2 #1",
        ),
    ]);
    assert_eq!(
        events,
        ["O bnx2", "O kpatch", "O kpatch_new", "K kpatch_new"]
    );
    assert_eq!(mask, Mask(0x9000));
}

/// The loader prints a line for the first module of each flag: where there is none, the flag was there.
#[test]
fn a_flag_without_a_line_was_set_before_the_log() {
    let (events, _) = read(&[
        (1, "nvidia: loading out-of-tree module taints kernel."),
        (2, "WARNING: CPU: 1 PID: 7 at a.c:1 f+0x1/0x2"),
        (2, "Modules linked in: nvidia(OE+) vsock(E)"),
        (
            2,
            "CPU: 1 PID: 7 Comm: x Tainted: G S         OE     T  6.1.0 #1",
        ),
    ]);
    assert_eq!(events, ["T", "E vsock", "S", "O nvidia", "E nvidia", "W"]);
}

/// A module has its flags in the order of the loader, each once.
#[test]
fn a_flag_with_a_line_of_its_own_is_not_listed() {
    let (events, _) = read(&[
        (1, "nvidia: loading out-of-tree module taints kernel."),
        (1, "nvidia: module license 'NVIDIA' taints kernel."),
        (
            1,
            "nvidia: module verification failed: signature and/or required key missing - tainting kernel",
        ),
        (2, "WARNING: CPU: 1 PID: 7 at a.c:1 f+0x1/0x2"),
        (2, "Modules linked in: nvidia_uvm(POE) nvidia(POE)"),
        (
            2,
            "CPU: 1 PID: 7 Comm: x Tainted: P           OE      6.1.0 #1",
        ),
    ]);
    let expected = [
        "O nvidia",
        "P nvidia",
        "E nvidia",
        "P nvidia_uvm",
        "O nvidia_uvm",
        "E nvidia_uvm",
        "W",
    ];
    assert_eq!(events, expected);
}

/// No release and no later state: kernels before 3.17 print the same words and set nothing.
#[test]
fn a_lockup_of_a_kernel_that_is_not_known_is_no_flag() {
    let lockup = (1, "BUG: soft lockup - CPU#6 stuck for 67s! [a:7]");
    assert_eq!(read(&[lockup]).0, ["?"]);
    assert_eq!(read(&[lockup, (1, "CPU 6 ")]).0, [""; 0], "before 3.11");
    let state = (9, "CPU: 0 PID: 1 Comm: x Tainted: G             L 5 #1");
    assert_eq!(read(&[lockup, state]).0, ["L"]);
    let newer = (1, "watchdog: BUG: soft lockup - CPU#6 stuck for 67s! [a:7]");
    assert_eq!(read(&[newer]).0, ["L"]);
}

#[test]
fn what_follows_a_state_was_set_behind_it() {
    let (events, _) = read(&[
        (1, "WARNING: CPU: 1 PID: 7 at a.c:1 f+0x1/0x2"),
        (1, "CPU: 1 PID: 7 Comm: x Not tainted 6.1.0 #1"),
        (1, "---[ end trace 0000000000000000 ]---"),
        (
            300,
            "CPU: 1 PID: 8 Comm: y Tainted: G    B   W          6.1.0 #1",
        ),
    ]);
    assert_eq!(events, ["W", "B"]);
}

#[test]
fn the_line_on_lock_debugging_is_of_the_flag_that_ends_it() {
    let off = (1, "Disabling lock debugging due to kernel taint");
    assert_eq!(read(&[off]).0, ["?"]);
    let powerpc = (1, "Oops: Machine check, sig: 7 [#1]");
    assert_eq!(read(&[off, powerpc]).0, ["M", "D"]);
    let state = (
        1,
        "CPU: 0 PID: 0 Comm: swapper Tainted: G   M               4.16.0 #1",
    );
    assert_eq!(read(&[off, powerpc, state]).0, ["M", "D"]);
    let older = (1, "CPU: 0 PID: 0 Comm: swapper Not tainted 4.4.0 #1");
    assert_eq!(read(&[powerpc, older]).0, ["D"]);
    let acpi = (
        1,
        "ACPI: Override [DSDT-  X], this is unsafe: tainting kernel",
    );
    assert_eq!(read(&[acpi, off]).0, ["A"]);
}

/// A line of a module; no state decides about it yet.
fn loads(second: u64) -> Finding {
    findings(&[(second, "m: loading out-of-tree module taints kernel.")]).remove(0)
}

#[test]
fn a_state_settles_what_is_held() {
    let mut reconstruction = Reconstruction::default();
    for second in [1, 2, 3] {
        assert!(reconstruction.enter(loads(second)).is_empty());
    }
    assert_eq!(reconstruction.held, 3);
    assert_eq!(reconstruction.bytes, 3 * held::bytes(&loads(1)));
    let state = "CPU: 0 PID: 7 Comm: x Tainted: G           O      6.1.0 #1";
    let states = findings(&[(9, state)]);
    assert_eq!(reconstruction.enter(states[0].clone()).len(), 4);
    // The state itself is settled as it comes, with what it takes.
    assert!(reconstruction.held <= 1, "{}", reconstruction.held);
    assert_eq!(
        reconstruction.bytes,
        reconstruction.held * held::bytes(&states[0])
    );
}

#[test]
fn no_more_is_held_than_there_is_room_for() {
    let with = |held, bytes| {
        let mut reconstruction = Reconstruction {
            held,
            bytes,
            ..Reconstruction::default()
        };
        reconstruction.enter(loads(1)).len()
    };
    let size = held::bytes(&loads(1));
    assert_eq!(with(MOST_HELD - 1, 0), 0);
    assert_eq!(with(MOST_HELD, 0), 1);
    assert_eq!(with(0, MOST_BYTES - size), 0);
    assert_eq!(with(0, MOST_BYTES - size + 1), 1);
}

#[test]
fn a_machine_that_is_known_takes_no_room_of_others() {
    let of = |host: usize| Finding {
        host: Some(host.to_string()),
        ..loads(1)
    };
    let mut reconstruction = Reconstruction::default();
    for host in 0..MOST_HOSTS {
        reconstruction.enter(of(host));
    }
    reconstruction.enter(of(0));
    assert_eq!(reconstruction.boots.len(), MOST_HOSTS);
    reconstruction.enter(of(MOST_HOSTS));
    assert_eq!(reconstruction.boots.len(), 1);
}

/// A line of text, and as much for what the facts name, with some room each.
#[test]
fn what_is_held_has_a_size() {
    let mut finding = loads(1);
    finding.lines = vec!["abcd".to_owned(), String::new()];
    assert_eq!(held::bytes(&finding), 1 + 2 * (28 + 24));
    finding.lines.clear();
    assert_eq!(held::bytes(&finding), 1);
}

/// `machine_check_exception` sets M since 4.14 (`arch/powerpc/kernel/traps.c`).
#[test]
fn a_machine_check_of_powerpc_is_a_flag_of_its_own() {
    let of = |release: &str, text| {
        let boot = format!("Linux version {release} (x) #1 SMP");
        read(&[(0, &boot), (1, text)]).0
    };
    let check = "Oops: Machine check, sig: 7 [#1]";
    assert_eq!(of("4.14.0", check), ["M", "D"]);
    assert_eq!(of("5.10.0", check), ["M", "D"]);
    assert_eq!(of("4.13.9", check), ["D"]);
    let other = "Oops: Kernel access of bad area, sig: 11 [#1]";
    assert_eq!(of("5.10.0", other), ["D"]);
}

fn events(lines: &[(u64, &str)]) -> Vec<Event> {
    Reconstruction::events(Origin::default(), findings(lines))
}

#[test]
fn a_module_of_a_list_is_recorded_with_its_letters() {
    let events = events(&[
        (2, "WARNING: CPU: 1 PID: 7 at a.c:1 f+0x1/0x2"),
        (2, "Modules linked in: vsock(E)"),
        (
            2,
            "CPU: 1 PID: 7 Comm: x Tainted: G            E      6.1.0 #1",
        ),
    ]);
    let listed = events
        .iter()
        .find(|event| event.module_name() == Some("vsock"));
    let module = listed.and_then(|event| event.module.as_ref()).unwrap();
    assert_eq!(
        (module.taints.as_deref(), module.loaded),
        (Some("E"), Some(true))
    );
    let warning = events.iter().find(|event| event.module.is_none()).unwrap();
    let task = warning.task.as_ref().unwrap();
    assert_eq!((task.pid, task.tid, task.comm.as_str()), (7, 7, "x"));
}

#[test]
fn the_line_on_lock_debugging_has_the_mask_before_it() {
    let events = events(&[
        (1, "nvidia: loading out-of-tree module taints kernel."),
        (9, "Disabling lock debugging due to kernel taint"),
    ]);
    let masks = events
        .iter()
        .map(|event| event.taint.as_ref().unwrap().mask_before);
    assert_eq!(masks.collect::<Vec<_>>(), [Some(Mask(0)), Some(Mask(4096))]);
}
