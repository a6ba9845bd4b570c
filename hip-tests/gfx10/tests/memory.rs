//! Instructions that reach memory, and small kernels from launch to end.

use super::state::{DST, Ram, atomics};
use crate::dispatch::{Dispatch, Done};
use crate::inst::Src;
use crate::mem::Reach;
use crate::mem::ds::{self, Ds, DsOp};
use crate::mem::gws::GwsOp;
use crate::mem::smem::{self, Smem, SmemOp};
use crate::mem::vmem::{self, Into, SCRATCH_RESOURCE, Segment, Vmem, VmemOp};
use crate::memory::{Atomic, Fault};
use crate::row::Target;
use crate::stop::Stop;
use crate::wave::{PRIVATE_APERTURE, SHARED_APERTURE, Status, Wave, reg};

const BASE: u64 = 0x7f00_0000_1000;
const DATA: [u32; 6] = [0x8382_8180, 0x8786_8584, 0x8b8a_8988, 0x8f8e_8d8c, 0x9392_9190, 0x9796_9594];

fn wave() -> Wave {
    let mut w = Wave::new(32, 64);
    w.set_mask(reg::EXEC, 1);
    w.v[usize::from(DST)][0] = 0x1111_2222;
    w
}

/// What a load of these bytes from DATA's second byte or word on leaves in the destination.
fn loaded(bytes: usize, signed: bool, into: Into) -> Vec<u32> {
    let narrow = |value: u32| match into {
        Into::Whole => value,
        Into::Low => 0x1111_0000 | value & 0xffff,
        Into::High => value << 16 | 0x2222,
    };
    match (bytes, signed) {
        (1, false) => vec![narrow(0x84)],
        (1, true) => vec![narrow(0xffff_ff84)],
        (2, false) => vec![narrow(0x8584)],
        (2, true) => vec![narrow(0xffff_8584)],
        _ => DATA[1..1 + bytes / 4].to_vec(),
    }
}

/// The bytes of v8 to v11 that a store writes.
const STORED: [u32; 4] = [0xa3a2_a1a0, 0xa7a6_a5a4, 0xabaa_a9a8, 0xafae_adac];

fn after_store(bytes: usize, high: bool) -> Vec<u32> {
    let mut after = DATA.to_vec();
    match (bytes, high) {
        (1, false) => after[1] = 0x8786_85a0,
        (1, true) => after[1] = 0x8786_85a2,
        (2, false) => after[1] = 0x8786_a1a0,
        (2, true) => after[1] = 0x8786_a3a2,
        _ => after[1..1 + bytes / 4].copy_from_slice(&STORED[..bytes / 4]),
    }
    after
}

/// The word of `atomics` that an operation goes by.
fn word(op: Atomic) -> String {
    format!("{op:?}").to_lowercase()
}

fn words(ram: &Ram) -> Vec<u32> {
    (0..6).map(|n| ram.word(BASE + 4 * n)).collect()
}

#[test]
fn every_vector_memory_opcode_moves_what_it_should() {
    let i = Vmem {
        segment: Segment::Global,
        dst: DST,
        data: 8,
        addr: 2,
        saddr: reg::NULL,
        offset: -4,
        returns: true,
        ..Vmem::default()
    };
    for row in vmem::TABLE {
        let ram = Ram::new(BASE, 64);
        let run = |w: &mut Wave| {
            let va = BASE + 8;
            (w.v[2][0], w.v[3][0]) = (va as u32, (va >> 32) as u32);
            vmem::run(w, &i, row.run, &mut Reach { memory: &ram, lds: &mut [] })
        };
        let mut w = wave();
        ram.put(BASE, &DATA);
        for (n, value) in STORED.into_iter().enumerate() {
            w.v[8 + n][0] = value;
        }
        match row.run {
            VmemOp::Nothing => {
                run(&mut w).unwrap();
                assert_eq!(words(&ram), DATA, "{}", row.name);
            }
            VmemOp::Load { bytes, signed, into } => {
                assert_eq!(row.name.contains("dword"), bytes >= 4, "{}", row.name);
                run(&mut w).unwrap();
                let want = loaded(bytes, signed, into);
                let got: Vec<u32> = (0..want.len()).map(|n| w.v[usize::from(DST) + n][0]).collect();
                assert_eq!(got, want, "{}", row.name);
            }
            VmemOp::Store { bytes, high } => {
                run(&mut w).unwrap();
                assert_eq!(words(&ram), after_store(bytes, high), "{}", row.name);
            }
            VmemOp::Atomic { op, wide } => {
                assert_eq!(
                    (row.name.trim_end_matches("_x2"), row.name.ends_with("_x2")),
                    (&*format!("atomic_{}", word(op)), wide)
                );
                let cases = match op {
                    Atomic::CmpSwap | Atomic::FCmpSwap => vec![(5, 7, 7), (6, 7, 6)],
                    _ => atomics()[&*word(op)].clone(),
                };
                // Of 64 bits the operation is tested on the upper half, too, by its own test below.
                for (before, data, after) in cases.into_iter().filter(|_| !wide) {
                    ram.put(BASE + 4, &[before]);
                    (w.v[8][0], w.v[9][0]) = (data, 5);
                    run(&mut w).unwrap();
                    assert_eq!((ram.word(BASE + 4), w.v[usize::from(DST)][0]), (after, before), "{}", row.name);
                }
            }
        }
    }
}

