//! Kernel dispatches: logged, and run on gfx10 unless `RMCP_KFD_EXECUTE=0` forbids it.

use std::sync::OnceLock;

use gfx10::{Stop, Target};
use serde_json::json;

use crate::card::{Bus, Card};
use crate::log;
use crate::ring::{PacketError, Ring};
use crate::session::PageFault;
use crate::trace;

/// A kernel dispatch packet; addresses are the card's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dispatch {
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

/// Where a packet lies.
#[derive(Debug, Clone, Copy)]
pub struct Slot {
    /// Its address.
    pub va: u64,
    /// Its number since the queue was made.
    pub index: u64,
}

/// Offset of the read index in `amd_queue_t` (amd_hsa_queue.h): what the creator of a queue gives is its address.
const READ_INDEX: u64 = 128;

/// Logs a dispatch and, where kernels run, runs it.
///
/// # Errors
/// [`PacketError::Fault`] where the kernel touched memory that the card does not see.
pub fn execute(ring: &Ring, dispatch: &Dispatch, slot: Slot) -> Result<(), PacketError> {
    let gpu = &ring.session.tree.machine.gpu[ring.gpu];
    let fields = json!({
        "gpu_id": gpu.gpu_id(), "queue_id": ring.id, "kernel_object": log::hex(dispatch.kernel_object),
        "grid": dispatch.grid, "workgroup": dispatch.workgroup,
    });
    log::event("dispatch", fields);
    if !executes() {
        return Ok(());
    }
    let target = match (gpu.gfx.major, gpu.gfx.minor) {
        (10, 1) => Target::Gfx101,
        (10, 3) => Target::Gfx103,
        // No other instruction set is modelled: the packet completes without effect.
        _ => return Ok(()),
    };
    let launch = gfx10::Dispatch {
        target,
        workgroup: dispatch.workgroup,
        grid: dispatch.grid,
        private_bytes: dispatch.private_bytes,
        group_bytes: dispatch.group_bytes,
        kernel_object: dispatch.kernel_object,
        kernarg: dispatch.kernarg,
        packet: slot.va,
        queue: ring.read_pointer - READ_INDEX,
        id: slot.index,
    };
    let card = Card::new(ring.session, ring.gpu, Bus::of(gpu));
    match trace::run(&launch, ring.id, &card, &|| ring.may_run().is_ok()) {
        Ok(done) => {
            let fields = json!({ "queue_id": ring.id, "kernel_object": log::hex(dispatch.kernel_object),
                "instructions": done.instructions });
            log::event("executed", fields);
            Ok(())
        }
        Err(Stop::Cancelled) => Err(PacketError::Stopped),
        Err(stop) => {
            let name = gfx10::kernel_name(&card, dispatch.kernel_object);
            Err(report(ring, dispatch, name.as_deref().unwrap_or("without a name"), &stop))
        }
    }
}

/// Whether kernels run: not with `RMCP_KFD_EXECUTE=0`.
fn executes() -> bool {
    static EXECUTES: OnceLock<bool> = OnceLock::new();
    *EXECUTES.get_or_init(|| std::env::var_os("RMCP_KFD_EXECUTE").is_none_or(|value| value != "0"))
}

/// Tells why a kernel could not go on. A page fault goes to the program through ROCr, as from a card; after anything
/// else nothing that the program computes would be right, so it ends.
fn report(ring: &Ring, dispatch: &Dispatch, name: &str, stop: &Stop) -> PacketError {
    let kernel = log::hex(dispatch.kernel_object);
    let fields = json!({ "queue_id": ring.id, "kernel_object": kernel, "name": name, "why": stop.to_string() });
    log::event("kernel_stopped", fields);
    eprintln!("rmcp-kfd: kernel {name} ({kernel}): {stop}");
    match stop {
        Stop::Fault { fault, .. } => PacketError::Fault(PageFault { gpu: ring.gpu, va: fault.va }),
        _ => std::process::abort(),
    }
}
