//! Modules that lie on a btrfs subvolume, on an overlay, in a container: which file it was, whatever `stat` says of its
//! device and number.
//!
//! In: btrfs at `/mnt`, the modules `/patched` and `/signed`. Out: as the other scenarios.

use std::{
    fs,
    io::Write as _,
    os::fd::AsRawFd as _,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use nix::{
    kmod::{ModuleInitFlags, finit_module},
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
    sys::{
        memfd::{MFdFlags, memfd_create},
        signal::{Signal, kill},
    },
    unistd::{Pid, chdir, chroot},
};
use serde_json::Value;

use crate::{
    causes::{identity::sha256, unload},
    history::History,
    loading::load_file,
    storm::recorder,
};

const UNSIGNED: &str = "/patched/dummy.ko";
const SIGNED: &str = "/signed/dummy.ko";
const PARAMETERS: &str = "numdummies=0";

/// The end of the load of `dummy`.
fn loaded(history: &History) -> Result<Value> {
    history.expect(&[
        ("/kind", "module_load".into()),
        ("/module/name", "dummy".into()),
    ])
}

/// Loads the module at this path; each event of the load has its hash, which is that of `original`.
fn load_and_unload(history: &mut History, path: &str, original: &str) -> Result<Value> {
    load_file(path, PARAMETERS)?;
    let event = loaded(history)?;
    let hash = sha256(original)?;
    let of_load = history.new_events()?;
    for event in &of_load {
        let module = &event["module"];
        ensure!(module["path"] == path, "path: {event}");
        ensure!(module["file_state"] == "as loaded", "state: {event}");
        ensure!(module["sha256"] == hash, "hash: {event}");
        let elsewhere = module.get("mount_namespace").is_some();
        ensure!(!elsewhere, "it is this machine's own path: {event}");
    }
    unload("dummy")?;
    history.catch_up()?;
    Ok(event)
}

/// A file in a subvolume: `stat` gives the device of the subvolume.
pub(crate) fn subvolume(history: &mut History) -> Result<()> {
    make_subvolume("/mnt", "one")?;
    copy(UNSIGNED, "/mnt/one/dummy.ko")?;
    copy(SIGNED, "/mnt/one/signed.ko")?;
    let event = load_and_unload(history, "/mnt/one/dummy.ko", UNSIGNED)?;
    ensure!(event["module"]["signature"] == "none", "signed: {event}");
    let event = load_and_unload(history, "/mnt/one/signed.ko", SIGNED)?;
    let signer = event["module"]["signer"].as_str().unwrap_or_default();
    ensure!(!signer.is_empty(), "no signer: {event}");
    Ok(())
}

/// The file is another one by the time that the recorder looks: by its number, or by its subvolume alone, where
/// the first files have the same number.
pub(crate) fn replaced(history: &mut History) -> Result<()> {
    make_subvolume("/mnt", "two")?;
    copy(SIGNED, "/mnt/two/dummy.ko")?;
    let behind_its_back = |history: &mut History, replace: &dyn Fn() -> Result<()>| {
        let recorder = Pid::from_raw(i32::try_from(recorder()?)?);
        kill(recorder, Signal::SIGSTOP)?;
        let done = load_file("/mnt/one/dummy.ko", PARAMETERS)
            .map_err(anyhow::Error::from)
            .and_then(|()| replace());
        kill(recorder, Signal::SIGCONT)?;
        done?;
        let event = loaded(history)?;
        ensure!(
            event["module"].get("sha256").is_none(),
            "the hash of another file: {event}"
        );
        unload("dummy")?;
        history.catch_up()?;
        Ok(event["module"]["file_state"].clone())
    };
    let state = behind_its_back(history, &|| {
        fs::rename("/mnt/one", "/mnt/was")?;
        Ok(fs::rename("/mnt/two", "/mnt/one")?)
    })?;
    ensure!(state == "changed or replaced since", "subvolume: {state}");
    let state = behind_its_back(history, &|| {
        copy(UNSIGNED, "/mnt/one/next.ko")?;
        Ok(fs::rename("/mnt/one/next.ko", "/mnt/one/dummy.ko")?)
    })?;
    ensure!(state == "replaced since by another file", "file: {state}");
    Ok(())
}

/// Files of each kind that an overlay has: of the lower layer, of the upper one, and moved up by a change.
pub(crate) fn overlay(history: &mut History) -> Result<()> {
    // Two layers on different file systems: `stat` gives devices of their own.
    for file in ["lower", "moved"] {
        copy(UNSIGNED, &format!("/mnt/was/{file}.ko"))?;
    }
    make_overlay("/mnt/was", "/tmp/overlay")?;
    let merged = |file: &str| format!("/tmp/overlay/merged/{file}.ko");
    copy(SIGNED, &merged("upper"))?;
    let moved = fs::File::options().append(true).open(merged("moved"))?;
    moved.set_modified(std::time::SystemTime::UNIX_EPOCH)?;
    drop(moved);
    load_and_unload(history, &merged("lower"), UNSIGNED)?;
    load_and_unload(history, &merged("moved"), UNSIGNED)?;
    load_and_unload(history, &merged("upper"), SIGNED)?;
    Ok(())
}

/// From a file in memory: it has a name, and no path.
pub(crate) fn in_memory(history: &mut History) -> Result<()> {
    let memory = memfd_create("dummy.ko", MFdFlags::empty())?;
    let mut memory = fs::File::from(memory);
    memory.write_all(&fs::read(UNSIGNED)?)?;
    // The kernel takes no module from a file that somebody may write to.
    let readable = format!("/proc/self/fd/{}", memory.as_raw_fd());
    let file = fs::File::open(readable)?;
    drop(memory);
    finit_module(&file, c"numdummies=0", ModuleInitFlags::empty())?;
    let event = loaded(history)?;
    let module = &event["module"];
    ensure!(module["source"] == "file", "source: {event}");
    ensure!(module.get("path").is_none(), "it has no path: {event}");
    let state = module["file_state"].as_str().unwrap_or_default();
    ensure!(state.contains("memfd"), "state: {event}");
    unload("dummy")
}

/// In a container, whose paths are files of other content outside.
pub(crate) fn container(history: &mut History) -> Result<()> {
    let root = "/tmp/overlay/merged";
    for folder in ["bin", "patched"] {
        fs::create_dir_all(format!("{root}/{folder}"))?;
    }
    copy("/bin/busybox", &format!("{root}/bin/busybox"))?;
    // Not signed either, so that both taint; longer, so that their hashes differ.
    let mut other = fs::read(UNSIGNED)?;
    other.extend([0; 64]);
    fs::write(format!("{root}{UNSIGNED}"), other)?;
    let mut inside = Command::new("scenarios")
        .args([
            "inside",
            root,
            "/bin/busybox",
            "insmod",
            UNSIGNED,
            PARAMETERS,
        ])
        .stdin(Stdio::piped())
        .spawn()?;
    let event = loaded(history);
    // Its end: until then somebody is there to see the file.
    drop(inside.stdin.take());
    let status = inside.wait()?;
    ensure!(status.success(), "inside: {status}");
    event?;
    let hash = sha256(&format!("{root}{UNSIGNED}"))?;
    for event in history.new_events()? {
        let (module, task) = (&event["module"], &event["task"]);
        ensure!(module["path"] == UNSIGNED, "path: {event}");
        ensure!(module["mount_namespace"].is_u64(), "the host's: {event}");
        ensure!(module["sha256"] == hash, "hash: {event}");
        ensure!(task["exe"] == "/bin/busybox", "program: {event}");
        let same = task["mount_namespace"] == module["mount_namespace"];
        ensure!(same, "the host's program: {event}");
    }
    unload("dummy")
}

/// The same, and no process is left in the container when the recorder looks.
pub(crate) fn container_gone(history: &mut History) -> Result<()> {
    let recorder = Pid::from_raw(i32::try_from(recorder()?)?);
    kill(recorder, Signal::SIGSTOP)?;
    let root = "/tmp/overlay/merged";
    let status = Command::new("scenarios")
        .args([
            "inside",
            root,
            "/bin/busybox",
            "insmod",
            UNSIGNED,
            PARAMETERS,
        ])
        .stdin(Stdio::null())
        .status();
    kill(recorder, Signal::SIGCONT)?;
    let status = status?;
    ensure!(status.success(), "inside: {status}");
    let event = loaded(history)?;
    let module = &event["module"];
    ensure!(module["mount_namespace"].is_u64(), "the host's: {event}");
    ensure!(module.get("sha256").is_none(), "a guess: {event}");
    let state = module["file_state"].as_str().unwrap_or_default();
    ensure!(state.contains("another mount namespace"), "state: {event}");
    unload("dummy")
}

/// `scenarios inside ROOT PROGRAM ARGUMENTS`: runs a program in a mount namespace whose root is this mount, and stays
/// until its own input ends.
pub(crate) fn inside(root: &str, program: &str, arguments: &[&str]) -> Result<()> {
    unshare(CloneFlags::CLONE_NEWNS)?;
    let nothing = None::<&str>;
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(nothing, "/", nothing, private, nothing)?;
    chdir(root)?;
    mount(Some("."), "/", nothing, MsFlags::MS_MOVE, nothing)?;
    chroot(".")?;
    let status = Command::new(program).args(arguments).status();
    let status = status.with_context(|| format!("run {program}"))?;
    ensure!(status.success(), "{program}: {status}");
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    Ok(())
}

/// A copy whose inode changes no more: the time of a file that was just written may still be moved.
fn copy(from: &str, to: &str) -> Result<()> {
    fs::copy(from, to).with_context(|| format!("copy {from} to {to}"))?;
    std::thread::sleep(Duration::from_millis(20));
    Ok(())
}

fn make_overlay(lower: &str, at: &str) -> Result<()> {
    for folder in ["upper", "work", "merged"] {
        fs::create_dir_all(format!("{at}/{folder}"))?;
    }
    let options = format!("lowerdir={lower},upperdir={at}/upper,workdir={at}/work");
    let merged = format!("{at}/merged");
    let mounted = mount(
        Some("overlay"),
        merged.as_str(),
        Some("overlay"),
        MsFlags::empty(),
        Some(options.as_str()),
    );
    mounted.with_context(|| format!("mount an overlay: {options}"))
}

/// `struct btrfs_ioctl_vol_args` (`include/uapi/linux/btrfs.h`).
#[repr(C)]
pub(crate) struct VolumeArguments {
    fd: i64,
    name: [u8; 4088],
}

// `BTRFS_IOC_SUBVOL_CREATE`.
nix::ioctl_write_ptr!(subvolume_create, 0x94, 14, VolumeArguments);

fn make_subvolume(below: &str, name: &str) -> Result<()> {
    let folder = fs::File::open(below)?;
    let mut arguments = VolumeArguments {
        fd: 0,
        name: [0; 4088],
    };
    let room = arguments.name.iter_mut();
    room.zip(name.bytes()).for_each(|(slot, byte)| *slot = byte);
    // SAFETY: the number of the call goes with the type of its argument.
    let made = unsafe { subvolume_create(folder.as_raw_fd(), &raw const arguments) };
    made.with_context(|| format!("make a subvolume {name}"))?;
    ensure!(Path::new(below).join(name).is_dir(), "no folder {name}");
    Ok(())
}
