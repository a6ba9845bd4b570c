//! The commands.

pub mod library;
pub mod run;
