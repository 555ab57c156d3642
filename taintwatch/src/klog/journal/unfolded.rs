//! Entries that stand on several lines: of `journalctl -o verbose` and `-o json-pretty`, of `dmesg --json`, and objects of
//! collectors.
//!
//! In: one line after the other. Out: the kernel's entries, each when its last line is known, whether a line was part of
//! an entry at all, and objects that are no entries, as one line. An entry is held up to the limit of a line; the rest of a longer one is left out.

use super::{
    super::{Line, line::LONGEST_LINE},
    entry,
    verbose::Fields,
};

#[derive(Debug, Default)]
pub(in super::super) struct Unfolded {
    state: State,
    /// An object that is no entry of the kernel's.
    object: Option<String>,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Outside,
    /// Behind the first line of an entry of `-o verbose`.
    Fields(Box<Fields>),
    /// Behind the brace that opens an object, which is indented so far.
    Object { indent: usize, text: String },
}

impl Unfolded {
    /// Whether the line is part of an entry, or of what is around entries.
    pub(in super::super) fn take(&mut self, line: &str, give: &mut dyn FnMut(&Line<'_>)) -> bool {
        // The common line begins no entry, and none is open.
        if !self.is_open() && !could_begin(line) {
            return false;
        }
        let inner = line.trim_start();
        let at = line.len() - inner.len();
        match &mut self.state {
            State::Fields(fields) if at > 0 => {
                fields.take(line);
                return true;
            }
            State::Object { indent, text } if at > *indent && is_object(text, inner) => {
                if inner == "\"dmesg\": [" {
                    // Its records are the objects that matter.
                    self.state = State::Outside;
                } else if inner == "{" && text.ends_with('[') {
                    // So are those of any list.
                    self.object = Some(std::mem::take(text));
                    *indent = at;
                    text.push('{');
                } else if text.len() + inner.len() < LONGEST_LINE {
                    text.push_str(inner);
                }
                return true;
            }
            State::Object { indent, text } if at == *indent && inner.starts_with('}') => {
                text.push('}');
                self.end(give);
            }
            _ => self.end(give),
        }
        self.begin(at, inner)
    }

    /// What is between lines of the console may be no line of its own.
    pub(in super::super) fn is_open(&self) -> bool {
        !matches!(self.state, State::Outside)
    }

    /// No further line of the entry comes.
    pub(in super::super) fn end(&mut self, give: &mut dyn FnMut(&Line<'_>)) {
        let found = match std::mem::take(&mut self.state) {
            State::Outside => None,
            State::Fields(fields) => fields.end(),
            State::Object { text, .. } => {
                let found = entry(&text);
                if found.is_none() {
                    self.object = Some(text);
                }
                found
            }
        };
        if let Some(entry) = found {
            give(&entry.line());
        }
    }

    /// The object that has ended and is no entry, once.
    pub(in super::super) fn object(&mut self) -> Option<String> {
        self.object.take()
    }

    fn begin(&mut self, indent: usize, line: &str) -> bool {
        if is_frame(line) {
            if line.ends_with('{') {
                let text = "{".to_owned();
                self.state = State::Object { indent, text };
            }
            return true;
        }
        match Fields::below(line).filter(|_| indent == 0) {
            Some(fields) => {
                self.state = State::Fields(Box::new(fields));
                true
            }
            None => false,
        }
    }
}

/// Braces and brackets alone, which are never text of the kernel.
pub(in super::super) fn is_frame(line: &str) -> bool {
    line.bytes().all(|byte| b"{}[], ".contains(&byte))
}

/// What ends with a brace or a bracket; most lines do not.
pub(in super::super) fn could_begin(line: &str) -> bool {
    line.ends_with(['{', '}', '[', ']', ','])
}

/// Whether the text goes on like an object's: behind its brace stands a name.
fn is_object(text: &str, next: &str) -> bool {
    text.len() > 1 || next.starts_with('"')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The texts of the kernel's entries, with the time since the boot, and the lines that are part of none.
    fn read(lines: &str) -> (Vec<(String, Option<u64>)>, Vec<&str>) {
        let mut unfolded = Unfolded::default();
        let mut texts = Vec::new();
        let mut give = |line: &Line<'_>| texts.push((line.text.to_owned(), line.since_boot));
        let others = lines
            .lines()
            .filter(|line| !unfolded.take(line, &mut give))
            .collect();
        unfolded.end(&mut give);
        (texts, others)
    }

    fn text(text: &str, micros: Option<u64>) -> (String, Option<u64>) {
        (text.to_owned(), micros.map(|micros| micros * 1000))
    }

    #[test]
    fn fields_of_verbose_are_the_kernels_by_its_transport_alone() {
        let lines = "\
Tue 2026-11-24 12:00:00.123456 UTC [s=0a;i=1;b=4f;m=4e2d40;t=64bd2c0a0;x=3]
    _TRANSPORT=kernel
    MESSAGE=a
            _TRANSPORT=stdout
Tue 2026-11-24 12:00:01.123456 UTC [s=0a;i=2;b=4f;m=4e2d41;t=64bd2c0a0;x=3]
    _TRANSPORT=stdout
    MESSAGE=b
            _TRANSPORT=kernel
Tue 2026-11-24 12:00:02.123456 UTC [s=0a;i=3;b=4f;m=4e2d42;t=64bd2c0a0;x=3]
    MESSAGE=c
    _TRANSPORT=stdout
    _TRANSPORT=kernel
Tue 2026-11-24 12:00:02.123456 UTC [s=0a;i=4;b=4f;m=4e2d42;t=64bd2c0a0;x=3]
    MESSAGE=d
-- Boot 4f --
Tue 2026-11-24 12:00:03.123456 UTC [s=0a;i=5;b=4f;m=4e2d43;t=64bd2c0a0;x=3]
    _SOURCE_MONOTONIC_TIMESTAMP=7
    MESSAGE=e
    _TRANSPORT=kernel";
        let expected = vec![
            text("a\n_TRANSPORT=stdout", Some(5_123_392)),
            text("e", Some(7)),
        ];
        assert_eq!(read(lines), (expected, vec!["-- Boot 4f --"]));
    }

    #[test]
    fn objects_are_entries_however_they_are_indented() {
        let pretty = "\
{
\t\"_TRANSPORT\" : \"kernel\",
\t\"MESSAGE\" : [
\t\t97
\t]
}
{
\t\"_TRANSPORT\" : \"stdout\",
\t\"MESSAGE\" : \"\\\"_TRANSPORT\\\" : \\\"kernel\\\"\"
}";
        assert_eq!(read(pretty), (vec![text("a", None)], vec![]));
        let records = r#"{
   "dmesg": [
      {
         "pri": 5,
         "time":    0.000000,
         "msg": "a"
      },{
         "pri": 12,
         "time":    1.000000,
         "msg": "b"
      },{
         "pri": 4,
         "time":   90.000001,
         "msg": "c"
      }
   ]
}"#;
        let expected = vec![text("a", Some(0)), text("c", Some(90_000_001))];
        assert_eq!(read(records), (expected, vec![]));
    }

    #[test]
    fn other_objects_are_lines_of_their_own() {
        let pretty = r#"{
    "events": [
        {
            "host": {
                "name": "web1"
            },
            "message": "[    1.000000] a"
        },
        {
            "message": "b"
        }
    ]
}"#;
        let mut unfolded = Unfolded::default();
        let mut objects = Vec::new();
        for line in pretty.lines() {
            assert!(unfolded.take(line, &mut |_| panic!("no entry")), "{line}");
            objects.extend(unfolded.object());
        }
        let expected = [
            r#"{"events": ["#,
            r#"{"host": {"name": "web1"},"message": "[    1.000000] a"}"#,
            r#"{"message": "b"}"#,
        ];
        assert_eq!(objects, expected);
    }

    #[test]
    fn lines_that_are_no_object_are_left_to_others() {
        let (texts, others) = read("{\n    a\n{\n  \"b\": 1,\n[    1.000000] c\n    d");
        assert!(texts.is_empty());
        assert_eq!(others, ["    a", "[    1.000000] c", "    d"]);
    }

    proptest! {
        #[test]
        fn never_panics(lines: Vec<String>) {
            _ = read(&lines.join("\n"));
            _ = read(&format!("{{\n \"a\n {}", lines.join("\n ")));
            _ = read(&format!("a [s=1;b=2]\n    {}", lines.join("\n    ")));
        }
    }

    /// What a cut log has of an entry may lack the field that says that it is another program's.
    #[test]
    fn an_object_without_its_end_is_no_entry() {
        let fields = "{\n  \"_TRANSPORT\": \"kernel\",\n  \"MESSAGE\": \"x\"\n";
        let whole = read(&format!("{fields}}}")).0;
        assert_eq!(whole, [("x".to_owned(), None)]);
        for next in ["another line", "{"] {
            assert_eq!(read(&format!("{fields}{next}")).0, [], "{next}");
        }
    }

    #[test]
    fn a_long_entry_is_whole_up_to_the_limit_of_a_line() {
        use std::fmt::Write as _;
        let mut json = "{\n  \"_TRANSPORT\": \"kernel\",\n".to_owned();
        let head = "Tue 2026-11-24 12:00:00.123456 UTC [s=0a;i=1;b=4f;m=4e2d40;t=64bd2c0a0;x=3]";
        let mut verbose = format!("{head}\n    _TRANSPORT=kernel\n    MESSAGE=x");
        for number in 100..300 {
            writeln!(json, "  \"F{number}\": \"{}\",", "a".repeat(100)).unwrap();
            write!(verbose, "\n            {number}{}", "a".repeat(100)).unwrap();
        }
        let message = "x".repeat(900);
        write!(json, "  \"MESSAGE\": \"{message}\"\n}}").unwrap();
        assert_eq!(read(&json).0, [(message, None)]);
        assert_eq!(read(&verbose).0[0].0.len(), 1 + 200 * 104);
    }
}
