//! `taintwatch attach`: attaches the hooks and leaves them, for the daemon that starts later in the boot.

use std::io::Write;

use anyhow::{Context as _, Result, bail};

use crate::{
    config,
    probe::{
        Without, attempts,
        monitor::Monitor,
        pins::{self, Pins},
    },
};

/// Attach the eBPF programs and leave them: early in the boot, for the daemon that starts later
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder of the pins [default: that of the configuration, or /sys/fs/bpf/taintwatch]
    #[arg(long, value_name = "PATH")]
    pins: Option<std::path::PathBuf>,
    #[command(flatten)]
    without: Without,
}

/// Exit 0 when hooks are attached that outlive this process.
pub fn run(args: &Args, out: &mut dyn Write) -> Result<u8> {
    let config = config::load_or_default(None)?.pins;
    if !config.enabled && args.pins.is_none() {
        bail!("pins.enabled is false in the configuration: nothing would stay attached");
    }
    let path = args.pins.as_deref().unwrap_or(&config.path);
    let pins = match Pins::open(path) {
        Ok(pins) => pins,
        Err(pins::Error::InUse(_)) => {
            writeln!(out, "a daemon runs, and its hooks are attached")?;
            return Ok(0);
        }
        Err(error) => return Err(error.into()),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let _entered = runtime.enter();
    let mut monitor = Monitor::start(&args.without, Some(&pins)).context("attach")?;
    if !monitor.outlives_process() {
        bail!("nothing stays attached: see the line above");
    }
    // Unproven, the hook on `add_taint` records each call itself: the daemon proves it again.
    if let Err(why) = monitor.prove_watchpoints() {
        log::warn!("the mask watch is unproven: {why}");
    }
    let what = if monitor.adopted_since_ns.is_some() {
        "already attached"
    } else {
        "attached, until a daemon takes over"
    };
    writeln!(out, "{what}:\n{}", attempts::list(&monitor.hooks))?;
    Ok(0)
}
