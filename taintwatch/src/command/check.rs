//! `taintwatch check`: each prerequisite and hook, what was chosen, and what it costs to lack it. Hooks are
//! really tried, and taken away again at once.

use std::io::Write;

use anyhow::Result;
use serde::Serialize;

use crate::{
    event::{CoverageState, Hook},
    kernel::{
        identity::Identity,
        prerequisites::{self, Prerequisite},
    },
    output::{escape::Escaped, human, json},
    probe::{Without, contract, layers},
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

/// What is printed.
#[derive(Debug, Serialize)]
struct Check {
    kernel: String,
    /// `full`, `degraded`, or `polled`: the mask and the log alone.
    cover: &'static str,
    /// Why it is not `full`.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    self_test: Option<String>,
    prerequisites: Vec<Prerequisite>,
    hooks: Vec<Tried>,
    /// Structure members that this kernel does not have.
    missing_members: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Tried {
    #[serde(flatten)]
    hook: Hook,
    sees: &'static str,
    without: &'static str,
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
        print(&check, out)?;
    }
    Ok(u8::from(check.cover != "full"))
}

async fn check(without: &Without) -> Result<Check> {
    let (mut watcher, hooked) = match Watcher::hooked(without) {
        Ok(watcher) => (watcher, true),
        Err(error) => (Watcher::polled(&error)?, false),
    };
    let tried = |hook: &Hook| {
        let layer = layers::by_name(&hook.layer);
        Tried {
            hook: hook.clone(),
            sees: layer.map_or("", |layer| layer.sees),
            without: layer.map_or("", |layer| layer.without),
        }
    };
    let hooks = watcher.hooks().iter().map(tried).collect();
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
        cover: match (hooked, full) {
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

fn print(check: &Check, out: &mut dyn Write) -> Result<()> {
    let (bold, dim) = (human::BOLD, human::DIM);
    let cover = match check.cover {
        "full" => "every change of the taint state can be recorded",
        "degraded" => "changes are recorded with the gaps named below",
        _ => "no hook can be had: the mask and the kernel log are watched instead",
    };
    writeln!(out, "{bold}{}{bold:#}: {cover}", Escaped(&check.kernel))?;
    writeln!(out, "\n{bold}this kernel{bold:#}")?;
    for found in &check.prerequisites {
        writeln!(
            out,
            "  {} {:<14} {}",
            mark(found.ok),
            found.name,
            Escaped(&found.found)
        )?;
        if !found.ok {
            writeln!(out, "    {:<14} {dim}{}{dim:#}", "", found.without)?;
        }
    }
    for member in &check.missing_members {
        writeln!(
            out,
            "  {} {:<14} {member} is not in this kernel's types",
            mark(false),
            "member"
        )?;
    }
    writeln!(out, "\n{bold}hooks{bold:#}")?;
    for Tried {
        hook,
        sees,
        without,
    } in &check.hooks
    {
        let mechanism = hook.mechanism.as_deref().unwrap_or("none");
        writeln!(
            out,
            "  {} {:<14} {mechanism:<15} {dim}{sees}{dim:#}",
            mark(hook.mechanism.is_some()),
            hook.layer
        )?;
        if let Some(reason) = &hook.reason {
            writeln!(out, "    {:<14} {}", "", Escaped(reason))?;
        }
        if hook.mechanism.is_none() && !without.is_empty() {
            writeln!(out, "    {:<14} {dim}{without}{dim:#}", "")?;
        }
    }
    if let Some(tested) = &check.self_test {
        writeln!(out, "\n{bold}self-test{bold:#}\n  {}", Escaped(tested))?;
    }
    Ok(())
}

fn mark(ok: bool) -> String {
    let (style, sign) = if ok {
        (human::GOOD, "ok")
    } else {
        (human::ALARM, "--")
    };
    format!("{style}{sign}{style:#}")
}
