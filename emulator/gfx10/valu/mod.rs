//! Vector instructions.

mod cube;
pub mod div;
pub mod float;
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
