//! What each opcode of LDS does, and of lanes that exchange registers: by its name, never by its row.

use super::mutation;
use super::state::{DST, f};
use super::storage::{DATA, LOADS, OLD, STORED, STORES, got, halves, onto, updates, wave};
use crate::mem::Storage;
use crate::mem::ds::{self, DsOp};
use crate::operands::Ds;
use crate::ram::Ram;
use crate::row::Row;
use crate::wave::{Status, Wave, reg};

/// LDS after a row ran, and the destination. v2 holds 1, the offset is as given.
fn ds_once(row: &Row<DsOp>, offset: u16, change: impl Fn(&mut Wave, &mut [u8])) -> ([u32; 4], Vec<u32>) {
    let mut w = wave();
    (w.v[2][0], w.v[2][1]) = (1, 1);
    let mut lds: Vec<u8> = (0..512_u32).flat_map(|n| DATA.get(n as usize).unwrap_or(&n).to_le_bytes()).collect();
    change(&mut w, &mut lds);
    run_ds(row, &mut w, &Ds { dst: DST, addr: 2, data: [8, 10], offset }, &mut lds);
    assert_eq!(w.status, Status::Running, "{}", row.name);
    (got(&w), lds.chunks_exact(4).map(|word| u32::from_le_bytes(word.try_into().unwrap())).collect())
}

fn run_ds(row: &Row<DsOp>, w: &mut Wave, i: &Ds, lds: &mut Vec<u8>) {
    let bytes = std::sync::Mutex::new(std::mem::take(lds));
    mutation::loses(w, &bytes, |w| {
        let ram = Ram::new(0, 0);
        ds::run(w, i, row.run, &mut Storage { memory: &ram, lds: &mut bytes.lock().unwrap() });
    });
    *lds = bytes.into_inner().unwrap();
}

/// LDS as it is at first, with some words replaced.
fn lds_with(words: &[(usize, u32)]) -> Vec<u32> {
    let mut all: Vec<u32> = (0..512_u32).map(|n| *DATA.get(n as usize).unwrap_or(&n)).collect();
    for &(at, word) in words {
        all[at] = word;
    }
    all
}

fn put(lds: &mut [u8], at: usize, words: &[u32]) {
    for (n, word) in words.iter().enumerate() {
        lds[4 * (at + n)..][..4].copy_from_slice(&word.to_le_bytes());
    }
}

