//! Several runtimes in a process, none, and the runtime's own calls.

use crate::process::Process;
use crate::{NON_COHERENT, SYSTEM, gate_without_core, host_malloc, linked};
use rmcp_hip_tests::Stubs;

/// Both clients, each with a runtime of its own.
fn two_copies(target: &str) -> Process {
    let stubs = Stubs::get();
    Process::loading(&[("local", stubs.client()), ("local", stubs.wheel_client())]).gpus(&[target])
}

const BUNDLED: &str = "libamdhip64-1a2b3c4d.so";

#[test]
fn each_program_reaches_its_own_copy_of_the_runtime() {
    for (target, flags) in [("gfx1010", NON_COHERENT), ("gfx1100", "0x0")] {
        let report = two_copies(target).run("@1 hipHostMalloc=0 @0 hipHostMalloc=0 @1 hipHostMalloc=0 @0 hipMalloc");
        let host = |copy| host_malloc(copy, flags);
        let expected =
            [host(BUNDLED), host(SYSTEM), host(BUNDLED), format!("hipMalloc\t0\t{SYSTEM}: hipMalloc(0x1000)")];
        assert_eq!(report.lines, expected, "{target}");
    }
}

#[test]
fn each_program_reaches_its_own_copy_without_a_core_too() {
    let (_folder, gate) = gate_without_core();
    let report = two_copies("gfx1010").gate(&gate).run("@1 hipHostMalloc=0 @0 hipHostMalloc=0 @1 hipHostMalloc=0");
    let host = |copy| host_malloc(copy, "0x0");
    assert_eq!(report.lines, [host(BUNDLED), host(SYSTEM), host(BUNDLED)]);
}

#[test]
fn a_copy_that_is_loaded_after_the_first_calls_is_reached_by_its_own_program_alone() {
    let stubs = Stubs::get();
    for (target, flags) in [("gfx1010", NON_COHERENT), ("gfx1100", "0x0")] {
        let process = Process::loading(&[("local", stubs.client())]).gpus(&[target]);
        let load = format!("--local={}", stubs.wheel_client().display());
        let report = process.run(&format!("@0 hipMalloc {load} @1 hipHostMalloc=0 @0 hipHostMalloc=0"));
        let host = |copy| host_malloc(copy, flags);
        let first = format!("hipMalloc\t0\t{SYSTEM}: hipMalloc(0x1000)");
        assert_eq!(report.lines, [first, host(BUNDLED), host(SYSTEM)], "{target}");
    }
}

#[test]
fn a_copy_that_is_loaded_after_a_function_was_called_is_reached_by_its_own_program_before_it_starts_and_after() {
    let stubs = Stubs::get();
    let load = format!("--local={}", stubs.wheel_client().display());
    let commands =
        format!("@0 hipHostMalloc=0 {load} @1 hipHostMalloc=0 inside:hsa_init hipHostMalloc=0 @0 hipHostMalloc=0");
    for (target, flags) in [("gfx1010", NON_COHERENT), ("gfx1100", "0x0")] {
        let report = Process::loading(&[("local", stubs.client())]).gpus(&[target]).run(&commands);
        let [first, second, _start, third, fourth] = report.lines.as_slice() else { panic!("{report:?}") };
        let expected = [SYSTEM, BUNDLED, BUNDLED, SYSTEM].map(|copy| host_malloc(copy, flags));
        assert_eq!([first, second, third, fourth], expected.each_ref(), "{target}");
    }
}

#[test]
fn the_same_holds_without_a_core() {
    let (_folder, gate) = gate_without_core();
    let stubs = Stubs::get();
    let load = format!("--local={}", stubs.wheel_client().display());
    let process = Process::loading(&[("local", stubs.client())]).gate(&gate);
    let report = process.run(&format!(
        "@0 hipHostMalloc=0 {load} @1 hipHostMalloc=0 inside:hsa_init hipHostMalloc=0 @0 hipHostMalloc=0"
    ));
    let [first, second, _start, third, fourth] = report.lines.as_slice() else { panic!("{report:?}") };
    let expected = [SYSTEM, BUNDLED, BUNDLED, SYSTEM].map(|copy| host_malloc(copy, "0x0"));
    assert_eq!([first, second, third, fourth], expected.each_ref());
}

#[test]
fn a_library_in_the_place_of_an_unloaded_one_reaches_its_own_copy_once_that_has_started() {
    let stubs = Stubs::get();
    let load = format!("--local={}", stubs.wheel_client().display());
    let commands =
        format!("@0 hipHostMalloc=0 --unload=0 {load} @1 place hipHostMalloc=0 inside:hsa_init hipHostMalloc=0");
    let report = Process::loading(&[("local", stubs.client())]).gpus(&["gfx1010"]).run(&commands);
    let [first, place, early, _start, late] = report.lines.as_slice() else { panic!("{report:?}") };
    assert_eq!(place, "place\tsame", "the loader put it elsewhere, so this shows nothing");
    // Until then it is taken for the unloaded one.
    assert_eq!([first, early, late], [SYSTEM, SYSTEM, BUNDLED].map(|copy| host_malloc(copy, NON_COHERENT)).each_ref());
}

