//! Which module it was, from which file, by which way in; and what authors may write into one.

use std::{
    fs::{self, File},
    io::Write as _,
    process::Command,
};

use anyhow::{Result, ensure};
use nix::{
    errno::Errno,
    kmod::{ModuleInitFlags, finit_module, init_module},
};

use super::{log_has, release, unload};
use crate::{
    history::History,
    loading::{is_ours, load, load_file},
};

/// Everything that is known of a load: who, by which way, which file.
pub(crate) fn identity(history: &mut History) -> Result<()> {
    fs::copy("/modules/tw_proprietary.ko", "/tmp/renamed.ko")?;
    load_file("/tmp/renamed.ko", "")?;
    let event = history.taint("P", "module_load", Some("tw_proprietary"))?;
    is_ours(&event)?;
    ensure!(
        event["module"]["path"] == "/tmp/renamed.ko",
        "path: {event}"
    );
    ensure!(
        event["task"]["cmdline"][0] == "scenarios",
        "arguments: {event}"
    );
    ensure!(
        event["task"]["ancestors"][0]["comm"] == "sh",
        "ancestors: {event}"
    );
    let loaded = history.expect(&[
        ("/kind", "module_load".into()),
        ("/module/name", "tw_proprietary".into()),
    ])?;
    let module = &loaded["module"];
    ensure!(
        module["path"] == "/tmp/renamed.ko" && module["source"] == "file",
        "path: {loaded}"
    );
    ensure!(
        module["license"] == "Proprietary" && module["signature"] == "none",
        "licence: {loaded}"
    );
    let hash = Command::new("sha256sum")
        .arg("/tmp/renamed.ko")
        .output()?
        .stdout;
    let hash = String::from_utf8(hash)?;
    ensure!(
        Some(module["sha256"].as_str().unwrap_or_default()) == hash.split(' ').next(),
        "hash {hash}: {loaded}"
    );
    ensure!(
        module["build_id"].as_str().is_some_and(|id| id.len() == 40),
        "build id: {loaded}"
    );
    unload("tw_proprietary")
}

/// From memory there is no file; and of a file that is gone only the name is known.
pub(crate) fn no_file(history: &mut History) -> Result<()> {
    let bytes = fs::read("/modules/tw_gpl.ko")?;
    init_module(&bytes, c"")?;
    let loaded = history.expect(&[
        ("/kind", "module_load".into()),
        ("/module/name", "tw_gpl".into()),
    ])?;
    ensure!(
        loaded["module"]["source"] == "memory" && loaded["module"].get("path").is_none(),
        "source: {loaded}"
    );
    unload("tw_gpl")?;
    history.catch_up()?;
    fs::copy("/modules/tw_gpl.ko", "/tmp/gone.ko")?;
    let file = File::open("/tmp/gone.ko")?;
    fs::remove_file("/tmp/gone.ko")?;
    finit_module(&file, c"", ModuleInitFlags::empty())?;
    let loaded = history.expect(&[
        ("/kind", "module_load".into()),
        ("/module/name", "tw_gpl".into()),
    ])?;
    ensure!(loaded["module"]["path"] == "/tmp/gone.ko", "path: {loaded}");
    ensure!(
        loaded["module"]["file_state"] == "gone since",
        "state: {loaded}"
    );
    ensure!(loaded["module"].get("sha256").is_none(), "hash: {loaded}");
    unload("tw_gpl")
}

/// What an author wrote is data: printed escaped, kept as it is.
pub(crate) fn hostile(history: &mut History) -> Result<()> {
    load("tw_hostile", "")?;
    let loaded = history.expect(&[
        ("/kind", "module_load".into()),
        ("/module/name", "tw_hostile".into()),
    ])?;
    ensure!(
        loaded["module"]["license"] == "no\u{1b}[31m red\nnew line <b>&",
        "licence: {loaded}"
    );
    for arguments in [["report", "--boot", "0"].as_slice(), &["why"], &["status"]] {
        let output = Command::new("taintwatch")
            .args(arguments)
            .env("NO_COLOR", "1")
            .output()?;
        ensure!(
            output
                .stdout
                .iter()
                .all(|byte| *byte == b'\n' || *byte >= b' '),
            "{arguments:?} prints control characters"
        );
    }
    unload("tw_hostile")?;
    let long = format!("tw_{}", "n".repeat(52));
    load(&long, "")?;
    let event = history.taint("O", "module_load", Some(&long))?;
    ensure!(
        event["module"]["path"] == format!("/modules/{long}.ko"),
        "path: {event}"
    );
    unload(&long)
}

/// Packed, and unpacked by the kernel itself: `MODULE_INIT_COMPRESSED_FILE`, 5.17 and later.
const COMPRESSED_FILE: u32 = 4;

