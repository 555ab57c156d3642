//! The explanations of upstream's flags.
//!
//! Sources: `Documentation/admin-guide/tainted-kernels.rst` and the callers of `add_taint` in Linux 5.10 to
//! 7.3.

use super::Explanation;
use crate::taint::flags::Flag;

/// The explanation of an upstream flag.
pub(super) fn of(flag: &Flag) -> Option<&'static Explanation> {
    let all = [
        &PROPRIETARY,
        &FORCED,
        &OUT_OF_SPEC,
        &FORCED_UNLOAD,
        &MACHINE_CHECK,
        &BAD_PAGE,
        &USER,
        &DIE,
        &ACPI,
        &WARN,
        &STAGING,
        &FIRMWARE,
        &OUT_OF_TREE,
        &UNSIGNED,
        &SOFT_LOCKUP,
        &LIVE_PATCH,
        &AUXILIARY,
        &RANDSTRUCT,
        &TEST,
        &FWCTL,
    ];
    all.get(usize::try_from(flag.bit).ok()?).copied()
}

const SOUND: &str = "They stay as trustworthy as before; the flag adds context.";
const CLOSED: &str =
    "Read them with care: code that only the module's vendor can inspect may be involved.";
const MISMATCHED: &str = "Read them with care: a module that does not fit the kernel may read and write the wrong memory.";
const NOT_IN_TREE: &str = "Read those that name the module with care: kernel developers do not maintain its code, and may not have its source, though that is often open.";
const UNVERIFIED: &str = "Read those that name the module with care: nothing proves who built it, or that it was not changed since.";
const DAMAGED: &str =
    "Trust the first report after the boot; later ones may be results of the damage.";
const LOCK: &str = "The kernel stops checking its locks (lockdep), if it did, and logs \"Disabling lock debugging due to kernel taint\".";
const LOCK_MAYBE: &str =
    "With some of its causes the kernel stops checking its locks (lockdep), if it did.";
const LOCK_AND_TRACE: &str = "The kernel stops checking its locks (lockdep), if it did; the module's own tracepoints are not created (kernel/tracepoint.c, trace_module_has_bad_taint).";
const PROPRIETARY_EFFECTS: &str = "The kernel stops checking its locks (lockdep), if it did; the module cannot use symbols that are exported to GPL modules only, and its own tracepoints are not created (kernel/tracepoint.c, trace_module_has_bad_taint).";
const DEAD: &str = "The kernel stops checking its locks (lockdep), if it did. Locks of the killed task stay locked: later hangs may be results. With panic_on_oops the kernel panics instead.";
const QUIET: &str = "The loader's line in the kernel log is printed for the first such module only; the module's own flag is in /sys/module/NAME/taint.";
const NO_EFFECT: &str = "";
const REPRODUCE: &str = "Expect to be asked to reproduce the fault without it.";
const LOG: &str = "The kernel log from the boot to the fault, and `taintwatch report`.";
const MODULE: &str =
    "The module's name, version, vendor and file, the kernel log, and `taintwatch report`.";

