//! Single steps and observers.

use super::memory::{COUNT, kernel};
use crate::dispatch::Dispatch;
use crate::memory::Memory;
use crate::ram::Ram;
use crate::stepper::{Observer, Step};
use crate::stop::Stop;

const BASE: u64 = 0x7f00_0000_1000;

/// Memory for a kernel of `tests/memory.rs`, with the address of the words that it counts in.
fn ram() -> Ram {
    let ram = Ram::new(BASE, 0x1000);
    let out = BASE + 0x900;
    ram.put(BASE + 0x800, &[out as u32, (out >> 32) as u32]);
    ram
}

/// Work-group, wave, offset in the kernel's code, text.
type Line = (u32, usize, u64, String);

/// What an observer is shown before each instruction, and in `after` how often afterwards.
#[derive(Default)]
struct Trace {
    lines: Vec<Line>,
    after: usize,
}

impl Observer for Trace {
    fn before(&mut self, step: &Step<'_>) {
        self.lines.push((step.workgroup[0], step.wave, step.pc - BASE - 0x100, step.to_string()));
    }

    fn after(&mut self, step: &Step<'_>) {
        let (_, wave, pc, text) = &self.lines[self.after];
        assert_eq!((step.wave, step.pc - BASE - 0x100, step.to_string()), (*wave, *pc, text.clone()));
        self.after += 1;
    }
}

fn trace(dispatch: &Dispatch, memory: &dyn Memory) -> (Result<u64, Stop>, Vec<Line>) {
    let mut trace = Trace::default();
    let done = dispatch.observe(memory, &|| true, &mut trace).map(|done| done.instructions);
    (done, trace.lines)
}

#[test]
fn an_observer_is_shown_every_instruction_of_every_wave_in_the_order_of_execution() {
    let ram = ram();
    // Two waves of 32, which take turns and both stop at the barrier.
    let dispatch = kernel(&ram, &COUNT, [64, 1, 1], [64, 1, 1], true);
    let (done, lines) = trace(&dispatch, &ram);
    let texts = [
        (0, "s_load_dwordx2 s[4:5], s[0:1], 0x0"),
        (8, "s_waitcnt lgkmcnt(0)"),
        (12, "v_lshl_add_u32 v0, s2, 2, v0"),
        (20, "v_lshlrev_b32 v0, 2, v0"),
        (24, "v_mov_b32 v1, 1"),
        (28, "s_barrier"),
        (32, "global_atomic_add v0, v1, s[4:5]"),
        (40, "s_endpgm"),
    ];
    let want: Vec<Line> =
        texts.iter().flat_map(|&(pc, text)| [0, 1].map(|wave| (0, wave, pc, text.to_owned()))).collect();
    assert_eq!(lines, want);
    assert_eq!(done, Ok(16));
}

#[test]
fn an_observed_dispatch_does_what_an_unobserved_one_does() {
    let [observed, run] = [true, false].map(|observe| {
        let ram = ram();
        let dispatch = kernel(&ram, &COUNT, [4, 1, 1], [40, 1, 1], true);
        let done =
            if observe { trace(&dispatch, &ram).0 } else { dispatch.run(&ram, &|| true).map(|d| d.instructions) };
        (done, (0..42).map(|n| ram.word(BASE + 0x900 + 4 * n)).collect::<Vec<_>>())
    });
    assert_eq!(observed, run);
    assert_eq!(run.1, [[1; 40].as_slice(), &[0; 2]].concat());
}

#[test]
fn every_wave_reads_what_the_first_overwrites_without_a_barrier() {
    let ram = ram();
    ram.put(BASE + 0x900, &[7]);
    let code = [
        0xf404_0100,
        0xfa00_0000, // s_load_dwordx2 s[4:5], s[0:1], 0x0
        0xbf8c_c07f, // s_waitcnt lgkmcnt(0)
        0x3406_0082, // v_lshlrev_b32_e32 v3, 2, v0
        0xdc30_8000,
        0x0404_0006, // global_load_dword v4, v6, s[4:5]
        0xbf8c_3f70, // s_waitcnt vmcnt(0)
        0x4a04_0904, // v_add_nc_u32_e32 v2, v4, v4
        0xdc70_8000,
        0x0004_0203, // global_store_dword v3, v2, s[4:5]
        0xbf81_0000, // s_endpgm
    ];
    // Fourteen waves, as rocSOLVER's potf2 has several.
    let dispatch = kernel(&ram, &code, [448, 1, 1], [448, 1, 1], true);
    dispatch.run(&ram, &|| true).unwrap();
    assert_eq!((0..448).map(|n| ram.word(BASE + 0x900 + 4 * n)).collect::<Vec<_>>(), [14; 448]);
}

