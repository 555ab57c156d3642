//! `taintwatch detach`: ends what a daemon left attached.

use std::{io::Write, path::Path};

use anyhow::{Context as _, Result};

use crate::{config, probe::pins::Pins};

/// Remove the eBPF programs and maps that a stopped daemon left attached
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder of the pins [default: that of the configuration, or /sys/fs/bpf/taintwatch]
    #[arg(long, value_name = "PATH")]
    pins: Option<std::path::PathBuf>,
}

/// Exit 0 when nothing is attached any more.
pub fn run(args: &Args, out: &mut dyn Write) -> Result<u8> {
    let path = match &args.pins {
        Some(path) => path.clone(),
        None => config::load_or_default(None)?.pins.path,
    };
    // Root's folder hides from others what is in it: that is no proof that nothing is.
    let is_there = path
        .try_exists()
        .with_context(|| format!("look at {}: become root", path.display()))?;
    if !is_there {
        writeln!(out, "nothing is pinned in {}", path.display())?;
        return Ok(0);
    }
    detach(&path, out)?;
    Ok(0)
}

fn detach(path: &Path, out: &mut dyn Write) -> Result<()> {
    let removed = Pins::open(path)?.remove_all()?;
    if removed.folders == 0 {
        writeln!(out, "nothing is pinned in {}", path.display())?;
        return Ok(());
    }
    writeln!(
        out,
        "detached: no program of taintwatch is left in {}",
        path.display()
    )?;
    if removed.unread_bytes > 0 {
        writeln!(
            out,
            "{} bytes of records that no daemon had read are gone with them",
            removed.unread_bytes
        )?;
    }
    Ok(())
}
