//! The file that a module was loaded from: its hash, its signature and `.modinfo`.
//!
//! In: a path and the inode that the kernel opened. Out: the module's identity, when the file is still that one and
//! was not changed since. A file that is gone or was replaced adds nothing but that.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read},
    os::{
        fd::AsRawFd as _,
        unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    },
};

use cms::{content_info::ContentInfo, signed_data::SignerIdentifier};
use der::{Decode as _, Encode as _};
use object::{Object as _, ObjectSection as _};
use sha2::{Digest as _, Sha256};

use crate::event::{Module, Time};

/// No module is larger, compressed or not.
const MOST: u64 = 256 << 20;
/// What ends a signed module, and the bytes before it (`include/linux/module_signature.h`).
const MAGIC: &[u8] = b"~Module signature appended~\n";
const INFO: usize = 12;

/// Which file the kernel opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inode {
    pub number: u64,
    /// As the kernel numbers devices: 20 bits of minor.
    pub device: u32,
}

/// Adds what the file at the module's path says; returns the aliases that it lists.
pub fn identify(module: &mut Module, inode: Inode, loaded: Time) -> Vec<String> {
    let Some(path) = module.path.clone() else {
        return Vec::new();
    };
    match read(&path, inode, loaded) {
        Ok(bytes) => describe(module, &bytes),
        Err(why) => {
            module.file_state = Some(why);
            Vec::new()
        }
    }
}

/// The file's bytes, or why they are not those that were loaded.
fn read(path: &str, inode: Inode, loaded: Time) -> Result<Vec<u8>, String> {
    // Checked before it is opened for reading: a pipe in its place would block, and a device would act.
    let handle = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_PATH | libc::O_NOFOLLOW)
        .open(path)
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => "gone since".to_owned(),
            _ => error.to_string(),
        })?;
    let is = handle.metadata().map_err(|error| error.to_string())?;
    if is.ino() != inode.number || kernel_device(is.dev()) != inode.device {
        return Err("replaced since by another file".to_owned());
    }
    let changed = i128::from(is.ctime()) * 1_000_000_000 + i128::from(is.ctime_nsec());
    if changed > loaded.0.as_nanosecond() {
        return Err("changed since".to_owned());
    }
    if !is.is_file() {
        return Err("no file since".to_owned());
    }
    let same = format!("/proc/self/fd/{}", handle.as_raw_fd());
    let mut file = File::open(same).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    let read = Read::by_ref(&mut file).take(MOST).read_to_end(&mut bytes);
    read.map_err(|error| error.to_string())?;
    Ok(bytes)
}

/// `dev_t` of the system calls to that inside the kernel (`new_encode_dev`, `MKDEV`).
fn kernel_device(device: u64) -> u32 {
    libc::major(device) << 20 | libc::minor(device)
}

fn describe(module: &mut Module, bytes: &[u8]) -> Vec<String> {
    let hash = Sha256::digest(bytes);
    module.sha256 = Some(hex::encode(hash));
    module.file_state = Some("as loaded".to_owned());
    let Some(plain) = unpacked(bytes) else {
        return Vec::new();
    };
    match signature(&plain) {
        None => module.signature = Some("none".to_owned()),
        Some(signature) => {
            module.signature = Some("appended".to_owned());
            module.signer = signer(signature);
        }
    }
    let Ok(file) = object::File::parse(plain.as_slice()) else {
        return Vec::new();
    };
    module.build_id = file.build_id().ok().flatten().map(hex::encode);
    let info = file
        .section_by_name(".modinfo")
        .and_then(|section| section.data().ok());
    let info = info.unwrap_or_default();
    // A load that failed early has no name.
    module.name = module.name.take().or_else(|| field(info, "name"));
    module.license = field(info, "license");
    module.version = module.version.take().or_else(|| field(info, "version"));
    module.srcversion = module
        .srcversion
        .take()
        .or_else(|| field(info, "srcversion"));
    values(info, "alias").collect()
}