pub fn check_ds(row: &Row<DsOp>) {
    let name = row.name;
    // Offsets of 2 and 3 places, from address 0.
    let pair = |change: &dyn Fn(&mut Wave)| {
        ds_once(row, 0x0302, |w, _| {
            w.v[2][0] = 0;
            change(w);
        })
    };
    if let Some((.., want)) = LOADS.iter().find(|(_, other, _)| *other == name) {
        assert_eq!(ds_once(row, 3, |_, _| {}), (onto(want), lds_with(&[])), "{name}");
    } else if let Some((.., want)) = STORES.iter().find(|(_, other, _)| *other == name) {
        let words: Vec<_> = want.iter().enumerate().map(|(n, &word)| (1 + n, word)).collect();
        assert_eq!(ds_once(row, 3, |_, _| {}), (OLD, lds_with(&words)), "{name}");
    } else if ["read2", "write2", "wrxchg2"].iter().any(|two| name.contains(two)) {
        // Words from one place to the next, and in each.
        let step = if name.contains("st64") { 64 } else { 1 } * if name.ends_with("64") { 2 } else { 1 };
        let each = if name.ends_with("64") { 2 } else { 1 };
        let at = |n: usize| (0..each).map(move |k| n * step + k);
        let places: Vec<usize> = at(2).chain(at(3)).collect();
        let there: Vec<u32> = places.iter().map(|&at| lds_with(&[])[at]).collect();
        let new = [&STORED[..each], &STORED[2..2 + each]].concat();
        let written: Vec<_> = places.into_iter().zip(new).collect();
        let (result, lds) = pair(&|_| {});
        assert_eq!(result, if name.contains("write") { OLD } else { onto(&there) }, "{name}");
        assert_eq!(lds, lds_with(if name.contains("read") { &[] } else { &written }), "{name}");
    } else if name.contains("src2") {
        let (operation, wide) = ds_operation(name);
        let count = 1 + usize::from(wide);
        // So many words after the address, one before it, or where the address itself says.
        for (offset, from) in [(0x10, 17), (0x7fff, 0), (0x8000, 1)] {
            for [before, data, _, after] in updates(operation, wide).into_iter().filter(|_| from == 17 || !wide) {
                let after = if from == 1 { updates_of_itself(operation, before) } else { after };
                let (result, lds) = ds_once(row, offset, |w, lds| {
                    w.v[2][0] = 4;
                    put(lds, from, &halves(data)[..count]);
                    put(lds, 1, &halves(before)[..count]);
                });
                assert_eq!((result, &lds[1..=count]), (OLD, &halves(after)[..count]), "{name} {before:#x} {data:#x}");
            }
        }
    } else {
        match name {
            "ds_nop" => {
                for words in [[0; 2], [u32::MAX; 2], [0x7fff_ffff; 2], [STORED[0], STORED[1]]] {
                    let there = lds_with(&[(1, words[0]), (2, words[1])]);
                    assert_eq!(ds_once(row, 3, |_, lds| put(lds, 1, &words)), (OLD, there));
                }
            }
            "ds_condxchg32_rtn_b64" => {
                let (result, lds) = ds_once(row, 3, |w, _| (w.v[8][0], w.v[9][0]) = (0x8000_0007, 9));
                assert_eq!((result, lds), (onto(&DATA[1..3]), lds_with(&[(1, 7)])));
                let (_, lds) = ds_once(row, 3, |w, _| (w.v[8][0], w.v[9][0]) = (7, 0x8000_0009));
                assert_eq!(lds, lds_with(&[(2, 9)]));
            }
            "ds_append" | "ds_consume" | "ds_read_addtid_b32" | "ds_write_addtid_b32" => check_m0(row),
            "ds_swizzle_b32" | "ds_permute_b32" | "ds_bpermute_b32" => check_exchange(row),
            "ds_gws_init" | "ds_gws_barrier" => check_gws(row),
            _ => {
                let (operation, wide) = ds_operation(name);
                let returns = name.contains("_rtn_");
                for [before, data, compare, after] in updates(operation, wide) {
                    let two = ["cmpswap", "fcmpswap", "mskor", "wrap"].contains(&operation);
                    // What is compared comes first.
                    let [first, second] = if two { [compare, data] } else { [data, 0] }.map(halves);
                    let (result, lds) = ds_once(row, 3, |w, lds| {
                        put(lds, 1, &halves(before)[..1 + usize::from(wide)]);
                        ([w.v[8][0], w.v[9][0]], [w.v[10][0], w.v[11][0]]) = (first, second);
                    });
                    let count = 1 + usize::from(wide);
                    let words: Vec<_> =
                        halves(after)[..count].iter().enumerate().map(|(n, &word)| (1 + n, word)).collect();
                    assert_eq!(lds, lds_with(&words), "{name} {before:#x} {data:#x} {compare:#x}");
                    assert_eq!(result, if returns { onto(&halves(before)[..count]) } else { OLD }, "{name}");
                }
            }
        }
    }
}

