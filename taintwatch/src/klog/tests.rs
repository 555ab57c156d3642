//! Whole logs, and the tasks that the events name: one that was interrupted, or is of another report, is not blamed.

use std::fmt::Write as _;

use super::{Origin, Reconstruction, Scanner, stream};

/// For each event letter, module, code, task and context.
fn read(log: &str) -> Vec<String> {
    let mut scanner = Scanner::new();
    let mut findings = Vec::new();
    let lines: Vec<_> = log.lines().map(str::trim_start).collect();
    let log = lines.join("\n");
    stream::read(&mut log.as_bytes(), &mut |line| {
        findings.extend(scanner.push(line));
    })
    .unwrap();
    findings.extend(scanner.finish());
    let events = Reconstruction::events(Origin::default(), findings).into_iter();
    let logged = events.filter(|event| {
        let cause = event.cause.as_ref().unwrap();
        cause.confidence == crate::event::Confidence::Logged
    });
    logged.map(|event| short(&event)).collect()
}

fn short(event: &crate::event::Event) -> String {
    let mut text = String::from(event.taint.as_ref().unwrap().letter.unwrap());
    if let Some(name) = event
        .module
        .as_ref()
        .and_then(|module| module.name.as_ref())
    {
        write!(text, " module={name}").unwrap();
    }
    if let Some(code) = &event.caller {
        write!(text, " code={code}").unwrap();
    }
    if let Some(task) = &event.task {
        write!(text, " task={}/{}", task.comm, task.pid).unwrap();
    }
    if let Some(context) = event.context {
        write!(text, " {context:?}").unwrap();
    }
    text
}

#[test]
fn what_an_interrupt_interrupted_is_not_the_culprit() {
    let sleeping = r"
        [ 1234.000000] BUG: sleeping function called from invalid context at include/linux/sched/mm.h:230
        [ 1234.000001] in_atomic(): 1, irqs_disabled(): 0, non_block: 0, pid: 4711, name: Xorg
        [ 1234.000002] CPU: 1 PID: 4711 Comm: Xorg Tainted: P           OE     5.15.0-91-generic #101-Ubuntu
        [ 1234.000004] Call Trace:
        [ 1234.000005]  <IRQ>
        [ 1234.000010]  badmod_timer_fn+0x2a/0x60 [badmod]
        [ 1234.000012]  run_timer_softirq+0x3e/0x60
        [ 1234.000013]  </IRQ>
        [ 1234.000014]  <TASK>
        [ 1234.000016] RIP: 0010:_nv037018rm+0x14/0x40 [nvidia]
        [ 1234.000020]  </TASK>";
    assert_eq!(read(sleeping), ["W"]);
    let headless = sleeping.replace("Call Trace:", "x").replace("<IRQ>", "x");
    let headless = headless.replace("</IRQ>", "x").replace("TASK", "x");
    assert_eq!(read(&headless), ["W task=Xorg/4711"]);
    let slab = r"
        [ 1234.000001] BUG kmalloc-64 (Tainted: P           OE    ): Poison overwritten
        [ 1234.000006] CPU: 1 PID: 4711 Comm: Xorg Tainted: P           OE     5.15.0-91-generic #101-Ubuntu
        [ 1234.000012] RIP: 0010:_nv037018rm+0x14/0x40 [nvidia]
        [ 1234.000007] Call Trace:
        [ 1234.000008]  <IRQ>
        [ 1234.000009]  check_bytes_and_report.cold+0x6d/0x90
        [ 1234.000010]  </IRQ>";
    assert_eq!(read(slab), ["B"]);
}

#[test]
fn an_interrupt_has_no_task() {
    let watchdog = r"
        [ 1234.500000] ------------[ cut here ]------------
        [ 1234.500001] NETDEV WATCHDOG: eth0 (r8169): transmit queue 0 timed out
        [ 1234.500002] WARNING: CPU: 2 PID: 3141 at net/sched/sch_generic.c:525 dev_watchdog+0x207/0x210
        [ 1234.500004] CPU: 2 PID: 3141 Comm: firefox Not tainted 6.1.0-18-amd64 #1  Debian 6.1.76-1
        [ 1234.500006] RIP: 0010:dev_watchdog+0x207/0x210
        [ 1234.500007] Call Trace:
        [ 1234.500008]  <IRQ>
        [ 1234.500009]  ? __warn+0x7d/0xc0
        [ 1234.500011]  call_timer_fn+0x27/0x130
        [ 1234.500014]  __do_softirq+0xed/0x2fe
        [ 1234.500017]  </IRQ>
        [ 1234.500022] ---[ end trace 0000000000000000 ]---";
    assert_eq!(read(watchdog), ["W code=dev_watchdog+0x207/0x210 Softirq"]);
    let task = watchdog
        .replace("IRQ", "TASK")
        .replace("__do_softirq", "vfs_read");
    assert_eq!(
        read(&task),
        ["W code=dev_watchdog+0x207/0x210 task=firefox/3141 Task"]
    );
    let unknown = watchdog.replace("__do_softirq", "__run_timers");
    assert_eq!(read(&unknown), ["W code=dev_watchdog+0x207/0x210"]);
}

