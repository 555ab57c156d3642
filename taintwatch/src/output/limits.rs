//! How much a report shows in full. What is beyond is counted, and the report says so.
//!
//! In: what is printed, and how many boots share it. Out: how many of each thing.

/// How many of each thing a report shows.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Timeline entries with all that is known of them, over all boots.
    pub entries: usize,
    /// Lines that stand for the other events, over all boots.
    pub groups: usize,
    /// Modules with all that is known of them, over all boots.
    pub modules: usize,
    /// Items of one list: the causes of a flag, the loads of a module, the gaps of a boot …
    pub list: usize,
}

impl Limits {
    /// A text to read or to mail.
    pub const TEXT: Self = Self {
        entries: 150,
        groups: 60,
        modules: 60,
        list: 10,
    };
    /// A page for a browser, which folds and filters.
    pub const PAGE: Self = Self {
        entries: 300,
        groups: 200,
        modules: 150,
        list: 20,
    };
    /// Everything.
    pub const FULL: Self = Self {
        entries: usize::MAX,
        groups: usize::MAX,
        modules: usize::MAX,
        list: usize::MAX,
    };

    /// One boot's part of what all boots share.
    #[must_use]
    pub fn share(all: usize, boots: usize) -> usize {
        /// So many even where there are very many boots.
        const LEAST: usize = 3;
        (all / boots.max(1)).max(LEAST)
    }

    /// The first items of a list, and how many there are more.
    #[must_use]
    pub fn first<T>(self, all: &[T]) -> (&[T], usize) {
        let shown = all.len().min(self.list);
        let (shown, more) = all.split_at_checked(shown).unwrap_or((all, &[]));
        (shown, more.len())
    }
}
