//! RMCP's domain: what is on the machine, what the user wants, and what follows for each HIP or HSA call.
//!
//! Safe code only; nothing here touches a foreign pointer. `librmcp_core.so` asks [`policy`] at every hooked call,
//! the commands show the same facts to people.
//!
//! | module | question |
//! |---|---|
//! | [`gfx`] | what is a gfx target, and which family is it of |
//! | [`topology`] | which GPUs does the KFD list, and which of them does HIP see |
//! | [`options`] | what did the user set, where, and what is wrong with it |
//! | [`libraries`] | which libraries need coherent memory, and which are right without |
//! | [`policy`] | what becomes of this call's flags |
//! | [`trace`] | what does a traced process leave in its file |
//! | [`bounded`] | what stands in a small file that may be anything |
#![forbid(unsafe_code)]

pub mod bounded;
pub mod gfx;
pub mod libraries;
pub mod options;
pub mod policy;
pub mod topology;
pub mod trace;
