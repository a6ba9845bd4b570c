//! An interpreter of the compute kernels of AMD's RDNA1 and RDNA2 cards (gfx10.1, gfx10.3): it runs the machine code that a
//! compiler made for the card, without a card, a driver or a runtime.
//!
//! # Run a kernel
//!
//! A kernel reads and writes a [`Memory`] by the addresses that the card would see; [`Ram`] is one to begin with. A
//! [`Dispatch`] says where the kernel's descriptor and arguments lie and how large the grid is; [`Dispatch::run`] runs it to
//! its end, work-groups spread over the processors.
//!
//! ```
//! use gfx10::{Dispatch, Ram, Target};
//!
//! const DESCRIPTOR: u64 = 0x10_0000;
//! const ARGUMENTS: u64 = DESCRIPTOR + 0x800;
//! const BUFFER: u64 = DESCRIPTOR + 0x900;
//!
//! let ram = Ram::new(DESCRIPTOR, 0x1000);
//! // The descriptor: code 0x100 bytes behind it; 8 vector registers and IEEE mode with denormals; the address of the arguments
//! // in s[0:1]; wave32.
//! ram.put(DESCRIPTOR + 16, &[0x100]);
//! ram.put(DESCRIPTOR + 48, &[0xf0 << 12 | 1 << 23, 2 << 1, 1 << 3 | 1 << 10]);
//! ram.put(DESCRIPTOR + 0x100, &[
//!     0xf404_0100, 0xfa00_0000, // s_load_dwordx2 s[4:5], s[0:1], 0x0
//!     0xbf8c_c07f,              // s_waitcnt lgkmcnt(0)
//!     0x3402_0082,              // v_lshlrev_b32 v1, 2, v0
//!     0xdc30_8000, 0x0204_0001, // global_load_dword v2, v1, s[4:5]
//!     0xbf8c_3f70,              // s_waitcnt vmcnt(0)
//!     0x4a04_0481,              // v_add_nc_u32 v2, 1, v2
//!     0xdc70_8000, 0x0004_0201, // global_store_dword v1, v2, s[4:5]
//!     0xbf81_0000,              // s_endpgm
//! ]);
//! ram.put(ARGUMENTS, &[BUFFER as u32, (BUFFER >> 32) as u32]);
//! ram.put(BUFFER, &[10, 20, 30, 40]);
//!
//! let dispatch = Dispatch {
//!     target: Target::Gfx101,
//!     workgroup: [4, 1, 1],
//!     grid: [4, 1, 1],
//!     private_bytes: 0,
//!     group_bytes: 0,
//!     kernel_object: DESCRIPTOR,
//!     kernarg: ARGUMENTS,
//!     packet: 0,
//!     queue: 0,
//!     id: 0,
//! };
//! let done = dispatch.run(&ram, &|| true)?;
//! assert_eq!(done.instructions, 8);
//! assert_eq!([0, 1, 2, 3].map(|n| ram.word(BUFFER + 4 * n)), [11, 21, 31, 41]);
//!
//! // The same again, an instruction at a time.
//! let mut steps = dispatch.steps(&ram)?;
//! let mut trace = Vec::new();
//! while let Some(step) = steps.step()? {
//!     trace.push(format!("{:#x} {step}", step.pc));
//! }
//! assert_eq!(trace[2], "0x10010c v_lshlrev_b32 v1, 2, v0");
//! assert_eq!(ram.word(BUFFER), 12);
//! # Ok::<(), gfx10::Stop>(())
//! ```
//!
//! A compiler's kernel lies in a [`CodeObject`], an ELF file: it has the descriptors, the sizes that they ask for, and the
//! image to put into memory. The program `gfx10-run` of this crate does all of that for a file, a kernel's name and its
//! arguments; with `--trace` it prints every instruction. [`Dispatch::observe`] shows them to an [`Observer`].
//!
//! # What is modelled
//!
//! - waves of 32 and of 64 lanes, with scalar and vector registers, EXEC, VCC, SCC, M0 and MODE as the kernel descriptor sets
//!   them up (LLVM, "User Guide for AMDGPU Backend")
//! - every encoding of compute: SOP1, SOP2, SOPC, SOPK, SOPP, SMEM, VOP1, VOP2, VOPC, VOP3, VOP3P, with DPP, DPP8 and SDWA;
//!   DS, FLAT, GLOBAL, SCRATCH, MUBUF and MTBUF. [`opcodes()`] lists the opcodes, OPCODES.md shows them
//! - LDS, scratch, barriers, and global wave sync, by which the work-groups of a cooperative launch wait for each other
//! - rounding and denormals by MODE, clamping, output modifiers, signalling NaN in IEEE mode
//! - atomic operations, as one call of [`Memory::atomic`] each. What of them arrives is the memory's say
//! - fences and counters do nothing: there is no cache, and a wave's accesses are done in its order
//!
//! # What is not
//!
//! [`REFUSED`] lists the mnemonics that are refused; besides, formats of buffers of 10 and 11 bit floats,
//! buffer loads straight to LDS, and hardware registers and messages that compute does not need. What is
//! refused stops the kernel with the instruction's address and the reason ([`Stop`]): nothing is skipped silently.
//!
//! Not modelled are time, exceptions, and the inexactness of approximations. `v_rcp`, `v_rsq`, `v_sqrt`, `v_exp`, `v_log`,
//! `v_sin` and `v_cos` are as exact as this processor, keep denormals and do not follow the rounding mode. Which of two NaN is
//! the result is this processor's choice; how a dot product of halves rounds in between is not documented.
//!
//! What an opcode does is taken from AMD's "RDNA 1.0 ISA" and "RDNA 2 ISA" documents. Nothing was compared with a card.
//!
//! # Inside
//!
//! Each file uses those above it:
//!
//! - `row` says what one opcode is: number, mnemonic, meaning; `operands` has the fields of an encoding
//! - `wave` is the state of one wave; `memory`, `atomic` and `gws` what it reaches outside
//! - `salu`, `valu` and `mem` hold the tables of opcodes, one per encoding, each row with its meaning
//! - `inst` is a row with its operands, which `decode` finds and `text` writes
//! - `group` runs the waves of a work-group, `kernel` makes them, `grid` hands them out to `run` and `stepper`
//!
//! To add an opcode is to add its row to a table, and a case to the tests, which ask for one.
#![deny(unsafe_code)]

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
