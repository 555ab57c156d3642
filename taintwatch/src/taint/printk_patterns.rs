//! What kernels print when they set a flag, as data.
//!
//! Texts as in the sources of 2.6.18 to 7.3 and in the patches of vendors. Most kernels that have a text set its flag;
//! where an older one printed the text without the flag, or with another, `since` or `before` says so.

use super::{
    flags::{SOFTLOCKUP_SINCE, UNSIGNED_MODULE_SINCE, bit},
    milestones::SUSE_BITS_MOVED,
    release::Release,
    version::Version,
};

/// Where in a line the text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    Begin,
    /// Behind a prefix that differs from kernel to kernel.
    Anywhere,
}

/// A text, and the flag that it shows.
#[derive(Clone, Copy, Debug)]
pub(super) struct PrintkPattern {
    pub(super) text: &'static str,
    pub(super) at: At,
    pub(super) bit: u32,
    /// The function that prints it, as in `callers`.
    pub(super) place: Option<&'static str>,
    /// A report of many lines begins with it.
    pub(super) report: bool,
    pub(super) vendor: &'static str,
    /// The first upstream kernel that sets the flag with it.
    pub(super) since: Version,
}

const fn report(
    text: &'static str,
    bit: u32,
    place: &'static str,
    since: Version,
) -> PrintkPattern {
    PrintkPattern {
        text,
        at: At::Begin,
        bit,
        place: Some(place),
        report: true,
        vendor: "linux",
        since,
    }
}

const fn says(text: &'static str, bit: u32, place: &'static str) -> PrintkPattern {
    PrintkPattern {
        text,
        at: At::Anywhere,
        bit,
        place: Some(place),
        report: false,
        vendor: "linux",
        since: EVER,
    }
}

const fn oops(text: &'static str) -> PrintkPattern {
    report(text, bit::DIE, "die", EVER)
}

const fn vendor(vendor: &'static str, text: &'static str, bit: u32) -> PrintkPattern {
    PrintkPattern {
        text,
        at: At::Anywhere,
        bit,
        place: None,
        report: false,
        vendor,
        since: EVER,
    }
}

/// Upstream since 6.17, and stable kernels of 6.12.
const GHES_SETS_M_SINCE: Version = Version::new(6, 12);
const EVER: Version = Version::new(0, 0);

