//! Functions that left no frame. One that ends in a call of another is compiled to a jump: the stack then goes from
//! `add_taint` straight to the code that had called that function, and that code caused nothing.
//!
//! In: the frames of a record, what the instruction before the caller's return address calls, and the functions that may have
//! run in between. Out: the frames with the missing one put in, where exactly one function fits; else a gap. Pure.

use taintwatch_common::{CODE_LEN, Callees, Caller, link};

use super::{
    addresses::Addresses,
    frames::{Frame, Frames, resolved},
};

/// Where a function is missing among the frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Gap {
    /// The place of the frame that called it.
    pub(super) place: usize,
    /// Functions that fit, if several do.
    pub(super) fits: Vec<Frame>,
}

/// Puts the missing frame in; gives the gap where that cannot be done.
pub(super) fn complete(
    frames: &mut Frames,
    caller: &Caller,
    callees: Option<&Callees>,
    addresses: &Addresses,
) -> Option<Gap> {
    if caller.link == link::PROVEN || caller.link == link::UNKNOWN {
        return None;
    }
    let here = |frame: &Frame| frame.address == caller.address;
    let place = frames.list().iter().position(here)?;
    // The function that was reached without a call of it.
    let reached = frames.inside(place).and_then(Frame::function_start);
    let is_reached = |start| is_entry(caller.target, start);
    if caller.link == link::UNCHECKED && reached.is_some_and(is_reached) {
        return None;
    }
    let fits = fitting(reached, callees, addresses);
    match <[Frame; 1]>::try_from(fits) {
        Ok([frame]) => {
            frames.insert(place, frame);
            None
        }
        Err(fits) => Some(Gap { place, fits }),
    }
}

/// The functions among these that jump to the one that was reached. All or none: if some were left out, the right one may be
/// among them.
fn fitting(reached: Option<u64>, callees: Option<&Callees>, addresses: &Addresses) -> Vec<Frame> {
    let (Some(callees), Some(reached)) = (callees, reached) else {
        return Vec::new();
    };
    let found = usize::try_from(callees.found).unwrap_or(usize::MAX);
    if found > callees.addresses.len() {
        return Vec::new();
    }
    let mut fits: Vec<Frame> = Vec::new();
    let each = callees
        .addresses
        .iter()
        .zip(&callees.text)
        .zip(&callees.code);
    for ((address, text), code) in each.take(found) {
        let is_new = fits
            .iter()
            .all(|other| other.function_start() != Some(*address));
        if is_new && let Some(frame) = jumping(*address, text, code, reached, addresses) {
            fits.push(frame);
        }
    }
    fits
}

/// The place in the function at `address` behind a jump to `reached`; `None` where no function begins there, or it has none.
fn jumping(
    address: u64,
    text: &[u8],
    code: &[u8; CODE_LEN],
    reached: u64,
    addresses: &Addresses,
) -> Option<Frame> {
    let (symbol, size) = resolved(address, text, addresses)?;
    if symbol.offset() != 0 {
        return None;
    }
    let size = usize::try_from(size?).unwrap_or(usize::MAX).min(CODE_LEN);
    let behind = behind_jump(code.get(..size)?, address, reached)?;
    Some(Frame {
        address: address.checked_add(behind)?,
        symbol: Some(symbol.at(behind)),
    })
}

/// How far from its start a function jumps to `target`: the first byte behind the jump (`jmp rel32`, `jcc rel32`). Found at
/// any byte: that four bytes in the middle of an instruction give this very address by chance is one in 2^32.
fn behind_jump(code: &[u8], start: u64, target: u64) -> Option<u64> {
    let ends = (5..=code.len()).filter(|end| {
        let opcode = code.get(end - 6.min(*end)..end - 4).unwrap_or_default();
        matches!(opcode, [.., 0xe9] | [0x0f, 0x80..=0x8f])
    });
    for end in ends {
        let bytes: [u8; 4] = code.get(end - 4..end)?.try_into().ok()?;
        let behind = start.wrapping_add(end as u64);
        let to = behind.wrapping_add_signed(i64::from(i32::from_le_bytes(bytes)));
        if is_entry(to, target) {
            return Some(end as u64);
        }
    }
    None
}

/// Whether an address is where a function is entered: its start, or past the mark of four bytes there that only calls through
/// pointers need (`endbr64`).
const fn is_entry(address: u64, start: u64) -> bool {
    let past = address.wrapping_sub(start);
    past == 0 || past == 4
}

#[cfg(test)]
mod tests {
    use taintwatch_common::{CALLEES, Header, SYMBOL_LEN, VERSION, kind};

    use super::{super::frames::sample::stack, *};

    const ADD_TAINT: u64 = 0xffff_ffff_8100_0000;
    const CALLER: u64 = 0xffff_ffff_8110_0033;
    const WORK: u64 = 0xffff_ffff_c000_0040;
    const OTHER: u64 = 0xffff_ffff_c000_0140;

    /// `xor %esi,%esi; mov $6,%edi; jmp add_taint`, with room behind.
    fn jumps(from: u64, to: u64) -> Vec<u8> {
        let mut code = vec![0x31, 0xf6, 0xbf, 6, 0, 0, 0, 0xe9];
        let behind = from + 12;
        let distance = i32::try_from(to.wrapping_sub(behind).cast_signed()).unwrap();
        code.extend(distance.to_le_bytes());
        code.extend([0xcc; 20]);
        code
    }

