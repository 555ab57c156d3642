//! The history as a text that fits a mail.
//!
//! In: the boots that were asked for. Out: a page: a head, and of each boot the timeline, the flags, the modules,
//! the cover, and what was lost; at the end what the words of confidence promise.

use anstyle::Style;

use super::{
    facts::{
        Asked, Facts, end, evidence, hole_length, hosts, interval_length, mask, module_facts, set,
    },
    human::{self, ALARM, DIM},
    paper::Paper,
    words,
};
use crate::{
    event::Kind,
    history::{self, Boot, Entry},
};

/// Prints the report.
pub fn print(asked: &Asked<'_, '_>, paper: &mut Paper) {
    head(asked, paper);
    for boot in &asked.boots {
        paper.blank();
        boot_head(boot, paper);
        flags(asked, boot, paper);
        timeline(asked, boot, paper);
        modules(asked, boot, paper);
        cover(boot, paper);
        losses(boot, paper);
    }
    promises(asked, paper);
}

const PLAIN: Style = Style::new();
/// Where the text of a fact begins.
const COLUMN: usize = 10;

fn fact(paper: &mut Paper, name: &str, text: &str) {
    paper.marked(0, name, COLUMN, DIM, text);
}

fn head(asked: &Asked<'_, '_>, paper: &mut Paper) {
    paper.title(0, "What tainted this kernel");
    for host in hosts(&asked.boots) {
        fact(paper, "machine", host);
    }
    fact(paper, "asked", &asked.what);
    let made = words::clock(asked.made);
    let version = env!("CARGO_PKG_VERSION");
    fact(
        paper,
        "made",
        &format!("{made} by taintwatch {version}; all times are UTC"),
    );
    fact(paper, "history", &asked.size());
    if asked.events() == 0 {
        paper.indented(0, "the history has no such event");
    }
}

fn boot_head(boot: &Boot<'_>, paper: &mut Paper) {
    match boot.id {
        Some(id) => paper.title(0, &format!("Boot {id}")),
        None => paper.title(0, "Boot not known"),
    }
    if !boot.releases.is_empty() {
        fact(paper, "kernel", &boot.releases.join(", "));
    }
    fact(paper, "flags", &mask(boot));
    let (from, to) = (boot.from, boot.to);
    let length = words::length(words::between(
        (from.time, from.boottime_ns),
        (to.time, to.boottime_ns),
    ));
    let (from, to) = (words::clock(from.time), words::clock(to.time));
    fact(paper, "known", &format!("{from} to {to}, {length}"));
    if let Some(end) = end(boot) {
        fact(paper, "end", end);
    }
    for jump in &boot.jumps {
        fact(paper, "clock", &set(jump));
    }
}

fn timeline(asked: &Asked<'_, '_>, boot: &Boot<'_>, paper: &mut Paper) {
    let shown = boot
        .events
        .iter()
        .copied()
        .filter(|event| asked.shows(event));
    let mut day = None;
    let mut before = Facts::new();
    for entry in history::entries(shown) {
        if day.is_none() {
            section(paper, "Timeline");
        }
        let today = words::day(entry.event.time);
        if day.as_ref() != Some(&today) {
            paper.marked(2, &today, 0, DIM, "");
            day = Some(today);
        }
        timeline_entry(&entry, &mut before, paper);
    }
}

fn section(paper: &mut Paper, title: &str) {
    paper.blank();
    paper.title(2, title);
}

fn timeline_entry(entry: &Entry<'_>, before: &mut Facts, paper: &mut Paper) {
    let event = entry.event;
    let (style, mark) = human::mark(event, entry.count());
    let mut text = human::told(event);
    if let Some(doubt) = human::doubt(event) {
        text = format!("{text} ({doubt})");
    }
    if let Some(last) = entry.again.last() {
        let until = words::time_of_day(last.time);
        text = format!("{text}; the last at {until}");
    }
    let time = words::time_of_day(event.time);
    paper.timed(&time, &mark, style, &text);
    let taint = event.taint.as_ref();
    let first = taint.and_then(|taint| taint.first) != Some(false);
    if matches!(event.kind, Kind::Taint | Kind::MaskWrite) && first {
        let facts = evidence(event);
        // The flags of one load have nearly all in common.
        let (same, other): (Facts, Facts) = facts
            .iter()
            .cloned()
            .partition(|fact| before.contains(fact));
        for (name, value) in &other {
            paper.marked(16, name, 9, DIM, value);
        }
        let same: Vec<_> = same.iter().map(|(name, _)| *name).collect();
        if !same.is_empty() {
            paper.marked(16, "", 9, DIM, &format!("{} as before", same.join(", ")));
        }
        *before = facts;
    }
}

