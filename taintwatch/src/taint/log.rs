//! Lines of the kernel log that tell of a flag.
//!
//! In: a line's text, without time and priority. Out: the flag, and the module or code that the line
//! names. Total and pure. A line is what the kernel said, not proof: most are printed for the first
//! offender only, and reports of WARN and oops come before the flag is set.

use super::{
    release::Release,
    sayings::{At, KERNEL, LOADER, bit_on},
};

/// What a line tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    pub bit: u32,
    /// The module that the line names.
    pub module: Option<String>,
    /// The code that the line names, `symbol+0xoffset/0xsize`.
    pub code: Option<String>,
    pub from: Teller,
    /// The function that prints such a line, as in `callers`.
    pub place: Option<&'static str>,
    /// Whose flag it is.
    pub vendor: &'static str,
    /// The line begins a report of many lines.
    pub report: bool,
}

impl Told {
    fn by_kernel(bit: u32, report: bool) -> Self {
        Self {
            bit,
            module: None,
            code: None,
            from: Teller::Kernel,
            place: None,
            vendor: "linux",
            report,
        }
    }

    /// Whether the line begins a report of many lines.
    #[must_use]
    pub fn from_report(&self) -> bool {
        self.report
    }
}

/// Which part of the kernel printed the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Teller {
    /// The module loader, about the module it loads.
    Loader,
    /// Anything else.
    Kernel,
}

/// What a line tells of a flag; `None` for most lines.
#[must_use]
pub fn told(line: &str) -> Option<Told> {
    told_on(line, None)
}

/// What a line tells when this kernel printed it: some texts set another flag, or none, on older ones.
#[must_use]
pub fn told_on(line: &str, release: Option<Release>) -> Option<Told> {
    let line = line.trim();
    by_loader(line, release)
        .or_else(|| warning(line))
        .or_else(|| slab(line, release))
        .or_else(|| trap(line))
        .or_else(|| numbered(line))
        .or_else(|| old_machine_check(line))
        .or_else(|| by_kernel(line, release))
}

/// Parts of lines of which one stands in each line that tells of a flag.
pub fn marks() -> impl Iterator<Item = &'static str> {
    let kernel = KERNEL.iter().map(|saying| saying.text);
    let loader = LOADER.iter().map(|(text, ..)| *text);
    let shapes = [
        "WARNING: ",
        "Tainted: ",
        "Not tainted",
        "[#",
        "kernel tainted.",
        "Machine Check Exception",
    ];
    kernel.chain(loader).chain(shapes)
}

fn by_kernel(line: &str, release: Option<Release>) -> Option<Told> {
    let saying = KERNEL.iter().find(|saying| match saying.at {
        At::Begin => line.starts_with(saying.text),
        At::Anywhere => line.contains(saying.text),
    })?;
    let bit = saying.bit_on(release)?;
    // What the processor corrected is printed alike, without that word (`print_mce`, arch/x86/kernel/cpu/mce/core.c).
    if saying.place == Some("do_machine_check") && !line.contains("Machine Check Exception") {
        return None;
    }
    Some(Told {
        place: saying.place,
        vendor: saying.vendor,
        ..Told::by_kernel(bit, saying.report)
    })
}

/// Up to 4.8 the live patches' own code sets the flag, and its prefix is no module: `livepatch: tainting kernel with
/// TAINT_LIVEPATCH` (`__klp_enable_patch`, `kernel/livepatch/core.c`).
const LIVE_PATCHES: &str = "livepatch";

fn by_loader(line: &str, release: Option<Release>) -> Option<Told> {
    let (module, text) = line.split_once(": ")?;
    let known = LOADER
        .iter()
        .find(|(begin, ..)| text.starts_with(begin))
        .map(|(begin, bit, vendor)| (*begin, *bit, *vendor));
    // Any symbol can stand before it: a version that does not agree.
    let forced = || {
        text.ends_with(": kernel tainted.")
            .then_some(("", 1, "linux"))
    };
    let (begin, bit, vendor) = known.or_else(forced)?;
    let bit = release.map_or(bit, |release| bit_on(release, vendor, bit, begin));
    if module == LIVE_PATCHES {
        return Some(Told {
            vendor,
            ..Told::by_kernel(bit, false)
        });
    }
    is_name(module).then(|| Told {
        module: Some(module.to_owned()),
        from: Teller::Loader,
        vendor,
        ..Told::by_kernel(bit, false)
    })
}

