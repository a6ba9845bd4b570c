//! A kernel launch as a packet describes it.

use crate::row::Target;

/// A kernel launch; addresses are the card's. What the fields mean is said in the HSA specification's
/// `hsa_kernel_dispatch_packet_t`.
#[derive(Debug, Clone)]
pub struct Dispatch {
    pub target: Target,
    /// Work-items of a work-group in x, y, z.
    pub workgroup: [u16; 3],
    /// Work-items of the grid in x, y, z.
    pub grid: [u32; 3],
    /// Scratch bytes of a work-item.
    pub private_bytes: u32,
    /// LDS bytes of a work-group.
    pub group_bytes: u32,
    /// Address of the kernel descriptor.
    pub kernel_object: u64,
    /// Address of the arguments.
    pub kernarg: u64,
    /// Address of the packet.
    pub packet: u64,
    /// Address of the queue's `amd_queue_t`.
    pub queue: u64,
    /// Number of the packet.
    pub id: u64,
}

/// What a dispatch did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Done {
    /// Instructions of all waves.
    pub instructions: u64,
}
