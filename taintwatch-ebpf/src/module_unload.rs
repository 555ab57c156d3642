//! Layer 3: a module is unloaded, or freed since its load failed.

use aya_ebpf::{
    macros::{fentry, fexit, kprobe, kretprobe, raw_tracepoint},
    programs::{FEntryContext, FExitContext, ProbeContext, RawTracePointContext, RetProbeContext},
};
use taintwatch_common::{ModuleFree, context};

use crate::{
    counts, loader, process, record, ring,
    target::{MODULE_TAINTS, PT_REGS_BX, PT_REGS_DI, value},
    task::{self, Entered},
};

/// `__x64_sys_delete_module(regs)`: the system call's arguments are the name and the flags.
#[fentry]
fn delete_module(ctx: FEntryContext) -> u32 {
    began(ctx.arg(0));
    0
}

#[kprobe]
fn delete_module_kprobe(ctx: ProbeContext) -> u32 {
    if let Some(regs) = ctx.arg(0) {
        began(regs);
    }
    0
}

/// `__ia32_sys_delete_module(regs)`: the same from a 32-bit program, or by `int $0x80`; the name is the lower half of `bx`.
#[fentry]
fn delete_module_ia32(ctx: FEntryContext) -> u32 {
    began_ia32(ctx.arg(0));
    0
}

#[kprobe]
fn delete_module_ia32_kprobe(ctx: ProbeContext) -> u32 {
    if let Some(regs) = ctx.arg(0) {
        began_ia32(regs);
    }
    0
}

#[fexit]
fn delete_module_ia32_exit(_ctx: FExitContext) -> u32 {
    loader::ended();
    0
}

#[kretprobe]
fn delete_module_ia32_kretprobe(_ctx: RetProbeContext) -> u32 {
    loader::ended();
    0
}

#[fexit]
fn delete_module_exit(_ctx: FExitContext) -> u32 {
    loader::ended();
    0
}

#[kretprobe]
fn delete_module_kretprobe(_ctx: RetProbeContext) -> u32 {
    loader::ended();
    0
}

/// `trace_module_free(mod)`: an unload, or the end of a load whose init function failed.
#[raw_tracepoint]
fn module_free(ctx: RawTracePointContext) -> i32 {
    let module: u64 = ctx.arg(0);
    process::emit_once(context::TASK);
    counts::next_epoch();
    let in_load = u32::from(loader::is_loading());
    let Some(free) = ring::reserve::<ModuleFree>() else {
        return 0;
    };
    record::fill!(free as ModuleFree {
        header: record::header::<ModuleFree>(task::context(Entered::ByCall)),
        task => task::fill,
        name => |into| loader::read_name(module, into),
        taints: value(module, MODULE_TAINTS.load()),
        in_load: in_load,
        reserved: 0,
    });
    ring::submit(free);
    0
}

#[inline(always)]
fn began(regs: u64) {
    loader::unload_began(value(regs, PT_REGS_DI.load()));
}

#[inline(always)]
fn began_ia32(regs: u64) {
    let name: u32 = value(regs, PT_REGS_BX.load());
    loader::unload_began(u64::from(name));
}