#[test]
fn beyond_the_allocation_lds_reads_zeros_and_drops_writes() {
    let row = |name: &str| *ds::TABLE.iter().find(|row| row.name == name).unwrap();
    // 512 words; v2 holds 1.
    let at = |name: &str, offset: u16| ds_once(&row(name), offset, |_, _| {});
    assert_eq!(at("ds_read_b128", 2031), (onto(&[508, 509, 510, 511]), lds_with(&[])), "the last that fits");
    assert_eq!(at("ds_read_b128", 2035), (onto(&[0; 4]), lds_with(&[])), "partly beyond");
    assert_eq!(at("ds_read_b32", 2047), (onto(&[0]), lds_with(&[])));
    assert_eq!(at("ds_read_u8_d16_hi", 2047), (onto(&[OLD[0] & 0xffff]), lds_with(&[])));
    assert_eq!(at("ds_write_b32", 2043), (OLD, lds_with(&[(511, STORED[0])])), "the last that fits");
    assert_eq!(at("ds_write_b64", 2043), (OLD, lds_with(&[])), "partly beyond");
    assert_eq!(at("ds_add_rtn_u32", 2047), (onto(&[0]), lds_with(&[])));
    // One place within and one beyond it, and the same one twice.
    let pair = |name: &str, offset: u16| ds_once(&row(name), offset, |w, _| w.v[2][0] = 2040);
    assert_eq!(pair("ds_read2_b32", 0x0201), (onto(&[511, 0]), lds_with(&[])));
    assert_eq!(pair("ds_write2_b32", 0x0201), (OLD, lds_with(&[(511, STORED[0])])));
    assert_eq!(pair("ds_wrxchg2_rtn_b32", 0x0202), (onto(&[0, 0]), lds_with(&[])));
    let (result, lds) = ds_once(&row("ds_read_b32"), 0, |w, _| w.v[2][0] = u32::MAX - 3);
    assert_eq!((result, lds), (onto(&[0]), lds_with(&[])), "the highest address");
}

/// What an operation makes of a word that is its data, too.
fn updates_of_itself(operation: &str, word: u64) -> u64 {
    match operation {
        "add" => (word << 1) & 0xffff_ffff,
        "sub" | "rsub" | "xor" | "inc" => 0,
        "dec" => {
            if word == 0 {
                0
            } else {
                word - 1
            }
        }
        "fadd" => f(2.0 * f32::from_bits(word as u32)),
        _ => word,
    }
}

/// The operation of a DS opcode as [`updates`] has it.
fn ds_operation(name: &str) -> (&str, bool) {
    let (operation, kind) = name.trim_start_matches("ds_").split_once('_').unwrap();
    let kind = kind.trim_start_matches("rtn_").trim_start_matches("src2_");
    let operation = match (operation, &kind[..1]) {
        ("min", "i") => "smin",
        ("min", "u") => "umin",
        ("min", _) => "fmin",
        ("max", "i") => "smax",
        ("max", "u") => "umax",
        ("max", _) => "fmax",
        ("add", "f") => "fadd",
        ("cmpst", "f") => "fcmpswap",
        ("cmpst", _) => "cmpswap",
        ("wrxchg" | "write", _) => "swap",
        _ => operation,
    };
    (operation, kind.ends_with("64"))
}

/// Those that find LDS through M0.
fn check_m0(row: &Row<DsOp>) {
    let (mut w, mut lds) = (wave(), Vec::new());
    lds.extend(DATA.iter().flat_map(|word| word.to_le_bytes()));
    w.set_mask(reg::EXEC, 0b1101);
    w.set_s32(reg::M0, 0xffff_0004);
    w.v[8] = std::array::from_fn(|lane| 100 + lane as u32);
    let old = w.v[usize::from(DST)];
    run_ds(row, &mut w, &Ds { dst: DST, addr: 2, data: [8, 10], offset: 4 }, &mut lds);
    let words: Vec<u32> = lds.chunks_exact(4).map(|word| u32::from_le_bytes(word.try_into().unwrap())).collect();
    let after = w.v[usize::from(DST)];
    let counted = |word: u32| {
        assert_eq!(after[..5], [DATA[2], old[1], DATA[2], DATA[2], old[4]], "{}", row.name);
        assert_eq!(words, [DATA[0], DATA[1], word, DATA[3], DATA[4], DATA[5]], "{}", row.name);
    };
    match row.name {
        "ds_append" => counted(DATA[2] + 3),
        "ds_consume" => counted(DATA[2] - 3),
        "ds_read_addtid_b32" => {
            assert_eq!((after[..5].to_vec(), words), (vec![DATA[2], old[1], DATA[4], DATA[5], old[4]], DATA.to_vec()));
        }
        _ => assert_eq!((words, after), (vec![DATA[0], DATA[1], 100, DATA[3], 102, 103], old)),
    }
}

