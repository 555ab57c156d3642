//! `taintwatch config check`: what is wrong with the configuration, and where.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::Result;

use crate::{config, output::escape::Escaped};

/// Read the configuration and say what is wrong with it
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Say what is wrong with the configuration, and where
    Check {
        /// The file to read
        #[arg(value_name = "FILE", default_value = config::DEFAULT_PATH)]
        file: PathBuf,
    },
}

/// An error where something is wrong.
pub fn run(args: &Args, out: &mut dyn Write) -> Result<u8> {
    let What::Check { file } = &args.what;
    let shown = file.display().to_string();
    let shown = Escaped(&shown);
    // The daemon does without the usual file; one that was named must be there.
    if file == Path::new(config::DEFAULT_PATH) && !file.try_exists()? {
        config::load_or_default(None)?;
        writeln!(out, "{shown} is not there: the defaults hold")?;
        return Ok(0);
    }
    let changed = config::differences(&config::Config::default(), &config::load(file)?);
    if changed.is_empty() {
        writeln!(out, "{shown} is right, and sets the defaults alone")?;
    } else {
        writeln!(out, "{shown} is right, and sets {}", changed.join(", "))?;
    }
    Ok(0)
}
