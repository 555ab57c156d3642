//! JSON lines: events as `report --json` and `tail --json` print them, or as other programs keep them.
//!
//! In: a stream of lines. Out: the events, one by one, and what was not understood with its line. One line is in memory at
//! a time, and a line that has no end is left out.

use std::io::{self, BufRead, Read as _};

use super::{Tally, find};
use crate::event::Event;

/// No event is longer, nor is a batch of log records that holds some.
const LONGEST: u64 = 64 * 1024 * 1024;

/// Reads to the end.
pub fn read(
    input: &mut dyn BufRead,
    tally: &mut Tally,
    take: &mut dyn FnMut(Event),
) -> io::Result<()> {
    each(input, &mut |number, line| {
        let line = match line {
            Some(line) => String::from_utf8_lossy(line),
            None => return tally.bad(&format!("line {number}"), "it is longer than 64 MiB"),
        };
        // A file may begin with a mark of its encoding.
        let line = line.trim_start_matches('\u{feff}').trim();
        if line.is_empty() {
            return;
        }
        let found = find::events(line);
        tally.missed = tally.missed.saturating_add(found.missed);
        if let Some(why) = found.why {
            tally.bad(&format!("line {number}"), &why);
        }
        found.events.into_iter().for_each(&mut *take);
    })
}

/// Hands each line on, with its number; none for one that is too long.
pub(super) fn each(
    input: &mut dyn BufRead,
    take: &mut dyn FnMut(u64, Option<&[u8]>),
) -> io::Result<()> {
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let length = (&mut *input).take(LONGEST).read_until(b'\n', &mut line)?;
        if length == 0 {
            break;
        }
        if length as u64 == LONGEST && line.last() != Some(&b'\n') {
            line.clear();
            skip(input)?;
            take(number, None);
        } else {
            take(number, Some(&line));
        }
    }
    Ok(())
}

/// To the end of the line.
fn skip(input: &mut dyn BufRead) -> io::Result<()> {
    loop {
        let buffer = input.fill_buf()?;
        let end = memchr::memchr(b'\n', buffer);
        let length = end.map_or(buffer.len(), |end| end + 1);
        let is_done = end.is_some() || length == 0;
        input.consume(length);
        if is_done {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &[u8]) -> (Vec<String>, Tally) {
        let (mut ids, mut tally) = (Vec::new(), Tally::default());
        let mut input = text;
        read(&mut input, &mut tally, &mut |event| ids.push(event.id)).unwrap();
        (ids, tally)
    }

    #[test]
    fn bad_lines_are_named_and_the_others_are_read() {
        let event = |id: &str| format!(r#"{{"schema":1,"id":"{id}","seq":1,"kind":"taint"}}"#);
        let text = format!("\u{feff}{}\r\n\n\x00\n{}", event("a"), event("b"));
        let (ids, tally) = of(text.as_bytes());
        assert_eq!(ids, ["a", "b"]);
        let said = tally.sentences("line").concat();
        assert!(
            said.starts_with("1 line was not understood: line 3: no JSON"),
            "{said}"
        );
        assert_eq!(of(b"\xff\xfe{}").1.sentences("line").len(), 1);
    }

    #[test]
    fn a_line_without_an_end_is_left_out() {
        let endless = io::repeat(b'{').take(LONGEST + 7);
        let event = br#"{"schema":1,"id":"x","seq":1,"kind":"taint"}"#;
        let mut input = io::BufReader::new(endless.chain(&b"\n"[..]).chain(&event[..]));
        let (mut ids, mut tally) = (Vec::new(), Tally::default());
        read(&mut input, &mut tally, &mut |event| ids.push(event.id)).unwrap();
        assert_eq!(ids, ["x"]);
        assert!(tally.sentences("line")[0].contains("line 1: it is longer"));
    }
}
