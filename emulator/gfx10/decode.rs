//! From words to instructions ("RDNA 2 ISA", chapter 13, "Microcode Formats").

use crate::inst::Inst;
use crate::mem::{ds, image, smem, vmem, vmem::VmemOp};
use crate::operands::{Ds, Lanes, Mimg, Scalar, Segment, Smem, Src, Vector, Vmem};
use crate::row::{Row, Target, find};
use crate::salu::{sop1, sop2, sopc, sopk, sopp};
use crate::valu::{vop1, vop2, vop3, vop3p, vopc};
use crate::wave::reg;

/// Decodes the instruction that starts with `words[0]` (the words after it may be anything where the code
/// ends) and says how many words it has.
///
/// # Errors
/// What was recognized of an instruction that is not known here.
pub fn decode(words: [u32; 4], target: Target) -> Result<(Inst, u32), String> {
    let mut d = Decoder { words, target, used: 1, literal: false };
    let inst = match words[0] >> 26 {
        0b11_1101 => d.smem(),
        0b11_0101 => d.vop3(),
        0b11_0011 => d.vop3p(),
        0b11_0110 => d.ds(),
        0b11_0111 => d.flat(),
        0b11_1000 => d.mubuf(),
        0b11_1010 => d.mtbuf(),
        0b11_0010 => Err("VINTRP, interpolation".into()),
        0b11_1100 => d.mimg(),
        0b11_1110 => Err("EXP, an export".into()),
        top if top < 0x20 => d.vop(),
        top if top < 0x30 => d.sop(),
        top => Err(format!("no encoding has the top bits {top:#08b}")),
    }?;
    Ok((inst, d.used + u32::from(d.literal)))
}

struct Decoder {
    words: [u32; 4],
    target: Target,
    /// Words without the literal.
    used: u32,
    literal: bool,
}

impl Decoder {
    /// Bits `low` to `high` of the first two words.
    fn bits(&self, high: u32, low: u32) -> u32 {
        let both = u64::from(self.words[0]) | u64::from(self.words[1]) << 32;
        (both >> low & (u64::MAX >> (63 - (high - low)))) as u32
    }

    fn literal(&mut self) -> u32 {
        self.literal = true;
        self.words[self.used as usize]
    }

    /// A source by its code.
    fn src(&mut self, code: u32) -> Result<Src, String> {
        match code {
            0..=208 | 235..=238 | 240..=248 | 251..=253 | 256..=511 => Ok(Src::code(code as u16)),
            255 => Ok(Src { code: Src::LITERAL, literal: self.literal() }),
            other => Err(format!("operand code {other}")),
        }
    }

