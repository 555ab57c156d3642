//! Names as a shell matches them.
//!
//! In: a pattern with `*`, `?` and `[…]`, and a name. Out: whether it matches, by `fnmatch(3)` without flags: kmod matches
//! aliases so.

use std::ffi::CString;

/// Whether the whole name matches. A text with a NUL matches nothing.
#[must_use]
pub fn matches(pattern: &str, name: &str) -> bool {
    let (Ok(pattern), Ok(name)) = (CString::new(pattern), CString::new(name)) else {
        return false;
    };
    // SAFETY: both are strings that end with NUL, and live until it returns.
    unsafe { libc::fnmatch(pattern.as_ptr(), name.as_ptr(), 0) == 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, name, expected) in [
            ("nv*", "nvidia", true),
            ("*_drm", "nvidia_drm", true),
            ("n?", "nv", true),
            ("n?", "n", false),
            ("tw_[a-c]*", "tw_boom", true),
            ("*", "", true),
            ("a*b*c", "aXbXbXc", true),
            ("a*b", "aXbX", false),
            ("", "x", false),
            ("a*", "a\0b", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    /// The time must not grow with the power of the number of stars.
    #[test]
    fn many_stars_end_soon() {
        assert!(!matches(&"*a".repeat(60), &"a".repeat(59)));
        assert!(!matches(&format!("{}b", "a*".repeat(60)), &"a".repeat(300)));
    }
}