#[test]
fn a_report_ends_where_lines_are_missing_or_hours_lie_between() {
    let warning = "[  100.100000] WARNING: CPU: 1 PID: 77 at foo.c:12 foo_tx+0x1/0x2 [foo]\n";
    let java = r"
        [  100.300000] CPU: 3 PID: 4242 Comm: java Not tainted 5.4.0-42-generic #46-Ubuntu
        [  100.300001] Call Trace:
        [  100.300002]  dump_stack+0x6d/0x9a";
    let alone = ["W module=foo code=foo_tx+0x1/0x2 [foo]"];
    assert_eq!(read(&format!("{warning}{java}")), alone);
    let interrupt = java.replace("dump_stack", "__do_softirq");
    assert_eq!(read(&format!("{warning}{interrupt}")), alone);
    let own = java.replace("3 PID: 4242 Comm: java", "1 PID: 77 Comm: dd");
    let whole = ["W module=foo code=foo_tx+0x1/0x2 [foo] task=dd/77 Task"];
    assert_eq!(read(&format!("{warning}{own}")), whole);
    let loss = "[  100.200000] ** 512 printk messages dropped **";
    assert_eq!(read(&format!("{warning}{loss}{own}")), alone);
    let hours = format!("{warning}{own}")
        .replace("[  100.1", "[Tue Nov 24 12:00:00 2026] ")
        .replace("[  100.3", "[Tue Nov 24 15:00:00 2026] ")
        .replace("00000] ", "")
        .replace("00001] ", "")
        .replace("00002] ", "")
        .replace("Not tainted", "Tainted: G        W        ");
    assert_eq!(read(&hours), alone);
}