const PROPRIETARY: Explanation = Explanation {
    effects: PROPRIETARY_EFFECTS,
    meaning: "A module whose licence is not compatible with the GPL was loaded; kernel developers and the kernel's vendor may not have its source. G in its place means that it is clear.",
    set_by: "Loading such a module, also when the load then fails; ndiswrapper, driverloader and lve by name; and, misleadingly, a CFI report, which passes flag 0.",
    messages: CLOSED,
    support: "Most vendors and kernel developers decline reports that may involve the module. Expect to be asked to reproduce the fault without it.",
    avoid: "Prefer the driver that the kernel or the vendor supplies, where there is a choice; multipath through device-mapper in place of a proprietary one, for example.",
    send: MODULE,
};
const FORCED: Explanation = Explanation {
    effects: LOCK_AND_TRACE,
    meaning: "A module was loaded without the check that it fits this kernel: it has no version information or no vermagic, or the check was skipped. In kernels 3.7 to 3.14 the flag also means a module whose signature is missing or cannot be verified, which is E since.",
    set_by: "A module that was built without versions for its symbols or without vermagic, however it is loaded; modprobe --force and the ignore flags of finit_module; in 3.7 to 3.14 any module that is not signed. One load can raise it many times, once a symbol.",
    messages: MISMATCHED,
    support: "Most vendors refuse support for a kernel in this state: a mismatched module can corrupt any memory.",
    avoid: "Get a module that was built for exactly the running kernel, by a build that keeps its version information; never use force options.",
    send: MODULE,
};
const OUT_OF_SPEC: Explanation = Explanation {
    effects: LOCK_MAYBE,
    meaning: "The processor or the system runs outside its specification, or in a way that it is not certified for.",
    set_by: "Writes to model-specific registers through /dev/cpu/*/msr; clearcpuid= and setcpuid=; late microcode loading; old microcode; CPU features that differ between cores; overclocking through amdgpu.",
    messages: "They stay useful; faults without another explanation may come from the hardware.",
    support: "Vendors ask to reproduce the fault on hardware within its specification.",
    avoid: "Use supported processors; do not write MSRs or mask CPU features; load microcode early, at boot.",
    send: "The processor model, microcode revision, boot command line, and `taintwatch report`.",
};
const FORCED_UNLOAD: Explanation = Explanation {
    effects: LOCK,
    meaning: "A module was unloaded by force, although it was in use or not made to be removed.",
    set_by: "rmmod --force, where the kernel was built with CONFIG_MODULE_FORCE_UNLOAD. Nothing is logged.",
    messages: DAMAGED,
    support: REPRODUCE,
    avoid: "Never use force options; reboot when a module cannot be removed.",
    send: LOG,
};
const MACHINE_CHECK: Explanation = Explanation {
    effects: LOCK,
    meaning: "A processor reported a machine check: an error of the hardware, such as overheating or memory that could not be corrected.",
    set_by: "The machine check handler, firmware's fatal error reports, SError on arm64; also i915 and xe on pre-production graphics hardware.",
    messages: "They repeat what the hardware reported; data may be damaged.",
    support: "The hardware may be at fault: start with its vendor.",
    avoid: "Keep the hardware within its specification, run the vendor's diagnostics, check memory and cooling.",
    send: "The kernel log with the hardware error, rasdaemon's or mcelog's records, and the results of the vendor's diagnostics.",
};
const BAD_PAGE: Explanation = Explanation {
    effects: LOCK,
    meaning: "A page or an object of the kernel's memory was in an invalid state: memory was corrupted, by software or by hardware.",
    set_by: "Bad page state, bad page maps, bad page cache; SLUB's checks; KASAN, KFENCE and KMSAN reports. The task that the report names found the damage; it need not have caused it.",
    messages: DAMAGED,
    support: "Reports are taken seriously; expect to be asked to rule out the hardware first.",
    avoid: "Test the memory; run without out-of-tree modules; start with the first report.",
    send: LOG,
};
const USER: Explanation = Explanation {
    effects: NO_EFFECT,
    meaning: "A program in userspace set it on purpose, or did something that the kernel marks with it.",
    set_by: "A write to /proc/sys/kernel/tainted, which can set every flag; unsafe module parameters; writes to PCI configuration that a driver has for itself; regmap, soundwire and thunderbolt debug files; vfio without an IOMMU.",
    messages: SOUND,
    support: "Rarely a reason to refuse support; say what was done.",
    avoid: "Do not use parameters and debug files marked unsafe outside of tests.",
    send: "Which program wrote what: `taintwatch report --flag U`.",
};
const DIE: Explanation = Explanation {
    effects: DEAD,
    meaning: "The kernel hit a fatal error in its own code (an oops or a BUG): the running task was killed inside the kernel, and locks that it held may stay locked.",
    set_by: "oops_end on x86, die elsewhere. The oops itself prints the state before it, without D.",
    messages: DAMAGED,
    support: "Support needs the first oops; later ones may follow from it.",
    avoid: "Reboot soon; configure kdump so that the next one leaves a dump.",
    send: "The whole oops with its trace, the dump if there is one, and `taintwatch report`.",
};
const ACPI: Explanation = Explanation {
    effects: LOCK,
    meaning: "An ACPI table of the firmware was replaced or added to.",
    set_by: "A DSDT that was built into the kernel (CONFIG_ACPI_CUSTOM_DSDT), or a method written through custom_method, which 6.1 has and 6.12 has not. A table in the initramfs set it on old kernels; 5.10 to 7.3 log \"Table Upgrade\" and stay untainted.",
    messages: SOUND,
    support: REPRODUCE,
    avoid: "Get fixed firmware from the hardware's vendor instead of replacing tables.",
    send: "The table and where it came from, and the kernel log.",
};
const WARN: Explanation = Explanation {
    effects: NO_EFFECT,
    meaning: "The kernel found something that its authors did not expect, wrote a report and went on.",
    set_by: "WARN() and its variants; scheduling while atomic; sleeping in an atomic context. The running task is often not the cause.",
    messages: "They stay useful; start with the first warning.",
    support: "Worth a report; by itself it limits no support.",
    avoid: "Update the kernel and the driver that the report names.",
    send: "The whole warning, from \"cut here\" to \"end trace\".",
};
const STAGING: Explanation = Explanation {
    effects: NO_EFFECT,
    meaning: "A driver from the staging tree was loaded: its quality is unknown.",
    set_by: "Loading such a module; and, misleadingly, faulty firmware tables of the GICv3 interrupt controller on arm64.",
    messages: SOUND,
    support: "Most vendors do not support staging drivers.",
    avoid: "Use hardware with a driver outside of staging.",
    send: MODULE,
};
const FIRMWARE: Explanation = Explanation {
    effects: NO_EFFECT,
    meaning: "The kernel works around a serious fault of the firmware.",
    set_by: "Wrong MTRRs; broken DMAR tables of the BIOS; EFI calls that corrupt the interrupt state; NUMA nodes set by hand; pci= workarounds; fatal ACPI errors.",
    messages: SOUND,
    support: "Support may ask for fixed firmware first.",
    avoid: "Update the firmware (BIOS, UEFI).",
    send: "The firmware's version and the kernel log of the boot.",
};
const OUT_OF_TREE: Explanation = Explanation {
    effects: QUIET,
    meaning: "A module was loaded whose source is not part of the kernel tree. Its source may be open, as that of OpenZFS is, and nothing is wrong with that by itself.",
    set_by: "Loading a module without `intree: Y` (see `modinfo`), also when the load then fails.",
    messages: NOT_IN_TREE,
    support: "The module's authors support it; the kernel's vendor may ask to reproduce the fault without it.",
    avoid: "Prefer drivers of the kernel tree or of the vendor's own packages.",
    send: MODULE,
};
const UNSIGNED: Explanation = Explanation {
    effects: QUIET,
    meaning: "A module was loaded that is not signed, or whose signature the kernel could not verify with its keys.",
    set_by: "Loading such a module, where the kernel checks signatures (CONFIG_MODULE_SIG) but does not enforce them; with module.sig_enforce, or under the lockdown of secure boot, it is refused instead.",
    messages: UNVERIFIED,
    support: "A signature proves who built a module: without one the vendor cannot vouch for it.",
    avoid: "Sign your own modules and enrol the key (mokutil), or use the vendor's packages.",
    send: MODULE,
};
const SOFT_LOCKUP: Explanation = Explanation {
    effects: NO_EFFECT,
    meaning: "A processor was busy in the kernel for so long that nothing else could run on it.",
    set_by: "The soft lockup watchdog, in an interrupt on that processor; also amdgpu with its lockup timeout off, and sw_sync.",
    messages: "They stay useful; a virtual machine that its host does not run for long shows the same.",
    support: "Worth a report.",
    avoid: "Check the stack of the report; on virtual machines check the load of the host.",
    send: LOG,
};
const LIVE_PATCH: Explanation = Explanation {
    effects: NO_EFFECT,
    meaning: "The kernel was patched while it ran.",
    set_by: "Loading a live patch module.",
    messages: SOUND,
    support: "The vendor's own live patches are supported; others are not.",
    avoid: "Nothing needs to be avoided; boot a fixed kernel when you can.",
    send: "The list of live patches (/sys/kernel/livepatch).",
};
const AUXILIARY: Explanation = Explanation {
    effects: NO_EFFECT,
    meaning: "The distribution's own flag: each defines what it means.",
    set_by: "Nothing in the upstream kernel; `--vendor` selects the distribution whose meaning is shown.",
    messages: SOUND,
    support: "Depends on the distribution.",
    avoid: "Depends on what set it: `taintwatch report --flag X` shows that.",
    send: LOG,
};
const RANDSTRUCT: Explanation = Explanation {
    effects: NO_EFFECT,
    meaning: "The kernel was built with randomised structure layouts.",
    set_by: "The build itself: the flag is set from the start of the kernel, and no event sets it.",
    messages: SOUND,
    support: "Dumps need the matching build's debug information.",
    avoid: "Use a kernel without CONFIG_RANDSTRUCT.",
    send: "The kernel's exact build.",
};
const TEST: Explanation = Explanation {
    effects: NO_EFFECT,
    meaning: "A test inside the kernel was run.",
    set_by: "KUnit, kselftest modules and modules marked `test`.",
    messages: "Warnings may be part of the test.",
    support: "Do not run tests on a production machine.",
    avoid: "Reboot after testing.",
    send: LOG,
};
const FWCTL: Explanation = Explanation {
    effects: NO_EFFECT,
    meaning: "A program used fwctl to change the state of a device's firmware for debugging.",
    set_by: "fwctl calls with write scope (6.15 and later).",
    messages: SOUND,
    support: "The device may behave in ways that its vendor did not intend.",
    avoid: "Use fwctl's read-only scopes.",
    send: "Which program it was: `taintwatch report --flag J`.",
};
