//! Managed memory under RMCP's defaults.

use crate::{RDNA, run, scenes};
use rmcp_hip_tests::Client;

#[test]
fn managed_memory_is_made_coarse_grained_right_after_its_allocation() {
    for scene in scenes(&RDNA) {
        let Some(run) = run(&scene.clone().with_rmcp(), Client::Allocations) else { return };
        let events = run.log.under("hipMallocManaged(Global)");
        let set = events.iter().position(|event| event.svm("SET_FLAGS", "COHERENT"));
        let cleared = events.iter().position(|event| event.svm("CLR_FLAGS", "COHERENT"));
        let (Some(set), Some(cleared)) = (set, cleared) else { panic!("{scene:?}:\n{}", run.log) };
        assert!(set < cleared, "{scene:?}");
        for field in ["addr", "size"] {
            assert_eq!(events[set].fields[field], events[cleared].fields[field], "{field} in {scene:?}");
        }
        assert_eq!(run.call("hipMallocManaged(Global)").code, 0, "{scene:?}");
    }
}
