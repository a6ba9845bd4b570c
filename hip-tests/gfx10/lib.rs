//! An interpreter of RDNA1 and RDNA2 (gfx10.1, gfx10.3) compute kernels.
//!
//! - [`Dispatch`] is one kernel launch; [`Dispatch::run`] runs it to its end over a [`Memory`]
//! - `decode` turns words into instructions; `row` says what one opcode is: number, mnemonic, meaning
//! - `salu`, `valu`, `mem` hold the tables of opcodes, one per encoding, each row with its meaning
//! - `wave` is the state of one wave, `group` that of a work-group
//!
//! What an opcode does is taken from AMD's "RDNA 1.0 ISA" and "RDNA 2 ISA" documents, the numbers were
//! checked against LLVM's assembler, and the initial registers are those of LLVM's "User Guide for AMDGPU
//! Backend". An opcode that has no row stops the kernel: nothing is skipped silently.
//!
//! Not modelled: time, caches, the order of memory operations (every access is done at once), exceptions,
//! rounding modes other than to nearest even, images, and the last bits of transcendental functions.
#![deny(unsafe_code)]
#![allow(missing_docs, reason = "one small crate: what a name says is not said twice")]

mod code;
mod decode;
mod dispatch;
mod group;
mod inst;
mod mem;
mod memory;
mod name;
mod row;
mod salu;
mod stop;
#[cfg(test)]
mod tests;
mod valu;
mod wave;

pub use dispatch::{Dispatch, Done};
pub use memory::{Atomic, Fault, Gws, Memory};
pub use name::kernel_name;
pub use row::{Target, mnemonics};
pub use stop::Stop;
