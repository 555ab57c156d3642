//! What a module's file says of itself: its hash, its signature and `.modinfo`.
//!
//! In: the bytes of the file. Out: the parts of a module's identity. The bytes are hostile: they are bounded, and text
//! in them is cut.

use std::io::Read as _;

use cms::{content_info::ContentInfo, signed_data::SignerIdentifier};
use der::{Decode as _, Encode as _};
use object::{Object as _, ObjectSection as _};
use sha2::{Digest as _, Sha256};

use crate::event::Module;

/// No module is larger, compressed or not.
pub(super) const MOST: u64 = 256 << 20;
/// Characters of a value of `.modinfo`: no real one comes near.
const VALUE: usize = 512;
/// Devices of a module: the longest list of a real one is a tenth of it.
const ALIASES: usize = 20_000;
/// What ends a signed module, and the bytes before it (`include/linux/module_signature.h`).
const MAGIC: &[u8] = b"~Module signature appended~\n";
const INFO: usize = 12;

/// What a file says.
#[derive(Debug, Default)]
pub(super) struct Content {
    sha256: String,
    /// Whether the file could be unpacked and has a signature, and who made that.
    signature: Option<&'static str>,
    signer: Option<String>,
    build_id: Option<String>,
    name: Option<String>,
    license: Option<String>,
    version: Option<String>,
    srcversion: Option<String>,
    /// For which devices it is.
    pub(super) aliases: Vec<String>,
}

impl Content {
    pub(super) fn read(bytes: &[u8]) -> Self {
        let mut content = Self {
            sha256: hex::encode(Sha256::digest(bytes)),
            ..Self::default()
        };
        let Some(plain) = unpacked(bytes) else {
            return content;
        };
        let signature = signature(&plain);
        content.signature = Some(signature.map_or("none", |_| "appended"));
        content.signer = signature.and_then(signer);
        let Ok(file) = object::File::parse(plain.as_slice()) else {
            return content;
        };
        content.build_id = file.build_id().ok().flatten().map(hex::encode);
        let info = file
            .section_by_name(".modinfo")
            .and_then(|section| section.data().ok());
        let info = info.unwrap_or_default();
        content.name = field(info, "name");
        content.license = field(info, "license");
        content.version = field(info, "version");
        content.srcversion = field(info, "srcversion");
        content.aliases = values(info, "alias").take(ALIASES).collect();
        content
    }

    /// Adds it to a module. What the kernel said itself is not replaced; a load that failed early has no name.
    pub(super) fn add_to(&self, module: &mut Module) {
        let from_kernel_or = |kernel: &mut Option<String>, file: &Option<String>| {
            if kernel.is_none() {
                kernel.clone_from(file);
            }
        };
        from_kernel_or(&mut module.name, &self.name);
        from_kernel_or(&mut module.version, &self.version);
        from_kernel_or(&mut module.srcversion, &self.srcversion);
        module.sha256 = Some(self.sha256.clone());
        module.signature = self.signature.map(str::to_owned);
        module.signer.clone_from(&self.signer);
        module.build_id.clone_from(&self.build_id);
        module.license.clone_from(&self.license);
    }
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
        .map(|word| cut(crate::record::text(word)))
}

fn cut(mut value: String) -> String {
    if let Some((end, _)) = value.char_indices().nth(VALUE) {
        value.truncate(end);
        value.push('…');
    }
    value
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
    fn a_value_without_an_end_is_cut() {
        let info = ["license=".as_bytes(), "é".repeat(1 << 20).as_bytes()].concat();
        let license = field(&info, "license").unwrap();
        assert_eq!(license.chars().count(), VALUE + 1);
    }

    #[test]
    fn what_the_kernel_said_is_not_replaced() {
        let content = Content {
            name: Some("file".into()),
            version: Some("1".into()),
            license: Some("XPL".into()),
            ..Content::default()
        };
        let mut module = Module {
            name: Some("kernel".into()),
            ..Module::default()
        };
        content.add_to(&mut module);
        assert_eq!(module.name.as_deref(), Some("kernel"));
        assert_eq!(module.version.as_deref(), Some("1"));
        assert_eq!(module.license.as_deref(), Some("XPL"));
    }

    proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>) {
            Content::read(&bytes).add_to(&mut Module::default());
            _ = signature(&bytes);
            _ = signer(&bytes);
        }
    }
}
