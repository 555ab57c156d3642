//! Lines of the kernel log that tell of a flag.
//!
//! In: a line's text, without time and priority. Out: the flag, and the module or code that the line
//! names. Total and pure. A line is what the kernel said, not proof: most are printed for the first
//! offender only, and reports of WARN and oops come before the flag is set.

/// What a line tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    pub bit: u32,
    /// The module that the line names.
    pub module: Option<String>,
    /// The code that the line names, `symbol+0xoffset/0xsize`.
    pub code: Option<String>,
    pub from: Teller,
}

impl Told {
    /// Whether the line begins a report of many lines.
    #[must_use]
    pub fn from_report(&self) -> bool {
        self.from == Teller::Kernel && matches!(self.bit, 4 | 5 | 7 | 9 | 14)
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

/// `NAME: text`, by the loader (`kernel/module.c`, `kernel/module/main.c`, 2.6.38 to 7.3), with the flag.
const LOADER: [(&str, u32); 15] = [
    ("loading out-of-tree module taints kernel.", 12),
    ("module license '", 0),
    ("module license taints kernel.", 0),
    ("module is from the staging directory", 10),
    ("tainting kernel with TAINT_LIVEPATCH", 15),
    ("loading test module taints kernel.", 18),
    (
        "module verification failed: signature and/or required key missing",
        13,
    ),
    (
        "module verification failed: signature and/or  required key missing",
        13,
    ),
    ("bad vermagic: kernel tainted.", 1),
    ("no versions for exported symbols: kernel tainted.", 1),
    ("module_layout: kernel tainted.", 1),
    ("no symbol version for module_layout", 1),
    (
        "externally supported module, setting X kernel taint flag.",
        16,
    ),
    ("module is not supported by SUSE.", 31),
    ("loading out-of-tree module", 12),
];

/// Lines that begin so, with the flag. The first that fits counts.
const BEGINNINGS: [(&str, u32); 30] = [
    ("WARNING: CPU: ", 9),
    ("BUG: scheduling while atomic", 9),
    ("BUG: scheduling in a non-blocking section", 9),
    ("BUG: sleeping function called from invalid context", 9),
    ("BUG: assuming atomic context", 9),
    ("BUG: assuming non migratable context", 9),
    ("watchdog: BUG: soft lockup", 14),
    ("BUG: soft lockup", 14),
    ("BUG: Bad page", 5),
    ("BUG: KASAN: ", 5),
    ("BUG: KFENCE: ", 5),
    ("BUG: KMSAN: ", 5),
    ("BUG: kernel NULL pointer dereference", 7),
    ("BUG: unable to handle", 7),
    ("kernel BUG at ", 7),
    ("Oops: ", 7),
    ("Oops - ", 7),
    ("Internal error: ", 7),
    ("general protection fault", 7),
    ("invalid opcode: ", 7),
    ("divide error: ", 7),
    ("stack segment: ", 7),
    ("Unable to handle kernel ", 7),
    ("Setting dangerous option ", 6),
    ("Write to unrecognized MSR ", 2),
    ("mce: [Hardware Error]: Machine check", 4),
    ("mce: [Hardware Error]: CPU ", 4),
    ("[Firmware Bug]: ", 11),
    ("Your BIOS is broken", 11),
    ("ACPI: Override [", 8),
];

/// What a line tells of a flag; `None` for most lines.
#[must_use]
pub fn told(line: &str) -> Option<Told> {
    let line = line.trim();
    by_loader(line)
        .or_else(|| warning(line))
        .or_else(|| slab(line))
        .or_else(|| {
            let (_, bit) = BEGINNINGS
                .iter()
                .find(|(begin, _)| line.starts_with(begin))?;
            Some(Told {
                bit: *bit,
                module: None,
                code: None,
                from: Teller::Kernel,
            })
        })
}

fn by_loader(line: &str) -> Option<Told> {
    let (module, text) = line.split_once(": ")?;
    let known = LOADER
        .iter()
        .find(|(begin, _)| text.starts_with(begin))
        .map(|(_, bit)| *bit);
    // Any symbol can stand before it: a version that does not agree.
    let forced = || text.ends_with(": kernel tainted.").then_some(1);
    let bit = known.or_else(forced)?;
    let module = (!module.is_empty() && !module.contains(' ')).then(|| module.to_owned())?;
    Some(Told {
        bit,
        module: Some(module),
        code: None,
        from: Teller::Loader,
    })
}

/// `WARNING: CPU: 0 PID: 1 at FILE:LINE SYMBOL [MODULE]`, and from 6.19 on
/// `WARNING: FILE:LINE at SYMBOL [MODULE], CPU#0: COMM/PID`. Lock debugging's warnings are no WARN.
fn warning(line: &str) -> Option<Told> {
    let text = line.strip_prefix("WARNING: ")?;
    let place = if text.starts_with("CPU: ") {
        let (_, place) = text.split_once(" at ")?;
        // FILE:LINE comes before the symbol; kernels without debug strings leave it out.
        place.split_once(' ').map_or(
            place,
            |(first, rest)| if first.contains("+0x") { place } else { rest },
        )
    } else {
        let (at, _) = text.split_once(", CPU#")?;
        at.strip_prefix("at ")
            .or_else(|| at.split_once(" at ").map(|(_, place)| place))?
    };
    let mut words = place.split(' ');
    let code = words.next().filter(|code| code.contains("+0x"));
    let module = words
        .next()
        .and_then(|word| word.strip_prefix('[')?.strip_suffix(']'));
    Some(Told {
        bit: 9,
        module: module.map(str::to_owned),
        code: code.map(str::to_owned),
        from: Teller::Kernel,
    })
}

/// `BUG kmalloc-64 (Tainted: G …): Redzone overwritten` (`slab_bug`, `mm/slub.c`).
fn slab(line: &str) -> Option<Told> {
    let text = line.strip_prefix("BUG ")?;
    let is_slab = text.contains(" (Tainted: ") || text.contains(" (Not tainted): ");
    is_slab.then_some(Told {
        bit: 5,
        module: None,
        code: None,
        from: Teller::Kernel,
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
            ("a b: loading out-of-tree module taints kernel.", None),
        ] {
            assert_eq!(short(line), expected, "{line}");
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
        ] {
            assert_eq!(told(line).map(|told| told.bit), Some(bit), "{line}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(line in ".*") { _ = told(&line); }
    }
}
