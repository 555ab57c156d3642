//! Names as a shell matches them.
//!
//! In: a glob with `*` and `?`, and a name. Out: whether it fits.

/// In linear memory: the last star takes one more byte at each mismatch.
#[must_use]
pub fn fits(glob: &str, name: &str) -> bool {
    let (glob, name) = (glob.as_bytes(), name.as_bytes());
    let (mut at, mut star) = ((0, 0), None);
    loop {
        match (glob.get(at.0), name.get(at.1)) {
            (None, None) => return true,
            (Some(b'*'), _) => {
                star = Some((at.0 + 1, at.1));
                at.0 += 1;
            }
            (Some(wanted), Some(byte)) if *wanted == b'?' || wanted == byte => {
                at = (at.0 + 1, at.1 + 1);
            }
            _ => match star {
                Some((after, from)) if from < name.len() => {
                    star = Some((after, from + 1));
                    at = (after, from + 1);
                }
                _ => return false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        for (glob, name, expected) in [
            ("nv*", "nvidia", true),
            ("*_drm", "nvidia_drm", true),
            ("n?", "nv", true),
            ("n?", "n", false),
            ("*", "", true),
            ("a*b*c", "aXbXbXc", true),
            ("a*b", "aXbX", false),
            ("", "x", false),
        ] {
            assert_eq!(fits(glob, name), expected, "{glob} {name}");
        }
    }
}
