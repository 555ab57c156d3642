//! Where the time of a run went.
//!
//! In: what was done, for how long, with how many boots. Out: a table, the longest first.

use std::{cmp::Reverse, time::Duration};

/// The rows of the table.
#[derive(Default)]
pub(super) struct Times(Vec<Row>);

struct Row {
    name: String,
    took: Duration,
    boots: u32,
}

impl Times {
    pub(super) fn add(&mut self, name: &str, took: Duration, boots: u32) {
        self.0.push(Row {
            name: name.to_owned(),
            took,
            boots,
        });
    }

    pub(super) fn absorb(&mut self, part: Self) {
        self.0.extend(part.0);
    }

    /// Rows overlap: their sum is more than the time from begin to end.
    pub(super) fn table(&mut self, from_begin_to_end: Duration) -> String {
        self.0.sort_by_key(|row| Reverse(row.took));
        let width = self.0.iter().map(|row| row.name.len()).max();
        let width = width.unwrap_or(0).max("from begin to end".len()) + 2;
        let mut out = format!("\n{:width$}{:>8}{:>7}\n", "time", "seconds", "boots");
        let mut boots = 0;
        for row in &self.0 {
            boots += row.boots;
            out += &line(width, &row.name, row.took, row.boots);
        }
        out + &line(width, "from begin to end", from_begin_to_end, boots)
    }
}

fn line(width: usize, name: &str, took: Duration, boots: u32) -> String {
    let boots = if boots == 0 {
        String::new()
    } else {
        boots.to_string()
    };
    let line = format!("{name:width$}{:>8.1}{boots:>7}", took.as_secs_f64());
    format!("{}\n", line.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_is_first_and_boots_are_added_up() {
        let mut times = Times::default();
        times.add("clippy", Duration::from_secs(2), 0);
        times.add("6.1: crash", Duration::from_mins(1), 2);
        let expected = "
time                seconds  boots
6.1: crash             60.0      2
clippy                  2.0
from begin to end      61.0      2
";
        assert_eq!(times.table(Duration::from_secs(61)), expected);
    }
}
