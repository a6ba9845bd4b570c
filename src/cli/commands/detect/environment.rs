//! Environment variables that GPU programs look at.

use std::collections::BTreeMap;
use std::ffi::OsString;

/// The variables that matter begin so, or are called so.
const PREFIXES: [&str; 15] = [
    "AMD_",
    "CUDA_VISIBLE_DEVICES",
    "GPU_",
    "HIP",
    "HSA_",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "MIOPEN_",
    "PYTORCH_",
    "RCCL_",
    "RMCP_",
    "ROC",
    "TENSILE_",
    "TORCH_",
    "ROCBLAS_",
];

/// The variables, by name.
pub fn gpu_variables(variables: &BTreeMap<OsString, OsString>) -> Vec<(String, String)> {
    let text = |text: &OsString| text.to_string_lossy().into_owned();
    let all = variables.iter().map(|(name, value)| (text(name), text(value)));
    all.filter(|(name, _)| is_gpu_variable(name)).collect()
}

/// Whether GPU programs look at a variable. What looks like a secret is left out.
pub fn is_gpu_variable(name: &str) -> bool {
    let secret = ["TOKEN", "SECRET", "PASSWORD", "KEY"].iter().any(|word| name.contains(word));
    PREFIXES.iter().any(|prefix| name.starts_with(prefix)) && !secret
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_matters_is_shown_and_secrets_are_not() {
        let variables = ["HOME", "HSA_OVERRIDE_GFX_VERSION", "RMCP_HOST", "ROCM_PATH", "AMD_ACCESS_TOKEN", "PATH"];
        let variables = variables.map(|name| (name.into(), "x".into())).into();
        let shown: Vec<String> = gpu_variables(&variables).into_iter().map(|(name, _)| name).collect();
        assert_eq!(shown, ["HSA_OVERRIDE_GFX_VERSION", "RMCP_HOST", "ROCM_PATH"]);
    }
}
