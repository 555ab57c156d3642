//! Where dead kernels leave their logs.
//!
//! In: the pstore file system, systemd's archive of it, the folder of kdump. Out: dumps. What is not there is no error:
//! most machines never crashed.

use std::{
    cmp::Reverse,
    fs,
    io::{self, BufRead},
    path::{Path, PathBuf},
};

use jiff::Timestamp;

use super::Dump;
use crate::klog::{
    Scanner,
    input::{self, Fact, Visitor},
    stream,
};

/// `systemd-pstore.service` moves the first to the second at each boot; kdump-tools and kexec-tools write the third.
const PLACES: [&str; 3] = ["/sys/fs/pstore", "/var/lib/systemd/pstore", "/var/crash"];
/// Kept of one dump: a storm repeats itself.
const MOST: usize = 500;

/// The dumps of all places. An oops that ends in a panic is dumped twice: the one that has the panic comes first, for
/// of the same events in two dumps the first counts.
#[must_use]
pub fn dumps() -> Vec<Dump> {
    let mut found = Found::default();
    for place in PLACES
        .map(Path::new)
        .into_iter()
        .filter(|place| place.is_dir())
    {
        place.clone_into(&mut found.place);
        if let Err(error) = input::visit(place, &mut found) {
            log::warn!("crashes in {}: {error}", place.display());
        }
    }
    found
        .dumps
        .sort_by_key(|dump| Reverse((dump.panicked(), dump.last_ns)));
    found.dumps
}

/// Takes what a place has.
#[derive(Default)]
struct Found {
    place: PathBuf,
    dumps: Vec<Dump>,
}

impl Visitor for Found {
    fn log(&mut self, name: &str, input: &mut dyn BufRead) -> io::Result<()> {
        let path = self.place.join(name);
        let mut scanner = Scanner::new();
        let mut dump = Dump {
            name: path.display().to_string(),
            written: written(&path),
            ..Dump::default()
        };
        stream::read(input, &mut |line| {
            dump.last_ns = line.since_boot.unwrap_or(dump.last_ns);
            if dump.findings.len() < MOST {
                dump.findings.extend(scanner.push(line));
            }
        })?;
        dump.findings.extend(scanner.finish());
        if !dump.findings.is_empty() {
            self.dumps.push(dump);
        }
        Ok(())
    }

    fn fact(&mut self, _fact: Fact, _name: &str, _text: &str) {}

    fn refused(&mut self, name: &str, why: &str) {
        log::warn!("the crash {}/{name}: {why}", self.place.display());
    }
}

/// pstore gives its files the time of the crash, and kdump writes at once.
fn written(path: &Path) -> Option<Timestamp> {
    let modified = fs::metadata(path).and_then(|data| data.modified()).ok()?;
    Timestamp::try_from(modified).ok()
}
