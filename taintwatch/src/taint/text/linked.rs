//! The modules that a kernel's report lists, with their letters.
//!
//! In: `Modules linked in: nvidia(POE) ext4 [last unloaded: x]` and its kin. Out: names and letters. The
//! states `+` (coming) and `-` (going) are no flags and are left out.

/// `MODULE_NAME_LEN` is at most 64.
const LONGEST_NAME: usize = 64;

/// The modules of a line with `Modules linked in:`; none for other lines. Letters are as printed: Red Hat 5
/// and 6 print each in its own parentheses, `nvidia(P)(U)`, and mean by U there that it is not signed.
#[must_use]
pub fn modules_linked_in(line: &str) -> Vec<(String, String)> {
    line.split_once("Modules linked in:")
        .map_or_else(Vec::new, |(_, modules)| linked(modules))
}

/// The modules of a line that goes on with such a list.
#[must_use]
pub fn linked(text: &str) -> Vec<(String, String)> {
    let list = text.split("[last unloaded").next().unwrap_or(text);
    list.split([' ', ',', '\t', '\n', '\r'])
        .filter_map(module)
        .collect()
}

/// `Unloaded tainted modules: NAME(LETTERS):COUNT …` (6.0 and later, where the kernel keeps them).
#[must_use]
pub fn unloaded_tainted(line: &str) -> Vec<(String, String, u64)> {
    let counted = |word: &str| {
        let (module, count) = word.rsplit_once(':')?;
        let (name, letters) = self::module(module)?;
        Some((name, letters, count.parse().ok()?))
    };
    line.split_once("Unloaded tainted modules:")
        .map_or_else(Vec::new, |(_, list)| {
            list.split_ascii_whitespace().filter_map(counted).collect()
        })
}

/// `NAME`, `NAME(LETTERS)`, `NAME(L)(L)`.
fn module(word: &str) -> Option<(String, String)> {
    let (name, flags) = word.find('(').map_or((word, ""), |at| word.split_at(at));
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-';
    if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(is_name) {
        return None;
    }
    let mut letters = String::new();
    for letter in flags.chars() {
        match letter {
            _ if letter.is_ascii_alphabetic() && !letters.contains(letter) => letters.push(letter),
            '(' | ')' | '+' | '-' | '?' => {}
            _ if letter.is_ascii_alphabetic() => {}
            _ => return None,
        }
    }
    (flags.is_empty() || flags.ends_with(')')).then(|| (name.to_owned(), letters))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn short(line: &str) -> String {
        let modules = modules_linked_in(line);
        let words: Vec<_> = modules
            .iter()
            .map(|(name, letters)| format!("{name}:{letters}"))
            .collect();
        words.join(" ")
    }

    #[test]
    fn reads_the_lists_of_old_and_new_kernels() {
        for (line, expected) in [
            (
                "Modules linked in: nvidia(POE) ext4 vboxdrv(OE+) x(E-) [last unloaded: gone]",
                "nvidia:POE ext4: vboxdrv:OE x:E",
            ),
            (
                "[ 9.1] Modules linked in: nvidia(P)(U) ipv6(U) autofs4(U)",
                "nvidia:PU ipv6:U autofs4:U",
            ),
            (
                "Modules linked in: mlx5_core(OEX) ast(EN) knem(OEX)",
                "mlx5_core:OEX ast:EN knem:OEX",
            ),
            ("Modules linked in:", ""),
            ("nothing", ""),
            (
                "Modules linked in: a\u{1b}[2J(P) b(\u{202e}) ok(P) c(P",
                "ok:P",
            ),
        ] {
            assert_eq!(short(line), expected, "{line}");
        }
        let gone = "Unloaded tainted modules: acpi_cpufreq(E):1 tw(OE):23 bad(OE) worse:x";
        assert_eq!(
            unloaded_tainted(gone),
            [
                ("acpi_cpufreq".to_owned(), "E".to_owned(), 1),
                ("tw".to_owned(), "OE".to_owned(), 23)
            ]
        );
    }

    proptest! {
        #[test]
        fn hostile_lists_do_no_harm(list in ".*") {
            for (name, letters) in modules_linked_in(&format!("Modules linked in: {list}")) {
                prop_assert!(name.len() <= 64 && letters.chars().all(|letter| letter.is_ascii_alphabetic()));
            }
            _ = unloaded_tainted(&list);
        }
    }
}
