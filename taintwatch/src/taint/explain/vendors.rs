//! The vendors' own flags in full, and their words over upstream's.

use super::{Explanation, Overlay, over};
use crate::taint::tables::Family;

const SOUND: &str = "They stay as trustworthy as before; the flag adds context.";
const CARE: &str =
    "Read them with care: they may be about code whose source the vendor does not have.";
const MODULE: &str =
    "The module's name, version, vendor and file, the kernel log, and `taintwatch report`.";

/// For a flag without an explanation; a test checks that there is none.
pub(super) const UNKNOWN: Explanation = Explanation {
    meaning: "A vendor's flag.",
    set_by: "Not known here.",
    messages: CARE,
    effects: "",
    support: "Ask the vendor.",
    avoid: "Not known here.",
    send: MODULE,
};

/// The explanation of a flag that upstream does not have, by its name.
pub(super) fn own(name: &str) -> Option<&'static Explanation> {
    OWN.iter()
        .find(|(own, _)| *own == name)
        .map(|(_, words)| words)
}

/// A family's words over upstream's and over those of its own flags.
pub(super) fn overlays(family: Family) -> &'static [Overlay] {
    match family {
        Family::Suse => &SUSE,
        Family::RedHat => &RED_HAT,
        Family::Fedora => &FEDORA,
        Family::Debian => &DEBIAN,
        Family::Ubuntu => &UBUNTU,
        Family::Linux | Family::Oracle => &[],
    }
}

static OWN: [(&str, Explanation); 8] = [
    (
        "NO_SUPPORT",
        Explanation {
            meaning: "A module was loaded that SUSE does not support and that no third party is known to support: it is out-of-tree, not mature enough, or for hardware that can no longer be tested.",
            set_by: "Loading a module without `supported: yes` or `supported: external` (see `modinfo`), when its directory in sysfs is created; allowing unsupported features of a file system (`allow_unsupported`); reverting a live patch on SLE 12 and 15. With unsupported=0 such a module is refused with ENOEXEC (\"module not supported by SUSE, refusing to load\" in the kernel log), and no flag is set; with 1 the kernel logs a warning, with 2 it logs nothing (boot parameter, or /proc/sys/kernel/unsupported).",
            messages: CARE,
            effects: "The kernel's reports say \"Supported: No, Unsupported modules are loaded\"; /sys/kernel/supported and /sys/module/NAME/supported show the same.",
            support: "The kernel is not supported with it: SUSE may not be able to help with a fault of this kernel, whatever module it is in. Reproduce the fault without the module.",
            avoid: "Use a configuration that is certified (YES CERTIFIED), drivers of the kernel-default package, or a vendor's driver from the SolidDriver Program. Modules of kernel-default-extra and -optional are unsupported on servers.",
            send: MODULE,
        },
    ),
    (
        "EXTERNAL_SUPPORT",
        Explanation {
            meaning: "A module was loaded that SUSE does not support itself, but a third party does, under an agreement with SUSE (external support).",
            set_by: "Loading a module whose `modinfo` says `supported: external`. From SLE 15 SP6 on the module may carry the mark while the kernel's own flag stays clear.",
            messages: SOUND,
            effects: "The kernel's reports say \"Supported: Yes, External\".",
            support: "The kernel stays supported (\"Supported: Yes, External\"): SUSE and the module's vendor work together on the case, and the vendor supports the module itself.",
            avoid: "Nothing needs to be avoided; else use components that SUSE's own kernel supports.",
            send: MODULE,
        },
    ),
    (
        "TECH_PREVIEW",
        Explanation {
            meaning: "A technology preview is in use: it may be incomplete, and may change.",
            set_by: "A driver or a part of the kernel that calls mark_tech_preview: \"TECH PREVIEW: NAME may not be fully supported.\" in the kernel log.",
            messages: SOUND,
            effects: "",
            support: "Technology previews are not supported for production; reports are welcome.",
            avoid: "Keep to features that the release notes do not list as previews.",
            send: "The line with TECH PREVIEW from the kernel log, and `taintwatch report`.",
        },
    ),
    (
        "HARDWARE_UNSUPPORTED",
        Explanation {
            meaning: "The kernel found hardware that this release does not support.",
            set_by: "A driver or the processor's setup that calls mark_hardware_unsupported: \"UNSUPPORTED HARDWARE DEVICE: NAME\" in the kernel log.",
            messages: SOUND,
            effects: "",
            support: "A fault with this hardware is not supported in this release.",
            avoid: "Use hardware that is certified for the release, or a newer release.",
            send: "The line with UNSUPPORTED HARDWARE from the kernel log, and the hardware's list (lspci, dmidecode).",
        },
    ),
    (
        "SUPPORT_REMOVED",
        Explanation {
            meaning: "A device or a driver is in use whose support ended with this major release.",
            set_by: "A driver that finds a device on its list of ended ones: \"Support for this device has been removed in this major release.\" in the kernel log.",
            messages: SOUND,
            effects: "",
            support: "A fault with this device is not supported.",
            avoid: "Replace the device by one that the release supports.",
            send: "The warning from the kernel log, and `lspci -nn`.",
        },
    ),
    (
        "PARTNER_SUPPORTED",
        Explanation {
            meaning: "A module was loaded that a partner supports, not Red Hat.",
            set_by: "A module that calls mark_partner_supported: \"NAME is a Partner supported GPL module and not supported directly by Red Hat.\" in the kernel log.",
            messages: SOUND,
            effects: "",
            support: "The partner supports the module; Red Hat supports the rest.",
            avoid: "Nothing needs to be avoided.",
            send: MODULE,
        },
    ),
    (
        "UNPRIVILEGED_BPF",
        Explanation {
            meaning: "Users without privileges may load BPF programs, or could since the boot.",
            set_by: "Writing 0 to /proc/sys/kernel/unprivileged_bpf_disabled, or the boot parameter of that name.",
            messages: SOUND,
            effects: "",
            support: "Not supported for production: BPF is for privileged users.",
            avoid: "Leave kernel.unprivileged_bpf_disabled at its default; grant CAP_BPF to the programs that need it.",
            send: "The sysctl's value, the boot command line, and `taintwatch report`.",
        },
    ),
    (
        "NO_RETPOLINE",
        Explanation {
            meaning: "A module was loaded that was built without retpolines: it may leave the machine open to Spectre variant 2.",
            set_by: "Loading such a module on a kernel with retpolines.",
            messages: SOUND,
            effects: "/sys/devices/system/cpu/vulnerabilities/spectre_v2 says so.",
            support: "Get a module that was built with retpolines.",
            avoid: "Build modules with the compiler that the kernel was built with.",
            send: MODULE,
        },
    ),
];

