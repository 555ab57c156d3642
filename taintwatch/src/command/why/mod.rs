//! `taintwatch why`: for each set flag the chain from the request to the line of code, each link with its evidence.

use std::{collections::BTreeSet, io::Write, path::Path};

use anyhow::{Context as _, Result, bail, ensure};

use crate::{
    attribute::chain::{chain, with_load},
    enrich::modules,
    event::{Confidence, Event, Kind, Mask},
    glob,
    history::{self, BootHistory, History, Liveness, count},
    kernel::{identity::Identity, mask, os_release},
    output::{
        json,
        layout::Layout,
        why::{Why, print},
    },
    store::{Excerpt, Omitted, Store, Wanted},
    taint::{
        release,
        tables::{LINUX, Table},
    },
};

/// Show how each flag came to be set: who asked, which task, which file, which module, which code, which log lines
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Flags (letters, bits or names) or modules (with `*` and `?`); all set flags unless given
    #[arg(value_name = "FLAG or MODULE", value_delimiter = ',')]
    about: Vec<String>,
    /// Of which boot: 0 for this one, -1 for the one before, or the start of an id
    #[arg(
        long,
        value_name = "ID,-1",
        default_value = "0",
        allow_hyphen_values = true
    )]
    boot: String,
    /// Print one JSON object a flag
    #[arg(long)]
    json: bool,
}

/// Exit 0; 2 as for any error.
pub fn run(args: &Args, db: &Path, out: &mut dyn Write) -> Result<u8> {
    let store = Store::open(db)?;
    let (boot, loaded) = if args.boot == "0" {
        (Boot::current(&store)?, modules::names())
    } else {
        (Boot::named(&store, &args.boot)?, Vec::new())
    };
    store.warn_of_unread();
    let about = About::of(&args.about, &boot.modules(loaded))?;
    let answers = boot.answers(&about);
    if args.json {
        for answer in &answers {
            json::line(answer, out)?;
        }
        return Ok(0);
    }
    let mut layout = Layout::for_stdout();
    match answers.as_slice() {
        [] if args.about.is_empty() => layout.indented(0, "no flag is set"),
        [] => layout.indented(0, "no set flag and no event of the boot is about that"),
        answers => {
            let of = boot
                .id
                .as_deref()
                .map_or_else(|| "this boot".to_owned(), |id| format!("boot {id}"));
            for answer in answers {
                print(answer, &of, &mut layout);
            }
        }
    }
    write!(out, "{}", layout.text())?;
    Ok(0)
}

/// What the answer is to be about; all flags where nothing is asked for.
#[derive(Default)]
struct About {
    flags: Vec<Wanted>,
    /// Globs.
    modules: Vec<String>,
}

impl About {
    /// A word may be both: there is a flag USER, and a module may be called so.
    fn of(words: &[String], known: &BTreeSet<String>) -> Result<Self> {
        let mut about = Self::default();
        for word in words {
            let flag: Option<Wanted> = word.parse().ok();
            let is_module = known.iter().any(|name| glob::matches(word, name));
            ensure!(
                flag.is_some() || is_module,
                "{word:?} is no flag, and no module that is loaded or in the record of this boot: give a letter \
                 such as W, a bit from 0 to 63, a name such as WARN, or a module"
            );
            about.flags.extend(flag);
            about.modules.extend(is_module.then(|| word.clone()));
        }
        Ok(about)
    }

    fn is_all(&self) -> bool {
        self.flags.is_empty() && self.modules.is_empty()
    }

    fn has_module_of(&self, event: &Event) -> bool {
        let fits = |name: &str| self.modules.iter().any(|glob| glob::matches(glob, name));
        event.kind == Kind::Taint && event.module_name().is_some_and(fits)
    }
}

/// What is known of a boot.
struct Boot {
    /// None: the boot that runs.
    id: Option<String>,
    mask: Mask,
    table: &'static Table,
    /// Of each cause of a flag the first one at least.
    events: Vec<Event>,
    omitted: Omitted,
}

