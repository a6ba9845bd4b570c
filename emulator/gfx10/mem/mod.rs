//! Instructions that reach memory, LDS and scratch.

pub mod access;
pub mod address;
pub mod ds;
pub mod exchange;
mod format;
pub mod gws;
pub mod image;
mod sampler;
pub mod smem;
pub mod vmem;

pub use access::Storage;
pub use address::SCRATCH_RESOURCE;
