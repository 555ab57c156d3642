//! The files of a folder or an archive that are not read.
//!
//! In: their names. Out: one sentence.

use crate::output::{escape::Escaped, format};

/// So many are named.
const MOST: usize = 8;

#[derive(Debug, Default)]
pub(super) struct LeftOut {
    names: Vec<String>,
    count: usize,
}

impl LeftOut {
    pub(super) fn add(&mut self, name: &str) {
        self.count += 1;
        if self.names.len() < MOST {
            self.names.push(Escaped(name).to_string());
        }
    }

    /// What was left out, and what the user can do.
    pub(super) fn message(&self) -> Option<String> {
        let more = self.count.saturating_sub(self.names.len());
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        let files = format::number(self.count, "file");
        let were = if self.count == 1 { "was" } else { "were" };
        (self.count > 0).then(|| {
            format!(
                "{files} {were} left out, by their names no kernel logs: {}{more}; name one to read it",
                self.names.join(", ")
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_are_named_and_the_rest_counted() {
        let mut left_out = LeftOut::default();
        assert_eq!(left_out.message(), None);
        left_out.add("etc/a\u{1b}b");
        let one = left_out.message().unwrap();
        assert!(
            one.starts_with("1 file was left out") && !one.contains('\u{1b}'),
            "{one}"
        );
        (0..20).for_each(|number| left_out.add(&number.to_string()));
        let many = left_out.message().unwrap();
        assert!(many.contains("6 and 13 more; name one"), "{many}");
    }
}
