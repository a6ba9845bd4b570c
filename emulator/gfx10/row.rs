//! What a table of opcodes is made of.

use crate::{mem, salu, valu};

/// The instruction set of a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// RDNA1: gfx1010 to gfx1013.
    Gfx101,
    /// RDNA2: gfx1030 to gfx1036.
    Gfx103,
}

/// Which instruction sets have an opcode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    Both,
    Rdna1,
    Rdna2,
}

/// One opcode of an encoding.
#[derive(Clone, Copy)]
pub struct Row<T: 'static> {
    pub op: u16,
    pub name: &'static str,
    pub on: On,
    /// Its meaning.
    pub run: T,
}

pub const fn both<T>(op: u16, name: &'static str, run: T) -> Row<T> {
    Row { op, name, on: On::Both, run }
}

pub const fn rdna1<T>(op: u16, name: &'static str, run: T) -> Row<T> {
    Row { op, name, on: On::Rdna1, run }
}

pub const fn rdna2<T>(op: u16, name: &'static str, run: T) -> Row<T> {
    Row { op, name, on: On::Rdna2, run }
}

/// The row of `op` on `target`.
pub fn find<T>(table: &'static [Row<T>], op: u32, target: Target) -> Option<&'static Row<T>> {
    table.iter().find(|row| u32::from(row.op) == op && row.is_on(target))
}

impl<T> Row<T> {
    pub fn is_on(&self, target: Target) -> bool {
        match self.on {
            On::Both => true,
            On::Rdna1 => target == Target::Gfx101,
            On::Rdna2 => target == Target::Gfx103,
        }
    }
}

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
