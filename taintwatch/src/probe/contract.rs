//! What the eBPF programs rely on in a kernel: how hooked functions are declared, and which members structures have.
//! Checked against the running kernel's BTF before anything is attached, so that a changed one is reported by its name.
//!
//! In: the kernel's types, targets of the table of hooks. Out: what this kernel has instead, or lacks.

use super::hooks::targets::Target;
use crate::kernel::btf::Btf;

/// A member that programs read, and what is not known without it.
pub struct Member {
    pub structure: &'static str,
    pub member: &'static str,
    pub gives: &'static str,
}

impl Member {
    /// `structure.member`
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}.{}", self.structure, self.member)
    }
}

const fn member(structure: &'static str, member: &'static str, gives: &'static str) -> Member {
    Member {
        structure,
        member,
        gives,
    }
}

/// Members that every supported kernel has.
pub const MEMBERS: [Member; 35] = [
    member("pt_regs", "di", "which module is unloaded"),
    member("pt_regs", "bx", "which module a 32-bit program unloads"),
    member(
        "task_struct",
        "mm",
        "the executable and the arguments of a task",
    ),
    member(
        "task_struct",
        "self_exec_id",
        "the program that a task runs",
    ),
    member("task_struct", "comm", "the ancestors of a task"),
    member("task_struct", "loginuid", "the login of a task"),
    member("mm_struct", "exe_file", "the executable of a task"),
    member("mm_struct", "arg_start", "the arguments of a task"),
    member("mm_struct", "arg_end", "the arguments of a task"),
    member("file", "f_path", "paths of files"),
    member("file", "f_inode", "which file a path was"),
    member("path", "dentry", "paths of files"),
    member("path", "mnt", "paths of files"),
    member("inode", "i_ino", "which file a path was"),
    member("inode", "i_sb", "which file a path was"),
    member("super_block", "s_dev", "which file a path was"),
    member("dentry", "d_parent", "paths of files"),
    member("dentry", "d_name", "paths of files"),
    member("qstr", "name", "paths of files"),
    member("mount", "mnt", "paths of files"),
    member("mount", "mnt_parent", "paths of files"),
    member("mount", "mnt_mountpoint", "paths of files"),
    member("mount", "mnt_ns", "in which namespace a path is"),
    member("mnt_namespace", "ns", "in which namespace a path is"),
    member("ns_common", "inum", "in which namespace a path is"),
    member("vfsmount", "mnt_root", "paths of files"),
    member("task_struct", "real_parent", "the parent of a task"),
    member("task_struct", "group_leader", "the start time of a process"),
    member("task_struct", "tgid", "the parent of a task"),
    member(
        "task_struct",
        "start_boottime",
        "the start time of a process",
    ),
    member(
        "load_info",
        "mod",
        "the name of a module that is being loaded",
    ),
    member("module", "name", "the name of a module"),
    member("module", "version", "the version of a module"),
    member("module", "srcversion", "the source version of a module"),
    member("module", "taints", "the flags of a module"),
];

/// The kernel's own declaration of a target, where it is none that the programs know. A function that the kernel does
/// not have is no mismatch: attaching to it fails.
#[must_use]
pub fn mismatch(btf: &Btf, target: Target) -> Option<String> {
    let (found, known) = match target {
        Target::Function(name, known, _) => (btf.prototype(name)?, known),
        Target::Tracepoint(name, known) => (btf.tracepoint(name)?, known),
        Target::Variable(_) | Target::File(_) => return None,
    };
    let name = target.name();
    (!known.contains(&found.as_str())).then(|| {
        format!("this kernel declares {name} as `{found}`, which this program does not know")
    })
}

/// What is not known without the member of this name.
#[must_use]
pub fn gives(name: &str) -> Option<&'static str> {
    let member = MEMBERS.iter().find(|member| member.name() == name)?;
    Some(member.gives)
}

/// Members that this kernel does not have.
pub fn missing(btf: &Btf) -> impl Iterator<Item = &'static Member> {
    MEMBERS
        .iter()
        .filter(|wanted| btf.offset(wanted.structure, wanted.member).is_none())
}

#[cfg(test)]
mod tests {
    use super::{
        super::hooks::{self, TAINT_ENTRY},
        *,
    };
    use crate::kernel::btf::sample::Sample;

    /// `void add_taint(…)` with these parameters, as ids of `sample`.
    fn with_add_taint(mut sample: Sample, parameters: &[u32]) -> Btf {
        let prototype = sample.prototype(0, parameters);
        sample.function("add_taint", prototype);
        sample.parse()
    }

    fn add_taint() -> Target {
        hooks::by_name(TAINT_ENTRY).unwrap().target
    }

    #[test]
    fn a_prototype_that_changed_is_reported_by_its_name() {
        let mut sample = Sample::default();
        let flag = sample.int("unsigned int", 4);
        let lockdep_ok = sample.enumeration("lockdep_ok");
        let known = with_add_taint(sample.clone(), &[flag, lockdep_ok]);
        assert_eq!(mismatch(&known, add_taint()), None);
        let changed = with_add_taint(sample, &[flag]);
        assert_eq!(
            mismatch(&changed, add_taint()).as_deref(),
            Some(
                "this kernel declares add_taint as `void (unsigned int)`, which this program does not know"
            )
        );
    }

    #[test]
    fn a_tracepoint_that_changed_is_reported_by_its_name() {
        let module_free = hooks::by_name(hooks::MODULE_FREE).unwrap().target;
        let with_probe = |second: &str| {
            let mut sample = Sample::default();
            let data = sample.pointer(0);
            let module = sample.structure(second, 8, &[]);
            let module = sample.pointer(module);
            let prototype = sample.prototype(0, &[data, module]);
            let pointer = sample.pointer(prototype);
            sample.typedef("btf_trace_module_free", pointer);
            sample.parse()
        };
        assert_eq!(mismatch(&with_probe("module"), module_free), None);
        let changed = mismatch(&with_probe("other"), module_free).unwrap();
        assert!(changed.contains("module_free as `void (void *, struct other *)`"));
    }

    #[test]
    fn a_function_that_the_kernel_lacks_is_no_mismatch() {
        assert_eq!(mismatch(&Sample::default().parse(), add_taint()), None);
    }

    #[test]
    fn a_member_that_changed_is_reported_by_its_name() {
        let mut sample = Sample::default();
        let number = sample.int("long unsigned int", 8);
        for wanted in &MEMBERS {
            let members: Vec<_> = MEMBERS
                .iter()
                .filter(|other| other.structure == wanted.structure)
                .filter(|other| (other.structure, other.member) != ("module", "srcversion"))
                .map(|other| (other.member, number))
                .collect();
            sample.structure(wanted.structure, 8, &members);
        }
        let btf = sample.parse();
        let lost: Vec<_> = missing(&btf)
            .map(|lost| (lost.structure, lost.member))
            .collect();
        assert_eq!(lost, [("module", "srcversion")]);
    }
}
