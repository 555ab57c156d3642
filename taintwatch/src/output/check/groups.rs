//! Hooks that share a reason or a layer.
//!
//! In: each hook as it was tried. Out: groups, in the order of the hooks.

use super::Tried;
use crate::probe::{
    attempts::{self, Refused},
    hooks::{self, Layer},
    mechanism::Mechanism,
};

/// Hooks that could not be attached for one reason.
pub(super) struct Group<'a> {
    pub(super) why: String,
    pub(super) hooks: Vec<&'a Tried>,
    causes: Vec<String>,
    attempts: Vec<Refused>,
}

/// Hooks without a mechanism, by their reasons. A hook on a function's exit is refused for the same reason as one on its
/// entry, though by another mechanism.
pub(super) fn refused(tried: &[Tried]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for one in tried.iter().filter(|one| one.hook.mechanism.is_none()) {
        let attempts = attempts(one);
        let mut causes: Vec<_> = attempts.iter().map(|it| it.why.clone()).collect();
        causes.dedup();
        match groups.iter_mut().find(|group| group.causes == causes) {
            Some(group) => {
                group.hooks.push(one);
                group.attempts.extend(attempts);
            }
            None => groups.push(Group {
                why: String::new(),
                hooks: vec![one],
                causes,
                attempts,
            }),
        }
    }
    for group in &mut groups {
        group.why = match (group.causes.as_slice(), group.attempts.as_slice()) {
            // No mechanism could help.
            ([cause], [first, rest @ ..])
                if rest.iter().any(|it| it.mechanism != first.mechanism) =>
            {
                cause.clone()
            }
            _ => by_cause(&group.attempts).join("; "),
        };
    }
    groups
}

/// `taint_entry (fentry)`: the hooks of a layer that are in place.
pub(super) fn attached(tried: &[Tried], layer: Layer) -> Vec<String> {
    let is_of = |one: &&Tried| hooks::by_name(&one.hook.layer).is_some_and(|it| it.layer == layer);
    let of_layer = tried.iter().filter(is_of);
    of_layer
        .filter_map(|one| {
            let mechanism = one.hook.mechanism.as_ref()?;
            Some(format!("{} ({mechanism})", one.hook.layer))
        })
        .collect()
}

/// Why a better mechanism of hooks that are in place was refused, each reason once.
pub(super) fn replaced(tried: &[Tried]) -> Vec<String> {
    let in_place = tried.iter().filter(|one| one.hook.mechanism.is_some());
    by_cause(&in_place.flat_map(attempts).collect::<Vec<_>>())
}

fn attempts(tried: &Tried) -> Vec<Refused> {
    let reason = tried.hook.reason.as_deref();
    reason.map_or_else(Vec::new, attempts::refused)
}

/// `fentry, fexit: ruled out by --without`: each cause once, with every mechanism that it is about.
fn by_cause(attempts: &[Refused]) -> Vec<String> {
    let mut causes: Vec<(&str, Vec<&str>)> = Vec::new();
    for attempt in attempts {
        let mechanism = attempt.mechanism.map(Mechanism::name);
        let at = causes.iter().position(|(why, _)| *why == attempt.why);
        match at.and_then(|at| causes.get_mut(at)) {
            Some((_, mechanisms)) => {
                if let Some(new) = mechanism.filter(|new| !mechanisms.contains(new)) {
                    mechanisms.push(new);
                }
            }
            None => causes.push((&attempt.why, mechanism.into_iter().collect())),
        }
    }
    let text = |(why, mechanisms): (&str, Vec<&str>)| match mechanisms.as_slice() {
        [] => why.to_owned(),
        _ => format!("{}: {why}", mechanisms.join(", ")),
    };
    causes.into_iter().map(text).collect()
}
