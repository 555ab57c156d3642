//! Lines of a log that a collector put into objects of JSON: of Docker, Kubernetes, GELF, the tools of clouds.
//!
//! In: an object. Out: the texts that it carries, with the machine and the time, where it names no other writer than the
//! kernel. How collectors name a field does not decide: the text does, and the field that it was found in counts from
//! then on.

use jiff::Timestamp;
use serde_json::{Map, Value};

/// Objects stand within so many others.
const DEEPEST: usize = 4;

/// A text within an object.
#[derive(Debug, PartialEq)]
pub(in super::super) struct Carried {
    pub(in super::super) text: String,
    pub(in super::super) wall: Option<Timestamp>,
    pub(in super::super) host: Option<String>,
    /// A program wrote it.
    pub(in super::super) is_programs: bool,
}

/// What is known of the objects so far.
#[derive(Debug, Default)]
pub(in super::super) struct Carrier {
    /// The field in which a kernel's text was found.
    field: Option<String>,
}

impl Carrier {
    /// The texts of an object; `is_kernels` says whether one can only be a kernel's.
    pub(in super::super) fn texts(
        &mut self,
        object: &str,
        is_kernels: &dyn Fn(&str) -> bool,
    ) -> Vec<Carried> {
        let mut found = Vec::new();
        if is_entry(object) {
            return found;
        }
        match serde_json::from_str(object) {
            Ok(Value::Object(fields)) => self.object(&fields, &fields, 0, is_kernels, &mut found),
            Ok(Value::Array(items)) => {
                self.list("", &Map::new(), &items, 0, is_kernels, &mut found);
            }
            _ => {}
        }
        found
    }

    /// Many entries in one object: each is for itself.
    fn list(
        &mut self,
        name: &str,
        outer: &Map<String, Value>,
        items: &[Value],
        depth: usize,
        is_kernels: &dyn Fn(&str) -> bool,
        found: &mut Vec<Carried>,
    ) {
        for item in items {
            match item {
                Value::Object(inner) => self.object(inner, inner, depth + 1, is_kernels, found),
                Value::Array(items) if depth < DEEPEST => {
                    self.list(name, outer, items, depth + 1, is_kernels, found);
                }
                Value::String(text) => {
                    // A time stands beside the text.
                    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
                    let is_known = self.field.as_deref() == Some(name);
                    if !is_number && (is_known || is_kernels(text)) {
                        self.field = Some(name.to_owned());
                        found.push(carried(outer, text));
                    }
                }
                _ => {}
            }
        }
    }

    fn object(
        &mut self,
        outer: &Map<String, Value>,
        fields: &Map<String, Value>,
        depth: usize,
        is_kernels: &dyn Fn(&str) -> bool,
        found: &mut Vec<Carried>,
    ) {
        for (name, value) in fields {
            match value {
                Value::String(text) => {
                    let is_known = self.field.as_deref() == Some(name);
                    if is_known || is_kernels(text) {
                        self.field = Some(name.clone());
                        found.push(carried(outer, text));
                    }
                }
                Value::Object(inner) if depth < DEEPEST => {
                    self.object(outer, inner, depth + 1, is_kernels, found);
                }
                Value::Array(items) if depth < DEEPEST => {
                    self.list(name, outer, items, depth, is_kernels, found);
                }
                _ => {}
            }
        }
    }
}

/// Whether an object is an entry of the journal or of dmesg, which says by its transport or facility who wrote it.
pub(in super::super) fn is_entry(object: &str) -> bool {
    ["\"_TRANSPORT\"", "\"fac\""]
        .iter()
        .any(|name| memchr::memmem::find(object.as_bytes(), name.as_bytes()).is_some())
}

fn carried(fields: &Map<String, Value>, text: &str) -> Carried {
    let is_own = |name: &str| ["kernel", "kern", "kmsg", "dmesg"].contains(&name);
    let wall = ["@timestamp", "timestamp", "time", "ts"].iter();
    let mut wall = wall.filter_map(|name| fields.get(*name)?.as_str());
    Carried {
        text: text.trim_end_matches(['\n', '\r']).to_owned(),
        wall: wall.find_map(|time| time.parse().ok()),
        host: host(fields),
        is_programs: writer(fields).is_some_and(|writer| !is_own(writer)),
    }
}

