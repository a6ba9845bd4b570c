//! Kernel dispatches: the seam where an interpreter of the card's instructions goes.

use std::sync::OnceLock;

use serde_json::json;

use crate::log;
use crate::queue::{Ring, Trouble};

/// A kernel dispatch packet; addresses are the card's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dispatch {
    /// 1 to 3.
    pub dimensions: u16,
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
    /// Address of the kernel's arguments.
    pub kernarg: u64,
}

/// What runs kernels. It is called on the queue's thread and returns when the kernel has ended; it
/// reaches memory through [`crate::session::Session::reach`] with the ring's card.
pub trait Executor: Send + Sync {
    /// Runs one kernel.
    ///
    /// # Errors
    /// [`Trouble::Fault`] where the kernel touched memory that the card does not see.
    fn run(&self, ring: &Ring, dispatch: &Dispatch) -> Result<(), Trouble>;
}

/// Completes every dispatch without running it.
struct Nothing;

impl Executor for Nothing {
    fn run(&self, _: &Ring, _: &Dispatch) -> Result<(), Trouble> {
        Ok(())
    }
}

static EXECUTOR: OnceLock<Box<dyn Executor>> = OnceLock::new();

/// Logs a dispatch and hands it to the executor.
pub fn execute(ring: &Ring, dispatch: &Dispatch) -> Result<(), Trouble> {
    let gpu_id = ring.session.tree.machine.gpu[ring.gpu].gpu_id();
    let fields = json!({
        "gpu_id": gpu_id, "queue_id": ring.id, "kernel_object": log::hex(dispatch.kernel_object),
        "grid": dispatch.grid, "workgroup": dispatch.workgroup,
    });
    log::event("dispatch", fields);
    EXECUTOR.get_or_init(|| Box::new(Nothing)).run(ring, dispatch)
}