/// `MODULE_NAME_LEN` is 56 on 64 bits, 60 on 32; what stands in front of a name in a log is no part of it.
fn is_name(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    (1..64).contains(&text.len()) && text.bytes().all(fits)
}

/// `general protection fault, probably for …: 0000 [#1] SMP`, and each other line with the number of an oops.
fn trap(line: &str) -> Option<Told> {
    let (before, behind) = line.split_once(" [#")?;
    let number = behind.split(']').next()?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    // The error code, four digits or more; s390 has the instruction's length behind it.
    let before = before
        .split_once(" ilc:")
        .map_or(before, |(before, _)| before);
    let code = before.rsplit(": ").next()?;
    let is_code = code.len() >= 4 && code.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_number && is_code && before.len() > code.len()).then(|| Told {
        place: Some("die"),
        ..Told::by_kernel(7, true)
    })
}

/// A text with the number of the oops at its end: `Unhandled kernel unaligned access[#13]:` (`die`,
/// `arch/mips/kernel/traps.c`), `swapper(0): Kernel bad sw trap 5 [#1]` (`die_if_kernel`, `arch/sparc/kernel/traps_64.c`).
fn numbered(line: &str) -> Option<Told> {
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
    (is_number(number) && (mips() || sparc())).then(|| Told {
        place: Some("die"),
        ..Told::by_kernel(7, true)
    })
}

/// `CPU 1: Machine Check Exception:                4 Bank 4: …` (`print_mce`, `arch/x86/kernel/cpu/mcheck/mce.c`, up to
/// 2.6.33).
fn old_machine_check(line: &str) -> Option<Told> {
    let (cpu, _) = line
        .strip_prefix("CPU ")?
        .split_once(": Machine Check Exception:")?;
    let is_cpu = !cpu.is_empty() && cpu.bytes().all(|byte| byte.is_ascii_digit());
    is_cpu.then(|| Told {
        place: Some("do_machine_check"),
        ..Told::by_kernel(4, true)
    })
}

/// `WARNING: CPU: 0 PID: 1 at FILE:LINE SYMBOL [MODULE]`, before 3.11 `WARNING: at FILE:LINE SYMBOL() [MODULE]`, and from
/// 6.19 on `WARNING: FILE:LINE at SYMBOL [MODULE], CPU#0: COMM/PID`. Lock debugging's warnings are no WARN.
fn warning(line: &str) -> Option<Told> {
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
    Some(Told {
        module: module.map(str::to_owned),
        code: code.map(str::to_owned),
        ..Told::by_kernel(9, true)
    })
}

/// The module behind a symbol: `[m]`, `[m]()`, `[m 0123abcd…]` with its build id, `[m@8ad9+0x96c0]` on kernels without symbols.
#[must_use]
pub fn module_of(rest: &str) -> Option<&str> {
    let inside = rest.strip_prefix('[')?.split(']').next()?;
    let name = inside.split([' ', '@', '+']).next()?;
    (!name.is_empty()).then_some(name)
}

/// `FILE:LINE` comes before the symbol; kernels without debug strings leave it out.
fn without_file(place: &str) -> &str {
    place.split_once(' ').map_or(
        place,
        |(first, rest)| if first.contains("+0x") { place } else { rest },
    )
}

