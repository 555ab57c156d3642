//! Lines that begin a report of many: an oops, a warning, a slab's damage, a machine check.
//!
//! In: a line's text. Out: the flag, and the code that the line names.

use super::TaintLine;
use crate::taint::{flags::bit, release::Release, version::Version};

/// `general protection fault, probably for …: 0000 [#1] SMP`, and each other line with the number of an oops.
pub(super) fn trap(line: &str) -> Option<TaintLine> {
    let (before, behind) = line.split_once(" [#")?;
    let number = behind.split(']').next()?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    // The error code, four digits or more; s390 has the instruction's length behind it.
    let before = before
        .split_once(" ilc:")
        .map_or(before, |(before, _)| before);
    let code = before.rsplit(": ").next()?;
    let is_code = code.len() >= 4 && code.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_number && is_code && before.len() > code.len()).then(|| TaintLine {
        place: Some("die"),
        ..TaintLine::by_kernel(bit::DIE, true)
    })
}

/// A text with the number of the oops at its end: `Unhandled kernel unaligned access[#13]:` (`die`,
/// `arch/mips/kernel/traps.c`), `swapper(0): Kernel bad sw trap 5 [#1]` (`die_if_kernel`,
/// `arch/sparc/kernel/traps_64.c`).
pub(super) fn numbered(line: &str) -> Option<TaintLine> {
    let (text, number) = line
        .strip_suffix(':')
        .unwrap_or(line)
        .strip_suffix(']')?
        .rsplit_once("[#")?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let mips = || line.ends_with(':') && text.starts_with(|first: char| first.is_ascii_uppercase());
    let sparc = || {
        let task = text.split_once("): ").map(|(task, _)| task);
        let pid = task.and_then(|task| task.rsplit_once('('));
        pid.is_some_and(|(_, pid)| is_number(pid))
    };
    (is_number(number) && (mips() || sparc())).then(|| TaintLine {
        place: Some("die"),
        ..TaintLine::by_kernel(bit::DIE, true)
    })
}

/// `CPU 1: Machine Check Exception:                4 Bank 4: …` (`print_mce`, `arch/x86/kernel/cpu/mcheck/mce.c`, up to
/// 2.6.33).
pub(super) fn old_machine_check(line: &str) -> Option<TaintLine> {
    let (cpu, _) = line
        .strip_prefix("CPU ")?
        .split_once(": Machine Check Exception:")?;
    let is_cpu = !cpu.is_empty() && cpu.bytes().all(|byte| byte.is_ascii_digit());
    is_cpu.then(|| TaintLine {
        place: Some("do_machine_check"),
        ..TaintLine::by_kernel(bit::MACHINE_CHECK, true)
    })
}

/// `CPU 0 Unable to handle kernel paging request at virtual address …` (`__do_page_fault`, `arch/mips/mm/fault.c`, all
/// versions; loongarch took it over).
pub(super) fn mips_fault(line: &str) -> Option<TaintLine> {
    let (cpu, text) = line.strip_prefix("CPU ")?.split_once(' ')?;
    let is_cpu = !cpu.is_empty() && cpu.bytes().all(|byte| byte.is_ascii_digit());
    (is_cpu && text.starts_with("Unable to handle kernel ")).then(|| TaintLine {
        place: Some("die"),
        ..TaintLine::by_kernel(bit::DIE, true)
    })
}

/// `WARNING: CPU: 0 PID: 1 at FILE:LINE SYMBOL [MODULE]`, before 3.11 `WARNING: at FILE:LINE SYMBOL() [MODULE]`, and
/// from 6.19 on `WARNING: FILE:LINE at SYMBOL [MODULE], CPU#0: COMM/PID`. Lock debugging's warnings are no WARN.
pub(super) fn warning(line: &str) -> Option<TaintLine> {
    let text = line.strip_prefix("WARNING: ")?;
    let place = if text.starts_with("CPU: ") {
        let place = text.split_once(" at ").map(|(_, place)| place);
        // A line that was broken ends behind `at`.
        without_file(place.or_else(|| text.ends_with(" at").then_some(""))?)
    } else if let Some((at, _)) = text.split_once(", CPU#") {
        at.strip_prefix("at ")
            .or_else(|| at.split_once(" at ").map(|(_, place)| place))?
    } else {
        let place = text.strip_prefix("at ")?;
        let file = place.split(' ').next().unwrap_or_default();
        file.contains(':').then(|| without_file(place))?
    };
    let (code, rest) = place.split_once(' ').unwrap_or((place, ""));
    let code = Some(code.trim_end_matches("()")).filter(|code| code.contains("+0x"));
    let module = module_of(rest);
    Some(TaintLine {
        module: module.map(str::to_owned),
        code: code.map(str::to_owned),
        ..TaintLine::by_kernel(bit::WARN, true)
    })
}

/// The module behind a symbol: `[m]`, `[m]()`, `[m 0123abcd…]` with its build id, `[m@8ad9+0x96c0]` on kernels without
/// symbols.
#[must_use]
pub fn module_of(rest: &str) -> Option<&str> {
    // A name without its end is half a name.
    let inside = rest.strip_prefix('[')?;
    let (name, behind) = inside.split_once([']', ' ', '@', '+'])?;
    // What a line that was broken has behind a blank is the rest of the name.
    let is_whole = !inside
        .get(name.len()..)
        .is_some_and(|mark| mark.starts_with(' '))
        || behind.split(']').next().is_some_and(is_build_id);
    (!name.is_empty() && is_whole).then_some(name)
}

/// `append_buildid` (`kernel/kallsyms.c`, since 5.14).
fn is_build_id(text: &str) -> bool {
    text.len() >= 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// `FILE:LINE` comes before the symbol; kernels without debug strings leave it out.
fn without_file(place: &str) -> &str {
    place.split_once(' ').map_or(
        place,
        |(first, rest)| if first.contains("+0x") { place } else { rest },
    )
}

/// `BUG kmalloc-64 (Tainted: G …): Redzone overwritten` (`slab_bug`, `mm/slub.c`); from 3.8 on it taints.
pub(super) fn slab(line: &str, release: Option<Release>) -> Option<TaintLine> {
    let text = line.strip_prefix("BUG ")?;
    let is_slab = text.contains(" (Tainted: ") || text.contains(" (Not tainted): ");
    let taints = release.is_none_or(|release| release.version >= Version::new(3, 8));
    (is_slab && taints).then(|| TaintLine {
        place: Some("object_err"),
        ..TaintLine::by_kernel(bit::BAD_PAGE, true)
    })
}
