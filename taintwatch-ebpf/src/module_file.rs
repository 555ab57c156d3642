//! Layer 3: the file that a module is read from, and the kernel's own requests for modules.
//!
//! Each load reads its module first. The kernel asks `security_kernel_read_file` before it reads a file, also a
//! compressed one (`finit_module`), and `security_kernel_load_data` before it reads memory (`init_module`).

use aya_ebpf::{
    macros::{fentry, kprobe, raw_tracepoint},
    programs::{FEntryContext, ProbeContext, RawTracePointContext},
};
use taintwatch_common::{ModuleFile, ModuleRequest};

use crate::{
    limit, loader, path, process, record, ring,
    target::read_text,
    task::{self, Entered},
};

/// `READING_MODULE` and, from 7.x on, `READING_MODULE_COMPRESSED` (`include/linux/kernel_read_file.h`).
const READING: [u32; 2] = [2, 7];
/// `LOADING_MODULE` (`enum kernel_load_data_id`), the same numbers as those of the files.
const LOADING: u32 = 2;

/// `security_kernel_read_file(file, id, contents)`.
#[fentry]
fn module_read(ctx: FEntryContext) -> u32 {
    from_file(ctx.arg(0), ctx.arg(1));
    0
}

#[kprobe]
fn module_read_kprobe(ctx: ProbeContext) -> u32 {
    if let (Some(file), Some(id)) = (ctx.arg(0), ctx.arg(1)) {
        from_file(file, id);
    }
    0
}

/// `security_kernel_load_data(id, contents)`.
#[fentry]
fn module_memory(ctx: FEntryContext) -> u32 {
    from_memory(ctx.arg(0));
    0
}

#[kprobe]
fn module_memory_kprobe(ctx: ProbeContext) -> u32 {
    if let Some(id) = ctx.arg(0) {
        from_memory(id);
    }
    0
}

/// `trace_module_request(name, wait, ip)`.
#[raw_tracepoint]
fn module_request(ctx: RawTracePointContext) -> i32 {
    if !limit::admits() {
        return 0;
    }
    let context = task::context(Entered::ByCall);
    process::emit_once(context);
    let Some(request) = ring::reserve_detail::<ModuleRequest>() else {
        return 0;
    };
    record::fill!(request as ModuleRequest {
        header: record::header::<ModuleRequest>(context),
        task => task::fill,
        alias => |into| read_text(ctx.arg(0), into),
    });
    ring::submit(request);
    0
}

#[inline(always)]
fn from_file(file: u64, id: u32) {
    if id == READING[0] || id == READING[1] {
        read(file, 0);
    }
}

#[inline(always)]
fn from_memory(id: u32) {
    if id == LOADING {
        read(0, 1);
    }
}

#[inline(always)]
fn read(file: u64, from_memory: u32) {
    let header = record::header::<ModuleFile>(task::context(Entered::ByCall));
    loader::file_read(header.boottime_ns);
    let Some(module) = ring::reserve_detail::<ModuleFile>() else {
        return;
    };
    record::fill!(module as ModuleFile {
        header: header,
        task => task::fill,
        from_memory: from_memory,
        reserved: 0,
        path => |into| path::fill(file, into),
    });
    ring::submit(module);
}
