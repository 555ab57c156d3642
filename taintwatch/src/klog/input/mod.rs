//! Inputs: a log, packed or not, a pstore folder, the folder or the archive of a support tool.
//!
//! In: a path, or standard input. Out: each log in it as a stream, and what the other files say of the machine. A link
//! in a folder is never followed; an archive is read as a stream, and nothing of it is written anywhere.

mod folder;
mod packed;
pub mod pstore;
mod snapshot;

use std::{
    fs::File,
    io::{self, BufRead, Read},
    path::Path,
};

pub use snapshot::Snapshot;

/// Takes what is found.
pub trait Visitor {
    /// A log.
    fn log(&mut self, name: &str, input: &mut dyn BufRead) -> io::Result<()>;
    /// A file that describes the machine.
    fn fact(&mut self, fact: Fact, name: &str, text: &str);
    /// Something that can matter and cannot be read, and why.
    fn refused(&mut self, name: &str, why: &str);
    /// A file that is no log and no description by its name, and that is not read.
    fn left_out(&mut self, name: &str) {
        _ = name;
    }
    /// Wraps the reader of a file, for a progress bar.
    fn opened(&mut self, input: Box<dyn Read>, len: Option<u64>) -> Box<dyn Read> {
        _ = len;
        input
    }
}

/// What a file of an archive describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// `/proc/sys/kernel/tainted`.
    Tainted,
    /// `/proc/modules`.
    Modules,
    /// `/sys/module/NAME/taint`.
    ModuleTaint,
    /// `/etc/os-release`.
    OsRelease,
    /// `/proc/version`, `uname -a`.
    Version,
    /// A text in which each command stands in front of what it printed.
    Sections,
}

/// No file that describes the machine is longer.
const LONGEST_FACT: u64 = 4 * 1024 * 1024;

/// Visits what a path has: `-` is standard input.
pub fn visit(path: &Path, visitor: &mut dyn Visitor) -> io::Result<()> {
    if path == Path::new("-") {
        return stream("-", Box::new(io::stdin()), visitor);
    }
    let meta = std::fs::metadata(path)?;
    if meta.is_dir() {
        return folder::visit(path, visitor);
    }
    let file: Box<dyn Read> = Box::new(File::open(path)?);
    let file = visitor.opened(file, Some(meta.len()).filter(|_| meta.is_file()));
    stream(&path.display().to_string(), file, visitor)
}

/// A stream that is a log or an archive.
fn stream(name: &str, input: Box<dyn Read>, visitor: &mut dyn Visitor) -> io::Result<()> {
    match packed::open(input)? {
        packed::Opened::Text(mut text) => visitor.log(name, &mut *text),
        packed::Opened::Tar(tar) => archive(tar, visitor),
        // It was named: there is no other to read.
        packed::Opened::Refused(why) => Err(io::Error::new(io::ErrorKind::InvalidData, why)),
    }
}

/// A tar archive, entry by entry.
fn archive(input: Box<dyn Read + '_>, visitor: &mut dyn Visitor) -> io::Result<()> {
    let mut archive = tar::Archive::new(input);
    let mut parts = Vec::new();
    for entry in archive.entries()? {
        let mut entry = entry?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if pstore::is_part(&name) {
            let mut bytes = Vec::new();
            (&mut entry).take(pstore::LONGEST).read_to_end(&mut bytes)?;
            if parts.len() < pstore::MOST {
                parts.push(pstore::Part { name, bytes });
            } else {
                visitor.left_out(&name);
            }
            continue;
        }
        // One broken file does not hide the others.
        if let Err(error) = one(&name, Box::new(entry), visitor) {
            visitor.refused(&name, &error.to_string());
        }
    }
    pstore::dumps(parts, visitor)
}

