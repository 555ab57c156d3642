//! Reads a configuration.
//!
//! In: a file or its text. Out: the configuration, or every fault that was found: a key that does not exist, with the
//! nearest one that does; a value of the wrong kind; what is no TOML.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use toml::de::{DeTable, DeValue};

use super::{Config, DEFAULT_PATH, Faults, keys::values, position::Position};

/// Names less alike than this are no typing error of each other.
const ALIKE: f64 = 0.7;

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("read the configuration {}: {why}{}", path.display(), advice(why))]
    Unreadable { path: PathBuf, why: io::Error },
    #[error("{}", list(path, faults))]
    Wrong { path: PathBuf, faults: Faults },
}

/// What to do where it cannot be read.
fn advice(why: &io::Error) -> &'static str {
    match why.kind() {
        io::ErrorKind::NotFound => ": name a file that is there",
        io::ErrorKind::PermissionDenied => ": become root",
        _ => "",
    }
}

/// One line a fault, as compilers print it, and what to do.
fn list(path: &Path, faults: &Faults) -> String {
    let lines = faults
        .0
        .iter()
        .map(|fault| format!("{}:{fault}", path.display()));
    let lines = lines.collect::<Vec<_>>().join("\n");
    format!(
        "the configuration is wrong:\n{lines}\nCorrect it; `taintwatch config check` reads it again"
    )
}

/// Reads a file that must be there.
pub fn load(path: &Path) -> Result<Config, Error> {
    let bytes = fs::read(path).map_err(|why| Error::Unreadable {
        path: path.to_owned(),
        why,
    })?;
    of_bytes(&bytes).map_err(|faults| Error::Wrong {
        path: path.to_owned(),
        faults,
    })
}

/// Reads the named file; or the one in its usual place, which may be missing: then the defaults hold.
pub fn load_or_default(named: Option<&Path>) -> Result<Config, Error> {
    if let Some(path) = named {
        return load(path);
    }
    match load(Path::new(DEFAULT_PATH)) {
        Err(Error::Unreadable { why, .. }) if why.kind() == io::ErrorKind::NotFound => {
            Ok(Config::default())
        }
        read => read,
    }
}

fn of_bytes(bytes: &[u8]) -> Result<Config, Faults> {
    match str::from_utf8(bytes) {
        Ok(text) => parse(text),
        Err(error) => {
            let (valid, _) = bytes.split_at(error.valid_up_to());
            let valid = String::from_utf8_lossy(valid);
            let mut faults = Faults::default();
            faults.add(Position::of(&valid, valid.len()), "this is not UTF-8");
            Err(faults)
        }
    }
}

/// Reads a text.
pub fn parse(text: &str) -> Result<Config, Faults> {
    let mut faults = Faults::default();
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        add(&mut faults, text, &error);
    }
    faults.clone().into_result()?;
    unknown_keys(text, table.get_ref(), &mut faults);
    // What serde says of a text with unknown keys is the first of them.
    faults.into_result()?;
    toml::from_str(text).map_err(|error| {
        let mut faults = Faults::default();
        add(&mut faults, text, &error);
        faults
    })
}

fn add(faults: &mut Faults, text: &str, error: &toml::de::Error) {
    let at = error.span().map_or(0, |span| span.start);
    faults.add(Position::of(text, at), error.message());
}

/// A key that does nothing would be taken for one that does.
fn unknown_keys(text: &str, table: &DeTable<'_>, faults: &mut Faults) {
    let known = values(&Config::default());
    let mut tables: Vec<_> = known.iter().map(|(table, ..)| table.as_str()).collect();
    tables.dedup();
    for (name, value) in table {
        let at = Position::of(text, name.span().start);
        let name = name.get_ref().as_ref();
        // A list of tables of their own: serde knows their keys.
        if name == "exec" {
            continue;
        }
        if !tables.contains(&name) {
            let own = known.iter().find(|(_, key, _)| key == name);
            let hint = own.map_or_else(
                || nearest(name, tables.iter().copied()),
                |(table, ..)| format!(": it belongs below [{table}]"),
            );
            faults.add(at, format!("unknown key \"{name}\"{hint}"));
            continue;
        }
        let DeValue::Table(inner) = value.get_ref() else {
            continue;
        };
        let of_table = known.iter().filter(|(table, ..)| table == name);
        let keys: Vec<_> = of_table.map(|(_, key, _)| key.as_str()).collect();
        for key in inner.keys() {
            let (at, key) = (Position::of(text, key.span().start), key.get_ref().as_ref());
            if !keys.contains(&key) {
                let hint = nearest(key, keys.iter().copied());
                faults.add(at, format!("unknown key \"{key}\" below [{name}]{hint}"));
            }
        }
    }
}

