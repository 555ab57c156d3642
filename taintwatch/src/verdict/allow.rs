//! Taints that are known and accepted: by flag, module, signer and code, with a reason and an end.
//!
//! In: a TOML file that can be reviewed, or words of the command line. Out: rules, and which of them fits an event. A rule
//! whose day has passed allows nothing.

use std::{fs, path::Path, str::FromStr};

use anyhow::{Context as _, Result, ensure};
use jiff::civil::Date;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::{
    event::{Event, Kind},
    glob,
    store::Wanted,
};

/// A taint that is accepted. Each condition that is there must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// A letter, a bit or a name.
    #[serde(
        default,
        deserialize_with = "flag",
        serialize_with = "shown",
        skip_serializing_if = "Option::is_none"
    )]
    pub flag: Option<Wanted>,
    /// The module's name, with `*` and `?`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    /// Who signed the module's file, with `*` and `?`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
    /// The function that caused it, without offset, with `*` and `?`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
    /// The last day on which it is accepted, in UTC.
    #[serde(
        default,
        deserialize_with = "day",
        serialize_with = "shown",
        skip_serializing_if = "Option::is_none"
    )]
    pub expires: Option<Date>,
    /// Why it is accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The form of the file.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    #[serde(default)]
    allow: Vec<Rule>,
}

/// Which rule an event meets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Match {
    /// The first one that holds.
    pub allowed: Option<usize>,
    /// Where none holds: the first one that would, had its day not passed.
    pub expired: Option<usize>,
}

/// Reads a file of rules.
pub fn read(path: &Path) -> Result<Vec<Rule>> {
    let text = fs::read_to_string(path)
        .with_context(|| format!("read the allowlist {}", path.display()))?;
    parse(&text).with_context(|| format!("the allowlist {} is wrong", path.display()))
}

/// Reads rules; each says why it is there.
pub fn parse(text: &str) -> Result<Vec<Rule>> {
    let list: List = toml::from_str(text)?;
    for (number, rule) in (1..).zip(&list.allow) {
        rule.check()
            .with_context(|| format!("[[allow]] {number}"))?;
        let reason = rule.reason.as_deref().unwrap_or_default();
        ensure!(
            !reason.trim().is_empty(),
            "[[allow]] {number}: give a `reason`, for who reads the list later"
        );
    }
    Ok(list.allow)
}

/// The first rule that fits and has not ended, else one that has.
#[must_use]
pub fn find(rules: &[Rule], event: &Event, today: Date) -> Match {
    let mut found = Match::default();
    for (place, rule) in rules
        .iter()
        .enumerate()
        .filter(|(_, rule)| rule.fits(event))
    {
        if rule.expires.is_none_or(|last| today <= last) {
            return Match {
                allowed: Some(place),
                expired: None,
            };
        }
        found.expired.get_or_insert(place);
    }
    found
}

impl Rule {
    fn check(&self) -> Result<()> {
        let conditions = [&self.module, &self.signer, &self.caller];
        ensure!(
            self.flag.is_some() || conditions.iter().any(|it| it.is_some()),
            "it would allow everything: name a flag, a module, a signer or a caller"
        );
        Ok(())
    }

    fn fits(&self, event: &Event) -> bool {
        let module = event.module.as_ref();
        let is = |pattern: &Option<String>, found: Option<&str>| {
            pattern
                .as_ref()
                .is_none_or(|pattern| found.is_some_and(|found| glob::matches(pattern, found)))
        };
        self.flag.is_none_or(|flag| is_flag(flag, event))
            && is(&self.module, event.module_name())
            && is(
                &self.signer,
                module.and_then(|module| module.signer.as_deref()),
            )
            && is(&self.caller, event.caller.as_deref().map(function))
    }
}

/// Whether an event is about this flag and nothing else; one that clears a flag never is.
fn is_flag(flag: Wanted, event: &Event) -> bool {
    let Some(taint) = &event.taint else {
        return false;
    };
    let several = taint.bits_set.as_ref().is_some_and(|bits| bits.len() > 1);
    let clears = taint
        .bits_cleared
        .as_ref()
        .is_some_and(|bits| !bits.is_empty());
    let names_one = event.kind == Kind::MaskWrite || taint.bit.is_some();
    names_one && !several && !clears && flag.is_of(taint)
}

/// `f+0x1/0x2 [module]` without what differs from build to build.
fn function(caller: &str) -> &str {
    let end = caller.find(['+', ' ']).unwrap_or(caller.len());
    caller.get(..end).unwrap_or(caller)
}

/// `W`, or `flag=W,module=foo*,caller=f,signer=x,expires=2026-12-31,reason=words`; a reason may contain commas when it is
/// last.
impl FromStr for Rule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut rule = Self::default();
        let mut rest = Some(text);
        while let Some(words) = rest {
            if let Some(reason) = words.strip_prefix("reason=") {
                rule.reason = Some(reason.to_owned());
                break;
            }
            let (word, behind) = match words.split_once(',') {
                Some((word, behind)) => (word, Some(behind)),
                None => (words, None),
            };
            rest = behind;
            let (key, value) = word.split_once('=').unwrap_or(("flag", word));
            rule.set(key, value)?;
        }
        rule.check().map_err(|error| error.to_string())?;
        Ok(rule)
    }
}

impl Rule {
    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        let text = || Some(value.to_owned());
        match key {
            "flag" => self.flag = Some(value.parse()?),
            "module" => self.module = text(),
            "signer" => self.signer = text(),
            "caller" => self.caller = text(),
            "expires" => self.expires = Some(value.parse().map_err(|_wrong| NO_DAY.to_owned())?),
            _ => {
                return Err(format!(
                    "unknown condition {key:?}: there are flag, module, signer, caller, expires and reason"
                ));
            }
        }
        Ok(())
    }
}

