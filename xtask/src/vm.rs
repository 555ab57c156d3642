//! `cargo xtask vm`: a throwaway guest with taintwatch and the test modules in it.

use std::time::Duration;

use anyhow::{Result, bail};

use crate::{
    acpi, image,
    initramfs::Initramfs,
    kernels::{self, Kernel},
    qemu::{Ended, Guest},
};

/// Enough for a job of any kind; a hanging guest ends here.
const LIMIT: Duration = Duration::from_mins(20);
const MEMORY_MIB: u32 = 1024;
/// For the objects that a test module overwrites.
const ALLOCATOR_CHECKS: &str = "slub_debug=FZ,kmalloc-64";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The kernel's series: 5.10, 6.1, 6.12, 6.12-rt, 6.18 or 7.3
    kernel: String,
    /// Give the kernel an ACPI table in the firmware's place: it boots tainted
    #[arg(long)]
    acpi_table: bool,
    /// Give the guest one processor and a clock that counts its instructions
    #[arg(long)]
    counted: bool,
    /// The command; none for a shell
    #[arg(last = true)]
    command: Vec<String>,
}

/// Runs the command, or a shell.
pub(crate) fn run(args: &Args) -> Result<u8> {
    let kernel = kernels::get(&args.kernel)?;
    let words: Vec<_> = args
        .command
        .iter()
        .map(|word| format!("'{}'", word.replace('\'', r"'\''")))
        .collect();
    let job = if words.is_empty() {
        "exec setsid -c sh -i".to_owned()
    } else {
        words.join(" ")
    };
    let mut guest = guest(&kernel, "vm", &job)?;
    guest.counts_instructions = args.counted;
    if args.acpi_table {
        guest.files.file(acpi::PATH, 0o644, acpi::table());
    }
    if args.command.is_empty() {
        println!(
            "a guest with {}; taintwatch and /modules are in it; leave with `exit`",
            kernel.release
        );
        guest.interact()?;
        return Ok(0);
    }
    match guest.run_shown()? {
        Ended::Exited(status) => Ok(status),
        Ended::Killed => bail!("the guest was ended: the reader of its output is gone"),
    }
}

/// A guest with the usual size, and this shell script as its job.
pub(crate) fn guest(kernel: &Kernel, name: &str, job: &str) -> Result<Guest> {
    let mut files = Initramfs::default();
    files.file("etc/job", 0o755, job.as_bytes().to_vec());
    Ok(Guest {
        name: format!("{name}-{}", kernel.series),
        image: kernel.image.clone(),
        base: image::base(kernel)?,
        files,
        memory_mib: MEMORY_MIB,
        append: ALLOCATOR_CHECKS,
        disk: None,
        limit: LIMIT,
        survives_panic: false,
        counts_instructions: false,
    })
}
