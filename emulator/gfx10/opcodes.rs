//! Every opcode of the tables.

use crate::row::{Row, Target};
use crate::{mem, salu, valu};

/// An opcode that is implemented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opcode {
    /// The table, such as `vop2`. `vmem` has FLAT, GLOBAL, SCRATCH, MUBUF and MTBUF, whose opcodes have the same numbers.
    pub encoding: &'static str,
    /// Its number in the encoding.
    pub number: u16,
    /// The mnemonic; in `vmem` without the prefix that says where, such as `global_`.
    pub mnemonic: &'static str,
}

/// Every opcode that is implemented for a target.
#[must_use]
pub fn opcodes(target: Target) -> Vec<Opcode> {
    fn add<T>(all: &mut Vec<Opcode>, target: Target, encoding: &'static str, table: &'static [Row<T>]) {
        let rows = table.iter().filter(|row| row.is_on(target));
        all.extend(rows.map(|row| Opcode { encoding, number: row.op, mnemonic: row.name }));
    }
    let mut all = Vec::new();
    add(&mut all, target, "sop1", salu::sop1::TABLE);
    add(&mut all, target, "sop2", salu::sop2::TABLE);
    add(&mut all, target, "sopc", salu::sopc::TABLE);
    add(&mut all, target, "sopk", salu::sopk::TABLE);
    add(&mut all, target, "sopp", salu::sopp::TABLE);
    add(&mut all, target, "smem", mem::smem::TABLE);
    add(&mut all, target, "vop1", valu::vop1::TABLE);
    add(&mut all, target, "vop2", valu::vop2::TABLE);
    add(&mut all, target, "vopc", valu::vopc::TABLE);
    add(&mut all, target, "vop3", valu::vop3::TABLE);
    add(&mut all, target, "vop3p", valu::vop3p::TABLE);
    add(&mut all, target, "ds", mem::ds::TABLE);
    add(&mut all, target, "vmem", mem::vmem::TABLE);
    add(&mut all, target, "mimg", mem::image::TABLE);
    all
}