#[test]
fn atomics_on_64_bits_use_all_of_them() {
    let wide = |op: Atomic, before: u64, data: u64| op.apply(true, before, data, 5 << 32);
    let (two, five, minus) = (2_u64 << 32, 5_u64 << 32, u64::MAX);
    assert_eq!(wide(Atomic::Add, u32::MAX.into(), 1), 1 << 32);
    assert_eq!(wide(Atomic::Sub, 1 << 32, 1), u32::MAX.into());
    assert_eq!(wide(Atomic::RSub, 1, 1 << 32), u32::MAX.into());
    assert_eq!((wide(Atomic::SMin, five, minus), wide(Atomic::UMin, five, minus)), (minus, five));
    assert_eq!((wide(Atomic::SMax, five, minus), wide(Atomic::UMax, five, minus)), (five, minus));
    assert_eq!((wide(Atomic::And, five, 7 << 32 | 1), wide(Atomic::Or, five, two)), (five, 7 << 32));
    assert_eq!((wide(Atomic::Xor, five, two), wide(Atomic::Swap, five, two)), (7 << 32, two));
    assert_eq!((wide(Atomic::CmpSwap, five, two), wide(Atomic::CmpSwap, two, 9)), (two, two));
    assert_eq!((wide(Atomic::Inc, two, five), wide(Atomic::Inc, five, five)), (two + 1, 0));
    assert_eq!((wide(Atomic::Dec, two, five), wide(Atomic::Dec, five, two)), (two - 1, two));
    let bits = f64::to_bits;
    assert_eq!(
        (wide(Atomic::FMin, bits(1.0), bits(-2.0)), wide(Atomic::FMax, bits(1.0), bits(-2.0))),
        (bits(-2.0), bits(1.0))
    );
    assert_eq!(wide(Atomic::FAdd, bits(1.5), bits(-2.0)), bits(-0.5));
    assert_eq!(Atomic::FCmpSwap.apply(true, bits(0.0), bits(2.0), bits(-0.0)), bits(2.0));
}

#[test]
fn memory_atomics_of_64_bits_take_pairs_of_registers() {
    let ram = Ram::new(BASE, 64);
    ram.put(BASE, &[1, 2]);
    let mut w = wave();
    (w.v[2][0], w.v[3][0]) = (BASE as u32, (BASE >> 32) as u32);
    (w.v[8][0], w.v[9][0], w.v[10][0], w.v[11][0]) = (7, 8, 1, 2);
    let i = Vmem {
        segment: Segment::Global,
        dst: DST,
        data: 8,
        addr: 2,
        saddr: reg::NULL,
        returns: true,
        ..Vmem::default()
    };
    let op = VmemOp::Atomic { op: Atomic::CmpSwap, wide: true };
    vmem::run(&mut w, &i, op, &mut Reach { memory: &ram, lds: &mut [] }).unwrap();
    assert_eq!((ram.word(BASE), ram.word(BASE + 4)), (7, 8));
    assert_eq!((w.v[usize::from(DST)][0], w.v[usize::from(DST) + 1][0]), (1, 2));
}

