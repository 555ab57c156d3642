//! The list of keys, made from the types: names, what is said of each, defaults.
//!
//! In: the types of the configuration. Out: the keys; the file that is shipped; which keys of two configurations differ.

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::{Config, exec};

/// A key of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    pub table: String,
    pub name: String,
    /// What it does, for people.
    pub about: String,
    /// As it is written in the file.
    pub default: String,
}

/// Each key, in the order of tables and names.
#[must_use]
pub fn keys() -> Vec<Key> {
    let schema = SchemaSettings::draft2020_12()
        .with(|settings| settings.inline_subschemas = true)
        .into_generator()
        .into_root_schema_for::<Config>()
        .to_value();
    let of_tables = values(&Config::default());
    let key = |(table, name, default): (String, String, Value)| Key {
        about: about(&schema, &table, &name),
        // Texts, numbers and truth values of JSON are the same in TOML.
        default: default.to_string(),
        table,
        name,
    };
    of_tables.into_iter().map(key).collect()
}

/// The keys in which two configurations differ, as `table.name`.
#[must_use]
pub fn differences(one: &Config, other: &Config) -> Vec<String> {
    let pairs = values(one).into_iter().zip(values(other));
    let pairs = pairs
        .filter(|(one, other)| one != other)
        .map(|((table, name, _), _)| format!("{table}.{name}"));
    let commands = (one.exec != other.exec).then(|| "exec".to_owned());
    pairs.chain(commands).collect()
}

/// The file that is shipped: every key with its default, none of them set.
#[must_use]
pub fn template() -> String {
    let mut text = HEAD.to_owned();
    let mut table = String::new();
    for key in keys() {
        let begins = key.table != table;
        if begins {
            text = format!("{text}\n[{}]\n", key.table);
            table.clone_from(&key.table);
        } else {
            text += "\n";
        }
        for line in textwrap::wrap(&key.about, 78) {
            text = format!("{text}# {line}\n");
        }
        text = format!("{text}#{} = {}\n", key.name, key.default);
    }
    text + exec::EXAMPLE
}

const HEAD: &str = "\
# The configuration of taintwatch: each key with its default. Take away the `#`
# in front of a key to set it. taintwatch.toml(5) says the same.
#
# `taintwatch config check` says what is wrong with this file and where;
# `systemctl reload taintwatch` takes over log.level and record.cmdline, and
# `systemctl restart taintwatch` the rest.
";

/// Every key with its value. A configuration has two levels, tables and keys; but for the list of commands.
pub(super) fn values(config: &Config) -> Vec<(String, String, Value)> {
    let Ok(Value::Object(tables)) = serde_json::to_value(config) else {
        return Vec::new();
    };
    let of_table = |(table, keys): (String, Value)| match keys {
        Value::Object(keys) => keys
            .into_iter()
            .map(|(name, value)| (table.clone(), name, value))
            .collect(),
        _ => Vec::new(),
    };
    tables.into_iter().flat_map(of_table).collect()
}

/// What the type's doc comment says, on one line.
fn about(schema: &Value, table: &str, name: &str) -> String {
    let pointer = format!("/properties/{table}/properties/{name}/description");
    let about = schema.pointer(&pointer).and_then(Value::as_str);
    about
        .unwrap_or_default()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{AT_RUN_TIME, parse};

    #[test]
    fn the_shipped_file_changes_nothing_and_shows_every_default() {
        assert_eq!(parse(&template()).unwrap(), Config::default());
        let set = template().replace("\n#", "\n").replace("\n ", "\n# ");
        let mut config = parse(&set).unwrap();
        assert_eq!(config.exec.len(), 1, "an example, which is no default");
        config.exec.clear();
        assert_eq!(config, Config::default());
        assert_eq!(
            toml::from_str::<toml::Table>(&set).unwrap().len(),
            toml::from_str::<toml::Table>(&template()).unwrap().len() + 1
        );
        for key in keys() {
            assert!(key.about.len() > 20, "{key:?}");
            assert!(
                set.contains(&format!("\n{} = {}\n", key.name, key.default)),
                "{set}"
            );
        }
        assert!(template().lines().all(|line| line.len() <= 80));
    }

    #[test]
    fn each_change_is_named() {
        let other = parse("[log]\nlevel = \"debug\"\n[history]\npath = \"/x\"\n").unwrap();
        let changed = differences(&Config::default(), &other);
        assert_eq!(changed, ["history.path", "log.level"]);
        assert_eq!(differences(&other, &other), [""; 0]);
    }

    #[test]
    fn what_the_shipped_file_says_of_a_reload_is_true() {
        let known: Vec<_> = keys()
            .iter()
            .map(|key| format!("{}.{}", key.table, key.name))
            .collect();
        for name in AT_RUN_TIME {
            assert!(known.iter().any(|key| key == name), "{name}");
        }
        let text = HEAD.replace("\n# ", " ");
        assert!(text.contains(&format!("takes over {},", AT_RUN_TIME.join(" and "))));
    }
}
