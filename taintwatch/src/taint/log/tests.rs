//! Lines of kernels old and new.

use proptest::prelude::*;

use super::*;

fn short(line: &str) -> Option<(u32, Option<String>, Option<String>)> {
    TaintLine::parse(line).map(|found| (found.bit, found.module, found.code))
}

#[test]
fn lines_of_the_module_loader() {
    let of = |bit, module: &str| Some((bit, Some(module.to_owned()), None));
    for (line, expected) in [
        (
            "tw_gpl: loading out-of-tree module taints kernel.",
            of(12, "tw_gpl"),
        ),
        (
            "nvidia: module license 'NVIDIA' taints kernel.",
            of(0, "nvidia"),
        ),
        (
            "vboxdrv: module verification failed: signature and/or required key missing - tainting kernel",
            of(13, "vboxdrv"),
        ),
        ("foo: bad vermagic: kernel tainted.", of(1, "foo")),
        ("foo: printk: kernel tainted.", of(1, "foo")),
        (
            "r8188eu: module is from the staging directory, the quality is unknown, you have been warned.",
            of(10, "r8188eu"),
        ),
        ("Disabling lock debugging due to kernel taint", None),
        (
            "snd: no version for \"struct_module\" found: kernel tainted.",
            of(1, "snd"),
        ),
        ("a b: loading out-of-tree module taints kernel.", None),
        ("MESSAGE=a: loading out-of-tree module taints kernel.", None),
        ("\"a: loading out-of-tree module taints kernel.", None),
        // No flag: the load fails, or goes on without the check (`check_version`).
        ("a: no symbol version for module_layout", None),
        (
            "livepatch: tainting kernel with TAINT_LIVEPATCH",
            Some((15, None, None)),
        ),
        (
            "livepatch_sample: tainting kernel with TAINT_LIVEPATCH",
            of(15, "livepatch_sample"),
        ),
    ] {
        assert_eq!(short(line), expected, "{line}");
    }
}

#[test]
fn oopses_and_hardware_errors_of_old_kernels_and_other_architectures() {
    for (line, bit) in [
        ("swapper(0): Kernel bad sw trap 5 [#1]", Some(7)),
        ("Unhandled kernel unaligned access[#13]:", Some(7)),
        ("a list (of) things [#1]", None),
        (
            "CPU 1: Machine Check Exception:                4 Bank 4: b200000000070f0f",
            Some(4),
        ),
        ("CPU x: Machine Check Exception:                4", None),
        ("Kernel panic - not syncing: Fatal hardware error!", Some(4)),
    ] {
        assert_eq!(TaintLine::parse(line).map(|found| found.bit), bit, "{line}");
    }
}

#[test]
fn warnings_old_and_new_but_not_lock_debugging() {
    let code = |module: Option<&str>, code: &str| {
        Some((9, module.map(str::to_owned), Some(code.to_owned())))
    };
    assert_eq!(
        short("WARNING: CPU: 1 PID: 77 at /build/x.c:12 tw_init+0x5/0x10 [tw_warn_init]"),
        code(Some("tw_warn_init"), "tw_init+0x5/0x10")
    );
    assert_eq!(
        short("WARNING: kernel/x.c:9 at f+0x1/0x2, CPU#3: kworker/3:1/88"),
        code(None, "f+0x1/0x2")
    );
    assert_eq!(
        short("WARNING: possible circular locking dependency detected"),
        None
    );
    assert_eq!(
        short("WARNING: at g+0x1/0x2 [m], CPU#0: x/1"),
        code(Some("m"), "g+0x1/0x2")
    );
    assert_eq!(
        short("WARNING: at fs/x.c:9 g+0x1/0x2 [m]() (Not tainted)"),
        code(Some("m"), "g+0x1/0x2")
    );
    assert_eq!(
        short("WARNING: at net/sched/x.c:9 g+0x1/0x2()"),
        code(None, "g+0x1/0x2")
    );
    assert_eq!(short("WARNING: at last"), None);
    assert_eq!(
        short("WARNING: CPU: 1 PID: 9 at mac.c:208 f+0x1/0x2 [m 0123456789abcdef]"),
        code(Some("m"), "f+0x1/0x2")
    );
    assert_eq!(
        short("WARNING: CPU: 1 PID: 9 at mac.c:208 f+0x1/0x2 [f  oo]"),
        code(None, "f+0x1/0x2")
    );
    assert_eq!(
        short("WARNING: CPU: 1 PID: 9 at mac.c:208 0x860546a4 [m@8ad96439+0x96c0]"),
        Some((9, Some("m".to_owned()), None))
    );
}

