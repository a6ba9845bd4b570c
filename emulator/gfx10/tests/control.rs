//! Scalar instructions that are more than a result: EXEC, jumps, hardware registers, the wave's status.

use super::scalar::{EXEC, MAX, operands, row, wave};
use crate::operands::{Scalar, Src};
use crate::wave::{Status, Wave, reg};

/// The tests below.
pub const TESTS: &[fn()] = &[
    saveexec_keeps_exec_and_changes_it,
    jumps_go_where_they_should_and_only_when,
    calls_keep_the_way_back,
    hardware_registers_are_read_and_written_by_field,
    what_concerns_the_wave_shows_in_its_status,
    registers_are_found_through_m0,
    a_loop_over_the_halves_takes_one_after_the_other,
];

/// Those that they are about.
pub const TESTED: &[&str] = &[
    "s_movrels_b32",
    "s_movrels_b64",
    "s_movreld_b32",
    "s_movreld_b64",
    "s_movrelsd_2_b32",
    "s_subvector_loop_begin",
    "s_subvector_loop_end",
    "s_version",
    "s_wakeup",
    "s_incperflevel",
    "s_decperflevel",
    "s_cbranch_cdbgsys",
    "s_cbranch_cdbguser",
    "s_cbranch_cdbgsys_or_user",
    "s_cbranch_cdbgsys_and_user",
    "s_endpgm_saved",
    "s_endpgm_ordered_ps_done",
    "s_wait_idle",
    "s_and_saveexec_b32",
    "s_or_saveexec_b32",
    "s_xor_saveexec_b32",
    "s_andn2_saveexec_b32",
    "s_orn2_saveexec_b32",
    "s_nand_saveexec_b32",
    "s_nor_saveexec_b32",
    "s_xnor_saveexec_b32",
    "s_andn1_saveexec_b32",
    "s_orn1_saveexec_b32",
    "s_andn1_wrexec_b32",
    "s_andn2_wrexec_b32",
    "s_and_saveexec_b64",
    "s_or_saveexec_b64",
    "s_xor_saveexec_b64",
    "s_andn2_saveexec_b64",
    "s_orn2_saveexec_b64",
    "s_nand_saveexec_b64",
    "s_nor_saveexec_b64",
    "s_xnor_saveexec_b64",
    "s_andn1_saveexec_b64",
    "s_orn1_saveexec_b64",
    "s_andn1_wrexec_b64",
    "s_andn2_wrexec_b64",
    "s_getpc_b64",
    "s_setpc_b64",
    "s_swappc_b64",
    "s_call_b64",
    "s_getreg_b32",
    "s_setreg_b32",
    "s_setreg_imm32_b32",
    "s_waitcnt_vscnt",
    "s_waitcnt_vmcnt",
    "s_waitcnt_expcnt",
    "s_waitcnt_lgkmcnt",
    "s_nop",
    "s_endpgm",
    "s_branch",
    "s_cbranch_scc0",
    "s_cbranch_scc1",
    "s_cbranch_vccz",
    "s_cbranch_vccnz",
    "s_cbranch_execz",
    "s_cbranch_execnz",
    "s_barrier",
    "s_waitcnt",
    "s_sleep",
    "s_setprio",
    "s_sendmsg",
    "s_trap",
    "s_icache_inv",
    "s_ttracedata",
    "s_inst_prefetch",
    "s_clause",
    "s_waitcnt_depctr",
    "s_round_mode",
    "s_denorm_mode",
    "s_ttracedata_imm",
];

#[test]
fn saveexec_keeps_exec_and_changes_it() {
    // EXEC is 1100, the source 1010.
    let all = [
        ("and", 0b1000),
        ("or", 0b1110),
        ("xor", 0b0110),
        ("andn2", 0b0010),
        ("orn2", !0b0100),
        ("nand", !0b1000),
        ("nor", !0b1110),
        ("xnor", !0b0110),
        ("andn1", 0b0100),
        ("orn1", !0b0010),
    ];
    for (lanes, bits) in [(32, MAX), (64, u64::MAX)] {
        for (operation, want) in all {
            let mut w = wave(lanes);
            w.set_s64(0, 0b1010);
            (row(&format!("s_{operation}_saveexec_b{lanes}")).run)(&mut w, &operands(0));
            assert_eq!((w.exec(), w.mask(4), w.scc), (want & bits, EXEC, true), "{operation} {lanes}");
        }
        for (operation, want) in [("andn1", 0b0100), ("andn2", 0b0010)] {
            let mut w = wave(lanes);
            w.set_s64(0, 0b1010);
            (row(&format!("s_{operation}_wrexec_b{lanes}")).run)(&mut w, &operands(0));
            assert_eq!((w.exec(), w.mask(4), w.scc), (want, want, true), "{operation} {lanes}");
        }
        let mut w = wave(lanes);
        (row(&format!("s_and_saveexec_b{lanes}")).run)(&mut w, &operands(0));
        assert_eq!((w.exec(), w.scc), (0, false));
    }
}

