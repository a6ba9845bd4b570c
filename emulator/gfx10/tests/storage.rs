//! What each opcode of memory does: by its name, never by its row. `lds` has those of LDS.

use super::lds::check_ds;
use super::mutation;
use super::state::{Clock, DST, TICKS, d, f, h};
use crate::mem::smem::{self, SmemOp};
use crate::mem::vmem::{self, VmemOp};
use crate::mem::{Storage, ds};
use crate::operands::{Segment, Smem, Src, Vmem};
use crate::ram::Ram;
use crate::row::Row;
use crate::wave::{Status, Wave, reg};

const BASE: u64 = 0x7f00_0000_1000;
pub const DATA: [u32; 6] = [0x8382_8180, 0x8786_8584, 0x8b8a_8988, 0x8f8e_8d8c, 0x9392_9190, 0x9796_9594];
/// What v8 to v11 hold in lane 0, for stores.
pub const STORED: [u32; 4] = [0xa3a2_a1a0, 0xa7a6_a5a4, 0xabaa_a9a8, 0xafae_adac];
/// What the destination holds before.
pub const OLD: [u32; 4] = [0x1111_2222, 0x3333_4444, 0x5555_6666, 0x7777_8888];

/// What loads from DATA's second word leave in the destination. LDS has its own names for the same.
pub const LOADS: &[(&str, &str, &[u32])] = &[
    ("load_ubyte", "ds_read_u8", &[0x84]),
    ("load_sbyte", "ds_read_i8", &[0xffff_ff84]),
    ("load_ushort", "ds_read_u16", &[0x8584]),
    ("load_sshort", "ds_read_i16", &[0xffff_8584]),
    ("load_dword", "ds_read_b32", &[DATA[1]]),
    ("load_dwordx2", "ds_read_b64", &[DATA[1], DATA[2]]),
    ("load_dwordx3", "ds_read_b96", &[DATA[1], DATA[2], DATA[3]]),
    ("load_dwordx4", "ds_read_b128", &[DATA[1], DATA[2], DATA[3], DATA[4]]),
    ("load_ubyte_d16", "ds_read_u8_d16", &[0x1111_0084]),
    ("load_ubyte_d16_hi", "ds_read_u8_d16_hi", &[0x0084_2222]),
    ("load_sbyte_d16", "ds_read_i8_d16", &[0x1111_ff84]),
    ("load_sbyte_d16_hi", "ds_read_i8_d16_hi", &[0xff84_2222]),
    ("load_short_d16", "ds_read_u16_d16", &[0x1111_8584]),
    ("load_short_d16_hi", "ds_read_u16_d16_hi", &[0x8584_2222]),
];

/// What stores make of DATA from its second word on.
pub const STORES: &[(&str, &str, &[u32])] = &[
    ("store_byte", "ds_write_b8", &[0x8786_85a0]),
    ("store_byte_d16_hi", "ds_write_b8_d16_hi", &[0x8786_85a2]),
    ("store_short", "ds_write_b16", &[0x8786_a1a0]),
    ("store_short_d16_hi", "ds_write_b16_d16_hi", &[0x8786_a3a2]),
    ("store_dword", "ds_write_b32", &[STORED[0]]),
    ("store_dwordx2", "ds_write_b64", &[STORED[0], STORED[1]]),
    ("store_dwordx3", "ds_write_b96", &[STORED[0], STORED[1], STORED[2]]),
    ("store_dwordx4", "ds_write_b128", &STORED),
];

fn after_store(words: &[u32]) -> Vec<u32> {
    [&DATA[..1], words, &DATA[1 + words.len()..]].concat()
}

/// Before, data, what is compared, after.
pub type Update = [u64; 4];

