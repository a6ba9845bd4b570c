//! The kernel, the C library and what the topology says of the cards beyond their targets.

use crate::installs::{Machine, Program, Release};
use rmcp_domain::bounded_read::{read_start, read_text};
use rmcp_domain::topology::Topology;
use std::collections::BTreeMap;
use std::path::Path;

/// The release of the running kernel.
pub(super) fn kernel() -> Option<Release> {
    read_text(Path::new("/proc/sys/kernel/osrelease"), 4096).ok()?.parse().ok()
}

/// The waves that a compute unit holds, by node: simd_per_cu times max_waves_per_simd. (amdkfd kfd_topology.c)
pub(super) fn waves(root: &Path, topology: &Topology) -> BTreeMap<u32, u32> {
    let waves = |node: u32| {
        let text = read_text(&root.join(format!("nodes/{node}/properties")), 64 * 1024).ok()?;
        let property = |name: &str| -> Option<u32> {
            let mut pairs = text.lines().filter_map(|line| line.split_once(' '));
            pairs.find(|(property, _)| *property == name)?.1.trim().parse().ok()
        };
        property("simd_per_cu")?.checked_mul(property("max_waves_per_simd")?)
    };
    topology.gpus.iter().filter_map(|gpu| Some((gpu.node, waves(gpu.node)?))).collect()
}

/// The release of the C library that a program loads, by what the library says of itself when it is run.
pub(super) fn glibc(program: &Path, machine: &Machine) -> Option<Release> {
    let program = Program::read(program, machine).ok()?;
    let library = program.libraries.iter().find(|library| library.name == "libc.so.6")?;
    let bytes = read_start(library.path.as_deref()?, 16 << 20).ok()?;
    let words = b"release version ";
    let at = bytes.windows(words.len()).position(|window| window == words)? + words.len();
    let end = bytes[at..].iter().position(|byte| !byte.is_ascii_digit() && *byte != b'.')?;
    std::str::from_utf8(&bytes[at..at + end]).ok()?.trim_end_matches('.').parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machines_kernel_and_c_library_are_told() {
        assert!(kernel().is_some_and(|release| release.major >= 3));
        let glibc = glibc(Path::new("/bin/sh"), &Machine::local());
        assert!(glibc.is_some_and(|release| release.major == 2 && release.minor >= 28), "{glibc:?}");
        assert_eq!(super::glibc(Path::new("/etc/passwd"), &Machine::local()), None);
    }
}
