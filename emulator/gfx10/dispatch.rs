//! A kernel launch as a packet describes it.

use crate::row::Target;

/// A kernel launch; addresses are the card's. What the fields mean is said in the HSA specification's
/// `hsa_kernel_dispatch_packet_t`.
#[derive(Debug, Clone)]
pub struct Dispatch {
    /// The instruction set.
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

impl Dispatch {
    /// Dimensions of the grid: 1 to 3.
    #[must_use]
    pub fn dimensions(&self) -> u16 {
        match self.grid {
            [_, 0 | 1, 0 | 1] => 1,
            [_, _, 0 | 1] => 2,
            _ => 3,
        }
    }

    /// The packet that says all this, which kernels read for the size of their work-groups: to be put at [`Self::packet`].
    #[must_use]
    pub fn packet_bytes(&self) -> [u8; 64] {
        /// `HSA_PACKET_TYPE_KERNEL_DISPATCH`.
        const KERNEL_DISPATCH: u16 = 2;
        let mut bytes = [0; 64];
        let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
        put(0, &KERNEL_DISPATCH.to_le_bytes());
        put(2, &self.dimensions().to_le_bytes());
        for n in 0..3 {
            put(4 + 2 * n, &self.workgroup[n].to_le_bytes());
            put(12 + 4 * n, &self.grid[n].to_le_bytes());
        }
        put(24, &self.private_bytes.to_le_bytes());
        put(28, &self.group_bytes.to_le_bytes());
        put(32, &self.kernel_object.to_le_bytes());
        put(40, &self.kernarg.to_le_bytes());
        bytes
    }
}

/// What a dispatch did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Done {
    /// Instructions of all waves.
    pub instructions: u64,
}
