//! Vector instructions.

mod cube;
pub mod div;
mod int;
mod lanes;
mod map;
mod relative;
pub mod round;
mod sad;
mod trig;
pub mod vop1;
pub mod vop2;
pub mod vop3;
pub mod vop3p;
pub mod vopc;

use crate::operands::Vector;
use crate::wave::Wave;

/// What an opcode does.
pub type VectorFn = fn(&mut Wave, &Vector);
