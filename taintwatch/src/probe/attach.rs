//! The attach plan: each hook by the first of its mechanisms that this kernel accepts.
//!
//! In: the loaded object, the table of hooks, the kernel's types, what a user ruled out. Out: what was chosen for each
//! hook, and why better mechanisms were not. Nothing is assumed from the kernel's version: a mechanism is tried, and the
//! next one when the kernel refuses it.

use std::time::Instant;

use aya::Ebpf;

use super::{
    attempts::{Refused, hook},
    contract,
    hooks::{Attachment, HOOKS, HookSpec, When, targets::Target},
    links::{Link, Links},
    mechanism::{Mechanism, Without},
    program,
};
use crate::{
    event::Hook,
    kernel::{btf::Btf, build_options::BuildOptions},
};

/// What the plan needs to know of this kernel, and of the user's wishes.
pub(super) struct Plan<'a> {
    /// The kernel's types: for aya, and for the contract.
    pub(super) for_aya: Option<aya::Btf>,
    pub(super) types: Btf,
    pub(super) options: &'a BuildOptions,
    pub(super) without: &'a Without,
}

impl Plan<'_> {
    /// Attaches the functions and tracepoints of the table.
    pub(super) fn attach(&self, ebpf: &mut Ebpf, links: &mut Links, when: When) -> Vec<Hook> {
        let is_called = |spec: &&HookSpec| !matches!(spec.target, Target::Variable(_));
        HOOKS
            .iter()
            .filter(|spec| spec.when == when)
            .filter(is_called)
            .map(|spec| self.attach_first(ebpf, links, spec))
            .collect()
    }

    /// Attaches the first mechanism that works.
    fn attach_first(&self, ebpf: &mut Ebpf, links: &mut Links, spec: &HookSpec) -> Hook {
        if let Some(why) = contract::mismatch(&self.types, spec.target) {
            let mechanism = None;
            return hook(spec.name, None, &[Refused { mechanism, why }]);
        }
        let mut refused = Vec::new();
        for attachment in spec.attachments {
            match self.attach_by(ebpf, *attachment, spec.target) {
                Ok(link) => {
                    links.add(spec.name, link);
                    return hook(spec.name, Some(attachment.mechanism), &refused);
                }
                Err(why) => refused.push(Refused {
                    mechanism: Some(attachment.mechanism),
                    why,
                }),
            }
        }
        hook(spec.name, None, &refused)
    }

    fn attach_by(
        &self,
        ebpf: &mut Ebpf,
        attachment: Attachment,
        target: Target,
    ) -> Result<Link, String> {
        let Attachment { mechanism, program } = attachment;
        let program = program.ok_or("it has no eBPF program")?;
        self.without.allows(mechanism)?;
        let began = Instant::now();
        let tried = self.try_program(ebpf, mechanism, program, target.name());
        log::debug!(
            "{} on {}: {} ms, {:?}",
            mechanism.name(),
            target.name(),
            began.elapsed().as_millis(),
            tried.as_ref().err()
        );
        // What the kernel lacks says more than the error that follows from it.
        tried.map_err(|why| lacking(self.options, mechanism, target).unwrap_or(why))
    }

    fn try_program(
        &self,
        ebpf: &mut Ebpf,
        mechanism: Mechanism,
        program: &str,
        target: &str,
    ) -> Result<Link, String> {
        let for_aya = || {
            let types = self.for_aya.as_ref();
            types.ok_or_else(|| "aya cannot read this kernel's types".to_owned())
        };
        match mechanism {
            Mechanism::Fentry => program::fentry(ebpf, program, target, for_aya()?),
            Mechanism::Fexit => program::fexit(ebpf, program, target, for_aya()?),
            Mechanism::Kprobe | Mechanism::Kretprobe => program::kprobe(ebpf, program, target),
            Mechanism::RawTracepoint => program::raw_tracepoint(ebpf, program, target),
            Mechanism::Breakpoint | Mechanism::Bpf | Mechanism::Proc | Mechanism::Kmsg => {
                Err("it is not attached to a function".to_owned())
            }
        }
    }
}

/// What this kernel was built without, of the things that the mechanism and the target need.
fn lacking(options: &BuildOptions, mechanism: Mechanism, target: Target) -> Option<String> {
    let needs = target.options().iter().chain(mechanism.needs());
    options
        .first_missing(needs.copied())
        .map(|option| format!("this kernel is built without {option}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{kernel::kallsyms::Kallsyms, probe::hooks::by_name};

    fn options(symbols: &str) -> BuildOptions {
        BuildOptions::of(&Kallsyms::parse(symbols.as_bytes()).unwrap())
    }

    #[test]
    fn every_option_that_a_hook_needs_can_be_recognised() {
        let none = options("ffffffff81000000 T add_taint\n");
        for spec in &HOOKS {
            let of_mechanism = spec.attachments.iter();
            let of_mechanism = of_mechanism.flat_map(|it| it.mechanism.needs());
            for option in of_mechanism.chain(spec.target.options()) {
                assert_eq!(none.first_missing([*option].into_iter()), Some(*option));
            }
        }
    }

    #[test]
    fn an_option_that_the_kernel_lacks_is_named() {
        let none = options("ffffffff81000000 T add_taint\n");
        let target = by_name("loader_entry").unwrap().target;
        assert_eq!(
            lacking(&none, Mechanism::Kprobe, target).as_deref(),
            Some("this kernel is built without CONFIG_MODULES")
        );
        let add_taint = by_name("taint_entry").unwrap().target;
        assert_eq!(
            lacking(&none, Mechanism::Kprobe, add_taint).as_deref(),
            Some("this kernel is built without CONFIG_KPROBES")
        );
        let no_modules = options(
            "ffffffff81000000 T register_kprobe\nffffffff81000010 T create_local_trace_kprobe\n",
        );
        assert_eq!(
            lacking(&no_modules, Mechanism::Kprobe, target).as_deref(),
            Some("this kernel is built without CONFIG_MODULES")
        );
        assert_eq!(lacking(&no_modules, Mechanism::Kprobe, add_taint), None);
        let unknown = options("");
        assert_eq!(lacking(&unknown, Mechanism::Kprobe, target), None);
    }
}
