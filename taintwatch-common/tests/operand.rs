//! The memory that an instruction writes, as `x86` reads it, against another disassembler: each opcode of the two maps with
//! each operand, behind prefixes, and the vector forms.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may panic, and cuts numbers as the processor does"
)]

use iced_x86::{
    Decoder, DecoderOptions, EncodingKind, Instruction, InstructionInfoFactory, Mnemonic as M,
    OpAccess, OpCodeTableKind, OpKind, Register,
};
use proptest::prelude::*;
use taintwatch_common::x86::{Store, decode, slot};

/// The address of the instruction behind.
const NEXT: u64 = 0xffff_ffff_8123_4567;
const GS: u64 = 0xffff_8880_3e00_0000;
const PREFIXES: [&[u8]; 11] = [
    &[],
    &[0x66],
    &[0xf0],
    &[0xf3],
    &[0xf2],
    &[0x65],
    &[0x3e, 0xf0],
    &[0x65, 0xf0, 0x66],
    &[0x66, 0xf3],
    &[0x64],
    &[0x67],
];

/// What is left out on purpose (the head of `x86.rs`): state of the processor, masks, shadow stacks, a store of AMD's.
#[rustfmt::skip]
fn is_left_out(instruction: &Instruction) -> bool {
    let of_state = matches!(
        instruction.mnemonic(),
        M::Fxsave | M::Fxsave64 | M::Xsave | M::Xsave64 | M::Xsaveopt | M::Xsaveopt64 | M::Xsavec | M::Xsavec64
            | M::Xsaves | M::Xsaves64 | M::Stmxcsr | M::Vstmxcsr | M::Sgdt | M::Sidt | M::Sldt | M::Str | M::Smsw
            | M::Vmptrst | M::Vmread | M::Rstorssp | M::Clrssbsy | M::Kmovb | M::Kmovw | M::Kmovd | M::Kmovq
            | M::Movntss | M::Movntsd
    );
    let code = instruction.op_code();
    let is_x87 = matches!(code.op_code(), 0xd8..=0xdf) && code.table() == OpCodeTableKind::Normal;
    let other_map = !matches!(code.table(), OpCodeTableKind::Normal | OpCodeTableKind::T0F);
    let other_form = !matches!(code.encoding(), EncodingKind::Legacy | EncodingKind::VEX | EncodingKind::EVEX);
    of_state || is_x87 || other_map || other_form
}

/// Registers, each far from the others, and as 64 bits that 32 and 16 of them do not say.
fn before(register: Register) -> u64 {
    let number = register.full_register().number() as u64;
    0xffff_8881_0123_4567_u64.wrapping_mul(number * 2 + 3)
}

/// The address and size of the memory operand that is written.
fn expected(instruction: &Instruction) -> Option<(u64, u64)> {
    let mut factory = InstructionInfoFactory::new();
    let info = factory.info(instruction);
    let writes = |access| {
        matches!(
            access,
            OpAccess::Write | OpAccess::ReadWrite | OpAccess::CondWrite | OpAccess::ReadCondWrite
        )
    };
    let is_memory = |kind| matches!(kind, OpKind::Memory | OpKind::MemoryESRDI);
    let operand = (0..instruction.op_count())
        .find(|at| writes(info.op_access(*at)) && is_memory(instruction.op_kind(*at)))?;
    let address = instruction.virtual_address(operand, 0, |register, _, _| {
        Some(match register {
            Register::GS => GS,
            Register::ES | Register::CS | Register::DS | Register::SS => 0,
            _ => before(register),
        })
    })?;
    let size = instruction.memory_size().size() as u64;
    let by_register = instruction.op1_kind() == OpKind::Register;
    if !(by_register && matches!(instruction.mnemonic(), M::Bts | M::Btr | M::Btc)) {
        return Some((address, size));
    }
    // The manual's own words: the bit's number divided by the operand's bits, rounded down.
    let held = before(instruction.op1_register());
    let number = match size {
        2 => i64::from(held as i16),
        4 => i64::from(held as i32),
        _ => held as i64,
    };
    let moved = number.div_euclid(size as i64 * 8) * size as i64;
    Some((address.wrapping_add_signed(moved), size))
}

