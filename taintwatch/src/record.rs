//! Bytes of the ring buffer become records.
//!
//! In: any bytes. Out: a record as the eBPF programs wrote it, or an error. Total: no input makes it panic. Texts
//! inside a record are still the kernel's raw bytes.

use std::fmt::Write as _;

use taintwatch_common::{
    Callees, Header, LoadEnd, MaskWrite, ModuleComing, ModuleFile, ModuleFree, ModuleRequest,
    Plain, Process, SysctlWrite, TaintEntry, UnloadStack, VERSION, Wire, kind,
};

/// A record of the eBPF programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    TaintEntry(Box<TaintEntry>),
    MaskWrite(Box<MaskWrite>),
    ModuleComing(Box<ModuleComing>),
    ModuleFree(Box<ModuleFree>),
    LoadEnd(Box<LoadEnd>),
    SysctlWrite(Box<SysctlWrite>),
    Process(Box<Process>),
    ModuleFile(Box<ModuleFile>),
    ModuleRequest(Box<ModuleRequest>),
    Callees(Box<Callees>),
    UnloadStack(Box<UnloadStack>),
}

/// Why bytes are no record.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("a record of {0} bytes is shorter than its header")]
    Short(usize),
    #[error("a record says it is of version {0}; this program reads version {VERSION}")]
    Version(u16),
    #[error("a record of kind {kind} has {got} bytes and says {said}")]
    Length { kind: u16, said: u32, got: usize },
    #[error("no record has the kind {0}")]
    Kind(u16),
}

/// Decodes one record.
pub fn decode(bytes: &[u8]) -> Result<Record, Error> {
    let header: Header = value(bytes).ok_or(Error::Short(bytes.len()))?;
    if header.version != VERSION {
        return Err(Error::Version(header.version));
    }
    match header.kind {
        kind::TAINT_ENTRY => record(bytes, &header).map(Record::TaintEntry),
        kind::MASK_WRITE => record(bytes, &header).map(Record::MaskWrite),
        kind::MODULE_COMING => record(bytes, &header).map(Record::ModuleComing),
        kind::MODULE_FREE => record(bytes, &header).map(Record::ModuleFree),
        kind::LOAD_END => record(bytes, &header).map(Record::LoadEnd),
        kind::PROCESS => record(bytes, &header).map(Record::Process),
        kind::MODULE_FILE => record(bytes, &header).map(Record::ModuleFile),
        kind::MODULE_REQUEST => record(bytes, &header).map(Record::ModuleRequest),
        kind::UNLOAD_STACK => record(bytes, &header).map(Record::UnloadStack),
        kind::CALLEES => record(bytes, &header).map(Record::Callees),
        kind::SYSCTL_WRITE => record(bytes, &header).map(Record::SysctlWrite),
        other => Err(Error::Kind(other)),
    }
}

/// The ring does not round lengths: a record is as long as its type.
fn record<T: Wire>(bytes: &[u8], header: &Header) -> Result<Box<T>, Error> {
    let exact = bytes.len() == size_of::<T>() && header.len as usize == bytes.len();
    let wrong = Error::Length {
        kind: header.kind,
        said: header.len,
        got: bytes.len(),
    };
    exact
        .then(|| value(bytes))
        .flatten()
        .map(Box::new)
        .ok_or(wrong)
}

/// The first bytes as a value made of integers alone.
pub(crate) fn value<T: Plain>(bytes: &[u8]) -> Option<T> {
    let bytes = bytes.get(..size_of::<T>())?;
    // SAFETY: the slice has the size of T, and any bytes are a T (the promise of `Plain`).
    Some(unsafe { bytes.as_ptr().cast::<T>().read_unaligned() })
}