/// What an atomic operation of that name does.
pub fn updates(operation: &str, wide: bool) -> Vec<Update> {
    let minus = if wide { u64::MAX } else { 0xffff_ffff };
    let high = if wide { 32 } else { 0 };
    let up = |values: Update| values.map(|v| v << high);
    match operation {
        "add" => vec![up([5, 7, 0, 12]), [minus, 2, 0, 1]],
        "sub" => vec![up([12, 7, 0, 5]), [5, 7, 0, minus - 1]],
        "rsub" => vec![up([5, 12, 0, 7]), [7, 5, 0, minus - 1]],
        "csub" => vec![[5, 7, 0, 0], [9, 7, 0, 2]],
        "smin" => vec![[5, minus, 0, minus], [minus, 5, 0, minus], up([5, 7, 0, 5])],
        "umin" => vec![[5, minus, 0, 5], [minus, 5, 0, 5], up([7, 5, 0, 5])],
        "smax" => vec![[5, minus, 0, 5], [minus, 5, 0, 5], up([5, 7, 0, 7])],
        "umax" => vec![[5, minus, 0, minus], [minus, 5, 0, minus], up([7, 5, 0, 7])],
        "and" => vec![up([12, 10, 0, 8])],
        "or" => vec![up([12, 10, 0, 14])],
        "xor" => vec![up([12, 10, 0, 6])],
        "swap" => vec![up([5, 7, 0, 7])],
        "inc" => vec![[5, 7, 0, 6], [7, 7, 0, 0], [9, 7, 0, 0], [minus - 1, minus, 0, minus]],
        "dec" => vec![[5, 7, 0, 4], [0, 7, 0, 7], [9, 7, 0, 7], [minus - 1, minus, 0, minus - 2]],
        "cmpswap" => vec![up([5, 7, 5, 7]), up([6, 7, 5, 6])],
        "mskor" => vec![up([0b1100, 0b0001, 0b0101, 0b1001])],
        "wrap" => vec![[9, 100, 7, 2], [7, 100, 7, 0], [5, 100, 7, 105]],
        "fcmpswap" if wide => vec![[d(0.0), d(2.0), d(-0.0), d(2.0)], [d(1.0), d(2.0), d(3.0), d(1.0)]],
        "fcmpswap" => vec![[f(0.0), f(2.0), f(-0.0), f(2.0)], [f(1.0), f(2.0), f(3.0), f(1.0)]],
        "fmin" if wide => vec![[d(2.0), d(-3.0), 0, d(-3.0)], [d(1.0), d(f64::NAN), 0, d(1.0)]],
        "fmin" => vec![[f(2.0), f(-3.0), 0, f(-3.0)], [0, f(-0.0), 0, f(-0.0)]],
        "fmax" if wide => {
            vec![[d(-3.0), d(2.0), 0, d(2.0)], [d(2.0), d(-3.0), 0, d(2.0)], [d(1.0), d(f64::NAN), 0, d(1.0)]]
        }
        "fmax" => vec![[f(2.0), f(-3.0), 0, f(2.0)], [f(-0.0), 0, 0, 0]],
        "fadd" => vec![[f(2.5), f(-3.0), 0, f(-0.5)]],
        other => panic!("no atomic operation {other}"),
    }
}

/// Lane 0 is active, lane 1 has the same and is not.
pub fn wave() -> Wave {
    let mut w = Wave::new(32, 64);
    w.set_mask(reg::EXEC, 1);
    for lane in 0..2 {
        for n in 0..4 {
            w.v[usize::from(DST) + n][lane] = OLD[n];
            w.v[8 + n][lane] = STORED[n];
        }
    }
    w
}

pub fn got(w: &Wave) -> [u32; 4] {
    assert_eq!([0, 1, 2, 3].map(|n| w.v[usize::from(DST) + n][1]), OLD, "an inactive lane");
    [0, 1, 2, 3].map(|n| w.v[usize::from(DST) + n][0])
}

/// The destination with its first registers replaced.
pub fn onto(words: &[u32]) -> [u32; 4] {
    std::array::from_fn(|n| words.get(n).copied().unwrap_or(OLD[n]))
}

pub fn halves(v: u64) -> [u32; 2] {
    [v as u32, (v >> 32) as u32]
}