/// Holds the first instruction of `code` against ours, when there is one.
fn check(code: &[u8], downwards: bool) -> bool {
    let mut decoder = Decoder::with_ip(64, code, 0, DecoderOptions::NONE);
    let length = decoder.decode().len();
    let code = &code[..length.min(code.len())];
    let from = NEXT.wrapping_sub(length as u64);
    let instruction = Decoder::with_ip(64, code, from, DecoderOptions::NONE).decode();
    if instruction.is_invalid() {
        return false;
    }
    let mut bytes = [0x48; 16];
    bytes[16 - length..].copy_from_slice(code);
    let half = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    let store = decode(half(0), half(8), length as u32);
    let (prefixes, rest) = code.split_at(prefixes(code));
    let by_fs = prefixes.contains(&0x64);
    let is_narrow = prefixes.contains(&0x67);
    // A REX that is not the last prefix is ignored: what is behind it is an instruction of its own.
    let is_idle =
        rest[0] & 0xf0 == 0x40 && (rest[1] & 0xf0 == 0x40 || self::prefixes(&rest[1..]) > 0);
    let is_filler = rest == [0, 0];
    let wanted = expected(&instruction)
        .filter(|_| !(is_left_out(&instruction) || by_fs || is_narrow || is_idle || is_filler));
    let is_string = instruction.op0_kind() == OpKind::MemoryESRDI;
    let moved = |size: u64| if downwards { size.wrapping_neg() } else { size };
    let value = |at: u64| match at {
        slot::NOTHING => 0,
        slot::NEXT => NEXT,
        slot::LAST => half(8),
        slot::GS => GS,
        slot::DOWNWARDS => u64::from(downwards).wrapping_neg(),
        7 if is_string => before(Register::RDI).wrapping_add(moved(store.size())),
        number => before(Register::RAX + number as u32),
    };
    let found = (store != Store::NONE).then(|| (store.address(value), store.size()));
    assert_eq!(found, wanted, "{instruction} {code:02x?} {store:x?}");
    wanted.is_some()
}

/// How many prefixes there are before REX and opcode.
fn prefixes(code: &[u8]) -> usize {
    let known = [
        0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3,
    ];
    let prefixes = code.iter().take_while(|byte| known.contains(byte));
    prefixes.count()
}

#[test]
fn each_opcode_with_each_operand() {
    // What follows: a scaled index, no base, a displacement, an immediate, as they come.
    let mut number = 0x9e37_79b9_7f4a_7c15_u64;
    let mut stores = 0;
    for map in 0..2 {
        for opcode in 0..=0xff_u8 {
            for operand in 0..=0xff_u8 {
                number = number.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
                let prefixes = PREFIXES[(number >> 40) as usize % PREFIXES.len()];
                let rex = (number >> 36) as u8 & 0xf;
                let mut code = prefixes.to_vec();
                if number >> 35 & 1 == 1 {
                    code.push(0x40 | rex);
                }
                if map == 1 {
                    code.push(0x0f);
                }
                code.extend([opcode, operand]);
                code.extend(number.rotate_right(11).to_le_bytes());
                code.extend(number.to_le_bytes());
                stores += u32::from(check(&code, number >> 34 & 1 == 1));
            }
        }
    }
    assert!(stores > 8_000, "{stores} stores are too few to mean much");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn any_bytes(code in proptest::array::uniform16(any::<u8>()), downwards: bool) {
        check(&code, downwards);
    }

    #[test]
    fn opcodes_that_write(
        prefixes in proptest::sample::select(&PREFIXES[..]),
        rex in proptest::option::of(0x40..0x50_u8),
        opcode in proptest::sample::select(&OPCODES[..]),
        rest in proptest::array::uniform16(any::<u8>()),
        downwards: bool,
    ) {
        let code = [prefixes, rex.as_slice(), opcode, &rest].concat();
        check(&code, downwards);
    }

    #[test]
    fn vector_forms(
        form in 0..3_u8,
        fields in proptest::array::uniform3(any::<u8>()),
        opcode in proptest::sample::select(&[0x10_u8, 0x11, 0x13, 0x17, 0x29, 0x2b, 0x6f, 0x7e, 0x7f, 0xd6, 0xe7][..]),
        rest in proptest::array::uniform16(any::<u8>()),
    ) {
        let [first, second, third] = fields;
        let head: &[u8] = match form {
            0 => &[0xc5, first],
            1 => &[0xc4, first & 0xe0 | 1, second],
            _ => &[0x62, first & 0xf0 | 1, second | 4, third],
        };
        check(&[head, &[opcode], &rest].concat(), false);
    }
}

/// The most usual stores.
const OPCODES: [&[u8]; 12] = [
    &[0x01],
    &[0x09],
    &[0x83],
    &[0x81],
    &[0x88],
    &[0x89],
    &[0xc6],
    &[0xc7],
    &[0xff],
    &[0x0f, 0xab],
    &[0x0f, 0xb1],
    &[0x0f, 0xba],
];
