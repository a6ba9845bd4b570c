//! Programs of several processes get the same with RMCP and without.
#![forbid(unsafe_code)]

mod ipc;
