//! What became of the attempts to attach a hook, as events and people read it.
//!
//! In: the mechanism that was chosen, and those that the kernel refused. Out: a [`Hook`] of an event; and, from its
//! text, the attempts again.

use super::{
    hooks::{MASK_WATCH, TAINT_ENTRY},
    mechanism::Mechanism,
};
use crate::event::Hook;

/// A mechanism that could not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Absent when none was tried.
    pub mechanism: Option<Mechanism>,
    pub why: String,
}

/// A hook, the mechanism that was chosen, and why better ones were not.
#[must_use]
pub fn hook(name: &str, chosen: Option<Mechanism>, refused: &[Refused]) -> Hook {
    let texts = refused.iter().map(|refused| match refused.mechanism {
        Some(mechanism) => format!("{}: {}", mechanism.name(), refused.why),
        None => refused.why.clone(),
    });
    let texts: Vec<_> = texts.collect();
    Hook {
        layer: name.to_owned(),
        mechanism: chosen.map(|mechanism| mechanism.name().to_owned()),
        reason: (!texts.is_empty()).then(|| texts.join(SEPARATOR)),
    }
}

const SEPARATOR: &str = "; ";

/// The attempts that a hook's reason names. A reason may hold the separator: then the part behind it is of the same
/// attempt.
#[must_use]
pub fn refused(reason: &str) -> Vec<Refused> {
    let mut all: Vec<Refused> = Vec::new();
    for part in reason.split(SEPARATOR) {
        let named = part.split_once(": ");
        let named = named.and_then(|(name, why)| Some((Mechanism::by_name(name)?, why)));
        match (named, all.last_mut()) {
            (Some((mechanism, why)), _) => all.push(Refused {
                mechanism: Some(mechanism),
                why: why.to_owned(),
            }),
            (None, Some(last)) => last.why = format!("{}{SEPARATOR}{part}", last.why),
            (None, None) => all.push(Refused {
                mechanism: None,
                why: part.to_owned(),
            }),
        }
    }
    all
}

/// Each hook on a line: its mechanism, or why it has none.
#[must_use]
pub fn list(hooks: &[Hook]) -> String {
    let line = |hook: &Hook| {
        let mechanism = hook.mechanism.as_deref().unwrap_or("none");
        let reason = hook.reason.as_ref();
        let reason = reason.map_or_else(String::new, |reason| format!(": {reason}"));
        format!("  {:<17} {mechanism}{reason}", hook.layer)
    };
    hooks.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Why the hooks that see a taint could not be attached.
pub(super) fn reasons(hooks: &[Hook]) -> String {
    let sees_taint = |hook: &&Hook| [MASK_WATCH, TAINT_ENTRY].contains(&hook.layer.as_str());
    let seeing = hooks.iter().filter(sees_taint);
    let reasons: Vec<_> = seeing.filter_map(|hook| hook.reason.as_deref()).collect();
    reasons.join(SEPARATOR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_can_be_taken_apart_again() {
        let attempt = |mechanism, why: &str| Refused {
            mechanism,
            why: why.to_owned(),
        };
        for attempts in [
            vec![
                attempt(Some(Mechanism::Fentry), "load: EPERM; see the log"),
                attempt(Some(Mechanism::Kprobe), "CONFIG_KPROBES is not set"),
            ],
            vec![attempt(None, "this kernel declares add_taint otherwise")],
        ] {
            let hook = hook("taint_entry", None, &attempts);
            assert_eq!(refused(hook.reason.as_deref().unwrap()), attempts);
        }
        let chosen = hook("taint_entry", Some(Mechanism::Fentry), &[]);
        assert_eq!(chosen.mechanism.as_deref(), Some("fentry"));
        assert_eq!(chosen.reason, None);
    }
}