static SUSE: [Overlay; 9] = [
    Overlay {
        support: Some(
            "SUSE does not support the module and may not have its source, which may be closed to kernel developers as well. Reproduce the fault without it, or involve its vendor through the SolidDriver Program.",
        ),
        avoid: Some(
            "Where there is a choice, use the drivers that SUSE supplies: device-mapper multipath in place of a proprietary multipath driver, for example.",
        ),
        ..over("PROPRIETARY_MODULE")
    },
    Overlay {
        support: Some(
            "Not supported: a consistency check, such as the version information, was skipped.",
        ),
        avoid: Some(
            "Never use force options. Get the driver built for exactly the running kernel, as a kernel module package (KMP) that follows SUSE's kABI.",
        ),
        ..over("FORCED_MODULE")
    },
    Overlay {
        meaning: Some(
            "The processor or the system runs outside its specification, or in a way that it is not certified for. On old kernels: an SMP kernel on processors that are not designed or certified for SMP.",
        ),
        avoid: Some(
            "Do not run on processors without SMP certification; use processors that SUSE supports; do not write MSRs or mask CPU features; load microcode early, at boot.",
        ),
        ..over("CPU_OUT_OF_SPEC")
    },
    Overlay {
        support: Some("The hardware, not the kernel, may be at fault: start with its vendor."),
        avoid: Some(
            "Keep the hardware within its specification (overheating is common), run the vendor's diagnostics, check memory and configuration.",
        ),
        ..over("MACHINE_CHECK")
    },
    Overlay {
        meaning: Some(
            "A process was found in a bad page state: virtual memory was corrupted, by software or by bad RAM or cache.",
        ),
        avoid: Some(
            "Keep the hardware within its specification, run the vendor's diagnostics, test memory and cache, check the configuration; run without out-of-tree modules.",
        ),
        ..over("BAD_PAGE")
    },
    Overlay {
        meaning: Some(
            "A program in userspace set it on purpose, or did something that the kernel marks with it. In kernels of SUSE up to SLE 10, U stood for a module without support instead, which is N or n today.",
        ),
        ..over("USER")
    },
    Overlay {
        support: Some(
            "SUSE's own live patches (kernel-livepatch packages) are supported, and so is the kernel with them.",
        ),
        ..over("LIVEPATCH")
    },
    Overlay {
        support: Some(
            "The module's vendor supports it, together with SUSE where there is an agreement (then the module says `supported: external`); else the kernel is not supported with it.",
        ),
        avoid: Some(
            "Use the kernel's own drivers, or a kernel module package from the SolidDriver Program.",
        ),
        ..over("OOT_MODULE")
    },
    Overlay {
        avoid: Some(
            "Use packages that are signed with SUSE's key, or with a vendor's key that is enrolled (mokutil).",
        ),
        ..over("UNSIGNED_MODULE")
    },
];

