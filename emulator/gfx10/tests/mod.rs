//! Tests of the decoder, of single instructions and of small kernels.
//!
//! What an instruction should do is written down here from the ISA documents, as numbers: never computed by the code
//! under test.

mod code_object;
mod compares;
mod control;
mod coverage;
mod image;
mod lanes;
mod lds;
mod llvm;
mod memory;
mod mode;
mod mutation;
mod name;
mod opcodes;
mod rare;
mod scalar;
mod state;
mod steps;
mod storage;
mod text;
mod vector;
mod wide;
