//! Whether the instruction that a data breakpoint trapped on wrote the place that is watched.
//!
//! In: code before the address at which the trap came, values of registers, the place. Out: whether it wrote there, and
//! which bit it set. The trap comes behind the instruction, whose length is not known: it is whatever the code can end in.

use super::{LONGEST, SHORTEST, Store, decode, store::overlaps};

/// It wrote elsewhere, or nothing proves where it wrote.
pub const ELSEWHERE: u32 = u32::MAX - 1;
/// It wrote there, and names no bit by a number in a register.
pub const WRITTEN: u32 = u32::MAX;

/// Bytes of the place.
const PLACE: u64 = 8;
/// What a processor may write on before it reports a trap on a repeated string instruction (SDM, volume 3, 19.3.1.2).
const LINE: u64 = 64;

/// A trap.
pub trait Trap {
    /// What stands in a [`super::slot`].
    fn value(&self, slot: u64) -> u64;

    /// [`decode`], for a program that has it as a function of its own.
    #[inline(always)]
    fn decode(&self, first: u64, second: u64, length: u32) -> Store {
        decode(first, second, length)
    }

    /// What an instruction did to the eight bytes at `place`, when the code before the next one ends in `first` and
    /// `second`: a bit's number, [`WRITTEN`] or [`ELSEWHERE`]. They are what they were when `changed` is 0.
    #[inline(always)]
    fn wrote(&self, first: u64, second: u64, place: u64, changed: u64) -> u32 {
        // The longest first: without its prefixes an instruction is another one, with the same operand.
        let mut length = LONGEST;
        while length >= SHORTEST {
            let store = self.decode(first, second, length);
            if !store.is_none() {
                let address = store.address(|slot| self.value(slot));
                let may_be_late = store.is_repeated() & u64::from(changed != 0);
                let late = overlaps(address, 1, place, (PLACE + LINE) * may_be_late);
                if overlaps(address, store.size(), place, PLACE) | late != 0 {
                    return store.bit(address, place, |slot| self.value(slot));
                }
            }
            length -= 1;
        }
        ELSEWHERE
    }

    /// The same of a repeated string instruction whose code begins with `code`, at the next address itself: it stays
    /// there until it is done. One that has yet to begin looks alike, so this proves a change alone.
    #[inline(always)]
    fn goes_on(&self, code: u64, place: u64) -> bool {
        // A repetition, an opcode, and two prefixes more at the most.
        let mut length = 2;
        while length <= 4 {
            let store = self.decode(0, code << (64 - 8 * length), length);
            let address = store.address(|slot| self.value(slot));
            let near = overlaps(address, store.size(), place, PLACE + LINE);
            if near & store.is_repeated() != 0 {
                return true;
            }
            length += 1;
        }
        false
    }
}
