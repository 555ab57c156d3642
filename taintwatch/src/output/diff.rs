//! What differs between two boots, as a text.
//!
//! In: the differences. Out: the two boots, then each difference, or that there is none.

use super::{
    format,
    layout::Layout,
    style::{BOLD, DIM},
};
use crate::history::{
    Diff, Identity, Side,
    diff::{Both, Change, Set},
    mark,
};

/// Prints the differences.
pub fn print(diff: &Diff, layout: &mut Layout) {
    layout.title(0, "What differs between two boots");
    for (name, side) in [("A", &diff.a), ("B", &diff.b)] {
        boot(name, side, layout);
    }
    if diff.is_empty() {
        layout.blank();
        layout.indented(0, "nothing that is recorded differs");
    } else if diff.a.releases != diff.b.releases {
        layout.section(0, "Another kernel");
        both(
            layout,
            &diff.a.releases.join(", "),
            &diff.b.releases.join(", "),
        );
    }
    for (name, sets) in [("A", &diff.flags_only_a), ("B", &diff.flags_only_b)] {
        only(&format!("Flags in {name} only"), sets, layout);
    }
    shared("Flags with another cause", &diff.flags_other_cause, layout);
    shared(
        "Flags set more or less often",
        &diff.flags_other_count,
        layout,
    );
    for (name, modules) in [("A", &diff.modules_only_a), ("B", &diff.modules_only_b)] {
        modules_only(&format!("Modules in {name} only"), modules, layout);
    }
    for (number, module) in diff.modules_changed.iter().enumerate() {
        if number == 0 {
            layout.section(0, "Modules that are not the same");
        }
        layout.marked(2, &module.name, module.name.len() + 1, BOLD, "");
        for Change { what, a, b } in &module.changes {
            layout.marked(4, what, 11, DIM, "");
            both(layout, &a.join(", "), &b.join(", "));
        }
    }
    doubts(diff, layout);
}

fn boot(name: &str, side: &Side, layout: &mut Layout) {
    let id = side.boot_id.as_deref().unwrap_or("not known");
    layout.blank();
    layout.marked(0, name, 3, BOLD, &format!("boot {id}"));
    let letters = if side.letters.is_empty() {
        "none"
    } else {
        &side.letters
    };
    let (from, to) = (format::clock(side.from), format::clock(side.to));
    for (what, text) in [
        ("kernel", side.releases.join(", ")),
        ("known", format!("{from} to {to}")),
        ("flags", format!("{letters} ({})", side.mask.0)),
    ] {
        if !text.is_empty() {
            layout.marked(3, what, 8, DIM, &text);
        }
    }
}

/// The two sides of a difference.
fn both(layout: &mut Layout, a: &str, b: &str) {
    for (name, text) in [("A", a), ("B", b)] {
        layout.marked(6, name, 3, DIM, text);
    }
}

fn flag(set: &Set) -> String {
    let name = set.name.as_deref().unwrap_or("no known name");
    format!(
        "{name}, {}, {}",
        format::times(set.count),
        set.confidence.as_str()
    )
}

fn only(title: &str, sets: &[Set], layout: &mut Layout) {
    for (number, set) in sets.iter().enumerate() {
        if number == 0 {
            layout.section(0, title);
        }
        layout.marked(2, &mark(set.bit, set.letter), 4, BOLD, &flag(set));
        for cause in &set.causes {
            layout.indented(6, cause);
        }
    }
}

fn shared(title: &str, sets: &[Both], layout: &mut Layout) {
    for (number, Both { a, b }) in sets.iter().enumerate() {
        if number == 0 {
            layout.section(0, title);
        }
        layout.marked(
            2,
            &mark(a.bit, a.letter),
            4,
            BOLD,
            a.name.as_deref().unwrap_or_default(),
        );
        for (name, set) in [("A", a), ("B", b)] {
            let causes = if set.causes.is_empty() {
                "what set it is not recorded".to_owned()
            } else {
                set.causes.join("; ")
            };
            let sure = set.confidence.as_str();
            let text = format!("{}, {sure}: {causes}", format::times(set.count));
            layout.marked(6, name, 3, DIM, &text);
        }
    }
}

fn modules_only(title: &str, modules: &[Identity], layout: &mut Layout) {
    for (number, module) in modules.iter().enumerate() {
        if number == 0 {
            layout.section(0, title);
        }
        let mut text = module.versions.join(", ");
        if !module.taints.is_empty() {
            text = format!("{text} (its flags: {})", module.taints);
        }
        layout.marked(
            2,
            &module.name,
            module.name.len() + 1,
            BOLD,
            text.trim_start(),
        );
    }
}

