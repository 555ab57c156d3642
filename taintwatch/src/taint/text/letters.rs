//! Letters without their places: as users write them, as blanks lost on the way leave them, and with
//! their names.

use super::{Fit, KernelHint};
use crate::{
    event::Mask,
    taint::{flags::UPSTREAM, tables::Table},
};

/// No kernel has more flags than bits; what is longer is something else.
const MOST: usize = 64;

type Read<'a> = (Vec<Fit>, &'a str, Vec<String>);

/// `[W]=WARN, [O]=OOT_MODULE`.
pub(super) fn verbose(rest: &str, hint: KernelHint) -> Option<Read<'_>> {
    let items: Vec<_> = rest
        .trim_end()
        .split(", ")
        .take(MOST)
        .map(item)
        .collect::<Option<_>>()?;
    let wanted: Vec<_> = items
        .iter()
        .map(|(letter, name)| (*letter, Some(*name)))
        .collect();
    let (fits, unread) = best(&wanted, hint);
    let notes = unread.iter().filter_map(|(letter, name)| {
        Some(format!(
            "[{letter}]={} is no flag that is known here",
            (*name)?
        ))
    });
    Some((fits, rest, notes.collect()))
}

fn item(text: &str) -> Option<(char, &str)> {
    // Mail readers wrap between the items.
    let (letter, name) = text.trim_start().strip_prefix('[')?.split_once("]=")?;
    let mut letters = letter.chars();
    let letter = letters.next().filter(|_| letters.next().is_none())?;
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    name.chars().all(is_name).then_some((letter, name))
}

/// What is left when blanks were lost on the way: letters up to the release.
pub(super) fn collapsed(rest: &str, hint: KernelHint) -> Option<Read<'_>> {
    let split = super::places::split(rest);
    let long = split.places.len() > 32;
    let scope = if split.release.is_empty() {
        rest
    } else {
        split.places
    };
    let is_letters = |word: &&str| {
        let reserved = |place: char| place == '-' || place == '?';
        word.chars().all(|place| place.is_ascii_alphabetic())
            || word.chars().all(reserved)
            || !long
                && word
                    .chars()
                    .all(|place| place.is_ascii_alphabetic() || reserved(place))
    };
    let words: Vec<_> = scope
        .split_ascii_whitespace()
        .take_while(is_letters)
        .take(MOST)
        .collect();
    let all: String = words
        .concat()
        .chars()
        .filter(char::is_ascii_alphabetic)
        .collect();
    let (fits, unread) = any_order(&all, hint)?;
    // Words behind `Tainted:` in another text are no flags.
    if !unread.is_empty() {
        return None;
    }
    let text = rest.get(..end_of(rest, words.last()?)).unwrap_or(rest);
    let lost = !(words.len() == 1 && all.len() == 1 && text == rest.trim_end());
    let note = || "blanks were lost, so the letters are read without their places".to_owned();
    Some((fits, text, lost.then(note).into_iter().collect()))
}

/// Where a word of a text ends in it.
fn end_of(text: &str, word: &str) -> usize {
    let start = word.as_ptr().addr().saturating_sub(text.as_ptr().addr());
    start.saturating_add(word.len()).min(text.len())
}

/// Letters in any order, with blanks, commas or parentheses between them.
pub(super) fn any_order(letters: &str, hint: KernelHint) -> Option<(Vec<Fit>, Vec<String>)> {
    let mut wanted = Vec::new();
    let mut gpl = false;
    for letter in letters.chars() {
        match letter {
            ' ' | ',' | '(' | ')' | '+' | '\t' => {}
            'G' => gpl = true,
            _ if letter.is_ascii_alphabetic() && wanted.len() < MOST => {
                if !wanted.contains(&(letter, None)) {
                    wanted.push((letter, None));
                }
            }
            _ => return None,
        }
    }
    let (fits, unread) = best(&wanted, hint);
    let notes: Vec<_> = unread
        .iter()
        .map(|(letter, _)| match hint.table {
            Some(table) => format!("{letter} is no flag of {}", table.vendor),
            None => format!("{letter} is no upstream flag; a vendor's kernel may use it"),
        })
        .collect();
    // One that is not known may have come after this program; more, or a small one, make a word.
    let known = wanted.len() - unread.len();
    let is_word = unread.len() > 1 || unread.iter().any(|(letter, _)| letter.is_lowercase());
    ((gpl || known > 0) && !is_word).then_some((fits, notes))
}

type Wanted<'a> = (char, Option<&'a str>);

