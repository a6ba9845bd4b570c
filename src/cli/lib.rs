//! The commands `rmcp` and `rmcp-run`, and what they read of the machine.
//!
//! | module | question |
//! |---|---|
//! | [`commands`] | what does a person see: one file per subcommand |
//! | [`preparation`] | which environment does a program get before it starts |
//! | [`recipes`] | which variables does this program need on these cards |
//! | [`lookups`] | are functions met that a program looks up by itself |
//! | [`launchers`] | which program does a command line come to |
//! | [`installs`] | which ROCm installations and frameworks are here |
//! | [`inspect`] | which gfx targets do these files have code for |
//! | [`trace`] | what did a program allocate, and what became of it |
//! | [`effective_policy`] | which options and rules hold here, card by card |
//! | [`flag_names`] | what are the flags of a call named |
//! | [`host`] | what do kernel and account say of this machine |
//! | [`preload`] | where is librmcp.so, and what does LD_PRELOAD name |
//! | [`save_area`] | would a runtime's queues be refused on these cards |
//! | [`output`], [`exit_status`], `scratch` | how a command prints, what it returns, where it keeps files for one run |
//!
//! A module uses those below it in this table; no subcommand uses another.
#![forbid(unsafe_code)]

pub mod commands;
pub mod doctor;
pub mod effective_policy;
pub mod exit_status;
pub mod flag_names;
pub mod host;
pub mod inspect;
pub mod installs;
pub mod launchers;
pub mod lookups;
pub mod output;
pub mod preload;
pub mod preparation;
pub mod recipes;
pub mod save_area;
mod scratch;
pub mod trace;
