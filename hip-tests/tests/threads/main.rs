//! What RMCP promises to programs of many threads, processes and GPUs.
//!
//! Most of it is a matter of the way of a call, and is tested on `clients/threads_runtime.cpp`, a runtime that knows
//! addresses and flags alone; the rest, in smaller counts, on the real one.
#![forbid(unsafe_code)]

mod first;
mod fork;
mod gpus;
mod hammer;
mod life;
mod log;
mod program;
