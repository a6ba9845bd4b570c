//! One case or more for each row of config/recipes.toml.

use crate::machine::{run, topology};
use crate::program::Program::{self, Cupy, Native, Plain, Python, PythonCode, Torch};
use std::collections::{BTreeMap, BTreeSet};

/// A recipe, the machine and program for which it is, and what becomes of the environment.
struct Case {
    recipe: &'static str,
    gpus: &'static [&'static str],
    program: Program,
    user: &'static [(&'static str, &'static str)],
    arguments: &'static [&'static str],
    /// The environment of the program, whole: what the user has set and is not here was removed.
    env: &'static [(&'static str, &'static str)],
    /// Whether standard error names the recipe.
    named: bool,
    /// Whether it does so on a machine such as this one.
    here: fn() -> bool,
}

const OVERRIDE: &str = "HSA_OVERRIDE_GFX_VERSION";

const fn wheel(code: &'static [&'static str]) -> Program {
    Torch { version: "2.4.1", hip: Some("6.1.40091-a8dbc0c19"), code, kernels: code }
}

const fn old_wheel(code: &'static [&'static str]) -> Program {
    Torch { version: "1.13.1", hip: Some("5.2.21151-afdc89f8"), code, kernels: code }
}

const DEFAULT: Case =
    Case { recipe: "", gpus: &[], program: Plain, user: &[], arguments: &[], env: &[], named: false, here: || true };

/// PyTorch by what it says of itself.
const TORCH_72: &[(&str, &[u8])] =
    &[("torch/version.py", b"__version__ = '2.9.1'\nrocm = '7.2.0'\nhip = '7.2.26015'\n")];
const TORCH_715: &[(&str, &[u8])] =
    &[("torch/version.py", b"__version__ = '2.11.0'\nrocm = '7.15.0'\nhip = '7.15.26300'\n")];

const JAX: Program = Python {
    files: &[("jax_rocm60_plugin/libamdhip64.so.6.4.43484", b"")],
    packages: &[("jax_rocm60_plugin", "0.5.0")],
};

/// JAX's wheels as they are: of six libraries rocBLAS alone has code for RDNA1.
const JAX_WHEELS: Program = PythonCode {
    files: &[
        ("jax_rocm60_plugin/libamdhip64.so.6.0.60000", &[]),
        ("jax_rocm60_plugin/_linalg.so", &["gfx900", "gfx1030", "gfx1100"]),
        ("jax_rocm60_plugin/_prng.so", &["gfx900", "gfx1030", "gfx1100"]),
        ("jax_rocm60_plugin/_rnn.so", &["gfx900", "gfx1030", "gfx1100"]),
        ("jax_rocm60_plugin/_solver.so", &["gfx900", "gfx1030", "gfx1100"]),
        ("jax_rocm60_plugin/_sparse.so", &["gfx900", "gfx1030", "gfx1100"]),
        ("jax_rocm60_plugin/rocblas/library/TensileLibrary_lazy_gfx1010.dat", &[]),
        ("jax_rocm60_plugin/rocblas/library/TensileLibrary_lazy_gfx1012.dat", &[]),
        ("jax_rocm60_plugin/rocblas/library/TensileLibrary_lazy_gfx1030.dat", &[]),
    ],
    packages: &[("jax_rocm60_plugin", "0.4.35")],
};

/// An ELF file that has nothing but a PT_GNU_STACK segment with PF_X.
const EXECUTABLE_STACK: &[u8] = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x3e\0\x01\0\0\0\0\0\0\0\0\0\0\0\
    \x40\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x40\0\x38\0\x01\0\0\0\0\0\0\0\
    \x51\xe5\x74\x64\x07\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
    \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

/// The running kernel's release.
fn kernel() -> (u32, u32) {
    first_two(&std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap())
}

/// The C library's release.
fn glibc() -> (u32, u32) {
    let output = std::process::Command::new("getconf").arg("GNU_LIBC_VERSION").output().unwrap();
    first_two(String::from_utf8(output.stdout).unwrap().trim_start_matches("glibc "))
}

