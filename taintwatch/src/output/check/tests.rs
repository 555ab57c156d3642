use super::*;
use crate::probe::{
    attempts::{Refused, hook},
    mechanism::Mechanism,
};

fn tried(name: &str, chosen: Option<Mechanism>, refused: &[(Mechanism, &str)]) -> Tried {
    let refused: Vec<_> = refused
        .iter()
        .map(|(mechanism, why)| Refused {
            mechanism: Some(*mechanism),
            why: (*why).to_owned(),
        })
        .collect();
    Tried {
        hook: hook(name, chosen, &refused),
        sees: "what it sees",
        without: "what is lost, in as many words as it takes",
    }
}

fn prerequisite(name: &'static str, ok: bool, found: &str) -> Prerequisite {
    Prerequisite {
        name,
        ok,
        found: found.to_owned(),
        without: "the cost of that",
        vital: false,
    }
}

fn printed(check: &Check) -> String {
    let mut layout = Layout::new(72);
    print(check, &mut layout);
    anstream::adapter::strip_str(&layout.text()).to_string()
}

#[test]
fn one_reason_is_printed_once_for_all_its_hooks() {
    let no_direct_calls = "this kernel is built without CONFIG_FUNCTION_TRACER";
    let no_kprobes = "this kernel is built without CONFIG_KPROBES";
    let entry = [
        (Mechanism::Fentry, no_direct_calls),
        (Mechanism::Kprobe, no_kprobes),
    ];
    let exit = [
        (Mechanism::Fexit, no_direct_calls),
        (Mechanism::Kretprobe, no_kprobes),
    ];
    let hidden = "/proc/kallsyms shows no addresses";
    let check = Check {
        kernel: "6.1.0".to_owned(),
        coverage: "polled",
        reason: Some(format!("no hooks: all were refused. {LIMITS}")),
        self_test: None,
        prerequisites: vec![
            prerequisite("bpf", true, "the bpf(2) system call"),
            prerequisite("kallsyms", false, hidden),
            prerequisite("log", false, "/dev/kmsg: no"),
        ],
        hooks: vec![
            tried("mask_watch", None, &[(Mechanism::Breakpoint, hidden)]),
            tried("taint_entry", None, &entry),
            tried("sysctl_entry", None, &entry),
            tried("sysctl_exit", None, &exit),
            tried("mask", Some(Mechanism::Proc), &[]),
        ],
        missing_members: vec!["module.taints".to_owned()],
    };
    insta::assert_snapshot!(printed(&check), @r"
    6.1.0: polled: no hook sees a taint, only the mask and the kernel log
    are read
    why  no hooks: all were refused
    lost repeats, writes that are undone at once, and the task are not seen
         unless the kernel prints them

    missing
      -- log            /dev/kmsg: no
                        lost the cost of that
      -- member         module.taints is not in this kernel's types
                        lost the flags of a module
      -- mask_watch     breakpoint: /proc/kallsyms shows no addresses
                        lost what is lost, in as many words as it takes
      -- 3 hooks        fentry, fexit: this kernel is built without
                        CONFIG_FUNCTION_TRACER; kprobe, kretprobe: this
                        kernel is built without CONFIG_KPROBES
                        taint_entry    what is lost, in as many words as it
                                       takes
                        sysctl_entry   what is lost, in as many words as it
                                       takes
                        sysctl_exit    what is lost, in as many words as it
                                       takes

    in place
      ok reconcile      mask (proc)
      ok this kernel    the bpf(2) system call
    ");
}

#[test]
fn full_coverage_is_a_few_lines() {
    let out = [(Mechanism::Fentry, "ruled out by --without")];
    let check = Check {
        kernel: "6.1.0".to_owned(),
        coverage: "full",
        reason: None,
        self_test: Some("a watchpoint reached the program on every CPU".to_owned()),
        prerequisites: vec![
            prerequisite("bpf", true, "the bpf(2) system call"),
            prerequisite("lockdown", true, "lockdown is none"),
        ],
        hooks: vec![
            tried("mask_watch", Some(Mechanism::Breakpoint), &[]),
            tried("taint_entry", Some(Mechanism::Kprobe), &out),
            tried("sysctl_entry", Some(Mechanism::Kprobe), &out),
            tried("module_load", Some(Mechanism::RawTracepoint), &[]),
        ],
        missing_members: Vec::new(),
    };
    insta::assert_snapshot!(printed(&check), @r"
    6.1.0: full coverage: every change of the taint state is recorded

    in place
      ok mask watch     mask_watch (breakpoint)
      ok taint entry    taint_entry (kprobe), sysctl_entry (kprobe)
      ok loader slot    module_load (raw_tracepoint)
      .. second choice  fentry: ruled out by --without
      ok self-test      a watchpoint reached the program on every CPU
      ok this kernel    the bpf(2) system call, lockdown is none
    ");
}
