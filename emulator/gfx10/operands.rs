//! The fields of an instruction, as its encoding has them.

/// A source operand: the code of the encoding, and the literal where that code is [`Src::LITERAL`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Src {
    pub code: u16,
    pub literal: u32,
}

impl Src {
    pub const LITERAL: u16 = 255;

    /// A vector register.
    pub const fn vgpr(index: u8) -> Self {
        Self { code: 256 + index as u16, literal: 0 }
    }

    /// A scalar register, or an inline constant by its code.
    pub const fn code(code: u16) -> Self {
        Self { code, literal: 0 }
    }

    /// The number of a vector register.
    pub const fn as_vgpr(self) -> Option<usize> {
        if self.code >= 256 { Some(self.code as usize - 256) } else { None }
    }
}

/// Operands of a scalar instruction.
#[derive(Debug, Clone, Copy, Default)]
pub struct Scalar {
    pub dst: u8,
    pub src: [Src; 2],
    /// The 16 bits of SOPK and SOPP.
    pub imm: u16,
}

/// Operands of a vector instruction.
#[derive(Debug, Clone, Copy, Default)]
pub struct Vector {
    /// Vector register; for compares and lane reads the scalar one.
    pub dst: u8,
    /// Where a carry or a compare goes.
    pub sdst: u8,
    pub src: [Src; 3],
    /// Bit n: source n. With packed operands, of the lower halves.
    pub neg: u8,
    pub abs: u8,
    /// Packed: negation of the upper halves.
    pub neg_hi: u8,
    /// Bit n: source n takes its upper half; bit 3: so does the result.
    pub op_sel: u8,
    pub op_sel_hi: u8,
    /// 1: times 2, 2: times 4, 3: half.
    pub omod: u8,
    pub clamp: bool,
    pub lanes: Lanes,
}

/// How lanes or parts of a register are picked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Lanes {
    #[default]
    Own,
    Dpp {
        control: u16,
        rows: u8,
        banks: u8,
        bound: bool,
        inactive: bool,
    },
    Dpp8 {
        lanes: u32,
        inactive: bool,
    },
    Sdwa {
        dst: u8,
        unused: u8,
        src: [u8; 2],
        sext: [bool; 2],
    },
}

/// Operands of a scalar load.
#[derive(Debug, Clone, Copy)]
pub struct Smem {
    pub base: u8,
    pub dst: u8,
    pub offset: i32,
    /// A register with a further offset, or null.
    pub soffset: u8,
}

/// Operands of an LDS instruction.
#[derive(Debug, Clone, Copy)]
pub struct Ds {
    pub dst: u8,
    pub addr: u8,
    pub data: [u8; 2],
    /// Of operations on two places, one byte for each.
    pub offset: u16,
}

/// How an instruction on memory gives its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Segment {
    #[default]
    Flat,
    Global,
    Scratch,
    Buffer,
}

/// Operands of an instruction on memory or a buffer.
#[derive(Debug, Clone, Copy, Default)]
pub struct Vmem {
    pub segment: Segment,
    pub dst: u8,
    pub data: u8,
    pub addr: u8,
    /// A scalar address or null; of a buffer, its resource.
    pub saddr: u8,
    pub offset: i32,
    /// An atomic gives back the old value.
    pub returns: bool,
    /// Of buffers only, as the two below: the address register holds an offset.
    pub offen: bool,
    /// It holds an index.
    pub idxen: bool,
    pub soffset: Src,
    /// The format's number, where the instruction and not the resource has it.
    pub format: Option<u8>,
}

/// Operands of an instruction on an image.
#[derive(Debug, Clone, Copy, Default)]
pub struct Mimg {
    pub data: u8,
    /// Registers of the coordinates and what follows them.
    pub addr: [u8; 9],
    /// Whether each of them was named.
    pub apart: bool,
    pub resource: u8,
    pub sampler: u8,
    /// Components.
    pub mask: u8,
    pub dimension: u8,
    pub unnormalized: bool,
    pub d16: bool,
    pub glc: bool,
}
