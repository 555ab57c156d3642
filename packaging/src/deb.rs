//! The Debian package.
//!
//! In: files. Out: an `ar` archive of a version, of the control files and of the files themselves, as `deb(5)` has it.

use std::io::{Cursor, Write as _};

use anyhow::Result;
use jiff::Timestamp;
use liblzma::write::XzEncoder;
use md5::{Digest as _, Md5};

use crate::{
    DESCRIPTION, SUMMARY, VERSION,
    contents::{File, Kind, LICENCES, packed},
    tarball::archive,
};

const DOCUMENTS: &str = "usr/share/doc/taintwatch/";
const MAINTAINER: &str = "The taintwatch authors <taintwatch@localhost>";
/// Better than this takes more memory than small machines have to unpack it.
const LEVEL: u32 = 6;

pub(crate) fn make(files: &[File], date: u32) -> Result<Vec<u8>> {
    let files = placed(files, date)?;
    let control = archive(&control(&files), "./", date)?;
    let contents = archive(&files, "./", date)?;
    let mut package = ar::Builder::new(Vec::new());
    for (name, bytes) in [
        ("debian-binary", b"2.0\n".to_vec()),
        ("control.tar.xz", xz(&control)?),
        ("data.tar.xz", xz(&contents)?),
    ] {
        let mut header = ar::Header::new(name.as_bytes().to_vec(), bytes.len() as u64);
        header.set_mtime(date.into());
        header.set_mode(0o100_644);
        package.append(&header, Cursor::new(bytes))?;
    }
    Ok(package.into_inner()?)
}

/// The files where Debian has them: licences in one file, and the log of changes that its tools read.
fn placed(files: &[File], date: u32) -> Result<Vec<File>> {
    let of_another = |file: &&File| !file.path.starts_with(LICENCES);
    let mut placed: Vec<_> = files.iter().filter(of_another).cloned().collect();
    let document = |name: &str, bytes: Vec<u8>| File {
        path: format!("{DOCUMENTS}{name}"),
        mode: 0o644,
        kind: Kind::Documentation,
        bytes,
    };
    let copyright = include_str!("../deb/copyright").to_owned() + "\n" + &indented();
    placed.push(document("copyright", copyright.into_bytes()));
    placed.push(document("changelog.gz", packed(changes(date)?.as_bytes())?));
    placed.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(placed)
}

/// The text of the licence that Debian does not have in `/usr/share/common-licenses`.
fn indented() -> String {
    let line = |line: &str| match line {
        "" => " .\n".to_owned(),
        line => format!(" {line}\n"),
    };
    include_str!("../../LICENSE-MIT")
        .lines()
        .skip(2)
        .map(line)
        .collect::<String>()
}

fn changes(date: u32) -> Result<String> {
    let date = Timestamp::from_second(date.into())?;
    let date = date.strftime("%a, %d %b %Y %H:%M:%S +0000");
    Ok(format!(
        "taintwatch ({VERSION}) unstable; urgency=medium\n\n  * See CHANGELOG.md.\n\n -- {MAINTAINER}  {date}\n"
    ))
}

fn control(files: &[File]) -> Vec<File> {
    let bytes: usize = files.iter().map(|file| file.bytes.len()).sum();
    let fields = format!(
        "Package: taintwatch\nVersion: {VERSION}\nArchitecture: amd64\nMaintainer: {MAINTAINER}\n\
         Installed-Size: {}\nDepends: systemd\nSection: admin\nPriority: optional\n\
         Description: {SUMMARY}\n{}",
        bytes.div_ceil(1024),
        folded(DESCRIPTION)
    );
    let sum = |file: &File| {
        let digest = Md5::digest(&file.bytes);
        format!("{}  {}\n", hex::encode(digest), file.path)
    };
    let of_kind = |kind: Kind| files.iter().filter(move |file| file.kind == kind);
    let mut conffiles = String::new();
    for file in of_kind(Kind::Configuration) {
        conffiles = format!("{conffiles}/{}\n", file.path);
    }
    let sums: String = files
        .iter()
        .filter(|file| file.kind != Kind::Configuration)
        .map(sum)
        .collect();
    let part = |path: &str, mode: u32, text: String| File {
        path: path.to_owned(),
        mode,
        kind: Kind::Plain,
        bytes: text.into_bytes(),
    };
    vec![
        part("conffiles", 0o644, conffiles),
        part("control", 0o644, fields),
        part("md5sums", 0o644, sums),
        part(
            "postinst",
            0o755,
            include_str!("../deb/postinst").to_owned(),
        ),
        part("postrm", 0o755, include_str!("../deb/postrm").to_owned()),
        part("prerm", 0o755, include_str!("../deb/prerm").to_owned()),
    ]
}

/// Lines of at most 79 columns, each behind a blank.
fn folded(text: &str) -> String {
    let mut lines = String::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if line.len() + word.len() > 76 {
            lines = format!("{lines} {}\n", line.trim_end());
            line.clear();
        }
        line = format!("{line}{word} ");
    }
    format!("{lines} {}\n", line.trim_end())
}

fn xz(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut out = XzEncoder::new(Vec::new(), LEVEL);
    out.write_all(bytes)?;
    Ok(out.finish()?)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::contents;

    #[test]
    fn dpkg_reads_it_and_two_are_the_same() {
        let files = contents::files(b"program".to_vec()).unwrap();
        let package = make(&files, 1_700_000_000).unwrap();
        assert_eq!(package, make(&files, 1_700_000_000).unwrap());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("taintwatch.deb");
        std::fs::write(&path, package).unwrap();
        let ask = |what: &[&str]| {
            let output = Command::new("dpkg-deb")
                .args(what)
                .arg(&path)
                .output()
                .unwrap();
            assert!(output.status.success(), "{output:?}");
            String::from_utf8(output.stdout).unwrap()
        };
        let info = ask(&["--info"]);
        assert!(
            info.contains("Package: taintwatch") && info.contains("conffiles"),
            "{info}"
        );
        let list = ask(&["--contents"]);
        for wanted in [
            "-rwxr-xr-x root/root",
            "./usr/bin/taintwatch\n",
            "./usr/share/doc/taintwatch/copyright\n",
            "drwxr-xr-x root/root",
        ] {
            assert!(
                list.contains(wanted) || list.contains(&wanted.replace(" root/root", " 0/0")),
                "{list}"
            );
        }
        assert!(!list.contains("usr/share/licenses"), "{list}");
    }

    #[test]
    fn descriptions_are_folded() {
        let text = folded(DESCRIPTION);
        assert!(
            text.lines()
                .all(|line| line.starts_with(' ') && line.len() < 80),
            "{text}"
        );
    }
}
