//! The styles of printed text; `anstream` drops them where the output takes no colour.

use anstyle::{AnsiColor, Style};

pub const DIM: Style = Style::new().dimmed();
pub const BOLD: Style = Style::new().bold();
pub const ALARM: Style = AnsiColor::Red.on_default().bold();
pub const GOOD: Style = AnsiColor::Green.on_default();
pub const CAUTION: Style = AnsiColor::Yellow.on_default();
pub const NEUTRAL: Style = Style::new();
