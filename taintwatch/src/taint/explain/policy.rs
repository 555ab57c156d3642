//! How each vendor's support handles a tainted kernel, whatever the flag.

use serde::Serialize;

use crate::taint::tables::Family;

/// How a vendor's support handles a tainted kernel.
#[derive(Debug, Serialize)]
pub struct Policy {
    pub support: &'static str,
    /// What to send, and how.
    pub send: &'static str,
    /// Where it can be read.
    pub sources: &'static [&'static str],
}

/// The policy of a family of vendors.
#[must_use]
pub fn policy(family: Family) -> &'static Policy {
    match family {
        Family::Linux => &LINUX,
        Family::Suse => &SUSE,
        Family::RedHat => &RED_HAT,
        Family::Fedora => &FEDORA,
        Family::Debian => &DEBIAN,
        Family::Ubuntu => &UBUNTU,
        Family::Oracle => &ORACLE,
    }
}

const LINUX: Policy = Policy {
    support: "Kernel developers often ignore reports of tainted kernels, since what tainted the kernel may be the cause: reproduce the fault on an untainted kernel, or say why the flag does not matter.",
    send: "The whole kernel log since the boot, the kernel's version and configuration, and how to reproduce it.",
    sources: &[
        "admin-guide/tainted-kernels.rst",
        "admin-guide/reporting-issues.rst",
    ],
};
const SUSE: Policy = Policy {
    support: "Messages of a tainted kernel are not necessarily to be trusted, and may be about code whose source SUSE does not have; so support is limited. Make every effort to reproduce the fault on a kernel that is untainted, or tainted only with X. Without a joint support agreement with the vendor of a third party's module, SUSE cannot look for the root cause: that vendor has to fix it, or to show that the fault is in SUSE's kernel.",
    send: "A supportconfig archive, the kernel log or the dump (kdump), the `Supported:` line of the report, and `modinfo` of the modules that taint.",
    sources: &[
        "SUSE KB 3582750 (Tainted kernel)",
        "SUSE SolidDriver Program, Joint Support Agreements",
        "SUSE KB 7017442",
    ],
};
const RED_HAT: Policy = Policy {
    support: "Third parties' modules are supported by their vendors; Red Hat may ask to reproduce the fault without them.",
    send: "A sosreport, and the vmcore or vmcore-dmesg (kdump).",
    sources: &[
        "Red Hat KB 40594 (what the flags mean)",
        "Red Hat KB 72403",
        "Red Hat's production support scope of coverage",
    ],
};
const FEDORA: Policy = Policy {
    support: "Reports with a proprietary module are closed, since Fedora cannot fix such a module. ABRT does not send reports of tainted kernels.",
    send: "A report of a kernel without the module, with the whole kernel log.",
    sources: &["Fedora's KernelBugTriage"],
};
const DEBIAN: Policy = Policy {
    support: "reportbug puts the state and its flags into the report; maintainers ask to reproduce the fault without out-of-tree modules.",
    send: "`reportbug` for the running kernel's image package: it collects the state, the modules and the log.",
    sources: &["reportbug and the bug script of Debian's linux package"],
};
const UBUNTU: Policy = Policy {
    support: "Reports are taken; a fault in a module that Ubuntu does not ship goes to the module's authors, and triagers ask for a mainline kernel without it.",
    send: "`ubuntu-bug linux`, or a sosreport for paid support.",
    sources: &["Ubuntu's kernel bug triage pages"],
};
const ORACLE: Policy = Policy {
    support: "Third parties' modules are supported by their vendors; Oracle may ask to reproduce the fault without them.",
    send: "A sosreport, and the vmcore (kdump).",
    sources: &["Oracle Linux support policies"],
};
