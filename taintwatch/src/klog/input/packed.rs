//! Packed streams, known by their first bytes.
//!
//! In: a stream. Out: the plain one, whatever it was packed with; an archive as such; and of what is no log the words
//! to say so.

use std::io::{self, BufRead, BufReader, Cursor, Read};

/// Enough for tar's mark, which stands behind a name.
const HEAD: usize = 512;
const BUFFER: usize = 128 * 1024;
/// A packed archive of packed files is the deepest.
const MOST_LAYERS: usize = 3;

pub(super) enum Opened<'a> {
    Text(Box<dyn BufRead + 'a>),
    Tar(Box<dyn Read + 'a>),
    Refused(&'static str),
}

pub(super) fn open<'a>(mut input: Box<dyn Read + 'a>) -> io::Result<Opened<'a>> {
    for _layer in 0..MOST_LAYERS {
        let head = head(&mut input)?;
        let whole: Box<dyn Read + 'a> = Box::new(Cursor::new(head.clone()).chain(input));
        if let Some(why) = refused(&head) {
            return Ok(Opened::Refused(why));
        }
        if head.get(257..262) == Some(b"ustar") {
            return Ok(Opened::Tar(whole));
        }
        let buffered = BufReader::with_capacity(BUFFER, whole);
        input = if head.starts_with(&[0x1f, 0x8b]) {
            Box::new(flate2::bufread::MultiGzDecoder::new(buffered))
        } else if head.starts_with(b"\xfd7zXZ\0") {
            Box::new(liblzma::bufread::XzDecoder::new_multi_decoder(buffered))
        } else if head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            Box::new(Zstd::new(buffered))
        } else if head.starts_with(b"BZh") {
            Box::new(bzip2::bufread::MultiBzDecoder::new(buffered))
        } else {
            return Ok(Opened::Text(Box::new(buffered)));
        };
    }
    Ok(Opened::Refused(
        "it is packed more often than twice: unpack it first",
    ))
}

/// The first bytes, fewer only at the end of the stream.
fn head(input: &mut dyn Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(HEAD);
    input.take(HEAD as u64).read_to_end(&mut head)?;
    Ok(head)
}

/// What is known not to be a log, and what to do.
fn refused(head: &[u8]) -> Option<&'static str> {
    let known: [(&[u8], &str); 6] = [
        (
            b"LPKSHHRH",
            "a journal's own file: give what `journalctl --file FILE -o export` prints",
        ),
        (
            b"KDUMP   ",
            "a memory dump: give what `makedumpfile --dump-dmesg FILE` writes",
        ),
        (
            b"\x7fELF",
            "a memory dump or a program: give what `makedumpfile --dump-dmesg` writes",
        ),
        (
            b"SQLite format 3\0",
            "a database: a history is shown by `taintwatch --db FILE report`",
        ),
        (
            b"PK\x03\x04",
            "a zip archive: unpack it and give the folder",
        ),
        (b"\x04\x22\x4d\x18", "packed with lz4: unpack it first"),
    ];
    let found = known.iter().find(|(magic, _)| head.starts_with(magic));
    found.map(|(_, why)| *why)
}

/// Zstandard, frame after frame: a log that was appended to has many.
struct Zstd<R: Read>(State<R>);

enum State<R: Read> {
    Between(BufReader<R>),
    Within(Box<ruzstd::decoding::StreamingDecoder<BufReader<R>, ruzstd::decoding::FrameDecoder>>),
    End,
}

impl<R: Read> Zstd<R> {
    fn new(input: R) -> Self {
        Self(State::Between(BufReader::new(input)))
    }
}

impl<R: Read> Read for Zstd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match std::mem::replace(&mut self.0, State::End) {
                State::End => return Ok(0),
                State::Between(mut input) => {
                    if input.fill_buf()?.is_empty() {
                        return Ok(0);
                    }
                    let decoder =
                        ruzstd::decoding::StreamingDecoder::new(input).map_err(io::Error::other)?;
                    self.0 = State::Within(Box::new(decoder));
                }
                State::Within(mut decoder) => match decoder.read(buffer)? {
                    0 => self.0 = State::Between(decoder.into_inner()),
                    len => {
                        self.0 = State::Within(decoder);
                        return Ok(len);
                    }
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn text(bytes: &[u8]) -> String {
        match open(Box::new(bytes)).unwrap() {
            Opened::Text(mut text) => {
                let mut plain = String::new();
                text.read_to_string(&mut plain).unwrap();
                plain
            }
            Opened::Tar(_) => "tar".to_owned(),
            Opened::Refused(why) => why.to_owned(),
        }
    }

    #[test]
    fn each_packing_gives_the_text_of_all_its_parts() {
        let gz = |text: &[u8]| {
            let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            writer.write_all(text).unwrap();
            writer.finish().unwrap()
        };
        let xz = |text: &[u8]| {
            let mut writer = liblzma::write::XzEncoder::new(Vec::new(), 1);
            writer.write_all(text).unwrap();
            writer.finish().unwrap()
        };
        let bz = |text: &[u8]| {
            let mut writer = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
            writer.write_all(text).unwrap();
            writer.finish().unwrap()
        };
        let zstd = |text: &[u8]| {
            ruzstd::encoding::compress_to_vec(text, ruzstd::encoding::CompressionLevel::Fastest)
        };
        for pack in [&gz as &dyn Fn(&[u8]) -> Vec<u8>, &xz, &bz, &zstd] {
            let bytes = [pack(b"[    1.0] a\n"), pack(b"b\n")].concat();
            assert_eq!(text(&bytes), "[    1.0] a\nb\n");
            assert_eq!(text(&gz(&pack(b"x"))), "x");
        }
        assert_eq!(text(b""), "");
        assert_eq!(text(b"plain"), "plain");
        assert!(text(b"LPKSHHRH").contains("journalctl --file"));
        let bomb = gz(&gz(&gz(&gz(b"x"))));
        assert!(text(&bomb).contains("unpack"));
    }
}
