//! Loads the eBPF programs and attaches each hook by the best mechanism that this kernel accepts.
//!
//! In: the eBPF object inside this executable, the running kernel. Out: the ring buffer, the counts, and the list of
//! hooks with the mechanism that was chosen for each. Everything stays attached as long as [`Monitor`] lives; with pins,
//! until they are removed, and the next start takes it over.

use aya::{Ebpf, EbpfLoader};

use super::{
    attach::Plan,
    attempts::{Refused, hook},
    counts::Counts,
    error::Error,
    globals::{self, Globals},
    hooks::{MASK_WATCH, SYSCTL_ENTRY, TAINT_ENTRY, When},
    leftover::{self, Detached, Leftover},
    links::Links,
    maps::{self, Maps},
    mask_watch::Watchpoints,
    mechanism::{Mechanism, Without},
    pins::{self, About, Pins},
    self_test,
    shared::Shared,
};
use crate::{
    event::{Hook, Mask},
    kernel::{
        btf::Btf, build_options::BuildOptions, identity::boottime_ns, kallsyms::Kallsyms, mask,
        prerequisites,
    },
    ring::Ring,
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
    /// Since when the programs are attached (`CLOCK_BOOTTIME`, nanoseconds), where an earlier daemon attached them.
    pub adopted_since_ns: Option<u64>,
    /// The mask when the programs were attached.
    pub attached_mask: Mask,
    /// What programs had recorded that were not taken over.
    pub leftover: Option<Leftover>,
    ring: Option<Ring>,
    shared: Shared,
    watchpoints: Watchpoints,
    /// Holds programs and links, where no pins do.
    held: Option<(Ebpf, Links)>,
}

impl Monitor {
    /// Attaches every hook, or takes over what an earlier daemon pinned. One that cannot be attached has its reason in
    /// `hooks`; it is an error only when no hook that sees a taint can be attached.
    pub fn start(without: &Without, pins: Option<&Pins>) -> Result<Self, Error> {
        if without.without.contains(&Mechanism::Bpf) {
            return Err(Error::RuledOut);
        }
        prerequisites::check()?;
        let mut detached = None;
        if let Some(pins) = pins {
            match Self::adopt(without, pins) {
                Ok(Some(adopted)) => return Ok(adopted),
                Ok(None) => {}
                Err(why) => log::info!("{why}"),
            }
            detached = detach(pins);
        }
        let mut monitor = match Self::attach(without, pins)? {
            Attached::All(monitor) => *monitor,
            Attached::Unpinned(why) => {
                log::warn!("not pinned, so the hooks end with this daemon: {why}");
                match Self::attach(without, None)? {
                    Attached::All(monitor) => *monitor,
                    Attached::Unpinned(why) => return Err(Error::Pin(why.into())),
                }
            }
        };
        monitor.leftover = detached.map(Detached::read).transpose()?;
        Ok(monitor)
    }

    fn attach(without: &Without, pins: Option<&Pins>) -> Result<Attached, Error> {
        let mut symbols = Kallsyms::read()?;
        let options = BuildOptions::of(&symbols);
        let globals = globals::all(&Btf::read()?, &symbols);
        let resolves_symbols = narrow(&mut symbols);
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
        let mut links = Links::default();
        // The watchpoint last: each write that it sees then has its entry.
        let mut called = plan.attach(&mut ebpf, &mut links, When::Always);
        if options
            .first_missing(["CONFIG_IA32_EMULATION"].into_iter())
            .is_none()
        {
            called.extend(plan.attach(&mut ebpf, &mut links, When::Serves32Bit));
        }
        #[cfg(feature = "bpf-log")]
        super::developer_log::follow(&mut ebpf);
        let mask = mask::read()?;
        maps::set_last_mask(&mut ebpf, mask)?;
        let (mask_watch, watchpoints) = mask_watch(&mut ebpf, &symbols, &plan);
        let mut hooks = vec![mask_watch];
        hooks.extend(called);
        if !has(&hooks, MASK_WATCH) {
            hooks.extend(plan.attach(&mut ebpf, &mut links, When::WithoutMaskWatch));
        }
        if !has(&hooks, MASK_WATCH) && !has(&hooks, TAINT_ENTRY) {
            return Err(Error::NoHook(hooks));
        }
        let mut held_links = Some(links);
        if let Some(pins) = pins {
            let links = held_links.take().unwrap_or_default();
            let since = (boottime_ns(), mask);
            let about = About::new(OBJECT, without, since, hooks.clone(), &links);
            if let Err(why) = pins.save(&mut ebpf, links, &about) {
                return Ok(Attached::Unpinned(why));
            }
        }
        let mut maps = Maps::Loaded(&mut ebpf);
        let ring = maps.ring()?;
        let counts = Counts::take(&mut maps)?;
        let mut shared = Shared::take(&mut maps)?;
        if let Some(pins) = pins {
            shared.pinned(&pins.folder())?;
        }
        Ok(Attached::All(Box::new(Self {
            hooks,
            mask,
            resolves_symbols,
            symbols,
            counts,
            adopted_since_ns: None,
            attached_mask: mask,
            leftover: None,
            ring: Some(ring),
            shared,
            watchpoints,
            held: held_links.map(|links| (ebpf, links)),
        })))
    }