const NO_DAY: &str = "give the last day as 2026-12-31";

fn flag<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Wanted>, D::Error> {
    let text = String::deserialize(value)?;
    text.parse().map(Some).map_err(D::Error::custom)
}

/// TOML has dates of its own.
fn day<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Date>, D::Error> {
    let day = toml::value::Datetime::deserialize(value)
        .map_err(|_wrong| D::Error::custom(format!("{NO_DAY}, without quotes")))?;
    let day = day.to_string().parse();
    day.map(Some).map_err(|_wrong| D::Error::custom(NO_DAY))
}

#[expect(clippy::ref_option, reason = "the form that serde calls")]
fn shown<T: ToString, S: Serializer>(value: &Option<T>, out: S) -> Result<S::Ok, S::Error> {
    value.as_ref().map(ToString::to_string).serialize(out)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TODAY: Date = jiff::civil::date(2026, 6, 15);

    fn event(value: &serde_json::Value) -> Event {
        let mut whole = json!({"schema": 1, "id": "x", "seq": 1, "kind": "taint"});
        for (key, part) in value.as_object().unwrap() {
            whole[key] = part.clone();
        }
        serde_json::from_value(whole).unwrap()
    }

    fn warning() -> Event {
        event(&json!({
            "taint": {"bit": 9, "letter": "W", "name": "WARN"}, "caller": "foo_probe+0x12/0x80 [foo]",
            "module": {"name": "foo", "signer": "CN=Build"},
        }))
    }

    fn allows(rule: &str, event: &Event) -> bool {
        find(&[rule.parse().unwrap()], event, TODAY)
            .allowed
            .is_some()
    }

    #[test]
    fn every_condition_must_hold() {
        for rule in [
            "W",
            "9",
            "WARN",
            "flag=W,module=fo?",
            "module=foo,caller=foo_*",
            "signer=CN=B*",
            "caller=foo_probe,reason=a, b",
        ] {
            assert!(allows(rule, &warning()), "{rule}");
        }
        for rule in [
            "P",
            "W,module=bar",
            "W,caller=probe",
            "W,signer=x",
            "W,expires=2026-06-14",
        ] {
            assert!(!allows(rule, &warning()), "{rule}");
        }
        let by_kernel = event(&json!({"taint": {"bit": 9, "letter": "W", "name": "WARN"}}));
        assert!(!allows("module=*", &by_kernel), "no module is known");
        assert!(!allows("caller=*", &by_kernel), "no code is known");
    }

    #[test]
    fn a_flag_does_not_allow_what_else_was_done() {
        let write = |set: &[u32], cleared: &[u32]| {
            let mut event = event(&json!({"taint": {"bits_set": set, "bits_cleared": cleared}}));
            event.kind = Kind::MaskWrite;
            event
        };
        assert!(allows("W", &write(&[9], &[])));
        assert!(!allows("W", &write(&[9, 7], &[])));
        assert!(!allows("W", &write(&[], &[9])));
        assert!(!allows("W", &write(&[9], &[1])));
        assert!(
            !allows("W", &event(&json!({"taint": {"count": 3}}))),
            "unknown"
        );
    }

    #[test]
    fn the_last_day_is_still_in_it() {
        let rules = ["W,expires=2026-06-14", "W,expires=2026-06-15"].map(|it| it.parse().unwrap());
        let found = find(&rules, &warning(), TODAY);
        assert_eq!((found.allowed, found.expired), (Some(1), None));
        let tomorrow = TODAY.tomorrow().unwrap();
        let found = find(&rules, &warning(), tomorrow);
        assert_eq!((found.allowed, found.expired), (None, Some(0)));
    }

    #[test]
    fn a_file_is_read_and_faults_are_named() {
        let rules = parse(
            "[[allow]]\nflag = \"W\"\ncaller = \"foo_*\"\nexpires = 2026-12-31\nreason = \"bug 12\"\n",
        )
        .unwrap();
        assert_eq!(rules[0].expires, Some(jiff::civil::date(2026, 12, 31)));
        assert_eq!(
            serde_json::to_value(&rules[0]).unwrap(),
            json!({"flag": "W", "caller": "foo_*", "expires": "2026-12-31", "reason": "bug 12"})
        );
        assert_eq!(parse("").unwrap(), []);
        for (text, part) in [
            ("[[allow]]\nflag = \"W\"\n", "give a `reason`"),
            ("[[allow]]\nreason = \"x\"\n", "it would allow everything"),
            ("[[allow]]\nflag = \"Z\"\nreason = \"x\"\n", "no such flag"),
            ("[[allow]]\nflags = \"W\"\n", "unknown field `flags`"),
            ("[[allow]]\nexpires = \"2026-12-31\"\n", "without quotes"),
            (
                "[[allow]]\nexpires = 2026-12-31T00:00:00Z\n",
                "give the last day",
            ),
            ("[[alow]]\n", "unknown field `alow`"),
        ] {
            let error = format!("{:#}", parse(text).unwrap_err());
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn words_that_are_no_rule_say_why() {
        for (text, part) in [
            ("Z", "no such flag"),
            ("", "no such flag"),
            ("color=red", "unknown condition"),
            ("W,expires=soon", "give the last day"),
            ("expires=2026-01-01", "it would allow everything"),
            ("reason=x", "it would allow everything"),
        ] {
            let error = text.parse::<Rule>().unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_rules_or_an_error(text in ".*", word in ".*") {
            _ = parse(&text);
            _ = word.parse::<Rule>();
        }
    }
}
