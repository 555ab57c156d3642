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