/// The program that an object names.
fn writer(fields: &Map<String, Value>) -> Option<&str> {
    const NAMES: [&str; 10] = [
        "SYSLOG_IDENTIFIER",
        "syslog_identifier",
        "ident",
        "identifier",
        "appname",
        "app_name",
        "program",
        "programname",
        "syslogtag",
        "process",
    ];
    let writer = NAMES.iter().find_map(|name| fields.get(*name)?.as_str())?;
    Some(writer.trim_end_matches(':'))
}

fn host(fields: &Map<String, Value>) -> Option<String> {
    ["_HOSTNAME", "hostname", "host"]
        .iter()
        .find_map(|name| match fields.get(*name)? {
            Value::String(host) => Some(host.clone()),
            Value::Object(host) => Some(host.get("name")?.as_str()?.to_owned()),
            _ => None,
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(objects: &[&str]) -> Vec<(String, Option<String>, bool)> {
        let mut carrier = Carrier::default();
        let is_kernels = |text: &str| text.starts_with('[');
        let all = objects
            .iter()
            .flat_map(|object| carrier.texts(object, &is_kernels));
        all.map(|carried| (carried.text, carried.host, carried.is_programs))
            .collect()
    }

    #[test]
    fn the_field_of_a_kernels_text_carries_the_rest_too() {
        let of = |text: &str, host: Option<&str>, is_programs| {
            (text.to_owned(), host.map(str::to_owned), is_programs)
        };
        assert_eq!(
            texts(&[
                r#"{"log":"early\n","stream":"stdout"}"#,
                r#"{"log":"[    1.000000] a\n","stream":"stdout","time":"2024-05-01T12:34:56Z"}"#,
                r#"{"log":"  b\n","stream":"stdout"}"#,
            ]),
            [of("[    1.000000] a", None, false), of("  b", None, false)]
        );
        assert_eq!(
            texts(&[r#"{"host":"web1","short_message":"[    1.000000] a","level":4}"#]),
            [of("[    1.000000] a", Some("web1"), false)]
        );
        assert_eq!(
            texts(&[
                r#"{"events":[{"message":"[    1.000000] a"},{"message":"b","ident":"app"}]}"#
            ]),
            [of("[    1.000000] a", None, false), of("b", None, true)]
        );
        assert_eq!(
            texts(&[r#"[{"message":"[    1.000000] a"}]"#]),
            [of("[    1.000000] a", None, false)]
        );
        assert_eq!(
            texts(&[r#"{"host":"web1","values":[["17","[    1.000000] a"],["18","b"]]}"#]),
            [
                of("[    1.000000] a", Some("web1"), false),
                of("b", Some("web1"), false)
            ]
        );
        assert_eq!(
            texts(&[r#"{"_TRANSPORT":"stdout","MESSAGE":"[    1.000000] a"}"#]),
            []
        );
    }

    proptest! {
        #[test]
        fn never_panics(text: String) { _ = texts(&[&text, &format!("{{\"a\":{text}}}")]); }
    }

    #[test]
    fn a_text_stands_within_so_many_objects_and_lists() {
        let text = r#""[    1.000000] a""#;
        let count = |object: &str| texts(&[object]).len();
        let nested = |times: usize| {
            let (begin, end) = (r#"{"x":"#.repeat(times), "}".repeat(times));
            format!(r#"{{"m":{begin}{{"y":{text}}}{end}}}"#)
        };
        assert_eq!(count(&nested(DEEPEST - 1)), 1);
        assert_eq!(count(&nested(DEEPEST)), 0);
        let listed = |times: usize| {
            let (begin, end) = ("[".repeat(times), "]".repeat(times));
            format!(r#"{{"m":{begin}{text}{end}}}"#)
        };
        assert_eq!(count(&listed(1)), 1);
        assert_eq!(count(&listed(DEEPEST + 1)), 1);
        assert_eq!(count(&listed(DEEPEST + 2)), 0);
        // A list in an object that is as deep as they come.
        let both = |times: usize| {
            let (begin, end) = (r#"{"x":"#.repeat(times), "}".repeat(times));
            format!(r#"{{"m":{begin}{{"y":[{text}]}}{end}}}"#)
        };
        assert_eq!(count(&both(DEEPEST - 2)), 1);
        assert_eq!(count(&both(DEEPEST - 1)), 0);
    }

    #[test]
    fn a_machine_can_be_an_object_with_a_name() {
        let found = texts(&[r#"{"host":{"name":"web1"},"message":"[    1.000000] a"}"#]);
        assert_eq!(found[0].1.as_deref(), Some("web1"));
    }
}
