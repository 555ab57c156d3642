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
use crate::taint::{
    log::{Printer, TaintLine, module_of},
    text,
};

/// How a mail program marks that it broke a line (quoted-printable).
const SOFT: char = '=';
/// Widths that terminals begin with.
const COMMON: [usize; 4] = [80, 100, 120, 132];
/// No terminal is narrower.
const NARROWEST: usize = 40;

/// A line whose end may not have come.
#[derive(Debug, Default)]
pub(super) struct Wrapped {
    pieces: Vec<Piece>,
    bytes: usize,
    /// Where the first piece stands in the file.
    number: u64,
    /// How it begins.
    beginning: Option<Beginning>,
    /// How wide the last piece of the line before is, where a name may have been broken at its end.
    half: Option<usize>,
    /// The widest line so far.
    widest: usize,
    /// The widest piece of a line that was broken, and how many of them were as wide, and how many were not.
    cut: usize,
    as_wide: usize,
    narrower: usize,
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
        let is_half = beginning == Beginning::Text && self.may_be_half(text);
        let whole = if is_half {
            format!("{TORN}{}", text.trim_start())
        } else {
            text.to_owned()
        };
        self.push(whole, width(text));
        self.number = number;
        self.beginning = Some(beginning);
    }

    /// Whether a single line is held.
    pub(super) fn is_one(&self) -> bool {
        self.pieces.len() == 1
    }

    /// A line of so many characters is passed over: one that is no rest of another, and has none.
    pub(super) fn pass(&mut self, width: usize) {
        self.widest = self.widest.max(width);
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
        let is_record = self.beginning != Some(Beginning::Text);
        let last = pieces
            .last()
            .filter(|last| is_record && ends_in_name(&last.text));
        self.half = last.map(|last| last.width);
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
        let is_record = self.beginning != Some(Beginning::Text);
        let is_stamped = is_stamped || is_record;
        match beginning {
            Beginning::Record => is_full && ends_in_time(&last.text),
            // Where the unknown prefix stands in front of each line it is no rest of a record.
            Beginning::Inside => {
                is_full
                    && self.beginning == Some(Beginning::Record)
                    && self.cut_at() == Some(last.width)
            }
            Beginning::Text => {
                let is_soft = is_stamped && last.text.ends_with(SOFT);
                let in_list =
                    first.text.contains(MODULES) && is_list_behind(&last.text, form::bare(text));
                let is_cut = self.cut_at() == Some(last.width);
                let is_own = || {
                    is_certain(text)
                        || !is_stamped && is_part(text)
                        || TaintLine::parse(text).is_some()
                };
                // Without prefixes any line has none: more must show that it is a rest.
                let can = is_record
                    || is_certain(&first.text)
                        && (is_cut || COMMON.contains(&last.width) || is_half_a_state(&first.text));
                let is_rest = is_full && can && (is_cut || !is_own()) && !is_complete(&last.text);
                // A prefix alone: its text had no room.
                let is_bare = ends_in_time(last.text.trim_end().trim_end_matches(']'));
                let is_whole = is_bare || is_module_of(&last.text, text);
                is_soft || in_list || is_rest || is_full && is_whole
            }
        }
    }

    /// Whether the name of a module that a text begins with may be the rest of one: the line before had no room for it,
    /// nor would it with the indentation of this one.
    fn may_be_half(&self, text: &str) -> bool {
        let names =
            |text| TaintLine::parse(text).is_some_and(|line| line.printer == Printer::Loader);
        let inner = text.trim_start();
        let indent = width(text) - width(inner);
        self.half.is_some_and(|at| self.is_full(at + indent, inner)) && names(text)
    }

    /// Whether the first word of a text had no room in a line of this width.
    fn is_full(&self, at: usize, text: &str) -> bool {
        let word = text.split(' ').next().unwrap_or_default();
        at >= NARROWEST && at + 1 + width(word) > self.widest.max(width(text))
    }

    /// How wide the pieces are that did not end a line.
    fn learn(&mut self, pieces: &[Piece]) {
        for piece in pieces.iter().rev().skip(1) {
            if piece.width > self.cut {
                // A blank at the end of a line may have been lost.
                if piece.width > self.cut + 1 {
                    self.narrower += self.as_wide;
                }
                (self.cut, self.as_wide) = (piece.width, 0);
            }
            if piece.width == self.cut {
                self.as_wide += 1;
            } else if piece.width + 1 < self.cut {
                self.narrower += 1;
            }
        }
    }

    /// At so many characters lines are cut, whatever stands there: most pieces are as wide. Between words they seldom are.
    fn cut_at(&self) -> Option<usize> {
        (self.as_wide > 1 && self.narrower * 2 <= self.as_wide).then_some(self.cut)
    }

    fn join(&self, whole: &mut String, at: usize, piece: &str) {
        // A list has one blank between its names: more are an indentation.
        let is_indented =
            whole.contains(MODULES) && (piece.starts_with("  ") || piece.starts_with('\t'));
        let piece = if is_indented {
            piece.trim_start()
        } else {
            piece
        };
        if whole.ends_with(SOFT) {
            whole.pop();
        } else if !whole.ends_with(' ') && !piece.starts_with(' ') && !ends_in_time(whole) {
            let is_list = whole.contains(MODULES);
            let known = if is_list { of_list(whole, piece) } else { None };
            match (known, self.cut_at()) {
                (Some(joint), _) => whole.push_str(joint),
                // Whether a blank belongs to the indentation cannot be seen.
                (None, _) if is_indented => whole.push_str(TORN),
                (None, Some(cut)) if cut == at => {}
                // Blanks at the end of a line were lost.
                (None, Some(cut)) if cut > at && cut - at < 8 => {
                    whole.extend(std::iter::repeat_n(' ', cut - at));
                }
                // There was room for a part of the word: it was broken between words.
                _ if self.widest > at => whole.push(' '),
                _ if is_list => whole.push_str(TORN),
                _ => whole.push_str(of_text(whole, piece)),
            }
        }
        whole.push_str(piece);
    }
}

