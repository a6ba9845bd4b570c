//! What a loaded object is linked with, by the names in its own table of symbols.

use rmcp_abi::find_object::module_of;
use rmcp_abi::link_map::LinkMap;
use rmcp_abi::{Hook, Policy};
use rmcp_domain::options::Linkage;
use std::ffi::CStr;

/// What the object that holds `address` is linked with that needs coherent memory. `version`: that of its HIP runtime.
pub fn linkage(address: usize, version: impl FnOnce() -> Option<i32>) -> Option<Linkage> {
    let object = LinkMap::detached(&module_of(address)?);
    let any_of = |symbols: &[&CStr]| symbols.iter().any(|symbol| object.imports(symbol));
    if Hook::ALL.iter().any(|hook| is_stream_word_call(*hook) && object.imports(hook.info().symbol)) {
        return Some(Linkage::StreamMemory);
    }
    // A function of the program that a stream is given becomes a node where the stream is captured.
    let host_nodes = any_of(&[c"hipGraphAddHostNode", c"hipGraphAddNode"])
        || any_of(&[c"hipLaunchHostFunc", c"hipLaunchHostFunc_spt"])
            && any_of(&[c"hipStreamBeginCapture", c"hipStreamBeginCapture_spt", c"hipStreamBeginCaptureToGraph"]);
    let linkage = host_nodes.then_some(Linkage::HostNodes);
    linkage.filter(|_| version().is_some_and(|version| version >= UNFENCED_HOST_NODES))
}

/// Whether the hook is of a call by which a stream waits for a word of memory, or writes one.
fn is_stream_word_call(hook: Hook) -> bool {
    matches!(hook.policy(), Policy::stream_memory | Policy::stream_batch | Policy::graph_batch)
}

/// From HIP 7.1 on a graph may call a function of the program before what the GPU has in its caches is written back: seen with
/// 7.2.4 and right with 6.4.3 (hip-tests, `callbacks`), reported right with 7.0.2 (ROCm/legacy-rocm-build#6343). Mended in
/// source by ROCm/rocm-systems#8055 in July 2026; no release is known that has it.
const UNFENCED_HOST_NODES: i32 = 70_100_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_test_is_linked_with_dlsym_and_with_no_function_of_hip() {
        let here = is_stream_word_call as *const () as usize;
        let object = LinkMap::detached(&module_of(here).unwrap());
        assert!(object.imports(c"dlsym") && object.imports(c"malloc"));
        assert!(!object.imports(c"dlsy") && !object.imports(c"") && !object.imports(c"hipMalloc"));
        assert_eq!(linkage(here, || panic!("not asked")), None);
    }

    #[test]
    fn code_outside_every_object_is_linked_with_nothing() {
        let stack = 0u8;
        for address in [&raw const stack as usize, 0] {
            assert_eq!(linkage(address, || panic!("not asked")), None);
        }
    }
}