    fn callees(functions: &[(u64, &str, &[u8])]) -> Callees {
        let mut callees = Callees {
            header: Header {
                kind: kind::CALLEES,
                version: VERSION,
                len: 0,
                boottime_ns: 5,
                cpu: 0,
                context: 0,
            },
            found: u32::try_from(functions.len()).unwrap(),
            reserved: 0,
            addresses: [0; CALLEES],
            text: [[0; SYMBOL_LEN]; CALLEES],
            code: [[0; CODE_LEN]; CALLEES],
        };
        for (index, (address, text, code)) in functions.iter().take(CALLEES).enumerate() {
            callees.addresses[index] = *address;
            callees.text[index][..text.len()].copy_from_slice(text.as_bytes());
            callees.code[index][..code.len()].copy_from_slice(code);
        }
        callees
    }

    fn caller(link: u32, target: u64) -> Caller {
        Caller {
            address: CALLER,
            target,
            link,
            ..Caller::NONE
        }
    }

    /// The first frame of the list, or how many functions fit the gap before it.
    fn first(caller: &Caller, callees: Option<&Callees>) -> Result<String, usize> {
        let addresses = Addresses::default();
        let stack = stack(&[
            (ADD_TAINT + 5, "add_taint+0x4/0xb0"),
            (CALLER, "process_one_work+0x1b2/0x390"),
            (CALLER + 0x400, "worker_thread+0x4c/0x390"),
        ]);
        let mut frames = Frames::of_entry(&stack, &addresses);
        match complete(&mut frames, caller, callees, &addresses) {
            None => Ok(frames.list()[0].to_string()),
            Some(gap) => {
                assert_eq!((gap.place, frames.list().len()), (0, 2));
                Err(gap.fits.len())
            }
        }
    }

    #[test]
    fn a_frame_that_called_is_the_cause_itself() {
        let found = first(&caller(link::PROVEN, ADD_TAINT), None);
        assert_eq!(found.as_deref(), Ok("process_one_work+0x1b3"));
        let found = first(&caller(link::UNCHECKED, ADD_TAINT), None);
        assert_eq!(found.as_deref(), Ok("process_one_work+0x1b3"));
        assert_eq!(first(&caller(link::UNCHECKED, WORK), None), Err(0));
    }

    #[test]
    fn the_function_that_jumped_is_put_in() {
        let code = jumps(WORK, ADD_TAINT);
        let one = callees(&[(WORK, "work+0x0/0x20 [m]", &code)]);
        for link in [link::JUMPED, link::INDIRECT, link::UNCHECKED] {
            let found = first(&caller(link, 0), Some(&one));
            assert_eq!(found.as_deref(), Ok("work+0xc [m]"));
        }
        // Past the mark at the entry of a function.
        let code = jumps(WORK, ADD_TAINT + 4);
        let one = callees(&[(WORK, "work+0x0/0x20 [m]", &code)]);
        assert!(first(&caller(link::INDIRECT, 0), Some(&one)).is_ok());
    }

    #[test]
    fn what_does_not_jump_there_is_not_taken() {
        let to_add_taint = jumps(WORK, ADD_TAINT);
        let elsewhere = jumps(WORK, ADD_TAINT + 0x100);
        for (text, code) in [
            ("work+0x0/0x20 [m]", &elsewhere),
            ("work+0x10/0x20 [m]", &to_add_taint),
            // The jump lies behind the function's end.
            ("work+0x0/0x8 [m]", &to_add_taint),
            ("", &to_add_taint),
        ] {
            let one = callees(&[(WORK, text, code)]);
            assert_eq!(
                first(&caller(link::INDIRECT, 0), Some(&one)),
                Err(0),
                "{text}"
            );
        }
        assert_eq!(first(&caller(link::INDIRECT, 0), None), Err(0));
    }

    #[test]
    fn where_two_fit_neither_is_blamed() {
        let (a, b) = (jumps(WORK, ADD_TAINT), jumps(OTHER, ADD_TAINT));
        let work = (WORK, "work+0x0/0x20 [m]", &a[..]);
        let other = (OTHER, "other+0x0/0x20 [n]", &b[..]);
        let both = callees(&[work, other]);
        assert_eq!(first(&caller(link::INDIRECT, 0), Some(&both)), Err(2));
        // The same one twice is one.
        let twice = callees(&[work, work]);
        assert!(first(&caller(link::INDIRECT, 0), Some(&twice)).is_ok());
        let mut more = callees(&[work]);
        more.found = u32::try_from(CALLEES).unwrap() + 1;
        assert_eq!(first(&caller(link::INDIRECT, 0), Some(&more)), Err(0));
    }

    #[test]
    fn a_conditional_jump_is_one_too() {
        let mut code = vec![0x85, 0xff, 0x0f, 0x85];
        let distance = i32::try_from(ADD_TAINT.wrapping_sub(WORK + 8).cast_signed()).unwrap();
        code.extend(distance.to_le_bytes());
        assert_eq!(behind_jump(&code, WORK, ADD_TAINT), Some(8));
        assert_eq!(behind_jump(&code[..7], WORK, ADD_TAINT), None);
        assert_eq!(behind_jump(&[], WORK, ADD_TAINT), None);
    }

    /// A full record has all that were found; one more was left out.
    #[test]
    fn a_full_record_leaves_none_out() {
        let elsewhere = jumps(WORK, ADD_TAINT + 0x100);
        let mut functions = vec![(WORK, "work+0x0/0x20 [m]", &elsewhere[..]); CALLEES - 1];
        let fitting = jumps(OTHER, ADD_TAINT);
        functions.push((OTHER, "other+0x0/0x20 [n]", &fitting[..]));
        let mut full = callees(&functions);
        let found = first(&caller(link::INDIRECT, 0), Some(&full));
        assert_eq!(found.as_deref(), Ok("other+0xc [n]"));
        full.found += 1;
        assert_eq!(first(&caller(link::INDIRECT, 0), Some(&full)), Err(0));
    }
}
