//! The kernel's lines as Android's `logcat` prints them.
//!
//! In: `01-01 00:00:05.123     0     0 W testmod : TEXT`. Out: the kernel's text, which is of the task 0 alone.
//! Android's logger takes the first word of a line for the tag, and `logcat` fills a tag up to eight characters.

use super::{
    super::Line,
    parsed::Parsed,
    stamp::{self, Stamp},
};

/// A line of any task: all but 0 are programs.
pub(super) fn line(raw: &str) -> Parsed<'_> {
    let Some(entry) = Entry::parse(raw) else {
        return Parsed::Bare(raw);
    };
    if !entry.is_kernels {
        return Parsed::Foreign;
    }
    let is_own_tag = matches!(entry.tag.trim(), "" | "KERNEL");
    Parsed::Line(Line {
        stamp: Some(entry.stamp.text),
        ..Line::of(if is_own_tag { entry.text } else { entry.tagged })
    })
}

/// The line with the tag as the kernel wrote it, where `logcat` filled it up.
pub(in super::super) fn unpadded(raw: &str) -> Option<String> {
    let entry = Entry::parse(raw)?;
    let tag = entry.tag.trim_end();
    let is_padded = !tag.is_empty() && tag.len() < entry.tag.len();
    let head = raw.get(..raw.len() - entry.tagged.len())?;
    is_padded.then(|| format!("{head}{tag}: {}", entry.text))
}

struct Entry<'a> {
    stamp: Stamp<'a>,
    is_kernels: bool,
    tag: &'a str,
    text: &'a str,
    /// From the tag to the end.
    tagged: &'a str,
}

impl<'a> Entry<'a> {
    fn parse(raw: &'a str) -> Option<Self> {
        let stamp = stamp::shaped(raw, b"00-00 00:00:00.000")
            .or_else(|| stamp::shaped(raw, b"0000-00-00 00:00:00.000"))?;
        let (process, behind) = number(stamp.rest)?;
        let (thread, behind) = number(behind)?;
        let (level, tagged) = behind.trim_start().split_once(' ')?;
        let (tag, text) = tagged.split_once(':')?;
        matches!(level, "V" | "D" | "I" | "W" | "E" | "F").then_some(Self {
            stamp,
            is_kernels: process == 0 && thread == 0,
            tag,
            text: text.strip_prefix(' ').unwrap_or(text),
            tagged,
        })
    }
}

fn number(text: &str) -> Option<(u32, &str)> {
    let (number, rest) = text.trim_start().split_once(' ')?;
    Some((number.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_that_was_filled_up_is_the_first_word_of_the_text() {
        let text = |raw: &str| {
            let raw = unpadded(raw).unwrap_or_else(|| raw.to_owned());
            match line(&raw) {
                Parsed::Line(line) => Some(line.text.to_owned()),
                _ => None,
            }
        };
        let head = "01-01 00:00:05.123     0     0 W ";
        for (tagged, expected) in [
            ("        : x: a", "x: a"),
            ("KERNEL  : x: a", "x: a"),
            ("x       : a: b", "x: a: b"),
            ("long_name: a", "long_name: a"),
            ("init    :", "init: "),
        ] {
            assert_eq!(text(&format!("{head}{tagged}")).as_deref(), Some(expected));
        }
        assert_eq!(
            text("01-01 00:00:05.123  1200  1204 W KERNEL  : x: a"),
            None
        );
        assert_eq!(
            text("01-01 00:00:05.123     0  1204 W KERNEL  : x: a"),
            None
        );
    }

    #[test]
    fn a_line_of_logcat_has_its_time_and_a_tag_that_is_not_filled_up_stays() {
        let raw = "01-01 00:00:05.123     0     0 W long_name: a";
        let Parsed::Line(read) = line(raw) else {
            panic!("the kernel's")
        };
        assert_eq!(read.stamp, Some("01-01 00:00:05.123"));
        assert_eq!(unpadded(raw), None);
        assert_eq!(unpadded(&raw.replace("long_name", "        ")), None);
    }
}
