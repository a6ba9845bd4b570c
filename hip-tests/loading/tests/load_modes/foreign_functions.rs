//! Functions that only bear the names of HIP and HSA: a call goes where it goes without RMCP, and what is no runtime gets
//! it as it was made.

use crate::process::Process;
use crate::{NON_COHERENT, gate_without_core};
use rmcp_hip_tests::Stubs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;

const CALLS: &str = "hipHostMalloc=0 hipMalloc hipHostMalloc=0 hsa_amd_memory_pool_allocate=0x12";

/// A process in which a library has functions of its own, and what it does.
struct Case {
    name: &'static str,
    process: Process,
    commands: String,
}

fn case(name: &'static str, process: Process, commands: impl Into<String>) -> Case {
    Case { name, process, commands: commands.into() }
}

/// Those in which no call is one of HIP or HSA.
fn without_a_runtime() -> Vec<Case> {
    let stubs = Stubs::get();
    let loading = |how, library| Process::loading(&[(how, library)]);
    vec![
        case("loaded locally", loading("local", stubs.own_client()), CALLS),
        case("loaded globally", loading("global", stubs.own_client()), CALLS),
        case("loaded with deepbind", loading("deepbind", stubs.own_client()), CALLS),
        case("bound to itself by the linker", loading("local", stubs.symbolic_own_client()), CALLS),
        case("linked, calls of the library", Process::of(stubs.program_of_own_client()), CALLS),
        case("linked, calls of the program", Process::of(stubs.program_on_own_functions()), CALLS),
        case("calls in a forked child", loading("local", stubs.own_client()), format!("hipMalloc fork {CALLS}")),
        case(
            "calls before it is loaded for good",
            loading("local", stubs.own_client()).env("CLIENT_AT_START", CALLS),
            CALLS,
        ),
        case(
            "another in the place of an unloaded one",
            loading("local", stubs.own_client()),
            format!("{CALLS} --unload=0 --local={} @1 place {CALLS}", stubs.own_client().display()),
        ),
        case("by a tail call", loading("local", stubs.own_client()), "tail tail"),
        case("by a tail call of a library that is loaded globally", loading("global", stubs.own_client()), "tail tail"),
        case("ends a thread", loading("local", stubs.own_client()), "thread:hipMemAllocHost"),
        case("of the library that loaded the caller", loading("local", stubs.own_plugin()), CALLS),
    ]
}

/// Those beside a runtime, in which each library still keeps its own.
fn beside_a_runtime() -> Vec<Case> {
    let stubs = Stubs::get();
    let both = |first, second| Process::loading(&[("local", first), ("local", second)]);
    let calls = |index| format!("@{index} {CALLS}");
    let later = |how, library: &Path| format!("--{how}={}", library.display());
    vec![
        case("before the runtime", both(stubs.own_client(), stubs.client()), [calls(0), calls(1), calls(0)].join(" ")),
        case("after the runtime", both(stubs.client(), stubs.own_client()), [calls(0), calls(1), calls(0)].join(" ")),
        case(
            "ends a thread, after the runtime's calls",
            both(stubs.client(), stubs.own_client()),
            "@0 hipMemAllocHost @1 thread:hipMemAllocHost",
        ),
        case(
            "loaded after the runtime's calls",
            Process::loading(&[("local", stubs.client())]),
            format!("{CALLS} {} {} {}", later("local", &stubs.own_client()), calls(1), calls(0)),
        ),
        case(
            "a runtime that is made global later",
            Process::loading(&[("local", stubs.own_client())]),
            format!("hipMalloc {} {} {}", later("global", &stubs.client()), calls(0), calls(1)),
        ),
        case(
            "a wheel, and a runtime that is made global later",
            Process::loading(&[("local", stubs.wheel_client())]),
            format!("hipMalloc {} {} {}", later("global", &stubs.client()), calls(0), calls(1)),
        ),
        case(
            "a program linked with a runtime",
            Process::linked(),
            format!("{CALLS} {} {}", later("local", &stubs.own_client()), calls(0)),
        ),
        case(
            "a program linked with a runtime, and a wheel with another",
            Process::linked(),
            format!("{} {CALLS}", later("local", &stubs.wheel_client())),
        ),
        case(
            "own functions are global before a runtime is loaded",
            Process::loading(&[("global", stubs.own_client())]),
            format!("{} @0 {CALLS} @1 {CALLS}", later("local", &stubs.client())),
        ),
    ]
}

