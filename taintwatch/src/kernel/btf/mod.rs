//! Offsets of struct members and prototypes of functions, from the kernel's BTF.
//!
//! In: the bytes of `/sys/kernel/btf/vmlinux`, in this machine's byte order. Out: where a member lies,
//! in bytes, and how a function is declared. Only what these need is parsed: aya keeps members to itself, and the
//! crates that show them take 35 to 80 MiB. Format: `Documentation/bpf/btf.rst`.

mod format;
#[cfg(test)]
pub(crate) mod sample;

use std::fs;

use format::{Types, kind};

/// Where the kernel exports its types (`CONFIG_DEBUG_INFO_BTF`).
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
pub struct Btf(Types);

/// Members nest a handful deep; a loop in hostile data must end.
const MAX_DEPTH: u32 = 16;

impl Btf {
    /// Reads the running kernel's types.
    pub fn read() -> Result<Self, Error> {
        Self::parse(fs::read(PATH)?)
    }

    /// Parses BTF in this machine's byte order.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, Error> {
        Types::parse(bytes)
            .map(Self)
            .ok_or(Error::Format("cut short or of another byte order"))
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
        Some(u64::from(self.0.get(id)?.refers_to))
    }

    /// `void (unsigned int, enum lockdep_ok)`: how a function is declared.
    #[must_use]
    pub fn prototype(&self, function: &str) -> Option<String> {
        let id = self.named(function, |kind| kind == kind::FUNCTION)?;
        self.declaration(self.0.get(id)?.refers_to)
    }

    /// How a tracepoint calls its probes: by the typedef `btf_trace_NAME`, a pointer to a prototype.
    #[must_use]
    pub fn tracepoint(&self, name: &str) -> Option<String> {
        let id = self.named(&format!("btf_trace_{name}"), |kind| kind == kind::TYPEDEF)?;
        let pointer = self.0.get(self.0.get(id)?.refers_to)?;
        self.declaration(pointer.refers_to)
    }

    fn composite(&self, name: &str) -> Option<u32> {
        self.named(name, |kind| kind == kind::STRUCT || kind == kind::UNION)
    }

    fn named(&self, name: &str, wanted: impl Fn(u32) -> bool) -> Option<u32> {
        self.0.ids().find(|id| {
            self.0
                .get(*id)
                .is_some_and(|found| wanted(found.kind) && self.0.is(found.name, name))
        })
    }

    fn find(&self, id: u32, wanted: &str, depth: u32) -> Option<u32> {
        let depth = depth.checked_sub(1)?;
        let composite = self.0.get(id)?;
        match composite.kind {
            kind::TYPEDEF | kind::VOLATILE | kind::CONST | kind::RESTRICT | kind::TYPE_TAG => {
                self.find(composite.refers_to, wanted, depth)
            }
            kind::STRUCT | kind::UNION => (0..composite.count).find_map(|index| {
                let [name, of, offset] = self.0.words(composite.rest + 3 * index)?;
                // With bitfields the upper eight bits hold a member's width.
                let mask = if composite.bitfields {
                    0x00ff_ffff
                } else {
                    u32::MAX
                };
                let offset = offset & mask;
                if self.0.is(name, wanted) {
                    Some(offset)
                } else if self.0.is(name, "") {
                    offset.checked_add(self.find(of, wanted, depth)?)
                } else {
                    None
                }
            }),
            _ => None,
        }
    }

    fn declaration(&self, id: u32) -> Option<String> {
        let prototype = self
            .0
            .get(id)
            .filter(|found| found.kind == kind::PROTOTYPE)?;
        let parameters: Option<Vec<_>> = (0..prototype.count)
            .map(|index| {
                let [_name, of] = self.0.words(prototype.rest + 2 * index)?;
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
        let found = self.0.get(id)?;
        let name = || self.0.text(found.name);
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
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{sample::Sample, *};

    /// `struct outer { int a; struct { int b; }; }` and `void f(struct outer *, int)`.
    fn sample() -> Vec<u8> {
        let mut sample = Sample::default();
        let int = sample.int("int", 4);
        let inner = sample.structure("", 4, &[("b", int)]);
        let outer = sample.structure("outer", 8, &[("a", int), ("", inner)]);
        let pointer = sample.pointer(outer);
        let prototype = sample.prototype(0, &[pointer, int]);
        sample.function("f", prototype);
        sample.bytes()
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
