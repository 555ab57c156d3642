//! `taintwatch check`: whether this kernel can be monitored in full, and what is missing. Hooks are really attached, and
//! detached again at once.

use std::io::Write;

use anyhow::Result;

use crate::{
    event::{CoverageState, Hook},
    kernel::{btf::Btf, identity::Identity, prerequisites},
    output::{
        check::{Check, Tried, print},
        json,
        layout::Layout,
    },
    probe::{Without, contract, hooks},
    watcher::Watcher,
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

/// Exit 0 full coverage, 1 less; 2 as for any error.
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
    Ok(u8::from(check.coverage != "full"))
}

async fn check(without: &Without) -> Result<Check> {
    let (mut watcher, is_hooked) = match Watcher::hooked(without, None) {
        Ok(watcher) => (watcher, true),
        Err(error) => (Watcher::polled(&error)?, false),
    };
    let hooks = watcher.hooks().iter().map(tried).collect();
    let coverage = watcher.next().await?.coverage;
    let is_full = coverage
        .as_ref()
        .is_some_and(|coverage| coverage.state == CoverageState::Began);
    Ok(Check {
        kernel: Identity::read()?.release,
        coverage: match (is_hooked, is_full) {
            (true, true) => "full",
            (true, false) => "degraded",
            (false, _) => "polled",
        },
        reason: coverage
            .as_ref()
            .filter(|_| !is_full)
            .map(|coverage| coverage.reason.clone()),
        self_test: coverage.and_then(|coverage| coverage.self_test),
        prerequisites: prerequisites::survey(),
        hooks,
        missing_members: Btf::read().map_or_else(|_none| Vec::new(), |types| missing(&types)),
    })
}

/// Members that programs read and this kernel lacks.
fn missing(types: &Btf) -> Vec<String> {
    contract::missing(types)
        .map(contract::Member::name)
        .collect()
}

fn tried(hook: &Hook) -> Tried {
    let spec = hooks::by_name(&hook.layer);
    Tried {
        hook: hook.clone(),
        sees: spec.map_or("", |spec| spec.sees),
        without: spec.map_or("", |spec| spec.without),
    }
}