#[test]
fn reports_by_their_first_line() {
    for (line, bit) in [
        ("BUG: unable to handle page fault for address: 0", 7),
        (
            "watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [x:1]",
            14,
        ),
        ("BUG: Bad page state in process x  pfn:00001", 5),
        (
            "BUG kmalloc-64 (Tainted: G        W ): Redzone overwritten",
            5,
        ),
        ("Setting dangerous option foo - tainting kernel", 6),
        (
            "general protection fault, probably for non-canonical address 0x1: 0000 [#1] SMP",
            7,
        ),
        ("illegal operation: 0001 ilc:1 [#1] SMP", 7),
        ("invalid opcode: 0000 [#2] SMP", 7),
        ("Internal error: Oops: 17 [#1] ARM", 7),
        ("Unhandled kernel unaligned access[#13]:", 7),
        (
            "CPU 0 Unable to handle kernel paging request at virtual address fffffff0, epc == 8005d844, ra == 800575ec",
            7,
        ),
        ("Oops: Machine check, sig: 7 [#1]", 7),
        (
            "mce: [Hardware Error]: CPU 1: Machine Check Exception: 5 Bank 4: be00",
            4,
        ),
        (
            "ACPI: Override [DSDT-  X], this is unsafe: tainting kernel",
            8,
        ),
    ] {
        assert_eq!(
            TaintLine::parse(line).map(|found| found.bit),
            Some(bit),
            "{line}"
        );
    }
}

/// Force need not have been used: the sentence says what the line says.
#[test]
fn a_module_that_nobody_forced_is_not_accused() {
    for (line, words) in [
        ("nvidia: bad vermagic: kernel tainted.", "version magic"),
        ("foo: module_layout: kernel tainted.", "symbols' versions"),
        (
            "spl: module verification failed: signature and/or required key missing - tainting kernel",
            "signature",
        ),
    ] {
        let sentence = loaded(line, 1).unwrap();
        assert!(
            sentence.contains(words) && !sentence.contains("force"),
            "{sentence}"
        );
        assert_eq!(loaded(line, 13), None);
    }
}

#[test]
fn frameworks_name_the_patch_that_they_set_the_flag_for() {
    assert_eq!(
        live_patching("kpatch: tainting kernel with TAINT_LIVEPATCH"),
        Some("kpatch")
    );
    assert_eq!(
        live_patching("livepatch_sample: tainting kernel with TAINT_LIVEPATCH"),
        None
    );
    for (framework, line, expected) in [
        (
            "kpatch",
            "kpatch: loaded patch module 'kpatch_new'",
            Some("kpatch_new"),
        ),
        ("livepatch", "livepatch: enabling patch 'a'", Some("a")),
        ("livepatch", "kpatch: loaded patch module 'a'", None),
        ("kpatch", "kpatch: 'a' is gone", None),
        ("kpatch", "kpatch: loaded patch module 'a b'", None),
    ] {
        assert_eq!(live_patch(framework, line), expected, "{line}");
    }
}

#[test]
fn a_refused_module_is_no_flag() {
    let line = "falcon: module not supported by SUSE, refusing to load. To override, echo 1 > /proc/sys/kernel/unsupported";
    assert_eq!(
        (refused(line), TaintLine::parse(line)),
        (Some("falcon"), None)
    );
    assert_eq!(refused("falcon: module is not supported by SUSE."), None);
}

#[test]
fn lines_that_set_no_flag() {
    for line in [
        "mce: [Hardware Error]: Machine check events logged",
        "mce: [Hardware Error]: CPU 2: Machine Check: 0 Bank 5: cc00",
        "[Firmware Bug]: TSC_DEADLINE disabled due to Errata",
        "BUG: Bad rss-counter state mm:0 idx:1 val:1",
        "Your BIOS is broken; RMRR ends before it starts!",
        "traps: a[7] general protection fault ip:1 sp:2 error:0",
        "usb 1-1: new device [#1]",
        "INFO: task a:7 blocked for more than 120 seconds.",
    ] {
        assert_eq!(TaintLine::parse(line), None, "{line}");
    }
}

#[test]
fn an_older_kernel_set_another_flag_or_none() {
    let on =
        |line, release| TaintLine::parse_on(line, Release::parse(release)).map(|found| found.bit);
    let unsigned =
        "a: module verification failed: signature and/or required key missing - tainting kernel";
    assert_eq!(on(unsigned, "3.10.0"), Some(1));
    assert_eq!(on(unsigned, "3.10.0-1160.el7.x86_64"), Some(13));
    assert_eq!(on(unsigned, "4.9.0"), Some(13));
    assert_eq!(on(unsigned, "3.13.0-34-generic"), Some(1));
    assert_eq!(on(unsigned, "3.13.0-36-generic"), Some(13));
    let lockup = "BUG: soft lockup - CPU#0 stuck for 61s! [x:1]";
    assert_eq!(on(lockup, "2.6.32-5"), None);
    let preview = "TECH PREVIEW: Btrfs may not be fully supported.";
    assert_eq!(on(preview, "3.10.0-1.el7"), Some(29));
    assert_eq!(on(preview, "5.14.0-1.el9"), Some(16));
    let external = "a: externally supported module, setting X kernel taint flag.";
    assert_eq!(on(external, "4.4.0-default"), Some(31));
}

proptest! {
    #[test]
    fn never_panics(line in ".*") { _ = TaintLine::parse(&line); }

    #[test]
    fn each_line_with_a_flag_has_a_mark(line in ".*", at in 0..1000_usize) {
        let marks: Vec<_> = marks().collect();
        let line = format!("{}{line}", marks[at % marks.len()]);
        prop_assert!(TaintLine::parse(&line).is_none() || marks.iter().any(|mark| line.contains(mark)));
    }
}
