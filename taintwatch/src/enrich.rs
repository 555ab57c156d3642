//! What `/proc` still knows of a task: executable, arguments, login, cgroup and unit.
//!
//! In: an event's task. Out: the same task with more in it. A process that has ended, or whose id was
//! given to another one since, adds nothing: the start time must agree.

use procfs::process::Process;

use crate::event::Task;

/// Where the kernel lists its modules.
const MODULES: &str = "/proc/modules";
/// The kernel counts start times in hundredths of a second for `/proc` (`USER_HZ`).
const TICK_NS: u64 = 10_000_000;
/// `loginuid` of a task that no login began.
const NO_LOGIN: u32 = u32::MAX;

/// Adds what can be had.
pub fn task(task: &mut Task) {
    let Some(process) = same_process(task) else {
        return;
    };
    task.exe = process.exe().ok().map(|path| path.display().to_string());
    task.cmdline = process.cmdline().unwrap_or_default();
    task.auid = process.loginuid().ok().filter(|uid| *uid != NO_LOGIN);
    let cgroups = process.cgroups().map(|groups| groups.0).unwrap_or_default();
    task.cgroup = cgroups
        .into_iter()
        .find(|group| group.hierarchy == 0)
        .map(|group| group.pathname);
    task.unit = task.cgroup.as_deref().and_then(unit);
}

fn same_process(task: &Task) -> Option<Process> {
    let process = Process::new(i32::try_from(task.pid).ok()?).ok()?;
    let started = process.stat().ok()?.starttime;
    (started == task.start_boottime_ns? / TICK_NS).then_some(process)
}

/// Whether the kernel lists a module; `None` when its list cannot be read.
#[must_use]
pub fn is_listed(module: &str) -> Option<bool> {
    let list = std::fs::read(MODULES).ok()?;
    Some(
        list.split(|byte| *byte == b'\n')
            .any(|line| line.split(|byte| *byte == b' ').next() == Some(module.as_bytes())),
    )
}

/// Modules that are loaded, and where their code and data lie. One piece each up to 6.3; newer kernels tell
/// where the code begins, and the size of all pieces.
#[must_use]
pub fn loaded_modules() -> Vec<(String, std::ops::Range<u64>)> {
    let list = std::fs::read(MODULES).unwrap_or_default();
    let list = String::from_utf8_lossy(&list);
    let parse = |line: &str| {
        let words: Vec<_> = line.split(' ').collect();
        let size: u64 = words.get(1)?.parse().ok()?;
        let start = u64::from_str_radix(words.get(5)?.strip_prefix("0x")?, 16).ok()?;
        Some((
            (*words.first()?).to_owned(),
            start..start.checked_add(size)?,
        ))
        .filter(|_| start != 0)
    };
    list.lines().filter_map(parse).collect()
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
    fn a_process_that_began_at_another_time_is_another_process() {
        let mut this = Task {
            pid: std::process::id(),
            start_boottime_ns: Some(1),
            ..Task::default()
        };
        task(&mut this);
        assert_eq!(this.exe, None);
        let ticks = Process::myself().unwrap().stat().unwrap().starttime;
        this.start_boottime_ns = Some(ticks * TICK_NS);
        task(&mut this);
        assert!(this.exe.is_some());
    }
}