#[test]
fn a_library_in_the_place_of_an_unloaded_one_reaches_its_own_copy_if_both_copies_had_started_before() {
    let stubs = Stubs::get();
    let load = format!("--local={}", stubs.second_wheel_client().display());
    let start = "@1 inside:hsa_init @0 inside:hsa_init hipHostMalloc=0";
    let report = two_copies("gfx1010").run(&format!("{start} --unload=0 {load} @2 place hipHostMalloc=0"));
    let [.., first, place, late] = report.lines.as_slice() else { panic!("{report:?}") };
    assert_eq!(place, "place\tsame", "the loader put it elsewhere, so this shows nothing");
    assert_eq!([first, late], [SYSTEM, BUNDLED].map(|copy| host_malloc(copy, NON_COHERENT)).each_ref());
}

#[test]
fn a_call_served_by_another_function_goes_to_the_same_copy() {
    let report = two_copies("gfx1010").run("@0 hipMalloc @1 hipMemAllocHost hipMallocManaged=1");
    let expected = [
        format!("hipMalloc\t0\t{SYSTEM}: hipMalloc(0x1000)"),
        format!("hipMemAllocHost\t0\t{BUNDLED}: hipHostMalloc(0x1000, {NON_COHERENT})"),
        format!(
            "hipMallocManaged=1\t0\t{BUNDLED}: hipMallocManaged(0x1000, 0x1)\t{BUNDLED}: hipMemAdvise(0x1000, 0x64, 0x0)"
        ),
    ];
    assert_eq!(report.lines, expected);
}

#[test]
fn the_runtimes_own_calls_are_never_changed() {
    let calls = "inside:hipHostMalloc=0 inside:hsa_amd_memory_pool_allocate=0x12";
    // First of all calls in the process, and after the program's own.
    for before in ["", "hipHostMalloc=0 hsa_amd_memory_pool_allocate=0x12"] {
        let report = linked().env("RMCP_HSA_POOL", "coarse").run(&format!("{before} {calls} counters"));
        let [.., host, pool, counters] = report.lines.as_slice() else { panic!("{report:?}") };
        assert_eq!(host, &format!("inside:hipHostMalloc=0\t0\t{SYSTEM}: hipHostMalloc(0x1000, 0x0)"));
        assert!(pool.ends_with(": hsa_amd_memory_pool_allocate(0x12, 0x1000, 0x0)"), "{pool}");
        let of_the_program = u8::from(!before.is_empty());
        for name in ["hipHostMalloc", "hsa_amd_memory_pool_allocate"] {
            let counted = format!("{name}: 0 forwarded, {of_the_program} rewritten, 1 of the runtime");
            assert!(counters.contains(&counted), "{counters}");
        }
    }
}

#[test]
fn a_program_that_speaks_hsa_gets_the_coarse_pool_of_the_agent_when_it_asks_for_that() {
    let calls = "hsa_amd_memory_pool_allocate=0x11 hsa_amd_memory_pool_allocate=0x12 hsa_amd_memory_pool_allocate=0x13";
    let pools = |option: &str| -> Vec<String> {
        let report = linked().env("RMCP_HSA_POOL", option).run(calls);
        report.lines.iter().map(|line| line.rsplit_once('(').unwrap().1.to_owned()).collect()
    };
    assert_eq!(pools("keep"), ["0x11, 0x1000, 0x0)", "0x12, 0x1000, 0x0)", "0x13, 0x1000, 0x0)"]);
    // 0x11 is for kernel arguments and must stay.
    assert_eq!(pools("coarse"), ["0x11, 0x1000, 0x0)", "0x13, 0x1000, 0x0)", "0x13, 0x1000, 0x0)"]);
}

#[test]
fn a_function_that_the_runtime_lacks_returns_an_error() {
    for target in ["gfx1010", "gfx1100"] {
        let report = Process::on_old_runtime().gpus(&[target]).env("RMCP_HOST", "keep").run("hipHostAlloc=0 hipMalloc");
        assert_eq!(
            report.lines,
            ["hipHostAlloc=0\t302", "hipMalloc\t0\tlibamdhip64.so.6: hipMalloc(0x1000)"],
            "{target}"
        );
    }
}

#[test]
fn without_a_runtime_every_hook_returns_its_librarys_error() {
    let calls: Vec<_> = rmcp_abi::HOOKS.iter().map(|hook| hook.name).collect();
    let expected: Vec<_> =
        rmcp_abi::HOOKS.iter().map(|hook| format!("{}\t{}", hook.name, hook.library.missing_symbol_error())).collect();
    for target in ["gfx1010", "gfx1100"] {
        let process = Process::loading(&[("local", Stubs::get().orphan_client())]).gpus(&[target]);
        assert_eq!(process.run(&calls.join(" ")).lines, expected, "{target}");
    }
}

#[test]
fn a_runtime_that_is_loaded_after_the_first_calls_is_found() {
    let stubs = Stubs::get();
    for (target, flags) in [("gfx1010", NON_COHERENT), ("gfx1100", "0x0")] {
        let process = Process::loading(&[("local", stubs.orphan_client())]).gpus(&[target]);
        let load = format!("--local={}", stubs.client().display());
        let report = process.run(&format!("@0 hipHostMalloc=0 {load} @1 hipHostMalloc=0 @0 hipHostMalloc=0"));
        let found = host_malloc(SYSTEM, flags);
        assert_eq!(report.lines, ["hipHostMalloc=0\t302", &found, &found], "{target}");
    }
}
