//! Lines that a terminal, a mail program or a logger's limit broke, put together again.
//!
//! In: lines as they stand in a file, and whether each begins with a prefix. Out: whole lines. A line goes on in the
//! next where that has no prefix and its first word had no room, or where both are of a list of modules. Where a name may
//! have been broken or not, a mark stands in it, so that neither half is taken for a name.

use super::{
    certain::is_certain,
    form::{self, Beginning},
    line::LONGEST_LINE,
    marks::{MODULES, is_part},
    modules::{TORN, is_list},
};
use crate::taint::{log::TaintLine, text};

/// How a mail program marks that it broke a line (quoted-printable).
const SOFT: char = '=';
/// No terminal is narrower.
const NARROWEST: usize = 40;

/// A line whose end may not have come.
#[derive(Debug, Default)]
pub(super) struct Wrapped {
    pieces: Vec<Piece>,
    bytes: usize,
    /// Where the first piece stands in the file.
    number: u64,
    /// It has a prefix, or the log has none.
    is_record: bool,
    /// The widest line so far.
    widest: usize,
    /// At so many characters lines are cut, whatever stands there.
    cut_at: Option<usize>,
    /// How long the first piece of the last line that was broken once was.
    once: Option<usize>,
}

/// One line of the file.
#[derive(Debug)]
struct Piece {
    text: String,
    /// With the marks that a mail program put in front.
    width: usize,
}

impl Wrapped {
    /// A line of its own begins.
    pub(super) fn begin(&mut self, text: &str, number: u64, beginning: Beginning) {
        self.pieces.clear();
        self.bytes = 0;
        self.push(text.to_owned(), width(text));
        self.number = number;
        self.is_record = beginning != Beginning::Text;
    }

    /// Takes the next line when it is the rest of the last.
    pub(super) fn take(&mut self, text: &str, beginning: Beginning, is_stamped: bool) -> bool {
        let goes_on =
            self.goes_on(text, beginning, is_stamped) && self.bytes + text.len() < LONGEST_LINE;
        if goes_on {
            self.push(form::bare(text).to_owned(), width(text));
        }
        goes_on
    }

    fn push(&mut self, text: String, width: usize) {
        self.widest = self.widest.max(width);
        self.bytes += text.len();
        self.pieces.push(Piece { text, width });
    }

    /// The line that is whole, and where it begins in the file.
    pub(super) fn end(&mut self) -> Option<(String, u64)> {
        let pieces = std::mem::take(&mut self.pieces);
        if pieces.len() > 1 {
            self.learn(&pieces);
        }
        let mut pieces = pieces.into_iter();
        let first = pieces.next()?;
        let (mut whole, mut at) = (first.text, first.width);
        for piece in pieces {
            self.join(&mut whole, at, &piece.text);
            at = piece.width;
        }
        whole.truncate(whole.trim_end().len());
        Some((whole, self.number))
    }

    fn goes_on(&self, text: &str, beginning: Beginning, is_stamped: bool) -> bool {
        let (Some(first), Some(last)) = (self.pieces.first(), self.pieces.last()) else {
            return false;
        };
        if text.trim().is_empty() {
            return false;
        }
        let is_full = self.is_full(last.width, text);
        match beginning {
            Beginning::Record => is_full && ends_in_time(&last.text),
            Beginning::Inside => is_full && self.is_record && is_stamped,
            Beginning::Text => {
                let is_soft = is_stamped && last.text.ends_with(SOFT);
                let in_list = first.text.contains(MODULES) && is_list(form::bare(text));
                let is_cut = self.cut_at == Some(last.width);
                let is_own =
                    || is_certain(text) || is_part(text) || TaintLine::parse(text).is_some();
                let can = is_stamped && self.is_record || is_certain(&first.text);
                let is_rest = is_full && can && (is_cut || !is_own()) && !is_complete(&last.text);
                is_soft || in_list || is_rest
            }
        }
    }

    /// Whether the first word of a text had no room in a line of this width.
    fn is_full(&self, at: usize, text: &str) -> bool {
        let word = text.split(' ').next().unwrap_or_default();
        at >= NARROWEST && at + 1 + width(word) > self.widest && width(text) <= self.widest
    }

    /// Pieces of one width were cut at it.
    fn learn(&mut self, pieces: &[Piece]) {
        let full = || pieces.iter().rev().skip(1).map(|piece| piece.width);
        let widest = full().max();
        if full().filter(|width| Some(*width) == widest).count() > 1 || self.once == widest {
            self.cut_at = widest;
        } else if full().count() == 1 {
            self.once = widest;
        }
    }

    fn join(&self, whole: &mut String, at: usize, piece: &str) {
        if whole.ends_with(SOFT) {
            whole.pop();
            whole.push_str(piece);
            return;
        }
        if whole.ends_with(' ') || piece.starts_with(' ') {
            whole.push_str(piece);
            return;
        }
        match self.cut_at {
            Some(cut) if cut == at => {}
            // Blanks at the end of a line were lost.
            Some(cut) if cut > at && cut - at < 8 => {
                whole.extend(std::iter::repeat_n(' ', cut - at));
            }
            _ if whole.contains(MODULES) => whole.push_str(of_list(whole, piece)),
            _ => whole.push_str(of_text(whole, piece)),
        }
        whole.push_str(piece);
    }
}

/// What stands between two pieces of a list of modules.
fn of_list(whole: &str, piece: &str) -> &'static str {
    let last = whole.rsplit(' ').next().unwrap_or_default();
    let first = piece.split(' ').next().unwrap_or_default();
    let is_open = last.contains('(') && !last.contains(')');
    if is_open || first.starts_with(['(', ')', ']']) {
        ""
    } else if last.ends_with([')', ']', ':']) || !first.contains(['(', ')']) {
        " "
    } else {
        TORN
    }
}

/// What stands between two pieces of any other line: what makes it a text of the kernel.
fn of_text(whole: &str, piece: &str) -> &'static str {
    let is_known = |joint: &str| {
        let line = format!("{whole}{joint}{piece}");
        let is_state = |line: &str| {
            let state = text::line(line);
            state.is_some_and(|state| !state.notes.iter().any(|note| note.contains("blanks")))
        };
        is_state(&line) || TaintLine::parse(&line).is_some()
    };
    if is_known("") && !is_known(" ") {
        ""
    } else {
        " "
    }
}

fn width(text: &str) -> usize {
    text.chars().count()
}

/// `… kernel: [   12.3`: the time goes on in the next line, which then looks like a prefix.
fn ends_in_time(line: &str) -> bool {
    line.rsplit_once('[').is_some_and(|(_, time)| {
        time.chars()
            .all(|c| c.is_ascii_digit() || matches!(c, ' ' | '.'))
    })
}

/// A sentence of the kernel that has its end.
fn is_complete(line: &str) -> bool {
    line.trim_end().ends_with('.')
}