    /// Takes over what an earlier daemon pinned, if it is what this one would attach; `None` where nothing is pinned.
    fn adopt(without: &Without, pins: &Pins) -> Result<Option<Self>, Error> {
        let folder = pins.folder();
        if !folder.exists() {
            return Ok(None);
        }
        let about = pins::about(&folder).map_err(|error| Error::Adopt(error.to_string()))?;
        let refused = |why: &str| Err(Error::Adopt(why.to_owned()));
        if !about.is_same(OBJECT, without) {
            return refused("it is of another version, or was started with another --without");
        }
        if !pins::has_links(&folder, &about) {
            return refused("a link is missing");
        }
        let mut symbols = Kallsyms::read()?;
        let resolves_symbols = narrow(&mut symbols);
        let mut maps = Maps::Pinned(folder.clone());
        let mut shared = Shared::take(&mut maps)?;
        shared.pinned(&folder)?;
        shared.forget_processes()?;
        let watchpoints = if has(&about.hooks, MASK_WATCH) {
            Watchpoints::adopt(&folder).map_err(Error::Adopt)?
        } else {
            Watchpoints::default()
        };
        trim_heap();
        Ok(Some(Self {
            hooks: about.hooks,
            mask: mask::read()?,
            resolves_symbols,
            symbols,
            counts: Counts::take(&mut maps)?,
            adopted_since_ns: Some(about.attached_ns),
            attached_mask: about.mask,
            leftover: None,
            ring: Some(maps.ring()?),
            shared,
            watchpoints,
            held: None,
        }))
    }

    /// The ring buffer; `None` when it was taken before.
    pub fn take_ring(&mut self) -> Option<Ring> {
        self.ring.take()
    }

    /// Whether a hook is attached.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        has(&self.hooks, name)
    }

    /// Whether the programs stay attached when this process ends.
    #[must_use]
    pub const fn outlives_process(&self) -> bool {
        self.held.is_none()
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
        self.watchpoints.follow(online, address)
    }

    /// CPUs whose watchpoint an earlier daemon set, and whether it still counts.
    pub fn adopted_alive(&self) -> Result<Vec<(u32, bool)>, String> {
        let adopted = self.watchpoints.adopted();
        let Some(programs) = self.watchpoints.programs() else {
            return Ok(Vec::new());
        };
        let dead = self_test::dead(programs, &self.counts, &adopted)?;
        let is_alive = |cpu| (cpu, !dead.contains(&cpu));
        Ok(adopted.into_iter().map(is_alive).collect())
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
        if let Some(programs) = self.watchpoints.programs() {
            self_test::watchpoints(programs, &self.counts, &cpus)?;
        }
        let is_every = online_cpus().is_ok_and(|online| online == cpus);
        self.shared
            .set_traps(is_every)
            .map_err(|error| error.to_string())
    }

    /// A trap may be left out from now on: the hook on `add_taint` records each call itself.
    pub fn distrust_watchpoints(&mut self) {
        if let Err(error) = self.shared.set_traps(false) {
            log::warn!("{error}");
        }
    }

    /// How many records an earlier daemon took that no history has; none from now on.
    pub fn take_unrecorded(&mut self) -> u64 {
        let records = self.shared.unrecorded();
        self.set_unrecorded(0);
        records
    }

    /// So many records were taken for good that no history has yet.
    pub fn set_unrecorded(&mut self, records: u64) {
        self.shared.set_unrecorded(records);
    }
}

/// What became of an attempt to attach.
enum Attached {
    All(Box<Monitor>),
    /// The hooks are gone again, since they could not be pinned.
    Unpinned(pins::Error),
}

/// Detaches what cannot be taken over.
fn detach(pins: &Pins) -> Option<Detached> {
    let mut detached = None;
    for folder in pins.found() {
        if folder != pins.folder() {
            leftover::remove_other(&folder);
            continue;
        }
        match Detached::detach(&folder) {
            Ok(old) => detached = Some(old),
            Err(why) => {
                log::warn!("what an earlier daemon had recorded since it ended is not read: {why}");
                leftover::remove_other(&folder);
            }
        }
    }
    detached
}

/// Leaves out symbols that are not needed again: where the kernel resolves code when it acts, all but a few. Gives whether
/// it does.
fn narrow(symbols: &mut Kallsyms) -> bool {
    let resolves_symbols = globals::resolves_symbols(symbols);
    if resolves_symbols {
        *symbols = std::mem::take(symbols).only(&NEEDED_AGAIN);
    }
    resolves_symbols
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
    loader.map_max_entries(maps::KPROBES, maps::KPROBES_LEN);
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
        let mut planned: BTreeSet<_> = planned.filter_map(program).collect();
        // No hook: the proof of one.
        planned.insert(("perf_event", "watch_alive"));
        assert_eq!(found, planned);
    }
}
