//! Where this kernel lies in memory is not for everybody who may read the history.
//!
//! In: an event. Out: the same event with the kernel's addresses masked, but for the last three digits: where in its page
//! something lies is the same in each boot. Symbols stay as they are. Reports that the kernel logs hold registers and
//! pointers; the kernel's own log has them whole, for those who may read it.

use std::borrow::Cow;

use crate::event::Event;

/// Addresses of the kernel have this many digits, and begin with these (`Documentation/arch/x86/x86_64/mm.rst`).
const DIGITS: usize = 16;
const BEGIN: &str = "ff";
const KEPT: usize = 3;

/// Masks the addresses in an event's texts.
pub(super) fn mask(event: &mut Event) {
    let lines = event.log.iter_mut().chain(&mut event.stack);
    let texts = lines.chain(&mut event.caller);
    let summary = event.cause.as_mut().map(|cause| &mut cause.summary);
    for text in texts.chain(summary) {
        if let Cow::Owned(masked) = masked(text) {
            *text = masked;
        }
    }
}

fn masked(text: &str) -> Cow<'_, str> {
    let mut found = String::new();
    let mut done = 0;
    for (at, word) in words(text) {
        let is_address = word.len() == DIGITS
            && word.get(..2).is_some_and(|begin| begin.eq_ignore_ascii_case(BEGIN))
            // A mask or -1 is none.
            && !word.bytes().all(|digit| digit.eq_ignore_ascii_case(&b'f'));
        if is_address {
            let kept = at + DIGITS - KEPT;
            found.push_str(text.get(done..at + BEGIN.len()).unwrap_or_default());
            found.extend(std::iter::repeat_n('x', DIGITS - BEGIN.len() - KEPT));
            done = kept;
        }
    }
    if done == 0 {
        return Cow::Borrowed(text);
    }
    found.push_str(text.get(done..).unwrap_or_default());
    Cow::Owned(found)
}

/// Each run of hexadecimal digits, and where it begins; what stands behind `0x` is one.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches(|c: char| !c.is_ascii_hexdigit());
        if rest.is_empty() {
            return None;
        }
        let at = text.len() - rest.len();
        let end = rest.find(|c: char| !c.is_ascii_hexdigit());
        let (word, behind) = rest.split_at(end.unwrap_or(rest.len()));
        rest = behind;
        Some((at, word))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_of_the_kernel_are_masked_and_nothing_else() {
        for (text, expected) in [
            (
                "BUG: unable to handle page fault for address: ffffffffc0401234",
                "BUG: unable to handle page fault for address: ffxxxxxxxxxxx234",
            ),
            ("0xffffffff81000010", "0xffxxxxxxxxxxx010"),
            (
                "RSP: 0018:ffffb1a2c0003d48 EFLAGS: 00010246",
                "RSP: 0018:ffxxxxxxxxxxxd48 EFLAGS: 00010246",
            ),
            (
                "[<FFFFFFFF812e6b81>] dump_stack+0x63/0x82",
                "[<FFxxxxxxxxxxxb81>] dump_stack+0x63/0x82",
            ),
        ] {
            assert_eq!(masked(text), expected);
        }
        for text in [
            "",
            "load_module+0x6ff/0x2190 [ffff]",
            "R13: 0000000000000000 R14: 00007ffd1c2b3a40",
            "x ffffffffffffffff",
            "sha ffffffff81000000ffffffff81000000",
        ] {
            assert!(matches!(masked(text), Cow::Borrowed(_)), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_masked_text_has_no_address_left(text in "(ffffffff[0-9a-f]{8}|[0-9a-f]{0,20}|[ :é])*") {
            let once = masked(&text).into_owned();
            prop_assert_eq!(masked(&once), once.as_str());
            prop_assert_eq!(once.chars().count(), text.chars().count());
        }
    }
}
