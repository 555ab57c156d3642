//! Lines of the kernel log that show that a flag was set.
//!
//! In: a line's text, without time and priority. Out: the flag, and the module or code that the line
//! names. Total and pure. A line is no proof: most are printed for the first module only, and reports
//! of WARN and oops come before the flag is set.

mod loader;
mod panic;
mod reports;
mod warn_taint;

use super::{
    flags::bit,
    printk_patterns::{At, KERNEL, LOADER},
    release::Release,
};
use loader::{REFUSED, by_loader};
pub use loader::{live_patch, live_patching, loaded, refused};
pub use panic::AtPanic;
pub use reports::module_of;
use reports::{mips_fault, numbered, old_machine_check, slab, trap, warning};
pub use warn_taint::warn_taint;

/// A line that shows that a flag was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaintLine {
    pub bit: u32,
    /// The module that the line names.
    pub module: Option<String>,
    /// The code that the line names, `symbol+0xoffset/0xsize`.
    pub code: Option<String>,
    pub printer: Printer,
    /// The function that prints such a line, as in `callers`.
    pub place: Option<&'static str>,
    /// The vendor whose kernels print such a line.
    pub vendor: &'static str,
    /// The line begins a report of many lines.
    pub report: bool,
}

impl TaintLine {
    /// Parses a line of a kernel that is not known; `None` for most lines.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        Self::parse_on(line, None)
    }

    /// Parses a line that this kernel printed: on older ones some texts set another flag, or none.
    #[must_use]
    pub fn parse_on(line: &str, release: Option<Release>) -> Option<Self> {
        let line = line.trim();
        by_loader(line, release)
            .or_else(|| warning(line))
            .or_else(|| slab(line, release))
            .or_else(|| trap(line))
            .or_else(|| numbered(line))
            .or_else(|| old_machine_check(line))
            .or_else(|| mips_fault(line))
            .or_else(|| by_kernel(line, release))
    }

    fn by_kernel(bit: u32, report: bool) -> Self {
        Self {
            bit,
            module: None,
            code: None,
            printer: Printer::Kernel,
            place: None,
            vendor: "linux",
            report,
        }
    }

    /// Whether a `WARN_TAINT` can have printed it: kernels call that with S, C and I.
    pub(crate) fn can_be_warn_taint(&self) -> bool {
        let flags = [bit::CPU_OUT_OF_SPEC, bit::CRAP, bit::FIRMWARE_WORKAROUND];
        !self.report && flags.contains(&self.bit)
    }
}

/// Which part of the kernel printed the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Printer {
    /// The module loader, about the module it loads.
    Loader,
    /// Anything else.
    Kernel,
}

/// Parts of lines: each line that shows a flag contains one of them.
pub fn marks() -> impl Iterator<Item = &'static str> {
    let kernel = KERNEL.iter().map(|pattern| pattern.text);
    let loader = LOADER.iter().map(|(text, ..)| *text);
    let shapes = [
        "WARNING: ",
        "Tainted: ",
        "Not tainted",
        "[#",
        "kernel tainted.",
        "Machine Check Exception",
        REFUSED,
    ];
    kernel.chain(loader).chain(shapes)
}

/// Whether a text can be a module's name: `MODULE_NAME_LEN` is 56 on 64 bits, 60 on 32. What stands in front of a name
/// in a log is no part of it.
pub(crate) fn is_module_name(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    (1..64).contains(&text.len()) && text.bytes().all(fits)
}

/// Of the texts that blame the BIOS, these are of a `WARN` without a flag of its own (`check_tylersburg_isoch` and
/// `domain_prepare_identity_map`, `drivers/iommu/intel-iommu.c`).
const PLAIN_WARNINGS: [&str; 3] = [
    "RMRR ends before it starts!",
    "RMRR exceeds permitted address width",
    "DMA routed to ISOCH DMAR unit but no TLB space",
];

fn by_kernel(line: &str, release: Option<Release>) -> Option<TaintLine> {
    let pattern = KERNEL.iter().find(|pattern| match pattern.at {
        At::Begin => line.starts_with(pattern.text),
        At::Anywhere => line.contains(pattern.text),
    })?;
    let bit = pattern.bit_on(release)?;
    if PLAIN_WARNINGS.iter().any(|text| line.contains(text)) {
        return None;
    }
    // What the processor corrected is printed alike, without that word (`print_mce`, arch/x86/kernel/cpu/mce/core.c).
    if pattern.place == Some("do_machine_check") && !line.contains("Machine Check Exception") {
        return None;
    }
    Some(TaintLine {
        place: pattern.place,
        vendor: pattern.vendor,
        ..TaintLine::by_kernel(bit, pattern.report)
    })
}

#[cfg(test)]
mod tests;
