//! What the CPU was running when a report was written: a task, or an interrupt, for which no task is responsible.
//!
//! In: the lines of a report, and its writer where the log names it. Out: what is known, by the stack trace: x86
//! marks in it the stack of an interrupt (`arch/x86/kernel/dumpstack_64.c`), elsewhere a function does that runs in
//! one only. Frames with `?` are left on the stack by earlier calls, and prove nothing.

use crate::{event::Context, klog::marks::begins_trace};

/// What the CPU was running.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ran {
    #[default]
    Unknown,
    Task,
    /// Which kind is not known of each: the stack of hard interrupts serves the soft ones too.
    Interrupt(Option<Context>),
}

/// `__do_softirq` under all its names.
const SOFT: [&str; 4] = [
    "__do_softirq",
    "____do_softirq",
    "handle_softirqs",
    "__softirqentry_text_start",
];
/// They are behind when the interrupt returns, and do not stand below what the task does then.
const HARD: [&str; 9] = [
    "handle_irq_event",
    "handle_irq_event_percpu",
    "__handle_irq_event_percpu",
    "gic_handle_irq",
    "handle_IRQ",
    "asm_do_IRQ",
    "do_IRQ",
    "__handle_domain_irq",
    "handle_domain_irq",
];
/// Between the frames of 32-bit ARM, whose traces had no heading (`dump_backtrace_entry`, `arch/arm/kernel/traps.c`).
const ARM: &str = ") from [<";

/// By the trace and by the name of the writer: `C1` is a CPU that ran no task (`printk_caller_id`).
pub(in crate::klog) fn ran(lines: &[String], caller: Option<&str>) -> Ran {
    let by_trace = by_trace(lines);
    match (by_trace, caller.and_then(|caller| caller.bytes().next())) {
        (Ran::Unknown, Some(b'T')) => Ran::Task,
        (Ran::Unknown | Ran::Task, Some(b'C')) => Ran::Interrupt(None),
        _ => by_trace,
    }
}

fn by_trace(lines: &[String]) -> Ran {
    let mut lines = lines.iter().map(|line| line.trim()).peekable();
    while lines
        .next_if(|line| !begins_trace(line) && !line.contains(ARM))
        .is_some()
    {}
    let mut on_irq_stack = false;
    let mut seen = Ran::Unknown;
    for line in lines.take_while(|line| !is_behind(line)) {
        match section(line) {
            Some("IRQ") => on_irq_stack = true,
            Some("SOFTIRQ") => return Ran::Interrupt(Some(Context::Softirq)),
            Some("NMI") => return Ran::Interrupt(Some(Context::Nmi)),
            Some("#MC") => return Ran::Interrupt(None),
            Some("TASK" | "EOI" | "/IRQ") if on_irq_stack => break,
            Some("TASK" | "EOI") => return Ran::Task,
            _ => {}
        }
        for function in functions(line) {
            seen = Ran::Task;
            if SOFT.contains(&function) {
                return Ran::Interrupt(Some(Context::Softirq));
            }
            if HARD.contains(&function) || (on_irq_stack && is_entry(function)) {
                return Ran::Interrupt(Some(Context::Hardirq));
            }
        }
    }
    if on_irq_stack {
        return Ran::Interrupt(None);
    }
    seen
}

/// `<IRQ>`, `</IRQ>`, in old kernels with the first frame behind it.
fn section(line: &str) -> Option<&str> {
    let line = line
        .strip_prefix("Call Trace:")
        .unwrap_or(line)
        .trim_start();
    line.strip_prefix('<')?.split('>').next()
}

/// Where the vectors of x86 enter (`arch/x86/kernel/irq.c`, `smp.c`, `apic/`): on the stack of interrupts they are so
/// themselves, on a task's they may be returning to it.
fn is_entry(function: &str) -> bool {
    let is_old = function.starts_with("smp_") && function.ends_with("_interrupt");
    let is_vector = ["__sysvec_", "sysvec_"]
        .iter()
        .any(|entry| function.starts_with(entry));
    is_old || is_vector || matches!(function, "common_interrupt" | "__common_interrupt")
}

/// The trace has ended; others can follow, of tasks that allocated or freed the memory before.
fn is_behind(line: &str) -> bool {
    [
        "Allocated",
        "Freed",
        "RIP:",
        "Code:",
        "---[",
        "Modules linked",
    ]
    .iter()
    .any(|begin| line.starts_with(begin))
}

/// The functions of a frame: `f+0x1/0x2`, `[<ffff>] f+0x1/0x2`, `[<8001>] (f) from [<8002>] (g+0x1/0x2)`.
fn functions(line: &str) -> impl Iterator<Item = &str> {
    let is_frame = line.contains("+0x");
    line.split(" from ")
        .filter(move |_| is_frame)
        .filter_map(function)
}

