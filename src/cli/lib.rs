//! The commands `rmcp` and `rmcp-run`, and what they know of the machine.
//!
//! | module | question |
//! |---|---|
//! | [`commands`] | what does a person see: one file per subcommand |
//! | [`host`] | what do kernel and account say of this machine |
//! | [`installs`] | which ROCm installations and frameworks are here |
//! | [`inspect`] | which gfx targets do these files have code for |
//! | [`launchers`] | which program does a command line come to |
//! | [`recipes`] | which environment does this program need on these cards |
//! | [`trace`] | what did a program allocate, and what became of it |
#![forbid(unsafe_code)]

pub mod commands;
pub mod host;
pub mod inspect;
pub mod installs;
pub mod launchers;
pub mod recipes;
pub mod trace;