/// One file of a folder or an archive.
fn one(name: &str, input: Box<dyn Read + '_>, visitor: &mut dyn Visitor) -> io::Result<()> {
    let Some(kind) = kind(name) else {
        visitor.left_out(name);
        return Ok(());
    };
    match (kind, packed::open(input)?) {
        (Kind::Log, packed::Opened::Text(mut text)) => visitor.log(name, &mut *text),
        (Kind::Fact(fact), packed::Opened::Text(text)) => {
            let mut bytes = Vec::new();
            text.take(LONGEST_FACT).read_to_end(&mut bytes)?;
            visitor.fact(fact, name, &String::from_utf8_lossy(&bytes));
            Ok(())
        }
        (Kind::Log, packed::Opened::Tar(_)) => {
            visitor.refused(
                name,
                "an archive in an archive: unpack it and read it by itself",
            );
            Ok(())
        }
        (Kind::Log, packed::Opened::Refused(why)) => {
            visitor.refused(name, why);
            Ok(())
        }
        (Kind::Fact(_), _) => Ok(()),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Log,
    Fact(Fact),
}

/// What a file of an archive is, by its path: as sosreport, supportconfig, UAC and users name them.
fn kind(path: &str) -> Option<Kind> {
    let path = path.trim_start_matches("./");
    let name = path.rsplit('/').next()?;
    let ends = |end: &str| path == end || path.ends_with(&format!("/{end}"));
    if name == "tainted" || name.ends_with("kernel_tainted.txt") {
        return Some(Kind::Fact(Fact::Tainted));
    }
    if ends("proc/modules") || name == "proc_modules.txt" {
        return Some(Kind::Fact(Fact::Modules));
    }
    if name == "taint" && path.contains("sys/module/") {
        return Some(Kind::Fact(Fact::ModuleTaint));
    }
    if name == "os-release" {
        return Some(Kind::Fact(Fact::OsRelease));
    }
    if ends("proc/version") || name == "uname" || name.starts_with("uname_-") {
        return Some(Kind::Fact(Fact::Version));
    }
    if name == "basic-health-check.txt" || name == "basic-environment.txt" {
        return Some(Kind::Fact(Fact::Sections));
    }
    let begins = [
        "dmesg",
        "messages",
        "kern.log",
        "syslog",
        "journalctl",
        "vmcore-dmesg",
        "boot.log",
        "boot.msg",
        "boot.txt",
        "console",
        "netconsole",
        "journal.export",
        "journal.json",
        "kernel.log",
        "last_kmsg",
    ];
    let unlike = ["conf", "rc", "service", "timer", "d", "html"];
    let end = name.rsplit('.').next().unwrap_or_default();
    (begins.iter().any(|begin| name.starts_with(begin)) && !unlike.contains(&end))
        .then_some(Kind::Log)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_archives_are_known_by_their_paths() {
        for (path, expected) in [
            (
                "sos/proc/sys/kernel/tainted",
                Some(Kind::Fact(Fact::Tainted)),
            ),
            ("sos/proc/modules", Some(Kind::Fact(Fact::Modules))),
            (
                "x/sys/module/nvidia/taint",
                Some(Kind::Fact(Fact::ModuleTaint)),
            ),
            ("sos/etc/os-release", Some(Kind::Fact(Fact::OsRelease))),
            ("sos/sos_commands/kernel/dmesg_-T", Some(Kind::Log)),
            (
                "sos/sos_commands/logs/journalctl_--no-pager_--boot",
                Some(Kind::Log),
            ),
            ("sos/var/log/messages-20261124.gz", Some(Kind::Log)),
            ("scc/boot.txt", Some(Kind::Log)),
            (
                "scc/basic-health-check.txt",
                Some(Kind::Fact(Fact::Sections)),
            ),
            ("sos/etc/rsyslog.conf", None),
            ("sos/etc/logrotate.d/syslog.conf", None),
            ("sos/etc/passwd", None),
        ] {
            assert_eq!(kind(path), expected, "{path}");
        }
    }

    #[test]
    fn each_name_of_a_file_is_known_by_itself() {
        for (path, expected) in [
            ("tainted", Some(Fact::Tainted)),
            ("x/cat_proc_sys_kernel_tainted.txt", Some(Fact::Tainted)),
            ("proc_modules.txt", Some(Fact::Modules)),
            ("proc/version", Some(Fact::Version)),
            ("uname", Some(Fact::Version)),
            ("uname_-a", Some(Fact::Version)),
            ("basic-health-check.txt", Some(Fact::Sections)),
            ("basic-environment.txt", Some(Fact::Sections)),
            ("notes/taint", None),
            ("sys/module/nvidia/refcnt", None),
        ] {
            assert_eq!(kind(path), expected.map(Kind::Fact), "{path}");
        }
    }

    #[derive(Default)]
    struct Logs(Vec<String>);

    impl Visitor for Logs {
        fn log(&mut self, _: &str, input: &mut dyn BufRead) -> io::Result<()> {
            let mut text = String::new();
            input.read_to_string(&mut text)?;
            self.0.push(text);
            Ok(())
        }
        fn fact(&mut self, _: Fact, _: &str, _: &str) {}
        fn refused(&mut self, name: &str, why: &str) {
            panic!("{name}: {why}");
        }
    }

    /// `/sys/fs/pstore` as support tools pack it: the first part is the end of the log.
    #[test]
    fn parts_of_a_crash_in_an_archive_are_one_log() {
        let mut packed = tar::Builder::new(Vec::new());
        for (name, text) in [
            (
                "sos/sys/fs/pstore/dmesg-efi_pstore-170000000001001",
                "Panic#2 Part1\nb\n",
            ),
            (
                "sos/sys/fs/pstore/dmesg-efi_pstore-170000000002001",
                "Panic#2 Part2\na\n",
            ),
            ("sos/dmesg", "another\n"),
        ] {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.set_cksum();
            packed
                .append_data(&mut header, name, text.as_bytes())
                .unwrap();
        }
        let packed = packed.into_inner().unwrap();
        let mut logs = Logs::default();
        archive(Box::new(&packed[..]), &mut logs).unwrap();
        assert_eq!(logs.0.len(), 2, "{:?}", logs.0);
        assert_eq!(logs.0[0], "another\n");
        let (a, b) = (logs.0[1].find("\na\n"), logs.0[1].find("b\n"));
        assert!(a.is_some() && a < b, "{:?}", logs.0);
    }
}
