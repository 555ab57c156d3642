//! BTF that tests make up, type by type. Each call gives the id of the new type.

use super::{Btf, format::kind};

/// Types and strings so far. The strings begin with the empty name.
#[derive(Clone, Default)]
pub(crate) struct Sample {
    types: Vec<u32>,
    strings: Vec<u8>,
    last: u32,
}

impl Sample {
    pub(crate) fn int(&mut self, name: &str, size: u32) -> u32 {
        let name = self.string(name);
        self.push(&[name, kind::INT << 24, size, size * 8])
    }

    pub(crate) fn enumeration(&mut self, name: &str) -> u32 {
        let name = self.string(name);
        self.push(&[name, kind::ENUM << 24, 4])
    }

    /// Members of four bytes, one behind the other.
    pub(crate) fn structure(&mut self, name: &str, size: u32, members: &[(&str, u32)]) -> u32 {
        let count = u32::try_from(members.len()).unwrap();
        let mut words = vec![self.string(name), kind::STRUCT << 24 | count, size];
        for (index, (member, id)) in (0..).zip(members) {
            words.extend([self.string(member), *id, index * 32]);
        }
        self.push(&words)
    }

    pub(crate) fn pointer(&mut self, to: u32) -> u32 {
        self.push(&[0, kind::POINTER << 24, to])
    }

    pub(crate) fn typedef(&mut self, name: &str, of: u32) -> u32 {
        let name = self.string(name);
        self.push(&[name, kind::TYPEDEF << 24, of])
    }

    pub(crate) fn prototype(&mut self, result: u32, parameters: &[u32]) -> u32 {
        let count = u32::try_from(parameters.len()).unwrap();
        let mut words = vec![0, kind::PROTOTYPE << 24 | count, result];
        words.extend(parameters.iter().flat_map(|id| [0, *id]));
        self.push(&words)
    }

    pub(crate) fn function(&mut self, name: &str, prototype: u32) -> u32 {
        let name = self.string(name);
        self.push(&[name, kind::FUNCTION << 24, prototype])
    }

    pub(crate) fn parse(self) -> Btf {
        Btf::parse(self.bytes()).unwrap()
    }

    pub(crate) fn bytes(self) -> Vec<u8> {
        let types_len = u32::try_from(self.types.len() * 4).unwrap();
        let strings_len = u32::try_from(self.strings.len() + 1).unwrap();
        let header = [24, 0, types_len, types_len, strings_len];
        let mut out = 0xeb9f_u16.to_ne_bytes().to_vec();
        out.extend([1, 0]);
        let words = header.iter().chain(&self.types);
        out.extend(words.flat_map(|word| word.to_ne_bytes()));
        out.push(0);
        out.extend(&self.strings);
        out
    }

    /// The offset of a name; the first byte of all strings is the empty one.
    fn string(&mut self, text: &str) -> u32 {
        if text.is_empty() {
            return 0;
        }
        let offset = u32::try_from(self.strings.len() + 1).unwrap();
        self.strings.extend(text.as_bytes());
        self.strings.push(0);
        offset
    }

    fn push(&mut self, words: &[u32]) -> u32 {
        self.types.extend(words);
        self.last += 1;
        self.last
    }
}
