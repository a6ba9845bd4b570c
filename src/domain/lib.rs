//! RMCP's domain: what is on the machine, what the user wants, and what follows for each HIP or HSA call.
//!
//! `librmcp_core.so` asks [`policy`] at every hooked call, inside other people's processes; the commands show the same
//! facts to people. So whatever both must agree on is here, and what only one of them does is not.
//!
//! | module | question |
//! |---|---|
//! | [`gfx`] | what is a gfx target, and which family is it of |
//! | [`topology`] | which GPUs does the KFD list, and which of them does HIP see |
//! | [`options`] | what did the user set, where, and what is wrong with it |
//! | [`machine`] | which calls can be changed in this process, and by which rules |
//! | [`libraries`] | which libraries need coherent memory, and which are right without |
//! | [`policy`] | what becomes of this call's flags |
//! | [`release`] | which release of ROCm is a library of |
//! | [`save_area`] | does the runtime size a queue's save area as the kernel does |
//! | [`trace`] | what does a traced process leave in its file |
//! | [`bounded_read`] | what stands in a small file that may be anything |
//!
//! Nothing here touches a foreign pointer, calls a runtime, writes, prints, starts a thread or keeps state between calls;
//! a decision is a function of its arguments. A file or an environment, whatever is in it, makes nothing here panic, hang
//! or read without end.
#![forbid(unsafe_code)]

pub mod bounded_read;
pub mod gfx;
pub mod libraries;
pub mod machine;
pub mod options;
pub mod policy;
pub mod release;
pub mod save_area;
pub mod topology;
pub mod trace;