impl Boot {
    fn current(store: &Store) -> Result<Self> {
        let Excerpt { events, omitted } = store.causes_of(&Identity::read()?.boot_id)?;
        Ok(Self {
            id: None,
            mask: mask::read()?,
            table: os_release::vendor_table().unwrap_or(LINUX),
            events,
            omitted,
        })
    }

    /// One that is over: its mask is the last that an event shows.
    fn named(store: &Store, word: &str) -> Result<Self> {
        let outline = store.outline()?;
        let current = Identity::read().ok().map(|identity| identity.boot_id);
        let history = History::of_excerpt(&outline, &Liveness::default());
        let words = [word.to_owned()];
        let boots = history::select(&history, &words, current.as_deref())?;
        let &[boot] = boots.as_slice() else {
            bail!("--boot takes one boot here: {word:?} is {}", boots.len());
        };
        let id = boot
            .id
            .context("events of an unknown boot answer no question")?;
        // Of the other boots nothing is read but their place.
        _ = store.unread();
        let events = store.of_boot(id)?;
        let mut masks = events.iter().rev();
        let last = masks.find_map(|event| event.taint.as_ref()?.mask_after);
        let release = boot.releases.first();
        let every = || {
            let own = History::of(&events, &Liveness::default());
            own.boots.first().map_or(Mask(0), BootHistory::mask)
        };
        Ok(Self {
            id: Some(id.to_owned()),
            mask: last.unwrap_or_else(every),
            table: release
                .and_then(|release| release::table_of(release))
                .unwrap_or(LINUX),
            events,
            omitted: Omitted::default(),
        })
    }

    /// Every module that the events name, beside those that are loaded.
    fn modules(&self, loaded: Vec<String>) -> BTreeSet<String> {
        let names = self.events.iter().filter_map(Event::module_name);
        names.map(str::to_owned).chain(loaded).collect()
    }

    /// The flags that were asked for, then those that the modules set.
    fn answers(&self, about: &About) -> Vec<Why> {
        let taints = self.events.iter().filter_map(|event| event.taint.as_ref());
        let all = taints
            .filter_map(|taint| taint.bit)
            .fold(self.mask, Mask::with);
        let is_asked =
            |bit: &u32| about.is_all() || about.flags.iter().any(|flag| flag.is(*bit, self.table));
        let (asked, others): (Vec<u32>, Vec<u32>) = all.bits().partition(is_asked);
        let mut answers: Vec<_> = asked.iter().map(|bit| self.why(*bit, |_| true)).collect();
        let by_module = |event: &Event| about.has_module_of(event);
        let set_by_module = |bit: &u32| {
            self.events
                .iter()
                .any(|event| by_module(event) && event.sets(*bit))
        };
        let others = others.into_iter().filter(set_by_module);
        answers.extend(others.map(|bit| self.why(bit, by_module)));
        answers
    }

    /// A flag, with the chain of the first of its events that `fits`.
    fn why(&self, bit: u32, fits: impl Fn(&Event) -> bool) -> Why {
        let of_flag = || self.events.iter().filter(|event| event.sets(bit));
        let event = of_flag().find(|event| fits(event));
        let event = event.map(|event| with_load(event, &self.events));
        let counted = |event: &Event| count(event).saturating_add(self.omitted.occurrences(event));
        let flag = self.table.flag(bit);
        let first = event.as_ref().and_then(Event::module_name);
        let also: BTreeSet<_> = of_flag()
            .filter_map(Event::module_name)
            .filter(|it| Some(*it) != first)
            .collect();
        let cause = event.as_ref().and_then(|event| event.cause.as_ref());
        Why {
            bit,
            letter: flag.map(|flag| flag.letter),
            name: flag.map(|flag| flag.name),
            set: self.mask.has(bit),
            count: of_flag().map(counted).fold(0, u64::saturating_add),
            confidence: cause.map_or(Confidence::Unattributed, |cause| cause.confidence),
            chain: event.as_ref().map(chain).unwrap_or_default(),
            also: also.into_iter().map(str::to_owned).collect(),
            event,
        }
    }
}

#[cfg(test)]
mod tests;
