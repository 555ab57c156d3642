//! Offsets of struct members, from the kernel's BTF.
//!
//! In: the bytes of `/sys/kernel/btf/vmlinux`, in this machine's byte order. Out: where a member
//! lies, in bytes. Only what the offsets need is parsed: aya keeps members to itself, and the crates
//! that show them take 35 to 80 MiB. Format: `Documentation/bpf/btf.rst`.

use std::{collections::HashMap, fs};

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

/// Structs and unions by name, and the types their members lead to.
#[derive(Debug)]
pub struct Btf {
    /// By type id; id 0 is `void`.
    types: Vec<Type>,
    composites: HashMap<String, u32>,
}

#[derive(Debug)]
enum Type {
    Composite(Vec<Member>),
    /// What a typedef or qualifier stands for.
    Alias(u32),
    Other,
}

#[derive(Debug)]
struct Member {
    name: String,
    of: u32,
    bit_offset: u32,
}

/// Members nest a handful deep; a loop in hostile data must end.
const MAX_DEPTH: u32 = 16;

impl Btf {
    /// Reads the running kernel's types.
    pub fn read() -> Result<Self, Error> {
        Self::parse(&fs::read(PATH)?)
    }

    /// Parses BTF in this machine's byte order.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        parse(bytes).ok_or(Error::Format("cut short or of another byte order"))
    }

    /// The byte offset of a member, which may lie in anonymous structs and unions.
    #[must_use]
    pub fn offset(&self, composite: &str, member: &str) -> Option<u64> {
        let bits = self.find(*self.composites.get(composite)?, member, MAX_DEPTH)?;
        Some(u64::from(bits / 8))
    }

    fn find(&self, id: u32, name: &str, depth: u32) -> Option<u32> {
        let depth = depth.checked_sub(1)?;
        match self.types.get(id as usize)? {
            Type::Alias(of) => self.find(*of, name, depth),
            Type::Other => None,
            Type::Composite(members) => members.iter().find_map(|member| {
                if member.name == name {
                    Some(member.bit_offset)
                } else if member.name.is_empty() {
                    Some(member.bit_offset + self.find(member.of, name, depth)?)
                } else {
                    None
                }
            }),
        }
    }
}

fn parse(bytes: &[u8]) -> Option<Btf> {
    const MAGIC: u16 = 0xeb9f;
    let magic = u16::from_ne_bytes(bytes.get(..2)?.try_into().ok()?);
    let mut header = Words(bytes.get(4..)?);
    let [header_len, type_off, type_len, str_off, str_len] = header.take()?;
    let section = |off: u32, len: u32| {
        let start = header_len.checked_add(off)? as usize;
        bytes.get(start..start.checked_add(len as usize)?)
    };
    if magic != MAGIC {
        return None;
    }
    let strings = section(str_off, str_len)?;
    let mut words = Words(section(type_off, type_len)?);
    let mut btf = Btf {
        types: vec![Type::Other],
        composites: HashMap::new(),
    };
    while !words.0.is_empty() {
        let (name, parsed) = one_type(&mut words, strings)?;
        if let (Type::Composite(_), false) = (&parsed, name.is_empty()) {
            let id = u32::try_from(btf.types.len()).ok()?;
            btf.composites.entry(name).or_insert(id);
        }
        btf.types.push(parsed);
    }
    Some(btf)
}

/// One type; the words behind it that do not matter here are skipped.
fn one_type(words: &mut Words<'_>, strings: &[u8]) -> Option<(String, Type)> {
    let [name, info, size_or_type] = words.take()?;
    let (count, kind, has_bitfields) = (info & 0xffff, info >> 24 & 0x1f, info >> 31 == 1);
    let parsed = match kind {
        4 | 5 => Type::Composite(members(words, strings, count, has_bitfields)?),
        // typedef, volatile, const, restrict, type tag
        8..=11 | 18 => Type::Alias(size_or_type),
        // What follows the three words, by kind (`include/uapi/linux/btf.h`).
        _ => {
            let following = match kind {
                1 | 14 | 17 => 1,     // int, variable, declaration tag
                3 => 3,               // array
                6 | 13 => 2 * count,  // enum, function prototype
                15 | 19 => 3 * count, // data section, 64-bit enum
                2 | 7 | 12 | 16 => 0, // pointer, forward, function, float
                _ => return None,
            };
            words.skip(following)?;
            Type::Other
        }
    };
    Some((text(strings, name)?, parsed))
}

fn members(
    words: &mut Words<'_>,
    strings: &[u8],
    count: u32,
    bitfields: bool,
) -> Option<Vec<Member>> {
    (0..count)
        .map(|_| {
            let [name, of, offset] = words.take()?;
            // With bitfields the upper eight bits hold a member's width.
            let bit_offset = if bitfields {
                offset & 0x00ff_ffff
            } else {
                offset
            };
            Some(Member {
                name: text(strings, name)?,
                of,
                bit_offset,
            })
        })
        .collect()
}

fn text(strings: &[u8], offset: u32) -> Option<String> {
    let from = strings.get(offset as usize..)?;
    let end = from.iter().position(|byte| *byte == 0)?;
    Some(String::from_utf8_lossy(from.get(..end)?).into_owned())
}

/// A run of 32-bit words.
struct Words<'a>(&'a [u8]);

impl Words<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u32; N]> {
        let mut out = [0; N];
        for word in &mut out {
            let (first, rest) = self.0.split_first_chunk::<4>()?;
            *word = u32::from_ne_bytes(*first);
            self.0 = rest;
        }
        Some(out)
    }

    fn skip(&mut self, words: u32) -> Option<()> {
        self.0 = self.0.get(words as usize * 4..)?;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `struct outer { int a; struct { int b; }; }`, ids 1 int, 2 anonymous, 3 outer.
    fn sample() -> Vec<u8> {
        let strings = b"\0int\0outer\0a\0b\0";
        let types: [u32; 22] = [
            1,
            1 << 24,
            4,
            32, // int
            0,
            4 << 24 | 1,
            4,
            13,
            1,
            0, // struct { int b }
            5,
            4 << 24 | 2,
            8,
            11,
            1,
            0,
            0,
            2,
            32, // struct outer
            0,
            2 << 24,
            1, // pointer
        ];
        let types_len = u32::try_from(types.len() * 4).unwrap();
        let header = [
            24,
            0,
            types_len,
            types_len,
            u32::try_from(strings.len()).unwrap(),
        ];
        let mut out = 0xeb9f_u16.to_ne_bytes().to_vec();
        out.extend([1, 0]);
        out.extend(
            header
                .iter()
                .chain(&types)
                .flat_map(|word| word.to_ne_bytes()),
        );
        out.extend(strings);
        out
    }

    #[test]
    fn finds_members_through_anonymous_structs() {
        let btf = Btf::parse(&sample()).unwrap();
        assert_eq!(btf.offset("outer", "a"), Some(0));
        assert_eq!(btf.offset("outer", "b"), Some(4));
        assert_eq!(btf.offset("outer", "c"), None);
        assert_eq!(btf.offset("other", "a"), None);
    }

    proptest! {
        #[test]
        fn never_panics(mut bytes in Just(sample()), at in 0_usize..150, value: u8, cut in 0_usize..150) {
            if let Some(byte) = bytes.get_mut(at) { *byte = value; }
            bytes.truncate(bytes.len().saturating_sub(cut));
            _ = Btf::parse(&bytes).map(|btf| btf.offset("outer", "b"));
        }
    }
}