#[test]
fn every_lds_opcode_moves_what_it_should() {
    for row in ds::TABLE {
        let mut lds: Vec<u8> = DATA.iter().flat_map(|word| word.to_le_bytes()).collect();
        lds.resize(2048, 0);
        let mut w = wave();
        for (n, value) in STORED.into_iter().enumerate() {
            w.v[8 + n][0] = value;
        }
        w.v[2][0] = 1;
        let ram = Ram::new(BASE, 0);
        let run = |w: &mut Wave, lds: &mut [u8], offset: u16, data: [u8; 2]| {
            let i = Ds { dst: DST, addr: 2, data, offset };
            ds::run(w, &i, row.run, &mut Reach { memory: &ram, lds })
        };
        let at = |lds: &[u8], n: usize| u32::from_le_bytes(std::array::from_fn(|k| lds[4 * n + k]));
        let got = |w: &Wave, count: usize| (0..count).map(|n| w.v[usize::from(DST) + n][0]).collect::<Vec<_>>();
        match row.run {
            DsOp::Read { bytes, signed, into } => {
                run(&mut w, &mut lds, 3, [8, 8]).unwrap();
                let want = loaded(bytes, signed, into);
                assert_eq!(got(&w, want.len()), want, "{}", row.name);
            }
            DsOp::Write { bytes, high } => {
                run(&mut w, &mut lds, 3, [8, 8]).unwrap();
                assert_eq!((0..6).map(|n| at(&lds, n)).collect::<Vec<_>>(), after_store(bytes, high), "{}", row.name);
            }
            DsOp::Read2 { bytes, unit } => {
                w.v[2][0] = 0;
                for (n, word) in (0_u32..).zip(lds.chunks_exact_mut(4)) {
                    word.copy_from_slice(&n.to_le_bytes());
                }
                run(&mut w, &mut lds, 0x0302, [8, 8]).unwrap();
                let first = |n: usize| (n * unit / 4) as u32;
                let want = if bytes == 4 {
                    vec![first(2), first(3)]
                } else {
                    vec![first(2), first(2) + 1, first(3), first(3) + 1]
                };
                assert_eq!(got(&w, want.len()), want, "{}", row.name);
                assert_eq!(row.name.contains("st64"), unit == 64 * bytes, "{}", row.name);
            }
            DsOp::Write2 { bytes, unit } => {
                w.v[2][0] = 0;
                run(&mut w, &mut lds, 0x0302, [8, 10]).unwrap();
                let (low, high) = (2 * unit / 4, 3 * unit / 4);
                assert_eq!((at(&lds, low), at(&lds, high)), (STORED[0], STORED[2]), "{}", row.name);
                if bytes == 8 {
                    assert_eq!((at(&lds, low + 1), at(&lds, high + 1)), (STORED[1], STORED[3]), "{}", row.name);
                }
                assert_eq!(row.name.contains("st64"), unit == 64 * bytes, "{}", row.name);
            }
            DsOp::Atomic { op, wide, returns } | DsOp::CmpSwap { op, wide, returns } => {
                assert_eq!((row.name.contains("_rtn_"), row.name.ends_with("64")), (returns, wide), "{}", row.name);
                let compares = matches!(row.run, DsOp::CmpSwap { .. });
                // What is compared comes first.
                let cases = if compares { vec![(5, 7, 7), (6, 7, 6)] } else { atomics()[&*word(op)].clone() };
                for (before, data, after) in cases.into_iter().filter(|_| !wide) {
                    lds[4..8].copy_from_slice(&before.to_le_bytes());
                    (w.v[8][0], w.v[9][0]) = if compares { (5, data) } else { (data, 0) };
                    run(&mut w, &mut lds, 3, [8, 9]).unwrap();
                    assert_eq!(at(&lds, 1), after, "{}", row.name);
                    assert_eq!(got(&w, 1)[0], if returns { before } else { 0x1111_2222 }, "{}", row.name);
                }
            }
            DsOp::Nothing | DsOp::Swizzle | DsOp::Permute | DsOp::BPermute | DsOp::Gws(_) => {}
        }
    }
}

