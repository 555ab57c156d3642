//! The id of an event that stands for many occurrences.
//!
//! In: a key, its count. Out: the part of the event's id that tells it from others; and, from an id, the key and the total
//! again. Where in its page code lies is in it, and not where the kernel does.

use taintwatch_common::{Count, CountKey};

/// How the id of an event for occurrences without a key ends.
pub(crate) const UNNAMED: &str = "-unnamed";
const COUNT: &str = ".count";

/// What tells a count from every other one of a boot.
pub(crate) fn of_key(key: &CountKey, count: &Count) -> String {
    let [caller, jumped] = [key.caller, key.jumped].map(|address| address & 0xfff);
    let CountKey { flag, context, .. } = key;
    format!(
        "{caller:x}.{jumped:x}.{flag:x}.{context}.{:x}",
        count.created_ns
    )
}

/// The total grows with each event of a key: two differ even where nothing moved their time.
pub(super) fn of_event(key: &CountKey, count: &Count) -> String {
    let total = total(count);
    format!("{}.{total}{COUNT}", of_key(key, count))
}

/// Occurrences of a key that have no record.
pub(crate) const fn total(count: &Count) -> u64 {
    count.suppressed.wrapping_add(count.unsent)
}

/// The key and the total of an event's id; `None` for any other event.
pub(crate) fn parse(id: &str) -> Option<(&str, u64)> {
    let (_, own) = id.strip_suffix(COUNT)?.rsplit_once('-')?;
    let (key, total) = own.rsplit_once('.')?;
    Some((key, total.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::value;

    #[test]
    fn the_total_of_a_key_is_read_back() {
        let key = CountKey {
            flag: 9,
            context: 1,
            caller: 0xffff_ffff_8123_4abc,
            ..value(&[0; size_of::<CountKey>()]).unwrap()
        };
        let count = Count {
            suppressed: 5,
            unsent: 2,
            created_ns: 77,
            ..value(&[0; size_of::<Count>()]).unwrap()
        };
        let id = format!("boot-9f-taint-{}", of_event(&key, &count));
        assert_eq!(id, "boot-9f-taint-abc.0.9.1.4d.7.count");
        assert_eq!(parse(&id), Some((of_key(&key, &count).as_str(), 7)));
        for other in ["boot-9f-taint-0.9", "boot-9f-taint-unnamed", "x.count", ""] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