fn function(frame: &str) -> Option<&str> {
    let mut rest = frame;
    while rest.starts_with(['[', '<']) {
        rest = rest
            .split_once(['>', ']'])?
            .1
            .trim_start_matches(['>', ']', ' ']);
    }
    let name = rest.trim_start_matches('(');
    let is_end = |c: char| !c.is_ascii_alphanumeric() && c != '_';
    let end = name.find(is_end).unwrap_or(name.len());
    name.get(..end).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &[&str], caller: Option<&str>) -> Ran {
        let lines: Vec<_> = lines.iter().map(|line| (*line).to_owned()).collect();
        ran(&lines, caller)
    }

    #[test]
    fn the_stack_of_an_interrupt_is_no_tasks() {
        let soft = Ran::Interrupt(Some(Context::Softirq));
        let hard = Ran::Interrupt(Some(Context::Hardirq));
        let cases: [(&[&str], Ran); 10] = [
            (&["Modules linked in:"], Ran::Unknown),
            (&["Call Trace:", " dump_stack+0x6d/0x9a"], Ran::Task),
            (
                &["Call Trace:", " <TASK>", " f+0x1/0x2", " </TASK>"],
                Ran::Task,
            ),
            (
                &[
                    "Call Trace:",
                    " <IRQ>",
                    " call_timer_fn+0x1/0x2",
                    " __do_softirq+0x1/0x2",
                ],
                soft,
            ),
            (
                &[
                    "Call Trace:",
                    " <IRQ>",
                    " f+0x1/0x2",
                    " __sysvec_apic_timer_interrupt+0x1/0x2",
                    " handle_softirqs+0x1/0x2",
                ],
                hard,
            ),
            (
                &[
                    "Call Trace:",
                    " <IRQ>",
                    " f+0x1/0x2",
                    " </IRQ>",
                    " __do_softirq+0x1/0x2",
                ],
                Ran::Interrupt(None),
            ),
            (
                &["Call Trace:", " <NMI>", " f+0x1/0x2"],
                Ran::Interrupt(Some(Context::Nmi)),
            ),
            (
                &[
                    "Call Trace:",
                    " <IRQ>  [<ffffffff81>] ? __do_softirq+0x1/0x2",
                ],
                Ran::Interrupt(None),
            ),
            (
                &[
                    "[<80>] (warn_slowpath_common) from [<81>] (f+0x1/0x2)",
                    "[<8011>] (tasklet_action) from [<8010>] (__do_softirq+0xe0/0x240)",
                    "[<8010>] (__do_softirq) from [<8012>] (irq_exit+0x1/0x2)",
                ],
                soft,
            ),
            (
                &[
                    "Call trace:",
                    " preempt_schedule_irq+0x1/0x2",
                    " el1_interrupt+0x1/0x2",
                ],
                Ran::Task,
            ),
        ];
        for (lines, expected) in cases {
            assert_eq!(of(lines, None), expected, "{lines:?}");
        }
    }

    #[test]
    fn without_a_trace_the_writer_shows_it() {
        assert_eq!(of(&[], Some("T77")), Ran::Task);
        assert_eq!(of(&[], Some("C1")), Ran::Interrupt(None));
        let trace = ["Call trace:", " f+0x1/0x2"];
        assert_eq!(of(&trace, Some("C1")), Ran::Interrupt(None));
    }

    #[test]
    fn traces_of_earlier_users_of_the_memory_do_not_count() {
        let trace = [
            "Call Trace:",
            " f+0x1/0x2",
            "Freed by task 7:",
            " __do_softirq+0x1/0x2",
        ];
        assert_eq!(of(&trace, None), Ran::Task);
    }

    /// `stack_type_name` of x86 names them (`arch/x86/kernel/dumpstack_64.c`).
    #[test]
    fn the_names_of_stacks_show_what_ran() {
        let trace = |name| ["Call Trace:", name, " f+0x1/0x2"];
        assert_eq!(
            of(&trace("<SOFTIRQ>"), None),
            Ran::Interrupt(Some(Context::Softirq))
        );
        assert_eq!(of(&trace("<#MC>"), None), Ran::Interrupt(None));
        assert_eq!(of(&trace("<TASK>"), None), Ran::Task);
    }

    #[test]
    fn an_entry_of_a_vector_has_the_names_beginning_and_end() {
        for (function, expected) in [
            ("smp_apic_timer_interrupt", true),
            ("sysvec_apic_timer_interrupt", true),
            ("common_interrupt", true),
            ("smp_call_function", false),
            ("request_interrupt", false),
        ] {
            assert_eq!(is_entry(function), expected, "{function}");
        }
    }
}
