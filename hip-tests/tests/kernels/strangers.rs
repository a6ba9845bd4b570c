//! Kernels that nobody here wrote or compiled.

use crate::scene;
use rmcp_hip_tests::{Client, Release, Scene};

/// Debian compiles llama.cpp's HIP backend for this card.
fn gfx1030() -> Scene {
    scene(Release::Rocm643, "gfx1030")
}

#[test]
fn llama_cpps_backend_computes_right_with_rmcp_and_without() {
    for scene in [gfx1030(), gfx1030().by_rmcp_run()] {
        let Some(run) = scene.run(Client::GgmlCompute) else { return };
        run.assert_right(4);
    }
}

/// AMD's own tests of hipRAND's device functions, as Debian compiles them: generators against the processor's, and mean and
/// deviation of what they draw.
#[test]
fn hiprands_own_tests_of_kernels_pass_with_rmcp_and_without() {
    let tests = |filter| Client::Debian {
        packages: vec!["libhiprand1-tests"],
        program: "usr/libexec/rocm/libhiprand1-tests/test_hiprand_kernel",
        args: vec![filter],
    };
    let scene = scene(Release::Rocm643, "gfx1010").by_rmcp_run();
    for (scene, tests, passed) in
        [(scene, tests("--gtest_filter=*"), 72), (gfx1030(), tests("--gtest_filter=*philox*"), 17)]
    {
        let Some(run) = scene.run(tests) else { return };
        assert!(run.stdout.contains(&format!("[  PASSED  ] {passed} tests.")), "{scene:?}:\n{}", run.stdout);
    }
}
