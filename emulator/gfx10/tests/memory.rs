//! Instructions that reach memory, and small kernels from launch to end.

use super::state::DST;
use crate::atomic::Atomic;
use crate::dispatch::{Dispatch, Done};
use crate::mem::SCRATCH_RESOURCE;
use crate::mem::Storage;
use crate::mem::access::Part;
use crate::mem::ds::{self, DsOp};
use crate::mem::gws::GwsOp;
use crate::mem::vmem::{self, VmemOp};
use crate::memory::Fault;
use crate::operands::Src;
use crate::operands::{Ds, Segment, Vmem};
use crate::ram::Ram;
use crate::row::Target;
use crate::stop::Stop;
use crate::wave::{PRIVATE_APERTURE, SHARED_APERTURE, Status, Wave, reg};

const BASE: u64 = 0x7f00_0000_1000;

fn wave() -> Wave {
    let mut w = Wave::new(32, 64);
    w.set_mask(reg::EXEC, 1);
    w.v[usize::from(DST)][0] = 0x1111_2222;
    w
}

#[test]
fn waves_wait_at_the_global_barrier_until_the_last_one_comes() {
    let ram = Ram::new(0, 0);
    let i = Ds { dst: 0, addr: 2, data: [0, 0], offset: 5 };
    let run = |w: &mut Wave, op: GwsOp| {
        w.pc = 108;
        w.status = Status::Running;
        ds::run(w, &i, DsOp::Gws(op), &mut Storage { memory: &ram, lds: &mut [] });
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
        vmem::run(w, &i, VmemOp::Store { bytes: 4, high: false }, &mut Storage { memory: &ram, lds: &mut lds })
    };
    store(&mut w, BASE).unwrap();
    store(&mut w, SHARED_APERTURE + 8).unwrap();
    store(&mut w, PRIVATE_APERTURE + 4).unwrap();
    store(&mut w, SHARED_APERTURE + 60).expect("beyond LDS a store is dropped");
    let outside = PRIVATE_APERTURE + 12;
    assert_eq!(store(&mut w, outside), Err(Fault { va: outside + 4 }));
    assert_eq!(store(&mut w, 0), Err(Fault { va: 4 }));
    assert_eq!((ram.word(BASE + 4), lds[12], w.scratch[8]), (77, 77, 77));
}

#[test]
fn each_word_of_an_access_to_a_buffer_is_in_it_or_beyond_its_end() {
    let ram = Ram::new(BASE, 64);
    ram.put(BASE, &[1, 2, 3, 4, 5, 6, 7, 8]);
    let mut w = wave();
    w.set_s64(4, BASE);
    // Bytes are counted; of 6 words.
    (w.s[6], w.s[7]) = (24, 3 << 28);
    let i = Vmem { segment: Segment::Buffer, dst: DST, data: 8, saddr: 4, soffset: Src::code(128), ..Vmem::default() };
    let mut run = |op: VmemOp, offset: i32| {
        for n in 0..4 {
            (w.v[usize::from(DST) + n][0], w.v[8 + n][0]) = (99, 50 + n as u32);
        }
        vmem::run(&mut w, &Vmem { offset, ..i }, op, &mut Storage { memory: &ram, lds: &mut [] }).unwrap();
        [0, 1, 2, 3].map(|n| w.v[usize::from(DST) + n][0])
    };
    let load = VmemOp::Load { bytes: 16, signed: false, part: Part::Whole };
    assert_eq!(run(load, 8), [3, 4, 5, 6]);
    assert_eq!(run(load, 12), [4, 5, 6, 0]);
    assert_eq!(run(load, 24), [0; 4]);
    run(VmemOp::Store { bytes: 16, high: false }, 16);
    assert_eq!([16, 20, 24, 28].map(|at| ram.word(BASE + at)), [50, 51, 7, 8]);
    // An atomic operation counts as a whole.
    run(VmemOp::Atomic { op: Atomic::Swap, wide: true }, 20);
    assert_eq!([20, 24].map(|at| ram.word(BASE + at)), [51, 7]);
}

#[test]
fn beyond_a_buffers_end_a_component_that_is_to_be_one_is_one() {
    let ram = Ram::new(BASE, 64);
    ram.put(BASE, &[7]);
    let mut w = wave();
    w.set_s64(4, BASE);
    // Words as whole numbers, 4 bytes of them; x and z are the format's first component, y and w are 1.
    (w.s[6], w.s[7]) = (4, 3 << 28 | 20 << 12 | 4 | 1 << 3 | 4 << 6 | 1 << 9);
    let i = Vmem { segment: Segment::Buffer, dst: DST, saddr: 4, soffset: Src::code(128), ..Vmem::default() };
    for (offset, want) in [(0, [7, 1, 7, 1]), (4, [0, 1, 0, 1])] {
        let load = VmemOp::LoadFormat { count: 4, d16: false };
        vmem::run(&mut w, &Vmem { offset, ..i }, load, &mut Storage { memory: &ram, lds: &mut [] }).unwrap();
        assert_eq!([0, 1, 2, 3].map(|n| w.v[usize::from(DST) + n][0]), want, "{offset}");
    }
}