static RED_HAT: [Overlay; 5] = [
    Overlay {
        meaning: Some(
            "A technology preview is in use: it may be incomplete, and may change. Red Hat 9 and later use upstream's auxiliary flag for what was T or t before.",
        ),
        set_by: Some(
            "A driver or a part of the kernel that calls mark_tech_preview: \"TECH PREVIEW: NAME may not be fully supported.\" in the kernel log.",
        ),
        support: Some("Technology previews are not supported for production; reports are welcome."),
        avoid: Some("Keep to features that the release notes do not list as previews."),
        send: Some("The line with TECH PREVIEW from the kernel log, and `taintwatch report`."),
        ..over("AUX")
    },
    Overlay {
        support: Some(
            "Red Hat does not support the module; its vendor does. Expect to be asked to reproduce the fault without it.",
        ),
        ..over("PROPRIETARY_MODULE")
    },
    Overlay {
        support: Some(
            "The module's vendor supports it. Conversions and in-place upgrades refuse to start while such modules are loaded.",
        ),
        avoid: Some(
            "Prefer drivers of the kernel, of driver update programs, or of kmod packages that follow the kABI.",
        ),
        ..over("OOT_MODULE")
    },
    Overlay {
        support: Some(
            "A signature proves who built a module; Red Hat's own and its partners' modules are signed.",
        ),
        ..over("UNSIGNED_MODULE")
    },
    Overlay {
        support: Some("Red Hat's own live patches (kpatch-patch packages) are supported."),
        ..over("LIVEPATCH")
    },
];

static FEDORA: [Overlay; 1] = [Overlay {
    support: Some(
        "Reports with it are closed as not fixable; reproduce the fault with nouveau or without the module.",
    ),
    ..over("PROPRIETARY_MODULE")
}];

static DEBIAN: [Overlay; 2] = [
    Overlay {
        meaning: Some("A feature is in use that Debian builds, but does not support."),
        set_by: Some(
            "Permission marks of fanotify, which virus scanners set (a deadlock is possible), and btrfs with RAID 5 or 6 (known to lose data): Debian's own patches.",
        ),
        support: Some(
            "Say what uses it; a hang with a virus scanner is probably the scanner's fault.",
        ),
        avoid: Some("Do not let scanners check on access; use another RAID profile."),
        ..over("AUX")
    },
    Overlay {
        support: Some(
            "Maintainers ask to reproduce the fault without it; non-free drivers have their own packages to report against.",
        ),
        ..over("PROPRIETARY_MODULE")
    },
];

static UBUNTU: [Overlay; 1] = [Overlay {
    support: Some(
        "Drivers of the restricted component (ubuntu-drivers) have their own packages to report against; others go to their authors.",
    ),
    ..over("PROPRIETARY_MODULE")
}];
