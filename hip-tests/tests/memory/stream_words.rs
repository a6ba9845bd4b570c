//! Streams that wait for a word of memory, or write one: hipStreamWaitValue32 and the like. On memory that RMCP made
//! non-coherent a wait would never end.

use crate::{run, scenes};
use rmcp_hip_tests::{Call, Release, Run};

/// Memory that RMCP makes non-coherent by default.
const REWRITTEN: [&str; 3] = ["hipHostMalloc(0)", "hipHostMalloc(Mapped)", "hipMallocManaged"];
const INVALID_VALUE: i32 = 1;

/// What the calls returned, and what came of them.
fn answers(run: &Run) -> Vec<(&str, i32, i32, u64)> {
    run.calls.iter().map(|call| (call.label.as_str(), call.code, call.last, call.wrong)).collect()
}

#[test]
fn a_program_that_is_linked_with_them_gets_what_it_gets_without_rmcp() {
    for scene in scenes() {
        let Some(without) = run(&scene, "stream_words") else { return };
        // 7.2.4 refuses batches on any memory.
        let refused = |call: &Call| scene.release() == Release::Rocm724 && call.label.contains("BatchMemOp");
        let right = |call: &&Call| !call.label.starts_with("nothing") && !refused(call);
        for call in without.calls.iter().filter(right) {
            assert_eq!((call.code, call.wrong), (0, 0), "{} in {scene:?}", call.label);
        }
        for scene in [scene.clone().with_rmcp(), scene.by_rmcp_run()] {
            let Some(with) = run(&scene.env("RMCP_LOG", "info"), "stream_words") else { return };
            assert_eq!(answers(&with), answers(&without), "{}", with.stderr);
            let said = "the program has rules of its own: it uses hipStreamWaitValue32 or the like";
            assert!(with.stderr.contains(said), "{}", with.stderr);
        }
    }
}

#[test]
fn a_program_that_looks_them_up_is_refused_at_once_on_memory_that_rmcp_made_noncoherent() {
    for scene in scenes() {
        let Some(without) = run(&scene, "stream_words_dlsym") else { return };
        let Some(with) = run(&scene.clone().with_rmcp().env("RMCP_LOG", "warn"), "stream_words_dlsym") else { return };
        let mut refused = 0;
        for call in &with.calls {
            let memory = REWRITTEN.iter().find(|memory| call.label.starts_with(&format!("{memory}: ")));
            let Some(memory) = memory else {
                let before = without.call(&call.label);
                assert_eq!(
                    (call.code, call.last, call.wrong),
                    (before.code, before.last, before.wrong),
                    "{}",
                    call.label
                );
                continue;
            };
            assert_eq!((call.code, call.last), (INVALID_VALUE, INVALID_VALUE), "{} in {scene:?}", call.label);
            let option = if *memory == "hipMallocManaged" { "managed" } else { "host" };
            let function = call.label.rsplit(": ").next().and_then(|what| what.split(' ').next()).unwrap();
            let said =
                |line: &str| line.contains(&format!("{function} at 0x")) && line.contains(&format!("{option}=keep"));
            assert!(with.stderr.lines().any(said), "{} in {scene:?}:\n{}", call.label, with.stderr);
            refused += 1;
        }
        assert!(refused >= 12, "{refused} refusals in {scene:?}");
    }
}

#[test]
fn with_host_and_managed_keep_nothing_is_refused() {
    for scene in scenes() {
        let keep = scene.clone().with_rmcp().env("RMCP_HOST", "keep").env("RMCP_MANAGED", "keep");
        let (Some(without), Some(with)) = (run(&scene, "stream_words_dlsym"), run(&keep, "stream_words_dlsym")) else {
            return;
        };
        assert_eq!(answers(&with), answers(&without), "{scene:?}");
    }
}
