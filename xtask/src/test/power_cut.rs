//! An event is on the disk before anybody can read of it: the power goes at random moments, and a second guest looks at
//! what each of them left on the disk.
//!
//! The machine stands still while its disk is copied: a copy has what the machine had written by then, and nothing of its
//! memory. So one guest has as many power cuts as are asked for.

use std::{
    collections::HashSet,
    fs::File,
    hash::{BuildHasher as _, RandomState},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

use super::{guests::run_guest, matrix::Matrix};
use crate::{
    image,
    kernels::Kernel,
    qemu::{Ended, Flow},
    run, vm,
};

/// Mounts the disk in a guest.
pub(super) const MOUNT: &str = "for m in /stock/*.ko; do insmod $m 2>/dev/null; done; mount -t ext4 /dev/vda /mnt || { ls /stock /dev/vd*; dmesg | tail -n 15; exit 9; }\n";

const SIZE: u64 = 64 << 20;
/// Power cuts, unless another number is asked for.
pub(super) const CUTS: usize = 4;
/// Between two power cuts, at the most.
const APART_MS: u64 = 800;
/// What a file system on a part of a disk needs.
const MODULES: [&str; 6] = [
    "virtio_pci",
    "virtio_blk",
    "crc32c_generic",
    "crc32c-cryptoapi",
    "ext4",
    "loop",
];

/// How many are asked for.
static ASKED: AtomicUsize = AtomicUsize::new(CUTS);

pub(super) fn ask(cuts: usize) {
    ASKED.store(cuts.max(1), Ordering::Relaxed);
}

/// An empty disk with a file system.
pub(super) fn disk(kernel: &Kernel, name: &str) -> Result<PathBuf> {
    let disk = image::folder()?.join(format!("{name}-{}.img", kernel.series));
    File::create(&disk)?.set_len(SIZE)?;
    run::quiet(Command::new("/usr/sbin/mkfs.ext4").arg("-q").arg(&disk))
        .context("make a file system")?;
    Ok(disk)
}

/// What readers of the socket had seen when the power went.
struct Cuts {
    seen: Vec<String>,
    /// How many of those, at each cut.
    at: Vec<usize>,
    next: Instant,
}

/// Events come all the time while the power goes again and again: what a reader had seen is in what is left.
pub(super) fn run(kernel: &Kernel, matrix: &mut Matrix) -> Result<()> {
    let number = ASKED.load(Ordering::Relaxed);
    let copies = image::folder()?.join(format!("power-cuts-{}.img", kernel.series));
    File::create(&copies)?.set_len(SIZE * number as u64)?;
    let cuts = cut(kernel, &copies, number, matrix)?;
    ensure!(
        cuts.at.len() == number,
        "{} power cuts of {number}",
        cuts.at.len()
    );
    let left = look(kernel, &copies, number, matrix)?;
    std::fs::remove_file(&copies)?;
    for (cut, (seen, left)) in cuts.at.iter().zip(&left).enumerate() {
        let numbers = left.iter().map(|(_, seq)| *seq);
        ensure!(
            numbers.eq(1..=left.len() as u64),
            "power cut {cut}: the numbers have a gap: {left:?}"
        );
        let ids: HashSet<_> = left.iter().map(|(id, _)| id).collect();
        let lost = cuts.seen.iter().take(*seen).find(|id| !ids.contains(id));
        ensure!(
            lost.is_none(),
            "power cut {cut}: a reader saw the event {lost:?}, and it is not among the {} in the history",
            left.len()
        );
    }
    ensure!(left.len() == number, "{} histories of {number}", left.len());
    matrix.note(format!(
        "        {}: {number} power cuts; readers had seen {:?} events, the histories have {:?}",
        kernel.series,
        cuts.at,
        left.iter().map(Vec::len).collect::<Vec<_>>()
    ));
    Ok(())
}

/// Lets events come, and copies the disk at each power cut.
fn cut(kernel: &Kernel, copies: &Path, number: usize, matrix: &mut Matrix) -> Result<Cuts> {
    let disk = disk(kernel, "power-cut")?;
    let job = format!(
        "{MOUNT}taintwatch --db /mnt/events.db daemon >/tmp/daemon 2>&1 &\n\
         i=0; while [ ! -S /run/taintwatch/events.sock ] && [ $i -lt 600 ]; do sleep 0.1; i=$((i+1)); done\n\
         taintwatch --db /mnt/events.db tail -n 0 --json &\n\
         while insmod /patched/dummy.ko numdummies=0; do rmmod dummy; done >/dev/null 2>&1\n"
    );
    let mut guest = vm::guest(kernel, "power-cut", &job)?;
    image::add_disk_modules(kernel, &mut guest.files)?;
    guest.disk = Some(disk.clone());
    let mut cuts = Cuts {
        seen: Vec::new(),
        at: Vec::new(),
        next: Instant::now(),
    };
    let mut failed = Ok(());
    let ended = run_guest(&guest, matrix, |line, _| {
        let Some((id, _)) = id(line) else {
            return Flow::Continue;
        };
        cuts.seen.push(id);
        if cuts.next > Instant::now() {
            return Flow::Continue;
        }
        let done = guest.paused(|| copy(&disk, copies, cuts.at.len()));
        cuts.at.push(cuts.seen.len());
        cuts.next = Instant::now() + pause();
        let is_over = done.is_err() || cuts.at.len() == number;
        failed = done;
        if is_over { Flow::Kill } else { Flow::Continue }
    })?;
    failed?;
    ensure!(
        ended == Ended::Killed,
        "the guest ended by itself: {ended:?}"
    );
    Ok(cuts)
}

/// Random, and other at each call.
fn pause() -> Duration {
    Duration::from_millis(RandomState::new().hash_one(()) % APART_MS)
}

/// Copies a disk to its place among the copies; what is empty stays so.
fn copy(disk: &Path, copies: &Path, place: usize) -> Result<()> {
    const BLOCK: usize = 1 << 16;
    let (from, to) = (File::open(disk)?, File::options().write(true).open(copies)?);
    let begin = SIZE * place as u64;
    let mut block = vec![0; BLOCK];
    for at in (0..SIZE).step_by(BLOCK) {
        from.read_exact_at(&mut block, at)?;
        if block.iter().any(|byte| *byte != 0) {
            to.write_all_at(&block, begin + at)?;
        }
    }
    Ok(())
}

/// The events of each history: ids and numbers.
fn look(
    kernel: &Kernel,
    copies: &Path,
    number: usize,
    matrix: &mut Matrix,
) -> Result<Vec<Vec<(String, u64)>>> {
    let job = format!(
        "for m in /stock/*.ko; do insmod $m 2>/dev/null; done\n\
         i=0; while [ $i -lt {number} ]; do\n\
         losetup -o $((i*{SIZE})) /dev/loop0 /dev/vda && mount -t ext4 /dev/loop0 /mnt || {{ dmesg | tail; exit 9; }}\n\
         echo \"history $i\"\n\
         taintwatch --db /mnt/events.db report --boot all --json >/tmp/report || exit 8\n\
         grep -o '\"id\":\"[^\"]*\",\"seq\":[0-9]*' /tmp/report\n\
         umount /mnt; losetup -d /dev/loop0; i=$((i+1)); done\n"
    );
    let mut guest = vm::guest(kernel, "power-back", &job)?;
    image::add_modules(kernel, &MODULES, &mut guest.files)?;
    guest.disk = Some(copies.to_owned());
    let mut left: Vec<Vec<(String, u64)>> = Vec::new();
    let mut other = Vec::new();
    let ended = run_guest(&guest, matrix, |line, _| {
        if line.starts_with("history ") {
            left.push(Vec::new());
        } else if let (Some(event), Some(last)) = (id(line), left.last_mut()) {
            last.push(event);
        } else {
            other.push(line.to_owned());
        }
        Flow::Continue
    })?;
    ensure!(
        ended == Ended::Exited(0),
        "it ended with {ended:?} at history {}: {}",
        left.len(),
        other.join("\n")
    );
    Ok(left)
}

/// The id of an event and its number, as `--json` prints them.
fn id(line: &str) -> Option<(String, u64)> {
    let (_, rest) = line.split_once("\"id\":\"")?;
    let (id, rest) = rest.split_once("\",\"seq\":")?;
    let end = rest.find(|c: char| !c.is_ascii_digit());
    let seq = rest.get(..end.unwrap_or(rest.len()))?.parse().ok()?;
    Some((id.to_owned(), seq))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_id_and_the_number_of_an_event() {
        let event = r#"{"schema":1,"id":"ab-1","seq":2,"taint":{"letter":"U"}}"#;
        assert_eq!(id(event), Some(("ab-1".to_owned(), 2)));
        assert_eq!(id(r#""id":"ab-1","seq":17"#), Some(("ab-1".to_owned(), 17)));
        assert_eq!(id(r#"{"waiting":3}"#), None);
        assert_eq!(id("taintwatch: no"), None);
    }

    #[test]
    fn pauses_differ() {
        let all: HashSet<_> = (0..20).map(|_| pause()).collect();
        assert!(all.len() > 5, "{all:?}");
    }
}