/// Those that exchange registers between lanes.
fn check_exchange(row: &Row<DsOp>) {
    let run = |offset: u16, address: &dyn Fn(u32) -> u32, exec: u32| {
        let mut w = wave();
        w.s[usize::from(reg::EXEC)] = exec;
        w.v[2] = std::array::from_fn(|lane| address(lane as u32));
        w.v[8] = std::array::from_fn(|lane| 100 + lane as u32);
        run_ds(row, &mut w, &Ds { dst: DST, addr: 2, data: [8, 8], offset }, &mut Vec::new());
        w.v[usize::from(DST)][..32].to_vec()
    };
    let all = u32::MAX;
    let up = |lane: u32| (lane + 1) * 4;
    let some = |v: &[u32]| [v[0], v[1], v[2], v[5], v[31]];
    match row.name {
        "ds_bpermute_b32" => {
            assert_eq!(some(&run(0, &up, all)), [101, 102, 103, 106, 100]);
            assert_eq!(some(&run(0, &up, 1))[..2], [0, OLD[0]]);
        }
        "ds_permute_b32" => assert_eq!(some(&run(4, &up, all)), [130, 131, 100, 103, 129]),
        _ => {
            let own = |lane: u32| 100 + lane;
            let swizzled = |offset: u16| some(&run(offset, &own, all));
            assert_eq!(swizzled(1 << 10 | 31), [101, 100, 103, 104, 130], "the neighbour");
            assert_eq!(swizzled(5 << 5), [105; 5], "one for all");
            assert_eq!(swizzled(0x8000 | 0b00_01_10_11), [103, 102, 101, 106, 128], "within quads");
            assert_eq!(swizzled(0xc000 | 2 << 5), [102, 103, 104, 107, 101], "rotation");
            assert_eq!(swizzled(0xc000 | 1 << 10 | 2 << 5 | 0x10), [114, 115, 100, 103, 129], "backwards, by halves");
            assert_eq!(swizzled(0xe000), [100, 116, 108, 120, 131], "all bits reversed");
            assert_eq!(swizzled(0xe000 | 0x10), [100, 108, 104, 110, 131], "reversed by halves");
        }
    }
}

fn check_gws(row: &Row<DsOp>) {
    use crate::mem::gws::GwsOp::{Barrier, Init};
    // Of two waves the first waits, and of one wave none: the resource of this thread alone.
    let barrier = |waves: u32, init: DsOp, barrier: DsOp| {
        let ram = Ram::new(0, 0);
        let mut w = wave();
        (w.pc, w.v[2][0]) = (108, waves - 1);
        let i = Ds { dst: 0, addr: 2, data: [0, 0], offset: 9 };
        for op in [init, barrier] {
            ds::run(&mut w, &i, op, &mut Storage { memory: &ram, lds: &mut [] });
        }
        (w.pc, w.status)
    };
    let (init, wait) =
        if row.name == "ds_gws_init" { (row.run, DsOp::Gws(Barrier)) } else { (DsOp::Gws(Init), row.run) };
    let _one_at_a_time = GWS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    assert_eq!(barrier(2, init, wait), (100, Status::Yielding), "{}", row.name);
    assert_eq!(barrier(1, init, wait), (108, Status::Running), "{}", row.name);
}

/// The card's resource is one for all tests.
static GWS: std::sync::Mutex<()> = std::sync::Mutex::new(());
