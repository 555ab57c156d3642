//! Stock modules changed so that they taint, for kernels whose headers the suites do not carry: the
//! signature is cut off (E), and words of `.modinfo` are overwritten (O, P). One is signed by a key that no kernel knows.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};

use crate::{image, initramfs::Initramfs, kernels::Kernel, run};

/// Every kernel's packages have it, and nothing needs it.
pub(crate) const MODULE: &str = "dummy";
/// What ends a signed module (`scripts/sign-file.c`), and the bytes before it that hold the signature's length.
const MAGIC: &[u8] = b"~Module signature appended~\n";
const INFO: usize = 12;

/// What the key is called that signs a module.
const SIGNER: &str = "/CN=taintwatch test key";
/// `PKEY_ID_PKCS7` (`include/linux/module_signature.h`).
const PKCS7: u8 = 2;

/// Adds `/patched/dummy.ko`, `dummy_proprietary.ko` and `dummy_signed.ko` beside it, and `msr.ko` as it is.
pub(crate) fn add(kernel: &Kernel, files: &mut Initramfs) -> Result<()> {
    let stock = stock(kernel, MODULE)?;
    let stock = stock.with_context(|| format!("{} has no module {MODULE}", kernel.release))?;
    if let Some(registers) = self::stock(kernel, "msr")? {
        files.file("patched/msr.ko", 0o644, registers);
    }
    let foreign = overwrite(unsigned(&stock), b"\0intree=Y\0", b"\0xntree=Y\0")?;
    files.file("patched/dummy.ko", 0o644, foreign.clone());
    files.file("patched/dummy_signed.ko", 0o644, signed(&foreign)?);
    let proprietary = overwrite(foreign, b"\0license=GPL", b"\0license=XPL")?;
    files.file("patched/dummy_proprietary.ko", 0o644, proprietary);
    Ok(())
}

/// The bytes of a stock module, unpacked; `None` when the kernel has it built in, or not at all.
pub(crate) fn stock(kernel: &Kernel, name: &str) -> Result<Option<Vec<u8>>> {
    let Some(path) = find(&kernel.modules, name)? else {
        return Ok(None);
    };
    if path.extension().is_some_and(|kind| kind == "xz") {
        let output = Command::new("xz")
            .arg("-dc")
            .arg(&path)
            .output()
            .context("run xz")?;
        let (path, status) = (path.display(), output.status);
        ensure!(status.success(), "xz -dc {path}: {status}");
        return Ok(Some(output.stdout));
    }
    let bytes = fs::read(&path).with_context(|| format!("read {}", path.display()))?;
    Ok(Some(bytes))
}

/// Adds a stock module and those that it needs, the needed first, each once.
pub(crate) fn with_needs(
    kernel: &Kernel,
    name: &str,
    modules: &mut Vec<(String, Vec<u8>)>,
) -> Result<()> {
    if modules.iter().any(|(known, _)| known == name) {
        return Ok(());
    }
    let Some(bytes) = stock(kernel, name)? else {
        return Ok(());
    };
    for needed in needs(&bytes) {
        with_needs(kernel, &needed, modules)?;
    }
    modules.push((name.to_owned(), bytes));
    Ok(())
}

/// `depends=a,b` in `.modinfo`, a NUL before and behind it.
fn needs(module: &[u8]) -> Vec<String> {
    const KEY: &[u8] = b"\0depends=";
    let at = module.windows(KEY.len()).position(|window| window == KEY);
    let value = at.and_then(|at| module.get(at + KEY.len()..));
    let value = value.and_then(|rest| rest.split(|byte| *byte == 0).next());
    let value = String::from_utf8_lossy(value.unwrap_or_default()).into_owned();
    let names = value.split(',').filter(|name| !name.is_empty());
    names.map(str::to_owned).collect()
}

