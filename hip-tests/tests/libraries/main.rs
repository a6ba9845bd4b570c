//! ROCm's libraries, as Debian compiles them, with RMCP and without: what was right stays right.
//!
//! Each is used by unmodified test programs of its own; RCCL by a client of ours too. The cards are emulated, and so is the
//! bus between them (emulator/kfd): a result that is the same with RMCP and without shows that RMCP changes nothing that
//! the model knows, no more.
#![forbid(unsafe_code)]

mod own;
mod rccl;

use rmcp_hip_tests::Run;

/// The tests that passed, by the words of gtest and of rocThrust's own framework.
fn passed_tests(run: &Run) -> usize {
    let of_thrust =
        |line: &str| line.strip_prefix("Totals: ")?.split_once("and ")?.1.strip_suffix(" passes.")?.parse().ok();
    run.stdout.lines().filter_map(|line| of_thrust(line).or(line.starts_with("[       OK ]").then_some(1))).sum()
}

/// What a program said, without the times that it took.
fn output_lines(run: &Run) -> Vec<&str> {
    let lines = run.stdout.lines().filter(|line| !line.starts_with("Time:"));
    lines
        .map(|line| if line.contains(" ms") { line.rsplit_once(" (").map_or(line, |(said, _)| said) } else { line })
        .collect()
}
