//! Sizes and offsets of every layout, asserted when the crate is compiled.

use core::mem::{offset_of, size_of};

use crate::{
    ALIAS_LEN, ANCESTORS, ARGS_LEN, Ancestor, COMPONENT_LEN, Count, CountKey, FilePath, Header,
    LoadEnd, Loading, MODULE_NAME_LEN, MODULE_TEXT_LEN, MaskWrite, ModuleComing, ModuleFile,
    ModuleFree, ModuleRequest, PATH_STEPS, Process, STACK_FRAMES, SYMBOL_LEN, SYMBOL_TEXT_LEN,
    SYSCTL_TEXT_LEN, Stack, SysctlWrite, TaintEntry, Task,
};

// Padding would carry old ring contents to userspace and make the layouts differ between compilers.
const _: () = {
    assert!(size_of::<Header>() == 24);
    assert!(size_of::<Task>() == 48);
    assert!(size_of::<Loading>() == 64);
    assert!(size_of::<Stack>() == 8 + 8 * STACK_FRAMES + 2 * SYMBOL_TEXT_LEN);
    assert!(offset_of!(TaintEntry, task) == 24);
    assert!(offset_of!(TaintEntry, loading) == 72);
    assert!(offset_of!(TaintEntry, flag) == 136);
    assert!(offset_of!(TaintEntry, mask_before) == 144);
    assert!(offset_of!(TaintEntry, stack) == 152);
    assert!(size_of::<TaintEntry>() == 152 + size_of::<Stack>());
    assert!(offset_of!(MaskWrite, mask_before) == 144);
    assert!(offset_of!(MaskWrite, stack) == 160);
    assert!(size_of::<MaskWrite>() == 160 + size_of::<Stack>());
    assert!(offset_of!(ModuleComing, name) == 104);
    assert!(offset_of!(ModuleComing, version) == 104 + MODULE_NAME_LEN);
    assert!(size_of::<ModuleComing>() == 104 + MODULE_NAME_LEN + 2 * MODULE_TEXT_LEN + 8);
    assert!(size_of::<ModuleFree>() == 72 + MODULE_NAME_LEN + 16);
    assert!(offset_of!(LoadEnd, result) == 136);
    assert!(size_of::<LoadEnd>() == 144);
    assert!(offset_of!(SysctlWrite, text) == 88);
    assert!(size_of::<SysctlWrite>() == 88 + SYSCTL_TEXT_LEN + size_of::<Stack>());
    assert!(size_of::<FilePath>() == 32 + COMPONENT_LEN * PATH_STEPS);
    assert!(size_of::<Ancestor>() == 24);
    assert!(offset_of!(Process, ancestors) == 88);
    assert!(size_of::<Process>() == 88 + 24 * ANCESTORS + size_of::<FilePath>() + ARGS_LEN);
    assert!(size_of::<ModuleFile>() == 80 + size_of::<FilePath>());
    assert!(size_of::<ModuleRequest>() == 72 + ALIAS_LEN);
    assert!(size_of::<CountKey>() == 32);
    assert!(size_of::<Count>() == 40 + size_of::<Loading>() + SYMBOL_LEN);
};
