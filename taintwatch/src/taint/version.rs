//! Versions of kernels, as far as flags and printed texts depend on them.
//!
//! In: a release as `uname -r` prints it. Out: the version that it begins with, which can be compared.

use std::fmt;

/// A kernel's version: major and minor, up to 2.6 with the patch level, which was what counted then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    major: u32,
    minor: u32,
    patch: u32,
}

impl Version {
    /// `4.18`: from 3.0 on.
    #[must_use]
    pub const fn new(major: u32, minor: u32) -> Self {
        Self {
            major,
            minor,
            patch: 0,
        }
    }

    /// `2.6.32`: up to 2.6.
    #[must_use]
    pub const fn two_six(patch: u32) -> Self {
        Self {
            major: 2,
            minor: 6,
            patch,
        }
    }

    /// The version that a release begins with: `3.10.0-1160.el7.x86_64` is 3.10.
    #[must_use]
    pub fn parse(release: &str) -> Option<Self> {
        let mut numbers = release.split(['.', '-', '+', '_']).map(str::parse);
        let (major, minor) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
        let patch = numbers.next().and_then(Result::ok);
        Some(Self {
            major,
            minor,
            patch: patch.filter(|_| major == 2).unwrap_or(0),
        })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)?;
        if self.patch > 0 {
            write!(f, ".{}", self.patch)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        let version = Version::parse;
        assert_eq!(version("2.6.32-358.el6"), Some(Version::two_six(32)));
        assert_eq!(version("2.6.9-5.ELsmp"), Some(Version::two_six(9)));
        assert_eq!(version("6.12.0-rc1"), Some(Version::new(6, 12)));
        assert_eq!(version("v6"), None);
        assert!(Version::two_six(9) < Version::two_six(32));
        assert!(Version::two_six(39) < Version::new(3, 0));
    }

    #[test]
    fn versions_are_printed_as_people_write_them() {
        assert_eq!(Version::two_six(32).to_string(), "2.6.32");
        assert_eq!(Version::two_six(0).to_string(), "2.6");
        assert_eq!(Version::new(6, 0).to_string(), "6.0");
    }
}
