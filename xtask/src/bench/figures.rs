//! The figures of one kernel: names and numbers.
//!
//! In: lines of the guest, or `docs/bench/SERIES.json`. Out: that file, a table, and what became worse.

use std::{collections::BTreeMap, fs, path::PathBuf};

use anyhow::{Context as _, Result};

use crate::cache;

/// By name.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Figures(BTreeMap<String, u64>);

/// Counted by time or by pages, and not by instructions: they differ a little each time, and are not compared.
const UNEVEN: [&str; 4] = ["idle.", "memory.", "bare.module", "ours.module"];
/// Below this a tenth is a matter of one instruction or two.
const SMALL: u64 = 50;

impl Figures {
    /// Takes a line `count NAME VALUE` of the guest; any other one is none.
    pub(crate) fn line(&mut self, line: &str) -> bool {
        let mut words = line.split(' ');
        let (Some("count"), Some(name), Some(Ok(value)), None) = (
            words.next(),
            words.next(),
            words.next().map(str::parse),
            words.next(),
        ) else {
            return false;
        };
        self.add(name, value);
        true
    }

    pub(crate) fn add(&mut self, name: &str, value: u64) {
        self.0.insert(name.to_owned(), value);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The kept ones.
    pub(crate) fn read(series: &str) -> Result<Self> {
        let path = path(series)?;
        let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        let kept = serde_json::from_str(&text);
        kept.map(Self)
            .with_context(|| format!("read {}", path.display()))
    }

    pub(crate) fn write(&self, series: &str) -> Result<()> {
        let path = path(series)?;
        let text = serde_json::to_string_pretty(&self.0)? + "\n";
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&path, text).with_context(|| format!("write {}", path.display()))
    }

    /// Each figure beside the kept one.
    pub(crate) fn table(&self, series: &str, kept: &Self) -> String {
        let mut out = format!("{series:<34}{:>16}{:>16}\n", "now", "docs/bench");
        for (name, value) in &self.0 {
            let was = kept.0.get(name).map(ToString::to_string);
            let was = was.unwrap_or_default();
            out = format!("{out}{name:<34}{value:>16}{was:>16}\n");
        }
        out
    }

    /// Those that are more than a tenth above the kept ones.
    pub(crate) fn worse(&self, kept: &Self) -> Vec<String> {
        let counted = |name: &str| !UNEVEN.iter().any(|begin| name.starts_with(begin));
        let both = self
            .0
            .iter()
            .filter_map(|(name, now)| Some((name, *now, *kept.0.get(name)?)));
        both.filter(|(name, now, was)| {
            counted(name) && now.saturating_sub(SMALL).saturating_mul(10) > was.saturating_mul(11)
        })
        .map(|(name, now, was)| format!("{name}: {now}, and {was} before"))
        .collect()
    }
}

fn path(series: &str) -> Result<PathBuf> {
    Ok(cache::checkout()?.join(format!("docs/bench/{series}.json")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(lines: &[&str]) -> Figures {
        let mut figures = Figures::default();
        for line in lines {
            assert!(figures.line(line), "{line}");
        }
        figures
    }

    #[test]
    fn only_whole_lines_are_figures() {
        let mut figures = Figures::default();
        for line in ["count a", "count a x", "count a 1 2", "counts a 1", ""] {
            assert!(!figures.line(line), "{line}");
        }
        assert!(figures.is_empty());
    }

    #[test]
    fn more_than_a_tenth_is_worse_and_what_differs_by_itself_is_not_compared() {
        let kept = figures(&["count a.call 1000", "count idle.minute 2", "count b 10"]);
        let now = |line| figures(&[line]).worse(&kept);
        assert_eq!(now("count a.call 1150"), Vec::<String>::new());
        assert_eq!(now("count a.call 1151"), ["a.call: 1151, and 1000 before"]);
        assert_eq!(now("count idle.minute 900"), Vec::<String>::new());
        assert_eq!(
            now("count b 60"),
            Vec::<String>::new(),
            "a few more instructions"
        );
        assert_eq!(now("count new 5"), Vec::<String>::new());
    }
}