#[test]
fn jumps_go_where_they_should_and_only_when() {
    let jump = |name: &str, prepare: &dyn Fn(&mut Wave)| {
        let mut w = wave(32);
        prepare(&mut w);
        (row(name).run)(&mut w, &operands(0xfffe));
        w.pc
    };
    let (stays, goes) = (0x1000, 0xff8);
    let scc = |w: &mut Wave| w.scc = true;
    let vcc = |w: &mut Wave| w.s[usize::from(reg::VCC)] = 1;
    let idle = |w: &mut Wave| w.s[usize::from(reg::EXEC)] = 0;
    let as_is = |_: &mut Wave| {};
    assert_eq!(jump("s_branch", &as_is), goes);
    assert_eq!((jump("s_cbranch_scc0", &as_is), jump("s_cbranch_scc0", &scc)), (goes, stays));
    assert_eq!((jump("s_cbranch_scc1", &as_is), jump("s_cbranch_scc1", &scc)), (stays, goes));
    assert_eq!((jump("s_cbranch_vccz", &as_is), jump("s_cbranch_vccz", &vcc)), (goes, stays));
    assert_eq!((jump("s_cbranch_vccnz", &as_is), jump("s_cbranch_vccnz", &vcc)), (stays, goes));
    assert_eq!((jump("s_cbranch_execz", &as_is), jump("s_cbranch_execz", &idle)), (stays, goes));
    assert_eq!((jump("s_cbranch_execnz", &as_is), jump("s_cbranch_execnz", &idle)), (goes, stays));
    let all = |w: &mut Wave| (w.scc, w.s[usize::from(reg::VCC)], w.s[usize::from(reg::EXEC)]) = (true, 1, 0);
    assert_eq!(jump("s_branch", &all), goes);
}

#[test]
fn calls_keep_the_way_back() {
    let after = |name: &str, imm| {
        let mut w = wave(32);
        w.set_s64(0, 0x1_2345_6780);
        (row(name).run)(&mut w, &operands(imm));
        (w.pc, w.s64(4))
    };
    assert_eq!(after("s_getpc_b64", 0), (0x1000, 0x1000));
    assert_eq!(after("s_setpc_b64", 0), (0x1_2345_6780, 0));
    assert_eq!(after("s_swappc_b64", 0), (0x1_2345_6780, 0x1000));
    assert_eq!(after("s_call_b64", 3), (0x100c, 0x1000));
}

#[test]
fn hardware_registers_are_read_and_written_by_field() {
    // hwreg(id, offset, size) is id | offset << 6 | (size - 1) << 11.
    let field = |id: u16, offset: u16, size: u16| id | offset << 6 | (size - 1) << 11;
    let get = |w: &mut Wave, spec| {
        (row("s_getreg_b32").run)(w, &operands(spec));
        w.s32(4)
    };
    let mut w = wave(32);
    assert_eq!(get(&mut w, field(1, 4, 4)), 0xf);
    assert_eq!(get(&mut w, field(15, 16, 16)), 1);
    assert_eq!(get(&mut w, field(15, 0, 16)), 2);
    w.set_s32(4, 0x15);
    (row("s_setreg_b32").run)(&mut w, &operands(field(20, 8, 4)));
    assert_eq!(w.flat_scratch[0], 0x500);
    let spec = field(21, 0, 32);
    (row("s_setreg_imm32_b32").run)(&mut w, &Scalar { src: [Src { code: 255, literal: 77 }; 2], ..operands(spec) });
    assert_eq!(w.flat_scratch[1], 77);
    (row("s_denorm_mode").run)(&mut w, &operands(3));
    assert_eq!(get(&mut w, field(1, 4, 4)), 3);
    (row("s_round_mode").run)(&mut w, &operands(9));
    assert_eq!((get(&mut w, field(1, 0, 8)), w.status.clone()), (0x39, Status::Running));
    w.set_s32(4, 0x2);
    (row("s_setreg_b32").run)(&mut w, &operands(field(1, 2, 2)));
    assert_eq!(get(&mut w, field(1, 0, 10)), 0x339);
    let mut w = wave(32);
    (row("s_getreg_b32").run)(&mut w, &operands(field(2, 0, 32)));
    assert!(matches!(w.status, Status::Trapped(_)));
}

