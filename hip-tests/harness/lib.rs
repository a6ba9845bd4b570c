//! Runs HIP programs on real ROCm stacks over an emulated card, with and without RMCP, and reads what reached the
//! kernel boundary.
//!
//! | | |
//! |---|---|
//! | [`Scene`] | where a program runs: the release of ROCm, the machine, with RMCP or without, the environment |
//! | [`Client`] | the program: one of `clients/`, or one of a Debian package |
//! | [`Run`] | what it left behind: a [`Call`] for each line that it reported, and the [`Log`] of the emulated driver, in which a client's marks tell the calls apart |
//! | [`require`] | where the stack or a compiler cannot be had a test is skipped with a word, and fails in CI |
//! | [`Stubs`] | programs on stub drivers, for what is a matter of the way of a call alone; see `loading/` |
//! | [`Compiler`] | Debian's hipcc, for programs that are compiled ahead of time |
//!
//! ```no_run
//! use rmcp_hip_tests::{Client, Release, Scene};
//! let Some(run) = Scene::new(Release::Rocm643, "gfx1010").with_rmcp().run(Client::Allocations) else { return };
//! assert!(run.log.allocation("hipHostMalloc(0)").has("USERPTR"));
//! ```
#![forbid(unsafe_code)]

mod bounded;
mod build;
mod client;
mod compiler;
mod driver;
mod jax;
mod machine;
mod native;
mod prerequisite;
mod scene;
mod stub;
mod table;
mod ways;
mod wheel;

pub use build::{Build, target_dir};
pub use client::{Client, RCCL};
pub use compiler::Compiler;
pub use jax::jax;
pub use machine::{machine, machine_on};
pub use native::{compile_only, self_contained};
pub use prerequisite::require;
pub use rmcp_kfd_log::{Event, Log};
pub use rmcp_stacks::{Jax, Python, Release, Stack, Wheel, cache_dir};
pub use scene::{Call, Ended, Run, Scene, on_every_release};
pub use stub::{COPIES, Stubs};
pub use table::TableProgram;
pub use ways::LoadMode;
