//! A decoded instruction: a row of a table with its operands, and what it does.

use crate::mem::Storage;
use crate::mem::{ds, ds::DsOp, image, image::ImageOp, smem, smem::SmemOp, vmem, vmem::VmemOp};
use crate::memory::Fault;
use crate::operands::{Ds, Mimg, Scalar, Smem, Vector, Vmem};
use crate::row::Row;
use crate::salu::ScalarFn;
use crate::valu::VectorFn;
use crate::wave::Wave;

/// A decoded instruction.
#[derive(Clone, Copy)]
pub enum Inst {
    Scalar(&'static Row<ScalarFn>, Scalar),
    Vector(&'static Row<VectorFn>, Vector),
    Smem(&'static Row<SmemOp>, Smem),
    Ds(&'static Row<DsOp>, Ds),
    Vmem(&'static Row<VmemOp>, Vmem),
    Mimg(&'static Row<ImageOp>, Mimg),
}

impl Inst {
    /// Carries it out, but for the program counter's step to the next one.
    #[inline]
    pub fn execute(&self, w: &mut Wave, storage: &mut Storage<'_>) -> Result<(), Fault> {
        match self {
            Self::Scalar(row, i) => (row.run)(w, i),
            Self::Vector(row, i) => (row.run)(w, i),
            Self::Smem(row, i) => smem::run(w, i, row.run, storage)?,
            Self::Ds(row, i) => ds::run(w, i, row.run, storage),
            Self::Vmem(row, i) => vmem::run(w, i, row.run, storage)?,
            Self::Mimg(row, i) => image::run(w, i, row.run, storage)?,
        }
        Ok(())
    }
}
