//! The verdict on a trap: real code, as kernels and modules have it, with the mask at its operand and beside it.
#![expect(
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may panic, and cuts numbers as the processor does"
)]

use proptest::prelude::*;
use taintwatch_common::x86::{ELSEWHERE, Trap, WRITTEN, slot};

const MASK: u64 = 0xffff_ffff_82a1_2340;
const RAX: usize = 0;
const RBX: usize = 3;
const RSI: usize = 6;
const RDI: usize = 7;

/// A processor behind an instruction.
#[derive(Clone, Debug, Default)]
struct Cpu {
    code: Vec<u8>,
    next: u64,
    registers: [u64; 16],
    gs: u64,
    downwards: bool,
}

impl Trap for Cpu {
    fn value(&self, slot: u64) -> u64 {
        match slot {
            slot::NOTHING => 0,
            slot::NEXT => self.next,
            slot::LAST => self.half(8),
            slot::GS => self.gs,
            slot::DOWNWARDS => u64::from(self.downwards).wrapping_neg(),
            number => self.registers[usize::try_from(number).unwrap()],
        }
    }
}

impl Cpu {
    fn after(code: &[u8]) -> Self {
        Self {
            code: code.to_vec(),
            next: 0xffff_ffff_810b_2c4d,
            ..Self::default()
        }
    }

    fn with(mut self, register: usize, value: u64) -> Self {
        self.registers[register] = value;
        self
    }

    /// As if the displacement in the last bytes but `behind` were to lead to `address`.
    fn relative(mut self, behind: usize, address: u64) -> Self {
        let at = self.code.len() - behind;
        let displacement = address.wrapping_sub(self.next) as u32;
        self.code[at - 4..at].copy_from_slice(&displacement.to_le_bytes());
        self
    }

    fn half(&self, at: usize) -> u64 {
        // Before it: the end of a call, and a move that writes nothing.
        let mut bytes = vec![
            0xe8, 0x48, 0x89, 0xf8, 0x48, 0x8b, 0x07, 0x48, 0x89, 0xc2, 0x90, 0x90, 0x90, 0x90,
            0x48, 0x89, 0xf8,
        ];
        bytes.extend(&self.code);
        let last = &bytes[bytes.len() - 16..];
        u64::from_le_bytes(last[at..at + 8].try_into().unwrap())
    }

    fn verdict(&self) -> u32 {
        self.wrote(self.half(0), self.half(8), MASK, 0)
    }

    fn verdict_of_change(&self) -> u32 {
        self.wrote(self.half(0), self.half(8), MASK, 1)
    }
}

/// `lock bts %rbx,tainted_mask(%rip)` in `add_taint` of 6.1, `%r12` in that of 7.3.
#[test]
fn add_taint_sets_a_bit_of_the_mask() {
    let code = |rex, operand| [0xf0, rex, 0x0f, 0xab, operand, 0, 0, 0, 0];
    let debian = Cpu::after(&code(0x48, 0x1d))
        .with(RBX, 12)
        .relative(0, MASK);
    assert_eq!(debian.verdict(), 12);
    let other = Cpu::after(&code(0x4c, 0x25)).with(12, 63).relative(0, MASK);
    assert_eq!(other.verdict(), 63);
    // LOCK is patched away where there is one processor (`alternatives_smp_module_add`, arch/x86/kernel/alternative.c).
    let alone = Cpu::after(&[0x3e, 0x48, 0x0f, 0xab, 0x1d, 0, 0, 0, 0]);
    assert_eq!(alone.with(RBX, 9).relative(0, MASK).verdict(), 9);
}

/// What was accused: `total_forks++` in `copy_process` of 7.3, in the page of the mask.
#[test]
fn a_counter_in_the_same_page_is_not_the_mask() {
    for code in [
        &[0x48, 0xff, 0x05, 0, 0, 0, 0][..],
        &[0x83, 0x05, 0, 0, 0, 0, 1],
    ] {
        let behind = usize::from(code[0] == 0x83);
        let beside = Cpu::after(code).relative(behind, MASK - 0x8f8);
        assert_eq!(beside.verdict(), ELSEWHERE);
        assert_eq!(beside.verdict_of_change(), ELSEWHERE);
        assert_eq!(Cpu::after(code).relative(behind, MASK).verdict(), WRITTEN);
    }
}

#[test]
fn a_module_writes_by_its_registers() {
    // set_bit and clear_bit; a store; `movq $0`; an exchange; `andb`, the last byte.
    let cases: [(&[u8], u32); 7] = [
        (&[0xf0, 0x48, 0x0f, 0xab, 0x37], 17),
        (&[0xf0, 0x48, 0x0f, 0xb3, 0x37], WRITTEN),
        (&[0x48, 0x89, 0x37], WRITTEN),
        (&[0x48, 0xc7, 0x07, 0, 0, 0, 0], WRITTEN),
        (&[0x48, 0x87, 0x37], WRITTEN),
        (&[0xf0, 0x80, 0x67, 0x07, 0x7f], WRITTEN),
        (&[0xf3, 0x0f, 0x7f, 0x47, 0xf8], WRITTEN),
    ];
    for (code, wanted) in cases {
        let cpu = |base| Cpu::after(code).with(RSI, 17).with(RDI, base);
        assert_eq!(cpu(MASK).verdict(), wanted, "{code:x?}");
        for beside in [MASK - 16, MASK - 0x8f8, MASK + 16] {
            assert_eq!(cpu(beside).verdict(), ELSEWHERE, "{code:x?} at {beside:x}");
        }
    }
}

