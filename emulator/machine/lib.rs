//! The machine that `librmcp_kfd.so` emulates.
//!
//! - [`Machine`] is its description, read from TOML; [`CARDS`] are the built-in ones
//! - [`Emulation`] prepares a command so that its program finds that machine
//!
//! ```no_run
//! use rmcp_machine::Emulation;
//! let mut rocminfo = std::process::Command::new("rocminfo");
//! Emulation::new("/usr/lib/rmcp/librmcp_kfd.so".into(), "gfx1010")?.apply(&mut rocminfo, "".as_ref());
//! # Ok::<(), String>(())
//! ```
#![forbid(unsafe_code)]

mod description;
mod emulation;
mod kernel;

pub use description::{CARDS, Card, Cpu, GfxTarget, Gpu, Machine, PciPlace};
pub use emulation::{Emulation, LIBRARY};
pub use kernel::Kernel;