/// The module's file below a folder: `NAME.ko`, or `NAME.ko.xz`.
fn find(folder: &Path, name: &str) -> Result<Option<PathBuf>> {
    // In names of files `-` and `_` are the same.
    let is_it = |file: &str| {
        let stem = file.split_once(".ko").map(|(stem, _)| stem);
        stem.is_some_and(|stem| stem.replace('-', "_") == name.replace('-', "_"))
    };
    for entry in fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            if let Some(found) = find(&entry.path(), name)? {
                return Ok(Some(found));
            }
        } else if is_it(&entry.file_name().to_string_lossy()) {
            return Ok(Some(entry.path()));
        }
    }
    Ok(None)
}

fn unsigned(module: &[u8]) -> Vec<u8> {
    let without = module.strip_suffix(MAGIC).and_then(|signed| {
        let info = signed.len().checked_sub(INFO)?;
        let length: [u8; 4] = signed.get(info + INFO - 4..)?.try_into().ok()?;
        signed.get(..info.checked_sub(usize::try_from(u32::from_be_bytes(length)).ok()?)?)
    });
    without.unwrap_or(module).to_vec()
}

/// Signed as `scripts/sign-file.c` does it, with a key that is made for it and thrown away.
fn signed(module: &[u8]) -> Result<Vec<u8>> {
    let folder = image::folder()?.join(format!("signing-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let plain = folder.join("module.ko");
    fs::write(&plain, module)?;
    let openssl = |words: &str| {
        let mut openssl = Command::new("openssl");
        openssl.args(words.split(' ')).current_dir(&folder);
        openssl
    };
    let key = "req -x509 -newkey rsa:2048 -noenc -days 2 -keyout key -out certificate -subj";
    run::quiet(openssl(key).arg(SIGNER))?;
    let sign = "cms -sign -binary -noattr -nocerts -md sha256 -signer certificate -inkey key \
        -in module.ko -outform DER -out signature";
    run::quiet(&mut openssl(sign))?;
    let signature = fs::read(folder.join("signature"))?;
    fs::remove_dir_all(&folder)?;
    // `struct module_signature`: the kind of the key, and the length of what stands before it.
    let mut info = [0; INFO];
    info[2] = PKCS7;
    let length = u32::try_from(signature.len())?;
    info[INFO - 4..].copy_from_slice(&length.to_be_bytes());
    Ok([module, &signature, &info, MAGIC].concat())
}

fn overwrite(mut module: Vec<u8>, old: &[u8], new: &[u8]) -> Result<Vec<u8>> {
    ensure!(old.len() == new.len(), "a word must keep its length");
    // The first word of the section has no NUL before it.
    let at = module.windows(old.len()).position(|window| window == old);
    let at = at.with_context(|| format!("no {} in the module", old.escape_ascii()))?;
    module.splice(at..at + old.len(), new.iter().copied());
    Ok(module)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_the_signature_alone() {
        let mut signed = b"elf".to_vec();
        signed.extend([7; 20]);
        signed.extend([0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 20]);
        signed.extend(MAGIC);
        assert_eq!(unsigned(&signed), b"elf");
        assert_eq!(unsigned(b"elf"), b"elf");
    }

    #[test]
    fn finds_what_a_module_needs() {
        let needs_of = |module: &[u8]| needs(module);
        assert_eq!(
            needs_of(b"elf\0depends=xor,raid6_pq\0x"),
            ["xor", "raid6_pq"]
        );
        assert!(needs_of(b"elf\0depends=\0x").is_empty());
        assert!(needs_of(b"elf").is_empty());
    }

    #[test]
    fn a_signature_is_what_is_cut_off() {
        let module = signed(b"elf").unwrap();
        assert!(module.len() > 200 && module.starts_with(b"elf"));
        assert_eq!(unsigned(&module), b"elf");
    }

    #[test]
    fn overwrites_one_word() {
        let changed = overwrite(
            b"a\0license=GPL v2\0b".to_vec(),
            b"\0license=GPL",
            b"\0license=XPL",
        );
        assert_eq!(changed.unwrap(), b"a\0license=XPL v2\0b");
        assert!(overwrite(b"none".to_vec(), b"\0a", b"\0b").is_err());
    }
}