#[test]
fn lds_names_and_operations_agree() {
    let named = [
        ("add_", Atomic::Add),
        ("sub_", Atomic::Sub),
        ("rsub_", Atomic::RSub),
        ("inc_", Atomic::Inc),
        ("dec_", Atomic::Dec),
        ("and_", Atomic::And),
        ("or_", Atomic::Or),
        ("xor_", Atomic::Xor),
        ("wrxchg_", Atomic::Swap),
    ];
    let sized =
        [("i", [Atomic::SMin, Atomic::SMax]), ("u", [Atomic::UMin, Atomic::UMax]), ("f", [Atomic::FMin, Atomic::FMax])];
    for row in ds::TABLE {
        let (DsOp::Atomic { op, .. } | DsOp::CmpSwap { op, .. }) = row.run else { continue };
        let name = row.name.trim_start_matches("ds_");
        let kind = &name[name.rfind('_').unwrap() + 1..][..1];
        let want = match &name[..3] {
            "min" | "max" => sized.iter().find(|(k, _)| *k == kind).unwrap().1[usize::from(name.starts_with("max"))],
            "cmp" if kind == "f" => Atomic::FCmpSwap,
            "cmp" => Atomic::CmpSwap,
            "add" if kind == "f" => Atomic::FAdd,
            _ => named.iter().find(|(prefix, _)| name.starts_with(prefix)).unwrap().1,
        };
        assert_eq!(op, want, "{}", row.name);
    }
}

#[test]
fn lanes_exchange_registers_through_lds_hardware() {
    let run = |op: DsOp, offset: u16, address: &dyn Fn(u32) -> u32, exec: u32| {
        let mut w = wave();
        w.s[usize::from(reg::EXEC)] = exec;
        w.v[2] = std::array::from_fn(|lane| address(lane as u32));
        w.v[8] = std::array::from_fn(|lane| 100 + lane as u32);
        let i = Ds { dst: DST, addr: 2, data: [8, 8], offset };
        ds::run(&mut w, &i, op, &mut Reach { memory: &Ram::new(0, 0), lds: &mut [] }).unwrap();
        w.v[usize::from(DST)]
    };
    let all = u32::MAX;
    let up = |lane: u32| (lane + 1) * 4;
    let pulled = run(DsOp::BPermute, 0, &up, all);
    assert_eq!((pulled[0], pulled[5], pulled[31]), (101, 106, 100));
    assert_eq!(run(DsOp::BPermute, 0, &up, 1)[0], 0);
    let pushed = run(DsOp::Permute, 4, &up, all);
    assert_eq!((pushed[2], pushed[0], pushed[1]), (100, 130, 131));
    let own = |lane: u32| 100 + lane;
    let swapped = run(DsOp::Swizzle, 1 << 10 | 31, &own, all);
    assert_eq!((swapped[0], swapped[1], swapped[6]), (101, 100, 107));
    let quads = run(DsOp::Swizzle, 0x8000 | 0b00_01_10_11, &own, all);
    assert_eq!((quads[0], quads[1], quads[7]), (103, 102, 104));
}

#[test]
fn waves_wait_at_the_global_barrier_until_the_last_one_comes() {
    let ram = Ram::new(0, 0);
    let i = Ds { dst: 0, addr: 2, data: [0, 0], offset: 5 };
    let run = |w: &mut Wave, op: GwsOp| {
        w.pc = 108;
        w.status = Status::Running;
        ds::run(w, &i, DsOp::Gws(op), &mut Reach { memory: &ram, lds: &mut [] }).unwrap();
        (w.pc, w.status.clone())
    };
    let mut waves = [wave(), wave()];
    for w in &mut waves {
        w.set_s32(reg::M0, 7 << 16);
        w.v[2][0] = 1;
    }
    let (waits, goes_on) = ((100, Status::Yielding), (108, Status::Running));
    assert_eq!(run(&mut waves[0], GwsOp::Init), goes_on);
    // The second round counts what the last wave of the first brought.
    for _ in 0..2 {
        assert_eq!(run(&mut waves[0], GwsOp::Barrier), waits);
        assert_eq!(run(&mut waves[0], GwsOp::Barrier), waits);
        assert_eq!(run(&mut waves[1], GwsOp::Barrier), goes_on);
        assert_eq!(run(&mut waves[0], GwsOp::Barrier), goes_on);
    }
}

