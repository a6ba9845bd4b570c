//! `vram_fraction`.

use rmcp_hip_tests::{Client, Log, Release, Run, Scene, on_every_release};
use std::collections::HashMap;

const MIB: i64 = 1 << 20;
/// What the emulated gfx1010 has, in bytes.
const TOTAL: i64 = 6 << 30;
/// hipErrorOutOfMemory.
const OUT_OF_MEMORY: i32 = 2;

/// What a client printed in place of flags.
fn number(run: &Run, label: &str) -> i64 {
    assert_eq!(run.call(label).code, 0, "{label}");
    run.call(label).flags
}

#[test]
fn half_of_the_memory_is_all_of_it_for_every_way_to_allocate() {
    on_every_release(|release| {
        let scene = Scene::new(release, "gfx1010").with_rmcp().env("RMCP_VRAM_FRACTION", "0.5");
        let Some(run) = scene.run(Client::Options { option: "vram" }) else { return };
        let free = |when: &str| number(&run, &format!("free {when}"));
        let code = |label: &str| run.call(label).code;

        assert_eq!(number(&run, "total at first") * 2, TOTAL, "{release}");
        assert_eq!(code("all but 64 MiB"), 0, "{release}");
        assert_eq!(free("when nearly full"), 64 * MIB, "{release}");
        for call in ["hipMalloc", "hipMallocPitch", "hipExtMallocWithFlags", "hipMallocAsync", "hipMemCreate"] {
            let call = run.call(&format!("{call} too large"));
            assert_eq!((call.code, call.last), (OUT_OF_MEMORY, OUT_OF_MEMORY), "{} on {release}", call.label);
            assert!(run.log.allocations(&call.label).is_empty(), "{} reaches the kernel on {release}", call.label);
        }
        assert_eq!(run.call("the error is fetched").last, 0, "{release}");
        assert_eq!(code("hipMalloc that fits"), 0, "{release}");
        assert_eq!(free("with that"), 48 * MIB, "{release}");
        assert_eq!(free("without that"), 64 * MIB, "a free gives back on {release}");
        assert_eq!(code("hipMallocAsync that fits"), 0, "{release}");
        assert!(free("with the pool's") <= 48 * MIB, "pools count on {release}");
        assert_eq!(code("hipHostMalloc beyond it"), 0, "host memory does not count on {release}");
        assert!(free("at last") >= free("at first") - 32 * MIB, "frees give back on {release}");
        assert_eq!(code("hipMalloc of all but 64 MiB again"), 0, "{release}");
    });
}

/// The most VRAM that was allocated at once in pieces of at least `least` bytes, in bytes.
fn peak(log: &Log, least: u64) -> u64 {
    let mut live = HashMap::new();
    let (mut now, mut peak) = (0, 0);
    for event in &log.events {
        let Some(handle) = event.fields.get("handle").and_then(|handle| handle.as_str()) else { continue };
        match event.kind.as_str() {
            "alloc" if event.has("VRAM") && event.size() >= least => {
                now += event.size();
                live.insert(handle, event.size());
            }
            "free" => now -= live.remove(handle).unwrap_or(0),
            _ => {}
        }
        peak = peak.max(now);
    }
    peak
}

#[test]
fn sixty_four_threads_never_get_above_the_limit() {
    on_every_release(|release| {
        let scene = Scene::new(release, "gfx1010").with_rmcp().env("RMCP_VRAM_FRACTION", "0.1");
        let Some(run) = scene.run(Client::Options { option: "threads" }) else { return };
        let limit = number(&run, "total at first") as u64;
        // 5.2.3 does not say that what it takes for itself is in use; that comes in pieces of 2 MiB at most.
        let least = if release == Release::Rocm523 { 4 * MIB as u64 } else { 0 };
        let peak = peak(&run.log, least);
        assert!(peak <= limit, "{peak} of {limit} bytes on {release}");
        assert!(peak > limit / 4 * 3, "the limit was not tried: {peak} of {limit} bytes on {release}");
        assert!(number(&run, "allocated") > 0 && number(&run, "refused") > 0, "{} on {release}", run.stdout);
        assert_eq!(number(&run, "other errors"), 0, "{release}");
        assert_eq!(number(&run, "free at last"), number(&run, "free at first"), "all is given back on {release}");
    });
}
