//! Every scenario, in order, with those who act in it.

use crate::{
    Needs::{self, Modules, Nothing},
    Scenario, beside,
    causes::{alone, behalf, clock, flags, identity, imitated, misleading, reused, signer},
    contexts, cpus, file_systems, follow,
    history::History,
    loading, overflow, patched, status, storm, stuck, system, tail, tamper,
    truth::Actors,
};
use anyhow::Result;

const fn scenario(
    name: &'static str,
    needs: Needs,
    run: fn(&mut History) -> Result<()>,
    modules: &'static [&'static str],
    tasks: &'static [&'static str],
) -> Scenario {
    Scenario {
        name,
        needs,
        run,
        actors: Actors {
            modules,
            tasks,
            unknown: 0,
        },
    }
}

impl Scenario {
    /// So many of its events have a cause that nothing shows.
    const fn unknown(mut self, unknown: usize) -> Self {
        self.actors.unknown = unknown;
        self
    }
}

/// This very program.
const SELF: &[&str] = &["scenarios"];
/// And work that the kernel does later.
const WORK: &[&str] = &["scenarios", "kworker", "tw_kthread"];
/// The program of the container, and who unloads its module.
const UNLOADED: &[&str] = &["busybox", "scenarios"];
const DUMMY: &[&str] = &["dummy"];
const LONGEST: &str = "tw_nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn";

/// What happens while one recorder runs; a later one builds on what earlier ones loaded. The
/// full ring is last: before it nothing may be lost.
#[rustfmt::skip]
pub(crate) const EVENTS: [Scenario; 30] = [
    scenario("stock module, unsigned", Nothing, patched::unsigned, DUMMY, SELF),
    scenario("stock module that fails", Nothing, patched::fails, DUMMY, SELF),
    scenario("sysctl write", Nothing, loading::sysctl_write, &[], SELF),
    scenario("sysctl write again", Nothing, loading::sysctl_again, &[], SELF),
    scenario("sysctl write, refused", Nothing, loading::sysctl_refused, &[], SELF),
    scenario("module load", Modules, loading::module_load, &["tw_gpl"], SELF),
    scenario("proprietary module", Modules, loading::proprietary, &["tw_proprietary"], SELF),
    scenario("WARN in module init", Modules, loading::warn_in_init, &["tw_warn_init"], SELF),
    scenario("WARN from a work item", Modules, loading::warn_later, &["tw_warn_later"], WORK),
    scenario("module that fails in init", Modules, loading::fail_init, &["tw_fail_init"], SELF),
    scenario("module with an unresolved symbol", Modules, loading::unresolved, &["tw_unresolved"], SELF),
    scenario("module unload", Modules, loading::unload, &["tw_gpl"], SELF),
    scenario("after unload", Modules, loading::after_unload, &["tw_warn_init", "tw_proprietary", "tw_warn_later"], WORK),
    scenario("user task on each CPU", Modules, contexts::each_cpu, &["tw_taint"], SELF),
    scenario("kthread, softirq, hardirq, nmi", Modules, contexts::contexts, &["tw_taint"], WORK),
    scenario("last calls that are jumps", Modules, tail::tail_calls, &["tw_tail"], &["scenarios", "kworker", "tw_tail"]),
    scenario("jumps, many times", Modules, tail::repeated, &["tw_tail"], &["scenarios", "kworker"]),
    scenario("softirq in a task", Modules, contexts::softirq_in_task, &["tw_softirq"], SELF),
    scenario("storm of calls", Modules, storm::storm, &["tw_storm", "tw_gpl"], &["scenarios", "tw_storm"]),
    scenario("hidden module", Modules, tamper::hidden, &["tw_hidden"], SELF),
    scenario("direct set", Modules, tamper::direct_set, &["tw_mask"], SELF),
    scenario("direct clear", Modules, tamper::direct_clear, &["tw_mask"], SELF),
    scenario("the mask, written from each CPU", Modules, cpus::written_from_each, &["tw_mask"], SELF),
    scenario("a CPU goes and comes back", Modules, cpus::hotplug, &["tw_mask"], SELF),
    scenario("a CPU goes and comes back at once", Modules, cpus::quick, &["tw_mask"], SELF),
    scenario("storm of direct writes", Modules, storm::direct, &["tw_mask", "tw_storm"], &["scenarios", "tw_storm"]),
    scenario("stores beside the mask", Modules, beside::beside, &["tw_beside", "tw_mask"], SELF).unknown(1),
    scenario("tail, live", Nothing, follow::live, &[], SELF),
    scenario("status and report", Nothing, status::status, &[], SELF),
    scenario("the ring is full", Nothing, overflow::full_ring, DUMMY, SELF),
];

