//! Throw-away Debian machines: what has to be tried on a whole machine is tried there, never on this one.
//!
//! A [`Debian`] is made once and stays in the cache. A [`Machine`] is a layer of files over it; its programs run in mount
//! and process namespaces of their own, with that as their root folder. It needs root.
#![forbid(unsafe_code)]

mod debian;
mod machine;

pub use debian::Debian;
pub use machine::Machine;
pub use rmcp_hip_tests::{Build, require};
