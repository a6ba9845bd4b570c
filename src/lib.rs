//! RMCP's domain: what is on the machine, what the user wants, and what follows for each HIP or HSA call.
//!
//! Safe code only; nothing here touches a foreign pointer. `librmcp_core.so` asks [`policy`] at every hooked call,
//! the commands show the same facts to people.
//!
//! | module | question |
//! |---|---|
//! | [`gfx`] | what is a gfx target, and which family is it of |
//! | [`topology`] | which GPUs does the KFD list, and which of them does HIP see |
//! | [`host`] | what do kernel and account say of this machine |
//! | [`options`] | what did the user set, where, and what is wrong with it |
//! | [`libraries`] | which libraries need coherent memory, and which are right without |
//! | [`policy`] | what becomes of this call's flags |
//! | [`installs`] | which ROCm installations and frameworks are here |
//! | [`inspect`] | which gfx targets do these files have code for |
//! | [`launchers`] | which program does a command line come to |
//! | [`recipes`] | which environment does this program need on these cards |
//! | [`system`] | how does RMCP get into every process of the machine, and out again |
//! | [`trace`] | what did a program allocate, and what became of it |
#![forbid(unsafe_code)]

pub mod gfx;
pub mod libraries;
pub mod options;
pub mod policy;
pub mod topology;

#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "cli")]
pub mod host;
#[cfg(feature = "cli")]
pub mod inspect;
#[cfg(feature = "cli")]
pub mod installs;
#[cfg(feature = "cli")]
pub mod launchers;
#[cfg(feature = "cli")]
pub mod recipes;
#[cfg(feature = "system")]
pub mod system;
pub mod trace;

mod bounded;
