//! The taint mask as the kernel shows it: `/proc/sys/kernel/tainted`, readable by every user.

use std::fs;

use crate::event::Mask;

/// Where the kernel shows its mask, in decimal.
pub const PATH: &str = "/proc/sys/kernel/tainted";

/// Why the mask could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("read {PATH}: {0} (is /proc mounted?)")]
    Read(#[from] std::io::Error),
    #[error("{PATH} says {0:?}, which is no number")]
    Parse(String),
}

/// Reads the mask as it is now.
pub fn read() -> Result<Mask, Error> {
    parse(&fs::read_to_string(PATH)?)
}

fn parse(text: &str) -> Result<Mask, Error> {
    text.trim()
        .parse()
        .map(Mask)
        .map_err(|_not_a_number| Error::Parse(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_kernels_decimal_and_nothing_else() {
        assert_eq!(parse("12289\n").unwrap(), Mask(12289));
        assert!(parse("tainted").is_err());
        assert!(parse("").is_err());
    }
}
