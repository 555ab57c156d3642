//! Loads the eBPF programs and attaches each hook by the best mechanism that this kernel accepts.
//!
//! In: the eBPF object inside this executable, the running kernel. Out: the ring buffer, the counts, and the list of
//! hooks with the mechanism that was chosen for each. Everything stays attached as long as [`Monitor`] lives.

use aya::{
    Ebpf, EbpfLoader,
    maps::{MapData, RingBuf},
};

use super::{
    attach::Plan,
    attempts::{Refused, hook},
    counts::Counts,
    error::Error,
    globals::{self, Globals},
    hooks::{MASK_WATCH, SYSCTL_ENTRY, TAINT_ENTRY, When},
    maps,
    mask_watch::Watchpoints,
    mechanism::{Mechanism, Without},
    self_test,
};
use crate::{
    event::{Hook, Mask},
    kernel::{btf::Btf, build_options::BuildOptions, kallsyms::Kallsyms, mask, prerequisites},
};

pub use super::mask_watch::online_cpus;

static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/taintwatch-ebpf"));

/// Symbols that are asked for later on: the mask, and what kretprobes put in the place of a return address.
const NEEDED_AGAIN: [&str; 4] = [
    "tainted_mask",
    "kretprobe_trampoline",
    "__kretprobe_trampoline",
    "arch_rethook_trampoline",
];

/// The attached eBPF programs.
pub struct Monitor {
    /// Each hook with the mechanism that was chosen.
    pub hooks: Vec<Hook>,
    pub symbols: Kallsyms,
    /// The mask at start.
    pub mask: Mask,
    /// The kernel resolves addresses when an event happens.
    pub resolves_symbols: bool,
    pub counts: Counts,
    ring: Option<RingBuf<MapData>>,
    watchpoints: Watchpoints,
    /// Holds the programs and their links.
    ebpf: Ebpf,
}

impl Monitor {
    /// Attaches every hook. One that cannot be attached has its reason in `hooks`; it is an error only when no hook that
    /// sees a taint can be attached.
    pub fn start(without: &Without) -> Result<Self, Error> {
        if without.without.contains(&Mechanism::Bpf) {
            return Err(Error::RuledOut);
        }
        prerequisites::check()?;
        let mut symbols = Kallsyms::read()?;
        let options = BuildOptions::of(&symbols);
        let globals = globals::all(&Btf::read()?, &symbols);
        let resolves_symbols = globals::resolves_symbols(&symbols);
        if resolves_symbols {
            // The kernel resolves code when it acts; of its list only this is needed again.
            symbols = symbols.only(&NEEDED_AGAIN);
        }
        trim_heap();
        let mut ebpf = load(&globals)?;
        trim_heap();
        let plan = Plan {
            // Read anew, since aya keeps its own copy while it loads: one at a time is enough memory.
            for_aya: aya::Btf::from_sys_fs().ok(),
            types: Btf::read()?,
            options: &options,
            without,
        };
        // The watchpoint last: each write that it sees then has its entry.
        let mut called = plan.attach(&mut ebpf, When::Always);
        if options
            .first_missing(["CONFIG_IA32_EMULATION"].into_iter())
            .is_none()
        {
            called.extend(plan.attach(&mut ebpf, When::Serves32Bit));
        }
        #[cfg(feature = "bpf-log")]
        super::developer_log::follow(&mut ebpf);
        let mask = mask::read()?;
        maps::set_last_mask(&mut ebpf, mask)?;
        let (mask_watch, watchpoints) = mask_watch(&mut ebpf, &symbols, &plan);
        let mut hooks = vec![mask_watch];
        hooks.extend(called);
        if !has(&hooks, MASK_WATCH) {
            hooks.extend(plan.attach(&mut ebpf, When::WithoutMaskWatch));
        }
        if !has(&hooks, MASK_WATCH) && !has(&hooks, TAINT_ENTRY) {
            return Err(Error::NoHook(hooks));
        }
        Ok(Self {
            hooks,
            mask,
            resolves_symbols,
            symbols,
            ring: Some(maps::take(&mut ebpf, "EVENTS")?),
            counts: Counts::take(&mut ebpf)?,
            watchpoints,
            ebpf,
        })
    }

    /// The ring buffer; `None` when it was taken before.
    pub fn take_ring(&mut self) -> Option<RingBuf<MapData>> {
        self.ring.take()
    }

