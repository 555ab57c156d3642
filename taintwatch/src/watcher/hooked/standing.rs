//! The state of the coverage, by the hooks as they stand.
//!
//! In: hooks, what a self-test could not prove. Out: the state with its reason. Pure.

use crate::event::{CoverageState, Hook};

/// Complete only where no hook is missing and none is unproven; `news`: what led to it.
pub(super) fn standing(
    hooks: &[Hook],
    unproven: &[&String],
    news: Option<&str>,
) -> (CoverageState, String) {
    let missing = hooks.iter().filter(|hook| hook.mechanism.is_none());
    let missing: Vec<_> = missing.map(|hook| hook.layer.as_str()).collect();
    if missing.is_empty() && unproven.is_empty() {
        let whole = news.unwrap_or("every layer is in place");
        return (CoverageState::Began, whole.to_owned());
    }
    let mut parts: Vec<_> = news.map(str::to_owned).into_iter().collect();
    if !missing.is_empty() {
        parts.push(format!("without {}", missing.join(", ")));
    }
    parts.extend(unproven.iter().copied().cloned());
    (CoverageState::Degraded, parts.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::{
        attempts::hook,
        hooks::{MASK_WATCH, TAINT_ENTRY},
        mechanism::Mechanism,
    };

    #[test]
    fn the_coverage_is_complete_only_where_nothing_is_missing() {
        let attached = || hook(MASK_WATCH, Some(Mechanism::Breakpoint), &[]);
        let missing = || hook(TAINT_ENTRY, None, &[]);
        let unproven = "the mask watch is unproven: CPU 1".to_owned();
        let armed = Some("the mask watch was armed again");
        let text = |hooks: &[Hook], unproven: &[&String], news| {
            let (state, reason) = standing(hooks, unproven, news);
            format!("{state:?}: {reason}")
        };
        assert_eq!(
            text(&[attached()], &[], None),
            "Began: every layer is in place"
        );
        assert_eq!(
            text(&[attached()], &[], armed),
            "Began: the mask watch was armed again"
        );
        assert_eq!(
            text(&[attached(), missing()], &[], armed),
            "Degraded: the mask watch was armed again; without taint_entry"
        );
        assert_eq!(
            text(&[attached(), missing()], &[&unproven], None),
            "Degraded: without taint_entry; the mask watch is unproven: CPU 1"
        );
    }
}
