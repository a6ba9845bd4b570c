//! The frameworks that use a GPU: one row each. A test derives a machine from every row.

use super::applications::ApplicationFolder;
use super::frameworks::{
    PackageReader, bitsandbytes, direct, jax, linked, onnxruntime, sdk, tensorflow, torch, triton,
};

/// A framework that uses a GPU, or an application that brings one.
#[derive(Debug)]
pub struct Known {
    /// Its name in config/recipes.toml; what it is in several packages has one name.
    pub id: &'static str,
    /// What people call it.
    pub title: &'static str,
    /// The folder of its Python package; # stands for digits. Empty: it has none.
    pub package: &'static str,
    /// Names of its distributions, besides that of the package with or without a flavour such as `_rocm`.
    pub distributions: &'static [&'static str],
    /// How what its files tell is read.
    pub(super) read: PackageReader,
    /// Those of its files that may have GPU code or lead to libraries that have; * stands for any text.
    pub code: &'static [&'static str],
    /// Whether its files are alternatives, of which it loads one.
    pub alternatives: bool,
    /// Whether it looks up the functions of HIP that it calls, by dlsym: JAX 0.5.0 and TensorFlow 2.14 were seen to.
    pub looks_functions_up: bool,
    /// How it is known where it is an application and no package.
    pub application: Option<ApplicationFolder>,
}

impl Known {
    /// That of a name in config/recipes.toml.
    pub fn of_id(id: &str) -> Option<&'static Self> {
        KNOWN.iter().find(|row| row.id == id)
    }
}

const fn row(
    id: &'static str,
    title: &'static str,
    package: &'static str,
    read: PackageReader,
    code: &'static [&'static str],
) -> Known {
    Known {
        id,
        title,
        package,
        distributions: &[],
        read,
        code,
        alternatives: false,
        looks_functions_up: false,
        application: None,
    }
}

const fn application(
    id: &'static str,
    title: &'static str,
    program: &'static str,
    marks: &'static [&'static [&'static str]],
    places: &'static [&'static str],
) -> Known {
    Known { application: Some(ApplicationFolder { program, marks, places }), ..row(id, title, "", linked, &[]) }
}

/// Every row, in the order in which a program is taken to use them where several are installed.
pub const KNOWN: &[Known] = &[
    row("pytorch", "PyTorch", "torch", torch, &[]),
    Known { looks_functions_up: true, ..row("tensorflow", "TensorFlow", "tensorflow", tensorflow, &[]) },
    Known { looks_functions_up: true, ..row("jax", "JAX", "jax_rocm#_plugin", jax, &[]) },
    row("onnxruntime", "ONNX Runtime", "onnxruntime", onnxruntime, &[]),
    row(
        "cupy",
        "CuPy",
        "cupy",
        linked,
        &["cuda/thrust.*.so", "cuda/cub.*.so", "random/_generator_api.*.so", "../cupy_backends/cuda/libs/*.so"],
    ),
    row("llama-cpp", "llama.cpp", "", linked, &[]),
    Known {
        distributions: &["llama_cpp_python"],
        ..row("llama-cpp", "llama-cpp-python", "llama_cpp", linked, &["lib/*.so*"])
    },
    row("ctranslate2", "CTranslate2", "ctranslate2", linked, &["*.so", "../ctranslate2.libs/*.so*"]),
    Known { alternatives: true, ..row("bitsandbytes", "bitsandbytes", "bitsandbytes", bitsandbytes, &[]) },
    row("cyllama", "cyllama", "cyllama", linked, &["llama/*.so", "sd/*.so", "whisper/*.so"]),
    Known {
        distributions: &["stable_diffusion_cpp_python"],
        ..row("stable-diffusion-cpp", "stable-diffusion-cpp", "stable_diffusion_cpp", linked, &["lib/*.so*"])
    },
    row("mlc", "MLC", "mlc_llm", linked, &["*.so", "../tvm/*.so"]),
    row("tinygrad", "tinygrad", "tinygrad", direct, &[]),
    Known { distributions: &["pytorch_triton_rocm"], ..row("triton", "Triton", "triton", triton, &[]) },
    Known { distributions: &["rocm_sdk_core"], ..row("rocm", "ROCm's wheels", "_rocm_sdk_core", sdk, &[]) },
    Known { distributions: &["rocm_sdk_devel"], ..row("rocm", "ROCm's wheels", "_rocm_sdk_devel", sdk, &[]) },
    Known {
        // It opens libamdhip64 by itself. (blender: extern/hipew)
        looks_functions_up: true,
        code: &["*/scripts/addons*/cycles/lib", "share/blender/*/scripts/addons*/cycles/lib"],
        ..application(
            "blender",
            "Blender",
            "blender",
            &[&["blender", "*/scripts/addons*/cycles"], &["bin/blender", "share/blender/*/scripts/addons*/cycles"]],
            &["/opt/blender", "/usr/lib/blender", "/usr/lib64/blender"],
        )
    },
    application(
        "darktable",
        "darktable",
        "darktable",
        &[&["bin/darktable", "share/darktable/kernels/programs.conf"]],
        &["/opt/darktable"],
    ),
    application("ollama", "Ollama", "ollama", &[&["bin/ollama", "lib/ollama"], &["ollama", "lib/ollama"]], &[]),
    application("comfyui", "ComfyUI", "", &[&["main.py", "nodes.py", "comfy/model_management.py"]], &["~/ComfyUI"]),
    application("invokeai", "InvokeAI", "", &[&["invokeai.yaml", ".venv"]], &["~/invokeai"]),
    application(
        "automatic1111",
        "AUTOMATIC1111's web UI or a fork of it",
        "",
        &[&["webui.py", "launch.py", "modules/shared.py"]],
        &["~/stable-diffusion-webui", "~/stable-diffusion-webui-forge", "~/stable-diffusion-webui-amdgpu"],
    ),
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
