//! The project's own commands: what a checkout needs to be built, tested and shown.

mod acpi;
mod apt;
mod bench;
mod build;
mod cache;
mod demo;
mod docs;
mod fleet;
mod image;
mod initramfs;
mod journal;
mod kernels;
mod modules;
mod package;
mod patched;
mod prefetch;
mod progress;
mod qemu;
mod run;
mod setup;
mod test;
mod tools;
mod vm;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Build, test and show taintwatch
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Install what building and testing need; nothing to do is a matter of a second
    Setup,
    /// Build the static release binary, target/dist/taintwatch
    Build,
    /// Make the packages: a .deb, an .rpm and a tarball in target/dist
    Package,
    /// Write the generated parts of the documents anew
    Docs,
    /// Show a kernel being tainted, live, in a throwaway guest
    Demo(demo::Args),
    Fleet(fleet::Args),
    Bench(bench::Args),
    Test(test::Args),
    /// Boot a throwaway guest: a shell, or one command
    Vm(vm::Args),
}

fn main() -> ExitCode {
    let done = match Cli::parse().verb {
        Verb::Setup => setup::run().map(|()| 0),
        Verb::Build => setup::run().and_then(|()| build::run()).map(|()| 0),
        Verb::Package => setup::run().and_then(|()| package::run()).map(|()| 0),
        Verb::Docs => setup::run().and_then(|()| docs::run()).map(|()| 0),
        Verb::Demo(args) => setup::run().and_then(|()| demo::run(&args)),
        Verb::Fleet(args) => setup::run().and_then(|()| fleet::run(&args)).map(|()| 0),
        Verb::Bench(args) => setup::run().and_then(|()| bench::run(&args)),
        // It does without the tools until they are built.
        Verb::Test(args) => test::run(&args),
        Verb::Vm(args) => setup::run().and_then(|()| vm::run(&args)),
    };
    match done {
        Ok(code) => code.into(),
        Err(error) => {
            eprintln!("xtask: {error:#}");
            2.into()
        }
    }
}
