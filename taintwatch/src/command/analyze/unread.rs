//! Lines that speak of a taint and gave no event.
//!
//! In: what was read of each log. Out: a sentence that names their places.

use crate::{
    klog::{Unread, stream::Read},
    output::{escape::Escaped, format},
};

/// Logs of which the lines are named.
const MOST: usize = 4;

/// The lines of one input.
#[derive(Default)]
pub(super) struct Doubts {
    unread: Places,
    programs: Places,
}

#[derive(Default)]
struct Places {
    count: u64,
    texts: Vec<String>,
}

impl Doubts {
    pub(super) fn add(&mut self, log: &str, read: &Read) {
        self.unread.add(log, &read.unread);
        self.programs.add(log, &read.programs);
    }

    pub(super) fn is_none(&self) -> bool {
        self.unread.count + self.programs.count == 0
    }

    /// What was not understood; what programs wrote matters only where there is nothing else.
    pub(super) fn text(&self, is_empty: bool) -> Option<String> {
        let unread = self.unread.text("not understood");
        let programs = || self.programs.text("no line of the kernel's");
        unread.or_else(|| programs().filter(|_| is_empty))
    }
}

impl Places {
    fn add(&mut self, log: &str, unread: &Unread) {
        if unread.count == 0 {
            return;
        }
        self.count += unread.count;
        if self.texts.len() < MOST {
            let numbers: Vec<_> = unread.first.iter().map(u64::to_string).collect();
            let more = if unread.count > numbers.len() as u64 {
                " …"
            } else {
                ""
            };
            self.texts
                .push(format!("{}:{}{more}", Escaped(log), numbers.join(",")));
        }
    }

    fn text(&self, what: &str) -> Option<String> {
        let count = usize::try_from(self.count).unwrap_or(usize::MAX);
        let lines = format::number(count, "line");
        let verb = if self.count == 1 { "speaks" } else { "speak" };
        (self.count > 0).then(|| {
            format!(
                "{lines} that {verb} of a taint or a crash: {what}: {}",
                self.texts.join("; ")
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_places_are_named_and_programs_only_where_nothing_else_is() {
        let mut doubts = Doubts::default();
        let unread = |lines: &[u64]| Unread {
            count: lines.len() as u64,
            first: lines.to_vec(),
        };
        let read = |unread, programs| Read {
            unread,
            programs,
            ..Read::default()
        };
        doubts.add("a", &read(unread(&[]), unread(&[7])));
        assert_eq!(doubts.text(false), None);
        let programs = "1 line that speaks of a taint or a crash: no line of the kernel's: a:7";
        assert_eq!(doubts.text(true).as_deref(), Some(programs));
        doubts.add("b", &read(unread(&[3, 9]), unread(&[])));
        let both = "2 lines that speak of a taint or a crash: not understood: b:3,9";
        assert_eq!(doubts.text(false).as_deref(), Some(both));
        assert!(!doubts.is_none());
    }
}
