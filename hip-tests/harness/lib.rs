//! Runs HIP programs on real ROCm stacks over an emulated card, with and without RMCP, and reads what reached the
//! kernel boundary.
//!
//! ```no_run
//! use rmcp_hip_tests::{Client, Scene, Release};
//! let Some(run) = Scene::new(Release::Rocm643, "gfx1010").with_rmcp().run(Client::Allocations) else { return };
//! assert!(run.log.allocation("hipHostMalloc(0)").has("USERPTR"));
//! ```
#![forbid(unsafe_code)]

mod bounded;
mod build;
mod client;
mod compiler;
mod machine;
mod prerequisite;
mod scene;
mod stub;
mod ways;
mod wheel;

pub use build::{Build, target_dir};
pub use client::{Client, RCCL, compile_only, self_contained};
pub use compiler::Compiler;
pub use machine::machine;
pub use prerequisite::require;
pub use rmcp_kfd_log::{Event, Log};
pub use rmcp_stacks::{Release, Stack};
pub use scene::{Call, Run, Scene};
pub use stub::Stubs;
pub use ways::{Bypass, LoadMode};