/// Packed as this kernel takes it. One that takes none refuses, and says so before anything taints.
pub(crate) fn packed(history: &mut History) -> Result<()> {
    let plain = fs::read("/patched/dummy.ko")?;
    let takes = fs::read_to_string("/sys/module/compression").unwrap_or_default();
    let (path, bytes) = match takes.trim() {
        "xz" | "" => ("/tmp/dummy.ko.xz", xz(&plain)?),
        "gzip" => ("/tmp/dummy.ko.gz", gzip(&plain)?),
        "zstd" => ("/tmp/dummy.ko.zst", zstd(&plain)),
        other => anyhow::bail!("the kernel takes {other:?}, which nothing here packs"),
    };
    fs::write(path, bytes)?;
    let file = File::open(path)?;
    let flags = ModuleInitFlags::from_bits_retain(COMPRESSED_FILE);
    let loaded = finit_module(&file, c"numdummies=0", flags);
    if takes.is_empty() {
        ensure!(
            matches!(
                loaded,
                Err(Errno::EINVAL | Errno::EOPNOTSUPP | Errno::ENOEXEC)
            ),
            "a kernel that unpacks nothing took it: {loaded:?}"
        );
        return Ok(());
    }
    loaded?;
    is_ours(&history.taint("O", "module_load", Some("dummy"))?)?;
    let event = history.expect(&[
        ("/kind", "module_load".into()),
        ("/module/name", "dummy".into()),
    ])?;
    let module = &event["module"];
    ensure!(
        module["path"] == path && module["source"] == "file",
        "path: {event}"
    );
    ensure!(module["file_state"] == "as loaded", "state: {event}");
    ensure!(module["sha256"] == sha256(path)?, "hash: {event}");
    ensure!(module["signature"] == "none", "what is inside: {event}");
    unload("dummy")
}

fn xz(plain: &[u8]) -> Result<Vec<u8>> {
    // The kernel checks CRC32 alone (`lib/xz`).
    let stream = liblzma::stream::Stream::new_easy_encoder(6, liblzma::stream::Check::Crc32)?;
    let mut out = liblzma::write::XzEncoder::new_stream(Vec::new(), stream);
    out.write_all(plain)?;
    Ok(out.finish()?)
}

fn gzip(plain: &[u8]) -> Result<Vec<u8>> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    out.write_all(plain)?;
    Ok(out.finish()?)
}

fn zstd(plain: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(plain, ruzstd::encoding::CompressionLevel::Fastest)
}

pub(crate) fn sha256(path: &str) -> Result<String> {
    let output = Command::new("sha256sum").arg(path).output()?.stdout;
    let output = String::from_utf8(output)?;
    Ok(output.split(' ').next().unwrap_or_default().to_owned())
}

/// The same module a second time: refused, and before 6.4 its flags are set all the same.
pub(crate) fn twice(history: &mut History) -> Result<()> {
    load_file("/patched/dummy.ko", "numdummies=0")?;
    history.expect(&[
        ("/kind", "module_load".into()),
        ("/module/name", "dummy".into()),
    ])?;
    history.catch_up()?;
    fs::copy("/patched/dummy.ko", "/tmp/dummy-again.ko")?;
    let again = load_file("/tmp/dummy-again.ko", "numdummies=0");
    ensure!(again == Err(Errno::EEXIST), "it must be refused: {again:?}");
    let failed = history.expect(&[
        ("/kind", "module_load_failed".into()),
        ("/module/name", "dummy".into()),
    ])?;
    is_ours(&failed)?;
    let module = &failed["module"];
    ensure!(module["errno"] == "EEXIST", "errno: {failed}");
    ensure!(module["path"] == "/tmp/dummy-again.ko", "path: {failed}");
    let taints = history.complete()?;
    let taints: Vec<_> = taints
        .iter()
        .filter(|event| event["kind"] == "taint")
        .collect();
    // Duplicates are looked for before the flags since 6.4 (`early_mod_check`, kernel/module/main.c).
    let expected = release()? < (6, 4);
    ensure!(
        taints.iter().any(|event| event["taint"]["letter"] == "O") == expected,
        "flags of a duplicate: {taints:?}"
    );
    for event in taints {
        is_ours(event)?;
        ensure!(
            event["module"]["path"] == "/tmp/dummy-again.ko",
            "path: {event}"
        );
    }
    unload("dummy")
}

/// Why a load failed, in the kernel's own words.
pub(crate) fn reason(history: &mut History) -> Result<()> {
    let failed = load_file("/patched/dummy_proprietary.ko", "");
    ensure!(
        failed == Err(Errno::ENOENT),
        "it must fail with ENOENT: {failed:?}"
    );
    let event = history.expect(&[
        ("/kind", "module_load_failed".into()),
        ("/module/name", "dummy".into()),
    ])?;
    log_has(&event, &["dummy: Unknown symbol "])?;
    let module = &event["module"];
    ensure!(
        module["license"] == "XPL" && module["signature"] == "none",
        "identity: {event}"
    );
    ensure!(
        module["path"] == "/patched/dummy_proprietary.ko",
        "path: {event}"
    );
    Ok(())
}
