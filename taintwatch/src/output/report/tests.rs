//! Reports as they are printed.

use std::collections::HashSet;

use super::*;
use crate::{
    event::{Kind, Time},
    history::{
        self, History, Liveness,
        tests::{B, fixture},
    },
    output::{layout::MAIL, limits::Limits},
};

fn report(boot: &str, kinds: &[Kind]) -> String {
    let (events, liveness) = fixture();
    let history = History::of(&events, &liveness);
    let only: HashSet<_> = events
        .iter()
        .filter(|event| kinds.contains(&event.kind))
        .map(|event| event.seq)
        .collect();
    let scope = Scope {
        boots: history
            .boots
            .iter()
            .filter(|it| it.id == Some(boot))
            .collect(),
        description: "one boot".to_owned(),
        made: Time("2026-01-06T11:02:00Z".parse().unwrap()),
        only: (!kinds.is_empty()).then_some(only),
        limits: Limits::TEXT,
        fleet: None,
    };
    let mut layout = Layout::new(MAIL);
    print(&scope, &mut layout);
    let text = anstream::adapter::strip_str(&layout.text()).to_string();
    text.replace(env!("CARGO_PKG_VERSION"), "[version]")
}

/// A wall clock that is set, gaps, a storm, a mask that is cleared, a lost record, hostile names, a late crash.
#[test]
#[expect(clippy::too_many_lines, reason = "a whole report")]
fn a_boot_with_everything() {
    insta::assert_snapshot!(report(B, &[]), @r##"
    What tainted this kernel
    machine   6f1c8a52d1e94b1f9d3c2b7a90e4f815
    scope     one boot
    made      2026-01-06 11:02:00Z by taintwatch [version]; all times are UTC
    history   1 boot, 24 events

    Boot 1f9b20aa-7c11-4e57-8d20-90aa17c4b002
    kernel    6.1.0-18-amd64
    flags     PDWOE (12929)
    known     2025-06-01 00:00:09Z to 2026-01-06 10:00:00Z, 2 h 29 min
    end       unclean: the kernel left a crash record
    clock     set ahead by 219 d 7 h, after 2025-06-01 00:00:12Z

      Flags
      P   PROPRIETARY_MODULE, once, first 2025-06-01 00:00:12Z, observed
          a proprietary module was loaded: nvidia, loaded by (udev-worker) (pid
          398)
          cleared 2026-01-06 09:26:40Z: hide_me+0x8 [<img src=x
                  onerror=document.title='owned'>] wrote the mask past
                  add_taint: cleared PWOE
      D   DIE, once, first 2026-01-06 10:00:00Z, logged
          the kernel died in an oops or a BUG, at hide_me+0x40 [rootkit]
      W   WARN, 3195 times, first 2026-01-06 09:13:20Z, observed
          the kernel issued a warning at __alloc_pages+0x1f2
          cleared 2026-01-06 09:26:40Z: hide_me+0x8 [<img src=x
                  onerror=document.title='owned'>] wrote the mask past
                  add_taint: cleared PWOE
      O   OOT_MODULE, 2 times, first 2025-06-01 00:00:12Z, observed
          an out-of-tree module was loaded: nvidia, loaded by (udev-worker) (pid
          398) (once)
          an out-of-tree module was loaded: <img src=x
          onerror=document.title='owned'>, loaded by insmod (pid 7200) (once)
          cleared 2026-01-06 09:26:40Z: hide_me+0x8 [<img src=x
                  onerror=document.title='owned'>] wrote the mask past
                  add_taint: cleared PWOE
      E   UNSIGNED_MODULE, 2 times, first 2025-06-01 00:00:12Z, observed
          an unsigned module was loaded: nvidia, loaded by (udev-worker) (pid
          398) (once)
          an unsigned module was loaded: <img src=x
          onerror=document.title='owned'>, loaded by insmod (pid 7200) (once)
          cleared 2026-01-06 09:26:40Z: hide_me+0x8 [<img src=x
                  onerror=document.title='owned'>] wrote the mask past
                  add_taint: cleared PWOE

      Timeline
      2025-06-01
      00:00:09.500  coverage monitoring began: every layer is in place, tested
                             on every CPU
      00:00:12.000  O        an out-of-tree module was loaded: nvidia, loaded by
                             (udev-worker) (pid 398)
                    request  udev looked for
                             pci:v000010DEd00002204sv00001043sd000087D9bc03sc00i00,
                             the driver of
                             /devices/pci0000:00/0000:00:01.0/0000:01:00.0
                    task     /usr/lib/systemd/systemd-udevd (pid 398, uid 0,
                             unit systemd-udevd.service)
                    parents  systemd-udevd (298) < systemd (1)
                    code     load_module+0x12c4
                    mask     0x0 -> 0x1000
                    evidence observed: watchpoint on the mask, hook on
                             add_taint, hooks around the module loader
      00:00:12.004  P        a proprietary module was loaded: nvidia, loaded by
                             (udev-worker) (pid 398)
                    mask     0x1000 -> 0x1001
                             request, task, parents, code, evidence as before
      00:00:12.008  E        an unsigned module was loaded: nvidia, loaded by
                             (udev-worker) (pid 398)
                    mask     0x1001 -> 0x3001
                             request, task, parents, code, evidence as before
      00:00:12.300  load     nvidia 535.183.01 was loaded by (udev-worker) (pid
                             398), its flags: POE
      2026-01-06
      08:00:00.000  coverage monitoring is degraded: no mask watch: another user
                             has the breakpoint slots (EBUSY)
      08:30:00.000  coverage monitoring ended: stopped by a signal
      09:00:00.000  coverage monitoring began: every layer is in place
      09:10:00.000  O +1     an out-of-tree module was loaded: <img src=x
                             onerror=document.title='owned'>, loaded by insmod
                             (pid 7200)
      09:10:00.004  E +1     an unsigned module was loaded: <img src=x
                             onerror=document.title='owned'>, loaded by insmod
                             (pid 7200)
      09:10:00.300  load     <img src=x onerror=document.title='owned'>
                             1.0"><script>document.title="owned"</script> was
                             loaded by insmod (pid 7200), its flags: OE
      09:11:40.500  failed   zfs 2.1.11-1 failed to load (ENOEXEC) by insmod
                             (pid 7205)
      09:13:20.000  W        the kernel issued a warning at __alloc_pages+0x1f2
                    task     kworker/2:1 (pid 811, uid 0)
                    parents  kthreadd (2)
                    code     __alloc_pages+0x1f2
                    mask     0x3001 -> 0x3201
                    evidence observed: watchpoint on the mask, hook on add_taint
      09:14:01.000  W +3194  the kernel issued a warning at __alloc_pages+0x1f2;
                             the last at 09:18:48.000
      09:20:00.000  lost     41 occurrences counted without detail: the ring was
                             full
      09:26:40.125  mask     hide_me+0x8 [<img src=x
                             onerror=document.title='owned'>] wrote the mask
                             past add_taint: cleared PWOE
                    task     insmod (pid 7200, uid 0, logged in as uid 1001)
                    parents  bash (7101) < sshd (7090) < systemd (1)
                    code     hide_me+0x8 [<img src=x
                             onerror=document.title='owned'>]
                    mask     0x3201 -> 0x0
                    evidence observed: watchpoint on the mask
      10:00:00.400  D        the kernel died in an oops or a BUG, at
                             hide_me+0x40 [rootkit] (logged)
                    code     hide_me+0x40/0x90
                    mask     0x0 -> 0x80
                    log      BUG: kernel NULL pointer dereference, address:
                             0000000000000008
                    evidence logged: what a crash left behind

      Modules
      nvidia
        version  535.183.01
        loaded   2025-06-01 00:00:12Z, no unload recorded
        flags    POE
        set      O, P, E
        licence  NVIDIA
        signed   no
        file     /lib/modules/6.1.0-18-amd64/updates/dkms/nvidia.ko.xz
        build id 4be1a7700c52f8c9d1f20d88a1d3a0b4c7715e21
        sha256 4be1a7700c52f8c9d1f20d88a1d3a0b4c7715e214be1a7700c52f8c9d1f20d88
      <img src=x onerror=document.title='owned'>
        version  1.0"><script>document.title="owned"</script>
        loaded   2026-01-06 09:10:00Z, no unload recorded
        flags    OE
        set      O, E
        licence  GPL</script><script>document.title='owned'</script>\x1b[31m
                 red\u{202e}gnp.exe\x0anew & line
        signed   no
        file     /home/mallory/it's a "module"/&lt;x&gt;.ko
        sha256 9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f
      zfs
        version  2.1.11-1
        failed   zfs 2.1.11-1 failed to load (ENOEXEC) by insmod (pid 7205)
        licence  CDDL
        signed   no
        file     /root/zfs.ko

      Coverage
        monitored 2025-06-01 00:00:09Z to 2026-01-06 08:00:00Z: every layer is
        in place; then no mask watch: another user has the breakpoint slots
        (EBUSY) (29 min 50 s)
        monitored in part 2026-01-06 08:00:00Z to 2026-01-06 08:30:00Z: no mask
        watch: another user has the breakpoint slots (EBUSY); then stopped by a
        signal (30 min 0 s)
        monitored 2026-01-06 09:00:00Z to 2026-01-06 09:59:55Z: every layer is
        in place; then monitoring ended uncleanly: the daemon was killed or the
        power was lost (59 min 55 s)
        not monitored 2025-06-01 00:00:00Z to 2025-06-01 00:00:09Z: before
        monitoring began (9.5 s)
        not monitored 2026-01-06 08:30:00Z to 2026-01-06 09:00:00Z: stopped by a
        signal (30 min 0 s)
        not monitored 2026-01-06 09:59:55Z to 2026-01-06 10:00:00Z: monitoring
        ended uncleanly: the daemon was killed or the power was lost (5.4 s)

      Losses
        2026-01-06 09:20:00Z: 41 occurrences counted without detail: the ring
        was full

    Legend
    W +3          flag W was set already, and was set 3 times more
    observed      a hook in the kernel saw it when it happened
    logged        a line of the kernel log shows it, with its time
    "##);
}

#[test]
fn only_what_was_asked_for() {
    insta::assert_snapshot!(report(B, &[Kind::MaskWrite]), @r##"
    What tainted this kernel
    machine   6f1c8a52d1e94b1f9d3c2b7a90e4f815
    scope     one boot
    made      2026-01-06 11:02:00Z by taintwatch [version]; all times are UTC
    history   1 boot, 1 event

    Boot 1f9b20aa-7c11-4e57-8d20-90aa17c4b002
    kernel    6.1.0-18-amd64
    flags     PDWOE (12929)
    known     2025-06-01 00:00:09Z to 2026-01-06 10:00:00Z, 2 h 29 min
    end       unclean: the kernel left a crash record
    clock     set ahead by 219 d 7 h, after 2025-06-01 00:00:12Z

      Timeline
      2026-01-06
      09:26:40.125  mask     hide_me+0x8 [<img src=x
                             onerror=document.title='owned'>] wrote the mask
                             past add_taint: cleared PWOE
                    task     insmod (pid 7200, uid 0, logged in as uid 1001)
                    parents  bash (7101) < sshd (7090) < systemd (1)
                    code     hide_me+0x8 [<img src=x
                             onerror=document.title='owned'>]
                    mask     0x3201 -> 0x0
                    evidence observed: watchpoint on the mask

      Modules
      <img src=x onerror=document.title='owned'>
        version  1.0"><script>document.title="owned"</script>
        loaded   2026-01-06 09:10:00Z, no unload recorded
        flags    OE
        set      O, E
        licence  GPL</script><script>document.title='owned'</script>\x1b[31m
                 red\u{202e}gnp.exe\x0anew & line
        signed   no
        file     /home/mallory/it's a "module"/&lt;x&gt;.ko
        sha256 9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f

      Coverage
        monitored 2025-06-01 00:00:09Z to 2026-01-06 08:00:00Z: every layer is
        in place; then no mask watch: another user has the breakpoint slots
        (EBUSY) (29 min 50 s)
        monitored in part 2026-01-06 08:00:00Z to 2026-01-06 08:30:00Z: no mask
        watch: another user has the breakpoint slots (EBUSY); then stopped by a
        signal (30 min 0 s)
        monitored 2026-01-06 09:00:00Z to 2026-01-06 09:59:55Z: every layer is
        in place; then monitoring ended uncleanly: the daemon was killed or the
        power was lost (59 min 55 s)
        not monitored 2025-06-01 00:00:00Z to 2025-06-01 00:00:09Z: before
        monitoring began (9.5 s)
        not monitored 2026-01-06 08:30:00Z to 2026-01-06 09:00:00Z: stopped by a
        signal (30 min 0 s)
        not monitored 2026-01-06 09:59:55Z to 2026-01-06 10:00:00Z: monitoring
        ended uncleanly: the daemon was killed or the power was lost (5.4 s)

      Losses
        2026-01-06 09:20:00Z: 41 occurrences counted without detail: the ring
        was full

    Legend
    observed      a hook in the kernel saw it when it happened
    "##);
    assert!(report(B, &[Kind::ModuleUnload]).contains("the history has no such event"));
}

#[test]
fn a_report_of_many_causes_stays_small_and_counts_every_event() {
    let events = history::tests::storm(10_000);
    let history = History::of(&events, &Liveness::default());
    let print_all = |limits| {
        let scope = Scope {
            boots: history.boots.iter().collect(),
            description: "all boots".to_owned(),
            made: Time::unknown(),
            only: None,
            limits,
            fleet: None,
        };
        let selection = Selection::of(&scope);
        let entries = selection.entries();
        let shown: usize = entries.map(|entry| 1 + entry.again.len()).sum();
        assert_eq!(shown + selection.left_out(), events.len());
        let mut layout = Layout::new(MAIL);
        print(&scope, &mut layout);
        (layout.text(), selection.left_out())
    };
    let (text, left_out) = print_all(Limits::TEXT);
    assert!(text.len() < 100_000, "{} bytes", text.len());
    assert!(text.contains(&format!("{left_out} more events not shown one by one")));
    let (text, left_out) = print_all(Limits::FULL);
    assert!(
        text.len() > 500_000 && left_out == 0,
        "{} bytes",
        text.len()
    );
}

#[test]
fn fits_a_mail() {
    let text = report(B, &[]);
    let wide = |line: &&str| line.chars().count() > 80;
    assert_eq!(text.lines().find(wide), None);
}
