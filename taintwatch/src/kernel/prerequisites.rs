//! What this kernel must offer, and what it offers.
//!
//! In: capabilities, files of `/sys` and `/proc`. Out: each prerequisite with what was found, what it costs to lack it and
//! what to do; or the first one without which no hook can be tried.

use std::{fs, path::Path};

use nix::sys::statfs::{BPF_FS_MAGIC, statfs};

use super::{
    btf,
    capability::{self, has},
    kallsyms, kmsg, mask_address,
};

/// A thing that monitoring builds on.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Prerequisite {
    pub name: &'static str,
    pub ok: bool,
    /// What was found, or what is missing.
    pub found: String,
    /// What is lost without it, and what to do.
    pub without: &'static str,
    /// No hook can be tried without it.
    pub vital: bool,
}

/// A vital thing is missing.
#[derive(Debug, thiserror::Error)]
#[error("{found}: {without}")]
pub struct Missing {
    pub name: &'static str,
    pub found: String,
    pub without: &'static str,
}

/// Checks that hooks can be tried.
pub fn check() -> Result<(), Missing> {
    match survey().into_iter().find(|found| found.vital && !found.ok) {
        Some(Prerequisite {
            name,
            found,
            without,
            ..
        }) => Err(Missing {
            name,
            found,
            without,
        }),
        None => Ok(()),
    }
}

/// Everything that monitoring builds on, vital things first.
#[must_use]
pub fn survey() -> Vec<Prerequisite> {
    let status = capability::status();
    let lockdown = fs::read_to_string("/sys/kernel/security/lockdown").unwrap_or_default();
    vec![
        capabilities(&status),
        bpf_call(),
        lock(&lockdown),
        types(),
        symbols(&status),
        log(),
        modules(),
        bpffs(),
    ]
}

fn capabilities(status: &str) -> Prerequisite {
    let needed = [
        (capability::PERFMON, "CAP_PERFMON"),
        (capability::BPF, "CAP_BPF"),
    ];
    // `CAP_SYS_ADMIN` stands for both.
    let lacking = needed
        .iter()
        .filter(|(bit, _)| !has(status, *bit) && !has(status, capability::SYS_ADMIN));
    let lacking: Vec<_> = lacking.map(|(_, name)| *name).collect();
    let found = if lacking.is_empty() {
        "CAP_BPF and CAP_PERFMON".to_owned()
    } else {
        format!("this process lacks {}", lacking.join(" and "))
    };
    Prerequisite {
        name: "capabilities",
        ok: lacking.is_empty(),
        found,
        without: "no hook can be attached: run it as root, for example with sudo",
        vital: true,
    }
}

fn bpf_call() -> Prerequisite {
    let ok = has_bpf();
    let found = if ok {
        "the bpf(2) system call"
    } else {
        "this kernel has no bpf(2) system call (CONFIG_BPF_SYSCALL)"
    };
    Prerequisite {
        name: "bpf",
        ok,
        found: found.to_owned(),
        without: "no hook can be attached: use a kernel that is built with it",
        vital: true,
    }
}

fn lock(lockdown: &str) -> Prerequisite {
    let level = lockdown
        .split_once('[')
        .and_then(|(_, rest)| rest.split(']').next());
    let ok = level != Some("confidentiality");
    let level = level.unwrap_or("none");
    let found = if ok {
        format!("lockdown is {level}")
    } else {
        "this kernel is locked down (confidentiality)".to_owned()
    };
    Prerequisite {
        name: "lockdown",
        ok,
        found,
        without: "no BPF program may read kernel memory: boot with lockdown=integrity or none",
        vital: true,
    }
}

fn bpffs() -> Prerequisite {
    const MOUNTED: &str = "/sys/fs/bpf";
    let ok = statfs(MOUNTED).is_ok_and(|it| it.filesystem_type() == BPF_FS_MAGIC);
    let found = if ok {
        format!("a BPF file system at {MOUNTED}")
    } else {
        format!("no BPF file system is mounted at {MOUNTED}")
    };
    Prerequisite {
        name: "bpffs",
        ok,
        found,
        without: "hooks end with the daemon, and what happens until the next one starts is in no history: \
                  `mount -t bpf bpf /sys/fs/bpf`",
        vital: false,
    }
}

fn types() -> Prerequisite {
    let ok = Path::new(btf::PATH).exists();
    let found = if ok {
        "BTF of the kernel's types"
    } else if Path::new("/sys/kernel").exists() {
        "this kernel has no BTF (CONFIG_DEBUG_INFO_BTF)"
    } else {
        "/sys is not mounted, where the kernel's BTF is"
    };
    Prerequisite {
        name: "btf",
        ok,
        found: found.to_owned(),
        without: "no hook can be attached safely: use a kernel that is built with it",
        vital: true,
    }
}

fn symbols(status: &str) -> Prerequisite {
    let (ok, found) = match kallsyms::Kallsyms::read() {
        Ok(symbols) => match mask_address::find(&symbols, status) {
            Ok(_) => (true, "the address of tainted_mask".to_owned()),
            Err(hidden) => (false, hidden.to_string()),
        },
        Err(error) => (false, error.to_string()),
    };
    Prerequisite {
        name: "kallsyms",
        ok,
        found,
        without: "no watchpoint can be set on the mask, only hooks on the functions that set it",
        vital: false,
    }
}

fn log() -> Prerequisite {
    let opened = kmsg::Kmsg::open(kmsg::From::Now);
    let found = match &opened {
        Ok(_) => kmsg::PATH.to_owned(),
        Err(error) => format!("{}: {error}", kmsg::PATH),
    };
    Prerequisite {
        name: "log",
        ok: opened.is_ok(),
        found,
        without: "events have no lines of the kernel log (CONFIG_PRINTK, kernel.dmesg_restrict, CAP_SYSLOG)",
        vital: false,
    }
}

fn modules() -> Prerequisite {
    let ok = Path::new("/proc/modules").exists();
    let found = if ok {
        "loadable modules"
    } else {
        "this kernel has no loadable modules (CONFIG_MODULES)"
    };
    Prerequisite {
        name: "modules",
        ok,
        found: found.to_owned(),
        without: "no module can taint it, and the hooks on the loader have no target",
        vital: false,
    }
}

/// Whether `bpf(2)` exists, asked with a command that does not: EINVAL where it does, ENOSYS where not.
fn has_bpf() -> bool {
    // SAFETY: the kernel rejects an unknown command before it reads the attributes.
    let result = unsafe { libc::syscall(libc::SYS_bpf, i32::MAX, std::ptr::null::<u8>(), 0) };
    result >= 0 || nix::errno::Errno::last() != nix::errno::Errno::ENOSYS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_lockdown_level_in_force() {
        assert!(!lock("none integrity [confidentiality]\n").ok);
        assert!(lock("none [integrity] confidentiality\n").ok);
        assert!(lock("[none] integrity confidentiality\n").ok);
        assert_eq!(lock("").found, "lockdown is none");
    }

    #[test]
    fn names_the_missing_capabilities() {
        let found = |bits: u64| {
            let found = capabilities(&format!("Name:\tx\nCapEff:\t{bits:016x}\nCapBnd:\t0\n"));
            (found.ok, found.found)
        };
        assert_eq!(
            found(0),
            (false, "this process lacks CAP_PERFMON and CAP_BPF".into())
        );
        assert_eq!(found(1 << 38), (false, "this process lacks CAP_BPF".into()));
        assert!(found(1 << 38 | 1 << 39).0);
        assert!(found(1 << 21).0, "CAP_SYS_ADMIN has both");
        assert!(!capabilities("").ok);
    }
}
