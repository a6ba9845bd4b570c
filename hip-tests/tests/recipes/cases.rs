//! One case or more for each row of config/recipes.toml.

use crate::machine::{run, topology};
use crate::program::Program::{self, Native, Plain, Torch};
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
}

const OVERRIDE: &str = "HSA_OVERRIDE_GFX_VERSION";

const fn wheel(code: &'static [&'static str]) -> Program {
    Torch { version: "2.4.1", hip: Some("6.1.40091-a8dbc0c19"), code, kernels: code }
}

const fn old_wheel(code: &'static [&'static str]) -> Program {
    Torch { version: "1.13.1", hip: Some("5.2.21151-afdc89f8"), code, kernels: code }
}

const DEFAULT: Case = Case { recipe: "", gpus: &[], program: Plain, user: &[], arguments: &[], env: &[], named: false };

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
        assert_eq!(output.stderr.contains(&format!("(recipe {})", case.recipe)), case.named, "{what}");
        assert_eq!(output.stderr.is_empty(), !case.named, "{what}");
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
