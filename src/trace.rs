//! What a program allocated, as librmcp_core.so recorded it.
//!
//! | module | question |
//! |---|---|
//! | [`mod@format`] | what do the files hold that a process leaves |
//! | [`files`] | which calls did the processes make, in which order |
//! | [`replay`] | how much memory was there, when, and whose |
//! | [`timeline`] | how did that change over time |
//! | [`lifetimes`] | how long did allocations live |

#[cfg(feature = "cli")]
pub mod files;
pub mod format;
#[cfg(feature = "cli")]
pub mod lifetimes;
#[cfg(feature = "cli")]
pub mod replay;
#[cfg(all(test, feature = "cli"))]
mod testing;
#[cfg(feature = "cli")]
pub mod timeline;
