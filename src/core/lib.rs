//! librmcp_core.so: the hooks, which the gate loads at the first HIP or HSA call of a process.
//!
//! The gate calls it by one name, `rmcp_core_bind`; ROCr, which takes it for a tool, by `OnLoad`. A call's way:
//!
//! | module | what it does |
//! |---|---|
//! | `bind` | tells the gate where a slot leads: to a hook only where one has something to do |
//! | `dispatch_table`, `hsa_table` | have the runtimes' own tables lead to the hooks, whatever way a call takes |
//! | `hooks` | one hook a function of the table; adds the return address to the arguments |
//! | `call`, `caller`, `imports`, `copies` | who calls, in which copy of the runtime, under which rules |
//! | `policies` | asks `rmcp_domain::policy`, forwards, and remembers in `requested_flags` |
//! | `runtime`, `pools`, `probe` | what RMCP itself asks of the real runtime |
//! | `machine` | options and GPUs, read once |
//! | `save_area` | what a runtime reads of the topology while it starts |
//! | `memory` | what RMCP allocates where the process has no memory left |
//! | `counters`, `log`, `watch`, `trace`, `api` | what is told: to `include/rmcp.h`, the log, `rmcp trace` |
//! | `isolation` | keeps errno, panics and cancellation of RMCP's own work from the program's thread |
//!
//! All of it runs within other people's calls. It ends and hangs no process and prints nothing unasked; it waits for no lock
//! that a fork could leave held, asks the loader for nothing once a copy of the runtime is known, keeps no descriptor and
//! starts no thread; once caller and function are known a call allocates nothing, but for a further table of flags when one
//! is full. A call that it cannot decide about goes to the real function unchanged.

mod api;
mod bind;
mod call;
mod caller;
mod copies;
mod counters;
mod dispatch_table;
#[allow(non_camel_case_types, dead_code)] // C's names; the functions are the gate's
mod header;
mod hooks;
mod hsa_table;
mod imports;
mod isolation;
mod log;
mod machine;
mod memory;
mod policies;
mod pools;
mod probe;
mod requested_flags;
mod runtime;
mod save_area;
mod substitution;
mod symbols;
mod trace;
mod watch;
