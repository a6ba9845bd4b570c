//! Where libamdhip64's own table, HipDispatchTable, has the hooked functions. (hip/amd_detail/hip_api_trace.hpp of 6.4.3 and
//! 7.2.4; checked against the installed headers by hip-tests)

use crate::Hook;

/// The functions that have a policy of their own, with their byte offsets. A table only ever grows at its end; another
/// order would be a new major version.
///
/// hipGetProcAddress and hipGetDriverEntryPoint are left out: what they hand out comes through the table itself.
pub const OFFSETS: [(Hook, usize); 30] = [
    (Hook::hipDeviceGetAttribute, 336),
    (Hook::hipEventCreateWithFlags, 624),
    (Hook::hipExtMallocWithFlags, 696),
    (Hook::hipFree, 728),
    (Hook::hipFreeHost, 752),
    (Hook::hipGetDevicePropertiesR0600, 848),
    (Hook::hipGetDevicePropertiesR0000, 856),
    (Hook::hipHostAlloc, 1552),
    (Hook::hipHostFree, 1560),
    (Hook::hipHostGetFlags, 1576),
    (Hook::hipHostMalloc, 1584),
    (Hook::hipMalloc, 1728),
    (Hook::hipMalloc3D, 1736),
    (Hook::hipMallocAsync, 1760),
    (Hook::hipMallocFromPoolAsync, 1768),
    (Hook::hipMallocManaged, 1784),
    (Hook::hipMallocPitch, 1800),
    (Hook::hipMemAllocHost, 1832),
    (Hook::hipMemAllocPitch, 1840),
    (Hook::hipMemCreate, 1848),
    (Hook::hipMemGetInfo, 1896),
    (Hook::hipPointerGetAttributes, 2584),
    (Hook::hipStreamWaitValue32, 2800),
    (Hook::hipStreamWaitValue64, 2808),
    (Hook::hipStreamWriteValue32, 2816),
    (Hook::hipStreamWriteValue64, 2824),
    (Hook::hipStreamBatchMemOp, 3712),
    (Hook::hipGraphAddBatchMemOpNode, 3720),
    (Hook::hipGraphBatchMemOpNodeSetParams, 3736),
    (Hook::hipGraphExecBatchMemOpNodeSetParams, 3744),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Library, Policy};

    #[test]
    fn every_hip_function_with_a_policy_of_its_own_is_here() {
        for &hook in Hook::ALL.iter().filter(|hook| hook.info().library == Library::Hip) {
            let left_out = matches!(hook.policy(), Policy::forward | Policy::proc_address | Policy::entry_point)
                // It is one of the other two in the table.
                || hook == Hook::hipGetDeviceProperties;
            assert_eq!(OFFSETS.iter().any(|&(there, _)| there == hook), !left_out, "{}", hook.info().name);
        }
    }
}
