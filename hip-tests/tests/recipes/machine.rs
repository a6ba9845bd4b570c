//! A machine's GPUs as the KFD describes them, and rmcp-run on it.

use rmcp_hip_tests::{Build, require};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A topology with these gfx targets at nodes 1, 2, ..., those of odd nodes with a unique id: 0xabc0 + node.
pub fn topology(root: &Path, gpus: &[&str]) -> PathBuf {
    let node = |number: usize, gpu_id: usize, properties: String| {
        let folder = root.join(format!("nodes/{number}"));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("gpu_id"), format!("{gpu_id}\n")).unwrap();
        fs::write(folder.join("properties"), properties).unwrap();
    };
    node(0, 0, "cpu_cores_count 12\nsimd_count 0\n".into());
    for (index, target) in gpus.iter().enumerate() {
        let number = index + 1;
        let unique_id = if number % 2 == 1 { 0xabc0 + number } else { 0 };
        // Each SIMD of RDNA1 has 20 waves, of RDNA2 16. (amdgpu gfx_v10_0.c)
        let waves = if target.starts_with("gfx101") { 20 } else { 16 };
        let lines = [
            ("simd_per_cu", 2),
            ("max_waves_per_simd", waves),
            ("simd_count", 72),
            ("gfx_target_version", version(target)),
            ("location_id", number << 8),
            ("unique_id", unique_id),
        ];
        node(number, number, lines.map(|(name, value)| format!("{name} {value}\n")).concat());
    }
    root.into()
}

/// gfx1031 is 100301, gfx90c is 90012.
fn version(target: &str) -> usize {
    let (major, rest) = target.strip_prefix("gfx").unwrap().split_at(target.len() - 5);
    let digit = |at: usize| usize::from_str_radix(&rest[at..=at], 16).unwrap();
    major.parse::<usize>().unwrap() * 10_000 + digit(0) * 100 + digit(1)
}

/// What rmcp-run gave a program, and what it said.
pub struct RmcpRunOutput {
    /// The whole environment of the program.
    pub environment: BTreeMap<String, String>,
    /// Standard error.
    pub stderr: String,
}

/// Runs a program that prints its environment. None where RMCP is not built.
pub fn run(topology: &Path, arguments: &[&str], program: &Path, user: &[(&str, &str)]) -> Option<RmcpRunOutput> {
    let build = require("RMCP", Build::find())?;
    let mut command = Command::new(build.rmcp_run());
    command.env_clear().env("RMCP_CONFIG", "").env("RMCP_TOPOLOGY", topology).envs(user.iter().copied());
    let Output { status, stdout, stderr } = command.args(arguments).arg(program).output().unwrap();
    let stderr = String::from_utf8(stderr).unwrap();
    assert!(status.success(), "{status}: {stderr}");
    let printed = String::from_utf8(stdout).unwrap();
    let mut environment: BTreeMap<String, String> = printed
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.into(), value.into()))
        .collect();
    assert_eq!(environment.remove("LD_PRELOAD").as_deref(), build.gate().to_str());
    assert_eq!(environment.remove("RMCP_CONFIG").as_deref(), Some(""));
    assert_eq!(environment.remove("RMCP_TOPOLOGY").as_deref(), topology.to_str());
    Some(RmcpRunOutput { environment, stderr })
}
