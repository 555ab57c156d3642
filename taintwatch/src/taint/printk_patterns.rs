//! What kernels print when they set a flag, as data.
//!
//! Texts as in the sources of 2.6.18 to 7.3 and in the patches of vendors. Most kernels that have a text set its flag; where
//! an older one printed the text without the flag, or with another, `since` or `before` says so.

use super::release::Release;

/// Where in a line the text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    Begin,
    /// Behind a prefix that differs from kernel to kernel.
    Anywhere,
}

/// A text, and the flag that it tells of.
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
    pub(super) since: (u32, u32),
}

const fn report(
    text: &'static str,
    bit: u32,
    place: &'static str,
    since: (u32, u32),
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
    report(text, 7, "die", EVER)
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

const EVER: (u32, u32) = (0, 0);

/// By the kernel. The first that fits counts.
#[rustfmt::skip]
pub(super) const KERNEL: &[PrintkPattern] = &[
    report("BUG: scheduling while atomic", 9, "__schedule_bug", (3, 8)),
    report("BUG: scheduling in a non-blocking section", 9, "__schedule", EVER),
    report("BUG: sleeping function called from invalid context", 9, "__might_resched", (4, 9)),
    report("BUG: assuming atomic context", 9, "__cant_sleep", EVER),
    report("BUG: assuming non migratable context", 9, "__cant_migrate", EVER),
    report("watchdog: BUG: soft lockup", 14, "watchdog_timer_fn", EVER),
    report("NMI watchdog: BUG: soft lockup", 14, "watchdog_timer_fn", (3, 17)),
    report("BUG: soft lockup", 14, "watchdog_timer_fn", (3, 17)),
    report("BUG: Bad page state", 5, "bad_page", EVER),
    report("BUG: Bad page map", 5, "print_bad_pte", EVER),
    report("BUG: Bad page cache", 5, "filemap_unaccount_folio", EVER),
    report("Bad page state in process", 5, "bad_page", EVER),
    report("Bad page state at ", 5, "bad_page", EVER),
    report("BUG: KASAN: ", 5, "end_report", EVER),
    report("BUG: KASan: ", 5, "end_report", EVER),
    report("BUG: KFENCE: ", 5, "kfence_report_error", EVER),
    report("BUG: KMSAN: ", 5, "kmsan_report", EVER),
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
    report("mce: [Hardware Error]: CPU ", 4, "do_machine_check", EVER),
    report("[Hardware Error]: CPU ", 4, "do_machine_check", EVER),
    says("Kernel panic - not syncing: Fatal hardware error!", 4, "__ghes_panic"),
    report("SError Interrupt on CPU", 4, "arm64_serror_panic", (6, 17)),
    says("Setting dangerous option ", 6, "param_check_unsafe"),
    says("protected VMs are experimental and for development only, tainting kernel", 6, "pkvm_init_host_vm"),
    says("Unexpected write to kernel-exclusive config offset", 6, "pci_write_config"),
    says("debugfs cache_only=Y forced", 6, "regmap_cache_only_write_file"),
    says("debugfs cache_bypass=Y forced", 6, "regmap_cache_bypass_write_file"),
    says("SBR happened without memory regions removal", 6, "cxl_reset_done"),
    says("Adding kernel taint for vfio-noiommu group", 6, "vfio_group_find_or_alloc"),
    says("Adding kernel taint for vfio-noiommu cdev", 6, "__vfio_register_dev"),
    says("Force probing unsupported Device ID ", 6, "i915_pci_probe"),
    says("Write to unrecognized MSR ", 2, "msr_write"),
    says("in use, this is for TESTING ONLY, may break things horribly", 2, "cpu_parse_early_param"),
    says("x86/CPU: Running old microcode", 2, "cpu_set_bug_bits"),
    says("It is a very very bad idea to disable the blobs SHA check", 2, "load_ucode_amd_bsp"),
    says("Late microcode loading without minimal revision check", 2, "load_late_stop_cpus"),
    says("late microcode loading - it is dangerous and taints the kernel", 2, "microcode_reload_late"),
    says("Unsupported CPU feature variation detected", 2, "update_cpu_features"),
    says("Known broken EL2 virtual timer", 2, "has_broken_el2_vtimer"),
    says("Non-architectural vgic, tainting kernel", 2, "kvm_vgic_hyp_init"),
    says("Overdrive is enabled, please disable it before reporting any bugs", 2, "amdgpu_init"),
    says("processors is not suitable for SMP", 2, "init_amd_k7"),
    says("PAE forced!", 2, "intel_workarounds"),
    says("incorrect mask, fixing it", 11, "generic_get_mtrr"),
    says("[Firmware Bug]: Overriding NUMA node to ", 11, "numa_node_store"),
    says("[Firmware Bug]: IRQ flags corrupted (", 11, "efi_call_virt_check_flags"),
    says("in EFI runtime service", 11, "efi_runtime_fixup_exception"),
    says("(tainting kernel)", 11, "pci_amd_enable_64bit_bar"),
    says("Fatal error while evaluating ACPI control method", 11, "acpi_os_signal"),
    says("APICID_TAG_MAP set incorrectly by BIOS", 11, "ioat_dca_init"),
    says("Your BIOS is broken", 11, "warn_invalid_dmar"),
    says("BIOS assigned incorrect VT-d unit", 11, "quirk_ioat_snb_local_iommu"),
    says("This system BIOS has enabled interrupt remapping", 11, "intel_prepare_irq_remapping"),
    says("this is unsafe: tainting kernel", 8, "acpi_table_taint"),
    says("Expected reserved range [", 10, "its_probe_one"),
    says("Booted with LPIs enabled, memory probably corrupted", 10, "its_probe_one"),
    says("This is a pre-production stepping", 4, "intel_detect_preproduction_hw"),
    says("Pre-production workarounds for this platform have already been removed", 4, "detect_preproduction_hw"),
    says("lockup timeout disabled", 14, "amdgpu_device_get_job_timeout_settings"),
    says("CI tainted: 0x9 by ", 9, "__add_taint_for_CI"),
    says("start of unittest - you will see error messages", 18, "of_unittest"),
    says("has requested full access to the physical device", 19, "fwctl_cmd_rpc"),
    says("btrfs RAID5/6 is EXPERIMENTAL and has known data-loss bugs", 16, "open_ctree"),
    says("Using fanotify permission checks may lead to deadlock; tainting kernel", 16, "do_fanotify_mark"),
    vendor("rhel", "TECH PREVIEW: ", 16),
    vendor("rhel", "is a Partner supported GPL module and not supported directly by Red Hat", 26),
    vendor("rhel", "Support for this device has been removed in this major release", 27),
    vendor("rhel", "UNSUPPORTED HARDWARE DEVICE: ", 28),
];

/// `NAME: text`, by the module loader (`kernel/module.c`, `kernel/module/main.c`), with the flag and whose it is.
#[rustfmt::skip]
pub(super) const LOADER: &[(&str, u32, &str)] = &[
    ("loading out-of-tree module", 12, "linux"),
    ("module license '", 0, "linux"),
    ("module license taints kernel.", 0, "linux"),
    ("module is from the staging directory", 10, "linux"),
    ("tainting kernel with TAINT_LIVEPATCH", 15, "linux"),
    ("loading test module taints kernel.", 18, "linux"),
    ("module verification failed: signature and/or", 13, "linux"),
    ("module signature verification failed, tainting kernel", 13, "linux"),
    ("bad vermagic: kernel tainted.", 1, "linux"),
    ("no version magic, tainting kernel.", 1, "linux"),
    ("no versions for exported symbols: kernel tainted.", 1, "linux"),
    ("no versions for exported symbols tainting kernel", 1, "linux"),
    ("module_layout: kernel tainted.", 1, "linux"),
    ("externally supported module, setting X kernel taint flag.", 16, "suse"),
    ("module is not supported by SUSE.", 31, "suse"),
    ("allowing unsupported features, kernel tainted.", 31, "suse"),
];

/// What a line's flag is on a kernel that printed the same text for another one.
pub(super) fn bit_on(release: Release, vendor: &str, bit: u32, text: &str) -> u32 {
    let before = |version| release.version < version;
    match (vendor, bit) {
        // `TAINT_UNSIGNED_MODULE` came with 3.15, and to RHEL 7; the text is from 3.7 and set F (`kernel/module.c`).
        ("linux", 13) if before((3, 15)) && release.el != Some(7) => 1,
        // SUSE's bits of the time before 5.3.
        ("suse", 16) if before((5, 3)) => 31,
        ("suse", 31) if before((5, 3)) => 30,
        // Technology previews had a flag of their own up to RHEL 8.
        ("rhel", 16) if text.starts_with("TECH") && release.el.is_some_and(|el| el <= 8) => 29,
        _ => bit,
    }
}

impl PrintkPattern {
    /// The flag that the text tells of on this kernel; `None` where it set none.
    pub(super) fn bit_on(&self, release: Option<Release>) -> Option<u32> {
        match release {
            None => Some(self.bit),
            // Red Hat's old kernels have much of newer ones.
            Some(release) if release.el.is_none() && release.version < self.since => None,
            Some(release) => Some(bit_on(release, self.vendor, self.bit, self.text)),
        }
    }
}