/// Those with functions that pass their calls on to a runtime.
fn forwarding_to_a_runtime() -> Vec<Case> {
    let stubs = Stubs::get();
    let loading = |how| Process::loading(&[(how, stubs.wrapping_client())]);
    vec![
        case("a wrapper loaded locally", loading("local"), CALLS),
        case("a wrapper loaded globally", loading("global"), CALLS),
        case("a wrapper that is linked", Process::of(stubs.program_of_wrapping_client()), CALLS),
        case("an interposer after RMCP", Process::linked().preload(stubs.interposer()), CALLS),
        case("an interposer before RMCP", Process::linked().preload_before(stubs.interposer()), CALLS),
    ]
}

/// What each process does on `gpu` is what it does without RMCP.
#[track_caller]
fn same_as_bare(cases: Vec<Case>, with_rmcp: impl Fn(Process) -> Process) {
    let wrong: Vec<_> = cases
        .into_iter()
        .filter_map(|Case { name, process, commands }| {
            let bare = process.clone().bare().run(&commands);
            let report = with_rmcp(process).run(&commands);
            (report != bare).then(|| format!("{name}: without RMCP {bare:#?}, with it {report:#?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_library_keeps_its_own_functions_where_rmcp_is_active() {
    same_as_bare(without_a_runtime(), |process| process.gpus(&["gfx1010"]));
}

#[test]
fn a_library_keeps_its_own_functions_where_rmcp_is_inactive() {
    for target in ["gfx1010", "gfx1100"] {
        let inactive =
            |process: Process| process.gpus(&[target]).env("RMCP_DISABLE", u8::from(target == "gfx1010").to_string());
        same_as_bare(
            [without_a_runtime(), beside_a_runtime(), forwarding_to_a_runtime()].into_iter().flatten().collect(),
            inactive,
        );
    }
}

#[test]
fn a_library_keeps_its_own_functions_without_a_core() {
    let (_folder, gate) = gate_without_core();
    same_as_bare(
        [without_a_runtime(), beside_a_runtime(), forwarding_to_a_runtime()].into_iter().flatten().collect(),
        |process| process.gate(&gate).gpus(&["gfx1010"]),
    );
}

#[test]
fn a_library_keeps_its_own_functions_under_two_gates() {
    let (_folder, second) = gate_without_core();
    same_as_bare(
        [without_a_runtime(), beside_a_runtime(), forwarding_to_a_runtime()].into_iter().flatten().collect(),
        |process| process.gate_again(&second).gpus(&["gfx1100"]),
    );
    same_as_bare(without_a_runtime(), |process| process.gate_again(&second).gpus(&["gfx1010"]));
}

#[test]
fn where_rmcp_is_active_a_runtime_beside_them_is_still_given_non_coherent_memory_and_they_are_not() {
    for Case { name, process, commands } in beside_a_runtime() {
        let bare = process.clone().bare().run(&commands);
        let report = process.gpus(&["gfx1010"]).run(&commands);
        let rewritten = format!(": hipHostMalloc(0x1000, {NON_COHERENT})");
        // Their own say `own: hipHostMalloc`.
        let expected = |line: &String| match line.starts_with("own: ") {
            true => line.clone(),
            false => line
                .replace(": hipHostMalloc(0x1000, 0x0)", &rewritten)
                .replace(": hipMemAllocHost(0x1000)", &rewritten),
        };
        let expected: Vec<_> = bare.lines.iter().map(expected).collect();
        assert_eq!((report.lines, report.stderr.as_str()), (expected, ""), "{name}");
    }
}

#[test]
fn a_library_with_variables_of_these_names_ends_at_its_first_store_as_the_docs_say() {
    const SIGSEGV: i32 = 11;
    let process = Process::loading(&[("local", Stubs::get().variables())]);
    assert_eq!(process.clone().bare().run("call").lines, ["call\t1"]);
    assert_eq!(process.command("call").status().unwrap().signal(), Some(SIGSEGV));
}