/// By the kernel. The first that fits counts.
#[rustfmt::skip]
pub(super) const KERNEL: &[PrintkPattern] = &[
    report("BUG: scheduling while atomic", bit::WARN, "__schedule_bug", Version::new(3, 8)),
    report("BUG: scheduling in a non-blocking section", bit::WARN, "__schedule", EVER),
    report("BUG: sleeping function called from invalid context", bit::WARN, "__might_resched", Version::new(4, 9)),
    report("BUG: assuming atomic context", bit::WARN, "__cant_sleep", EVER),
    report("BUG: assuming non migratable context", bit::WARN, "__cant_migrate", EVER),
    report("watchdog: BUG: soft lockup", bit::SOFTLOCKUP, "watchdog_timer_fn", EVER),
    report("NMI watchdog: BUG: soft lockup", bit::SOFTLOCKUP, "watchdog_timer_fn", SOFTLOCKUP_SINCE),
    report("BUG: soft lockup", bit::SOFTLOCKUP, "watchdog_timer_fn", SOFTLOCKUP_SINCE),
    report("BUG: Bad page state", bit::BAD_PAGE, "bad_page", EVER),
    report("BUG: Bad page map", bit::BAD_PAGE, "print_bad_pte", EVER),
    report("BUG: Bad page cache", bit::BAD_PAGE, "filemap_unaccount_folio", EVER),
    report("Bad page state in process", bit::BAD_PAGE, "bad_page", EVER),
    report("Bad page state at ", bit::BAD_PAGE, "bad_page", EVER),
    report("BUG: KASAN: ", bit::BAD_PAGE, "end_report", EVER),
    report("BUG: KASan: ", bit::BAD_PAGE, "end_report", EVER),
    report("BUG: KFENCE: ", bit::BAD_PAGE, "kfence_report_error", EVER),
    report("BUG: KMSAN: ", bit::BAD_PAGE, "kmsan_report", EVER),
    oops("BUG: kernel NULL pointer dereference"),
    oops("BUG: Kernel NULL pointer dereference"),
    oops("BUG: unable to handle"),
    oops("BUG: Unable to handle"),
    oops("BUG: stack guard page was hit"),
    oops("BUG: TASK stack guard page was hit"),
    oops("BUG: IRQ stack guard page was hit"),
    oops("kernel BUG at "),
    oops("Kernel BUG at "),
    oops("kernel tried to execute "),
    oops("Kernel attempted to "),
    oops("Oops: "),
    oops("Oops - "),
    oops("Oops[#"),
    oops("Oops [#"),
    oops("Internal error: "),
    oops("Unable to handle kernel "),
    oops("Unable to handle paging request"),
    report("mce: [Hardware Error]: CPU ", bit::MACHINE_CHECK, "do_machine_check", EVER),
    report("[Hardware Error]: CPU ", bit::MACHINE_CHECK, "do_machine_check", EVER),
    PrintkPattern { since: GHES_SETS_M_SINCE, ..says("Kernel panic - not syncing: Fatal hardware error!", bit::MACHINE_CHECK, "__ghes_panic") },
    report("SError Interrupt on CPU", bit::MACHINE_CHECK, "arm64_serror_panic", Version::new(6, 17)),
    says("Setting dangerous option ", bit::USER, "param_check_unsafe"),
    says("protected VMs are experimental and for development only, tainting kernel", bit::USER, "pkvm_init_host_vm"),
    says("Unexpected write to kernel-exclusive config offset", bit::USER, "pci_write_config"),
    says("debugfs cache_only=Y forced", bit::USER, "regmap_cache_only_write_file"),
    says("debugfs cache_bypass=Y forced", bit::USER, "regmap_cache_bypass_write_file"),
    says("SBR happened without memory regions removal", bit::USER, "cxl_reset_done"),
    says("Adding kernel taint for vfio-noiommu group", bit::USER, "vfio_group_find_or_alloc"),
    says("Adding kernel taint for vfio-noiommu cdev", bit::USER, "__vfio_register_dev"),
    says("Force probing unsupported Device ID ", bit::USER, "i915_pci_probe"),
    says("Write to unrecognized MSR ", bit::CPU_OUT_OF_SPEC, "msr_write"),
    says("in use, this is for TESTING ONLY, may break things horribly", bit::CPU_OUT_OF_SPEC, "cpu_parse_early_param"),
    says("x86/CPU: Running old microcode", bit::CPU_OUT_OF_SPEC, "cpu_set_bug_bits"),
    says("It is a very very bad idea to disable the blobs SHA check", bit::CPU_OUT_OF_SPEC, "load_ucode_amd_bsp"),
    says("Late microcode loading without minimal revision check", bit::CPU_OUT_OF_SPEC, "load_late_stop_cpus"),
    says("late microcode loading - it is dangerous and taints the kernel", bit::CPU_OUT_OF_SPEC, "microcode_reload_late"),
    says("Unsupported CPU feature variation detected", bit::CPU_OUT_OF_SPEC, "update_cpu_features"),
    says("Known broken EL2 virtual timer", bit::CPU_OUT_OF_SPEC, "has_broken_el2_vtimer"),
    says("Non-architectural vgic, tainting kernel", bit::CPU_OUT_OF_SPEC, "kvm_vgic_hyp_init"),
    says("Overdrive is enabled, please disable it before reporting any bugs", bit::CPU_OUT_OF_SPEC, "amdgpu_init"),
    says("processors is not suitable for SMP", bit::CPU_OUT_OF_SPEC, "init_amd_k7"),
    says("PAE forced!", bit::CPU_OUT_OF_SPEC, "intel_workarounds"),
    says("incorrect mask, fixing it", bit::FIRMWARE_WORKAROUND, "generic_get_mtrr"),
    says("[Firmware Bug]: Overriding NUMA node to ", bit::FIRMWARE_WORKAROUND, "numa_node_store"),
    says("[Firmware Bug]: IRQ flags corrupted (", bit::FIRMWARE_WORKAROUND, "efi_call_virt_check_flags"),
    says("in EFI runtime service", bit::FIRMWARE_WORKAROUND, "efi_runtime_fixup_exception"),
    says("(tainting kernel)", bit::FIRMWARE_WORKAROUND, "pci_amd_enable_64bit_bar"),
    says("Fatal error while evaluating ACPI control method", bit::FIRMWARE_WORKAROUND, "acpi_os_signal"),
    says("APICID_TAG_MAP set incorrectly by BIOS", bit::FIRMWARE_WORKAROUND, "ioat_dca_init"),
    says("Your BIOS is broken", bit::FIRMWARE_WORKAROUND, "warn_invalid_dmar"),
    says("BIOS assigned incorrect VT-d unit", bit::FIRMWARE_WORKAROUND, "quirk_ioat_snb_local_iommu"),
    says("This system BIOS has enabled interrupt remapping", bit::FIRMWARE_WORKAROUND, "intel_prepare_irq_remapping"),
    says("this is unsafe: tainting kernel", bit::OVERRIDDEN_ACPI_TABLE, "acpi_table_taint"),
    says("Expected reserved range [", bit::CRAP, "its_probe_one"),
    says("Booted with LPIs enabled, memory probably corrupted", bit::CRAP, "its_probe_one"),
    says("This is a pre-production stepping", bit::MACHINE_CHECK, "intel_detect_preproduction_hw"),
    says("Pre-production workarounds for this platform have already been removed", bit::MACHINE_CHECK, "detect_preproduction_hw"),
    says("lockup timeout disabled", bit::SOFTLOCKUP, "amdgpu_device_get_job_timeout_settings"),
    says("CI tainted: 0x9 by ", bit::WARN, "__add_taint_for_CI"),
    says("start of unittest - you will see error messages", bit::TEST, "of_unittest"),
    says("has requested full access to the physical device", bit::FWCTL, "fwctl_cmd_rpc"),
    says("btrfs RAID5/6 is EXPERIMENTAL and has known data-loss bugs", bit::AUX, "open_ctree"),
    says("Using fanotify permission checks may lead to deadlock; tainting kernel", bit::AUX, "do_fanotify_mark"),
    vendor("rhel", "TECH PREVIEW: ", bit::AUX),
    vendor("rhel", "is a Partner supported GPL module and not supported directly by Red Hat", bit::RED_HAT_PARTNER_SUPPORTED),
    vendor("rhel", "Support for this device has been removed in this major release", bit::RED_HAT_SUPPORT_REMOVED),
    vendor("rhel", "UNSUPPORTED HARDWARE DEVICE: ", bit::RED_HAT_HARDWARE_UNSUPPORTED),
];

