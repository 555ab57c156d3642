//! The functions in the kernel that set a flag, and what each call means: by the function, never by the letter.
//!
//! In: the function that called `add_taint` (past `WARN`'s own), the flag. Out: a sentence, and the part of the running
//! task. Functions as in the sources of 5.10 to 7.3; a function that is not here is shown by its symbol, without a
//! meaning.

use super::flags::bit;

/// The part of the running task in a taint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// It asked for what taints.
    Asked,
    /// It was merely running.
    Victim,
    /// No task has a part: the boot, an interrupt, the machine.
    NoTask,
}

/// A place that taints.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    pub function: &'static str,
    /// The flag that it sets; `None` for any.
    pub bit: Option<u32>,
    pub part: Part,
    pub sentence: &'static str,
    /// Where it lies.
    pub source: &'static str,
    /// Kernels that have it, first and last known.
    pub kernels: (&'static str, &'static str),
}

impl Caller {
    /// Whether kernels can have this place in a module: drivers, file systems, and the MSR device.
    #[must_use]
    pub fn can_be_a_module(&self) -> bool {
        let parts = ["drivers/", "fs/", "lib/kunit/", "arch/x86/kernel/msr.c"];
        parts.iter().any(|part| self.source.starts_with(part))
    }
}

const fn caller(
    function: &'static str,
    bit: u32,
    part: Part,
    sentence: &'static str,
    source: &'static str,
    kernels: (&'static str, &'static str),
) -> Caller {
    Caller {
        function,
        bit: Some(bit),
        part,
        sentence,
        source,
        kernels,
    }
}

const ALL: (&str, &str) = ("5.10", "7.3");
const SINCE_72: (&str, &str) = ("7.2", "7.3");

use Part::{Asked, NoTask, Victim};

