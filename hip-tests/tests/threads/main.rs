//! Whatever the threads, processes and GPUs of a program do at once, each call is counted, answered and rewritten as if it
//! were alone, and RMCP's log does no harm.
//!
//! Most of it is a matter of the way of a call, and is tested on `clients/threads_runtime.cpp`, a runtime that knows
//! addresses and flags alone; the rest, in smaller counts, on the real one.
#![forbid(unsafe_code)]

mod first;
mod fork;
mod gpus;
mod hammer;
mod life;
mod loader_lock;
mod log;
mod program;
mod unwinding;
