//! The journal: this machine's folder, or a collector's with the files of many machines.
//!
//! In: what `journalctl` says of the folder. Out: the events of entries that a daemon wrote, the names of the machines, and
//! what is left out. Every user may write an entry with any fields: those that begin with `_` journald sets itself, and they
//! must fit the event.

use std::{
    io::{self, BufReader, Read as _},
    path::Path,
    process::{Command, Stdio},
    thread,
};

use serde_json::{Map, Value};

use super::{Tally, find, lines};
use crate::event::{Event, Kind};

/// The field that holds the event, as one line of JSON.
pub const EVENT: &str = "TAINTWATCH_EVENT";

/// Fields that are read.
const FIELDS: &str = "TAINTWATCH_EVENT,MESSAGE,_MACHINE_ID,_BOOT_ID,_UID,_HOSTNAME";
/// Of what `journalctl` complains about, so much is shown.
const COMPLAINT: u64 = 4096;

/// Takes an event, with the name of its machine.
type Take<'t> = &'t mut dyn FnMut(Event, Option<&str>);

/// What can go wrong with the folder itself.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "start journalctl: it is part of systemd; where there is none, copy the folder, or pipe \
         `journalctl -o json --all` into `taintwatch report --events -`"
    )]
    Start(#[source] io::Error),
    #[error("read the journal {folder}")]
    Read {
        folder: String,
        #[source]
        error: io::Error,
    },
    #[error("read the journal {folder}: journalctl ended with {status}: {said}")]
    Failed {
        folder: String,
        status: std::process::ExitStatus,
        said: String,
    },
}

/// Reads every entry of a folder, or of one file; `id` gives the `MESSAGE_ID` of a kind. Gives what `journalctl` complained
/// about, though it went on.
pub fn read(
    folder: &Path,
    id: fn(Kind) -> &'static str,
    tally: &mut Tally,
    take: Take<'_>,
) -> Result<String, Error> {
    let name = || folder.display().to_string();
    let unread = |error| Error::Read {
        folder: name(),
        error,
    };
    let is_file = folder.metadata().map_err(unread)?.is_file();
    let what = if is_file { "--file" } else { "--directory" };
    let mut place = std::ffi::OsString::from(format!("{what}="));
    place.push(folder);
    let mut journalctl = Command::new("journalctl");
    journalctl
        .arg(place)
        .args(["--output=json", "--all", "--no-pager", "--quiet"])
        .arg(format!("--output-fields={FIELDS}"))
        .args(Kind::ALL.map(|kind| format!("MESSAGE_ID={}", id(kind))))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = journalctl.spawn().map_err(Error::Start)?;
    let complaints = child.stderr.take();
    let complaints = thread::spawn(move || complaints.map_or_else(String::new, said));
    if let Some(output) = child.stdout.take() {
        let mut output = BufReader::new(output);
        entries(&mut output, tally, take).map_err(unread)?;
    }
    let status = child.wait().map_err(unread)?;
    let said = complaints.join().unwrap_or_default();
    if status.success() {
        return Ok(said);
    }
    Err(Error::Failed {
        folder: name(),
        status,
        said,
    })
}

/// The beginning of what a program prints, which is read to its end.
fn said(mut stream: impl io::Read) -> String {
    let mut bytes = Vec::new();
    // What cannot be read is not said.
    _ = stream.by_ref().take(COMPLAINT).read_to_end(&mut bytes);
    _ = io::copy(&mut stream, &mut io::sink());
    String::from_utf8_lossy(&bytes).trim().to_owned()
}

/// Entries as `journalctl -o json` prints them.
fn entries(input: &mut dyn io::BufRead, tally: &mut Tally, take: Take<'_>) -> io::Result<()> {
    lines::each(input, &mut |number, line| {
        let place = format!("entry {number}");
        let entry = line.map(serde_json::from_slice::<Map<String, Value>>);
        match entry {
            None => tally.bad(&place, "it is longer than 64 MiB"),
            Some(Err(error)) => tally.bad(&place, &error.to_string()),
            Some(Ok(entry)) => one(&entry, &place, tally, take),
        }
    })
}