/// `NAME: text`, by the module loader (`kernel/module.c`, `kernel/module/main.c`), with the flag and its vendor.
#[rustfmt::skip]
pub(super) const LOADER: &[(&str, u32, &str)] = &[
    ("loading out-of-tree module", bit::OOT_MODULE, "linux"),
    ("module license '", bit::PROPRIETARY_MODULE, "linux"),
    ("module license taints kernel.", bit::PROPRIETARY_MODULE, "linux"),
    ("module is from the staging directory", bit::CRAP, "linux"),
    ("tainting kernel with TAINT_LIVEPATCH", bit::LIVEPATCH, "linux"),
    ("loading test module taints kernel.", bit::TEST, "linux"),
    ("module verification failed: signature and/or", bit::UNSIGNED_MODULE, "linux"),
    ("module signature verification failed, tainting kernel", bit::UNSIGNED_MODULE, "linux"),
    ("module verification failed: required key missing", bit::UNSIGNED_MODULE, "linux"),
    ("bad vermagic: kernel tainted.", bit::FORCED_MODULE, "linux"),
    ("no version magic, tainting kernel.", bit::FORCED_MODULE, "linux"),
    ("no versions for exported symbols: kernel tainted.", bit::FORCED_MODULE, "linux"),
    ("no versions for exported symbols tainting kernel", bit::FORCED_MODULE, "linux"),
    ("module_layout: kernel tainted.", bit::FORCED_MODULE, "linux"),
    ("externally supported module, setting X kernel taint flag.", bit::SUSE_EXTERNAL_SUPPORT, "suse"),
    ("module is not supported by SUSE.", bit::SUSE_NO_SUPPORT, "suse"),
    ("allowing unsupported features, kernel tainted.", bit::SUSE_NO_SUPPORT, "suse"),
];

/// What a line's flag is on a kernel that printed the same text for another one.
pub(super) fn bit_on(release: Release, vendor: &str, bit: u32, text: &str) -> u32 {
    let before = |version| release.version < version;
    match (vendor, bit) {
        // `TAINT_UNSIGNED_MODULE` came with 3.15, and to RHEL 7 and Ubuntu's 3.13.0-36; the check is from 3.7, the text
        // from 3.9, and set F (`load_module`, `kernel/module.c`).
        ("linux", bit::UNSIGNED_MODULE)
            if before(UNSIGNED_MODULE_SINCE) && !release.has_unsigned_flag() =>
        {
            bit::FORCED_MODULE
        }
        // SUSE's bits of the time before 5.3.
        ("suse", bit::SUSE_EXTERNAL_SUPPORT) if before(SUSE_BITS_MOVED) => {
            bit::SUSE_OLD_EXTERNAL_SUPPORT
        }
        ("suse", bit::SUSE_NO_SUPPORT) if before(SUSE_BITS_MOVED) => bit::SUSE_OLD_NO_SUPPORT,
        // Technology previews had a flag of their own up to RHEL 8.
        ("rhel", bit::AUX) if text.starts_with("TECH") && release.el.is_some_and(|el| el <= 8) => {
            bit::RED_HAT_TECH_PREVIEW
        }
        _ => bit,
    }
}

impl PrintkPattern {
    /// The flag that the text shows on this kernel; `None` where it set none.
    pub(super) fn bit_on(&self, release: Option<Release>) -> Option<u32> {
        match release {
            None => Some(self.bit),
            // Red Hat's old kernels have much of newer ones.
            Some(release) if release.el.is_none() && release.version < self.since => None,
            Some(release) => Some(bit_on(release, self.vendor, self.bit, self.text)),
        }
    }
}