    fn row<T>(
        &self,
        encoding: &str,
        table: &'static [crate::row::Row<T>],
        op: u32,
    ) -> Result<&'static crate::row::Row<T>, String> {
        find(table, op, self.target).ok_or_else(|| format!("{encoding} opcode {op:#x}"))
    }

    fn sop(&mut self) -> Result<Inst, String> {
        let word = self.words[0];
        let imm = word as u16;
        let sdst = self.bits(22, 16) as u8;
        let (row, i) = match word >> 23 {
            0x17f => (self.row("SOPP", sopp::TABLE, self.bits(22, 16))?, Scalar { imm, ..Scalar::default() }),
            0x17e => {
                let row = self.row("SOPC", sopc::TABLE, self.bits(22, 16))?;
                let src = [self.src(self.bits(7, 0))?, self.src(self.bits(15, 8))?];
                (row, Scalar { src, ..Scalar::default() })
            }
            0x17d => {
                let row = self.row("SOP1", sop1::TABLE, self.bits(15, 8))?;
                (row, Scalar { dst: sdst, src: [self.src(self.bits(7, 0))?, Src::default()], imm: 0 })
            }
            top if top >> 5 == 0b1011 => {
                let op = self.bits(27, 23);
                let row = self.row("SOPK", sopk::TABLE, op)?;
                let value =
                    if op == 0x15 { Src { code: Src::LITERAL, literal: self.literal() } } else { Src::default() };
                (row, Scalar { dst: sdst, src: [value, Src::default()], imm })
            }
            _ => {
                let row = self.row("SOP2", sop2::TABLE, self.bits(29, 23))?;
                let src = [self.src(self.bits(7, 0))?, self.src(self.bits(15, 8))?];
                (row, Scalar { dst: sdst, src, imm: 0 })
            }
        };
        Ok(Inst::Scalar(row, i))
    }

    fn smem(&mut self) -> Result<Inst, String> {
        self.used = 2;
        let row = self.row("SMEM", smem::TABLE, self.bits(25, 18))?;
        let i = Smem {
            base: (self.bits(5, 0) * 2) as u8,
            dst: self.bits(12, 6) as u8,
            offset: (self.bits(52, 32) << 11) as i32 >> 11,
            soffset: self.bits(63, 57) as u8,
        };
        Ok(Inst::Smem(row, i))
    }

    /// VOP1, VOP2 and VOPC.
    fn vop(&mut self) -> Result<Inst, String> {
        let mut i = Vector { dst: self.bits(24, 17) as u8, sdst: reg::VCC, ..Vector::default() };
        let second = Src::vgpr(self.bits(16, 9) as u8);
        let vcc = Src::code(reg::VCC.into());
        let row = match self.words[0] >> 25 {
            0x3f => self.row("VOP1", vop1::TABLE, self.bits(16, 9))?,
            0x3e => {
                i.src[1] = second;
                self.row("VOPC", vopc::TABLE, self.bits(24, 17))?
            }
            op => {
                i.src[1] = second;
                i.src[2] = vcc;
                self.row("VOP2", vop2::TABLE, op)?
            }
        };
        self.first_source(&mut i, row.op, self.words[0] >> 25)?;
        Ok(Inst::Vector(row, i))
    }

    /// Source 0 of the short encodings, with what may follow it: SDWA, DPP, a literal.
    fn first_source(&mut self, i: &mut Vector, op: u16, top: u32) -> Result<(), String> {
        let word = self.words[1];
        match self.bits(8, 0) {
            249 => {
                self.used = 2;
                self.sdwa(i, word, top == 0x3e);
            }
            250 => {
                self.used = 2;
                i.src[0] = Src::vgpr(word as u8);
                i.neg = (word >> 20 & 1 | word >> 21 & 2) as u8;
                i.abs = (word >> 21 & 1 | word >> 22 & 2) as u8;
                let control = (word >> 8 & 0x1ff) as u16;
                if !matches!(control, 0..=0xff | 0x101..=0x10f | 0x111..=0x11f | 0x121..=0x12f | 0x140 | 0x141 | 0x150..=0x16f)
                {
                    return Err(format!("DPP control {control:#x}"));
                }
                i.lanes = Lanes::Dpp {
                    control,
                    rows: (word >> 28) as u8,
                    banks: (word >> 24 & 15) as u8,
                    bound: word >> 19 & 1 != 0,
                    inactive: word >> 18 & 1 != 0,
                };
            }
            code @ (233 | 234) => {
                self.used = 2;
                i.src[0] = Src::vgpr(word as u8);
                i.lanes = Lanes::Dpp8 { lanes: word >> 8, inactive: code == 234 };
            }
            code => i.src[0] = self.src(code)?,
        }
        if top < 0x3e {
            // The constant is the second factor or the addend.
            match op {
                vop2::MADMK | vop2::FMAMK | vop2::FMAMK16 => {
                    i.src[2] = i.src[1];
                    i.src[1] = Src { code: Src::LITERAL, literal: self.literal() };
                }
                vop2::MADAK | vop2::FMAAK | vop2::FMAAK16 => {
                    i.src[2] = Src { code: Src::LITERAL, literal: self.literal() };
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn sdwa(&mut self, i: &mut Vector, word: u32, compares: bool) {
        let first = word as u8;
        i.src[0] = if word >> 23 & 1 != 0 { Src::code(first.into()) } else { Src::vgpr(first) };
        if word >> 31 != 0 {
            // Source 1 keeps its number from the first word.
            i.src[1] = i.src[1].as_vgpr().map_or(i.src[1], |r| Src::code(r as u16));
        }
        i.neg = (word >> 20 & 1 | word >> 27 & 2) as u8;
        i.abs = (word >> 21 & 1 | word >> 28 & 2) as u8;
        let (mut dst, mut unused) = (6, 0);
        if compares {
            if word >> 15 & 1 != 0 {
                i.sdst = (word >> 8 & 0x7f) as u8;
            }
        } else {
            (dst, unused) = ((word >> 8 & 7) as u8, (word >> 11 & 3) as u8);
            i.clamp = word >> 13 & 1 != 0;
            i.omod = (word >> 14 & 3) as u8;
        }
        i.lanes = Lanes::Sdwa {
            dst,
            unused,
            src: [(word >> 16 & 7) as u8, (word >> 24 & 7) as u8],
            sext: [word >> 19 & 1 != 0, word >> 27 & 1 != 0],
        };
    }

    fn vop3(&mut self) -> Result<Inst, String> {
        self.used = 2;
        let op = self.bits(25, 16);
        let row = match op {
            0..0x100 => find(vopc::TABLE, op, self.target),
            0x100..0x140 => find(vop2::TABLE, op - 0x100, self.target),
            0x180..0x200 => find(vop1::TABLE, op - 0x180, self.target),
            _ => find(vop3::TABLE, op, self.target),
        };
        let row = row.ok_or_else(|| format!("VOP3 opcode {op:#x}"))?;
        let dst = self.bits(7, 0) as u8;
        // Those with a carry or a scale flag have a scalar destination where others have modifiers.
        let two_results = matches!(op, 0x128..=0x12a | 0x16d | 0x16e | 0x176 | 0x177 | 0x30f | 0x310 | 0x319);
        let mut i = Vector { dst, sdst: dst, clamp: self.bits(15, 15) != 0, ..Vector::default() };
        if two_results {
            i.sdst = self.bits(14, 8) as u8;
        } else {
            i.abs = self.bits(10, 8) as u8;
            i.op_sel = self.bits(14, 11) as u8;
        }
        i.neg = self.bits(63, 61) as u8;
        i.omod = self.bits(60, 59) as u8;
        i.src = [self.src(self.bits(40, 32))?, self.src(self.bits(49, 41))?, self.src(self.bits(58, 50))?];
        Ok(Inst::Vector(row, i))
    }

    fn vop3p(&mut self) -> Result<Inst, String> {
        self.used = 2;
        let row = self.row("VOP3P", vop3p::TABLE, self.bits(22, 16))?;
        let i = Vector {
            dst: self.bits(7, 0) as u8,
            sdst: self.bits(7, 0) as u8,
            neg_hi: self.bits(10, 8) as u8,
            op_sel: self.bits(13, 11) as u8,
            op_sel_hi: (self.bits(60, 59) | self.bits(14, 14) << 2) as u8,
            clamp: self.bits(15, 15) != 0,
            neg: self.bits(63, 61) as u8,
            src: [self.src(self.bits(40, 32))?, self.src(self.bits(49, 41))?, self.src(self.bits(58, 50))?],
            ..Vector::default()
        };
        Ok(Inst::Vector(row, i))
    }

    fn ds(&mut self) -> Result<Inst, String> {
        self.used = 2;
        let row = self.row("DS", ds::TABLE, self.bits(25, 18))?;
        if (self.bits(17, 17) != 0) != matches!(row.run, ds::DsOp::Gws(_)) {
            return Err(format!("{} with the wrong data share", row.name));
        }
        let i = Ds {
            dst: self.bits(63, 56) as u8,
            addr: self.bits(39, 32) as u8,
            data: [self.bits(47, 40) as u8, self.bits(55, 48) as u8],
            offset: self.bits(15, 0) as u16,
        };
        Ok(Inst::Ds(row, i))
    }

    fn flat(&mut self) -> Result<Inst, String> {
        self.used = 2;
        let segment = match self.bits(15, 14) {
            0 => Segment::Flat,
            1 => Segment::Scratch,
            2 => Segment::Global,
            other => return Err(format!("FLAT segment {other}")),
        };
        let row = self.row("FLAT", vmem::TABLE, self.bits(24, 18))?;
        let of_lanes = row.run.of_buffers() == Some(false);
        if row.run.of_buffers() == Some(true) || of_lanes && segment != Segment::Global {
            return Err(format!("FLAT opcode {:#x}", row.op));
        }
        if self.bits(13, 13) != 0 {
            return Err(format!("{} to LDS", row.name));
        }
        let offset = (self.bits(11, 0) << 20) as i32 >> 20;
        let i = Vmem {
            segment,
            dst: self.bits(63, 56) as u8,
            data: self.bits(47, 40) as u8,
            addr: self.bits(39, 32) as u8,
            saddr: self.bits(54, 48) as u8,
            // FLAT has no sign: its bit 11 is ignored.
            offset: if segment == Segment::Flat { offset & 0x7ff } else { offset },
            returns: self.bits(16, 16) != 0,
            ..Vmem::default()
        };
        Ok(Inst::Vmem(row, i))
    }

    fn mubuf(&mut self) -> Result<Inst, String> {
        let op = self.bits(24, 18) | self.bits(25, 25) << 7;
        let row = self.row("MUBUF", vmem::TABLE, op)?;
        if row.run.of_buffers() == Some(false) {
            return Err(format!("MUBUF opcode {op:#x}"));
        }
        if self.bits(16, 16) != 0 {
            return Err(format!("{} to LDS", row.name));
        }
        self.buffer(row, None)
    }

    /// Formatted loads and stores that have the format with them. Their opcodes are MUBUF's.
    fn mtbuf(&mut self) -> Result<Inst, String> {
        let op = self.bits(18, 16) | self.bits(53, 53) << 7;
        let row = self.row("MTBUF", vmem::TABLE, op)?;
        let format = self.bits(25, 19) as u8;
        self.buffer(row, Some(format))
    }

    fn mimg(&mut self) -> Result<Inst, String> {
        let row = self.row("MIMG", image::TABLE, self.bits(24, 18) | self.bits(0, 0) << 7)?;
        let further = self.bits(2, 1);
        self.used = 2 + further;
        let dimension = self.bits(5, 3) as u8;
        let (name, ..) = image::DIMENSIONS[usize::from(dimension)];
        let unknown = [
            (self.bits(62, 62) != 0, "16-bit addresses"),
            (self.bits(17, 16) != 0, "a status of missing pages"),
            (self.bits(15, 15) != 0, "a resource of 128 bits"),
            (further > 2, "more than nine addresses"),
            (matches!(dimension, 3 | 6 | 7), name),
        ];
        if let Some((_, what)) = unknown.iter().find(|(is_so, _)| *is_so) {
            return Err(format!("{} with {what}", row.name));
        }
        let first = self.bits(39, 32) as u8;
        let addr = std::array::from_fn(|n| match n.checked_sub(1) {
            Some(n) if further > 0 => (self.words[2 + n / 4] >> (8 * (n % 4))) as u8,
            _ => first.wrapping_add(n as u8),
        });
        let i = Mimg {
            data: self.bits(47, 40) as u8,
            addr,
            apart: further > 0,
            resource: (self.bits(52, 48) * 4) as u8,
            sampler: (self.bits(57, 53) * 4) as u8,
            mask: self.bits(11, 8) as u8,
            dimension,
            unnormalized: self.bits(12, 12) != 0,
            d16: self.bits(63, 63) != 0,
            glc: self.bits(13, 13) != 0,
        };
        Ok(Inst::Mimg(row, i))
    }

    fn buffer(&mut self, row: &'static Row<VmemOp>, format: Option<u8>) -> Result<Inst, String> {
        self.used = 2;
        let data = self.bits(47, 40) as u8;
        let i = Vmem {
            segment: Segment::Buffer,
            dst: data,
            data,
            addr: self.bits(39, 32) as u8,
            saddr: (self.bits(52, 48) * 4) as u8,
            offset: self.bits(11, 0) as i32,
            returns: self.bits(14, 14) != 0,
            offen: self.bits(12, 12) != 0,
            idxen: self.bits(13, 13) != 0,
            soffset: self.src(self.bits(63, 56))?,
            format,
        };
        Ok(Inst::Vmem(row, i))
    }
}
