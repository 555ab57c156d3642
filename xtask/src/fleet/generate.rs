//! Events of simulated machines.
//!
//! In: how many machines and events. Out: JSON lines, the same for the same numbers: modules in two versions, a kernel that
//! is updated, a warning that comes with the update, and machines that differ. Mixed, and some events twice.

#![expect(
    clippy::indexing_slicing,
    reason = "a key that a JSON value does not have is null"
)]

use std::fmt::Write as _;

use anyhow::Result;
use jiff::{Timestamp, ToSpan as _};
use serde_json::{Value, json};

const KERNELS: [&str; 2] = ["6.1.0-18-amd64", "6.1.0-21-amd64"];
const BEGAN: &str = "2026-03-01T06:00:00Z";

/// Numbers without a pattern, the same each time (`SplitMix64`).
pub(super) struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }
}

/// One boot while its events are made.
struct Boot<'a> {
    machine: u64,
    host: &'a str,
    number: u64,
    began: Timestamp,
    kernel: &'static str,
    mask: u64,
    seq: &'a mut u64,
    lines: &'a mut Vec<String>,
}

/// Makes the lines.
pub(super) fn lines(machines: u64, events: u64) -> Result<Vec<String>> {
    let mut random = Random(7);
    let mut lines = Vec::new();
    let boots = machines * 2;
    for machine in 0..machines {
        let host = format!("{:016x}{:016x}", Random(machine).next(), machine);
        let mut seq = 0;
        for number in 0..2 {
            // As many events in all as are asked for.
            let place = machine * 2 + number;
            let share = events * (place + 1) / boots - events * place / boots;
            let days = i64::try_from(number * 10 + machine % 9)?;
            let began: Timestamp = BEGAN.parse()?;
            let began = began.checked_add((days * 24).hours())?;
            // No two machines do anything at one time.
            let began = began.checked_add(i64::try_from(machine)?.nanoseconds())?;
            let updated = number == 1 && machine % 10 < 7;
            let boot = Boot {
                machine,
                host: &host,
                number,
                began,
                kernel: KERNELS[usize::from(updated)],
                mask: 0,
                seq: &mut seq,
                lines: &mut lines,
            };
            boot.make(share, &mut random)?;
        }
    }
    mix(&mut lines, &mut random);
    Ok(lines)
}

/// Some twice, all out of order.
fn mix(lines: &mut Vec<String>, random: &mut Random) {
    let twice: Vec<_> = lines.iter().step_by(53).cloned().collect();
    lines.extend(twice);
    for place in (1..lines.len()).rev() {
        let other = random.below(place as u64 + 1);
        lines.swap(place, usize::try_from(other).unwrap_or(0));
    }
}

