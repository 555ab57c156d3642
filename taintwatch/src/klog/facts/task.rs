//! The task that a report names, and the lines that cannot be of it because they name another.
//!
//! In: a line's text. Out: name and pid.

use crate::klog::marks::{cpu_of, number_behind};

/// Who the first line of a report says was running, as far as it does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::klog) struct Runner {
    cpu: Option<u32>,
    pid: Option<u32>,
}

impl Runner {
    pub(in crate::klog) fn of(line: &str) -> Self {
        let of_warning = || number_behind(line.strip_prefix("WARNING: CPU: ")?, " PID: ");
        Self {
            cpu: cpu_of(line),
            pid: named(line).map(|(_, pid)| pid).or_else(of_warning),
        }
    }

    pub(super) fn pid(self) -> Option<u32> {
        self.pid
    }

    /// Whether a line names the running task of another report. One task can move to another CPU within a report; the
    /// idle tasks of all CPUs have one number.
    pub(in crate::klog) fn is_other(self, line: &str) -> bool {
        let Some((_, pid)) = comm_line(line) else {
            return false;
        };
        let cpu_differs =
            || matches!((self.cpu, cpu_of(line)), (Some(own), Some(cpu)) if own != cpu);
        match self.pid {
            Some(own) if own != pid => true,
            Some(own) if own != 0 => false,
            _ => cpu_differs(),
        }
    }
}

/// Name and pid of the running task, in all the shapes in which reports name it.
pub(in crate::klog) fn named(line: &str) -> Option<(&str, u32)> {
    let (comm, pid) = comm_line(line)
        .or_else(|| stuck(line))
        .or_else(|| new_warning(line))
        .or_else(|| process(line))
        .or_else(|| by_task(line))
        .or_else(|| atomic(line))?;
    // The task of a machine whose memory is broken can be without a name.
    Some((comm.trim(), pid)).filter(|(comm, _)| !comm.is_empty())
}

/// `CPU: 1 UID: 0 PID: 7 Comm: NAME Tainted: …`; before 3.11 `Pid: 7, comm: NAME Tainted: …`.
fn comm_line(line: &str) -> Option<(&str, u32)> {
    let (pid, rest) = match line.split_once(" Comm: ") {
        Some((before, rest)) => (number_behind(before, "PID: ")?, rest),
        None => (
            number_behind(line, "Pid: ")?,
            line.split_once(", comm: ")?.1,
        ),
    };
    // The name may hold these words itself; the kernel's own stand last.
    let end = [" Kdump: ", " Tainted: ", " Not tainted"]
        .iter()
        .filter_map(|word| rest.rfind(word))
        .min()
        .unwrap_or(rest.len());
    Some((rest.get(..end)?, pid))
}

/// `BUG: soft lockup - CPU#0 stuck for 22s! [NAME:1]`.
fn stuck(line: &str) -> Option<(&str, u32)> {
    let (_, task) = line.split_once(" stuck for ")?.1.split_once('[')?;
    let (comm, pid) = task.trim_end().strip_suffix(']')?.rsplit_once(':')?;
    Some((comm, pid.parse().ok()?))
}

/// `WARNING: … at …, CPU#3: NAME/88`, from 6.19 on.
fn new_warning(line: &str) -> Option<(&str, u32)> {
    let (_, rest) = line.strip_prefix("WARNING: ")?.rsplit_once(", CPU#")?;
    let (comm, pid) = rest.split_once(": ")?.1.rsplit_once('/')?;
    Some((comm, pid.trim().parse().ok()?))
}

/// `Process NAME (pid: 7, threadinfo …)`, of old kernels.
fn process(line: &str) -> Option<(&str, u32)> {
    let (comm, rest) = line.strip_prefix("Process ")?.split_once(" (pid: ")?;
    Some((comm, rest.split([',', ')']).next()?.trim().parse().ok()?))
}

/// `Read of size 8 at addr … by task NAME/77` (KASAN).
fn by_task(line: &str) -> Option<(&str, u32)> {
    let (comm, pid) = line.split_once(" by task ")?.1.rsplit_once('/')?;
    Some((comm, pid.trim_end_matches(':').parse().ok()?))
}

/// `BUG: scheduling while atomic: NAME/77/0x00000002`, `in_atomic(): 1, …, pid: 77, name: NAME`.
fn atomic(line: &str) -> Option<(&str, u32)> {
    if let Some(rest) = line.strip_prefix("BUG: scheduling while atomic: ") {
        let (comm, pid) = rest.rsplit_once('/')?.0.rsplit_once('/')?;
        return Some((comm, pid.parse().ok()?));
    }
    let comm = line.strip_prefix("in_atomic(): ")?.split_once("name: ")?.1;
    Some((comm, number_behind(line, "pid: ")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_are_named_in_many_ways() {
        for (line, comm, pid) in [
            (
                "CPU: 1 UID: 0 PID: 7 Comm: a b Tainted: G        W          6.12.1 #1",
                "a b",
                7,
            ),
            (
                "CPU: 1 PID: 7 Comm: x Kdump: loaded Not tainted 5.14.0-70.el9 #1",
                "x",
                7,
            ),
            (
                "Pid: 77, comm: insmod Tainted: P           2.6.32-5-amd64 #1",
                "insmod",
                77,
            ),
            (
                "BUG: soft lockup - CPU#2 stuck for 22s! [kworker/2:1:88]",
                "kworker/2:1",
                88,
            ),
            (
                "WARNING: x.c:9 at f+0x1/0x2, CPU#3: kworker/3:1/88",
                "kworker/3:1",
                88,
            ),
            ("Process insmod (pid: 12, ti=c1 task=c2)", "insmod", 12),
            ("Read of size 8 at addr ffff by task cat/55", "cat", 55),
            (
                "BUG: scheduling while atomic: swapper/0/1/0x00000002",
                "swapper/0",
                1,
            ),
        ] {
            assert_eq!(named(line), Some((comm, pid)), "{line}");
        }
    }

    #[test]
    fn another_task_is_not_the_one_that_the_first_line_names() {
        let comm = |cpu: u32, pid: u32| {
            format!("CPU: {cpu} PID: {pid} Comm: java Not tainted 5.4.0-42-generic #46-Ubuntu")
        };
        let warning = Runner::of("WARNING: CPU: 1 PID: 77 at x.c:12 f+0x1/0x2 [foo]");
        assert!(warning.is_other(&comm(3, 4242)));
        assert!(!warning.is_other(&comm(1, 77)));
        assert!(!warning.is_other(&comm(3, 77)), "it moved");
        let idle = Runner::of("WARNING: CPU: 1 PID: 0 at x.c:12 f+0x1/0x2");
        assert!(idle.is_other(&comm(3, 0)));
        let unknown = Runner::of("Oops: 0002 [#1] SMP PTI");
        assert!(!unknown.is_other(&comm(3, 4242)));
        let locked = Runner::of("watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [a:7]");
        assert!(locked.is_other(&comm(1, 8)));
        assert!(!locked.is_other("Modules linked in: a"));
    }
}