fn first_two(release: &str) -> (u32, u32) {
    let mut numbers = release.trim().split(['.', '-']).map(|number| number.parse().unwrap());
    (numbers.next().unwrap(), numbers.next().unwrap())
}

const CASES: &[Case] = &[
    Case {
        recipe: "rdna2-as-gfx1030",
        gpus: &["gfx1031"],
        program: wheel(&["gfx900", "gfx1030"]),
        env: &[(OVERRIDE, "10.3.0")],
        ..DEFAULT
    },
    Case {
        recipe: "rdna2-as-gfx1030",
        gpus: &["gfx1032"],
        program: Native { release: "6.4.43484", code: &["gfx1030"] },
        env: &[(OVERRIDE, "10.3.0")],
        ..DEFAULT
    },
    // The library has code for the card, rocBLAS has none.
    Case {
        recipe: "rdna2-as-gfx1030",
        gpus: &["gfx1034"],
        program: Torch {
            version: "2.4.1",
            hip: Some("6.1.40091"),
            code: &["gfx1030", "gfx1034"],
            kernels: &["gfx1030"],
        },
        env: &[(OVERRIDE, "10.3.0")],
        ..DEFAULT
    },
    // Nothing to do where the code is there.
    Case { recipe: "rdna2-as-gfx1030", gpus: &["gfx1031"], program: wheel(&["gfx1030", "gfx1031"]), ..DEFAULT },
    Case {
        recipe: "gfx1035-as-gfx1030",
        gpus: &["gfx1035"],
        program: wheel(&["gfx900", "gfx1030"]),
        env: &[(OVERRIDE, "10.3.0")],
        ..DEFAULT
    },
    Case {
        recipe: "rdna2-igpu-unknown",
        gpus: &["gfx1036"],
        program: wheel(&["gfx900", "gfx1030"]),
        named: true,
        ..DEFAULT
    },
    Case {
        recipe: "rdna1-as-gfx1010",
        gpus: &["gfx1012"],
        program: wheel(&["gfx1010", "gfx1030"]),
        env: &[(OVERRIDE, "10.1.0")],
        ..DEFAULT
    },
    Case { recipe: "rdna1-as-gfx1010", gpus: &["gfx1010"], program: wheel(&["gfx1010", "gfx1030"]), ..DEFAULT },
    Case {
        recipe: "gfx1010-as-gfx1030-rocm52",
        gpus: &["gfx1010"],
        program: old_wheel(&["gfx900", "gfx1030"]),
        env: &[(OVERRIDE, "10.3.0")],
        ..DEFAULT
    },
    Case {
        recipe: "rdna1-under-gfx1030",
        gpus: &["gfx1010"],
        program: wheel(&["gfx1010", "gfx1030"]),
        user: &[(OVERRIDE, "10.3.0")],
        named: true,
        ..DEFAULT
    },
    Case {
        recipe: "rdna1-under-gfx1030",
        gpus: &["gfx1012"],
        program: wheel(&["gfx1010", "gfx1030"]),
        user: &[(OVERRIDE, "10.3.0")],
        env: &[(OVERRIDE, "10.1.0")],
        named: true,
        ..DEFAULT
    },
    Case {
        recipe: "rdna1-under-gfx1030",
        gpus: &["gfx1010"],
        program: wheel(&["gfx900", "gfx1030"]),
        user: &[(OVERRIDE, "10.3.0")],
        arguments: &["--keep-env"],
        env: &[(OVERRIDE, "10.3.0")],
        named: true,
        ..DEFAULT
    },
    Case {
        recipe: "rdna1-under-gfx1030-rocm52",
        gpus: &["gfx1010"],
        program: old_wheel(&["gfx900", "gfx1030"]),
        user: &[(OVERRIDE, "10.3.0")],
        env: &[(OVERRIDE, "10.3.0")],
        ..DEFAULT
    },
    Case {
        recipe: "rdna1-under-gfx1030-unknown",
        gpus: &["gfx1010"],
        user: &[(OVERRIDE, "10.3.0")],
        env: &[(OVERRIDE, "10.3.0")],
        named: true,
        ..DEFAULT
    },
    Case {
        recipe: "override-unreadable",
        gpus: &["gfx1030"],
        user: &[(OVERRIDE, "\"10.3.0\"")],
        env: &[(OVERRIDE, "10.3.0")],
        named: true,
        ..DEFAULT
    },
    Case { recipe: "override-unreadable", gpus: &["gfx1030"], user: &[(OVERRIDE, "10.3")], named: true, ..DEFAULT },
    Case { recipe: "override-other-major", gpus: &["gfx1030"], user: &[(OVERRIDE, "11.0.0")], named: true, ..DEFAULT },
    Case {
        recipe: "override-lacks-code",
        gpus: &["gfx1031"],
        program: wheel(&["gfx1031"]),
        user: &[(OVERRIDE, "10.3.0")],
        env: &[(OVERRIDE, "10.3.0")],
        named: true,
        ..DEFAULT
    },
    Case {
        recipe: "rdna3-vgprs",
        gpus: &["gfx1102"],
        user: &[(OVERRIDE, "11.0.0")],
        env: &[(OVERRIDE, "11.0.0")],
        named: true,
        ..DEFAULT
    },
    Case { recipe: "rdna2-no-code", gpus: &["gfx1032"], program: wheel(&["gfx1100"]), named: true, ..DEFAULT },
    Case {
        recipe: "rdna1-no-code",
        gpus: &["gfx1012"],
        program: wheel(&["gfx900", "gfx1030"]),
        named: true,
        ..DEFAULT
    },
    Case {
        recipe: "gfx1010-no-code",
        gpus: &["gfx1010"],
        program: wheel(&["gfx900", "gfx1030"]),
        named: true,
        ..DEFAULT
    },
    // A runtime whose file does not say of which release it is.
    Case {
        recipe: "gfx1010-no-code-unknown",
        gpus: &["gfx1010"],
        program: Native { release: "6", code: &["gfx1030"] },
        named: true,
        ..DEFAULT
    },
    Case {
        recipe: "gfx1010-no-code-rocm52",
        gpus: &["gfx1010"],
        program: old_wheel(&["gfx900"]),
        named: true,
        ..DEFAULT
    },
    Case { recipe: "gfx1010-partial-code", gpus: &["gfx1010"], program: JAX_WHEELS, named: true, ..DEFAULT },
    Case { recipe: "rdna1-partial-code", gpus: &["gfx1012"], program: JAX_WHEELS, named: true, ..DEFAULT },
    // One name serves them all.
    Case {
        recipe: "rdna2-partial-code",
        gpus: &["gfx1031"],
        program: JAX_WHEELS,
        env: &[(OVERRIDE, "10.3.0")],
        ..DEFAULT
    },
    Case {
        recipe: "rdna2-partial-code",
        gpus: &["gfx1030"],
        program: Torch { version: "2.4.1", hip: Some("6.1.40091"), code: &["gfx1030"], kernels: &["gfx1100"] },
        named: true,
        ..DEFAULT
    },
    Case {
        recipe: "gfx1010-partial-code-rocm52",
        gpus: &["gfx1010"],
        program: Torch { version: "1.13.1", hip: Some("5.2.21151"), code: &["gfx1010"], kernels: &["gfx900"] },
        named: true,
        ..DEFAULT
    },
    Case {
        recipe: "gfx1010-partial-code-unknown",
        gpus: &["gfx1010"],
        program: PythonCode {
            files: &[
                ("jax_rocm60_plugin/_linalg.so", &["gfx1030"]),
                ("jax_rocm60_plugin/rocblas/library/TensileLibrary_lazy_gfx1010.dat", &[]),
            ],
            packages: &[("jax_rocm60_plugin", "0.4.35")],
        },
        named: true,
        ..DEFAULT
    },
    Case {
        recipe: "rdna2-torn-code",
        gpus: &["gfx1031"],
        program: Torch { version: "2.4.1", hip: Some("6.1.40091"), code: &["gfx1031"], kernels: &["gfx1030"] },
        named: true,
        ..DEFAULT
    },
    Case {
        recipe: "igpu-beside-card",
        gpus: &["gfx1010", "gfx1036"],
        env: &[("ROCR_VISIBLE_DEVICES", "GPU-000000000000abc1")],
        ..DEFAULT
    },
    Case {
        recipe: "igpu-beside-card",
        gpus: &["gfx1036", "gfx1030"],
        env: &[("ROCR_VISIBLE_DEVICES", "1")],
        ..DEFAULT
    },
    Case {
        recipe: "per-node-override",
        gpus: &["gfx1100", "gfx1032"],
        program: Native { release: "6.4.43484", code: &["gfx1030", "gfx1100"] },
        env: &[("HSA_OVERRIDE_GFX_VERSION_2", "10.3.0")],
        ..DEFAULT
    },
    Case {
        recipe: "no-per-node-override",
        gpus: &["gfx1100", "gfx1032"],
        program: Native { release: "5.7.31921", code: &["gfx1030", "gfx1100"] },
        named: true,
        ..DEFAULT
    },
    Case {
        recipe: "low-vram",
        gpus: &["gfx1030"],
        program: Torch { version: "2.9.0", hip: Some("7.0.51831"), code: &["gfx1030"], kernels: &["gfx1030"] },
        arguments: &["--profile", "low-vram"],
        env: &[("PYTORCH_HIP_ALLOC_CONF", "garbage_collection_threshold:0.6,max_split_size_mb:128")],
        ..DEFAULT
    },
    Case {
        recipe: "low-vram-segments",
        gpus: &["gfx1030"],
        program: wheel(&["gfx1030", "gfx1031"]),
        arguments: &["--profile", "low-vram"],
        env: &[(
            "PYTORCH_HIP_ALLOC_CONF",
            "garbage_collection_threshold:0.6,max_split_size_mb:128,expandable_segments:False",
        )],
        ..DEFAULT
    },
    Case {
        recipe: "expandable-segments-rocm6",
        gpus: &["gfx1030"],
        program: wheel(&["gfx1030", "gfx1031"]),
        user: &[("PYTORCH_HIP_ALLOC_CONF", "expandable_segments:True")],
        env: &[("PYTORCH_HIP_ALLOC_CONF", "expandable_segments:True")],
        named: true,
        ..DEFAULT
    },
    Case {
        recipe: "expandable-segments-split",
        gpus: &["gfx1030"],
        program: Torch { version: "2.9.0", hip: Some("7.0.51831"), code: &["gfx1030"], kernels: &["gfx1030"] },
        user: &[("PYTORCH_ALLOC_CONF", "expandable_segments:True,max_split_size_mb:64")],
        env: &[("PYTORCH_ALLOC_CONF", "expandable_segments:True,max_split_size_mb:64")],
        named: true,
        ..DEFAULT
    },
    Case {
        recipe: "expandable-segments-715",
        gpus: &["gfx1030"],
        program: Python { files: TORCH_715, packages: &[] },
        user: &[("PYTORCH_ALLOC_CONF", "expandable_segments:True")],
        env: &[("PYTORCH_ALLOC_CONF", "expandable_segments:True")],
        named: true,
        ..DEFAULT
    },
    Case {
        recipe: "triton-buffer-operations",
        gpus: &["gfx1010"],
        program: Python { files: TORCH_72, packages: &[("triton", "3.5.1")] },
        user: &[("HOME", "/home/ada")],
        env: &[
            ("HOME", "/home/ada"),
            ("AMDGCN_USE_BUFFER_OPS", "0"),
            ("TRITON_CACHE_DIR", "/home/ada/.cache/rmcp/triton-without-buffer-operations"),
            ("TORCHINDUCTOR_CACHE_DIR", "/home/ada/.cache/rmcp/inductor-without-buffer-operations"),
        ],
        ..DEFAULT
    },
    Case {
        recipe: "bitsandbytes-file",
        gpus: &["gfx1030"],
        program: Python { files: TORCH_72, packages: &[("bitsandbytes", "0.49.1")] },
        named: true,
        ..DEFAULT
    },
    Case {
        recipe: "bitsandbytes-rdna1",
        gpus: &["gfx1010"],
        program: Python { files: TORCH_72, packages: &[("bitsandbytes", "0.50.2")] },
        named: true,
        ..DEFAULT
    },
    Case {
        recipe: "bitsandbytes-rdna2",
        gpus: &["gfx1031"],
        program: Python { files: TORCH_72, packages: &[("bitsandbytes", "0.50.2")] },
        named: true,
        ..DEFAULT
    },
    Case {
        recipe: "placeholder-packages",
        gpus: &["gfx1010"],
        program: Python { files: TORCH_72, packages: &[("amd_torch_device_gfx1010", "0.0.1.dev0")] },
        named: true,
        ..DEFAULT
    },
    Case {
        recipe: "gpu-doctor",
        gpus: &["gfx1010"],
        program: Python { files: &[], packages: &[("gpu_doctor", "1.0.0")] },
        named: true,
        ..DEFAULT
    },
    Case {
        recipe: "torch-without-device",
        gpus: &["gfx1030"],
        program: Python { files: TORCH_715, packages: &[("rocm_sdk_device_gfx1030", "7.15.0a20260801")] },
        named: true,
        ..DEFAULT
    },
    Case {
        recipe: "tensorflow-refuses",
        gpus: &["gfx1030"],
        program: Python {
            files: &[("tensorflow/python/platform/build_info.py", b"build_info = {'is_rocm_build': True}\n")],
            packages: &[("tensorflow_rocm", "2.14.0.600")],
        },
        named: true,
        ..DEFAULT
    },
    Case { recipe: "jax-refuses-rdna1", gpus: &["gfx1010"], program: JAX, named: true, ..DEFAULT },
    Case { recipe: "jax-refuses-rdna2", gpus: &["gfx1032"], program: JAX, named: true, ..DEFAULT },
    Case {
        recipe: "jax-without-plugin",
        gpus: &["gfx1030"],
        program: Python { files: &[], packages: &[("jax_rocm7_pjrt", "0.9.1")] },
        named: true,
        ..DEFAULT
    },
    Case {
        recipe: "cupy-without-code",
        gpus: &["gfx1012"],
        program: Cupy { code: &["gfx1030", "gfx1100"], kernels: &["gfx1012", "gfx1030"] },
        named: true,
        ..DEFAULT
    },
    Case {
        recipe: "cupy-without-code",
        gpus: &["gfx1010"],
        program: Cupy { code: &["gfx1010", "gfx1030"], kernels: &["gfx1010", "gfx1030"] },
        ..DEFAULT
    },
    Case {
        recipe: "rdna2-as-gfx1030",
        gpus: &["gfx1031"],
        program: Cupy { code: &["gfx1030", "gfx1031"], kernels: &["gfx1030"] },
        env: &[(OVERRIDE, "10.3.0")],
        ..DEFAULT
    },
    Case {
        recipe: "tinygrad",
        gpus: &["gfx1030"],
        program: Python { files: &[("tinygrad/__init__.py", b"")], packages: &[("tinygrad", "0.11.0")] },
        named: true,
        ..DEFAULT
    },
    Case {
        recipe: "rdna1-save-area",
        gpus: &["gfx1010"],
        program: Python { files: TORCH_715, packages: &[] },
        named: true,
        here: || kernel() >= (6, 12),
        ..DEFAULT
    },
    Case {
        recipe: "executable-stack",
        gpus: &["gfx1030"],
        program: Python {
            files: &[
                ("torch/version.py", b"hip = '5.2.21151'\n"),
                ("torch/lib/libamdhip64.so.5.2.21151", EXECUTABLE_STACK),
            ],
            packages: &[],
        },
        named: true,
        here: || glibc() >= (2, 41),
        ..DEFAULT
    },
    Case {
        recipe: "without-rocm",
        gpus: &["gfx1030"],
        program: Torch { version: "2.4.1", hip: None, code: &[], kernels: &[] },
        named: true,
        ..DEFAULT
    },
    Case {
        recipe: "mixed-libraries",
        gpus: &["gfx1030"],
        program: wheel(&["gfx1030", "gfx1031"]),
        user: &[("LD_LIBRARY_PATH", "/opt/rocm-5.4.0/lib")],
        env: &[("LD_LIBRARY_PATH", "/opt/rocm-5.4.0/lib")],
        named: true,
        ..DEFAULT
    },
    Case {
        recipe: "system-fences",
        gpus: &["gfx1030"],
        arguments: &["--set", "register=coarse"],
        env: &[("RMCP_REGISTER", "coarse"), ("AMD_OPT_FLUSH", "0")],
        ..DEFAULT
    },
    Case {
        recipe: "miopen-gemm-fault",
        gpus: &["gfx1031"],
        arguments: &["--profile", "miopen-gemm-fault"],
        env: &[("MIOPEN_DEBUG_CONV_GEMM", "0")],
        ..DEFAULT
    },
    Case {
        recipe: "gfx1010-conv-hang",
        gpus: &["gfx1010"],
        arguments: &["--profile", "gfx1010-conv-hang"],
        env: &[
            ("MIOPEN_DEBUG_CONV_GEMM", "0"),
            ("MIOPEN_DEBUG_CONV_IMPLICIT_GEMM", "1"),
            ("MIOPEN_DEBUG_CONV_WINOGRAD", "0"),
            ("MIOPEN_DEBUG_CONV_DIRECT", "0"),
            ("MIOPEN_DEBUG_CONV_FFT", "0"),
        ],
        ..DEFAULT
    },
    // Fixed in 6.1, so the release must be known.
    Case {
        recipe: "apu-copy-hang",
        gpus: &["gfx90c"],
        program: Native { release: "5.7.31921", code: &["gfx1030", "gfx1100"] },
        arguments: &["--profile", "apu-copy-hang"],
        env: &[("HSA_ENABLE_SDMA", "0")],
        ..DEFAULT
    },
    Case {
        recipe: "gfx1034-copy-fails",
        gpus: &["gfx1034"],
        arguments: &["--profile", "gfx1034-copy-fails"],
        env: &[("HSA_ENABLE_SDMA", "0")],
        ..DEFAULT
    },
    // What the user has set wins.
    Case {
        recipe: "rdna2-as-gfx1030",
        gpus: &["gfx1031"],
        program: wheel(&["gfx900", "gfx1030"]),
        user: &[(OVERRIDE, "10.3.1")],
        env: &[(OVERRIDE, "10.3.1")],
        ..DEFAULT
    },
    // The machine of the whole household: a card that needs an override, one of another kind, and an integrated GPU.
    Case {
        recipe: "per-node-override",
        gpus: &["gfx1012", "gfx1036", "gfx1031"],
        program: Native { release: "6.4.43484", code: &["gfx1010", "gfx1030"] },
        env: &[
            ("ROCR_VISIBLE_DEVICES", "GPU-000000000000abc1,GPU-000000000000abc3"),
            ("HSA_OVERRIDE_GFX_VERSION_1", "10.1.0"),
            ("HSA_OVERRIDE_GFX_VERSION_3", "10.3.0"),
        ],
        ..DEFAULT
    },
];

#[test]
fn every_recipe_gives_its_program_exactly_its_environment() {
    for case in CASES {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let Some(program) = case.program.build(&root) else { return };
        let topology = topology(&root.join("topology"), case.gpus);
        let Some(output) = run(&topology, case.arguments, &program, case.user) else { return };
        let expected: BTreeMap<String, String> =
            case.env.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let what = format!("{} on {:?} with {:?}: {}", case.recipe, case.gpus, case.program, output.stderr);
        assert_eq!(output.environment, expected, "{what}");
        let named = case.named && (case.here)();
        assert_eq!(output.stderr.contains(&format!("(recipe {})", case.recipe)), named, "{what}");
        assert_eq!(output.stderr.is_empty(), !named, "{what}");
    }
}

#[test]
fn every_recipe_has_a_case() {
    let table = include_str!("../../../config/recipes.toml");
    let rows: BTreeSet<&str> =
        table.lines().filter_map(|line| line.strip_prefix("id = \"")?.strip_suffix('"')).collect();
    let cases: BTreeSet<&str> = CASES.iter().map(|case| case.recipe).collect();
    assert_eq!(rows, cases);
}
