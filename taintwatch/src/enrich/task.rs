//! A task's cgroup, unit and container, and from `/proc` what the eBPF programs could not read.
//!
//! In: an event's task. Out: the same task with more in it. What the eBPF programs read is not replaced. A process
//! that has ended, or whose id is another one's by now, adds nothing: the start time must agree.

use std::{
    fs::File,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
};

use procfs::process::Process;

use super::namespace::{self, Place};
use crate::event::Task;

/// The kernel counts start times in hundredths of a second for `/proc` (`USER_HZ`).
const TICK_NS: u64 = 10_000_000;
/// `loginuid` of a task outside any login session.
const NO_LOGIN: u32 = u32::MAX;
const CGROUPS: &str = "/sys/fs/cgroup";

/// Adds what is known; `cgroup_id` and the place of its executable are what the eBPF programs read.
pub fn task(task: &mut Task, cgroup_id: Option<u64>, exe: Option<Place>) {
    task.cgroup = cgroup_id.and_then(cgroup_by_id);
    mark_exe(task, exe);
    if let Some(process) = same_process(task) {
        from_proc(task, &process);
    }
    task.unit = task.cgroup.as_deref().and_then(unit);
    task.container = task.cgroup.as_deref().and_then(container);
}

/// Marks the path of its executable where its namespace is not this machine's own; the same file may be here all the
/// same.
pub(super) fn mark_exe(task: &mut Task, exe: Option<Place>) {
    if let (Some(_path), Some(place)) = (&task.exe, exe) {
        task.mount_namespace = Some(place.namespace).filter(|number| !namespace::is_own(*number));
    }
}

fn from_proc(task: &mut Task, process: &Process) {
    // It may run another program by now.
    let is_program = process.stat().is_ok_and(|stat| stat.comm == task.comm);
    if task.exe.is_none() && is_program {
        task.exe = process.exe().ok().map(|path| path.display().to_string());
        task.mount_namespace = namespace::number_of(&task.pid.to_string())
            .filter(|namespace| !namespace::is_own(*namespace));
    }
    if task.cmdline.is_empty() && is_program {
        task.cmdline = process.cmdline().unwrap_or_default();
    }
    if task.auid.is_none() {
        task.auid = process.loginuid().ok().filter(|uid| *uid != NO_LOGIN);
    }
    if task.cgroup.is_none() {
        let cgroups = process.cgroups().map(|groups| groups.0).unwrap_or_default();
        let unified = cgroups.into_iter().find(|group| group.hierarchy == 0);
        task.cgroup = unified.map(|group| group.pathname);
    }
}

/// The path of a cgroup below the root of all, by its id: the handle of its folder (`fs/kernfs/mount.c`,
/// `kernfs_fh_to_dentry`), so a task that ended long ago still has it.
pub(super) fn cgroup_by_id(id: u64) -> Option<String> {
    const FILEID_KERNFS: i32 = 0xfe;
    #[repr(C)]
    struct Handle {
        bytes: u32,
        kind: i32,
        id: u64,
    }
    let root = File::open(CGROUPS).ok()?;
    let mut handle = Handle {
        bytes: 8,
        kind: FILEID_KERNFS,
        id,
    };
    // SAFETY: the handle is as long as it says, and the descriptor is open.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_open_by_handle_at,
            root.as_raw_fd(),
            &raw mut handle,
            libc::O_PATH | libc::O_CLOEXEC,
        )
    };
    let fd = i32::try_from(fd).ok().filter(|fd| *fd >= 0)?;
    // SAFETY: the call just opened this descriptor.
    let folder = unsafe { OwnedFd::from_raw_fd(fd) };
    let path = std::fs::read_link(format!("/proc/self/fd/{}", folder.as_raw_fd())).ok()?;
    let below = path.to_str()?.strip_prefix(CGROUPS)?;
    Some(if below.is_empty() {
        "/".to_owned()
    } else {
        below.to_owned()
    })
}

/// The id of the container that a cgroup path names, as container engines do: 64 hexadecimal digits.
fn container(cgroup: &str) -> Option<String> {
    let is_id = |part: &&str| part.len() == 64 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    cgroup
        .rsplit(['/', '-', '.', ':'])
        .find(is_id)
        .map(str::to_owned)
}

fn same_process(task: &Task) -> Option<Process> {
    let process = Process::new(i32::try_from(task.pid).ok()?).ok()?;
    let started = process.stat().ok()?.starttime;
    (started == task.start_boottime_ns? / TICK_NS).then_some(process)
}

/// The innermost systemd unit of a cgroup path.
fn unit(cgroup: &str) -> Option<String> {
    let kind = |part: &str| {
        part.rsplit_once('.')
            .map(|(_name, kind)| kind == "service" || kind == "scope")
    };
    cgroup
        .rsplit('/')
        .find(|part| kind(part) == Some(true))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_innermost_unit() {
        let unit_of = |cgroup| unit(cgroup);
        assert_eq!(
            unit_of("/system.slice/sshd.service").as_deref(),
            Some("sshd.service")
        );
        assert_eq!(
            unit_of("/user.slice/user-0.slice/session-3.scope").as_deref(),
            Some("session-3.scope")
        );
        assert_eq!(unit_of("/"), None);
    }

    #[test]
    fn finds_the_container() {
        let id = "0123456789abcdef".repeat(4);
        let docker = format!("/system.slice/docker-{id}.scope");
        assert_eq!(container(&docker).as_deref(), Some(id.as_str()));
        assert_eq!(container("/user.slice/user-0.slice"), None);
    }

    #[test]
    fn a_process_with_another_start_time_is_another_process() {
        let mut this = Task {
            pid: std::process::id(),
            start_boottime_ns: Some(1),
            ..Task::default()
        };
        task(&mut this, None, None);
        assert_eq!(this.exe, None);
        let stat = Process::myself().unwrap().stat().unwrap();
        this.start_boottime_ns = Some(stat.starttime * TICK_NS);
        task(&mut this, None, None);
        assert_eq!(this.exe, None, "it runs another program by now");
        this.comm = stat.comm;
        task(&mut this, None, None);
        assert!(this.exe.is_some());
    }
}