fn one(entry: &Map<String, Value>, place: &str, tally: &mut Tally, take: Take<'_>) {
    let field = |name: &str| entry.get(name).and_then(text);
    let place = match field("MESSAGE") {
        Some(message) => format!("{place} ({})", message.chars().take(60).collect::<String>()),
        None => place.to_owned(),
    };
    let Some(body) = field(EVENT) else {
        return tally.bad(&place, "it has no TAINTWATCH_EVENT, as of an older version");
    };
    let found = find::events(&body);
    if let Some(why) = found.why {
        tally.bad(&place, &why);
    }
    for event in found.events {
        match doubt(&event, &field) {
            Some(why) => tally.untrusted(&place, why),
            None => take(event, field("_HOSTNAME").as_deref()),
        }
    }
}

/// Why an entry is not a daemon's.
fn doubt(event: &Event, field: &impl Fn(&str) -> Option<String>) -> Option<&'static str> {
    let other = |own: &Option<String>, name: &str| {
        let plain = |id: &str| id.replace('-', "").to_ascii_lowercase();
        let set = field(name);
        own.as_deref()
            .zip(set.as_deref())
            .is_some_and(|(own, set)| plain(own) != plain(set))
    };
    if field("_UID").as_deref() != Some("0") {
        Some("a user who is not root wrote it")
    } else if other(&event.host, "_MACHINE_ID") {
        Some("it speaks of another machine than the one that wrote it")
    } else {
        None
    }
}

/// A field: a text; bytes, where it has unprintable ones; a list, where the entry has it more than once.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(items) if items.iter().all(Value::is_u64) => {
            let bytes = items.iter().map(|byte| u8::try_from(byte.as_u64()?).ok());
            let bytes: Option<Vec<u8>> = bytes.collect();
            Some(String::from_utf8_lossy(&bytes?).into_owned())
        }
        Value::Array(items) => items.iter().find_map(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(entries_of: &[Value]) -> (Vec<String>, Vec<String>, Tally) {
        let lines: Vec<_> = entries_of.iter().map(Value::to_string).collect();
        let lines = lines.join(
            "
",
        );
        let (mut ids, mut names, mut tally) = (Vec::new(), Vec::new(), Tally::default());
        let mut take = |event: Event, name: Option<&str>| {
            ids.push(event.id);
            names.extend(name.map(str::to_owned));
        };
        entries(&mut lines.as_bytes(), &mut tally, &mut take).unwrap();
        (ids, names, tally)
    }

    fn body(id: &str) -> String {
        json!({"schema": 1, "id": id, "seq": 1, "kind": "taint", "host": "6f1c", "caller": "f\u{7f}"}).to_string()
    }

    fn entry(id: &str) -> Value {
        json!({"TAINTWATCH_EVENT": body(id), "_UID": "0", "_MACHINE_ID": "6f1c", "_HOSTNAME": "m", "MESSAGE": "W x"})
    }

    #[test]
    fn fields_are_read_in_each_of_their_forms() {
        let (mut bytes, mut twice) = (entry("b"), entry("c"));
        bytes[EVENT] = body("b").into_bytes().into();
        twice[EVENT] = json!([body("c").into_bytes(), body("x")]);
        let (ids, names, tally) = of(&[entry("a"), bytes, twice]);
        assert_eq!(ids, ["a", "b", "c"]);
        assert_eq!(names, ["m", "m", "m"]);
        assert!(tally.sentences("entry").is_empty());
    }

    #[test]
    fn an_entry_that_no_daemon_wrote_is_left_out() {
        let (mut user, mut other, mut unknown) = (entry("a"), entry("b"), entry("c"));
        user["_UID"] = "1000".into();
        other["_MACHINE_ID"] = "7777".into();
        unknown.as_object_mut().unwrap().remove("_UID");
        let (ids, names, tally) = of(&[user, other, unknown]);
        assert!(ids.is_empty() && names.is_empty() && tally.is_in_doubt());
        let said = tally.sentences("entry").concat();
        assert!(
            said.contains("3 entries are left out, for no daemon wrote it"),
            "{said}"
        );
        assert!(
            said.contains("entry 2 (W x): it speaks of another machine"),
            "{said}"
        );
    }

    #[test]
    fn an_entry_without_its_event_is_said() {
        let (mut old, mut cut) = (entry("a"), entry("b"));
        old.as_object_mut().unwrap().remove(EVENT);
        // As `journalctl` prints a field that is too long without `--all`.
        cut[EVENT] = Value::Null;
        let (ids, _, tally) = of(&[old, cut]);
        assert!(ids.is_empty());
        assert!(
            tally
                .sentences("entry")
                .concat()
                .contains("2 entries were not understood")
        );
    }
}
