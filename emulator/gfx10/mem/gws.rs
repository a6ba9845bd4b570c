//! DS instructions of global wave sync.

use super::access::Storage;
use crate::operands::Ds;
use crate::wave::{Status, Wave, reg};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GwsOp {
    Init,
    Barrier,
}

/// Bytes of the instruction: a wave that has to wait does it again when it has its next turn.
const SIZE: u64 = 8;

pub fn run(w: &mut Wave, i: &Ds, op: GwsOp, storage: &Storage<'_>) {
    let gws = storage.memory.gws();
    let resource = ((w.s32(reg::M0) >> 16) as usize + usize::from(i.offset)) % 64;
    let first = w.exec().trailing_zeros() as usize;
    // The field of the address holds the data here.
    let value = if first < w.lanes { w.v[usize::from(i.addr)][first] } else { 0 };
    match op {
        GwsOp::Init => gws.init(resource, value),
        GwsOp::Barrier => {
            let waits = match w.at_barrier.take() {
                None => gws.arrive(resource, value),
                waits => waits.filter(|&passed| gws.passed(resource) == passed),
            };
            if waits.is_some() {
                w.at_barrier = waits;
                w.pc -= SIZE;
                w.status = Status::Yielding;
            }
        }
    }
}
