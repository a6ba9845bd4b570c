//! What a program allocated, as librmcp_core.so recorded it; [`rmcp_domain::trace`] is the format.
//!
//! | module | question |
//! |---|---|
//! | [`files`] | which calls did the processes make, in which order |
//! | [`replay`] | how much memory was there, when, and whose |
//! | [`timeline`] | how did that change over time |
//! | [`lifetimes`] | how long did allocations live |

pub mod files;
pub mod lifetimes;
pub mod replay;
#[cfg(test)]
pub(crate) mod testing;
pub mod timeline;
