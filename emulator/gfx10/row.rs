//! What a table of opcodes is made of.

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
