//! RCCL talks with running kernels through host memory, and asks for fine-grained device memory to learn how GPUs may talk.
//!
//! Nothing leaves the machine: RCCL is told to use the loopback interface alone.

use crate::{output_lines, passed_tests};
use rmcp_hip_tests::{Client, RCCL, Release, Scene, machine};

const DEFAULT_TRANSPORT: &[(&str, &str)] = &[];
const SHARED_MEMORY: &[(&str, &str)] = &[("NCCL_P2P_DISABLE", "1")];
const NETWORK: &[(&str, &str)] = &[("NCCL_P2P_DISABLE", "1"), ("NCCL_SHM_DISABLE", "1")];

/// The releases for which Debian has an RCCL of their own.
const RELEASES: [Release; 2] = [Release::Rocm571, Release::Rocm724];

/// Two cards of the family that Debian compiles RCCL for.
fn scene(release: Release, variables: &[(&str, &str)]) -> Scene {
    let scene = Scene::new(release, &machine(&["gfx1030", "gfx1030"], true)).env("NCCL_SOCKET_IFNAME", "lo");
    variables.iter().fold(scene, |scene, (name, value)| scene.env(name, value))
}

/// Whether this machine's processor is AMD's: beside the Intel one that was tried RCCL 7.2.4 takes SHM between two GPUs, also
/// with NCCL_P2P_LEVEL=SYS.
fn has_amd_processor() -> bool {
    std::fs::read_to_string("/proc/cpuinfo").unwrap().contains("AuthenticAMD")
}

/// The transports in RCCL's log, each once.
fn transports(log: &str) -> Vec<&str> {
    let mut found: Vec<&str> = log.lines().filter_map(|line| line.split_once(" via ")?.1.split('/').next()).collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// Runs the client with RMCP and without, which takes the same transport and gets right results.
#[track_caller]
fn assert_right_over(release: Release, variables: &[(&str, &str)], transport: &str) {
    let scene = scene(release, variables).env("NCCL_DEBUG", "INFO");
    for scene in [scene.clone(), scene.with_rmcp()] {
        let Some(run) = scene.run(Client::Rccl) else { return };
        assert_eq!(transports(&run.stdout), [transport], "{scene:?}");
        let results: Vec<_> = run.calls.iter().map(|call| (call.label.as_str(), call.wrong)).collect();
        assert_eq!(results, [("all-reduce", 0), ("broadcast", 0), ("send and receive", 0)], "{scene:?}");
    }
}

#[test]
fn two_gpus_of_a_process_talk_as_rccl_chooses() {
    // What RCCL 5.7.1 chooses hangs on a refusal: it would go directly if fine-grained memory were served.
    assert_right_over(Release::Rocm571, DEFAULT_TRANSPORT, "SHM");
    assert_right_over(Release::Rocm724, DEFAULT_TRANSPORT, if has_amd_processor() { "P2P" } else { "SHM" });
}

#[test]
fn two_gpus_of_a_process_talk_through_shared_memory() {
    for release in RELEASES {
        assert_right_over(release, SHARED_MEMORY, "SHM");
    }
}

/// What training on several machines uses. Each GPU watches words in host memory that a thread of RCCL writes.
#[test]
fn two_gpus_of_a_process_talk_over_the_network() {
    for release in RELEASES {
        assert_right_over(release, NETWORK, "NET");
    }
}

/// RCCL's own tests, in one process or in two.
fn unit_tests(release: Release, filter: &'static str) -> Client {
    let program = match release {
        Release::Rocm571 => "usr/libexec/rocm/librccl1-tests/UnitTests",
        _ => "usr/libexec/rocm/librccl1-tests/rccl-UnitTests",
    };
    Client::Debian { packages: RCCL.to_vec(), program, args: vec![filter] }
}

fn scene_in_processes(release: Release, processes: u32, variables: &[(&str, &str)]) -> Scene {
    // A mask: 1 for all GPUs in one process, 2 for a process each.
    let scene = scene(release, variables).env("UT_PROCESS_MASK", &processes.to_string());
    scene.env("UT_MIN_GPUS", "2").env("UT_MAX_GPUS", "2")
}

/// Runs RCCL's own tests with RMCP and without: the verdicts are the same, and `tests` pass.
#[track_caller]
fn assert_same_verdicts(scene: &Scene, client: &Client, tests: usize) {
    let Some((bare, with)) = scene.run_both(client.clone()) else { return };
    assert_eq!(passed_tests(&bare), tests, "{scene:?}:\n{}", bare.stdout);
    // Lines between the verdicts come from several processes, in any order.
    let verdicts = |run| {
        output_lines(run).into_iter().filter(|line| line.starts_with("[  ")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(verdicts(&with), verdicts(&bare), "{scene:?}");
}

#[test]
fn rccls_own_tests_pass_in_two_processes() {
    let tests = "--gtest_filter=AllReduce.OutOfPlace:Broadcast.InPlace:SendRecv.*";
    for (release, variables, filter, tests) in [
        (Release::Rocm571, DEFAULT_TRANSPORT, tests, 3),
        (Release::Rocm571, NETWORK, tests, 3),
        (Release::Rocm724, SHARED_MEMORY, "--gtest_filter=Broadcast.InPlace", 1),
        (Release::Rocm724, NETWORK, "--gtest_filter=Broadcast.InPlace", 1),
    ] {
        assert_same_verdicts(&scene_in_processes(release, 2, variables), &unit_tests(release, filter), tests);
    }
}

/// RCCL 7.2.4 shares device memory between processes (P2P/IPC) by itself, as dma-bufs of the driver.
#[test]
fn rccls_own_tests_pass_in_two_processes_that_share_device_memory() {
    let scene = scene_in_processes(Release::Rocm724, 2, DEFAULT_TRANSPORT).env("NCCL_DEBUG", "INFO");
    let client = unit_tests(Release::Rocm724, "--gtest_filter=Broadcast.InPlace");
    assert_same_verdicts(&scene, &client, 1);
    let Some(run) = scene.with_rmcp().run(client) else { return };
    let transport = if has_amd_processor() { " via P2P/IPC" } else { " via SHM" };
    assert!(run.stdout.contains(transport), "{}", run.stdout);
}

#[test]
fn rccls_own_tests_pass_in_one_process() {
    for (release, variables, filter, tests) in [
        (Release::Rocm571, DEFAULT_TRANSPORT, "--gtest_filter=AllReduce.ManagedMem:Gather.ManagedMem", 2),
        (Release::Rocm571, NETWORK, "--gtest_filter=Reduce.InPlace:AllToAll.OutOfPlace", 2),
        (Release::Rocm724, DEFAULT_TRANSPORT, "--gtest_filter=AllReduce.ManagedMem", 1),
    ] {
        assert_same_verdicts(&scene_in_processes(release, 1, variables), &unit_tests(release, filter), tests);
    }
}
