//! Functions whose last call is `add_taint`: compiled to a jump, they leave no frame.
//!
//! In: a module whose functions the kernel calls through pointers, each in two forms. Out: the module is named in both, and
//! no function of the kernel that only called it.

use std::fs;

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::{
    history::History,
    loading::{caller_has, load},
};

/// Who calls the functions, and in which context.
const CALLERS: [(&str, &str); 6] = [
    ("work", "task"),
    ("tasklet", "softirq"),
    ("timer", "softirq"),
    ("ipi", "hardirq"),
    ("notifier", "task"),
    ("kthread", "task"),
];

pub(crate) fn tail_calls(history: &mut History) -> Result<()> {
    load("tw_tail", "")?;
    for (by, context) in CALLERS {
        for how in ["call", "jump"] {
            history.catch_up()?;
            fire(&format!("6 {by} {how}"))?;
            let event = history.taint("U", "module_code", Some("tw_tail"))?;
            caller_has(&event, "[tw_tail]")?;
            caller_has(&event, how)?;
            // An idle CPU runs what others ask for without an interrupt, in its idle task (`do_idle`, kernel/sched/idle.c).
            let is_idle = by == "ipi" && event["context"] == "task";
            ensure!(
                is_idle || event["context"] == context,
                "{by}, {how}: {event}"
            );
            let is_task = event.get("task").is_some();
            ensure!(is_task == (context == "task"), "{by}, {how}: {event}");
        }
    }
    Ok(())
}

/// Two functions that the same code of the kernel calls: what is only counted is counted by function.
pub(crate) fn repeated(history: &mut History) -> Result<()> {
    const TIMES: u64 = 40;
    history.catch_up()?;
    for by in ["work", "other-work", "tasklet", "timer"] {
        fire(&format!("6 {by} jump {TIMES}"))?;
    }
    let of = |function: &str, event: &Value| {
        event["taint"]["letter"] == "U"
            && event["cause"]["class"] == "module_code"
            && event["module"]["name"] == "tw_tail"
            && event["caller"]
                .as_str()
                .is_some_and(|caller| caller.starts_with(function))
    };
    for function in [
        "tw_tail_work_jump",
        "tw_tail_other_work_jump",
        "tw_tail_tasklet_jump",
        "tw_tail_timer_jump",
    ] {
        crate::storm::counted(history, |event| of(function, event), TIMES)?;
    }
    crate::storm::delete("tw_tail")
}

fn fire(what: &str) -> Result<()> {
    Ok(fs::write("/sys/module/tw_tail/parameters/fire", what)?)
}
