//! Whole logs, and whom the events name: whoever was interrupted, or is of another report, is innocent.

use std::fmt::Write as _;

use super::{Account, Origin, Scanner, stream};

/// For each event letter, module, code, task and context.
fn read(log: &str) -> Vec<String> {
    let mut scanner = Scanner::new();
    let mut sightings = Vec::new();
    let lines: Vec<_> = log.lines().map(str::trim_start).collect();
    let log = lines.join("\n");
    stream::read(&mut log.as_bytes(), &mut |line| {
        sightings.extend(scanner.push(line));
    })
    .unwrap();
    sightings.extend(scanner.finish());
    let mut account = Account::new(Origin::default());
    let events = sightings
        .iter()
        .flat_map(|sighting| account.enter(sighting));
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
