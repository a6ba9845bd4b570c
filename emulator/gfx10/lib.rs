//! An interpreter of RDNA1 and RDNA2 (gfx10.1, gfx10.3) compute kernels.
//!
//! - [`Dispatch`] is one kernel launch; [`Dispatch::run`] runs it to its end over a [`Memory`]
//! - `row` says what one opcode is: number, mnemonic, meaning; `operands` what an encoding holds
//! - `salu`, `valu`, `mem` hold the tables of opcodes, one per encoding, each row with its meaning; `decode` finds the row
//! - `wave` is the state of one wave, `group` that of a work-group
//!
//! What an opcode does is taken from AMD's "RDNA 1.0 ISA" and "RDNA 2 ISA" documents, the numbers were
//! checked against LLVM's assembler, and the initial registers are those of LLVM's "User Guide for AMDGPU
//! Backend". To add an opcode is to add its row to a table, and a case to the tests, which ask for one.
//!
//! What is refused is the list in `refused.rs`; besides, formats of buffers that `mem/format.rs` lacks, swizzled buffers
//! other than scratch, buffer loads straight to LDS, and hardware registers and messages that `salu` does not name. What
//! is refused stops the kernel with the instruction's address, its words or operands, and the reason: nothing is skipped
//! silently.
//!
//! Not modelled: time, exceptions, and the inexactness of approximations. `v_rcp`, `v_rsq`, `v_sqrt`, `v_exp`, `v_log`,
//! `v_sin` and `v_cos` are as exact as this processor, keep denormals and do not follow the rounding mode. Which of two
//! NaN is the result is this processor's choice; how a dot product of halves rounds in between is not documented.
//!
//! `MUTATION.md` says which opcodes' tests notice that they are spoilt, and `benches/speed.rs` how fast it is.
#![deny(unsafe_code)]
#![allow(missing_docs, reason = "one small crate: what a name says is not said twice")]

mod atomic;
mod code;
mod code_object;
mod decode;
mod dispatch;
mod float;
mod grid;
mod group;
mod gws;
mod inst;
mod kernel;
mod mem;
mod memory;
mod name;
mod opcodes;
mod operands;
mod ram;
mod refused;
mod row;
mod run;
mod salu;
mod stepper;
mod stop;
#[cfg(test)]
mod tests;
mod text;
mod valu;
mod wave;

pub use atomic::Atomic;
pub use code_object::{CodeObject, KernelSymbol, NotACodeObject};
pub use dispatch::{Dispatch, Done};
pub use gws::Gws;
pub use memory::{Fault, Memory};
pub use name::kernel_name;
pub use opcodes::{Opcode, opcodes};
pub use ram::Ram;
pub use refused::REFUSED;
pub use row::Target;
pub use stepper::{Observer, Step, Stepper};
pub use stop::Stop;
pub use wave::Wave;