/// What made each flag, and cases that are made to mislead. The machine check and the oops are last: one stops a
/// CPU, the other leaves a module that cannot go.
#[rustfmt::skip]
pub(crate) const CAUSES: [Scenario; 32] = [
    scenario("F and R, forced", Modules, flags::forced, &["tw_pinned"], SELF),
    scenario("C, K and N, by the module's own word", Modules, flags::kinds, &["tw_staging", "tw_livepatch", "tw_test"], SELF),
    scenario("S, by a register", Nothing, flags::register, &["msr"], SELF),
    scenario("X, by fanotify", Nothing, flags::fanotify, &[], SELF),
    scenario("I, by a task in the firmware's place", Nothing, flags::memory_node, &[], SELF),
    scenario("A and J, by a module's call", Modules, flags::by_call, &["tw_taint"], SELF),
    scenario("B, by the allocator", Modules, flags::overflow, &["tw_overflow"], SELF),
    scenario("W, with its report", Modules, flags::warning, &["tw_warn_init"], SELF),
    scenario("a flag's event tells enough alone", Nothing, alone::tells, DUMMY, SELF),
    scenario("one command, two loads", Nothing, alone::twice, DUMMY, &["busybox"]),
    scenario("module identity", Modules, identity::identity, &["tw_proprietary"], SELF),
    scenario("the signer of a module", Nothing, signer::signer, DUMMY, SELF),
    scenario("module without a file", Modules, identity::no_file, &["tw_gpl"], SELF),
    scenario("packed module", Nothing, identity::packed, DUMMY, SELF),
    scenario("the same module twice", Nothing, identity::twice, DUMMY, SELF),
    scenario("why a load failed", Nothing, identity::reason, DUMMY, SELF),
    scenario("requested by the kernel", Nothing, behalf::requested, DUMMY, &["scenarios", "modprobe"]),
    scenario("hostile texts, longest name", Modules, identity::hostile, &["tw_hostile", LONGEST], SELF),
    scenario("read late", Modules, misleading::late, &["tw_warn_init", "tw_warn_later"], &["scenarios", "kworker", "sh"]),
    scenario("two loads at once", Modules, misleading::at_once, &["tw_gpl", "tw_test"], SELF),
    scenario("one number, two processes", Nothing, misleading::same_number, &[], &["sh"]),
    scenario("a symbol that imitates another module", Modules, imitated::symbol, &["tw_taint", "tw_gpl"], SELF),
    scenario("a name that imitates another module", Modules, imitated::module, &["tw_storm", "x] [tw_storm"], SELF),
    scenario("init code at the same place", Modules, reused::init_code, &["tw_init", "tw_inib"], SELF),
    scenario("one process, two programs", Nothing, reused::exec, DUMMY, &["sh", "scenarios"]),
    scenario("a flood of requests", Modules, reused::flood, &["tw_gpl"], SELF),
    scenario("a forced unload by a 32-bit call", Modules, reused::unload_ia32, &["tw_pinned"], SELF),
    scenario("other namespaces", Nothing, behalf::namespaces, DUMMY, &["insmod", "scenarios"]),
    scenario("the clock is set", Nothing, clock::set, &[], SELF),
    scenario("L, by the watchdog", Modules, flags::lockup, &["tw_lockup"], SELF),
    scenario("M, by the machine", Nothing, flags::machine_check, &[], &[]),
    scenario("D, in a kernel thread", Modules, flags::oops, &["tw_oops"], &["scenarios", "tw_oops"]),
];

/// What udev and kmod do.
#[rustfmt::skip]
pub(crate) const SYSTEM: [Scenario; 3] = [
    scenario("a device, by udev", Modules, system::udev, &["tw_device", "tw_driver"], &["modprobe", "(udev-worker)"]),
    scenario("F and R, forced by kmod", Modules, system::force, &["tw_pinned"], &["modprobe", "rmmod"]),
    scenario("packed module, unpacked by kmod", Modules, system::unpacked_by_kmod, &["tw_gpl"], &["modprobe"]),
];

/// Where modules lie; the host gives the guest a disk, and the modules that the kernel needs for it.
#[rustfmt::skip]
pub(crate) const FILE_SYSTEMS: [Scenario; 7] = [
    scenario("module on a subvolume of btrfs", Nothing, file_systems::subvolume, DUMMY, SELF),
    scenario("module that was replaced since", Nothing, file_systems::replaced, DUMMY, SELF),
    scenario("module on an overlay", Nothing, file_systems::overlay, DUMMY, SELF),
    scenario("module from a file in memory", Nothing, file_systems::in_memory, DUMMY, SELF),
    scenario("module in a container", Nothing, file_systems::container, DUMMY, UNLOADED),
    scenario("module in a container that is gone", Nothing, file_systems::container_gone, DUMMY, UNLOADED),
    scenario("module on a file system that does not answer", Nothing, stuck::file, DUMMY, SELF),
];
