//! What a dying kernel left in pstore: parts of its log, the last part first.
//!
//! In: the files of a pstore folder. Out: a log for each crash, its parts in the order in which they were printed.
//!
//! Each file begins with a line `Oops#1 Part1` (`pstore_dump`, `fs/pstore/platform.c`): part 1 is the end of the log.

use std::{
    collections::BTreeMap,
    io::{self, Cursor, Read as _},
};

use super::{super::lines::is_part_header, Visitor};

/// A part is some kilobytes; a folder has some dozens.
pub const LONGEST: u64 = 4 * 1024 * 1024;
pub const MOST: usize = 1024;

/// A file of the folder.
#[derive(Clone, Debug)]
pub struct Part {
    pub name: String,
    pub bytes: Vec<u8>,
}

/// Whether a path is a part of a crash: `dmesg-efi_pstore-170…`, `dmesg-erst-…`, `dmesg-ramoops-0`, packed ones too.
#[must_use]
pub fn is_part(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let Some(rest) = name.strip_prefix("dmesg-") else {
        return false;
    };
    let backends = [
        "efi",
        "erst",
        "ramoops",
        "nvram",
        "pstore",
        "mtdpstore",
        "blk",
        "zone",
    ];
    backends.iter().any(|backend| rest.starts_with(backend))
}

/// The logs of the crashes, each with a name; and what cannot be read, with the reason.
#[must_use]
pub fn join(parts: Vec<Part>) -> (Vec<Part>, Vec<(String, String)>) {
    let mut crashes: BTreeMap<(String, String, String), Vec<(u32, Part)>> = BTreeMap::new();
    let mut refused = Vec::new();
    for mut part in parts {
        if part.name.ends_with(".enc.z") {
            let Some(plain) = inflated(&part.bytes) else {
                let why = "the kernel packed it and could not unpack it; it is not deflate either";
                refused.push((part.name, why.to_owned()));
                continue;
            };
            part.bytes = plain;
        }
        let (crash, number) = header(&part.bytes);
        crashes
            .entry((folder(&part.name), epoch(&part.name), crash))
            .or_default()
            .push((number, part));
    }
    let joined = crashes.into_values().filter_map(|mut parts| {
        parts.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
        let name = parts.last()?.1.name.clone();
        let mut bytes = Vec::new();
        for (_, part) in parts {
            bytes.extend(part.bytes);
            bytes.push(b'\n');
        }
        Some(Part { name, bytes })
    });
    (joined.collect(), refused)
}

/// Hands the crashes over as logs.
pub(super) fn dumps(parts: Vec<Part>, visitor: &mut dyn Visitor) -> io::Result<()> {
    let (crashes, refused) = join(parts);
    for (name, why) in refused {
        visitor.refused(&name, &why);
    }
    for crash in crashes {
        visitor.log(&crash.name, &mut Cursor::new(crash.bytes))?;
    }
    Ok(())
}

/// `Oops#1` and the number of the part.
fn header(bytes: &[u8]) -> (String, u32) {
    let line = bytes
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    let line = String::from_utf8_lossy(line.get(..64).unwrap_or(line));
    let line = line.trim();
    // ramoops has a line of its own in front: `====1700000000.123456-D`.
    if !is_part_header(line) {
        let second = bytes
            .split(|byte| *byte == b'\n')
            .nth(1)
            .unwrap_or_default();
        let second = String::from_utf8_lossy(second.get(..64).unwrap_or(second))
            .trim()
            .to_owned();
        return split(&second);
    }
    split(line)
}

fn split(line: &str) -> (String, u32) {
    let (crash, number) = line
        .split_once(" Part")
        .filter(|_| is_part_header(line))
        .unwrap_or(("", "1"));
    let number = number
        .split(' ')
        .next()
        .and_then(|number| number.parse().ok());
    (crash.to_owned(), number.unwrap_or(1))
}

fn folder(name: &str) -> String {
    name.rsplit_once('/')
        .map_or("", |(folder, _)| folder)
        .to_owned()
}

/// The time that the EFI backend puts into its names, before the part and the count
/// (`(timestamp * 100 + part) * 1000 + count`, `drivers/firmware/efi/efi-pstore.c`). Other backends have none: there a
/// part without a header is a crash of its own.
fn epoch(name: &str) -> String {
    let number = name
        .rsplit('-')
        .next()
        .unwrap_or_default()
        .trim_end_matches(".enc.z");
    let is_efi = name.contains("dmesg-efi");
    match number.parse::<u64>() {
        Ok(id) if is_efi => (id / 100_000).to_string(),
        _ if is_efi || name.contains("dmesg-erst") => String::new(),
        _ => number.to_owned(),
    }
}