/// `BUG kmalloc-64 (Tainted: G …): Redzone overwritten` (`slab_bug`, `mm/slub.c`); from 3.8 on it taints.
fn slab(line: &str, release: Option<Release>) -> Option<Told> {
    let text = line.strip_prefix("BUG ")?;
    let is_slab = text.contains(" (Tainted: ") || text.contains(" (Not tainted): ");
    let taints = release.is_none_or(|release| release.version >= (3, 8));
    (is_slab && taints).then(|| Told {
        place: Some("object_err"),
        ..Told::by_kernel(5, true)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn short(line: &str) -> Option<(u32, Option<String>, Option<String>)> {
        told(line).map(|told| (told.bit, told.module, told.code))
    }

    #[test]
    fn knows_what_the_loader_says() {
        let of = |bit, module: &str| Some((bit, Some(module.to_owned()), None));
        for (line, expected) in [
            (
                "tw_gpl: loading out-of-tree module taints kernel.",
                of(12, "tw_gpl"),
            ),
            (
                "nvidia: module license 'NVIDIA' taints kernel.",
                of(0, "nvidia"),
            ),
            (
                "vboxdrv: module verification failed: signature and/or required key missing - tainting kernel",
                of(13, "vboxdrv"),
            ),
            ("foo: bad vermagic: kernel tainted.", of(1, "foo")),
            ("foo: printk: kernel tainted.", of(1, "foo")),
            (
                "r8188eu: module is from the staging directory, the quality is unknown, you have been warned.",
                of(10, "r8188eu"),
            ),
            ("Disabling lock debugging due to kernel taint", None),
            (
                "snd: no version for \"struct_module\" found: kernel tainted.",
                of(1, "snd"),
            ),
            ("a b: loading out-of-tree module taints kernel.", None),
            ("MESSAGE=a: loading out-of-tree module taints kernel.", None),
            ("\"a: loading out-of-tree module taints kernel.", None),
            // No flag: the load fails, or goes on without the check (`check_version`).
            ("a: no symbol version for module_layout", None),
            (
                "livepatch: tainting kernel with TAINT_LIVEPATCH",
                Some((15, None, None)),
            ),
            (
                "livepatch_sample: tainting kernel with TAINT_LIVEPATCH",
                of(15, "livepatch_sample"),
            ),
        ] {
            assert_eq!(short(line), expected, "{line}");
        }
    }

    #[test]
    fn knows_oopses_and_hardware_errors_of_other_ages_and_machines() {
        for (line, bit) in [
            ("swapper(0): Kernel bad sw trap 5 [#1]", Some(7)),
            ("Unhandled kernel unaligned access[#13]:", Some(7)),
            ("a list (of) things [#1]", None),
            (
                "CPU 1: Machine Check Exception:                4 Bank 4: b200000000070f0f",
                Some(4),
            ),
            ("CPU x: Machine Check Exception:                4", None),
            ("Kernel panic - not syncing: Fatal hardware error!", Some(4)),
        ] {
            assert_eq!(told(line).map(|told| told.bit), bit, "{line}");
        }
    }

    #[test]
    fn knows_warnings_old_and_new_and_not_lock_debugging() {
        let code = |module: Option<&str>, code: &str| {
            Some((9, module.map(str::to_owned), Some(code.to_owned())))
        };
        assert_eq!(
            short("WARNING: CPU: 1 PID: 77 at /build/x.c:12 tw_init+0x5/0x10 [tw_warn_init]"),
            code(Some("tw_warn_init"), "tw_init+0x5/0x10")
        );
        assert_eq!(
            short("WARNING: kernel/x.c:9 at f+0x1/0x2, CPU#3: kworker/3:1/88"),
            code(None, "f+0x1/0x2")
        );
        assert_eq!(
            short("WARNING: possible circular locking dependency detected"),
            None
        );
        assert_eq!(
            short("WARNING: at g+0x1/0x2 [m], CPU#0: x/1"),
            code(Some("m"), "g+0x1/0x2")
        );
        assert_eq!(
            short("WARNING: at fs/x.c:9 g+0x1/0x2 [m]() (Not tainted)"),
            code(Some("m"), "g+0x1/0x2")
        );
        assert_eq!(
            short("WARNING: at net/sched/x.c:9 g+0x1/0x2()"),
            code(None, "g+0x1/0x2")
        );
        assert_eq!(short("WARNING: at last"), None);
        assert_eq!(
            short("WARNING: CPU: 1 PID: 9 at mac.c:208 f+0x1/0x2 [m 0123456789abcdef]"),
            code(Some("m"), "f+0x1/0x2")
        );
        assert_eq!(
            short("WARNING: CPU: 1 PID: 9 at mac.c:208 0x860546a4 [m@8ad96439+0x96c0]"),
            Some((9, Some("m".to_owned()), None))
        );
    }

    #[test]
    fn knows_reports_by_their_beginning() {
        for (line, bit) in [
            ("BUG: unable to handle page fault for address: 0", 7),
            (
                "watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [x:1]",
                14,
            ),
            ("BUG: Bad page state in process x  pfn:00001", 5),
            (
                "BUG kmalloc-64 (Tainted: G        W ): Redzone overwritten",
                5,
            ),
            ("Setting dangerous option foo - tainting kernel", 6),
            (
                "general protection fault, probably for non-canonical address 0x1: 0000 [#1] SMP",
                7,
            ),
            ("illegal operation: 0001 ilc:1 [#1] SMP", 7),
            ("invalid opcode: 0000 [#2] SMP", 7),
            ("Internal error: Oops: 17 [#1] ARM", 7),
            ("Unhandled kernel unaligned access[#13]:", 7),
            (
                "mce: [Hardware Error]: CPU 1: Machine Check Exception: 5 Bank 4: be00",
                4,
            ),
            (
                "ACPI: Override [DSDT-  X], this is unsafe: tainting kernel",
                8,
            ),
        ] {
            assert_eq!(told(line).map(|told| told.bit), Some(bit), "{line}");
        }
    }

    #[test]
    fn what_sets_no_flag_tells_of_none() {
        for line in [
            "mce: [Hardware Error]: Machine check events logged",
            "mce: [Hardware Error]: CPU 2: Machine Check: 0 Bank 5: cc00",
            "[Firmware Bug]: TSC_DEADLINE disabled due to Errata",
            "BUG: Bad rss-counter state mm:0 idx:1 val:1",
            "traps: a[7] general protection fault ip:1 sp:2 error:0",
            "usb 1-1: new device [#1]",
            "INFO: task a:7 blocked for more than 120 seconds.",
        ] {
            assert_eq!(told(line), None, "{line}");
        }
    }

    #[test]
    fn an_older_kernel_meant_another_flag_or_none() {
        let on = |line, release| told_on(line, Release::parse(release)).map(|told| told.bit);
        let unsigned = "a: module verification failed: signature and/or required key missing - tainting kernel";
        assert_eq!(on(unsigned, "3.10.0"), Some(1));
        assert_eq!(on(unsigned, "3.10.0-1160.el7.x86_64"), Some(13));
        assert_eq!(on(unsigned, "4.9.0"), Some(13));
        let lockup = "BUG: soft lockup - CPU#0 stuck for 61s! [x:1]";
        assert_eq!(on(lockup, "2.6.32-5"), None);
        let preview = "TECH PREVIEW: Btrfs may not be fully supported.";
        assert_eq!(on(preview, "3.10.0-1.el7"), Some(29));
        assert_eq!(on(preview, "5.14.0-1.el9"), Some(16));
        let external = "a: externally supported module, setting X kernel taint flag.";
        assert_eq!(on(external, "4.4.0-default"), Some(31));
    }

    proptest! {
        #[test]
        fn never_panics(line in ".*") { _ = told(&line); }

        #[test]
        fn each_line_that_tells_has_a_mark(line in ".*", at in 0..1000_usize) {
            let marks: Vec<_> = marks().collect();
            let line = format!("{}{line}", marks[at % marks.len()]);
            prop_assert!(told(&line).is_none() || marks.iter().any(|mark| line.contains(mark)));
        }
    }
}
