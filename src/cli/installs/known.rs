//! The Python packages that use a GPU: one row each. A test derives a machine from every row.

use super::Release;
use super::frameworks::{
    PackageReader, bitsandbytes, direct, jax, linked, onnxruntime, sdk, tensorflow, torch, triton,
};

/// A package that uses a GPU.
pub struct Known {
    /// What people call it.
    pub title: &'static str,
    /// The folder of its package; # stands for digits.
    pub package: &'static str,
    /// Names of its distributions, besides that of the package with or without a flavour such as `_rocm`.
    pub distributions: &'static [&'static str],
    /// How what its files tell is read.
    pub(super) read: PackageReader,
    /// Those of its files that may have GPU code or lead to libraries that have; * stands for any text.
    pub code: &'static [&'static str],
    /// Whether its files are alternatives, of which it loads one.
    pub alternatives: bool,
    /// What its user must know; empty: nothing.
    pub note: &'static str,
    /// The cards that it refuses by a list of its own, whatever code it has.
    pub refuses: &'static [Refusal],
}

/// Cards that a release refuses.
pub struct Refusal {
    /// The release that was seen to.
    pub release: Release,
    /// The targets.
    pub targets: &'static [&'static str],
    /// What is seen then.
    pub why: &'static str,
}

const fn row(title: &'static str, package: &'static str, read: PackageReader, code: &'static [&'static str]) -> Known {
    Known { title, package, distributions: &[], read, code, alternatives: false, note: "", refuses: &[] }
}

/// Every row, in the order in which a program is taken to use them where several are installed.
pub const KNOWN: &[Known] = &[
    row("PyTorch", "torch", torch, &[]),
    Known {
        refuses: &[Refusal {
            release: Release { major: 2, minor: 14, patch: Some(0) },
            targets: &["gfx1030", "gfx1031", "gfx1032", "gfx1033", "gfx1034", "gfx1035", "gfx1036"],
            why: "its list of cards has \"gfx1030gfx1100\" for two of them, so it takes no RDNA2 card and computes on the CPU",
        }],
        ..row("TensorFlow", "tensorflow", tensorflow, &[])
    },
    Known {
        refuses: &[Refusal {
            release: Release { major: 0, minor: 5, patch: Some(0) },
            targets: &["gfx1010"],
            why: "XLA's list of cards does not have it: \"no supported devices found\"",
        }],
        ..row("JAX", "jax_rocm#_plugin", jax, &[])
    },
    row("ONNX Runtime", "onnxruntime", onnxruntime, &[]),
    Known {
        note: "what CuPy compiles while it runs needs no code for the card; sorting, scans and random generators (thrust, cub, \
               generator) do, and so do the libraries of ROCm",
        ..row(
            "CuPy",
            "cupy",
            linked,
            &["cuda/thrust.*.so", "cuda/cub.*.so", "random/_generator_api.*.so", "../cupy_backends/cuda/libs/*.so"],
        )
    },
    row("CTranslate2", "ctranslate2", linked, &["*.so", "../ctranslate2.libs/*.so*"]),
    Known { alternatives: true, ..row("bitsandbytes", "bitsandbytes", bitsandbytes, &[]) },
    Known { distributions: &["llama_cpp_python"], ..row("llama-cpp-python", "llama_cpp", linked, &["lib/*.so*"]) },
    row("cyllama", "cyllama", linked, &["llama/*.so", "sd/*.so", "whisper/*.so"]),
    Known {
        distributions: &["stable_diffusion_cpp_python"],
        ..row("stable-diffusion-cpp", "stable_diffusion_cpp", linked, &["lib/*.so*"])
    },
    row("MLC", "mlc_llm", linked, &["*.so", "../tvm/*.so"]),
    Known {
        note: "tinygrad talks to the kernel driver itself, without ROCm: RMCP cannot help it",
        ..row("tinygrad", "tinygrad", direct, &[])
    },
    Known { distributions: &["pytorch_triton_rocm"], ..row("Triton", "triton", triton, &[]) },
    Known { distributions: &["rocm_sdk_core"], ..row("ROCm's wheels", "_rocm_sdk_core", sdk, &[]) },
];

/// A distribution that does not do what its name promises, or harms.
pub struct Hazard {
    /// The name of the problem.
    pub id: &'static str,
    /// Its name as pip compares it; * stands for any text.
    pub distribution: &'static str,
    /// Its version; * stands for any text.
    pub version: &'static str,
    /// Whether it harms RDNA1 cards alone.
    pub rdna1: bool,
    /// What it does.
    pub what: &'static str,
    /// What to do.
    pub fix: &'static str,
    /// Where that is known from.
    pub sources: &'static [&'static str],
}

const fn placeholder(distribution: &'static str, version: &'static str, sources: &'static [&'static str]) -> Hazard {
    Hazard {
        id: "placeholder-wheel",
        distribution,
        version,
        rdna1: false,
        what: "is a placeholder without content, which keeps the name on PyPI",
        fix: "uninstall it, and install the wheel of that name from AMD's own index of multi-arch wheels",
        sources,
    }
}

/// Every hazard.
pub const HAZARDS: &[Hazard] = &[
    placeholder("amd_torch_device_*", "0.0.1.dev0", &["pkg:pypi/amd-torch-device-gfx1010"]),
    placeholder("rocm_sdk_device_*", "0.0.1.dev0", &["pkg:pypi/rocm-sdk-device-gfx1010"]),
    placeholder("rocm_kpack", "0.0.1.dev0", &["pkg:pypi/rocm-kpack"]),
    placeholder("rocm_sdk_libraries_*", "0.0.1", &["pkg:pypi/rocm-sdk-libraries-gfx1151"]),
    Hazard {
        id: "override-by-gpu-doctor",
        distribution: "gpu_doctor",
        version: "*",
        rdna1: true,
        what: "sets HSA_OVERRIDE_GFX_VERSION=10.3.0 inside a process that asks it for the best device, and RDNA1 cards then \
               run RDNA2's code",
        fix: "uninstall it; no variable outside the process keeps it from that",
        sources: &["pkg:pypi/gpu-doctor"],
    },
];

/// Whether a name is what a pattern says: # stands for digits, * for any text.
pub(super) fn name_matches(pattern: &str, name: &str) -> bool {
    let Some(place) = pattern.find(['#', '*']) else { return pattern == name };
    let (start, end) = (&pattern[..place], &pattern[place + 1..]);
    let middle = name.strip_prefix(start).and_then(|rest| rest.strip_suffix(end));
    let digits = |middle: &str| !middle.is_empty() && middle.bytes().all(|byte| byte.is_ascii_digit());
    match middle {
        Some(middle) => pattern.as_bytes()[place] == b'*' || digits(middle),
        // A second mark.
        None => {
            end.contains('*')
                && name.starts_with(start)
                && end.rsplit('*').next().is_some_and(|end| name.ends_with(end))
        }
    }
}