    /// Whether a hook is attached.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        has(&self.hooks, name)
    }

    /// CPUs that have a watchpoint on the mask.
    #[must_use]
    pub fn watched_cpus(&self) -> Vec<u32> {
        self.watchpoints.cpus().collect()
    }

    /// How long each watchpoint has been in place, by CPU; `None`: the kernel gave it up.
    #[must_use]
    pub fn enabled_ns(&self) -> Vec<(u32, Option<u64>)> {
        self.watchpoints.enabled_ns()
    }

    /// Sets a watchpoint on CPUs that came online; gives those where it failed, and why.
    pub fn follow_cpus(&mut self, online: &[u32], address: u64) -> Vec<(u32, String)> {
        self.watchpoints.follow(&mut self.ebpf, online, address)
    }

    /// Proves that hooks on functions fire, where there are any.
    pub fn prove_hooks(&self) -> Result<(), String> {
        if self.has(SYSCTL_ENTRY) {
            self_test::functions(&self.counts)
        } else {
            Ok(())
        }
    }

    /// Proves on each watched CPU that a trap reaches the program. From then on the hook on `add_taint` may leave records to
    /// that program, until [`Self::distrust_watchpoints`].
    pub fn prove_watchpoints(&mut self) -> Result<(), String> {
        let cpus = self.watched_cpus();
        self_test::watchpoints(&mut self.ebpf, &self.counts, &cpus)?;
        let is_every = online_cpus().is_ok_and(|online| online == cpus);
        maps::set_traps(&mut self.ebpf, is_every).map_err(|error| error.to_string())
    }

    /// A trap may be left out from now on: the hook on `add_taint` records each call itself.
    pub fn distrust_watchpoints(&mut self) {
        if let Err(error) = maps::set_traps(&mut self.ebpf, false) {
            log::warn!("{error}");
        }
    }
}

/// Gives free memory back to the kernel: what reading types and symbols took is not needed again.
pub fn trim_heap() {
    // SAFETY: the call touches no memory that is in use.
    unsafe { libc::malloc_trim(0) };
}

fn has(hooks: &[Hook], name: &str) -> bool {
    hooks
        .iter()
        .any(|hook| hook.layer == name && hook.mechanism.is_some())
}

fn mask_watch(ebpf: &mut Ebpf, symbols: &Kallsyms, plan: &Plan<'_>) -> (Hook, Watchpoints) {
    let mechanism = Mechanism::Breakpoint;
    match Watchpoints::open(ebpf, symbols, plan.options, plan.without) {
        Ok(opened) => (hook(MASK_WATCH, Some(mechanism), &[]), opened),
        Err(why) => {
            let mechanism = Some(mechanism);
            let refused = [Refused { mechanism, why }];
            (hook(MASK_WATCH, None, &refused), Watchpoints::default())
        }
    }
}

fn load(globals: &Globals) -> Result<Ebpf, Error> {
    let mut loader = EbpfLoader::new();
    for (name, value) in &globals.single {
        loader.override_global(name, value, true);
    }
    let reporters: Vec<u64> = globals.reporters.iter().flatten().copied().collect();
    loader.override_global("REPORTERS", reporters.as_slice(), true);
    Ok(loader.load(OBJECT).map_err(Box::new)?)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use object::{Object as _, ObjectSection as _, ObjectSymbol as _, SymbolKind};

    use super::{
        super::hooks::{Attachment, HOOKS},
        *,
    };

    /// The section that aya looks for a program of this kind in.
    fn section(mechanism: Mechanism) -> &'static str {
        match mechanism {
            Mechanism::Breakpoint => "perf_event",
            Mechanism::RawTracepoint => "raw_tp",
            other => other.name(),
        }
    }

    #[test]
    fn the_object_has_the_programs_of_the_table_and_no_others() {
        let object = object::File::parse(OBJECT).unwrap();
        let mut found = BTreeSet::new();
        for symbol in object.symbols() {
            let Some(index) = symbol.section_index() else {
                continue;
            };
            let section = object.section_by_index(index).unwrap();
            let section = section.name().unwrap();
            if symbol.kind() == SymbolKind::Text && symbol.is_global() && section != ".text" {
                found.insert((section, symbol.name().unwrap()));
            }
        }
        let program = |it: &Attachment| Some((section(it.mechanism), it.program?));
        let planned = HOOKS.iter().flat_map(|hook| hook.attachments);
        let planned: BTreeSet<_> = planned.filter_map(program).collect();
        assert_eq!(found, planned);
    }
}
