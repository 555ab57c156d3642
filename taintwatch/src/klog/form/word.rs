//! Words in front of a text that name neither a machine nor a program.
//!
//! In: one word of a line. Out: whether it is the level of a message, the stream that it came through, or a mark that
//! stands where a name is missing.

/// The levels of `syslog.h` and of common loggers, with what is put around them: `WARNING`, `[info]`, `err:`,
/// `kern.warn`.
pub(super) fn is_level(word: &str) -> bool {
    const LEVELS: [&str; 19] = [
        "emerg",
        "emergency",
        "panic",
        "alert",
        "crit",
        "critical",
        "fatal",
        "err",
        "error",
        "warn",
        "warning",
        "notice",
        "info",
        "information",
        "default",
        "debug",
        "trace",
        "verbose",
        "severe",
    ];
    let inner =
        word.trim_matches(|c| matches!(c, '[' | ']' | '(' | ')' | '<' | '>' | ':' | ',' | '='));
    let level = inner.strip_prefix("kern.").unwrap_or(inner);
    LEVELS.iter().any(|known| known.eq_ignore_ascii_case(level))
}

/// `-`, `|`, `=>`: no letter and no number, and no bracket that may open a time.
pub(super) fn is_mark(word: &str) -> bool {
    !word.is_empty()
        && word
            .chars()
            .all(|c| !c.is_alphanumeric() && !matches!(c, '[' | ']' | '<' | '"' | '\''))
}

/// How a container's log names the stream of a line, and whether the line is whole:
/// `2026-11-24T12:00:00.123456789Z stdout F TEXT`.
pub(super) fn is_stream(word: &str) -> bool {
    matches!(word, "stdout" | "stderr" | "F" | "P")
}

/// `app[42]:`, which names a process: whatever stands behind it is the process's own text.
pub(super) fn is_process(word: &str) -> bool {
    let process = |word: &str| {
        let (name, pid) = word
            .strip_suffix(':')?
            .strip_suffix(']')?
            .rsplit_once('[')?;
        let is_pid = !pid.is_empty() && pid.bytes().all(|byte| byte.is_ascii_digit());
        Some(
            is_pid && name.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | ')')),
        )
    };
    process(word).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_known_with_what_is_around_them() {
        for level in ["WARNING", "[Info]", "err:", "kern.warn", "<debug>", "ALERT"] {
            assert!(is_level(level), "{level}");
        }
        for other in ["web1", "kern.host", "alerts", "", "[]"] {
            assert!(!is_level(other), "{other}");
        }
        assert!(is_process("app[42]:") && is_process("(sd-pam)[7]:"));
        assert!(!is_process("[42]:") && !is_process("app:") && !is_process("a[b]:"));
    }
}
