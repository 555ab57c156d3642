//! What a kernel's release tells of its taint flags.
//!
//! In: a release as `uname -r` says it. Out: the upstream version it is made of, and whose it is as far as it shows.

/// A kernel's version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Release {
    pub version: (u32, u32),
    /// The major release of Red Hat's family, `.el7`.
    pub el: Option<u32>,
}

impl Release {
    /// `3.10.0-1160.el7.x86_64`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split(|c: char| !c.is_ascii_digit());
        let mut next = || numbers.next()?.parse::<u32>().ok();
        let version = (next()?, next()?);
        let el = text.split_once(".el").and_then(|(_, rest)| {
            let end = rest
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(rest.len());
            rest.get(..end)?.parse().ok()
        });
        Some(Self { version, el })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_vendors_call_their_kernels() {
        let of = |text| Release::parse(text).map(|release| (release.version, release.el));
        assert_eq!(of("3.10.0-1160.el7.x86_64"), Some(((3, 10), Some(7))));
        assert_eq!(of("2.6.32-754.el6.i686"), Some(((2, 6), Some(6))));
        assert_eq!(of("6.12-rc1"), Some(((6, 12), None)));
        assert_eq!(of("7.3.4+deb14-amd64"), Some(((7, 3), None)));
        assert_eq!(of("next"), None);
    }
}
