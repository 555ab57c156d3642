//! Layer 3: the loads of modules, from the entry of `load_module` to its return.

use aya_ebpf::{
    macros::{fentry, fexit, kprobe, kretprobe, raw_tracepoint},
    programs::{FEntryContext, FExitContext, ProbeContext, RawTracePointContext, RetProbeContext},
};
use taintwatch_common::{LoadEnd, ModuleComing, context};

use crate::{
    counts, loader, process, record, ring,
    target::{
        MODULE_INIT_BASE, MODULE_INIT_SIZE, MODULE_SRCVERSION, MODULE_TAINTS, MODULE_TEXT_BASE,
        MODULE_TEXT_SIZE, MODULE_VERSION, read_text, value,
    },
    task::{self, Entered},
};

#[fentry]
fn load_module(ctx: FEntryContext) -> u32 {
    loader::load_began(ctx.arg(0));
    0
}

#[kprobe]
fn load_module_kprobe(ctx: ProbeContext) -> u32 {
    if let Some(info) = ctx.arg(0) {
        loader::load_began(info);
    }
    0
}

/// `load_module(info, uargs, flags)`: the result follows the three arguments.
#[fexit]
fn load_module_exit(ctx: FExitContext) -> u32 {
    ended(i64::from(ctx.arg::<i32>(3)));
    0
}

#[kretprobe]
fn load_module_kretprobe(ctx: RetProbeContext) -> u32 {
    ended(i64::from(ctx.ret::<i32>()));
    0
}

/// `trace_module_load(mod)`: the module is in the state `MODULE_STATE_COMING`, its own structure is in place.
#[raw_tracepoint]
fn module_load(ctx: RawTracePointContext) -> i32 {
    let module: u64 = ctx.arg(0);
    loader::coming(module);
    let Some(coming) = ring::reserve::<ModuleComing>() else {
        return 0;
    };
    record::fill!(coming as ModuleComing {
        header: record::header::<ModuleComing>(task::context(Entered::ByCall)),
        task => task::fill,
        name => |into| loader::read_name(module, into),
        version => |into| read_text(value(module, MODULE_VERSION.load()), into),
        srcversion => |into| read_text(value(module, MODULE_SRCVERSION.load()), into),
        taints: value(module, MODULE_TAINTS.load()),
        file_ns: loader::file_ns(),
        text: range(module, MODULE_TEXT_BASE.load(), MODULE_TEXT_SIZE.load()),
        init_text: range(module, MODULE_INIT_BASE.load(), MODULE_INIT_SIZE.load()),
    });
    ring::submit(coming);
    0
}

#[inline(always)]
fn ended(result: i64) {
    // The init code is freed by now, and its place used again (`do_init_module`, `kernel/module/main.c`).
    counts::next_epoch();
    process::emit_once(context::TASK);
    if let Some(end) = ring::reserve::<LoadEnd>() {
        loader::copy_freed();
        record::fill!(end as LoadEnd {
            header: record::header::<LoadEnd>(task::context(Entered::ByCall)),
            task => task::fill,
            loading => |into| loader::fill(into, context::TASK),
            result: result,
        });
        ring::submit(end);
    }
    loader::ended();
}

/// First address and size of a part of a module.
#[inline(always)]
fn range(module: u64, base: u64, size: u64) -> [u64; 2] {
    let size: u32 = value(module, size);
    [value(module, base), u64::from(size)]
}
