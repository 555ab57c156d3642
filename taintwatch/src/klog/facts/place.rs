//! The code that a report names as the place where the kernel was.
//!
//! In: a line's text. Out: the code, and the module that it is in.

use crate::taint::log::{is_module_name, module_of};

/// The lines that say where the kernel was, on each architecture. Those at the end of old oopses, `RIP  [<ffff>]
/// f+0x1/0x2` and `EIP: [<ffff>] f+0x1/0x2 SS:ESP`, say it again: where that is new, it is of the oops before.
const PLACES: [&str; 15] = [
    "RIP: ",
    "EIP: ",
    "EIP is at ",
    "IP: ",
    "IP is at ",
    "pc : ",
    "PC is at ",
    "NIP [",
    "epc : ",
    "epc   : ",
    "Krnl PSW : ",
    "TPC: <",
    "ERA: ",
    "era   : ",
    "IAOQ[0]: ",
];

/// Code and module that a line names as the place.
pub(super) fn place(line: &str) -> Option<(&str, Option<&str>)> {
    let named = PLACES
        .iter()
        .find_map(|begin| line.strip_prefix(begin))
        .filter(|place| !place.starts_with("[<") || !line.starts_with("EIP: "))
        .or_else(|| sanitizer(line))?;
    let start = named.find("+0x")?;
    // `0010:f+0x1/0x2 [m]`, `0010:[<ffff>]  [<ffff>] f+0x1/0x2 [m]`, `(f+0x1/0x2 [m])`.
    let before = named.get(..start)?;
    let begin = before.rfind([' ', ':', '(', '<', '>', ']']);
    let code = named.get(begin.map_or(0, |at| at + 1)..)?;
    let (symbol, rest) = code.split_once(' ').unwrap_or((code, ""));
    let symbol = symbol.trim_end_matches([')', '>', ',']);
    let module = module_of(rest.trim_start()).or_else(|| module_before(before));
    (!symbol.starts_with("+0x")).then_some((symbol, module))
}

/// `:lustre:ll_file_write+0x6f/0x4a0`: x86-64 before 2.6.26 (`printk_address`, `arch/x86_64/kernel/traps.c`).
fn module_before(symbol: &str) -> Option<&str> {
    let (before, _) = symbol.rsplit_once(':')?;
    let (before, module) = before.rsplit_once(':')?;
    let stands_alone = before.is_empty() || before.ends_with(' ');
    (stands_alone && is_module_name(module)).then_some(module)
}

/// `BUG: KASAN: slab-out-of-bounds in f+0x1/0x2 [m]`.
fn sanitizer(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("BUG: K")?;
    let (kind, rest) = rest.split_once(": ")?;
    matches!(kind, "ASAN" | "ASan" | "FENCE" | "MSAN")
        .then(|| rest.split_once(" in ").map(|(_, place)| place))?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_place_is_read_on_each_architecture() {
        for (line, code, module) in [
            ("RIP: 0010:f+0x1/0x2 [m]", "f+0x1/0x2", Some("m")),
            (
                "RIP: 0010:[<ffffffff81>]  [<ffffffff81>] f+0x1/0x2 [m]",
                "f+0x1/0x2",
                Some("m"),
            ),
            ("EIP is at f+0x1/0x2", "f+0x1/0x2", None),
            (
                "RIP: 0010:[<ffffffff88347d2f>]  [<ffffffff88347d2f>] :lustre:f+0x1/0x2",
                "f+0x1/0x2",
                Some("lustre"),
            ),
            ("RIP: 0010:f+0x1/0x2", "f+0x1/0x2", None),
            (
                "ERA: ffff8000020a3000 f+0x1/0x2 [m]",
                "f+0x1/0x2",
                Some("m"),
            ),
            ("IAOQ[0]: f+0x1/0x2 [m]", "f+0x1/0x2", Some("m")),
            ("TPC: <f+0x1/0x2 [m]>", "f+0x1/0x2", Some("m")),
            ("pc : f.isra.0+0x1/0x2 [m]", "f.isra.0+0x1/0x2", Some("m")),
            ("NIP [c00000] f+0x1/0x2 [m]", "f+0x1/0x2", Some("m")),
            (
                "Krnl PSW : 0704c000 00000 (f+0x1/0x2 [m])",
                "f+0x1/0x2",
                Some("m"),
            ),
            ("epc : f+0x1/0x2 [m]", "f+0x1/0x2", Some("m")),
            (
                "BUG: KASAN: use-after-free in f+0x1/0x2 [m]",
                "f+0x1/0x2",
                Some("m"),
            ),
        ] {
            assert_eq!(place(line), Some((code, module)), "{line}");
        }
        for none in [
            "RIP: 0033:0x7f1234",
            "RIP  [<ffffffff81>] f+0x1/0x2",
            "EIP: [<c0101010>] f+0x1/0x2 SS:ESP 0068:c1",
        ] {
            assert_eq!(place(none), None, "{none}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(begin in 0..PLACES.len(), line: String) {
            _ = place(&format!("{}{line}+0x1", PLACES[begin]));
        }
    }

    #[test]
    fn a_module_stands_alone_before_its_code() {
        assert_eq!(module_before(":lustre:"), Some("lustre"));
        assert_eq!(module_before("0010: :lustre:"), Some("lustre"));
        assert_eq!(module_before("x:lustre:"), None);
        assert_eq!(module_before(":no module:"), None);
    }
}