/// The most similar of the names, or all of them.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    let alike = |known: &str| strsim::jaro_winkler(known, name);
    let nearest = known
        .clone()
        .max_by(|one, other| alike(one).total_cmp(&alike(other)));
    match nearest {
        Some(nearest) if alike(nearest) >= ALIKE => format!(": did you mean \"{nearest}\"?"),
        _ => format!(": there are {}", known.collect::<Vec<_>>().join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Vec<String> {
        let faults = parse(text).unwrap_err().0;
        faults.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn nothing_is_the_defaults() {
        assert_eq!(parse("").unwrap(), Config::default());
        assert_eq!(parse("# only words\n[log]\n").unwrap(), Config::default());
    }

    #[test]
    fn a_key_is_read() {
        let config = parse("[record]\ncmdline = false\n[socket]\ngroup = \"adm\"\n").unwrap();
        assert!(!config.record.cmdline);
        assert_eq!(config.socket.group, "adm");
        assert_eq!(config.history, Config::default().history);
    }

    #[test]
    fn each_unknown_key_is_shown_with_the_nearest() {
        let text = "jurnal = 1\n[record]\ncmd_line = false\n[log]\n  zzz = 1\n[hstory]\n";
        assert_eq!(
            faults(text),
            [
                "1:1: unknown key \"jurnal\": did you mean \"journal\"?",
                "3:1: unknown key \"cmd_line\" below [record]: did you mean \"cmdline\"?",
                "5:3: unknown key \"zzz\" below [log]: there are level",
                "6:2: unknown key \"hstory\": did you mean \"history\"?",
            ]
        );
        let misplaced = "1:1: unknown key \"cmdline\": it belongs below [record]";
        assert_eq!(faults("cmdline = false"), [misplaced]);
    }

    #[test]
    fn a_value_of_the_wrong_kind_is_shown_with_its_place() {
        for (text, place, what) in [
            ("[record]\ncmdline = \"no\"", "2:11: ", "boolean"),
            ("[log]\nlevel = \"loud\"", "2:9: ", "`warn`"),
            ("[log]\nlevel = 3", "2:9: ", "level"),
            ("log = 3", "1:7: ", "struct Log"),
            (
                "[history]\npath = \"events.db\"",
                "2:8: ",
                "the path is relative",
            ),
            ("[socket]\ngroup = [1]", "2:9: ", "string"),
        ] {
            let found = faults(text).join("\n");
            assert!(found.starts_with(place), "{text}: {found}");
            assert!(found.contains(what) || what == "level", "{text}: {found}");
        }
    }

    #[test]
    fn metrics_stay_on_this_machine() {
        let config =
            parse("[metrics]\nlisten = \"[::1]:9987\"\ntextfile = \"/x/y.prom\"\n").unwrap();
        assert_eq!(config.metrics.listen.unwrap().port(), 9987);
        for text in ["0.0.0.0:9987", "192.0.2.1:1", "localhost:9987", "127.0.0.1"] {
            let found = faults(&format!("[metrics]\nlisten = \"{text}\"\n")).join("\n");
            assert!(
                found.starts_with("2:10: ") && found.contains("loopback"),
                "{found}"
            );
        }
        assert!(faults("[metrics]\ntextfile = \"y.prom\"")[0].contains("relative"));
    }

    #[test]
    fn what_is_no_toml_is_shown_with_its_place() {
        assert!(faults("[log]\nlevel = ").join("\n").starts_with("2:"));
        assert!(faults("[log]\nlevel = \"warn\"\nlevel = \"off\"")[0].starts_with("3:"));
        let not_text = of_bytes(b"[log]\n# \xff").unwrap_err();
        assert_eq!(not_text.0[0].to_string(), "2:3: this is not UTF-8");
    }

    #[test]
    fn a_file_may_be_missing_only_in_its_usual_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.toml");
        let missing = load_or_default(Some(&path)).unwrap_err().to_string();
        assert!(missing.starts_with("read the configuration /"), "{missing}");
        assert!(
            missing.ends_with(": name a file that is there"),
            "{missing}"
        );
        fs::write(&path, "[log]\nlevle = 1\n").unwrap();
        let wrong = load_or_default(Some(&path)).unwrap_err().to_string();
        let expected = format!("{}:2:1: unknown key", path.display());
        assert!(wrong.contains(&expected), "{wrong}");
        assert!(matches!(load(folder.path()), Err(Error::Unreadable { .. })));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_configuration_or_a_fault(text in ".*", bytes: Vec<u8>) {
            _ = parse(&text);
            _ = parse(&format!("[log]\n{text}"));
            _ = of_bytes(&bytes);
        }
    }
}
