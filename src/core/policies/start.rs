//! The start of a runtime.

use crate::call::Call;
use crate::caller::CallerKind;
use crate::save_area;
use rmcp_abi::HsaStatus;

type Init = unsafe extern "C-unwind" fn() -> HsaStatus;

/// hsa_init, whoever calls it.
pub fn runtime_start(call: &Call<Init>) -> HsaStatus {
    // SAFETY: takes nothing.
    let start = |real: Init| save_area::while_topology_is_read(call.copy, || unsafe { real() });
    if call.caller.kind == CallerKind::Program { call.forward(start) } else { call.forward_for_runtime(start) }
}