/// What stands between two pieces of a list of modules, where that is certain, or where no flag depends on it.
fn of_list(whole: &str, piece: &str) -> Option<&'static str> {
    let last = whole.rsplit(' ').next().unwrap_or_default();
    let first = piece.split(' ').next().unwrap_or_default();
    if is_open(last) || first.starts_with(['(', ')', ']']) {
        Some("")
    } else if last.ends_with([')', ']', ':']) || !first.contains(['(', ')']) {
        Some(" ")
    } else {
        None
    }
}

/// Whether a line ends in what may be a part of a module's name.
fn ends_in_name(line: &str) -> bool {
    line.ends_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
}

/// Whether a list ends within the flags of a module.
fn is_open(list: &str) -> bool {
    list.rfind('(') > list.rfind(')')
}

/// Whether a text goes on with a list of modules that ends with a line.
fn is_list_behind(line: &str, text: &str) -> bool {
    let names = if is_open(line) {
        text.split_once(')').map_or("", |(_, names)| names)
    } else {
        text.trim_start_matches(['(', ')', ']'])
    };
    names.trim().is_empty() || is_list(names)
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
    if whole.ends_with('/') || is_half_a_release(whole, piece) || is_known("") && !is_known(" ") {
        ""
    } else {
        " "
    }
}

