//! Where the mask lies in memory.
//!
//! In: the kernel's symbols, and the capabilities of this process. Out: the address, or what hides it and what to do.

use super::{capability, kallsyms::Kallsyms};

/// Why the address is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Hidden {
    #[error(
        "/proc/kallsyms does not have tainted_mask: use a kernel built with CONFIG_KALLSYMS_ALL"
    )]
    Absent,
    #[error("/proc/kallsyms shows no addresses, since CAP_SYSLOG is missing: run it as root")]
    Capability,
    #[error(
        "/proc/kallsyms shows no addresses, since kernel.kptr_restrict is 2: `sysctl kernel.kptr_restrict=1`, as root"
    )]
    Restricted,
}

/// The mask's address. `status`: of this process, as in `/proc/self/status`.
pub fn find(symbols: &Kallsyms, status: &str) -> Result<u64, Hidden> {
    match symbols.address("tainted_mask") {
        Some(address) => Ok(address),
        None if !symbols.hidden() => Err(Hidden::Absent),
        None if !capability::has(status, capability::SYSLOG) => Err(Hidden::Capability),
        None => Err(Hidden::Restricted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_has_its_own_remedy() {
        let (root, other) = ("CapEff:\t000001ffffffffff\n", "CapEff:\t0\n");
        for (text, status, expected) in [
            (
                "ffffffff82000000 b tainted_mask\n",
                root,
                Ok(0xffff_ffff_8200_0000),
            ),
            ("ffffffff81000000 T add_taint\n", root, Err(Hidden::Absent)),
            ("ffffffff81000000 T add_taint\n", other, Err(Hidden::Absent)),
            (
                "0000000000000000 b tainted_mask\n",
                other,
                Err(Hidden::Capability),
            ),
            (
                "0000000000000000 b tainted_mask\n",
                root,
                Err(Hidden::Restricted),
            ),
        ] {
            let symbols = Kallsyms::parse(text.as_bytes()).unwrap();
            assert_eq!(find(&symbols, status), expected, "{text}{status}");
            // The same where only a few symbols are kept.
            let few = symbols.only(&["tainted_mask"]);
            assert_eq!(find(&few, status), expected, "few: {text}{status}");
        }
    }
}