#[test]
fn what_concerns_the_wave_shows_in_its_status() {
    let once = |name: &str, imm, scc: bool| {
        let mut w = wave(32);
        w.s[..8].copy_from_slice(&[11, 12, 13, 14, 15, 16, 17, 18]);
        (w.scc, w.s[usize::from(reg::VCC)]) = (scc, scc.into());
        w.set_mask(reg::EXEC, if scc { EXEC } else { 0 });
        let before = w.clone();
        (row(name).run)(&mut w, &operands(imm));
        assert_eq!((w.pc, w.s, w.scc, w.mode), (before.pc, before.s, before.scc, before.mode), "{name}");
        assert_eq!(w.flat_scratch, before.flat_scratch, "{name}");
        w.status
    };
    let status = |name: &str, imm| {
        assert_eq!(once(name, imm, false), once(name, imm, true));
        once(name, imm, true)
    };
    for name in ["s_endpgm", "s_endpgm_saved", "s_endpgm_ordered_ps_done"] {
        assert_eq!(status(name, 0), Status::Ended);
    }
    assert_eq!(status("s_barrier", 0), Status::Waiting);
    assert_eq!(status("s_sleep", 1), Status::Yielding);
    assert_eq!(status("s_sendmsg", 1), Status::Interrupting);
    assert!(matches!(status("s_sendmsg", 2), Status::Trapped(_)));
    assert!(matches!(status("s_trap", 2), Status::Trapped(_)));
    let nothing = [
        "s_nop",
        "s_version",
        "s_wakeup",
        "s_wait_idle",
        "s_incperflevel",
        "s_decperflevel",
        "s_cbranch_cdbgsys",
        "s_cbranch_cdbguser",
        "s_cbranch_cdbgsys_or_user",
        "s_cbranch_cdbgsys_and_user",
        "s_waitcnt",
        "s_setprio",
        "s_icache_inv",
        "s_ttracedata",
        "s_inst_prefetch",
        "s_clause",
        "s_waitcnt_depctr",
        "s_ttracedata_imm",
        "s_waitcnt_vscnt",
        "s_waitcnt_vmcnt",
        "s_waitcnt_expcnt",
        "s_waitcnt_lgkmcnt",
    ];
    for name in nothing {
        assert_eq!(status(name, 3), Status::Running, "{name}");
    }
}

#[test]
fn registers_are_found_through_m0() {
    let moved = |name: &str, m0: u32| {
        let mut w = wave(32);
        for n in 0..40 {
            w.s[n] = 100 + n as u32;
        }
        w.set_s32(reg::M0, m0);
        (row(name).run)(&mut w, &operands(0));
        w
    };
    assert_eq!(moved("s_movrels_b32", 7).s[4..6], [107, 105]);
    assert_eq!(moved("s_movrels_b64", 8).s[4..6], [108, 109]);
    assert_eq!(moved("s_movreld_b32", 9).s[12..15], [112, 100, 114]);
    assert_eq!(moved("s_movreld_b64", 8).s[12..14], [100, 101]);
    assert_eq!(moved("s_movrelsd_2_b32", 6 << 16 | 9).s[9..12], [109, 109, 111]);
    assert!(matches!(moved("s_movrels_b32", 500).status, Status::Trapped(_)));
    assert!(matches!(moved("s_movreld_b64", 103).status, Status::Trapped(_)));
}

#[test]
fn a_loop_over_the_halves_takes_one_after_the_other() {
    let step = |name: &str, exec: u64, kept: u32| {
        let mut w = wave(64);
        w.set_s64(reg::EXEC, exec);
        w.set_s32(4, kept);
        (row(name).run)(&mut w, &operands(2));
        (w.s64(reg::EXEC), w.s32(4), w.pc)
    };
    let begin = |exec| step("s_subvector_loop_begin", exec, 9);
    assert_eq!(begin(0), (0, 9, 0x1008));
    assert_eq!(begin(5 << 32), (5 << 32, 0, 0x1000));
    assert_eq!(begin(5 << 32 | 3), (3, 5, 0x1000));
    let end = |exec, kept| step("s_subvector_loop_end", exec, kept);
    assert_eq!(end(3, 5), (5 << 32, 3, 0x1008));
    assert_eq!(end(3, 0), (3, 0, 0x1000));
    assert_eq!(end(5 << 32, 3), (5 << 32 | 3, 3, 0x1000));
}
