//! Lines of the module loader.
//!
//! In: a line's text. Out: the flag and the module that it names.

use super::{Printer, TaintLine, is_module_name};
use crate::taint::{
    flags::bit,
    printk_patterns::{LOADER, bit_on},
    release::Release,
};

/// Up to 4.8 the live patches' own code sets the flag, and its prefix is no module: `livepatch: tainting kernel with
/// TAINT_LIVEPATCH` (`__klp_enable_patch`, `kernel/livepatch/core.c`).
const LIVE_PATCHES: &str = "livepatch";

pub(super) fn by_loader(line: &str, release: Option<Release>) -> Option<TaintLine> {
    let (module, text) = line.split_once(": ")?;
    let known = LOADER
        .iter()
        .find(|(begin, ..)| text.starts_with(begin))
        .map(|(begin, bit, vendor)| (*begin, *bit, *vendor));
    // Any symbol can stand before it: a version that does not agree.
    let forced = || {
        text.ends_with(": kernel tainted.")
            .then_some(("", bit::FORCED_MODULE, "linux"))
    };
    let (begin, bit, vendor) = known.or_else(forced)?;
    let bit = release.map_or(bit, |release| bit_on(release, vendor, bit, begin));
    if module == LIVE_PATCHES {
        return Some(TaintLine {
            vendor,
            ..TaintLine::by_kernel(bit, false)
        });
    }
    is_module_name(module).then(|| TaintLine {
        module: Some(module.to_owned()),
        printer: Printer::Loader,
        vendor,
        ..TaintLine::by_kernel(bit, false)
    })
}
