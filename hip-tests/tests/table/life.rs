//! Copies of the runtime, children, and a runtime that comes and goes.

use crate::{RELEASES, assert_coherent, run_both};
use rmcp_hip_tests::TableProgram;

#[test]
fn each_of_two_copies_of_the_runtime_is_met_and_reached() {
    for release in RELEASES {
        let Some((without, with)) = run_both(release, TableProgram::Copies) else { return };
        assert_eq!(with.calls, without.calls, "{release}");
        for call in with.calls.iter().filter(|call| call.label.contains("asked of the other")) {
            assert_ne!(call.code, 0, "{} on {release}", call.label);
        }
        for call in
            ["first hipHostMalloc(0)", "second hipHostMalloc(0)", "first hipMallocManaged", "second hipMallocManaged"]
        {
            for round in 0..2 {
                assert_coherent(&without, &format!("{call} {round}"), true);
                assert_coherent(&with, &format!("{call} {round}"), false);
            }
        }
    }
}

#[test]
fn a_childs_calls_are_met_and_answered_as_without_rmcp() {
    for release in RELEASES {
        let Some((without, with)) = run_both(release, TableProgram::Fork) else { return };
        // The real runtime refuses a child.
        assert_eq!(with.call("child").code, without.call("child").code, "{release}");
        assert_eq!((without.call("child").counted, with.call("child").counted), (0, 1), "{release}");
        assert_eq!(with.call("parent"), without.call("parent"), "{release}");
        assert_coherent(&with, "parent", false);
    }
}

#[test]
fn a_runtime_that_is_unloaded_and_loaded_again_is_met() {
    for release in RELEASES {
        let Some((without, with)) = run_both(release, TableProgram::Reload) else { return };
        assert_eq!(with.calls, without.calls, "{release}");
        (0..3).for_each(|round| assert_coherent(&with, &format!("hipHostMalloc(0) {round}"), false));
    }
}