fn run_vmem(row: &Row<VmemOp>, w: &mut Wave, i: &Vmem, ram: &Ram) {
    let mut storage = Storage { memory: ram, lds: &mut [] };
    mutation::loses(w, &ram.bytes, |w| vmem::run(w, i, row.run, &mut storage).unwrap());
}

fn words(ram: &Ram) -> Vec<u32> {
    (0..6).map(|n| ram.word(BASE + 4 * n)).collect()
}

fn global() -> Vmem {
    let (segment, saddr) = (Segment::Global, reg::NULL);
    Vmem { segment, dst: DST, data: 8, addr: 2, saddr, offset: -4, returns: true, ..Vmem::default() }
}

/// Runs a row with the address of DATA's second word, as `change` has the operands.
fn vmem_once(row: &Row<VmemOp>, change: impl Fn(&mut Wave, &mut Vmem, &Ram)) -> ([u32; 4], Vec<u32>) {
    let (ram, mut w, mut i) = (Ram::new(BASE, 24), wave(), global());
    ram.put(BASE, &DATA);
    for lane in 0..2 {
        [w.v[2][lane], w.v[3][lane]] = halves(BASE + 8);
    }
    change(&mut w, &mut i, &ram);
    run_vmem(row, &mut w, &i, &ram);
    assert_eq!(w.status, Status::Running, "{}", row.name);
    (got(&w), words(&ram))
}

pub fn check_vmem(row: &Row<VmemOp>) {
    let name = row.name;
    if let Some((_, _, want)) = LOADS.iter().find(|(other, ..)| *other == name) {
        assert_eq!(vmem_once(row, |_, _, _| {}), (onto(want), DATA.to_vec()), "{name}");
    } else if let Some((_, _, want)) = STORES.iter().find(|(other, ..)| *other == name) {
        assert_eq!(vmem_once(row, |_, _, _| {}), (OLD, after_store(want)), "{name}");
    } else if let Some(operation) = name.strip_prefix("atomic_") {
        let (operation, wide) = operation.strip_suffix("_x2").map_or((operation, false), |name| (name, true));
        let count = 1 + usize::from(wide);
        for [before, data, compare, after] in updates(operation, wide) {
            for returns in [true, false] {
                let (old, memory) = vmem_once(row, |w, i, ram| {
                    ram.put(BASE + 4, &halves(before)[..count]);
                    let operands = [halves(data), halves(compare)].map(|words| words[..count].to_vec()).concat();
                    for (n, word) in operands.into_iter().enumerate() {
                        w.v[8 + n][0] = word;
                    }
                    i.returns = returns;
                });
                assert_eq!(memory, after_store(&halves(after)[..count]), "{name} {before:#x} {data:#x}");
                assert_eq!(old, if returns { onto(&halves(before)[..count]) } else { OLD }, "{name}");
            }
        }
    } else if name.contains("format") {
        check_format(row);
    } else if name.contains("addtid") {
        check_addtid(row);
    } else {
        assert!(["gl0_inv", "gl1_inv"].contains(&name), "{name} has no test");
        assert_eq!(vmem_once(row, |_, _, _| {}), (OLD, DATA.to_vec()), "{name}");
    }
}