impl Boot<'_> {
    fn make(mut self, share: u64, random: &mut Random) -> Result<()> {
        let end = *self.seq + share;
        let one_in = |number: u64, rest: u64| self.machine % number == rest % number;
        let without_daemon = one_in(71, 11) && self.number == 0;
        let (degraded, restarts) = (one_in(47, 9), one_in(31, 3));
        let (loads, warns) = (self.machine % 10 < 6, one_in(19, 4));
        let (rootkit, loses, alone) = (
            one_in(97, 5),
            one_in(53, 7),
            self.machine == 3 && self.number == 1,
        );
        let new_warning = self.kernel == KERNELS[1] && one_in(5, 2);
        if !without_daemon {
            self.coverage(5, if degraded { "degraded" } else { "began" })?;
        }
        if loads {
            let new = self.machine.is_multiple_of(3) && self.number == 1;
            let version = if new { "550.54" } else { "535.183" };
            for (bit, letter, name) in [(12, "O", "OOT_MODULE"), (0, "P", "PROPRIETARY_MODULE")] {
                self.taint(
                    14,
                    (bit, letter, name),
                    ("module_load", "load_module+0x1"),
                    Some(("nvidia", version)),
                    1,
                )?;
            }
        }
        if alone {
            self.taint(
                15,
                (12, "O", "OOT_MODULE"),
                ("module_load", "load_module+0x1"),
                Some(("homemade", "0.1")),
                1,
            )?;
        }
        if warns {
            self.taint(
                60,
                (9, "W", "WARN"),
                ("kernel_code", "__alloc_pages+0x1f2"),
                None,
                3,
            )?;
        }
        if new_warning {
            self.taint(
                61,
                (9, "W", "WARN"),
                ("kernel_code", "drm_atomic_commit+0x44"),
                None,
                2,
            )?;
        }
        if rootkit {
            let write = json!({
                "taint": {"mask_before": hex(self.mask), "mask_after": "0x0", "bits_cleared": [12], "bits_set": [4]},
                "cause": cause("direct_write"), "caller": "hide_me+0x8 [rowdy]", "module": {"name": "rowdy"},
            });
            self.event("mask_write", 100, write)?;
        }
        if loses {
            let what = if self.number == 0 {
                "detail"
            } else {
                "module_load"
            };
            self.event(
                "lost",
                200,
                json!({"lost": {"count": 41, "reason": "the ring was full", "what": what}}),
            )?;
        }
        if restarts && !without_daemon {
            self.coverage(1000, "ended")?;
            self.coverage(1300 + self.machine % 7, "began")?;
        }
        let mut second = 2000;
        while *self.seq + 1 < end {
            second += random.below(60);
            self.filler(second, warns, random)?;
        }
        if self.number == 0 && !without_daemon {
            self.coverage(second + 100, "ended")?;
        }
        Ok(())
    }

    /// What most of a history is: loads without flags, and repeats.
    fn filler(&mut self, second: u64, warns: bool, random: &mut Random) -> Result<()> {
        if warns && random.below(3) == 0 {
            let count = 1 + random.below(50);
            return self.taint(
                second,
                (9, "W", "WARN"),
                ("kernel_code", "__alloc_pages+0x1f2"),
                None,
                count,
            );
        }
        let kind = ["module_load", "module_unload"][usize::try_from(random.below(2))?];
        let name = ["xfs", "nfsd", "kvm_intel", "veth"][usize::try_from(random.below(4))?];
        self.event(
            kind,
            second,
            json!({"module": {"name": name, "loaded": true}, "task": {
            "pid": 400 + random.below(9999), "tid": 1, "comm": "modprobe", "uid": 0}}),
        )
    }

    fn coverage(&mut self, second: u64, state: &str) -> Result<()> {
        let mut coverage = json!({"state": state, "reason": "as the simulation has it"});
        if state != "ended" {
            coverage["release"] = self.kernel.into();
            coverage["mask"] = hex(self.mask).into();
        }
        self.event("coverage", second, json!({"coverage": coverage}))
    }

    fn taint(
        &mut self,
        second: u64,
        (bit, letter, name): (u32, &str, &str),
        (class, caller): (&str, &str),
        module: Option<(&str, &str)>,
        count: u64,
    ) -> Result<()> {
        let before = self.mask;
        self.mask |= 1 << bit;
        let mut event = json!({
            "taint": {"bit": bit, "letter": letter, "name": name, "vendor": "linux", "first": before & 1 << bit == 0,
                "count": count, "mask_before": hex(before), "mask_after": hex(self.mask)},
            "cause": cause(class), "caller": caller, "context": "task",
            "stack": ["add_taint+0x2d", caller, "do_syscall_64+0x5b", "entry_SYSCALL_64_after_hwframe+0x6e"],
        });
        if let Some((name, version)) = module {
            event["module"] = json!({"name": name, "version": version, "license": "NVIDIA"});
        }
        self.event("taint", second, event)
    }

    fn event(&mut self, kind: &str, second: u64, mut event: Value) -> Result<()> {
        *self.seq += 1;
        let (seq, number) = (*self.seq, self.number);
        let time = self.began.checked_add(i64::try_from(second)?.seconds())?;
        event["schema"] = 1.into();
        event["id"] = format!("{:x}-{number}-{seq}", self.machine).into();
        event["seq"] = seq.into();
        event["kind"] = kind.into();
        event["host"] = self.host.into();
        event["boot_id"] = format!("{:08x}-0000-4000-8000-{number:012x}", self.machine).into();
        event["time"] = format!("{time:.9}").into();
        event["boottime_ns"] = (second * 1_000_000_000).into();
        let mut line = String::new();
        write!(line, "{event}")?;
        self.lines.push(line);
        Ok(())
    }
}

fn hex(mask: u64) -> String {
    format!("{mask:#x}")
}

fn cause(class: &str) -> Value {
    json!({"class": class, "summary": "as the simulation has it", "confidence": "observed", "sources": ["mask_watch", "taint_entry"]})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_numbers_give_the_same_lines() {
        let one = lines(120, 3000).unwrap();
        assert_eq!(one, lines(120, 3000).unwrap());
        let twice = one.len() - one.len() / 54;
        assert!((2800..3700).contains(&twice), "{twice}");
    }
}
