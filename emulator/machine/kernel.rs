//! The release of Linux whose kernel driver is emulated.

use serde::Deserialize;

/// A release, as `kernel = "6.1"` names it at the head of a description.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub enum Kernel {
    /// Takes any queue.
    #[serde(rename = "6.1")]
    Linux6_1,
    /// The first that holds a queue's buffers against what the card needs (kfd_queue.c).
    #[default]
    #[serde(rename = "6.12")]
    Linux6_12,
    /// Takes a save area that is larger than needed ("relax checks for over allocation of save area"), and publishes
    /// `cwsr_size` and `ctl_stack_size`.
    #[serde(rename = "6.18")]
    Linux6_18,
}

impl Kernel {
    /// What `uname -r` would say.
    pub const fn release(self) -> &'static str {
        match self {
            Self::Linux6_1 => "6.1.0",
            Self::Linux6_12 => "6.12.0",
            Self::Linux6_18 => "6.18.0",
        }
    }

    /// Minor version of KFD's interface, whose major version is 1.
    pub fn interface(self) -> u32 {
        match self {
            Self::Linux6_1 => 11,
            Self::Linux6_12 => 16,
            Self::Linux6_18 => 18,
        }
    }
}