fn flags(asked: &Asked<'_, '_>, boot: &Boot<'_>, paper: &mut Paper) {
    let shown = boot
        .flags
        .iter()
        .filter(|flag| asked.shows_any(&flag.events));
    for (number, flag) in shown.enumerate() {
        if number == 0 {
            section(paper, "Flags");
        }
        let name = flag.name.unwrap_or("no known name");
        let sure = flag.confidence.as_str();
        let text = match flag.first {
            Some(first) => {
                let when = if flag.is_timed() {
                    "first"
                } else {
                    "set before"
                };
                let (times, at) = (words::times(flag.count), words::clock(first.time));
                format!("{name}, {times}, {when} {at}, {sure}")
            }
            None if flag.count == 0 => format!("{name}, {sure}: who set it is not recorded"),
            None => format!(
                "{name}, {} more; its first setting is not recorded",
                words::times(flag.count)
            ),
        };
        paper.marked(2, &flag.mark(), 4, human::BOLD, &text);
        for reason in &flag.reasons {
            let times = if flag.reasons.len() > 1 {
                format!(" ({})", words::times(reason.count))
            } else {
                String::new()
            };
            paper.indented(6, &format!("{}{times}", human::told(reason.first)));
        }
        for event in &flag.cleared {
            let when = words::clock(event.time);
            paper.marked(
                6,
                "cleared",
                8,
                ALARM,
                &format!("{when}: {}", human::told(event)),
            );
        }
    }
}

fn modules(asked: &Asked<'_, '_>, boot: &Boot<'_>, paper: &mut Paper) {
    let shown = boot
        .modules
        .iter()
        .filter(|module| asked.shows_any(&module.events));
    for (number, module) in shown.enumerate() {
        if number == 0 {
            section(paper, "Modules");
        }
        paper.marked(2, module.name, 0, human::BOLD, "");
        for (name, value) in module_facts(module) {
            paper.marked(4, name, 9, DIM, &value);
        }
        for hash in &module.hashes {
            paper.marked(4, "sha256", 7, DIM, hash);
        }
    }
}

fn cover(boot: &Boot<'_>, paper: &mut Paper) {
    let cover = &boot.cover;
    if cover.intervals.is_empty() && cover.holes.is_empty() {
        return;
    }
    section(paper, "Cover");
    for interval in &cover.intervals {
        let text = format!(
            "{} ({})",
            human::interval(interval),
            words::length(interval_length(interval))
        );
        paper.marked(2, "", 2, PLAIN, &text);
    }
    for hole in &cover.holes {
        let text = format!(
            "{} ({})",
            human::hole(hole),
            words::length(hole_length(hole))
        );
        paper.marked(2, "", 2, PLAIN, &text);
    }
}

fn losses(boot: &Boot<'_>, paper: &mut Paper) {
    for (number, event) in boot.losses().enumerate() {
        if number == 0 {
            section(paper, "Losses");
        }
        let when = words::clock(event.time);
        paper.indented(4, &format!("{when}: {}", human::told(event)));
    }
}

