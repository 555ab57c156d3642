//! `[[exec]]`: commands that run on events.
//!
//! In: a table of the configuration. Out: a hook. The doc comments here are what the shipped file says.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use crate::{
    event::Kind,
    exec_queue::Hook,
    store::{Filter, Wanted},
};

/// Seconds that a command may take at the most.
const LONGEST: u64 = 3600;

/// A command, and which events it runs on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exec {
    /// The program by its whole path, and its arguments. No shell takes part.
    #[serde(deserialize_with = "command")]
    pub command: Vec<String>,
    /// Only on these flags: letters, bits or names.
    #[serde(default, deserialize_with = "flags")]
    pub flag: Vec<String>,
    /// Only on modules whose name fits, with `*` and `?`.
    #[serde(default)]
    pub module: Option<String>,
    /// Only on these kinds of events.
    #[serde(default)]
    pub kind: Vec<Kind>,
    /// Seconds after which it is killed.
    #[serde(default = "thirty", deserialize_with = "seconds")]
    pub timeout: u64,
    /// Who it runs as.
    #[serde(default = "nobody")]
    pub user: String,
}

/// What the shipped file shows of it.
pub(super) const EXAMPLE: &str = r#"
# A command that runs on each event that fits, with the event as JSON on its
# standard input and the fields of the journal as environment variables. As many
# as needed. Under systemd it needs the drop-in exec.conf.
#[[exec]]
#command = ["/usr/local/bin/notify", "kernel tainted"] # no shell takes part
#flag = ["W", "D"]        # only on these flags
#module = "nvidia*"       # only on these modules
#kind = ["taint"]         # only on these kinds of events
#timeout = 30             # seconds, then it is killed
#user = "nobody"          # who it runs as
"#;

impl Exec {
    /// As the queue takes it.
    #[must_use]
    pub fn hook(&self) -> Hook {
        Hook {
            command: self.command.clone(),
            filter: Filter {
                // Each was parsed when the file was read.
                flags: self
                    .flag
                    .iter()
                    .filter_map(|flag| flag.parse().ok())
                    .collect(),
                module: self.module.clone(),
                kinds: self.kind.clone(),
                ..Filter::default()
            },
            timeout: Duration::from_secs(self.timeout),
            user: self.user.clone(),
        }
    }
}

const fn thirty() -> u64 {
    30
}

fn nobody() -> String {
    "nobody".to_owned()
}

fn command<'de, D: Deserializer<'de>>(value: D) -> Result<Vec<String>, D::Error> {
    let words = Vec::<String>::deserialize(value)?;
    if !words
        .first()
        .is_some_and(|program| program.starts_with('/'))
    {
        return Err(D::Error::custom(
            "name the program by its whole path, as [\"/usr/bin/program\", \"argument\"]",
        ));
    }
    Ok(words)
}

fn flags<'de, D: Deserializer<'de>>(value: D) -> Result<Vec<String>, D::Error> {
    let flags = Vec::<String>::deserialize(value)?;
    for flag in &flags {
        flag.parse::<Wanted>().map_err(D::Error::custom)?;
    }
    Ok(flags)
}

fn seconds<'de, D: Deserializer<'de>>(value: D) -> Result<u64, D::Error> {
    let seconds = u64::deserialize(value)?;
    if (1..=LONGEST).contains(&seconds) {
        return Ok(seconds);
    }
    Err(D::Error::custom(format!("give 1 to {LONGEST} seconds")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    #[test]
    fn the_example_is_a_hook() {
        let text = EXAMPLE.replace("\n#", "\n").replace("\n ", "\n# ");
        let config = parse(&text).unwrap();
        let hook = config.exec[0].hook();
        assert_eq!(hook.command[0], "/usr/local/bin/notify");
        assert_eq!(hook.filter.flags.len(), 2);
        assert_eq!(hook.filter.kinds, [Kind::Taint]);
        assert_eq!((hook.timeout.as_secs(), hook.user.as_str()), (30, "nobody"));
        let least = parse("[[exec]]\ncommand = [\"/bin/true\"]\n").unwrap();
        assert_eq!(least.exec[0].hook().user, "nobody");
    }

    #[test]
    fn faults_are_shown_with_their_place() {
        for (line, place, part) in [
            ("command = [\"mail\"]", "2:11", "whole path"),
            ("command = []", "2:11", "whole path"),
            ("flag = [\"Z\"]", "2:8", "no such flag"),
            ("timeout = 0", "2:11", "1 to 3600"),
            ("kind = [\"boom\"]", "2:9", "unknown variant"),
            ("shell = true", "2:1", "unknown field"),
            ("user = 3", "2:8", "string"),
        ] {
            let faults = parse(&format!("[[exec]]\n{line}\n")).unwrap_err().0;
            let fault = faults[0].to_string();
            assert!(
                fault.starts_with(place) && fault.contains(part),
                "{line}: {fault}"
            );
        }
        let missing = parse("[[exec]]\nuser = \"root\"\n").unwrap_err().0;
        assert!(missing[0].to_string().contains("missing field `command`"));
    }
}
