//! `cargo xtask demo`: a kernel being tainted, live, in a throwaway guest.

use std::io::IsTerminal as _;

use anyhow::{Result, bail};

use crate::{
    kernels::{self, Kernel},
    qemu::{Ended, Guest},
    vm,
};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The kernel's series
    #[arg(long, default_value = "6.1")]
    kernel: String,
}

/// What is typed in the guest. `show` echoes a command, runs it, and gives the tail time to print.
const SCRIPT: &str = r#"
b=; d=; o=
[ "$COLOUR" = 1 ] && b=$(printf '\033[1m') d=$(printf '\033[2m') o=$(printf '\033[0m')
say() { echo; echo "$d# $1$o"; }
type() { echo "$b\$ $*$o"; }
insmod() { type insmod "$@"; file=$1; shift; /usr/bin/insmod /modules/$file "$@"; sleep 0.6; }
taintwatch daemon > /tmp/daemon 2>&1 &
daemon=$!
i=0; while [ ! -S /run/taintwatch/events.sock ] && [ $i -lt 200 ]; do sleep 0.1; i=$((i+1)); done
cat /tmp/daemon
taintwatch tail -n 0 &
tail=$!
sleep 0.7
say "a proprietary module from outside the kernel's tree, without a signature"
insmod tw_proprietary.ko
say "a module that fails to load leaves its flags, and no trace in lsmod"
insmod tw_unresolved.ko
say "a module hides what happened: it writes 0 over the mask"
insmod tw_mask.ko address=0x$(grep ' tainted_mask$' /proc/kallsyms | cut -d' ' -f1) op=zero
type cat /proc/sys/kernel/tainted
cat /proc/sys/kernel/tainted
kill $tail 2>/dev/null
say "the mask says untainted; the history does not"
type taintwatch status
taintwatch status
type taintwatch report --flag P
taintwatch report --flag P
kill $daemon; wait $daemon
"#;

/// What its output must have, in this order; the README shows a part of it.
pub(crate) const SHOWS: [&str; 16] = [
    "$ insmod tw_proprietary.ko",
    " O        an out-of-tree module was loaded: tw_proprietary, loaded by insmod",
    " P        a proprietary module was loaded: tw_proprietary, loaded by insmod",
    " E        an unsigned module was loaded: tw_proprietary, loaded by insmod",
    " load     tw_proprietary 1.2.3 was loaded by insmod",
    "$ insmod tw_unresolved.ko",
    " O +1     an out-of-tree module was loaded: tw_unresolved",
    " failed   tw_unresolved failed to load (ENOENT) by insmod",
    "$ insmod tw_mask.ko",
    " mask     tw_mask_store+",
    "[tw_mask] wrote the mask past add_taint: cleared POE",
    "$ cat /proc/sys/kernel/tainted",
    "$ taintwatch status",
    "tampered with: POE was set in this boot and is clear now",
    "$ taintwatch report --flag P",
    "tw_proprietary",
];

/// The guest that shows it.
pub(crate) fn guest(kernel: &Kernel, colour: bool) -> Result<Guest> {
    let job = if colour {
        format!("export COLOUR=1 CLICOLOR_FORCE=1\n{SCRIPT}")
    } else {
        format!("export NO_COLOR=1\n{SCRIPT}")
    };
    vm::guest(kernel, "demo", &job)
}

/// Shows it.
pub(crate) fn run(args: &Args) -> Result<u8> {
    let kernel = kernels::get(&args.kernel)?;
    let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let guest = guest(&kernel, colour)?;
    println!("a throwaway guest boots {} …\n", kernel.release);
    match guest.run_shown()? {
        Ended::Exited(_) => Ok(0),
        Ended::Killed => bail!("the guest was ended: the reader of its output is gone"),
    }
}
