//! ROCm user-mode stacks from Debian, without root and without touching the system.
//!
//! Debian's suites carry four ROCm releases. [`Stack::fetch`] lets apt resolve and download one of
//! them (with that suite's own libc) into a private root, unpacks it into a prefix in the cache,
//! and [`Stack::command`] runs programs there by the prefix's own dynamic loader.
//!
//! ```no_run
//! use rmcp_stacks::{Release, Stack};
//! let stack = Stack::fetch(Release::Rocm643)?;
//! let status = stack.command("rocminfo")?.status()?;
//! # anyhow::Ok(())
//! ```
//!
//! The cache is `$RMCP_CACHE`, else `$XDG_CACHE_HOME/rmcp`, else `~/.cache/rmcp`; a stack lies in
//! `stacks/<release>` below it. The mirror is the one the machine's own apt uses, or
//! `$RMCP_DEBIAN_MIRROR`. Signatures are always checked.
#![forbid(unsafe_code)]

mod apt;
mod jax;
mod mirror;
mod moved;
mod prefix;
mod progress;
mod python;
mod release;
mod stack;

pub use jax::Jax;
pub use mirror::{Mirror, NoMirror};
pub use moved::moved;
pub use prefix::{Package, Stamp};
pub use python::{Python, Wheel};
pub use release::Release;
pub use stack::{Stack, cache_dir};