/// A module as the kernel sees it. Compression is detected by the first bytes, not by the name.
fn unpacked(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::new();
    let read = if bytes.starts_with(b"\xfd7zXZ\0") {
        liblzma::read::XzDecoder::new(bytes)
            .take(MOST)
            .read_to_end(&mut plain)
    } else if bytes.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        ruzstd::decoding::StreamingDecoder::new(bytes)
            .ok()?
            .take(MOST)
            .read_to_end(&mut plain)
    } else if bytes.starts_with(&[0x1f, 0x8b]) {
        flate2::read::GzDecoder::new(bytes)
            .take(MOST)
            .read_to_end(&mut plain)
    } else {
        return Some(bytes.to_vec());
    };
    read.ok().map(|_len| plain)
}

fn signature(module: &[u8]) -> Option<&[u8]> {
    let signed = module.strip_suffix(MAGIC)?;
    let info = signed.len().checked_sub(INFO)?;
    let length: [u8; 4] = signed.get(info + INFO - 4..)?.try_into().ok()?;
    let start = info.checked_sub(usize::try_from(u32::from_be_bytes(length)).ok()?)?;
    signed.get(start..info)
}

/// The issuer of the key that signed it, as the signature names it (PKCS#7).
fn signer(signature: &[u8]) -> Option<String> {
    let content = ContentInfo::from_der(signature).ok()?;
    let signed: cms::signed_data::SignedData = content.content.decode_as().ok()?;
    let info = signed.signer_infos.0.get(0)?;
    match &info.sid {
        SignerIdentifier::IssuerAndSerialNumber(id) => Some(id.issuer.to_string()),
        SignerIdentifier::SubjectKeyIdentifier(id) => {
            let bytes = id.0.to_der().ok()?;
            Some(hex::encode(bytes))
        }
    }
}

/// The first value of a key of `.modinfo`.
fn field(info: &[u8], key: &str) -> Option<String> {
    values(info, key).next()
}

/// The values of a key of `.modinfo`: `key=value`, a NUL behind each.
fn values<'a>(info: &'a [u8], key: &'a str) -> impl Iterator<Item = String> + 'a {
    let words = info.split(|byte| *byte == 0);
    words
        .filter_map(move |word| word.strip_prefix(key.as_bytes())?.strip_prefix(b"="))
        .map(crate::record::text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_modinfo() {
        let info = b"license=GPL\0version=1.2\0license=XPL\0";
        assert_eq!(field(info, "license").as_deref(), Some("GPL"));
        assert_eq!(field(info, "lic"), None);
        let aliases = b"alias=pci:v1*\0license=GPL\0alias=usb:*\0";
        assert_eq!(
            values(aliases, "alias").collect::<Vec<_>>(),
            ["pci:v1*", "usb:*"]
        );
    }

    #[test]
    fn a_file_that_was_replaced_or_changed_is_not_the_modules() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.ko");
        std::fs::write(&path, b"one").unwrap();
        let meta = std::fs::metadata(&path).unwrap();
        let inode = Inode {
            number: meta.ino(),
            device: kernel_device(meta.dev()),
        };
        let now = Time(jiff::Timestamp::now());
        let path = path.to_str().unwrap();
        assert_eq!(read(path, inode, now), Ok(b"one".to_vec()));
        // Opening a pipe in the file's place would block.
        let pipe = folder.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRUSR).unwrap();
        let meta = std::fs::metadata(&pipe).unwrap();
        let of_pipe = Inode {
            number: meta.ino(),
            device: kernel_device(meta.dev()),
        };
        assert_eq!(
            read(pipe.to_str().unwrap(), of_pipe, now),
            Err("no file since".to_owned())
        );
        let other = Inode {
            number: inode.number + 1,
            ..inode
        };
        assert!(read(path, other, now).unwrap_err().contains("replaced"));
        assert!(
            read(path, inode, Time(jiff::Timestamp::UNIX_EPOCH))
                .unwrap_err()
                .contains("changed")
        );
        assert!(
            read("/nonexistent.ko", inode, now)
                .unwrap_err()
                .contains("gone")
        );
    }

    proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>) {
            let mut module = Module::default();
            describe(&mut module, &bytes);
            _ = signature(&bytes);
            _ = signer(&bytes);
        }
    }
}
