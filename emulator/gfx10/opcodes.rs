//! Every opcode of the tables.

use crate::row::{Row, Target};
use crate::{mem, salu, valu};

/// Every opcode that is known here: encoding, number and mnemonic.
pub fn mnemonics(target: Target) -> Vec<(&'static str, u16, &'static str)> {
    fn add<T>(
        all: &mut Vec<(&'static str, u16, &'static str)>,
        target: Target,
        encoding: &'static str,
        table: &'static [Row<T>],
    ) {
        all.extend(table.iter().filter(|row| row.is_on(target)).map(|row| (encoding, row.op, row.name)));
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
    all
}
