//! Lines of the module loader.
//!
//! In: a line's text. Out: the flag and the module that it names.

use super::{Printer, TaintLine, is_module_name};
use crate::taint::{
    flags::bit,
    printk_patterns::{LOADER, bit_on},
    release::Release,
};

/// Frameworks that set the flag for a patch, and name it in a line of their own: upstream's up to 4.8
/// (`__klp_enable_patch`, `kernel/livepatch/core.c`), kpatch's (`kmod/core/core.c`), SUSE's kGraft (`kernel/kgraft.c`).
const LIVE_PATCHES: [&str; 3] = ["livepatch", "kpatch", "kgr"];
const LIVE_PATCH: &str = "tainting kernel with TAINT_LIVEPATCH";

/// The framework that says it set the flag; the patch that it is for is not named yet.
#[must_use]
pub fn live_patching(line: &str) -> Option<&'static str> {
    let (before, text) = line.trim().split_once(": ")?;
    let framework = LIVE_PATCHES.into_iter().find(|name| *name == before)?;
    text.starts_with(LIVE_PATCH).then_some(framework)
}

/// `kpatch: loaded patch module 'NAME'`, `livepatch: enabling patch 'NAME'`: the patch that a framework names.
#[must_use]
pub fn live_patch<'a>(framework: &str, line: &'a str) -> Option<&'a str> {
    let text = line.trim().strip_prefix(framework)?.strip_prefix(": ")?;
    let (before, rest) = text.split_once('\'')?;
    let name = rest.split('\'').next()?;
    (before.contains("patch") && is_module_name(name)).then_some(name)
}

/// Of SUSE's loader with `unsupported=0` (`mod_sysfs_setup`, `kernel/module/sysfs.c`): it sets no flag.
pub(super) const REFUSED: &str = "module not supported by SUSE, refusing to load.";

/// What happened to the module of a line, where the flag alone does not say it: F is set for modules that were not forced.
#[must_use]
pub fn loaded(line: &str, flag: u32) -> Option<&'static str> {
    let (_, text) = line.trim().split_once(": ")?;
    let is_signature = text.contains("verification failed");
    if flag != bit::FORCED_MODULE {
        return None;
    }
    Some(if is_signature {
        "a module was loaded whose signature is missing or was not verified (kernels before 3.15 mark it with F)"
    } else if text.contains("magic") {
        "a module was loaded without the check of its version magic: it has none, or the check was skipped"
    } else {
        "a module was loaded without the check of its symbols' versions: it has none, or the check was skipped"
    })
}

/// The module that SUSE's kernel refused to load.
#[must_use]
pub fn refused(line: &str) -> Option<&str> {
    let (module, text) = line.trim().split_once(": ")?;
    (text.starts_with(REFUSED) && is_module_name(module)).then_some(module)
}

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
    if begin == LIVE_PATCH && LIVE_PATCHES.contains(&module) {
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
