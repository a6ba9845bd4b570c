//! Vector instructions.

pub mod div;
pub mod float;
mod lanes;
mod map;
mod trig;
pub mod vop1;
pub mod vop2;
pub mod vop3;
pub mod vop3p;
pub mod vopc;
