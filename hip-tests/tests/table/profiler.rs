//! Another that wraps functions in the table, before RMCP and after.

use crate::{RELEASES, assert_coherent, run_both};
use rmcp_hip_tests::{Run, TableProgram};

const NON_COHERENT: i64 = 0x8000_0000;

#[test]
fn a_profiler_sees_each_call_once_and_memory_is_rewritten_whichever_wraps_first() {
    for release in RELEASES {
        // Who wraps first is called last, and sees what RMCP made of the flags.
        for (preloaded, sees) in [(true, NON_COHERENT), (false, 0)] {
            let Some((without, with)) = run_both(release, TableProgram::Profiler { preloaded }) else { return };
            let seen = |run: &Run, when: &str| run.call(when).code;
            for run in [&without, &with] {
                let before = seen(run, "seen before");
                assert_eq!(seen(run, "seen after dlsym"), before + 1, "{:?}", run.scene);
                assert_eq!(seen(run, "seen after linked"), before + 2, "{:?}", run.scene);
                let device: Vec<_> =
                    run.calls.iter().filter(|call| call.label == "hipMalloc").map(|call| call.code).collect();
                assert_eq!(device, [1, 2], "{:?}", run.scene);
            }
            for (call, after) in
                [("dlsym hipHostMalloc(0)", "seen after dlsym"), ("linked hipHostMalloc(0)", "seen after linked")]
            {
                assert_eq!(with.call(after).flags, sees, "{after}, preloaded {preloaded}, on {release}");
                assert_eq!(with.call(call), without.call(call), "preloaded {preloaded}, on {release}");
                assert_coherent(&without, call, true);
                assert_coherent(&with, call, false);
            }
        }
    }
}