#[test]
fn a_bit_far_from_the_operand_is_where_its_number_says() {
    let cpu = |base: u64, bit: i64| {
        let code = [0xf0, 0x48, 0x0f, 0xab, 0x37];
        Cpu::after(&code)
            .with(RSI, bit.cast_unsigned())
            .with(RDI, base)
    };
    assert_eq!(cpu(MASK - 64, 64 * 8 + 9).verdict(), 9);
    assert_eq!(cpu(MASK + 8, -1).verdict(), 63);
    assert_eq!(cpu(MASK, 64).verdict(), ELSEWHERE);
    assert_eq!(cpu(MASK, -1).verdict(), ELSEWHERE);
}

#[test]
fn a_number_in_the_instruction_is_an_address_too() {
    let code = [&[0x48, 0xa3][..], &MASK.to_le_bytes()].concat();
    assert_eq!(Cpu::after(&code).verdict(), WRITTEN);
    let code = [&[0x48, 0xa3][..], &(MASK + 8).to_le_bytes()].concat();
    assert_eq!(Cpu::after(&code).verdict(), ELSEWHERE);
}

#[test]
fn an_address_by_gs_begins_with_this_processors_own() {
    let gs = 0xffff_8880_3e00_0000;
    let mut cpu = Cpu::after(&[0x65, 0x48, 0x89, 0x18]).with(RAX, MASK.wrapping_sub(gs));
    cpu.gs = gs;
    assert_eq!(cpu.verdict(), WRITTEN);
    cpu.gs = gs + 0x4_0000;
    assert_eq!(cpu.verdict(), ELSEWHERE);
}

#[test]
fn a_string_instruction_has_moved_on() {
    let code = [0x48, 0xab];
    assert_eq!(Cpu::after(&code).with(RDI, MASK + 8).verdict(), WRITTEN);
    assert_eq!(Cpu::after(&code).with(RDI, MASK + 16).verdict(), ELSEWHERE);
    assert_eq!(Cpu::after(&code).with(RDI, MASK).verdict(), ELSEWHERE);
    let mut down = Cpu::after(&code).with(RDI, MASK - 8);
    down.downwards = true;
    assert_eq!(down.verdict(), WRITTEN);
}

/// A processor that stores by lines reports one late, and one that goes on has the trap at its own address.
#[test]
fn a_repeated_one_counts_where_the_mask_changed() {
    let late = Cpu::after(&[0xf3, 0x48, 0xab]).with(RDI, MASK + 64);
    assert_eq!(late.verdict(), ELSEWHERE);
    assert_eq!(late.verdict_of_change(), WRITTEN);
    let far = late.with(RDI, MASK + 0x100);
    assert_eq!(far.verdict_of_change(), ELSEWHERE);

    let code = u64::from_le_bytes([0xf3, 0xaa, 0xc3, 0xcc, 0, 0, 0, 0]);
    let at = |rdi| Cpu::after(&[0x90]).with(RDI, rdi).goes_on(code, MASK);
    assert!(at(MASK + 1));
    assert!(!at(MASK), "it has not come there");
    assert!(!at(MASK + 0x100));
    let other = u64::from_le_bytes([0xaa, 0xc3, 0xcc, 0xcc, 0, 0, 0, 0]);
    assert!(!Cpu::after(&[0x90]).with(RDI, MASK + 1).goes_on(other, MASK));
}

#[test]
fn code_that_cannot_be_read_proves_nothing() {
    let cpu = Cpu::after(&[]).with(RAX, MASK);
    assert_eq!(cpu.wrote(0, 0, MASK, 1), ELSEWHERE);
    // An argument, a read, and an address are no writes.
    for code in [
        &[0x48, 0x8b, 0x00][..],
        &[0x48, 0x39, 0x18],
        &[0x48, 0x8d, 0x00],
    ] {
        let cpu = Cpu::after(code).with(RAX, MASK);
        assert_eq!(cpu.verdict_of_change(), ELSEWHERE, "{code:x?}");
    }
}

proptest! {
    /// `lock orq $0,displacement(%rdi)` and `movl $n,displacement(%rdi)`, anywhere in the page.
    #[test]
    fn neighbours_are_not_the_mask(base in -0x800..0x800_i64, displacement in -0x800..0x800_i32, number: u8) {
        let bytes = displacement.to_le_bytes();
        let stores = [
            ([&[0xf0, 0x48, 0x83, 0x8f][..], &bytes, &[number]].concat(), 8),
            ([&[0xc7, 0x87][..], &bytes, &[number, 0, 0, 0]].concat(), 4),
            ([&[0x88, 0x87][..], &bytes].concat(), 1),
        ];
        for (code, size) in stores {
            let at = base + i64::from(displacement);
            let cpu = Cpu::after(&code).with(RDI, MASK.wrapping_add_signed(base));
            let wanted = if (1 - size..8).contains(&at) { WRITTEN } else { ELSEWHERE };
            prop_assert_eq!(cpu.verdict(), wanted, "{:x?} at {:x}", code, at);
        }
    }
}
