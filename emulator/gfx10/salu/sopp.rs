//! SOPP: control flow, and what concerns the wave as a whole.

use super::{ScalarFn, jump};
use crate::operands::Scalar;
use crate::row::{Row, both};
use crate::wave::{Status, Wave, reg};

pub static TABLE: &[Row<ScalarFn>] = &[
    both(0x00, "s_nop", |_, _| {}),
    both(0x01, "s_endpgm", |w, _| w.status = Status::Ended),
    both(0x02, "s_branch", |w, i| jump(w, i.imm)),
    // Waves that sleep wake up by themselves.
    both(0x03, "s_wakeup", |_, _| {}),
    both(0x04, "s_cbranch_scc0", |w, i| branch(w, i, !w.scc)),
    both(0x05, "s_cbranch_scc1", |w, i| branch(w, i, w.scc)),
    both(0x06, "s_cbranch_vccz", |w, i| branch(w, i, w.mask(reg::VCC) == 0)),
    both(0x07, "s_cbranch_vccnz", |w, i| branch(w, i, w.mask(reg::VCC) != 0)),
    both(0x08, "s_cbranch_execz", |w, i| branch(w, i, w.exec() == 0)),
    both(0x09, "s_cbranch_execnz", |w, i| branch(w, i, w.exec() != 0)),
    both(0x0a, "s_barrier", |w, _| w.status = Status::Waiting),
    both(0x0c, "s_waitcnt", |_, _| {}),
    both(0x0e, "s_sleep", |w, _| w.status = Status::Yielding),
    both(0x0f, "s_setprio", |_, _| {}),
    both(0x10, "s_sendmsg", |w, i| match i.imm & 15 {
        1 => w.status = Status::Interrupting,
        other => w.trap(format!("s_sendmsg of message {other} is not modelled")),
    }),
    both(0x12, "s_trap", |w, i| {
        w.trap(format!("the kernel trapped (s_trap {}): an assertion or abort()", i.imm & 255))
    }),
    both(0x13, "s_icache_inv", |_, _| {}),
    both(0x14, "s_incperflevel", |_, _| {}),
    both(0x15, "s_decperflevel", |_, _| {}),
    both(0x16, "s_ttracedata", |_, _| {}),
    // Nobody debugs: these conditions never hold.
    both(0x17, "s_cbranch_cdbgsys", |_, _| {}),
    both(0x18, "s_cbranch_cdbguser", |_, _| {}),
    both(0x19, "s_cbranch_cdbgsys_or_user", |_, _| {}),
    both(0x1a, "s_cbranch_cdbgsys_and_user", |_, _| {}),
    both(0x1b, "s_endpgm_saved", |w, _| w.status = Status::Ended),
    both(0x1e, "s_endpgm_ordered_ps_done", |w, _| w.status = Status::Ended),
    both(0x20, "s_inst_prefetch", |_, _| {}),
    both(0x21, "s_clause", |_, _| {}),
    both(0x22, "s_wait_idle", |_, _| {}),
    both(0x23, "s_waitcnt_depctr", |_, _| {}),
    both(0x24, "s_round_mode", |w, i| w.mode = w.mode & !0xf | u32::from(i.imm & 0xf)),
    both(0x25, "s_denorm_mode", |w, i| w.mode = w.mode & !0xf0 | u32::from(i.imm & 0xf) << 4),
    both(0x28, "s_ttracedata_imm", |_, _| {}),
];

fn branch(w: &mut Wave, i: &Scalar, condition: bool) {
    if condition {
        jump(w, i.imm);
    }
}