/// `… Tainted: G  OE  6.1.0-5`, and `0-amd64 #1`: the number of the build stands next to the release.
fn is_half_a_release(whole: &str, piece: &str) -> bool {
    let last = whole.rsplit(' ').next().unwrap_or_default();
    let mut words = piece.split(' ');
    let (first, second) = (words.next(), words.next());
    let is_build = |word: Option<&str>| word.is_some_and(|word| word.starts_with('#'));
    last.starts_with(|c: char| c.is_ascii_digit())
        && last.contains('.')
        && !is_build(first)
        && is_build(second)
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

/// `CPU: 1 PID: 7 Comm: x Tainted: G   `, where the release and the number of the build stand behind the flags.
fn is_half_a_state(line: &str) -> bool {
    line.contains("ainted") && !line.contains(" #")
}

/// `… at f+0x1/0x2`, and `[foo]` alone in the next line.
fn is_module_of(line: &str, text: &str) -> bool {
    let is_code = line
        .rsplit(' ')
        .next()
        .is_some_and(|word| word.contains("+0x"));
    let name = text
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'));
    is_code && name.is_some() && name == module_of(text)
}

/// A sentence of the kernel that has its end; behind a digit may stand the rest of a number.
fn is_complete(line: &str) -> bool {
    let sentence = line.trim_end().strip_suffix('.');
    sentence.is_some_and(|sentence| !sentence.ends_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The whole lines, each line of the file with its beginning.
    fn whole(lines: &[&str]) -> Vec<String> {
        let mut wrapped = Wrapped::default();
        let mut out = Vec::new();
        let mut source = form::Source::default();
        for (number, line) in (1..).zip(lines) {
            let beginning = source.beginning(line);
            if !wrapped.take(line, beginning, false) {
                out.extend(wrapped.end().map(|(line, _)| line));
                wrapped.begin(line, number, beginning);
            }
        }
        out.extend(wrapped.end().map(|(line, _)| line));
        out
    }

    #[test]
    fn a_list_of_modules_goes_on_and_a_name_that_may_be_broken_is_none() {
        let list = "[    1.000000] Modules linked in: vboxdrv(OE) usb_storage lib";
        for (lines, expected) in [
            (
                vec![list, "zfs(PO) spl(O)"],
                format!("{list}…zfs(PO) spl(O)"),
            ),
            (vec![list, "(PO) spl(O)"], format!("{list}(PO) spl(O)")),
            (vec![list, "zfs spl(O)"], format!("{list} zfs spl(O)")),
            (
                vec![list, "    zfs(PO) spl(O)"],
                format!("{list}…zfs(PO) spl(O)"),
            ),
            (
                vec!["Modules linked in: a(P", "O) b"],
                "Modules linked in: a(PO) b".to_owned(),
            ),
            (
                vec![
                    "[    0.100000] This line shows that more fits in a line than the next.",
                    list,
                    "zfs(PO)",
                ],
                format!("{list} zfs(PO)"),
            ),
        ] {
            assert_eq!(whole(&lines).pop(), Some(expected));
        }
    }

    #[test]
    fn a_release_goes_on_to_the_number_of_the_build() {
        let state =
            "[   19.000003] CPU: 1 PID: 77 Comm: VBoxHeadless Tainted: P           OE      6.";
        for (half, rest, joint) in [
            (&state[15..], "1.0-50-amd64 #1 Debian", ""),
            (state, "1.0-50-amd64 #1", ""),
            (&format!("{}1.0", &state[15..])[..], "#1 Debian", " "),
        ] {
            assert_eq!(whole(&[half, rest]), [format!("{half}{joint}{rest}")]);
        }
    }

    #[test]
    fn a_line_behind_code_is_no_module_of_it() {
        let lines = [
            "WARNING: at net/sched/sch_generic.c:222 dev_watchdog+0x8f/0xd3()",
            "Modules linked in: nfs lockd sunrpc r8169",
        ];
        assert_eq!(whole(&lines), lines);
    }

    #[test]
    fn what_may_be_the_rest_of_a_name_is_none() {
        let text = "boxdrv: loading out-of-tree module taints kernel.";
        let half = "Nov 24 12:00:00 web1 kernel: [    9.123456] vvvvv";
        assert_eq!(whole(&[half, text])[1], format!("{TORN}{text}"));
        let end = "Nov 24 12:00:00 web1 kernel: [    9.123456] It is.";
        assert_eq!(whole(&[end, text])[1], text);
        let wide =
            "Nov 24 12:00:00 web1 kernel: [    9.123456] There is room for more in this one.";
        assert_eq!(whole(&[wide, half, text])[2], text);
    }

    #[test]
    fn lines_that_were_cut_at_one_width_are_joined_without_a_blank() {
        let lines = [
            "[    1.000000] Modules linked in: a(O) b",
            "c(O) d(O) e(O) f(O) g(O) h(O) i(O) jjjjj",
            "k(PO) l(O)",
            "[    2.000000] x: module verification fa",
            "iled: signature and/or",
            "Later",
        ];
        let whole = whole(&lines);
        assert_eq!(whole[0], format!("{}{}{}", lines[0], lines[1], lines[2]));
        assert_eq!(
            whole[1..],
            [format!("{}{}", lines[3], lines[4]), "Later".to_owned()]
        );
    }

    #[test]
    fn a_line_that_had_room_is_not_broken() {
        let lines = [
            "[    1.000000] Here is a line that is wide enough for all others",
            "[   16.410062]",
            "Code: 03e00008  30420001",
            "[   16.442882] ---[ end trace 0351e38daaaada96 ]---",
            "x: loading out-of-tree module taints kernel.",
        ];
        assert_eq!(whole(&lines), lines);
    }

    /// A time that was broken, the number of the line, and how wide lines are.
    #[test]
    fn a_module_alone_belongs_to_the_code_before_it() {
        let wide = "[    1.000000] This line shows how many characters have room in one.";
        let code = "WARNING: CPU: 1 PID: 77 at drivers/x/yyyyyyyyyyy.c:1 ffff+0x1/0x20";
        assert_eq!(code.len(), 66);
        let fits = [code, "[foooooo]"];
        assert_eq!(whole(&fits), [format!("{code} [foooooo]")]);
        let other = [
            "WARNING: CPU: 1 PID: 77 at drivers/x/yyyyyyyyyyy.c:1 ffff+0x1/0x20",
            "[x y]",
        ];
        assert_eq!(whole(&other), other);
        assert_eq!(whole(&[wide]), [wide]);
    }

    #[test]
    fn the_number_of_a_line_is_that_of_its_first_piece() {
        let mut wrapped = Wrapped::default();
        wrapped.begin(
            "[    1.000000] Modules linked in: a(P",
            7,
            Beginning::Record,
        );
        assert!(wrapped.take("O) b", Beginning::Text, true));
        let line = "[    1.000000] Modules linked in: a(PO) b";
        assert_eq!(wrapped.end(), Some((line.to_owned(), 7)));
        assert_eq!(wrapped.end(), None);
    }

    fn learned(widths: &[&[usize]]) -> Wrapped {
        let mut wrapped = Wrapped::default();
        for line in widths {
            let piece = |width: &usize| Piece {
                text: String::new(),
                width: *width,
            };
            let pieces: Vec<_> = line.iter().map(piece).collect();
            wrapped.learn(&pieces);
        }
        wrapped
    }

    /// The last piece of a line ends where the text does.
    #[test]
    fn the_width_at_which_lines_are_cut_is_that_of_most_pieces() {
        for (widths, cut, narrower) in [
            (&[&[80, 80, 40][..]][..], Some(80), 0),
            (&[&[80, 40]], None, 0),
            (&[&[60, 80, 5]], None, 1),
            // A blank at the end may have been lost.
            (&[&[79, 80, 80, 5]], Some(80), 0),
            (&[&[78, 80, 80, 5]], Some(80), 1),
            (&[&[78, 78, 80, 80, 5]], None, 2),
            // What seemed to be the width was not.
            (&[&[40, 40, 5], &[80, 80, 5]], None, 2),
            (&[&[40, 40, 5], &[41, 41, 5]], Some(41), 0),
            (&[&[40, 40, 5], &[42, 42, 5]], None, 2),
        ] {
            let wrapped = learned(widths);
            assert_eq!(wrapped.cut_at(), cut, "{widths:?}");
            assert_eq!(wrapped.narrower, narrower, "{widths:?}");
        }
    }

    #[test]
    fn blanks_that_were_lost_at_the_end_of_a_line_are_put_back() {
        let wrapped = Wrapped {
            widest: 80,
            ..learned(&[&[80, 80, 40]])
        };
        let join = |whole: &str, at, piece| {
            let mut whole = whole.to_owned();
            wrapped.join(&mut whole, at, piece);
            whole
        };
        assert_eq!(join("a", 80, "b"), "ab");
        assert_eq!(join("a", 75, "b"), "a     b");
        assert_eq!(join("a", 73, "b"), "a       b");
        assert_eq!(join("a", 72, "b"), "a b", "broken between words");
        assert_eq!(join("a", 81, "b"), "a b", "wider than lines are cut");
        assert_eq!(join("a ", 10, "b"), "a b");
        assert_eq!(join("a", 10, " b"), "a b");
        assert_eq!(join("[   12.3", 10, "45] x"), "[   12.345] x");
        assert_eq!(join("a=", 10, "b"), "ab");
    }

    #[test]
    fn a_line_is_full_where_the_next_word_has_no_room() {
        let wrapped = Wrapped {
            widest: 50,
            ..Wrapped::default()
        };
        assert!(!wrapped.is_full(44, "abcde f"));
        assert!(wrapped.is_full(44, "abcdef g"));
        assert!(!wrapped.is_full(NARROWEST - 1, "abcdefghijklmnop q"));
    }

    #[test]
    fn what_may_go_on_is_told_by_its_end() {
        assert!(ends_in_time("web1 kernel: [   12.3"));
        assert!(!ends_in_time("x [ab"));
        assert!(!ends_in_time("12.3"));
        assert!(is_half_a_release("x 6.1.0-5", "0-amd64 #1"));
        for (whole, piece) in [
            ("x 6.1.0", "#1 x"),
            ("x v6.1", "0 #1"),
            ("x 6", "0 #1"),
            ("x 6.1", "0 x"),
        ] {
            assert!(!is_half_a_release(whole, piece), "{whole} {piece}");
        }
    }

    #[test]
    fn a_line_takes_no_more_than_the_longest() {
        let names = "a ".repeat(200);
        let mut wrapped = Wrapped::default();
        wrapped.begin(
            &format!("[    1.000000] Modules linked in: {names}"),
            1,
            Beginning::Record,
        );
        let before = wrapped.bytes;
        assert!(wrapped.take(&names, Beginning::Text, true));
        assert_eq!(wrapped.bytes, before + names.len());
        let too_long = "a ".repeat(LONGEST_LINE / 2 - 100);
        assert!(!wrapped.take(&too_long, Beginning::Text, true));
        let rest = LONGEST_LINE - wrapped.bytes;
        assert!(!wrapped.take(&"a".repeat(rest), Beginning::Text, true));
        assert!(wrapped.take(&"a".repeat(rest - 1), Beginning::Text, true));
    }
}