/// Formatted accesses to one element of a buffer: of bytes from 0 to 1, or where three components are stored, which no
/// format has as bytes, of whole numbers.
fn check_format(row: &Row<VmemOp>) {
    let name = row.name;
    let (loads, d16) = (name.starts_with("load"), name.contains("d16"));
    let count = name.rsplit('_').next().unwrap().len();
    let float = |v: f32| if d16 { h(v) as u32 } else { v.to_bits() };
    let bytes = [0.2, 128.0 / 255.0, 0.0, 1.0].map(float);
    // Format, element, components.
    let (format, element, components) = match count {
        _ if loads => (56, 0xff00_8033, bytes),
        1 => (1, 0x33, bytes),
        2 => (14, 0x8033, bytes),
        3 => (34, 1 | 2 << 11 | 3 << 22, [1, 2, 3, 0]),
        _ => (56, 0xff00_8033, bytes),
    };
    let registers = if d16 {
        vec![components[0] | components[1] << 16, components[2] | components[3] << 16]
    } else {
        components.to_vec()
    };
    let (result, memory) = vmem_once(row, |w, i, ram| {
        ram.put(BASE + 4, &[if loads { element } else { 0 }]);
        [w.s[40], w.s[41]] = halves(BASE);
        // Components in their order, bytes counted.
        (w.s[42], w.s[43]) = (8, 0xfac | format << 12 | 3 << 28);
        (i.segment, i.saddr, i.offset, i.soffset) = (Segment::Buffer, 40, 4, Src::code(128));
        for (n, &word) in registers.iter().enumerate() {
            w.v[8 + n][0] = word;
        }
    });
    assert_eq!(memory[1], element, "{name}");
    let loaded = if d16 { &registers[..count.div_ceil(2)] } else { &registers[..count] };
    let mut want = onto(loaded);
    if d16 && count % 2 == 1 {
        // The other half is cleared.
        want[count / 2] &= 0xffff;
    }
    assert_eq!(result, if loads { want } else { OLD }, "{name}");
}

fn check_addtid(row: &Row<VmemOp>) {
    let (ram, mut w) = (Ram::new(BASE, 24), wave());
    ram.put(BASE, &DATA);
    w.set_mask(reg::EXEC, 0b1101);
    w.set_s64(40, BASE);
    w.v[8] = std::array::from_fn(|lane| 100 + lane as u32);
    let before = w.v[usize::from(DST)];
    run_vmem(row, &mut w, &Vmem { saddr: 40, offset: 4, ..global() }, &ram);
    let after = w.v[usize::from(DST)];
    if row.name.starts_with("load") {
        assert_eq!(after[..5], [DATA[1], before[1], DATA[3], DATA[4], before[4]], "{}", row.name);
        assert_eq!(words(&ram), DATA, "{}", row.name);
    } else {
        assert_eq!(words(&ram), [DATA[0], 100, DATA[2], 102, 103, DATA[5]], "{}", row.name);
        assert_eq!(after, before, "{}", row.name);
    }
}

pub fn check_smem(row: &Row<SmemOp>) {
    let ram = Ram::new(BASE, 128);
    ram.put(BASE, &(0..32).collect::<Vec<u32>>());
    let mut w = wave();
    w.set_s64(60, BASE);
    (w.s[62], w.s[70], w.count) = (4 * 6, 4, 99);
    w.s[8..40].fill(55);
    let before = w.s;
    let i = Smem { base: 60, dst: 8, offset: 8, soffset: 70 };
    let mut storage = Storage { memory: &Clock(&ram), lds: &mut [] };
    mutation::loses(&mut w, &ram.bytes, |w| smem::run(w, &i, row.run, &mut storage).unwrap());
    let mut want = before;
    let name = row.name.trim_start_matches("s_").trim_start_matches("buffer_");
    match name {
        "memtime" => want[8..10].copy_from_slice(&[99, 0]),
        "memrealtime" => want[8..10].copy_from_slice(&halves(TICKS)),
        "gl1_inv" | "dcache_inv" | "dcache_wb" | "atc_probe" | "atc_probe_buffer" => {}
        _ => {
            let count = name.strip_prefix("load_dword").unwrap();
            let count = count.trim_start_matches('x').parse().unwrap_or(1);
            // Beyond the buffer's six words there are zeros.
            let bounded = |n: u32| if row.name.contains("buffer") && n >= 6 { 0 } else { n };
            (0..count).for_each(|n| want[8 + n] = bounded(3 + n as u32));
        }
    }
    assert_eq!(w.s, want, "{}", row.name);
}

#[test]
fn every_memory_opcode_does_what_its_name_says() {
    vmem::TABLE.iter().for_each(check_vmem);
    ds::TABLE.iter().for_each(check_ds);
    smem::TABLE.iter().for_each(check_smem);
}
