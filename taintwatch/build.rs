//! Builds the eBPF programs, so that the executable can embed them: `$OUT_DIR/taintwatch-ebpf`.
//!
//! The BPF target is tier 3: `core` is built from the sources of the running toolchain. They come
//! from rustup's rust-src component, or from the cache that `cargo xtask setup` fills, as does
//! bpf-linker.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use aya_build::{Package, Toolchain, build_ebpf};

#[path = "../xtask/src/tools.rs"]
mod tools;

fn main() -> Result<()> {
    println!("cargo:rerun-if-env-changed=TAINTWATCH_CACHE");
    let manifest = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let programs = manifest.with_file_name("taintwatch-ebpf");
    let root_dir = programs
        .to_str()
        .context("the checkout's path is not UTF-8")?;
    println!(
        "cargo:rerun-if-changed={}",
        manifest.with_file_name("taintwatch-common").display()
    );

    let features: &[&str] = if env::var_os("CARGO_FEATURE_BPF_LOG").is_some() {
        &["bpf-log"]
    } else {
        &[]
    };
    let cache = tools::cache().context("neither TAINTWATCH_CACHE nor HOME is set")?;
    use_cached_tools(&cache)?;
    let toolchain = tools::toolchain().context("rust-toolchain.toml names no channel")?;
    build_ebpf(
        [Package {
            name: "taintwatch-ebpf",
            root_dir,
            features,
            ..Package::default()
        }],
        Toolchain::Custom(toolchain),
    )
    .context("the eBPF programs do not build; `cargo xtask setup` installs what they need")
}

fn use_cached_tools(cache: &Path) -> Result<()> {
    let path = env::var_os("PATH").unwrap_or_default();
    let linker = tools::bpf_linker(cache).join("bin");
    let path = env::join_paths(std::iter::once(linker).chain(env::split_paths(&path)))?;
    // `-Zbuild-std` is an unstable option, which a stable toolchain accepts only with this variable.
    set("RUSTC_BOOTSTRAP", "1".into());
    set("PATH", path);
    let library = cache.join("rust-src/library");
    if library.is_dir() {
        set("__CARGO_TESTS_ONLY_SRC_ROOT", library.into());
    }
    Ok(())
}

fn variable(name: &str) -> Result<OsString> {
    env::var_os(name).with_context(|| format!("{name} is not set: run this through cargo"))
}

fn set(name: &str, value: OsString) {
    // SAFETY: a build script has one thread here, so no other thread reads the environment meanwhile.
    unsafe { env::set_var(name, value) }
}