#[test]
fn flat_addresses_reach_lds_and_scratch_through_their_apertures() {
    let ram = Ram::new(BASE, 64);
    let mut lds = vec![0; 64];
    let mut w = wave();
    (w.private_bytes, w.scratch) = (16, vec![0; 16 * 32]);
    w.v[8][0] = 77;
    let mut store = |w: &mut Wave, va: u64| {
        (w.v[2][0], w.v[3][0]) = (va as u32, (va >> 32) as u32);
        let i = Vmem { data: 8, addr: 2, offset: 4, saddr: reg::NULL, ..Vmem::default() };
        vmem::run(w, &i, VmemOp::Store { bytes: 4, high: false }, &mut Reach { memory: &ram, lds: &mut lds })
    };
    store(&mut w, BASE).unwrap();
    store(&mut w, SHARED_APERTURE + 8).unwrap();
    store(&mut w, PRIVATE_APERTURE + 4).unwrap();
    let outside = PRIVATE_APERTURE + 12;
    assert_eq!(store(&mut w, outside), Err(Fault { va: outside + 4 }));
    assert_eq!(store(&mut w, 0), Err(Fault { va: 4 }));
    assert_eq!((ram.word(BASE + 4), lds[12], w.scratch[8]), (77, 77, 77));
}

#[test]
fn scratch_offsets_count_for_all_lanes_in_soffset_and_for_one_elsewhere() {
    let mut w = wave();
    w.set_mask(reg::EXEC, 2);
    (w.private_bytes, w.scratch) = (64, vec![0; 64 * 32]);
    w.s[..4].copy_from_slice(&SCRATCH_RESOURCE);
    w.s[32] = 32 * 16;
    (w.v[2][1], w.v[8][1]) = (4, 77);
    let ram = Ram::new(BASE, 0);
    let i = Vmem {
        segment: Segment::Buffer,
        data: 8,
        addr: 2,
        saddr: 0,
        offset: 8,
        offen: true,
        soffset: Src::code(32),
        ..Vmem::default()
    };
    vmem::run(&mut w, &i, VmemOp::Store { bytes: 4, high: false }, &mut Reach { memory: &ram, lds: &mut [] }).unwrap();
    assert_eq!(w.scratch[64 + 16 + 4 + 8], 77);
    let i = Vmem { segment: Segment::Scratch, dst: DST, addr: 2, saddr: reg::NULL, offset: 24, ..Vmem::default() };
    let load = VmemOp::Load { bytes: 4, signed: false, into: Into::Whole };
    vmem::run(&mut w, &i, load, &mut Reach { memory: &ram, lds: &mut [] }).unwrap();
    assert_eq!(w.v[usize::from(DST)][1], 77);
}

#[test]
fn scalar_loads_fill_their_registers() {
    let ram = Ram::new(BASE, 128);
    ram.put(BASE, &(0..32).collect::<Vec<u32>>());
    for row in smem::TABLE {
        let mut w = wave();
        w.set_s64(60, BASE);
        w.s[62] = 4 * 6;
        w.s[70] = 4;
        w.count = 99;
        let i = Smem { base: 60, dst: 8, offset: 8, soffset: 70 };
        smem::run(&mut w, &i, row.run, &mut Reach { memory: &ram, lds: &mut [] }).unwrap();
        let got = |count: usize| w.s[8..8 + count].to_vec();
        match row.run {
            SmemOp::Load(count) => assert_eq!(got(count), (3..3 + count as u32).collect::<Vec<_>>(), "{}", row.name),
            // Beyond the six words there are zeros.
            SmemOp::BufferLoad(count) => {
                let want = (3..3 + count as u32).map(|n| if n < 6 { n } else { 0 });
                assert_eq!(got(count), want.collect::<Vec<_>>(), "{}", row.name);
            }
            SmemOp::Nothing => assert_eq!(got(2), [0, 0], "{}", row.name),
            SmemOp::CoreTime => assert_eq!(got(2), [99, 0]),
            SmemOp::RealTime => assert_eq!(got(2), [0, 0]),
        }
    }
}

