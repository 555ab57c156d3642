//! What the kernel half relies on in a kernel, in one place: how hooked functions are declared, and
//! which members structures have. Checked against the running kernel's BTF before anything is hooked, so
//! that a kernel that changed one is told by its name.
//!
//! In: the kernel's types. Out: for each hook or member what the kernel has, when that is something else.

use crate::kernel::btf::Btf;

/// A function that a program is hooked to, and each way in which 5.10 to 7.3 declare it.
const FUNCTIONS: [(&str, &[&str]); 7] = [
    // The wrapper that system calls get (arch/x86/include/asm/syscall_wrapper.h).
    (
        "__x64_sys_delete_module",
        &["long int (const struct pt_regs *)"],
    ),
    // security/security.c; the third parameter since 5.10.
    (
        "security_kernel_read_file",
        &["int (struct file *, enum kernel_read_file_id, bool)"],
    ),
    (
        "security_kernel_load_data",
        &["int (enum kernel_load_data_id, bool)"],
    ),
    // kernel/panic.c; `enum lockdep_ok` since 2.6.39.
    ("add_taint", &["void (unsigned int, enum lockdep_ok)"]),
    // kernel/sysctl.c, from 6.16 on kernel/panic.c; the table is const since 6.11.
    (
        "proc_taint",
        &[
            "int (struct ctl_table *, int, void *, size_t *, loff_t *)",
            "int (const struct ctl_table *, int, void *, size_t *, loff_t *)",
        ],
    ),
    // kernel/panic.c
    (
        "__warn",
        &["void (const char *, int, void *, unsigned int, struct pt_regs *, struct warn_args *)"],
    ),
    // kernel/module.c, from 5.19 on kernel/module/main.c
    (
        "load_module",
        &["int (struct load_info *, const char *, int)"],
    ),
];

/// Tracepoints (`include/trace/events/module.h`), as their probes are called.
const TRACEPOINTS: [(&str, &str); 3] = [
    (
        "module_request",
        "void (void *, char *, bool, long unsigned int)",
    ),
    ("module_load", "void (void *, struct module *)"),
    ("module_free", "void (void *, struct module *)"),
];

/// A member that programs read, and what is not known without it.
pub struct Member {
    pub structure: &'static str,
    pub member: &'static str,
    pub tells: &'static str,
}

const fn member(structure: &'static str, member: &'static str, tells: &'static str) -> Member {
    Member {
        structure,
        member,
        tells,
    }
}

/// Members that every kernel from 5.10 to 7.3 has.
pub const MEMBERS: [Member; 30] = [
    member("pt_regs", "di", "which module an unload is of"),
    member("task_struct", "mm", "the program that a task runs"),
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
    member("vfsmount", "mnt_root", "paths of files"),
    member("task_struct", "real_parent", "the parent of a task"),
    member("task_struct", "group_leader", "when a process began"),
    member("task_struct", "tgid", "the parent of a task"),
    member("task_struct", "start_boottime", "when a process began"),
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

/// The kernel's own declaration of a hook, when it is none that the programs know. `None` is as it should
/// be, and also a function that the kernel does not have: hooking it then fails by itself.
#[must_use]
pub fn differs(btf: &Btf, target: &str) -> Option<String> {
    if let Some((_, known)) = TRACEPOINTS.iter().find(|(name, _)| *name == target) {
        return btf.tracepoint(target).filter(|found| found != known);
    }
    let (_, known) = FUNCTIONS.iter().find(|(name, _)| *name == target)?;
    btf.prototype(target)
        .filter(|found| !known.contains(&found.as_str()))
}

/// Members that this kernel does not have.
pub fn missing(btf: &Btf) -> impl Iterator<Item = &'static Member> {
    MEMBERS
        .iter()
        .filter(|wanted| btf.offset(wanted.structure, wanted.member).is_none())
}
