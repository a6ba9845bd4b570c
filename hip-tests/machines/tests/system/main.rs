//! RMCP in every process of a machine: programs do what they did, memory changes where somebody chose it alone, and the way
//! back works from everywhere.

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