/// A kernel of these words in `ram`, whose arguments start 0x800 behind its descriptor.
fn launch(ram: &Ram, code: &[u32], workgroup: [u16; 3], grid: [u32; 3], wave32: bool) -> Result<Done, Stop> {
    let vgprs = 7;
    ram.put(BASE, &[0; 16]);
    ram.put(BASE + 16, &[0x100]);
    // 64 vector registers; kernarg in s[0:1], then the three ids; v0 to v2.
    ram.put(BASE + 48, &[vgprs | 0xf0 << 12, 2 << 1 | 7 << 7 | 2 << 11, 1 << 3 | u32::from(wave32) << 10]);
    ram.put(BASE + 0x100, code);
    let dispatch = Dispatch {
        target: Target::Gfx103,
        workgroup,
        grid,
        private_bytes: 0,
        group_bytes: 64,
        kernel_object: BASE,
        kernarg: BASE + 0x800,
        packet: 0,
        queue: 0,
        id: 0,
    };
    dispatch.run(ram, &|| true)
}

/// Each work-item adds 1 to the word that its ids name: x of the group times 4 plus x of the item; with barriers.
/// Assembled by llvm-mc for gfx1030.
const COUNT: [u32; 11] = [
    0xf404_0100,
    0xfa00_0000, // s_load_dwordx2 s[4:5], s[0:1], 0x0
    0xbf8c_c07f, // s_waitcnt lgkmcnt(0)
    0xd746_0000,
    0x0401_0402, // v_lshl_add_u32 v0, s2, 2, v0
    0x3400_0082, // v_lshlrev_b32_e32 v0, 2, v0
    0x7e02_0281, // v_mov_b32_e32 v1, 1
    0xbf8a_0000, // s_barrier
    0xdcc8_8000,
    0x0004_0100, // global_atomic_add v0, v1, s[4:5]
    0xbf81_0000, // s_endpgm
];

#[test]
fn a_grid_runs_each_work_item_once_with_its_ids_in_either_wave_size() {
    for wave32 in [true, false] {
        let ram = Ram::new(BASE, 0x1000);
        let out = BASE + 0x900;
        ram.put(BASE + 0x800, &[out as u32, (out >> 32) as u32]);
        // 10 work-items of 4 in a group: the last group is a part of one.
        launch(&ram, &COUNT, [4, 1, 1], [10, 1, 1], wave32).unwrap();
        let counts: Vec<u32> = (0..12).map(|n| ram.word(out + 4 * n)).collect();
        assert_eq!(counts, [[1; 10].as_slice(), &[0; 2]].concat(), "wave32 {wave32}");
    }
}

#[test]
fn an_instruction_that_is_not_known_stops_the_kernel_by_address_and_words() {
    let ram = Ram::new(BASE, 0x1000);
    // image_load
    let stopped = launch(&ram, &[0xbf80_0000, 0xf000_0f08, 0x0002_0000], [32, 1, 1], [32, 1, 1], true);
    let Err(Stop::Unknown { pc, words, .. }) = &stopped else { panic!("{stopped:?}") };
    assert_eq!((*pc, *words), (BASE + 0x104, [0xf000_0f08, 0x0002_0000]));
    assert!(stopped.unwrap_err().to_string().contains("MIMG"));
}

#[test]
fn a_fault_names_the_address_and_the_instruction() {
    let ram = Ram::new(BASE, 0x1000);
    let stopped = launch(&ram, &COUNT, [4, 1, 1], [4, 1, 1], true);
    let Err(Stop::Fault { fault, pc, text }) = stopped else { panic!("{stopped:?}") };
    assert_eq!((fault.va, pc), (0, BASE + 0x120));
    assert!(text.starts_with("atomic_add"), "{text}");
}

#[test]
fn a_register_that_the_kernel_did_not_ask_for_stops_it() {
    let ram = Ram::new(BASE, 0x1000);
    // v_mov_b32_e32 v64, 1
    let stopped = launch(&ram, &[0x7e80_0281], [32, 1, 1], [32, 1, 1], true);
    assert!(matches!(stopped, Err(Stop::Trap { .. })), "{stopped:?}");
}
