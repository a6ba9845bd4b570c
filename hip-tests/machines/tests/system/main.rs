//! RMCP in every process of a machine, and out again.

mod enable;
mod exclude;
mod own;
mod programs;
mod recover;

use rmcp_machines::{Machine, Release, installed};

/// A machine with RMCP installed and nothing enabled. None, after a loud word, where there can be none.
fn machine() -> Option<Machine> {
    installed(Release::Bookworm)
}