#[test]
fn a_swizzled_buffer_has_a_word_of_each_element_before_the_next_words() {
    let ram = Ram::new(BASE, 0x400);
    ram.put(BASE, &(0..0x100).collect::<Vec<u32>>());
    let mut w = wave();
    w.set_mask(reg::EXEC, 1 << 3);
    (w.v[2][3], w.v[3][3]) = (9, 4);
    let i = Vmem {
        segment: Segment::Buffer,
        dst: DST,
        addr: 2,
        saddr: 4,
        idxen: true,
        offen: true,
        soffset: Src::code(128),
        ..Vmem::default()
    };
    let mut load = |swizzled: u32, add_tid: u32, together: u32| {
        w.set_s64(4, BASE | 8 << 48 | u64::from(swizzled) << 63);
        (w.s[6], w.s[7]) = (20, add_tid << 23 | together << 21 | 1 << 28);
        let op = VmemOp::Load { bytes: 4, signed: false, part: Part::Whole };
        vmem::run(&mut w, &i, op, &mut Storage { memory: &ram, lds: &mut [] }).unwrap();
        w.v[usize::from(DST)][3]
    };
    // The second word of the tenth element of two words.
    assert_eq!(load(0, 0, 0), 9 * 2 + 1, "element by element");
    assert_eq!(load(1, 0, 0), 8 * 2 + 8 + 1, "eight together: the second of the second eight");
    assert_eq!(load(1, 0, 1), 16 + 9, "sixteen together");
    assert_eq!(load(1, 1, 1), 16 + 12, "with the lane's number");
    assert_eq!(load(0, 1, 1), 12 * 2 + 1, "which is added where nothing is swizzled, too");
    // There are twenty elements.
    w.v[2][3] = 17;
    w.set_s64(4, BASE | 8 << 48 | 1 << 63);
    w.s[7] = 1 << 23 | 1 << 28;
    let op = VmemOp::Load { bytes: 4, signed: false, part: Part::Whole };
    vmem::run(&mut w, &i, op, &mut Storage { memory: &ram, lds: &mut [] }).unwrap();
    assert_eq!(w.v[usize::from(DST)][3], 0, "the twenty-first");
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
    vmem::run(&mut w, &i, VmemOp::Store { bytes: 4, high: false }, &mut Storage { memory: &ram, lds: &mut [] })
        .unwrap();
    assert_eq!(w.scratch[64 + 16 + 4 + 8], 77);
    let i = Vmem { segment: Segment::Scratch, dst: DST, addr: 2, saddr: reg::NULL, offset: 24, ..Vmem::default() };
    let load = VmemOp::Load { bytes: 4, signed: false, part: Part::Whole };
    vmem::run(&mut w, &i, load, &mut Storage { memory: &ram, lds: &mut [] }).unwrap();
    assert_eq!(w.v[usize::from(DST)][1], 77);
}

fn launch(ram: &Ram, code: &[u32], workgroup: [u16; 3], grid: [u32; 3], wave32: bool) -> Result<Done, Stop> {
    kernel(ram, code, workgroup, grid, wave32).run(ram, &|| true)
}

/// A kernel of these words in `ram`, whose arguments start 0x800 behind its descriptor.
pub fn kernel(ram: &Ram, code: &[u32], workgroup: [u16; 3], grid: [u32; 3], wave32: bool) -> Dispatch {
    let vgprs = 7;
    ram.put(BASE, &[0; 16]);
    ram.put(BASE + 16, &[0x100]);
    // 64 vector registers; kernarg in s[0:1], then the three ids; v0 to v2.
    ram.put(BASE + 48, &[vgprs | 0xf0 << 12, 2 << 1 | 7 << 7 | 2 << 11, 1 << 3 | u32::from(wave32) << 10]);
    ram.put(BASE + 0x100, code);
    Dispatch {
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
    }
}

/// Each work-item adds 1 to the word that its ids name: x of the group times 4 plus x of the item; with barriers.
/// Assembled by llvm-mc for gfx1030.
pub const COUNT: [u32; 11] = [
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
    // image_atomic_swap
    let stopped = launch(&ram, &[0xbf80_0000, 0xf03c_0f08, 0x0002_0000], [32, 1, 1], [32, 1, 1], true);
    let Err(Stop::Unknown { pc, words, .. }) = &stopped else { panic!("{stopped:?}") };
    assert_eq!((*pc, *words), (BASE + 0x104, [0xf03c_0f08, 0x0002_0000]));
    assert!(stopped.unwrap_err().to_string().contains("MIMG"));
}

#[test]
fn a_fault_names_the_address_and_the_instruction() {
    let ram = Ram::new(BASE, 0x1000);
    let stopped = launch(&ram, &COUNT, [4, 1, 1], [4, 1, 1], true);
    let Err(Stop::Fault { fault, pc, text }) = stopped else { panic!("{stopped:?}") };
    assert_eq!((fault.va, pc), (0, BASE + 0x120));
    assert!(text.starts_with("global_atomic_add v0, v1, s[4:5]"), "{text}");
}

#[test]
fn a_register_that_the_kernel_did_not_ask_for_stops_it() {
    let ram = Ram::new(BASE, 0x1000);
    // v_mov_b32_e32 v64, 1
    let stopped = launch(&ram, &[0x7e80_0281], [32, 1, 1], [32, 1, 1], true);
    assert!(matches!(stopped, Err(Stop::Trap { .. })), "{stopped:?}");
}