/// The kernels that know the most of the letters, and what the first of them does not know.
fn best<'a>(wanted: &[Wanted<'a>], hint: KernelHint) -> (Vec<Fit>, Vec<Wanted<'a>>) {
    let known = |table: &'static Table| {
        wanted
            .iter()
            .filter(|wanted| !bits(table, **wanted, hint).is_empty())
            .count()
    };
    let most = hint.tables().map(known).max().unwrap_or(0);
    let tables: Vec<_> = hint.tables().filter(|table| known(table) == most).collect();
    let fits = tables
        .iter()
        .flat_map(|table| masks(table, wanted, hint))
        .collect();
    let unread = |wanted: &&Wanted<'a>| {
        tables
            .first()
            .is_none_or(|table| bits(table, **wanted, hint).is_empty())
    };
    (fits, wanted.iter().filter(unread).copied().collect())
}

/// The masks that the letters can be in one kernel: mostly one.
fn masks(table: &'static Table, wanted: &[Wanted<'_>], hint: KernelHint) -> Vec<Fit> {
    let mut masks = vec![Mask(0)];
    for wanted in wanted {
        let bits = bits(table, *wanted, hint);
        if !bits.is_empty() {
            let with = |mask: &Mask| bits.iter().map(|bit| mask.with(*bit)).collect::<Vec<_>>();
            masks = masks.iter().flat_map(with).take(MOST).collect();
        }
    }
    masks.into_iter().map(|mask| (table, mask)).collect()
}

/// The bits that a letter can be. A kernel prints upstream's name also where a vendor renamed the flag.
fn bits(table: &Table, (letter, name): Wanted<'_>, hint: KernelHint) -> Vec<u32> {
    let upstream = |bit: u32| {
        UPSTREAM
            .iter()
            .find(|flag| flag.bit == bit)
            .map(|flag| flag.name)
    };
    let named = table.by_letter(letter).filter(|flag| {
        name.is_none_or(|name| flag.name == name || upstream(flag.bit) == Some(name))
    });
    let all: Vec<_> = named.collect();
    let young = |bit: u32| {
        let of = all.iter().find(|flag| flag.bit == bit);
        of.is_some_and(|flag| hint.version.is_some_and(|version| version < flag.since))
    };
    let bits: Vec<_> = all.iter().map(|flag| flag.bit).collect();
    let old: Vec<_> = bits.iter().copied().filter(|bit| !young(*bit)).collect();
    // Distributions bring flags into older kernels: age decides only between two.
    if bits.len() > 1 && !old.is_empty() {
        old
    } else {
        bits
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::taint::version::Version;

    /// Some kernels print two flags alike; one that came later than a kernel is not in it, unless it alone can be
    /// meant.
    #[test]
    fn age_decides_between_two_flags_of_a_letter() {
        let mut tried = 0;
        for table in &crate::taint::tables::TABLES {
            for letter in 'A'..='Z' {
                let mut flags: Vec<_> = table.by_letter(letter).collect();
                flags.sort_by_key(|flag| flag.since);
                let [old, young] = flags[..] else { continue };
                if old.since == young.since {
                    continue;
                }
                tried += 1;
                let of = |version| {
                    let hint = KernelHint {
                        table: None,
                        version,
                    };
                    let mut bits = bits(table, (letter, None), hint);
                    bits.sort_unstable();
                    bits
                };
                let mut both = vec![old.bit, young.bit];
                both.sort_unstable();
                assert_eq!(of(None), both);
                assert_eq!(of(Some(young.since)), both);
                assert_eq!(of(Some(old.since)), [old.bit]);
                assert_eq!(
                    of(Version::parse("1.0.0")),
                    both,
                    "neither is too young alone"
                );
                let name = bits(
                    table,
                    (letter, Some(old.name)),
                    KernelHint {
                        table: None,
                        version: None,
                    },
                );
                assert!(name.contains(&old.bit));
            }
        }
        assert!(tried > 0);
    }

    #[test]
    fn a_word_ends_where_it_stands_in_its_text() {
        let text = "ab cd ef";
        assert_eq!(end_of(text, &text[3..5]), 5);
        assert_eq!(end_of(text, &text[6..]), 8);
    }

    fn read(rest: &str) -> Option<(u64, bool)> {
        let (fits, _, notes) = collapsed(rest, KernelHint::default())?;
        Some((fits.first()?.1.0, notes.is_empty()))
    }

    #[test]
    fn letters_that_stand_together_have_lost_their_blanks() {
        assert_eq!(read("W"), Some((512, true)));
        assert_eq!(read("GW"), Some((512, false)));
        assert_eq!(read("P W"), Some((513, false)));
    }

    /// Marks for clear flags can stand between letters, where the text is no longer than a kernel's places.
    #[test]
    fn a_long_text_has_no_letters_between_marks() {
        let padded = |text: &str, len: usize| format!("{text}{}", " ".repeat(len - text.len()));
        assert_eq!(read(&padded("G  W-", 32)), Some((512, false)));
        assert_eq!(read(&padded("G  W-", 33)), Some((0, false)));
        assert_eq!(read(&padded("G  W", 33)), Some((512, false)));
    }
}