/// zlib's or bare deflate, as pstore packs; only what is text counts.
fn inflated(bytes: &[u8]) -> Option<Vec<u8>> {
    let is_text = |plain: &Vec<u8>| {
        !plain.is_empty()
            && plain
                .iter()
                .all(|byte| byte.is_ascii_graphic() || matches!(byte, b' ' | b'\n' | b'\t' | b'\r'))
    };
    let mut plain = Vec::new();
    let zlib = flate2::read::ZlibDecoder::new(bytes)
        .take(LONGEST)
        .read_to_end(&mut plain);
    if zlib.is_ok() && is_text(&plain) {
        return Some(plain);
    }
    plain.clear();
    let bare = flate2::read::DeflateDecoder::new(bytes)
        .take(LONGEST)
        .read_to_end(&mut plain);
    (bare.is_ok() && is_text(&plain)).then_some(plain)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn part(name: &str, text: &str) -> Part {
        Part {
            name: name.to_owned(),
            bytes: text.as_bytes().to_vec(),
        }
    }

    fn joined(parts: &[(&str, &str)]) -> Vec<String> {
        let (joined, _) = join(parts.iter().map(|(name, text)| part(name, text)).collect());
        joined
            .into_iter()
            .map(|part| String::from_utf8(part.bytes).unwrap())
            .collect()
    }

    #[test]
    fn the_first_part_is_the_end_and_two_crashes_are_two_logs() {
        let logs = joined(&[
            ("dmesg-efi_pstore-170000000001001", "Panic#2 Part1\nc"),
            ("dmesg-efi_pstore-170000000002001", "Panic#2 Part2\nb"),
            ("dmesg-efi_pstore-170000000010001", "Panic#2 Part10\na"),
            ("dmesg-efi_pstore-170000900001001", "Panic#2 Part1\nother"),
        ]);
        assert_eq!(
            logs,
            [
                "Panic#2 Part10\na\nPanic#2 Part2\nb\nPanic#2 Part1\nc\n",
                "Panic#2 Part1\nother\n"
            ]
        );
        let logs = joined(&[("dmesg-ramoops-0", "a"), ("dmesg-ramoops-1", "b")]);
        assert_eq!(logs.len(), 2);
    }

    #[test]
    fn packed_parts_are_unpacked_or_refused() {
        let mut packed =
            flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(b"Oops#1 Part1\nx").unwrap();
        let bytes = packed.finish().unwrap();
        let (joined, refused) = join(vec![
            Part {
                name: "dmesg-erst-1.enc.z".into(),
                bytes,
            },
            part("dmesg-erst-2.enc.z", "\u{1}\u{2}"),
        ]);
        assert_eq!((joined.len(), refused.len()), (1, 1));
        assert_eq!(refused[0].0, "dmesg-erst-2.enc.z");
    }

    #[test]
    fn a_crash_is_told_by_the_folder_and_the_time_of_its_parts() {
        assert_eq!(folder("a/b/dmesg-efi-1"), "a/b");
        assert_eq!(folder("dmesg-efi-1"), "");
        for (name, expected) in [
            ("dmesg-efi-170000000001001", "1700000000"),
            ("dmesg-efi-170000000001001.enc.z", "1700000000"),
            ("dmesg-efi-x", ""),
            ("dmesg-erst-6846", ""),
            ("dmesg-ramoops-0", "0"),
        ] {
            assert_eq!(epoch(name), expected, "{name}");
        }
    }

    #[test]
    fn only_text_is_taken_for_what_was_packed() {
        let packed = |plain: &[u8]| {
            let mut writer =
                flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
            writer.write_all(plain).unwrap();
            writer.finish().unwrap()
        };
        assert_eq!(inflated(&packed(b"a b\n")).as_deref(), Some(&b"a b\n"[..]));
        assert_eq!(inflated(&packed(b"")), None);
        assert_eq!(inflated(&packed(b"a\0")), None);
    }

    /// ramoops writes a line of its own before the header (`ramoops_write_kmsg_hdr`, `fs/pstore/ram.c`).
    #[test]
    fn a_header_is_the_first_line_or_the_second() {
        let expected = ("Panic#2".to_owned(), 3);
        assert_eq!(header(b"Panic#2 Part3\nx\ny"), expected);
        assert_eq!(
            header(b"====1700000000.123456-D\nPanic#2 Part3\nx"),
            expected
        );
        assert_eq!(header(b"x\ny"), (String::new(), 1));
    }

    #[test]
    fn what_is_packed_and_no_text_is_none() {
        let packed = |bytes: &[u8]| {
            let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
            zlib.write_all(bytes).unwrap();
            zlib.finish().unwrap()
        };
        assert_eq!(
            inflated(&packed(b"a line\n")).as_deref(),
            Some(&b"a line\n"[..])
        );
        assert_eq!(inflated(&packed(&[0, 1, 2])), None);
        assert_eq!(inflated(&packed(b"")), None);
    }
}
