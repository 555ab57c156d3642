//! `taintwatch check`: each prerequisite and hook, what was chosen, and what it costs to lack it. Hooks are
//! really tried, and taken away again at once.

use std::io::Write;

use anyhow::Result;

use crate::{
    event::{CoverageState, Hook},
    kernel::{identity::Identity, prerequisites},
    output::{
        check::{Check, Tried, print},
        json,
        layout::Layout,
    },
    probe::{Without, contract, layers},
    watcher::{Error, Watcher},
};

/// Try every hook, and show what this kernel offers and what is lost without the rest
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    without: Without,
}

/// Exit 0 full cover, 1 less; 2 as for any error.
pub fn run(args: &Args, out: &mut dyn Write) -> Result<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let check = runtime.block_on(check(&args.without))?;
    if args.json {
        json::line(&check, out)?;
    } else {
        let mut layout = Layout::for_stdout();
        print(&check, &mut layout);
        write!(out, "{}", layout.text())?;
    }
    Ok(u8::from(check.cover != "full"))
}

async fn check(without: &Without) -> Result<Check> {
    let (mut watcher, refusal) = match Watcher::hooked(without) {
        Ok(watcher) => (watcher, None),
        Err(error) => (Watcher::polled(&error)?, Some(error)),
    };
    let hooks = tried(watcher.hooks(), refusal.as_ref());
    let coverage = watcher.next().await?.coverage;
    let full = coverage
        .as_ref()
        .is_some_and(|coverage| coverage.state == CoverageState::Began);
    let missing = crate::kernel::btf::Btf::read().map(|types| {
        contract::missing(&types)
            .map(|lost| format!("{}.{}", lost.structure, lost.member))
            .collect()
    });
    Ok(Check {
        kernel: Identity::read()?.release,
        cover: match (refusal.is_none(), full) {
            (true, true) => "full",
            (true, false) => "degraded",
            (false, _) => "polled",
        },
        reason: coverage
            .as_ref()
            .filter(|_| !full)
            .map(|coverage| coverage.reason.clone()),
        self_test: coverage.and_then(|coverage| coverage.self_test),
        prerequisites: prerequisites::survey(),
        hooks,
        missing_members: missing.unwrap_or_default(),
    })
}

/// The hooks that were refused, with those that are in their place.
fn tried(hooks: &[Hook], refusal: Option<&Error>) -> Vec<Tried> {
    let refused = refusal.map(Error::refused).unwrap_or_default();
    let tried = |hook: &Hook| {
        let layer = layers::by_name(&hook.layer);
        Tried {
            hook: hook.clone(),
            sees: layer.map_or("", |layer| layer.sees),
            without: layer.map_or("", |layer| layer.without),
        }
    };
    refused.iter().chain(hooks).map(tried).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::{self, ladder::hook};

    #[test]
    fn hooks_that_were_refused_are_told_with_those_in_their_place() {
        let refused = hook(
            "taint_entry",
            None,
            Some("kprobe on add_taint: no".to_owned()),
        );
        let refusal = Error::Probe(probe::Error::NoHook(vec![refused]));
        let tried = tried(&[hook("mask", Some("proc"), None)], Some(&refusal));
        let layers: Vec<_> = tried.iter().map(|it| it.hook.layer.as_str()).collect();
        assert_eq!(layers, ["taint_entry", "mask"]);
        assert!(
            tried
                .iter()
                .all(|it| !it.sees.is_empty() && !it.without.is_empty())
        );
    }
}