/// Every place that is known.
#[rustfmt::skip]
pub const CALLERS: [Caller; 59] = [
    caller("param_check_unsafe", bit::USER, Asked, "a module parameter that its authors call unsafe was set", "kernel/params.c", ALL),
    caller("__schedule_bug", bit::WARN, Victim, "code slept where it must not (scheduling while atomic)", "kernel/sched/core.c", ALL),
    caller("schedule_debug", bit::WARN, Victim, "code slept where it must not", "kernel/sched/core.c", ALL),
    caller("__schedule", bit::WARN, Victim, "code slept where it must not", "kernel/sched/core.c", ALL),
    caller("__might_resched", bit::WARN, Victim, "code that may sleep ran where it must not", "kernel/sched/core.c", ("5.17", "7.3")),
    caller("___might_sleep", bit::WARN, Victim, "code that may sleep ran where it must not", "kernel/sched/core.c", ("5.10", "5.16")),
    caller("__cant_sleep", bit::WARN, Victim, "code that must not sleep ran where it may", "kernel/sched/core.c", ALL),
    caller("__cant_migrate", bit::WARN, Victim, "code that must not move ran where it may", "kernel/sched/core.c", ALL),
    caller("watchdog_timer_fn", bit::SOFTLOCKUP, Victim, "a CPU ran kernel code for too long without a pause (soft lockup)", "kernel/watchdog.c", ALL),
    caller("kunit_run_tests", bit::TEST, Asked, "in-kernel tests were run", "lib/kunit/test.c", ("6.0", "7.3")),
    caller("filemap_unaccount_folio", bit::BAD_PAGE, Victim, "a page of the page cache was in a bad state", "mm/filemap.c", ("5.17", "7.3")),
    caller("unaccount_page_cache_page", bit::BAD_PAGE, Victim, "a page of the page cache was in a bad state", "mm/filemap.c", ("5.10", "5.16")),
    caller("print_bad_pte", bit::BAD_PAGE, Victim, "a page table had a bad entry", "mm/memory.c", ("5.10", "6.18")),
    caller("print_bad_page_map", bit::BAD_PAGE, Victim, "a page table had a bad entry", "mm/memory.c", ("6.19", "7.3")),
    caller("bad_page", bit::BAD_PAGE, Victim, "a memory page was in a bad state: memory was overwritten, or is broken", "mm/page_alloc.c", ALL),
    caller("object_err", bit::BAD_PAGE, Victim, "an object of the slab allocator was found damaged", "mm/slub.c", ALL),
    caller("slab_err", bit::BAD_PAGE, Victim, "an allocator's page was overwritten", "mm/slub.c", ALL),
    caller("__slab_err", bit::BAD_PAGE, Victim, "an allocator's page was overwritten", "mm/slub.c", ("6.15", "7.3")),
    caller("slab_bug", bit::BAD_PAGE, Victim, "an object of the slab allocator was found damaged", "mm/slub.c", ("5.10", "6.14")),
    caller("check_bytes_and_report", bit::BAD_PAGE, Victim, "an object of the slab allocator was found damaged", "mm/slub.c", ALL),
    caller("end_report", bit::BAD_PAGE, Victim, "KASAN found a bad memory access", "mm/kasan/report.c", ALL),
    caller("kfence_report_error", bit::BAD_PAGE, Victim, "KFENCE found a bad memory access", "mm/kfence/report.c", ("5.12", "7.3")),
    caller("kmsan_report", bit::BAD_PAGE, Victim, "KMSAN found a use of uninitialised memory", "mm/kmsan/report.c", ("6.1", "7.3")),
    caller("oops_end", bit::DIE, Victim, "kernel code crashed (oops)", "arch/x86/kernel/dumpstack.c", ALL),
    caller("die", bit::DIE, Victim, "kernel code crashed (oops)", "arch/arm64/kernel/traps.c", ALL),
    caller("do_machine_check", bit::MACHINE_CHECK, NoTask, "the processor reported a hardware error", "arch/x86/kernel/cpu/mce/core.c", ALL),
    caller("machine_check_exception", bit::MACHINE_CHECK, NoTask, "the processor reported a hardware error", "arch/powerpc/kernel/traps.c", ALL),
    caller("amdgpu_init", bit::CPU_OUT_OF_SPEC, NoTask, "overclocking was switched on in the graphics driver", "drivers/gpu/drm/amd/amdgpu/amdgpu_drv.c", SINCE_72),
    caller("__ghes_panic", bit::MACHINE_CHECK, NoTask, "the firmware reported a fatal hardware error", "drivers/acpi/apei/ghes.c", ALL),
    caller("do_sea", bit::MACHINE_CHECK, Victim, "the processor reported a hardware error", "arch/arm64/mm/fault.c", ALL),
    caller("cpu_parse_early_param", bit::CPU_OUT_OF_SPEC, NoTask, "a processor feature was forced on the command line", "arch/x86/kernel/cpu/common.c", ALL),
    caller("cpu_set_bug_bits", bit::CPU_OUT_OF_SPEC, NoTask, "the microcode is older than it should be", "arch/x86/kernel/cpu/common.c", SINCE_72),
    caller("load_late_stop_cpus", bit::CPU_OUT_OF_SPEC, Asked, "microcode was loaded late", "arch/x86/kernel/cpu/microcode/core.c", ("6.2", "7.3")),
    caller("microcode_reload_late", bit::CPU_OUT_OF_SPEC, Asked, "microcode was loaded late", "arch/x86/kernel/cpu/microcode/core.c", ("5.10", "6.1")),
    caller("generic_get_mtrr", bit::FIRMWARE_WORKAROUND, NoTask, "the firmware set a memory type range wrongly", "arch/x86/kernel/cpu/mtrr/generic.c", ALL),
    caller("msr_write", bit::CPU_OUT_OF_SPEC, Asked, "a task wrote to a model-specific register of the processor", "arch/x86/kernel/msr.c", ALL),
    caller("msr_ioctl", bit::CPU_OUT_OF_SPEC, Asked, "a task wrote to a model-specific register of the processor", "arch/x86/kernel/msr.c", ALL),
    caller("smn_value_write", bit::CPU_OUT_OF_SPEC, Asked, "a task wrote to a register of the processor's inner network", "arch/x86/kernel/amd_node.c", SINCE_72),
    caller("acpi_table_taint", bit::OVERRIDDEN_ACPI_TABLE, NoTask, "an ACPI table was replaced", "drivers/acpi/tables.c", ALL),
    caller("acpi_os_signal", bit::FIRMWARE_WORKAROUND, NoTask, "the firmware's code failed", "drivers/acpi/osl.c", SINCE_72),
    caller("efi_call_virt_check_flags", bit::FIRMWARE_WORKAROUND, NoTask, "the firmware's runtime service changed the interrupt flags", "drivers/firmware/efi/runtime-wrappers.c", ALL),
    caller("numa_node_store", bit::FIRMWARE_WORKAROUND, Asked, "a task set a device's memory node, which the firmware should", "drivers/pci/pci-sysfs.c", ALL),
    caller("pci_write_config", bit::USER, Asked, "a task wrote to configuration space that a driver has for itself", "drivers/pci/pci-sysfs.c", ("6.0", "7.3")),
    caller("proc_bus_pci_write", bit::USER, Asked, "a task wrote to configuration space that a driver has for itself", "drivers/pci/proc.c", ("6.0", "7.3")),
    caller("regmap_map_write_file", bit::USER, Asked, "a task wrote to a device's registers through debugfs", "drivers/base/regmap/regmap-debugfs.c", ALL),
    caller("cxl_reset_done", bit::USER, Asked, "a memory device was reset while it was in use", "drivers/cxl/pci.c", ("6.12", "7.3")),
    caller("vfio_group_find_or_alloc", bit::USER, Asked, "a device was given to a user without an IOMMU", "drivers/vfio/group.c", ("6.2", "7.3")),
    caller("__vfio_register_dev", bit::USER, Asked, "a device was given to a user without an IOMMU", "drivers/vfio/vfio_main.c", SINCE_72),
    caller("i915_pci_probe", bit::USER, Asked, "a graphics device was probed by force", "drivers/gpu/drm/i915/i915_pci.c", ALL),
    caller("intel_detect_preproduction_hw", bit::MACHINE_CHECK, NoTask, "the graphics device is an early sample; no machine check happened", "drivers/gpu/drm/i915/i915_driver.c", ALL),
    caller("detect_preproduction_hw", bit::MACHINE_CHECK, NoTask, "the graphics device is an early sample; no machine check happened", "drivers/gpu/drm/xe/xe_device.c", SINCE_72),
    caller("amdgpu_device_get_job_timeout_settings", bit::SOFTLOCKUP, NoTask, "the graphics driver's lockup timeout is switched off; no soft lockup happened", "drivers/gpu/drm/amd/amdgpu/amdgpu_device.c", ALL),
    caller("sw_sync_ioctl_create_fence", bit::SOFTLOCKUP, Asked, "a task made a fence of its own; no soft lockup happened", "drivers/dma-buf/sw_sync.c", SINCE_72),
    caller("its_probe_one", bit::CRAP, NoTask, "the interrupt controller's tables were not where they should be; no staging driver is involved", "drivers/irqchip/irq-gic-v3-its.c", ALL),
    caller("fwctl_cmd_rpc", bit::FWCTL, Asked, "a task took full access to a device's firmware", "drivers/fwctl/main.c", ("6.15", "7.3")),
    caller("do_fanotify_mark", bit::AUX, Asked, "a task set permission marks with fanotify, which Debian does not support", "fs/notify/fanotify/fanotify_user.c", ALL),
    caller("set_device_specific_options", bit::AUX, Asked, "a btrfs with RAID 5 or 6 was mounted, which Debian does not support", "fs/btrfs/super.c", SINCE_72),
    caller("open_ctree", bit::AUX, Asked, "a btrfs with RAID 5 or 6 was mounted, which Debian does not support", "fs/btrfs/disk-io.c", ("5.10", "6.12")),
    caller("report_cfi_failure", bit::PROPRIETARY_MODULE, Victim, "an indirect call went to the wrong kind of function; no module is proprietary because of it", "kernel/cfi.c", ("6.1", "7.3")),
];

/// The place that a caller is.
#[must_use]
pub fn known(function: &str, bit: u32) -> Option<&'static Caller> {
    CALLERS
        .iter()
        .find(|caller| caller.function == function && caller.bit.is_none_or(|of| of == bit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_letter_means_different_things() {
        let sentence = |function, bit| known(function, bit).map(|caller| caller.sentence);
        assert!(
            sentence("its_probe_one", 10)
                .unwrap()
                .contains("no staging driver")
        );
        assert!(
            sentence("watchdog_timer_fn", 14)
                .unwrap()
                .contains("soft lockup")
        );
        assert_eq!(
            sentence("msr_write", 0),
            None,
            "another flag there is another story"
        );
        assert_eq!(sentence("unknown_function", 9), None);
    }

    #[test]
    fn each_place_is_there_once() {
        for (index, one) in CALLERS.iter().enumerate() {
            let again = CALLERS
                .iter()
                .skip(index + 1)
                .any(|other| one.function == other.function && one.bit == other.bit);
            assert!(!again, "{} is there twice", one.function);
            assert!(one.source.contains('/'), "{}", one.function);
        }
    }
}
