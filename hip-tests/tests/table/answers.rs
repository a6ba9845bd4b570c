//! What the runtime says of memory, whichever way it was allocated and is asked about.

use crate::{RELEASES, assert_coherent, run_both};
use rmcp_hip_tests::TableProgram;

/// The calls that are rewritten, as the client names them behind the way.
const REWRITTEN: [&str; 5] =
    ["hipHostMalloc(0)", "hipHostMalloc(Mapped)", "hipMemAllocHost", "hipHostAlloc(0)", "hipHostAlloc(Mapped)"];
const COHERENT: &str = "hipHostMalloc(Coherent)";

#[test]
fn what_was_allocated_on_one_way_is_described_on_each_as_it_was_asked_for() {
    for release in RELEASES {
        let Some((without, with)) = run_both(release, TableProgram::Answers) else { return };
        let mut compared = 0;
        for (with, without) in with.stdout.lines().zip(without.stdout.lines()) {
            assert_eq!(with, without, "{release}");
            compared += 1;
        }
        assert_eq!(compared, 27, "{release}");
        for way in ["dlsym", "linked", "proc"] {
            for call in REWRITTEN {
                assert_coherent(&without, &format!("{way} {call}"), true);
                assert_coherent(&with, &format!("{way} {call}"), false);
            }
            assert_coherent(&with, &format!("{way} {COHERENT}"), true);
        }
    }
}
