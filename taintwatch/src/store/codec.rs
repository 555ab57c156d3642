//! The text of an event in few bytes: what similar texts have is not stored again.
//!
//! In: a text, and texts that it is probably like. Out: bytes; from them, with the same texts, the text; or why not. The
//! form of the bytes is part of the file's layout: what is written here is read by every later version.

use flate2::{Compress, Compression, Crc, Decompress, FlushCompress, FlushDecompress, Status};

/// The text as it is.
const PLAIN: u8 = 0;
/// Deflated with a dictionary of `WORDS` and the texts that it is like, behind its checksum.
const LIKE_1: u8 = 1;
/// What events have in common. It never changes: another one gets another number.
const WORDS: &str = include_str!("dictionary.txt");
/// Deflate looks back so far.
const WINDOW: usize = 32 << 10;
/// No event is so large; a file of somebody else may say that one is.
const LARGEST: usize = 64 << 20;
const CHECKSUM: usize = 4;

/// Makes bytes of texts.
pub(super) struct Encoder(Compress);

/// Makes texts of bytes.
pub(super) struct Decoder(Decompress);

impl Default for Encoder {
    fn default() -> Self {
        Self(Compress::new(Compression::default(), false))
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Self(Decompress::new(false))
    }
}

impl Encoder {
    /// The bytes of a text; `like` has the most similar text last.
    pub(super) fn encode(&mut self, text: &str, like: &[&str]) -> Vec<u8> {
        self.deflated(text, like).unwrap_or_else(|| plain(text))
    }

    fn deflated(&mut self, text: &str, like: &[&str]) -> Option<Vec<u8>> {
        self.0.reset();
        self.0.set_dictionary(&dictionary(like)).ok()?;
        let mut bytes = Vec::with_capacity(text.len() + text.len() / 100 + 64);
        bytes.push(LIKE_1);
        bytes.extend(checksum(text.as_bytes()));
        let done = self
            .0
            .compress_vec(text.as_bytes(), &mut bytes, FlushCompress::Finish);
        let is_whole = matches!(done, Ok(Status::StreamEnd)) && bytes.len() <= text.len();
        is_whole.then_some(bytes)
    }
}

impl Decoder {
    /// The text of the bytes.
    pub(super) fn decode(&mut self, bytes: &[u8], like: &[&str]) -> Result<String, String> {
        match bytes.split_first() {
            Some((&PLAIN, text)) => of_utf8(text.to_vec()),
            Some((&LIKE_1, rest)) => {
                let (sum, deflated) = rest
                    .split_at_checked(CHECKSUM)
                    .ok_or("its end is missing")?;
                let text = self.inflated(deflated, like)?;
                if checksum(&text) != sum {
                    return Err("its checksum is wrong".to_owned());
                }
                of_utf8(text)
            }
            _ => Err("its form is not known".to_owned()),
        }
    }

    fn inflated(&mut self, bytes: &[u8], like: &[&str]) -> Result<Vec<u8>, String> {
        let damaged = |error: flate2::DecompressError| format!("it is damaged ({error})");
        self.0.reset(false);
        self.0.set_dictionary(&dictionary(like)).map_err(damaged)?;
        let mut text = Vec::with_capacity(4096);
        loop {
            let read = usize::try_from(self.0.total_in()).unwrap_or(usize::MAX);
            let rest = bytes.get(read..).unwrap_or_default();
            let before = text.len();
            let done = self
                .0
                .decompress_vec(rest, &mut text, FlushDecompress::Finish);
            match done.map_err(damaged)? {
                Status::StreamEnd => return Ok(text),
                _ if text.len() == before && text.len() < text.capacity() => {
                    return Err("its end is missing".to_owned());
                }
                _ if text.len() > LARGEST => return Err("it is too large".to_owned()),
                _ => text.reserve(text.len().max(4096)),
            }
        }
    }
}

/// A text that is kept as it is.
pub(super) fn plain(text: &str) -> Vec<u8> {
    std::iter::once(PLAIN).chain(text.bytes()).collect()
}

fn dictionary(like: &[&str]) -> Vec<u8> {
    let mut all = WORDS.as_bytes().to_vec();
    for text in like {
        all.extend(text.as_bytes());
    }
    let before = all.len().saturating_sub(WINDOW);
    all.split_off(before)
}

fn checksum(text: &[u8]) -> [u8; CHECKSUM] {
    let mut sum = Crc::new();
    sum.update(text);
    sum.sum().to_le_bytes()
}

fn of_utf8(text: Vec<u8>) -> Result<String, String> {
    String::from_utf8(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_that_is_like_another_takes_few_bytes() {
        let text = |pid: u32| {
            let stack: Vec<_> = (0..20)
                .map(|n| format!("f{}_x+{n:#x}", n * pid / pid * 7))
                .collect();
            format!("{{\"pid\":{pid},\"stack\":{stack:?}}}")
        };
        let bytes = Encoder::default().encode(&text(4711), &[&text(815)]);
        assert!(bytes.len() < 40, "{}", bytes.len());
        let decoded = Decoder::default().decode(&bytes, &[&text(815)]);
        assert_eq!(decoded.unwrap(), text(4711));
        let other = Decoder::default().decode(&bytes, &["another one"]);
        assert!(other.is_err(), "another text than the one it is like");
    }

    /// Bytes that a released version wrote.
    #[test]
    fn the_form_stays() {
        let bytes = hex::decode(FIRST_FORM).unwrap();
        let decoded = Decoder::default().decode(&bytes, &["like this one"]);
        assert_eq!(decoded.unwrap(), "{\"kind\":\"taint\"} like this two");
    }
    const FIRST_FORM: &str = "01e82a809eab460dc05a05846c49793e00";

    proptest! {
        #[test]
        fn any_text_comes_back(text in any::<String>(), like in any::<Vec<String>>()) {
            let like: Vec<_> = like.iter().map(String::as_str).collect();
            let bytes = Encoder::default().encode(&text, &like);
            prop_assert!(bytes.len() <= text.len() + 1);
            prop_assert_eq!(Decoder::default().decode(&bytes, &like).unwrap(), text);
        }

        #[test]
        fn any_bytes_are_a_text_or_not(bytes in any::<Vec<u8>>(), tail in any::<Vec<u8>>()) {
            _ = Decoder::default().decode(&bytes, &[]);
            _ = Decoder::default().decode(&[&[LIKE_1, 0, 0, 0, 0], tail.as_slice()].concat(), &[]);
        }
    }
}
