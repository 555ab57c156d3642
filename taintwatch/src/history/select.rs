//! Which boots a user asked for.
//!
//! In: words such as `0`, `-1`, `all`, or the beginning of a boot's id. Out: the boots, in their order.

use super::{BootHistory, History};

/// Why a word names no boot.
#[derive(Debug, thiserror::Error)]
pub enum Unknown {
    #[error(
        "this boot is not in the history: --boot -1 is the newest of its {0}, --boot all shows each"
    )]
    Current(usize),
    #[error(
        "the history has {boots} boots, so --boot {asked} is none of them: take 0, -1 …, an id, or all"
    )]
    Back { asked: i64, boots: usize },
    #[error("no boot in the history has an id that begins with {0:?}: --boot all shows each")]
    Id(String),
    #[error("{asked:?} may be any of these boots, so give more of the id: {boots}")]
    Ambiguous { asked: String, boots: String },
}

/// The boots that the words name; `current` is the id of the boot that runs.
pub fn select<'h, 'a>(
    history: &'h History<'a>,
    asked: &[String],
    current: Option<&str>,
) -> Result<Vec<&'h BootHistory<'a>>, Unknown> {
    let mut wanted = vec![false; history.boots.len()];
    for word in asked {
        if word == "all" {
            wanted.fill(true);
        } else if let Some(mark) = wanted.get_mut(find(history, word, current)?) {
            *mark = true;
        }
    }
    let marked = history.boots.iter().zip(wanted);
    let boots = marked.filter(|(_, wanted)| *wanted);
    Ok(boots.map(|(boot, _)| boot).collect())
}

/// The place of one boot.
fn find(history: &History<'_>, word: &str, current: Option<&str>) -> Result<usize, Unknown> {
    match word.parse::<i64>() {
        Ok(back) if back <= 0 => back_from(history, back, current),
        _ => by_id(history, word),
    }
}

/// Counted from the boot that runs, whether or not it has events; only known boots count.
fn back_from(history: &History<'_>, back: i64, current: Option<&str>) -> Result<usize, Unknown> {
    let known = history.boots.iter().filter(|boot| boot.id.is_some());
    let boots = known.clone().count();
    let place = known.clone().position(|boot| boot.id == current);
    let steps = usize::try_from(back.unsigned_abs()).unwrap_or(usize::MAX);
    match (place.unwrap_or(boots).checked_sub(steps), place) {
        (Some(place), _) if place < boots => Ok(place),
        (Some(_), None) if back == 0 => Err(Unknown::Current(boots)),
        _ => Err(Unknown::Back { asked: back, boots }),
    }
}

/// By the beginning of the id, with or without dashes, in either case.
fn by_id(history: &History<'_>, word: &str) -> Result<usize, Unknown> {
    let plain = |id: &str| id.replace('-', "").to_ascii_lowercase();
    let start = plain(word);
    let fits = |boot: &BootHistory<'_>| boot.id.is_some_and(|id| plain(id).starts_with(&start));
    let boots = history.boots.iter().enumerate();
    let found: Vec<_> = boots.filter(|(_, boot)| fits(boot)).collect();
    match found.as_slice() {
        _ if start.is_empty() => Err(Unknown::Id(word.to_owned())),
        [] => Err(Unknown::Id(word.to_owned())),
        [(place, _)] => Ok(*place),
        several => Err(Unknown::Ambiguous {
            asked: word.to_owned(),
            boots: several
                .iter()
                .filter_map(|(_, boot)| boot.id)
                .collect::<Vec<_>>()
                .join(", "),
        }),
    }
}
