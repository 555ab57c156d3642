//! Which events a person asked for; the same words on every command.

use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};

use crate::{
    event::{Event, Kind, Taint},
    taint::tables::{TABLES, Table},
};

/// Lets pass what every given condition lets pass.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Filter {
    /// Only these flags: letters or bit numbers, `P,O`
    #[arg(long = "flag", value_name = "P,O", value_delimiter = ',', value_parser = flag)]
    pub flags: Vec<Wanted>,
    /// Only modules whose name fits, with `*` and `?`
    #[arg(long, value_name = "GLOB")]
    pub module: Option<String>,
    /// Only these kinds of event
    #[arg(long = "kind", value_enum, value_name = "K", value_delimiter = ',')]
    pub kinds: Vec<Kind>,
    /// Only from this time on: RFC 3339, or `-2h` for two hours ago
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub since: Option<Moment>,
    /// Only up to this time
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub until: Option<Moment>,
}

/// A flag as people give it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    Bit(u32),
    /// What it means depends on whose kernel it was.
    Letter(char),
}

/// A point in time as people give it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment(pub Timestamp);

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |error| {
            format!("{error}: give RFC 3339, as 2026-01-02T03:04:05Z, or a time ago, as -2h")
        };
        if text.starts_with('-') {
            let ago: SignedDuration = text.parse().map_err(wrong)?;
            return Timestamp::now().checked_add(ago).map(Self).map_err(wrong);
        }
        text.parse().map(Self).map_err(wrong)
    }
}

fn flag(text: &str) -> Result<Wanted, String> {
    let letter = text
        .parse()
        .ok()
        .filter(|letter| bits(*letter).next().is_some());
    let bit = text.parse().ok().filter(|bit| *bit < u64::BITS);
    letter
        .map(Wanted::Letter)
        .or(bit.map(Wanted::Bit))
        .ok_or_else(|| "no such flag: give a letter such as W, or a bit from 0 to 63".to_owned())
}

/// The bits that a letter is in any kernel.
fn bits(letter: char) -> impl Iterator<Item = u32> {
    let of = move |table: &'static Table| table.by_letter(letter).map(|flag| flag.bit);
    TABLES.iter().flat_map(of)
}

impl Filter {
    /// Whether the event is one of those asked for.
    #[must_use]
    pub fn passes(&self, event: &Event) -> bool {
        (self.kinds.is_empty() || self.kinds.contains(&event.kind))
            && (self.flags.is_empty() || concerns(event, &self.flags))
            && self
                .module
                .as_ref()
                .is_none_or(|glob| is_about(event, glob))
            && !self.cannot_judge(event)
            && self.since.is_none_or(|since| event.time.0 >= since.0)
            && self.until.is_none_or(|until| event.time.0 <= until.0)
    }

    /// Whether times are asked for, and the event has none: a log of the past may have no date.
    #[must_use]
    pub fn cannot_judge(&self, event: &Event) -> bool {
        (self.since.is_some() || self.until.is_some()) && event.time.is_unknown()
    }
}

fn concerns(event: &Event, wanted: &[Wanted]) -> bool {
    event
        .taint
        .as_ref()
        .is_some_and(|taint| wanted.iter().any(|flag| is_of(taint, *flag)))
}

fn is_of(taint: &Taint, wanted: Wanted) -> bool {
    let written = [&taint.bits_set, &taint.bits_cleared];
    let written = || written.into_iter().flatten().flatten();
    let has = |bit| taint.bit == Some(bit) || written().any(|written| *written == bit);
    match wanted {
        Wanted::Bit(bit) => has(bit),
        // An event that has no letter may be of any kernel.
        Wanted::Letter(letter) => match taint.letter {
            Some(own) => own == letter,
            None => bits(letter).any(has),
        },
    }
}

fn is_about(event: &Event, glob: &str) -> bool {
    let name = event
        .module
        .as_ref()
        .and_then(|module| module.name.as_deref());
    name.is_some_and(|name| fits(glob.as_bytes(), name.as_bytes()))
}

/// Shell-like matching of `*` and `?` in linear memory: the last star takes one more byte at each mismatch.
fn fits(glob: &[u8], name: &[u8]) -> bool {
    let (mut at, mut star) = ((0, 0), None);
    loop {
        match (glob.get(at.0), name.get(at.1)) {
            (None, None) => return true,
            (Some(b'*'), _) => {
                star = Some((at.0 + 1, at.1));
                at.0 += 1;
            }
            (Some(wanted), Some(byte)) if *wanted == b'?' || wanted == byte => {
                at = (at.0 + 1, at.1 + 1);
            }
            _ => match star {
                Some((after, from)) if from < name.len() => {
                    star = Some((after, from + 1));
                    at = (after, from + 1);
                }
                _ => return false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        for (glob, name, expected) in [
            ("nv*", "nvidia", true),
            ("*_drm", "nvidia_drm", true),
            ("n?", "nv", true),
            ("n?", "n", false),
            ("*", "", true),
            ("a*b*c", "aXbXbXc", true),
            ("a*b", "aXbX", false),
            ("", "x", false),
        ] {
            assert_eq!(
                fits(glob.as_bytes(), name.as_bytes()),
                expected,
                "{glob} {name}"
            );
        }
    }

    #[test]
    fn a_letter_finds_the_flags_of_every_vendor() {
        let taint = |bit, letter| Taint {
            bit: Some(bit),
            letter,
            ..Taint::default()
        };
        let n = flag("n").unwrap();
        assert!(is_of(&taint(31, Some('n')), n));
        assert!(
            is_of(&taint(31, None), n),
            "recorded before it had a letter"
        );
        assert!(!is_of(&taint(31, Some('u')), n), "Red Hat's");
        assert!(is_of(&taint(18, Some('N')), flag("N").unwrap()));
        assert!(!is_of(&taint(18, Some('N')), flag("31").unwrap()));
        let write = Taint {
            bits_cleared: Some(vec![9]),
            ..Taint::default()
        };
        assert!(is_of(&write, flag("W").unwrap()) && !is_of(&write, flag("P").unwrap()));
        assert!(flag("Q").is_err() && flag("64").is_err());
    }

    #[test]
    fn moments_are_rfc_3339_or_ago() {
        assert!("2026-01-02T03:04:05Z".parse::<Moment>().is_ok());
        let ago = "-2h".parse::<Moment>().unwrap().0;
        assert!((Timestamp::now().as_second() - ago.as_second() - 7200).abs() < 60);
        assert!(
            "yesterday"
                .parse::<Moment>()
                .unwrap_err()
                .contains("RFC 3339")
        );
    }
}
