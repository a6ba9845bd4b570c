//! Each library's own tests: a selection that is small enough to interpret, and prefers pinned and managed memory, events
//! and callbacks of the host.
//!
//! Left out: hipCUB and rocPRIM (packages of 570 and 700 MB; rocThrust's tests run rocPRIM's kernels), hipBLAS, rocSOLVER and
//! hipSOLVER (with rocBLAS and rocSOLVER, 620 MB; emulator/gfx10/README.md says what was run by hand), MAGMA (with rocBLAS and
//! rocSPARSE 950 MB, 6.9 GB unpacked), MIOpen (with those and more), rocBLAS (its tests did not find their data outside of /usr).

use crate::{output_lines, passed_tests};
use rmcp_hip_tests::{Client, Release, Scene};

/// A package of tests.
struct Package {
    release: Release,
    /// Where its programs lie below usr/libexec/rocm.
    name: &'static str,
    /// It, and others that share their libraries with it: they lie in the cache together.
    packages: &'static [&'static str],
    /// What it is asked for: its programs take managed memory then.
    environment: Option<(&'static str, &'static str)>,
}

const ROCTHRUST: Package = Package {
    release: Release::Rocm571,
    name: "librocthrust-tests",
    packages: &["librocthrust-tests"],
    environment: None,
};
const HIPFFT: Package = Package {
    release: Release::Rocm643,
    name: "libhipfft0-tests",
    packages: &["libhipfft0-tests"],
    environment: Some(("ROCFFT_MALLOC_MANAGED", "1")),
};
const ROCFFT: Package = Package { name: "librocfft0-tests", packages: &["librocfft0-tests"], ..HIPFFT };
const HIPSPARSE: Package = Package {
    release: Release::Rocm643,
    name: "libhipsparse1-tests",
    packages: &["libhipsparse1-tests", "librocsparse1-tests"],
    environment: None,
};
const ROCSPARSE: Package = Package { name: "librocsparse1-tests", ..HIPSPARSE };
const ROCRAND: Package = Package {
    release: Release::Rocm724,
    name: "librocrand1-tests",
    packages: &["librocrand1-tests"],
    environment: Some(("ROCRAND_USE_HMM", "1")),
};

impl Package {
    /// Runs a program of the package with RMCP and without: it says the same, and `tests` pass.
    #[track_caller]
    fn assert_same(&self, program: &'static str, args: &[&'static str], tests: usize) {
        // Debian compiles the libraries for this card.
        let scene = self
            .environment
            .iter()
            .fold(Scene::new(self.release, "gfx1030"), |scene, (name, value)| scene.env(name, value));
        let path = format!("usr/libexec/rocm/{}/{program}", self.name);
        let client = Client::Debian { packages: self.packages.to_vec(), program: path.leak(), args: args.to_vec() };
        let Some((bare, with)) = scene.run_both(client) else { return };
        assert_eq!(passed_tests(&bare), tests, "{program}:\n{}", bare.stdout);
        assert_eq!(output_lines(&with), output_lines(&bare), "{program}");
    }
}

#[test]
fn rocthrusts_tests_say_the_same() {
    for (program, tests) in [
        ("test_thrust_universal_memory", 6),
        ("test_thrust_vector", 73),
        ("test_thrust_uninitialized_copy", 14),
        ("test_thrust_reduce_by_key", 7),
        ("test_thrust_event", 4),
        ("test_thrust_future", 4),
        ("test_thrust_vector_allocators", 8),
        ("test_thrust_mr_pool", 6),
    ] {
        ROCTHRUST.assert_same(program, &[], tests);
    }
}

#[test]
fn hipffts_tests_say_the_same() {
    HIPFFT.assert_same(
        "hipfft-test",
        &[
            "--gtest_filter=hipfftTest.RunR2C:hipfftTest.OutplaceOnly:hipfftTest.CheckNullWorkBuffer:hipfftTest.CheckBufferSize*",
        ],
        8,
    );
}

/// This one reads LDS beyond the work-group's part.
#[test]
fn rocffts_tests_say_the_same() {
    ROCFFT.assert_same(
        "rocfft-test",
        &[
            "--seed",
            "1",
            "--gtest_filter=pow2_2D/accuracy_test.vs_fftw/complex_forward_len_16_32_double_ip_batch_2_istride_32_1_CI_\
             ostride_32_1_CI_idist_512_odist_512_ioffset_0_0_ooffset_0_0",
        ],
        1,
    );
}

#[test]
fn hipsparses_tests_say_the_same() {
    HIPSPARSE.assert_same("hipsparse-test", &["--gtest_filter=csrcolor.*:spmm_bell.*:bsrxmv.*:axpyi/*:csr2coo/*"], 120);
}

/// Of the 110,023 quick ones some of level 1, and products with managed memory. Without roti: without RMCP too 4 of its 12 are
/// not the same as the processor's to the last bit, as they ask.
#[test]
fn rocsparses_tests_say_the_same() {
    ROCSPARSE.assert_same(
        "rocsparse-test",
        &[
            "--data",
            "usr/share/librocsparse1-tests/data/rocsparse_test.data",
            "--gtest_filter=quick/csrmv_managed.*f64_r*:quick/axpyi.*:quick/gthr.*:quick/gthrz.*:quick/sctr.*",
        ],
        152,
    );
}

/// Generators of the host write into pinned memory, from functions that the runtime calls in a stream.
#[test]
fn rocrands_tests_say_the_same() {
    for (program, filter, tests) in [
        // Two of the fourteen that compute a generator's first state, which takes the longest.
        (
            "test_rocrand_basic",
            "--gtest_filter=rocrand_basic_tests.*:*create_destroy*:*set_stream*:*initialize_generator_test/1:*initialize_generator_test/2",
            32,
        ),
        ("test_rocrand_host", "--gtest_filter=*/rocrand_generate_host_test.int_test/1?", 10),
        ("test_rocrand_mtgp32_prng", "--gtest_filter=*poisson*:*change_seed*:*state*", 4),
        ("test_rocrand_hipgraphs", "--gtest_filter=*uniform_float*", 14),
    ] {
        ROCRAND.assert_same(program, &[filter], tests);
    }
}