#[test]
fn steps_follow_branches() {
    let ram = ram();
    let code = [
        0xbe82_0383, // s_mov_b32 s2, 3
        0x8102_c102, // s_add_i32 s2, s2, -1
        0xbf07_8002, // s_cmp_lg_u32 s2, 0
        0xbf85_fffd, // s_cbranch_scc1 -3
        0xbf81_0000, // s_endpgm
    ];
    let dispatch = kernel(&ram, &code, [1, 1, 1], [1, 1, 1], true);
    let mut steps = dispatch.steps(&ram).unwrap();
    let mut seen = Vec::new();
    while let Some(step) = steps.step().unwrap() {
        seen.push(((step.pc - BASE - 0x100) / 4, step.registers.sgpr(2), step.registers.scc()));
    }
    let turn = |left: u32, lit: bool, again: bool| [(1, left, lit), (2, left, again), (3, left, again)];
    let turns = [turn(2, false, true), turn(1, false, true), turn(0, false, false)].concat();
    let want = [vec![(0, 3, false)], turns, vec![(4, 0, false)]].concat();
    assert_eq!(seen, want);
}

#[test]
fn a_wave_has_ended_after_its_s_endpgm_and_there_is_no_further_step() {
    let ram = ram();
    let dispatch = kernel(&ram, &[0xbf80_0000, 0xbf81_0000, 0xbf80_0000], [1, 1, 1], [1, 1, 1], true);
    let mut steps = dispatch.steps(&ram).unwrap();
    let step = |steps: &mut crate::Stepper<'_>| {
        steps.step().unwrap().map(|step| (step.mnemonic(), step.registers.has_ended(), step.registers.pc() - step.pc))
    };
    assert_eq!(step(&mut steps), Some(("s_nop".into(), false, 4)));
    assert_eq!(steps.peek().unwrap().map(|step| step.to_string()).as_deref(), Some("s_endpgm"));
    assert_eq!(step(&mut steps), Some(("s_endpgm".into(), true, 4)));
    assert_eq!(step(&mut steps), None);
    assert!(steps.peek().unwrap().is_none());
}

#[test]
fn lanes_that_exec_masks_keep_their_registers() {
    let ram = ram();
    let code = [
        0xbefe_0385, // s_mov_b32 exec_lo, 5
        0x7e02_0287, // v_mov_b32 v1, 7
        0xbf81_0000, // s_endpgm
    ];
    let dispatch = kernel(&ram, &code, [32, 1, 1], [32, 1, 1], true);
    let mut steps = dispatch.steps(&ram).unwrap();
    assert_eq!(steps.peek().unwrap().unwrap().registers.exec(), 0xffff_ffff);
    assert_eq!(steps.step().unwrap().unwrap().registers.exec(), 5);
    let before = steps.peek().unwrap().unwrap();
    assert_eq!([0, 1, 2, 3].map(|lane| before.registers.vgpr(1, lane)), [0; 4]);
    let after = steps.step().unwrap().unwrap();
    assert_eq!((after.registers.lanes(), [0, 1, 2, 3].map(|lane| after.registers.vgpr(1, lane))), (32, [7, 0, 7, 0]));
}

#[test]
fn what_stops_a_kernel_stops_its_steps() {
    let ram = ram();
    let dispatch = kernel(&ram, &[0xbf80_0000, 0xbf92_0002], [1, 1, 1], [1, 1, 1], true);
    let (done, lines) = trace(&dispatch, &ram);
    assert!(matches!(done, Err(Stop::Trap { pc, .. }) if pc == BASE + 0x104), "{done:?}");
    assert_eq!(lines.last().map(|(.., text)| text.as_str()), Some("s_trap 2"));
    assert_eq!(dispatch.observe(&ram, &|| false, &mut Trace::default()), Err(Stop::Cancelled));
}