fn promises(asked: &Asked<'_, '_>, paper: &mut Paper) {
    let events = asked.boots.iter().flat_map(|boot| &boot.events);
    let causes = events
        .filter(|event| asked.shows(event))
        .filter_map(|event| event.cause.as_ref());
    let mut used: Vec<_> = causes.map(|cause| cause.confidence).collect();
    used.sort();
    used.dedup();
    if used.is_empty() {
        return;
    }
    paper.blank();
    paper.title(0, "How it is known");
    for confidence in used {
        paper.marked(
            0,
            confidence.as_str(),
            14,
            PLAIN,
            words::promise(confidence),
        );
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::{
        event::Time,
        history::{
            History,
            tests::{B, fixture},
        },
        output::paper::MAIL,
    };

    fn report(boot: &str, kinds: &[Kind]) -> String {
        let (events, signs) = fixture();
        let history = History::of(&events, &signs);
        let only: HashSet<_> = events
            .iter()
            .filter(|event| kinds.contains(&event.kind))
            .map(|event| event.seq)
            .collect();
        let asked = Asked {
            boots: history
                .boots
                .iter()
                .filter(|it| it.id == Some(boot))
                .collect(),
            what: "one boot".to_owned(),
            made: Time("2026-01-06T11:02:00Z".parse().unwrap()),
            only: (!kinds.is_empty()).then_some(only),
        };
        let mut paper = Paper::new(MAIL);
        print(&asked, &mut paper);
        let text = anstream::adapter::strip_str(&paper.text()).to_string();
        text.replace(env!("CARGO_PKG_VERSION"), "[version]")
    }

    /// A wall clock that is set, holes, a storm, a mask that is cleared, a lost record, hostile names, a late crash.
    #[test]
    #[expect(clippy::too_many_lines, reason = "a whole report")]
    fn a_boot_with_everything() {
        insta::assert_snapshot!(report(B, &[]), @r##"
        What tainted this kernel
        machine   6f1c8a52d1e94b1f9d3c2b7a90e4f815
        asked     one boot
        made      2026-01-06 11:02:00Z by taintwatch [version]; all times are UTC
        history   1 boot, 24 events

        Boot 1f9b20aa-7c11-4e57-8d20-90aa17c4b002
        kernel    6.1.0-18-amd64
        flags     PDWOE (12929)
        known     2025-06-01 00:00:09Z to 2026-01-06 10:00:00Z, 2 h 29 min
        end       without a word; the kernel left a crash record
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
          00:00:09.500  watch  the watch began: every layer is in place, proven on
                               every CPU
          00:00:12.000  O      an out-of-tree module was loaded: nvidia, loaded by
                               (udev-worker) (pid 398)
                        asked    udev looked for
                                 pci:v000010DEd00002204sv00001043sd000087D9bc03sc00i00,
                                 the driver of
                                 /devices/pci0000:00/0000:00:01.0/0000:01:00.0
                        task     /usr/lib/systemd/systemd-udevd (pid 398, uid 0,
                                 unit systemd-udevd.service)
                        above    systemd-udevd (298) < systemd (1)
                        code     load_module+0x12c4
                        mask     0x0 -> 0x1000
                        known by observed: watchpoint on the mask, hook on
                                 add_taint, hooks around the module loader
          00:00:12.004  P      a proprietary module was loaded: nvidia, loaded by
                               (udev-worker) (pid 398)
                        mask     0x1000 -> 0x1001
                                 asked, task, above, code, known by as before
          00:00:12.008  E      an unsigned module was loaded: nvidia, loaded by
                               (udev-worker) (pid 398)
                        mask     0x1001 -> 0x3001
                                 asked, task, above, code, known by as before
          00:00:12.300  load   nvidia 535.183.01 was loaded by (udev-worker) (pid
                               398), its flags: POE
          2026-01-06
          08:00:00.000  watch  the watch is degraded: no mask watch: another user
                               has the breakpoint slots (EBUSY)
          08:30:00.000  watch  the watch ended: stopped by a signal
          09:00:00.000  watch  the watch began: every layer is in place
          09:10:00.000  O +1   an out-of-tree module was loaded: <img src=x
                               onerror=document.title='owned'>, loaded by insmod
                               (pid 7200)
          09:10:00.004  E +1   an unsigned module was loaded: <img src=x
                               onerror=document.title='owned'>, loaded by insmod
                               (pid 7200)
          09:10:00.300  load   <img src=x onerror=document.title='owned'>
                               1.0"><script>document.title="owned"</script> was
                               loaded by insmod (pid 7200), its flags: OE
          09:11:40.500  failed zfs 2.1.11-1 failed to load (ENOEXEC) by insmod (pid
                               7205)
          09:13:20.000  W      the kernel issued a warning at __alloc_pages+0x1f2
                        task     kworker/2:1 (pid 811, uid 0)
                        above    kthreadd (2)
                        code     __alloc_pages+0x1f2
                        mask     0x3001 -> 0x3201
                        known by observed: watchpoint on the mask, hook on add_taint
          09:14:01.000  W +3194 the kernel issued a warning at __alloc_pages+0x1f2;
                               the last at 09:18:48.000
          09:20:00.000  lost   41 occurrences are counted without their detail: the
                               ring was full
          09:26:40.125  mask   hide_me+0x8 [<img src=x
                               onerror=document.title='owned'>] wrote the mask past
                               add_taint: cleared PWOE
                        task     insmod (pid 7200, uid 0, logged in as uid 1001)
                        above    bash (7101) < sshd (7090) < systemd (1)
                        code     hide_me+0x8 [<img src=x
                                 onerror=document.title='owned'>]
                        mask     0x3201 -> 0x0
                        known by observed: watchpoint on the mask
          10:00:00.400  D      the kernel died in an oops or a BUG, at hide_me+0x40
                               [rootkit] (logged)
                        code     hide_me+0x40/0x90
                        mask     0x0 -> 0x80
                        log      BUG: kernel NULL pointer dereference, address:
                                 0000000000000008
                        known by logged: what a crash left behind

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

          Cover
            watched 2025-06-01 00:00:09Z to 2026-01-06 08:00:00Z: every layer is in
            place; no mask watch: another user has the breakpoint slots (EBUSY) (29
            min 50 s)
            watched in part 2026-01-06 08:00:00Z to 2026-01-06 08:30:00Z: no mask
            watch: another user has the breakpoint slots (EBUSY); stopped by a
            signal (30 min 0 s)
            watched 2026-01-06 09:00:00Z to 2026-01-06 09:59:55Z: every layer is in
            place; the watch ended without a word: it was killed, or the machine
            went down (59 min 55 s)
            not watched 2025-06-01 00:00:00Z to 2025-06-01 00:00:09Z: before the
            watch began (9.5 s)
            not watched 2026-01-06 08:30:00Z to 2026-01-06 09:00:00Z: stopped by a
            signal (30 min 0 s)
            not watched 2026-01-06 09:59:55Z to 2026-01-06 10:00:00Z: the watch
            ended without a word: it was killed, or the machine went down (5.4 s)

          Losses
            2026-01-06 09:20:00Z: 41 occurrences are counted without their detail:
            the ring was full

        How it is known
        observed      a hook in the kernel saw it when it happened
        logged        a line of the kernel's log tells it, with its time
        "##);
    }

    #[test]
    fn only_what_was_asked_for() {
        insta::assert_snapshot!(report(B, &[Kind::MaskWrite]), @r##"
        What tainted this kernel
        machine   6f1c8a52d1e94b1f9d3c2b7a90e4f815
        asked     one boot
        made      2026-01-06 11:02:00Z by taintwatch [version]; all times are UTC
        history   1 boot, 1 event

        Boot 1f9b20aa-7c11-4e57-8d20-90aa17c4b002
        kernel    6.1.0-18-amd64
        flags     PDWOE (12929)
        known     2025-06-01 00:00:09Z to 2026-01-06 10:00:00Z, 2 h 29 min
        end       without a word; the kernel left a crash record
        clock     set ahead by 219 d 7 h, after 2025-06-01 00:00:12Z

          Timeline
          2026-01-06
          09:26:40.125  mask   hide_me+0x8 [<img src=x
                               onerror=document.title='owned'>] wrote the mask past
                               add_taint: cleared PWOE
                        task     insmod (pid 7200, uid 0, logged in as uid 1001)
                        above    bash (7101) < sshd (7090) < systemd (1)
                        code     hide_me+0x8 [<img src=x
                                 onerror=document.title='owned'>]
                        mask     0x3201 -> 0x0
                        known by observed: watchpoint on the mask

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

          Cover
            watched 2025-06-01 00:00:09Z to 2026-01-06 08:00:00Z: every layer is in
            place; no mask watch: another user has the breakpoint slots (EBUSY) (29
            min 50 s)
            watched in part 2026-01-06 08:00:00Z to 2026-01-06 08:30:00Z: no mask
            watch: another user has the breakpoint slots (EBUSY); stopped by a
            signal (30 min 0 s)
            watched 2026-01-06 09:00:00Z to 2026-01-06 09:59:55Z: every layer is in
            place; the watch ended without a word: it was killed, or the machine
            went down (59 min 55 s)
            not watched 2025-06-01 00:00:00Z to 2025-06-01 00:00:09Z: before the
            watch began (9.5 s)
            not watched 2026-01-06 08:30:00Z to 2026-01-06 09:00:00Z: stopped by a
            signal (30 min 0 s)
            not watched 2026-01-06 09:59:55Z to 2026-01-06 10:00:00Z: the watch
            ended without a word: it was killed, or the machine went down (5.4 s)

          Losses
            2026-01-06 09:20:00Z: 41 occurrences are counted without their detail:
            the ring was full

        How it is known
        observed      a hook in the kernel saw it when it happened
        "##);
        assert!(report(B, &[Kind::ModuleUnload]).contains("the history has no such event"));
    }

    #[test]
    fn fits_a_mail() {
        let text = report(B, &[]);
        let wide = |line: &&str| line.chars().count() > 80;
        assert_eq!(text.lines().find(wide), None);
    }
}