#[test]
fn the_second_of_two_reports_has_its_own_lines() {
    let lockups = r"
        [ 5000.000000] watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [kworker/1:2:201]
        [ 5000.000002] CPU: 1 PID: 201 Comm: kworker/1:2 Tainted: G           OE     5.15.0-91-generic #101-Ubuntu
        [ 5000.000003] RIP: 0010:native_queued_spin_lock_slowpath+0x1a0/0x2c0
        [ 5000.000004] Call Trace:
        [ 5000.000006]  _raw_spin_lock+0x1f/0x30
        [ 5000.500000] BUG: unable to handle page fault for address: ffffc90000123000
        [ 5000.500001] Oops: 0002 [#1] SMP PTI
        [ 5000.500002] CPU: 2 PID: 300 Comm: bash Tainted: G           OEL    5.15.0-91-generic #101-Ubuntu
        [ 5000.500003] RIP: 0010:vendor_spin+0x1a/0x20 [vendorfs]
        [ 5000.500004] Call Trace:
        [ 5000.500006]  vfs_read+0x1f/0x30
        [ 5000.500007] ---[ end trace 0000000000000000 ]---";
    let expected = [
        "L task=kworker/1:2/201",
        "D module=vendorfs code=vendor_spin+0x1a/0x20 [vendorfs] task=bash/300 Task",
    ];
    assert_eq!(read(lockups), expected);
}

/// The end mark of the first comes within the second, which would lose all that it says of itself.
#[test]
fn the_end_of_the_first_does_not_end_the_second() {
    let both = r"
        [    1.000000] WARNING: CPU: 1 PID: 77 at foo.c:12 foo_tx+0x1/0x2 [foo]
        [    1.000001] CPU: 1 PID: 77 Comm: dd Not tainted 5.15.0-91-generic #101-Ubuntu
        [    1.000002] Call Trace:
        [    1.000003]  vfs_write+0x1/0x2
        [    1.000004] BUG: unable to handle page fault for address: ffffc90000123000
        [    1.000005] ---[ end trace 0000000000000001 ]---
        [    1.000006] Oops: 0002 [#1] SMP PTI
        [    1.000007] CPU: 2 PID: 300 Comm: bash Not tainted 5.15.0-91-generic #101-Ubuntu
        [    1.000008] RIP: 0010:bar+0x1a/0x20 [bar]
        [    1.000009] ---[ end trace 0000000000000002 ]---";
    let expected = [
        "W module=foo code=foo_tx+0x1/0x2 [foo] task=dd/77 Task",
        "D module=bar code=bar+0x1a/0x20 [bar] task=bash/300",
    ];
    assert_eq!(read(both), expected);
}

#[test]
fn a_warning_sets_the_flag_of_its_text_alone() {
    let dmar = r"
        [    0.000000] Linux version 4.19.0-8-amd64 (d@d) (gcc version 8.3.0) #1 SMP Debian 4.19.98-1 (2020-01-26)
        [    0.010000] ------------[ cut here ]------------
        [    0.010001] Your BIOS is broken; DMAR reported at address fed90000 returns all ones!
        [    0.010002] BIOS vendor: American Megatrends Inc.; Ver: 1.60; Product Version: 1.0
        [    0.010003] WARNING: CPU: 0 PID: 0 at drivers/iommu/dmar.c:834 warn_invalid_dmar+0x85/0x90
        [    0.010004] CPU: 0 PID: 0 Comm: swapper Not tainted 4.19.0-8-amd64 #1 Debian 4.19.98-1
        [    0.010008] ---[ end trace 0000000000000000 ]---";
    let expected = ["I code=warn_invalid_dmar+0x85/0x90 task=swapper/0"];
    assert_eq!(read(dmar), expected);
    let other = dmar.replace("WARNING: CPU: 0 PID: 0 at ", "x ");
    let other = other.replace("Not tainted", "Tainted: G          I      ");
    assert_eq!(read(&other), ["I"]);
    let later = dmar.replace("[    0.010003]", "[   90.010003]");
    let later = later.replace("[    0.010004]", "[   90.010004]");
    let later = later.replace("[    0.010008]", "[   90.010008]");
    assert_eq!(read(&later), expected, "it was not set at 90 seconds");
    let later = later.replace("Not tainted", "Tainted: G          I      ");
    let both = ["I", "I code=warn_invalid_dmar+0x85/0x90 task=swapper/0"];
    assert_eq!(read(&later), both);
    // The place shows the flag, whatever became of the text.
    let lines = dmar
        .lines()
        .filter(|line| !line.contains("BIOS") && !line.contains("cut here"));
    let bare: String = lines.flat_map(|line| [line, "\n"]).collect();
    assert_eq!(read(&bare), expected);
    let unmarked = dmar.replace("------------[ cut here ]------------", "x");
    assert_eq!(read(&unmarked), expected, "one event, and not I beside W");
    let other = dmar.replace("warn_invalid_dmar", "domain_prepare_identity_map");
    let unmarked = other.replace("------------[ cut here ]------------", "x");
    let both = [
        "I",
        "W code=domain_prepare_identity_map+0x85/0x90 task=swapper/0",
    ];
    let unmarked = unmarked.replace("Not tainted", "Tainted: G          I      ");
    assert_eq!(read(&unmarked), both);
}

/// A log that is read again gives the same events; the same lines of another boot or another machine are other events.
#[test]
fn the_same_line_of_another_boot_is_another_event() {
    let ids = |origin: &Origin| -> Vec<String> {
        let log = "[    5.000000] m: loading out-of-tree module taints kernel.";
        let mut scanner = Scanner::new();
        let mut findings = Vec::new();
        stream::read(&mut log.as_bytes(), &mut |line| {
            findings.extend(scanner.push(line));
        })
        .unwrap();
        findings.extend(scanner.finish());
        let events = Reconstruction::events(origin.clone(), findings);
        events.into_iter().map(|event| event.id).collect()
    };
    let of = |boot: &str| {
        ids(&Origin {
            boot_id: Some(boot.to_owned()),
            ..Origin::default()
        })
    };
    assert_eq!(of("a").len(), 1);
    assert_eq!(of("a"), of("a"));
    assert_ne!(of("a"), of("b"));
    assert_ne!(of("a"), ids(&Origin::default()));
}
