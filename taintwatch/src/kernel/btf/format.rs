//! The bytes of BTF: header, types and strings.
//!
//! In: bytes in this machine's byte order. Out: a type by its id, and its name. Names are read where they lie.

use std::ops::Range;

/// Kinds of types (`include/uapi/linux/btf.h`).
pub(super) mod kind {
    pub(in super::super) const INT: u32 = 1;
    pub(in super::super) const POINTER: u32 = 2;
    pub(in super::super) const STRUCT: u32 = 4;
    pub(in super::super) const UNION: u32 = 5;
    pub(in super::super) const ENUM: u32 = 6;
    pub(in super::super) const FORWARD: u32 = 7;
    pub(in super::super) const TYPEDEF: u32 = 8;
    pub(in super::super) const VOLATILE: u32 = 9;
    pub(in super::super) const CONST: u32 = 10;
    pub(in super::super) const RESTRICT: u32 = 11;
    pub(in super::super) const FUNCTION: u32 = 12;
    pub(in super::super) const PROTOTYPE: u32 = 13;
    pub(in super::super) const TYPE_TAG: u32 = 18;
    pub(in super::super) const ENUM64: u32 = 19;
}

/// The three words that every type begins with, and where the rest is.
#[derive(Clone, Copy)]
pub(super) struct Type {
    pub(super) name: u32,
    pub(super) kind: u32,
    pub(super) count: u32,
    pub(super) bitfields: bool,
    pub(super) refers_to: u32,
    pub(super) rest: u32,
}

/// Parsed types.
#[derive(Debug)]
pub(super) struct Types {
    bytes: Vec<u8>,
    /// Where in `bytes` types and strings lie.
    all: Range<usize>,
    strings: Range<usize>,
    /// Where each type begins, in words; id 0 is `void` and begins nowhere.
    at: Vec<u32>,
}

impl Types {
    /// Parses the header, and finds where each type begins; `None` for bytes of another form.
    pub(super) fn parse(bytes: Vec<u8>) -> Option<Self> {
        const MAGIC: u16 = 0xeb9f;
        let magic = u16::from_ne_bytes(bytes.get(..2)?.try_into().ok()?);
        let [header_len, type_off, type_len, str_off, str_len] = words(&bytes, 4)?;
        let section = |off: u32, len: u32| {
            let start = usize::try_from(header_len.checked_add(off)?).ok()?;
            let end = start.checked_add(usize::try_from(len).ok()?)?;
            (end <= bytes.len()).then_some(start..end)
        };
        if magic != MAGIC {
            return None;
        }
        let (all, strings) = (section(type_off, type_len)?, section(str_off, str_len)?);
        let mut types = Self {
            bytes,
            all,
            strings,
            at: Vec::new(),
        };
        let mut at = 0;
        while usize::try_from(at).ok()?.checked_mul(4)? < types.all.len() {
            types.at.push(at);
            let found = types.get(u32::try_from(types.at.len()).ok()?)?;
            at = found.rest.checked_add(words_behind(&found)?)?;
        }
        Some(types)
    }

    /// Every id but that of `void`.
    pub(super) fn ids(&self) -> impl Iterator<Item = u32> {
        1..=u32::try_from(self.at.len()).unwrap_or(0)
    }

    /// A type; `None` for `void` and for ids that are not there.
    pub(super) fn get(&self, id: u32) -> Option<Type> {
        let at = *self.at.get(usize::try_from(id).ok()?.checked_sub(1)?)?;
        let [name, info, refers_to] = self.words(at)?;
        Some(Type {
            name,
            kind: info >> 24 & 0x1f,
            count: info & 0xffff,
            bitfields: info >> 31 == 1,
            refers_to,
            rest: at.checked_add(3)?,
        })
    }

    /// Words of a type, at `at` of all.
    pub(super) fn words<const N: usize>(&self, at: u32) -> Option<[u32; N]> {
        let types = self.bytes.get(self.all.clone())?;
        words(types, usize::try_from(at).ok()?.checked_mul(4)?)
    }

    /// Whether the name at `offset` is this one.
    pub(super) fn is(&self, offset: u32, name: &str) -> bool {
        self.name(offset) == Some(name.as_bytes())
    }

    /// The name at `offset`.
    pub(super) fn text(&self, offset: u32) -> Option<String> {
        self.name(offset)
            .map(|name| String::from_utf8_lossy(name).into_owned())
    }

    fn name(&self, offset: u32) -> Option<&[u8]> {
        let strings = self.bytes.get(self.strings.clone())?;
        let from = strings.get(usize::try_from(offset).ok()?..)?;
        from.get(..from.iter().position(|byte| *byte == 0)?)
    }
}

/// A run of 32-bit words.
fn words<const N: usize>(bytes: &[u8], at: usize) -> Option<[u32; N]> {
    let mut out = [0; N];
    let mut bytes = bytes.get(at..)?;
    for word in &mut out {
        let (first, rest) = bytes.split_first_chunk::<4>()?;
        *word = u32::from_ne_bytes(*first);
        bytes = rest;
    }
    Some(out)
}

/// How many words follow the first three, by kind.
fn words_behind(found: &Type) -> Option<u32> {
    Some(match found.kind {
        // pointer, forward, typedef, volatile, const, restrict, function, float, type tag
        2 | 7..=12 | 16 | 18 => 0,
        // int, variable, declaration tag
        1 | 14 | 17 => 1,
        // array
        3 => 3,
        // enum, function prototype
        6 | 13 => 2 * found.count,
        // struct, union, data section, 64-bit enum
        4 | 5 | 15 | 19 => 3 * found.count,
        _ => return None,
    })
}
