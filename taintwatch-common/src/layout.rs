//! Sizes and offsets of every layout, asserted when the crate is compiled.

use core::mem::{offset_of, size_of};

use crate::{
    ALIAS_LEN, ANCESTORS, ARGS_LEN, Ancestor, CALLEES, CODE_LEN, COMPONENT_LEN, Callees, Caller,
    Count, CountKey, FilePath, Header, Left, LoadEnd, Loading, MODULE_NAME_LEN, MODULE_TEXT_LEN,
    MaskWrite, ModuleComing, ModuleFile, ModuleFree, ModuleRequest, PATH_STEPS, Process,
    STACK_FRAMES, SYMBOL_LEN, SYSCTL_TEXT_LEN, Stack, SysctlWrite, TaintEntry, Task,
    UNLOAD_STACK_LEN, UnloadStack, Writer,
};

// Padding would carry old ring contents to userspace and make the layouts differ between compilers.
const _: () = {
    assert!(size_of::<Header>() == 24);
    assert!(size_of::<Task>() == 48);
    assert!(size_of::<Loading>() == 72);
    assert!(size_of::<Stack>() == 8 + (8 + SYMBOL_LEN) * STACK_FRAMES);
    assert!(offset_of!(TaintEntry, task) == 24);
    assert!(offset_of!(TaintEntry, loading) == 72);
    assert!(size_of::<Caller>() == 40);
    assert!(offset_of!(TaintEntry, flag) == 144);
    assert!(offset_of!(TaintEntry, mask_before) == 152);
    assert!(offset_of!(TaintEntry, caller) == 160);
    assert!(offset_of!(TaintEntry, stack) == 200);
    assert!(size_of::<TaintEntry>() == 200 + size_of::<Stack>());
    assert!(offset_of!(MaskWrite, mask_before) == 152);
    assert!(offset_of!(MaskWrite, caller) == 168);
    assert!(offset_of!(MaskWrite, stack) == 208);
    assert!(size_of::<MaskWrite>() == 208 + size_of::<Stack>());
    assert!(offset_of!(Callees, text) == 32 + 8 * CALLEES);
    assert!(size_of::<Callees>() == 32 + (8 + SYMBOL_LEN + CODE_LEN) * CALLEES);
    assert!(offset_of!(ModuleComing, name) == 104);
    assert!(offset_of!(ModuleComing, version) == 104 + MODULE_NAME_LEN);
    assert!(size_of::<ModuleComing>() == 104 + MODULE_NAME_LEN + 2 * MODULE_TEXT_LEN + 16);
    assert!(size_of::<ModuleFree>() == 72 + MODULE_NAME_LEN + 16);
    assert!(size_of::<UnloadStack>() == 72 + UNLOAD_STACK_LEN);
    assert!(offset_of!(LoadEnd, result) == 144);
    assert!(size_of::<LoadEnd>() == 152);
    assert!(offset_of!(SysctlWrite, text) == 88);
    assert!(size_of::<SysctlWrite>() == 88 + SYSCTL_TEXT_LEN + size_of::<Stack>());
    assert!(size_of::<FilePath>() == 32 + COMPONENT_LEN * PATH_STEPS);
    assert!(size_of::<Ancestor>() == 24);
    assert!(offset_of!(Process, ancestors) == 88);
    assert!(size_of::<Process>() == 88 + 24 * ANCESTORS + size_of::<FilePath>() + ARGS_LEN);
    assert!(size_of::<ModuleFile>() == 80 + size_of::<FilePath>());
    assert!(size_of::<ModuleRequest>() == 72 + ALIAS_LEN);
    assert!(size_of::<CountKey>() == 40);
    assert!(size_of::<Writer>() == 16);
    assert!(size_of::<Left>() == 24);
    assert!(size_of::<Count>() == 56 + size_of::<Loading>() + SYMBOL_LEN);
};
