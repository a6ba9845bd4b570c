//! librmcp_core.so: the hooks, which the gate loads at the first HIP or HSA call of a process.
//!
//! A call's way: [`bind`] tells the gate where a slot leads; [`hooks`] turns the jump into a [`call`], which knows its
//! caller and the GPU's rules; [`policies`] asks the domain library and forwards. The rest serves them: [`machine`]
//! detects once, [`caller`] tells the program from the runtime, [`runtime`] reaches the real library, [`counters`],
//! [`log`], [`trace`] and [`watch`] report, [`api`] is `include/rmcp.h`.

mod api;
mod bind;
mod call;
mod caller;
mod counters;
#[allow(non_camel_case_types, dead_code)] // C's names; the functions are the gate's
mod header;
mod hip_table;
mod hooks;
mod hsa_table;
mod imports;
mod isolation;
mod log;
mod machine;
mod policies;
mod pools;
mod probe;
mod requested_flags;
mod runtime;
mod runtime_tables;
mod trace;
mod watch;