/// What is not recorded in a gap may have happened.
fn doubts(diff: &Diff, layout: &mut Layout) {
    let sides = [("A", &diff.a), ("B", &diff.b)];
    let doubtful = sides
        .iter()
        .filter(|(_, side)| side.not_watched > 0 || side.lost > 0);
    for (number, (name, side)) in doubtful.enumerate() {
        if number == 0 {
            layout.section(0, "What this cannot show");
        }
        let intervals = format::number(side.not_watched, "interval");
        let mut parts = vec![format!("{intervals} without full coverage")];
        parts.extend(side.losses.sentences());
        let parts = parts.join(", ");
        layout.indented(
            2,
            &format!("{name}: {parts}; more may have happened than is recorded"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        history::{self, History, tests::fixture},
        output::layout::MAIL,
    };

    #[test]
    fn the_good_boot_against_the_present_one() {
        let (events, liveness) = fixture();
        let history = History::of(&events, &liveness);
        let diff = history::diff(&history.boots[0], &history.boots[2]);
        let mut layout = Layout::new(MAIL);
        print(&diff, &mut layout);
        let text = anstream::adapter::strip_str(&layout.text()).to_string();
        insta::assert_snapshot!(text, @r##"
        What differs between two boots

        A  boot 1f0e7c52-3b64-4d0a-9a41-5c1f2b7de001
           kernel  6.1.0-18-amd64
           known   2026-01-05 08:00:11Z to 2026-01-05 11:59:10Z
           flags   PWOE (12801)

        B  boot c2d4e6f8-0a1b-4c3d-9e5f-6a7b8c9d0003
           kernel  6.1.0-20-amd64
           known   2026-01-06 10:02:10Z to 2026-01-06 11:02:00Z
           flags   PSUOE (12357)

        Another kernel
              A  6.1.0-18-amd64
              B  6.1.0-20-amd64

        Flags in A only
          W   WARN, 14 times, observed
              the kernel issued a warning in code of the module nvidia, at
              nv_drm_atomic_commit+0x1c4 [nvidia]

        Flags in B only
          S   CPU_OUT_OF_SPEC, once, unattributed
              the kernel runs on hardware out of its specification
          U   USER, once, observed
              a write to /proc/sys/kernel/tainted by sh (pid 2301)

        Flags with another cause
          O   OOT_MODULE
              A  once, observed: an out-of-tree module was loaded: nvidia, loaded by
                 (udev-worker) (pid 412)
              B  2 times, listed: the loaded module vboxdrv carries it; an
                 out-of-tree module was loaded: nvidia, loaded by (udev-worker) (pid
                 401)
          E   UNSIGNED_MODULE
              A  once, observed: an unsigned module was loaded: nvidia, loaded by
                 (udev-worker) (pid 412)
              B  2 times, listed: the loaded module vboxdrv carries it; an unsigned
                 module was loaded: nvidia, loaded by (udev-worker) (pid 401)

        Modules in A only
          snd_hda_intel

        Modules in B only
          vboxdrv 7.0.14 r161095 (its flags: OE)

        Modules that are not the same
          nvidia
            version
              A  535.183.01
              B  545.29.06
            build id
              A  4be1a7700c52f8c9d1f20d88a1d3a0b4c7715e21
              B  c81d2f06a7735be94410ff2ab6d8e35527c01944
            sha256
              A  4be1a7700c52f8c9d1f20d88a1d3a0b4c7715e214be1a7700c52f8c9d1f20d88
              B  c81d2f06a7735be94410ff2ab6d8e35527c01944c81d2f06a7735be94410ff2a
            file
              A  /lib/modules/6.1.0-18-amd64/updates/dkms/nvidia.ko.xz
              B  /lib/modules/6.1.0-20-amd64/updates/dkms/nvidia.ko.xz

        What this cannot show
          A: 1 interval without full coverage; more may have happened than is
          recorded
          B: 1 interval without full coverage; more may have happened than is
          recorded
        "##);
        let same = history::diff(&history.boots[0], &history.boots[0]);
        let mut layout = Layout::new(MAIL);
        print(&same, &mut layout);
        assert!(layout.text().contains("nothing that is recorded differs"));
    }
}
