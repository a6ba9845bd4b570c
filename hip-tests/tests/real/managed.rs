//! Managed memory under RMCP's defaults.

use crate::{RDNA, SIZE, scenes};
use rmcp_hip_tests::Client;

#[test]
fn managed_memory_is_made_coarse_grained_right_after_its_allocation() {
    for scene in scenes(&RDNA) {
        let Some(run) = scene.clone().with_rmcp().run(Client::Allocations) else { return };
        let events = run.log.under("hipMallocManaged(Global)");
        let [made, cleared] = events.as_slice() else { panic!("{events:?} in {scene:?}") };
        assert!(made.kind == "svm" && made.size() == SIZE, "{made} in {scene:?}");
        assert!(cleared.svm("CLR_FLAGS", "COHERENT"), "{cleared} in {scene:?}");
        for field in ["addr", "size"] {
            assert_eq!(cleared.fields[field], made.fields[field], "{field} in {scene:?}");
        }
        assert_eq!(run.call("hipMallocManaged(Global)").code, 0, "{scene:?}");
    }
}
