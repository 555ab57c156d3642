//! Warnings that set another flag than W: those of `WARN_TAINT`.
//!
//! In: the line of a warning. Out: the flag, by the function and the file that the line names. Its text stands in front of
//! the line or behind it, and can be lost.

use super::TaintLine;
use crate::taint::flags::bit::{self, CPU_OUT_OF_SPEC, FIRMWARE_WORKAROUND};

/// A function that calls `WARN_TAINT`, and calls no other `WARN`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WarnTaint {
    pub function: &'static str,
    /// The end of the file's path; the functions of the same name elsewhere are others.
    file: &'static str,
    pub bit: u32,
}

const fn at(function: &'static str, file: &'static str, bit: u32) -> WarnTaint {
    WarnTaint {
        function,
        file,
        bit,
    }
}

/// As in 2.6.35 to 7.3; those of Intel's IOMMU up to 5.6, after which they print a line and set the flag themselves.
#[rustfmt::skip]
const PLACES: [WarnTaint; 16] = [
    at("warn_invalid_dmar", "dmar.c", FIRMWARE_WORKAROUND),
    at("check_zero_address", "dmar.c", FIRMWARE_WORKAROUND),
    at("dmar_parse_one_andd", "dmar.c", FIRMWARE_WORKAROUND),
    at("dmar_parse_one_rhsa", "dmar.c", FIRMWARE_WORKAROUND),
    at("dmar_parse_one_rmrr", "intel-iommu.c", FIRMWARE_WORKAROUND),
    at("quirk_ioat_snb_local_iommu", "intel-iommu.c", FIRMWARE_WORKAROUND),
    at("ioat_dca_init", "dca.c", FIRMWARE_WORKAROUND),
    at("ioat2_dca_init", "dca.c", FIRMWARE_WORKAROUND),
    at("ioat3_dca_init", "dca.c", FIRMWARE_WORKAROUND),
    at("iort_find_rmrs", "iort.c", FIRMWARE_WORKAROUND),
    at("iort_scan_node", "iort.c", FIRMWARE_WORKAROUND),
    at("hyp_mode_check", "smp.c", CPU_OUT_OF_SPEC),
    at("gic_check_cpu_features", "irq-gic.c", CPU_OUT_OF_SPEC),
    at("update_cpu_features", "cpufeature.c", CPU_OUT_OF_SPEC),
    at("arch_setup_dma_ops", "dma-mapping.c", CPU_OUT_OF_SPEC),
    at("arch_setup_dma_ops", "dma-noncoherent.c", CPU_OUT_OF_SPEC),
];

/// The place of a `WARN_TAINT` that a warning names.
#[must_use]
pub fn warn_taint(warning: &TaintLine, line: &str) -> Option<WarnTaint> {
    let function = warning.code.as_deref()?.split(['+', '.']).next()?;
    let is_warning = warning.bit == bit::WARN && warning.report && warning.module.is_none();
    let is_it = |place: &&WarnTaint| place.function == function && is_of_file(line, place.file);
    PLACES.iter().find(is_it).copied().filter(|_| is_warning)
}

/// Whether the line names the file, `drivers/iommu/dmar.c:844`; kernels without debug strings name none.
fn is_of_file(line: &str, file: &str) -> bool {
    let mut words = line.split([' ', '/']);
    let names_one = line.contains(".c:");
    !names_one
        || words.any(|word| {
            word.strip_prefix(file)
                .is_some_and(|rest| rest.starts_with(':'))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_shows_the_flag_and_no_other_function_does() {
        for (line, expected) in [
            (
                "WARNING: CPU: 0 PID: 0 at drivers/iommu/dmar.c:844 warn_invalid_dmar+0x70/0x7d",
                Some(11),
            ),
            (
                "WARNING: at drivers/pci/dmar.c:633 warn_invalid_dmar+0x77/0x85()",
                Some(11),
            ),
            (
                "WARNING: CPU: 0 PID: 1 at warn_invalid_dmar+0x70/0x7d",
                Some(11),
            ),
            (
                "WARNING: CPU: 0 PID: 1 at arch/arm64/kernel/smp.c:425 hyp_mode_check+0x6c/0x80",
                Some(2),
            ),
            (
                "WARNING: CPU: 0 PID: 1 at kernel/smp.c:425 smp_call_function_many+0x6c/0x80",
                None,
            ),
            (
                "WARNING: CPU: 0 PID: 1 at x/other.c:4 warn_invalid_dmar+0x70/0x7d",
                None,
            ),
            (
                "WARNING: CPU: 0 PID: 1 at x/dmar.c:4 warn_invalid_dmar+0x70/0x7d [evil]",
                None,
            ),
        ] {
            let warning = TaintLine::parse(line).unwrap();
            let found = warn_taint(&warning, line).map(|place| place.bit);
            assert_eq!(found, expected, "{line}");
        }
    }
}
