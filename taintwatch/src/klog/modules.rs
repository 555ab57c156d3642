//! The lists of modules in a report: `Modules linked in: nvidia(POE) …`.
//!
//! In: a line's text. Out: the modules that carry flags. The letters are the kernel's; which bits they are depends on
//! the vendor of the kernel, and one that fits two is left out.

use super::marks::{MODULES, UNLOADED};
use crate::{
    event::Mask,
    taint::{
        flags::{TEST_SINCE, bit},
        log::is_module_name,
        milestones::SUSE_BITS_MOVED,
        release::Release,
    },
};

/// A module that carries flags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub name: String,
    /// The letters as printed.
    pub letters: String,
    /// The flags that they are.
    pub flags: Mask,
    /// It was there when the list was printed; else it was unloaded before.
    pub loaded: bool,
}

/// Stands in a name that was broken over two lines, or may have been.
pub(super) const TORN: &str = "…";

/// No list is longer.
const MOST: usize = 512;

/// The modules with flags in a line and, where the list was broken, in the lines behind it.
pub(super) fn listed(lines: &[String]) -> Vec<Listed> {
    let mut found = Vec::new();
    let mut lines = lines.iter().map(String::as_str).peekable();
    while let Some(line) = lines.next() {
        if let Some((_, list)) = line.split_once(MODULES) {
            read(list, true, &mut found);
            while let Some(more) = lines.next_if(|line| is_list(line)) {
                read(more, true, &mut found);
            }
        }
        if let Some((_, list)) = line.split_once(UNLOADED) {
            read(list, false, &mut found);
        }
    }
    found
}

fn read(list: &str, mut loaded: bool, found: &mut Vec<Listed>) {
    // `[last unloaded: NAME(FLAGS)]` stands at the end; before 6.0 it has no flags.
    for word in list.split_ascii_whitespace() {
        match word {
            "[last" | "unloaded:" | "[unloaded:" => loaded = false,
            word => {
                if let Some(module) = module(word.trim_end_matches(']'), loaded)
                    && found.len() < MOST
                {
                    found.push(module);
                }
            }
        }
    }
}

/// `nvidia(POE)`, `x(OE+)` while it loads, `x(OE):2` unloaded twice.
fn module(word: &str, loaded: bool) -> Option<Listed> {
    let (name, rest) = word.split_once('(')?;
    let letters = letters(rest)?;
    is_module_name(name).then(|| Listed {
        name: name.to_owned(),
        letters,
        flags: Mask(0),
        loaded,
    })
}

/// The letters up to the parenthesis.
fn letters(rest: &str) -> Option<String> {
    let inside = rest.split(')').next()?.chars();
    let letters: String = inside.filter(char::is_ascii_alphabetic).take(32).collect();
    (!letters.is_empty()).then_some(letters)
}

/// The letters of modules whose name was broken: they belong to a module whose name is not known.
pub(super) fn torn(lines: &[String]) -> String {
    let lists = lines.iter().filter_map(|line| line.split_once(MODULES));
    lists
        .flat_map(|(_, list)| list.split_ascii_whitespace())
        .filter(|word| word.contains(TORN))
        .filter_map(|word| letters(word.split_once('(')?.1))
        .collect()
}

/// Whether a text names a module with flags: `nvidia(POE)`.
pub(super) fn has_flags(text: &str) -> bool {
    let is_flagged = |word: &str| {
        let (name, rest) = word.split_once('(')?;
        let (flags, behind) = rest.split_once(')')?;
        let is_flags = !flags.is_empty() && flags.chars().all(|flag| "PFCOEKXNTJ+-".contains(flag));
        Some(is_flags && is_module_name(name) && behind.is_empty())
    };
    memchr::memchr(b'(', text.as_bytes()).is_some()
        && text
            .split_ascii_whitespace()
            .any(|word| is_flagged(word).unwrap_or(false))
}

