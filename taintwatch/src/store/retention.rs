//! What is removed from a history that is too old or too large.
//!
//! In: the boots that it has, the limits, the time. Out: what to remove, one thing after the other. Pure. Whole boots go,
//! oldest first, never the one that runs. In a boot that stays, first settings of flags, changes of the coverage, losses
//! and writes to the mask stay, too.

use jiff::SignedDuration;

use crate::event::Time;

/// The limits of a history; without one it is kept for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    pub age: Option<SignedDuration>,
    pub bytes: Option<u64>,
}

/// A boot that the history has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Boot {
    pub(super) id: i64,
    /// Its last event; the epoch where no time is known.
    pub(super) last: Time,
    pub(super) is_running: bool,
}

/// What to remove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// All of a boot.
    Boot(i64),
    /// Of a boot that stays: what repeats, up to a time, but for the last of each kind.
    Repeats(i64, Option<Time>),
    /// Of a boot that stays: loads, unloads and the last of what repeats.
    Details(i64),
}

/// One thing to remove; `only_if_large`: while the history is larger than it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) what: What,
    pub(super) only_if_large: bool,
}

/// What to remove, in order; `boots` has the oldest first.
pub(super) fn plan(boots: &[Boot], limits: Limits, now: Time) -> Vec<Step> {
    let oldest = limits.age.and_then(|age| now.0.checked_sub(age).ok());
    let is_old = |boot: &&Boot| {
        let is_before = oldest.is_some_and(|oldest| boot.last.0 < oldest);
        is_before && !boot.is_running && !boot.last.is_unknown()
    };
    let (old, kept): (Vec<&Boot>, Vec<_>) = boots.iter().partition(is_old);
    let step = |only_if_large| {
        move |what| Step {
            what,
            only_if_large,
        }
    };
    let mut steps: Vec<_> = old.iter().map(|boot| What::Boot(boot.id)).collect();
    if let Some(oldest) = oldest {
        let until = Some(Time(oldest));
        steps.extend(kept.iter().map(|boot| What::Repeats(boot.id, until)));
    }
    let mut steps: Vec<_> = steps.into_iter().map(step(false)).collect();
    if limits.bytes.is_some() {
        let (running, before): (Vec<&Boot>, Vec<_>) =
            kept.into_iter().partition(|boot| boot.is_running);
        let before = before.iter().map(|boot| What::Boot(boot.id));
        let running = running
            .iter()
            .flat_map(|boot| [What::Repeats(boot.id, None), What::Details(boot.id)]);
        steps.extend(before.chain(running).map(step(true)));
    }
    steps
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY: i64 = 86_400;

    fn boot(id: i64, day: i64, is_running: bool) -> Boot {
        let last = Time(jiff::Timestamp::from_second(day * DAY).unwrap());
        Boot {
            id,
            last,
            is_running,
        }
    }

    fn limits(days: Option<i64>, bytes: Option<u64>) -> Limits {
        Limits {
            age: days.map(|days| SignedDuration::from_hours(days * 24)),
            bytes,
        }
    }

    fn at(day: i64) -> Time {
        boot(0, day, false).last
    }

    #[test]
    fn the_oldest_boots_go_first_and_the_running_one_keeps_its_landmarks() {
        let boots = [boot(1, 10, false), boot(2, 20, false), boot(3, 30, true)];
        let shown = |limits| -> Vec<_> {
            let steps = plan(&boots, limits, at(31));
            steps
                .into_iter()
                .map(|step| (step.what, step.only_if_large))
                .collect()
        };
        assert_eq!(shown(Limits::default()), []);
        let until = Some(at(16));
        assert_eq!(
            shown(limits(Some(15), Some(1))),
            [
                (What::Boot(1), false),
                (What::Repeats(2, until), false),
                (What::Repeats(3, until), false),
                (What::Boot(2), true),
                (What::Repeats(3, None), true),
                (What::Details(3), true),
            ]
        );
    }

    #[test]
    fn what_has_no_time_is_not_old() {
        let boots = [boot(1, 0, false)];
        let steps = plan(&boots, limits(Some(1), None), at(31));
        assert!(
            steps.iter().all(|step| step.what != What::Boot(1)),
            "{steps:?}"
        );
    }

    proptest! {
        #[test]
        fn a_running_boot_stays_and_each_boot_goes_once(
            days in prop::collection::vec((0_i64..100, any::<bool>()), 0..8),
            age in prop::option::of(0_i64..100), bytes in prop::option::of(any::<u64>()), now in 0_i64..200,
        ) {
            let boots: Vec<_> = days.iter().zip(1..).map(|((day, runs), id)| boot(id, *day, *runs)).collect();
            let steps = plan(&boots, limits(age, bytes), at(now));
            let mut gone = Vec::new();
            for step in steps {
                prop_assert!(bytes.is_some() || !step.only_if_large);
                match step.what {
                    What::Boot(id) => {
                        let boot = boots.iter().find(|boot| boot.id == id).unwrap();
                        prop_assert!(!boot.is_running && !gone.contains(&id));
                        gone.push(id);
                    }
                    What::Repeats(id, until) => {
                        prop_assert!(!gone.contains(&id));
                        prop_assert!(until.is_none_or(|until| until <= at(now)));
                    }
                    What::Details(id) => {
                        prop_assert!(boots.iter().any(|boot| boot.id == id && boot.is_running));
                    }
                }
            }
        }
    }
}