/// The bytes of a text field up to its NUL, as text. Bytes that are not UTF-8 are shown as `\xNN`;
/// control characters stay: they are escaped where they are printed.
#[must_use]
pub fn text(field: &[u8]) -> String {
    let end = field
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(field.len());
    let mut out = String::new();
    for chunk in field.get(..end).unwrap_or_default().utf8_chunks() {
        out.push_str(chunk.valid());
        for byte in chunk.invalid() {
            // Writing to a String cannot fail.
            _ = write!(out, "\\x{byte:02x}");
        }
    }
    out
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    impl Record {
        /// One of [`kind`].
        fn kind(&self) -> u16 {
            match self {
                Self::TaintEntry(_) => kind::TAINT_ENTRY,
                Self::MaskWrite(_) => kind::MASK_WRITE,
                Self::ModuleComing(_) => kind::MODULE_COMING,
                Self::ModuleFree(_) => kind::MODULE_FREE,
                Self::LoadEnd(_) => kind::LOAD_END,
                Self::SysctlWrite(_) => kind::SYSCTL_WRITE,
                Self::Process(_) => kind::PROCESS,
                Self::ModuleFile(_) => kind::MODULE_FILE,
                Self::ModuleRequest(_) => kind::MODULE_REQUEST,
                Self::Callees(_) => kind::CALLEES,
                Self::UnloadStack(_) => kind::UNLOAD_STACK,
            }
        }
    }

    fn load_end(version: u16, kind: u16, len: u32) -> Vec<u8> {
        let mut bytes = vec![0; size_of::<LoadEnd>()];
        bytes[..2].copy_from_slice(&kind.to_ne_bytes());
        bytes[2..4].copy_from_slice(&version.to_ne_bytes());
        bytes[4..8].copy_from_slice(&len.to_ne_bytes());
        bytes[144..].copy_from_slice(&(-57_i64).to_ne_bytes());
        bytes
    }

    #[test]
    fn takes_a_record_and_only_of_its_exact_length_and_version() {
        let size = u32::try_from(size_of::<LoadEnd>()).unwrap();
        let Ok(Record::LoadEnd(end)) = decode(&load_end(VERSION, kind::LOAD_END, size)) else {
            panic!("not decoded");
        };
        assert_eq!(end.result, -57);
        assert_eq!(
            decode(&load_end(VERSION + 1, kind::LOAD_END, size)),
            Err(Error::Version(VERSION + 1))
        );
        assert_eq!(decode(&load_end(VERSION, 99, size)), Err(Error::Kind(99)));
        assert!(matches!(
            decode(&load_end(VERSION, kind::LOAD_END, size + 8)),
            Err(Error::Length { .. })
        ));
        assert!(matches!(
            decode(&load_end(VERSION, kind::TAINT_ENTRY, size)),
            Err(Error::Length { .. })
        ));
        assert_eq!(decode(&[0; 23]), Err(Error::Short(23)));
    }

    #[test]
    fn text_ends_at_its_nul_and_keeps_what_is_not_utf8_visible() {
        assert_eq!(text(b"abc\0def"), "abc");
        assert_eq!(text(b"a\xff\x1bz"), "a\\xff\x1bz");
        assert_eq!(text(b""), "");
    }

    /// Every kind with the size of its records.
    const SIZES: [(u16, usize); 11] = [
        (kind::TAINT_ENTRY, size_of::<TaintEntry>()),
        (kind::MASK_WRITE, size_of::<MaskWrite>()),
        (kind::MODULE_COMING, size_of::<ModuleComing>()),
        (kind::MODULE_FREE, size_of::<ModuleFree>()),
        (kind::LOAD_END, size_of::<LoadEnd>()),
        (kind::SYSCTL_WRITE, size_of::<SysctlWrite>()),
        (kind::PROCESS, size_of::<Process>()),
        (kind::MODULE_FILE, size_of::<ModuleFile>()),
        (kind::MODULE_REQUEST, size_of::<ModuleRequest>()),
        (kind::CALLEES, size_of::<Callees>()),
        (kind::UNLOAD_STACK, size_of::<UnloadStack>()),
    ];

    /// A header that the decoder takes, and any bytes behind it.
    pub(crate) fn records() -> impl Strategy<Value = (u16, Vec<u8>)> {
        proptest::sample::select(SIZES.to_vec()).prop_flat_map(|(kind, size)| {
            let bytes = proptest::collection::vec(any::<u8>(), size);
            bytes.prop_map(move |mut bytes| {
                let len = u32::try_from(size).unwrap();
                bytes[..2].copy_from_slice(&kind.to_ne_bytes());
                bytes[2..4].copy_from_slice(&VERSION.to_ne_bytes());
                bytes[4..8].copy_from_slice(&len.to_ne_bytes());
                (kind, bytes)
            })
        })
    }

    #[test]
    fn every_kind_has_its_size_here() {
        let kinds: Vec<_> = SIZES.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, (1..kind::END).collect::<Vec<_>>());
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            _ = decode(&bytes);
            _ = text(&bytes);
        }

        #[test]
        fn any_bytes_behind_a_right_header_are_a_record((kind, bytes) in records()) {
            prop_assert_eq!(decode(&bytes).unwrap().kind(), kind);
        }

        #[test]
        fn a_record_that_is_cut_is_none((_, bytes) in records(), cut in 1..2000_usize) {
            let left = bytes.len().saturating_sub(cut);
            prop_assert!(decode(&bytes[..left]).is_err());
        }
    }
}