/// A line of nothing but names, as a broken list goes on.
pub(super) fn is_list(line: &str) -> bool {
    let names = |word: &str| {
        is_module_name(word.split('(').next().unwrap_or_default())
            || matches!(word, "[last" | "unloaded:")
            || word.ends_with(']')
    };
    let mut words = line.split_ascii_whitespace().peekable();
    words.peek().is_some() && !line.contains("+0x") && words.all(names)
}

/// Which bit a module's letter is, by the mask and the release of the same report.
///
/// Upstream's letters of modules are those of `module_flags_taint` (`kernel/module/main.c`); `U` of Red Hat's old lists
/// means a module without a signature and is no flag of the mask.
pub(super) fn bits(letters: &str, mask: Option<Mask>, release: Option<Release>) -> Mask {
    letters
        .chars()
        .filter_map(|letter| bit_of(letter, mask, release))
        .fold(Mask(0), Mask::with)
}

fn bit_of(letter: char, mask: Option<Mask>, release: Option<Release>) -> Option<u32> {
    let candidates: &[u32] = match letter {
        'X' if release.is_some_and(|release| release.prints_x_for_unsigned()) => {
            &[bit::UNSIGNED_MODULE]
        }
        'P' => &[bit::PROPRIETARY_MODULE],
        'F' => &[bit::FORCED_MODULE],
        'C' => &[bit::CRAP],
        'O' => &[bit::OOT_MODULE],
        'E' => &[bit::UNSIGNED_MODULE],
        'K' => &[bit::LIVEPATCH],
        'J' => &[bit::FWCTL],
        'X' => &[bit::AUX, bit::SUSE_OLD_EXTERNAL_SUPPORT],
        'N' => &[bit::TEST, bit::SUSE_NO_SUPPORT, bit::SUSE_OLD_NO_SUPPORT],
        'n' => &[bit::SUSE_NO_SUPPORT],
        'p' => &[bit::RED_HAT_PARTNER_SUPPORTED],
        'T' | 't' => &[bit::RED_HAT_TECH_PREVIEW],
        _ => return None,
    };
    if let [only] = candidates {
        return Some(*only);
    }
    if let Some(mask) = mask {
        let mut set = candidates.iter().filter(|bit| mask.has(**bit));
        return set.next().copied().filter(|_| set.next().is_none());
    }
    match (letter, release?.version) {
        ('X', version) if version >= SUSE_BITS_MOVED => Some(bit::AUX),
        ('N', version) if version < SUSE_BITS_MOVED => Some(bit::SUSE_OLD_NO_SUPPORT),
        ('N', version) if version < TEST_SINCE => Some(bit::SUSE_NO_SUPPORT),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn short(lines: &[&str]) -> Vec<(String, String, bool)> {
        let lines: Vec<_> = lines.iter().map(|line| (*line).to_owned()).collect();
        let short = |module: Listed| (module.name, module.letters, module.loaded);
        listed(&lines).into_iter().map(short).collect()
    }

    #[test]
    fn lists_are_read_over_lines_and_behind_their_end() {
        let of = |name: &str, letters: &str, loaded| (name.to_owned(), letters.to_owned(), loaded);
        assert_eq!(
            short(&[
                "Modules linked in: a nvidia(POE) b",
                "vboxdrv(OE+) c [last unloaded: x(OE)]",
                "CPU: 0 PID: 1 Comm: d(E)",
            ]),
            [
                of("nvidia", "POE", true),
                of("vboxdrv", "OE", true),
                of("x", "OE", false)
            ]
        );
        assert_eq!(
            short(&["Unloaded tainted modules: y(POE):2"]),
            [of("y", "POE", false)]
        );
    }

    #[test]
    fn old_and_hostile_lists_give_what_is_a_module() {
        let names = |line: &str| -> Vec<String> {
            let modules = short(&[line]).into_iter();
            modules
                .map(|(name, letters, _)| format!("{name}:{letters}"))
                .collect()
        };
        // Red Hat 5 and 6 print each letter in parentheses of its own.
        assert_eq!(
            names("[ 9.1] Modules linked in: nvidia(P)(U) ipv6(U) autofs4(U)"),
            ["nvidia:P", "ipv6:U", "autofs4:U"]
        );
        assert_eq!(
            names("Modules linked in: a\u{1b}[2J(P) b(\u{202e}) ok(P) (P)"),
            ["ok:P"]
        );
    }

    proptest! {
        #[test]
        fn hostile_lists_do_no_harm(list in ".*") {
            for (name, letters, _) in short(&[&format!("{MODULES}{list}"), &format!("{UNLOADED}{list}"), &list]) {
                prop_assert!(is_module_name(&name) && letters.chars().all(|letter| letter.is_ascii_alphabetic()));
            }
        }
    }

    #[test]
    fn a_letter_that_fits_two_flags_needs_more_to_be_one() {
        assert_eq!(bits("POE", None, None), Mask(0x3001));
        assert_eq!(bits("N", None, None), Mask(0));
        assert_eq!(bits("N", Some(Mask(1 << 31)), None), Mask(1 << 31));
        assert_eq!(bits("N", Some(Mask(1 << 31 | 1 << 18)), None), Mask(0));
        assert_eq!(
            bits("N", None, Release::parse("4.12.14-122-default")),
            Mask(1 << 30)
        );
        assert_eq!(bits("U", None, Release::parse("2.6.32-754.el6")), Mask(0));
        let trusty = Release::parse("3.13.0-37-generic");
        assert_eq!(bits("OX", None, trusty), Mask(0x3000));
    }

    /// Upstream's letters as of 7.3, Red Hat's of 9, SUSE's of 15.
    #[test]
    fn each_letter_of_a_module_is_its_flag() {
        for (letter, bit) in [
            ("P", 0),
            ("F", 1),
            ("C", 10),
            ("O", 12),
            ("E", 13),
            ("K", 15),
            ("J", 19),
            ("n", 31),
            ("p", bit::RED_HAT_PARTNER_SUPPORTED),
            ("T", 29),
            ("t", 29),
        ] {
            assert_eq!(bits(letter, None, None), Mask(1 << bit), "{letter}");
        }
    }

    /// SUSE's bits moved with 5.3, and upstream has N since 6.0.
    #[test]
    fn the_release_tells_which_flag_a_letter_of_two_is() {
        let of = |letter, release| bits(letter, None, Release::parse(release)).0;
        assert_eq!(of("X", "5.3.18-57-default"), 1 << 16);
        assert_eq!(of("X", "4.12.14-122-default"), 0);
        assert_eq!(of("X", "6.4.0-150600-default"), 1 << 16);
        assert_eq!(of("N", "4.12.14-122-default"), 1 << 30);
        assert_eq!(of("N", "5.3.18-57-default"), 1 << 31);
        assert_eq!(of("N", "5.14.21-150400-default"), 1 << 31);
        assert_eq!(of("N", "6.0.1-1-default"), 0, "a test, or no support");
        assert_eq!(of("N", "6.4.0-150600-default"), 0);
    }

    #[test]
    fn a_flagged_module_is_a_name_with_letters_that_modules_have() {
        for text in ["nvidia(POE)", "a b nvidia(POE) c", "x(OE+)", "y(-)"] {
            assert!(has_flags(text), "{text}");
        }
        for text in [
            "f(x)",
            "f()",
            "a/b(OE)",
            "nvidia(POE):",
            "nvidia",
            "(OE)",
            "f(OEx)",
        ] {
            assert!(!has_flags(text), "{text}");
        }
    }

    #[test]
    fn letters_of_a_torn_name_are_kept_without_it() {
        let lines = [format!("Modules linked in: a(O) nvi{TORN}(POE) {TORN} b")];
        assert_eq!(torn(&lines), "POE");
    }
}
