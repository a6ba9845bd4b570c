//! Tests of the decoder, of single instructions and of small kernels.

mod llvm;
