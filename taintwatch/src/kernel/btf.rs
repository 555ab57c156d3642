//! Offsets of struct members and prototypes of functions, from the kernel's BTF.
//!
//! In: the bytes of `/sys/kernel/btf/vmlinux`, in this machine's byte order. Out: where a member lies,
//! in bytes, and how a function is declared. Only what these need is parsed, and names are read where
//! they lie: aya keeps members to itself, and the crates that show them take 35 to 80 MiB. Format:
//! `Documentation/bpf/btf.rst`.

use std::{fs, ops::Range};

/// Where the kernel shows its types (`CONFIG_DEBUG_INFO_BTF`).
pub const PATH: &str = "/sys/kernel/btf/vmlinux";

/// Why there are no types.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("read {PATH}: {0}; the kernel needs CONFIG_DEBUG_INFO_BTF=y, and /sys must be mounted")]
    Read(#[from] std::io::Error),
    #[error("{PATH} is not the BTF that this program knows: {0}")]
    Format(&'static str),
}

/// The kernel's types.
#[derive(Debug)]
pub struct Btf {
    bytes: Vec<u8>,
    /// Where in `bytes` types and strings lie.
    types: Range<usize>,
    strings: Range<usize>,
    /// Where each type begins, in words; id 0 is `void` and begins nowhere.
    at: Vec<u32>,
}

/// Members nest a handful deep; a loop in hostile data must end.
const MAX_DEPTH: u32 = 16;

/// Kinds of types (`include/uapi/linux/btf.h`).
mod kind {
    pub(super) const INT: u32 = 1;
    pub(super) const POINTER: u32 = 2;
    pub(super) const STRUCT: u32 = 4;
    pub(super) const UNION: u32 = 5;
    pub(super) const ENUM: u32 = 6;
    pub(super) const FORWARD: u32 = 7;
    pub(super) const TYPEDEF: u32 = 8;
    pub(super) const VOLATILE: u32 = 9;
    pub(super) const CONST: u32 = 10;
    pub(super) const RESTRICT: u32 = 11;
    pub(super) const FUNCTION: u32 = 12;
    pub(super) const PROTOTYPE: u32 = 13;
    pub(super) const TYPE_TAG: u32 = 18;
    pub(super) const ENUM64: u32 = 19;
}

/// The three words that every type begins with, and where the rest is.
#[derive(Clone, Copy)]
struct Type {
    name: u32,
    kind: u32,
    count: u32,
    bitfields: bool,
    refers_to: u32,
    rest: u32,
}

impl Btf {
    /// Reads the running kernel's types.
    pub fn read() -> Result<Self, Error> {
        Self::parse(fs::read(PATH)?)
    }

    /// Parses BTF in this machine's byte order.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, Error> {
        parse(bytes).ok_or(Error::Format("cut short or of another byte order"))
    }

    /// The byte offset of a member, which may lie in anonymous structs and unions.
    #[must_use]
    pub fn offset(&self, composite: &str, member: &str) -> Option<u64> {
        let id = self.composite(composite)?;
        Some(u64::from(self.find(id, member, MAX_DEPTH)? / 8))
    }

    /// The size of a struct or union in bytes.
    #[must_use]
    pub fn size(&self, composite: &str) -> Option<u64> {
        let id = self.composite(composite)?;
        Some(u64::from(self.get(id)?.refers_to))
    }

    /// `void (unsigned int, enum lockdep_ok)`: how a function is declared.
    #[must_use]
    pub fn prototype(&self, function: &str) -> Option<String> {
        let id = self.named(function, |kind| kind == kind::FUNCTION)?;
        self.declaration(self.get(id)?.refers_to)
    }

    /// How a tracepoint calls its probes: by the typedef `btf_trace_NAME`, a pointer to a prototype.
    #[must_use]
    pub fn tracepoint(&self, name: &str) -> Option<String> {
        let id = self.named(&format!("btf_trace_{name}"), |kind| kind == kind::TYPEDEF)?;
        let pointer = self.get(self.get(id)?.refers_to)?;
        self.declaration(pointer.refers_to)
    }

    fn composite(&self, name: &str) -> Option<u32> {
        self.named(name, |kind| kind == kind::STRUCT || kind == kind::UNION)
    }

    fn named(&self, name: &str, wanted: impl Fn(u32) -> bool) -> Option<u32> {
        let ids = 1..=u32::try_from(self.at.len()).ok()?;
        ids.into_iter().find(|id| {
            self.get(*id)
                .is_some_and(|found| wanted(found.kind) && self.is(found.name, name))
        })
    }

    fn find(&self, id: u32, wanted: &str, depth: u32) -> Option<u32> {
        let depth = depth.checked_sub(1)?;
        let composite = self.get(id)?;
        match composite.kind {
            kind::TYPEDEF | kind::VOLATILE | kind::CONST | kind::RESTRICT | kind::TYPE_TAG => {
                self.find(composite.refers_to, wanted, depth)
            }
            kind::STRUCT | kind::UNION => (0..composite.count).find_map(|index| {
                let [name, of, offset] = self.words(composite.rest + 3 * index)?;
                // With bitfields the upper eight bits hold a member's width.
                let mask = if composite.bitfields {
                    0x00ff_ffff
                } else {
                    u32::MAX
                };
                let offset = offset & mask;
                if self.is(name, wanted) {
                    Some(offset)
                } else if self.is(name, "") {
                    offset.checked_add(self.find(of, wanted, depth)?)
                } else {
                    None
                }
            }),
            _ => None,
        }
    }

    fn declaration(&self, id: u32) -> Option<String> {
        let prototype = self.get(id).filter(|found| found.kind == kind::PROTOTYPE)?;
        let parameters: Option<Vec<_>> = (0..prototype.count)
            .map(|index| {
                let [_name, of] = self.words(prototype.rest + 2 * index)?;
                self.spelling(of, MAX_DEPTH)
            })
            .collect();
        let result = self.spelling(prototype.refers_to, MAX_DEPTH)?;
        Some(format!("{result} ({})", parameters?.join(", ")))
    }

    /// A type as C spells it.
    fn spelling(&self, id: u32, depth: u32) -> Option<String> {
        if id == 0 {
            return Some("void".to_owned());
        }
        let depth = depth.checked_sub(1)?;
        let found = self.get(id)?;
        let name = || self.text(found.name);
        let inner = || self.spelling(found.refers_to, depth);
        Some(match found.kind {
            kind::INT | kind::TYPEDEF => name()?,
            kind::STRUCT | kind::FORWARD => format!("struct {}", name()?),
            kind::UNION => format!("union {}", name()?),
            kind::ENUM | kind::ENUM64 => format!("enum {}", name()?),
            kind::CONST => format!("const {}", inner()?),
            kind::VOLATILE | kind::RESTRICT | kind::TYPE_TAG => inner()?,
            kind::POINTER => format!("{} *", inner()?).replace("* *", "**"),
            other => format!("?{other}"),
        })
    }

    fn get(&self, id: u32) -> Option<Type> {
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

    fn words<const N: usize>(&self, at: u32) -> Option<[u32; N]> {
        let types = self.bytes.get(self.types.clone())?;
        words(types, usize::try_from(at).ok()?.checked_mul(4)?)
    }

    fn name(&self, offset: u32) -> Option<&[u8]> {
        let strings = self.bytes.get(self.strings.clone())?;
        let from = strings.get(usize::try_from(offset).ok()?..)?;
        from.get(..from.iter().position(|byte| *byte == 0)?)
    }

    fn is(&self, offset: u32, name: &str) -> bool {
        self.name(offset) == Some(name.as_bytes())
    }

    fn text(&self, offset: u32) -> Option<String> {
        self.name(offset)
            .map(|name| String::from_utf8_lossy(name).into_owned())
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

fn parse(bytes: Vec<u8>) -> Option<Btf> {
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
    let (types, strings) = (section(type_off, type_len)?, section(str_off, str_len)?);
    let mut btf = Btf {
        bytes,
        types,
        strings,
        at: Vec::new(),
    };
    let mut at = 0;
    while usize::try_from(at).ok()?.checked_mul(4)? < btf.types.len() {
        btf.at.push(at);
        let found = btf.get(u32::try_from(btf.at.len()).ok()?)?;
        at = found.rest.checked_add(words_behind(&found)?)?;
    }
    Some(btf)
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `struct outer { int a; struct { int b; }; }` and `void f(struct outer *, int)`; ids: 1 int,
    /// 2 anonymous, 3 outer, 4 pointer, 5 prototype, 6 function.
    fn sample() -> Vec<u8> {
        let strings = b"\0int\0outer\0a\0b\0f\0";
        #[rustfmt::skip]
        let types: [u32; 36] = [
            1, 1 << 24, 4, 32,
            0, 4 << 24 | 1, 4, 13, 1, 0,
            5, 4 << 24 | 2, 8, 11, 1, 0, 0, 2, 32,
            0, 2 << 24, 3,
            0, 13 << 24 | 2, 0, 0, 4, 0, 1,
            15, 12 << 24, 5,
            0, 2 << 24, 1, 0,
        ];
        let types = &types[..35];
        let types_len = u32::try_from(types.len() * 4).unwrap();
        let strings_len = u32::try_from(strings.len()).unwrap();
        let header = [24, 0, types_len, types_len, strings_len];
        let mut out = 0xeb9f_u16.to_ne_bytes().to_vec();
        out.extend([1, 0]);
        out.extend(
            header
                .iter()
                .chain(types)
                .flat_map(|word| word.to_ne_bytes()),
        );
        out.extend(strings);
        out
    }

    #[test]
    fn finds_members_through_anonymous_structs() {
        let btf = Btf::parse(sample()).unwrap();
        assert_eq!(btf.offset("outer", "a"), Some(0));
        assert_eq!(btf.offset("outer", "b"), Some(4));
        assert_eq!(btf.offset("outer", "c"), None);
        assert_eq!(btf.offset("other", "a"), None);
        assert_eq!(btf.size("outer"), Some(8));
    }

    #[test]
    fn spells_prototypes() {
        let btf = Btf::parse(sample()).unwrap();
        assert_eq!(
            btf.prototype("f").as_deref(),
            Some("void (struct outer *, int)")
        );
        assert_eq!(btf.prototype("g"), None);
        assert_eq!(btf.tracepoint("f"), None);
    }

    proptest! {
        #[test]
        fn never_panics(mut bytes in Just(sample()), at in 0_usize..180, value: u8, cut in 0_usize..180) {
            if let Some(byte) = bytes.get_mut(at) { *byte = value; }
            bytes.truncate(bytes.len().saturating_sub(cut));
            if let Ok(btf) = Btf::parse(bytes) {
                _ = btf.offset("outer", "b");
                _ = btf.prototype("f");
            }
        }
    }
}
