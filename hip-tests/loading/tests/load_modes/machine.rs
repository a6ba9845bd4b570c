//! What the machine has decides, and what `include/rmcp.h` says of it.

use crate::process::Process;
use crate::{NON_COHERENT, SYSTEM, host_malloc, linked};

#[test]
fn the_rules_are_those_of_the_current_device() {
    let set = |device| format!("hipSetDevice={device}\t0");
    let report = Process::linked()
        .gpus(&["gfx1010", "gfx1100"])
        .run("hipHostMalloc=0 hipSetDevice=1 hipHostMalloc=0 hipSetDevice=0 hipHostMalloc=0");
    assert_eq!(
        report.lines,
        [
            host_malloc(SYSTEM, NON_COHERENT),
            set(1),
            host_malloc(SYSTEM, "0x0"),
            set(0),
            host_malloc(SYSTEM, NON_COHERENT)
        ]
    );
}

/// Then every call is one jump, and none is counted.
#[test]
fn where_no_rule_can_act_nothing_is_hooked() {
    let keep = [("RMCP_HOST", "keep"), ("RMCP_MANAGED", "keep")];
    let no_rule = "no rule acts on";
    let apu = "apu=keep: it shares the CPU's memory, and no bus lies between";
    for (gpus, options, reason) in [
        (&["gfx1036"][..], &[][..], format!("{no_rule} gfx1036: {apu}")),
        (&["gfx1100", "gfx1036"], &[], format!("{no_rule} gfx1100: it is neither RDNA1 nor RDNA2; gfx1036: {apu}")),
        (&["gfx1010"], &[("RMCP_POLICY", "keep")], format!("{no_rule} gfx1010: policy=keep")),
        (&["gfx1010"], &keep, format!("{no_rule} gfx1010: every option says keep")),
        (&["gfx1010"], &[("HIP_VISIBLE_DEVICES", "-1")], "no GPU is visible".into()),
    ] {
        let process = Process::linked().gpus(gpus);
        let process = options.iter().fold(process, |process, (name, value)| process.env(name, *value));
        let report = process.run("hipHostMalloc=0 hipEventCreateWithFlags=0x20000000 status counters");
        assert_eq!(report.lines[0], host_malloc(SYSTEM, "0x0"));
        assert!(report.lines[1].ends_with("hipEventCreateWithFlags(0x20000000)"), "{report:?}");
        assert!(report.lines[2].starts_with("status\t1\t") && report.lines[2].ends_with(&reason), "{report:?}");
        assert_eq!(report.lines[3], format!("counters\t{}", rmcp_abi::HOOKS.len()), "{gpus:?} {options:?}");
    }
    // An option that can act on one of the cards, or for one library alone, is enough.
    let report = Process::linked().gpus(&["gfx1036", "gfx1010"]).run("hipHostMalloc=0 status");
    assert!(report.lines[1].starts_with("status\t2\t"), "{report:?}");
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("rmcp.toml");
    std::fs::write(&config, "[library.libmine]\nhost = 'noncoherent'\n").unwrap();
    let process = keep.iter().fold(linked(), |process, (name, value)| process.env(name, *value));
    let report = process.env("RMCP_CONFIG", &config).run("hipHostMalloc=0 status");
    assert_eq!(report.lines[0], host_malloc(SYSTEM, "0x0"));
    assert!(report.lines[1].starts_with("status\t2\t"), "{report:?}");
}

#[test]
fn hip_host_coherent_keeps_pinned_memory_as_asked_and_the_log_says_so() {
    let process = linked().env("HIP_HOST_COHERENT", "1").env("RMCP_LOG", "info");
    let report = process.run("hipHostMalloc=0 hipMallocManaged=1");
    assert_eq!(report.lines[0], host_malloc(SYSTEM, "0x0"));
    assert!(report.lines[1].contains("hipMemAdvise"), "{report:?}");
    assert!(report.stderr.contains("info: host=keep, since HIP_HOST_COHERENT asks for coherent memory"), "{report:?}");
    let report = process.env("RMCP_HOST", "noncoherent").run("hipHostMalloc=0");
    assert_eq!(report.lines[0], host_malloc(SYSTEM, NON_COHERENT));
    assert!(!report.stderr.contains("HIP_HOST_COHERENT"), "{report:?}");
}

#[test]
fn a_hidden_card_does_not_count() {
    let process = Process::linked().gpus(&["gfx1010", "gfx1100"]);
    assert_eq!(
        process.clone().env("HIP_VISIBLE_DEVICES", "1").run("hipHostMalloc=0").lines,
        [host_malloc(SYSTEM, "0x0")]
    );
    assert_eq!(
        process.env("ROCR_VISIBLE_DEVICES", "0").run("hipHostMalloc=0").lines,
        [host_malloc(SYSTEM, NON_COHERENT)]
    );
}

/// The last thing that the runtime saw: before it comes what RMCP asked it.
fn answer(line: &str) -> &str {
    line.rsplit('\t').next().unwrap_or_default()
}

#[test]
fn without_a_topology_the_runtime_is_asked_in_either_layout() {
    for process in [Process::linked(), Process::on_old_runtime()] {
        let process = process.env("RMCP_TOPOLOGY", "/nowhere");
        let report = process.clone().env("STUB_ARCHS", "gfx1031").run("hipHostMalloc=0 status");
        assert_eq!(answer(&report.lines[0]), answer(&host_malloc(SYSTEM, NON_COHERENT)));
        assert_eq!(report.lines[1], "status\t2\tgpus=1\ttargets=gfx1031\treason=");
        let report = process.env("STUB_ARCHS", "gfx90a:sramecc+:xnack-").run("hipHostMalloc=0");
        assert_eq!(answer(&report.lines[0]), answer(&host_malloc(SYSTEM, "0x0")));
    }
}

#[test]
fn without_topology_and_devices_calls_are_unchanged() {
    let report = Process::linked().env("RMCP_TOPOLOGY", "/nowhere").run("hipHostMalloc=0 status");
    assert_eq!(report.lines[0], host_malloc(SYSTEM, "0x0"));
    assert!(report.lines[1].starts_with("status\t1\tgpus=0\t"), "{report:?}");
}

#[test]
fn rmcp_status_detects_before_the_first_call() {
    let report = linked().run("status version");
    let version = concat!("version\t", env!("CARGO_PKG_VERSION"));
    assert_eq!(report.lines, ["status\t2\tgpus=1\ttargets=gfx1010\treason=", version]);
}

#[test]
fn rmcp_disable_ends_the_rewriting_in_this_process() {
    for (target, before) in [("gfx1010", NON_COHERENT), ("gfx1100", "0x0")] {
        let report = Process::linked().gpus(&[target]).run("hipHostMalloc=0 disable hipHostMalloc=0 status");
        assert_eq!(
            report.lines[..3],
            [host_malloc(SYSTEM, before), "disable\t1".into(), host_malloc(SYSTEM, "0x0")],
            "{target}"
        );
        assert!(report.lines[3].starts_with("status\t1\t"), "{report:?}");
    }
    let report = linked().run("disable hipHostMalloc=0 status");
    let reason = "status\t1\tgpus=1\ttargets=gfx1010\treason=rmcp_disable was called";
    assert_eq!(report.lines, ["disable\t1", &host_malloc(SYSTEM, "0x0"), reason]);
}

/// What `counters` says of these calls.
fn counted(process: &Process, calls: &str) -> Vec<String> {
    let report = process.run(&format!("{calls} counters"));
    let mut fields = report.lines.last().unwrap().split('\t').skip(1);
    assert_eq!(fields.next().unwrap(), rmcp_abi::HOOKS.len().to_string());
    // Whether the runtime starts HSA by itself is not the matter here.
    fields.filter(|field| !field.starts_with("hsa_init:")).map(String::from).collect()
}

#[test]
fn rmcp_counters_tells_what_became_of_each_call_that_a_rule_could_change_and_of_every_call_in_a_trace() {
    let folder = tempfile::tempdir().unwrap();
    let calls = "hipMalloc hipHostMalloc=0 hipHostMalloc=0x40000000 hipMemAllocHost hipFree";
    let [device, host, served, free] = [
        "hipMalloc: 1 forwarded, 0 rewritten, 0 of the runtime",
        "hipHostMalloc: 1 forwarded, 1 rewritten, 0 of the runtime",
        "hipMemAllocHost: 0 forwarded, 1 rewritten, 0 of the runtime",
        "hipFree: 1 forwarded, 0 rewritten, 0 of the runtime",
    ];
    assert_eq!(counted(&linked(), calls), [host, served]);
    assert_eq!(counted(&linked().env("RMCP_VRAM_FRACTION", "0.5"), calls), [device, host, served]);
    for process in [linked().env("RMCP_LOG", "trace"), linked().env("RMCP_TRACE", folder.path())] {
        assert_eq!(counted(&process, calls), [device, host, served, free]);
    }
}

#[test]
fn after_rmcp_disable_no_call_is_counted() {
    let rewritten = "hipHostMalloc: 0 forwarded, 1 rewritten, 0 of the runtime";
    let calls = "hipHostMalloc=0 disable hipHostMalloc=0 hipMallocManaged=1 hipMalloc";
    assert_eq!(counted(&linked(), calls), [rewritten]);
    let report = linked().run(calls);
    let ends = [NON_COHERENT, "", "0x0)", "hipMallocManaged(0x1000, 0x1)", "hipMalloc(0x1000)"];
    assert!(report.lines.iter().zip(ends).skip(2).all(|(line, end)| line.ends_with(end)), "{report:?}");
}

#[test]
fn a_refused_advice_shows_neither_in_the_result_nor_in_hip_get_last_error() {
    let report = linked().run("fail:hipMemAdvise=1 hipMallocManaged=1 hipGetLastError");
    let calls = "libamdhip64.so.6: hipMallocManaged(0x1000, 0x1)\tlibamdhip64.so.6: hipMemAdvise(0x1000, 0x64, 0x0)";
    assert_eq!(report.lines[1..], [format!("hipMallocManaged=1\t0\t{calls}"), "hipGetLastError\t0".into()]);
}

#[test]
fn an_error_of_the_programs_own_outlives_a_refused_advice() {
    // The stub answers hipGetLastError as HIP 7 does.
    for (error, shown) in [(1, 1), (2, 2), (3, 1)] {
        let version = "runtime-version=70200000";
        let calls = format!("{version} fail:hipHostFree={error} hipHostFree fail:hipMalloc=2 fail:hipMemAdvise=1");
        let report = linked().run(&format!("{calls} hipMallocManaged=1 hipGetLastError"));
        // Of an error that no call can be made to fail with, there is at least some.
        assert_eq!(report.lines.last().unwrap(), &format!("hipGetLastError\t{shown}"), "{error}");
    }
}

#[test]
fn an_event_keeps_its_fence_unless_the_runtime_does_not_know_the_flag() {
    for (version, arrives) in [(50_200_000, "0x20000000"), (50_700_000, "0x0")] {
        let report = linked().run(&format!("runtime-version={version} hipEventCreateWithFlags=0x20000000"));
        let arrived = format!("libamdhip64.so.6: hipEventCreateWithFlags({arrives})");
        assert_eq!(report.lines[1], format!("hipEventCreateWithFlags=0x20000000\t0\t{arrived}"), "{version}");
    }
}

#[test]
fn fine_grained_device_memory_is_asked_for_as_default_on_request_where_the_runtime_would_refuse_it() {
    for (version, flags) in [(60_240_000, "0x0"), (60_443_000, "0x1")] {
        let process = linked().env("RMCP_DEVICE_FINEGRAINED", "auto");
        let report = process.run(&format!("runtime-version={version} hipExtMallocWithFlags=1"));
        let arrived = format!("libamdhip64.so.6: hipExtMallocWithFlags(0x1000, {flags})");
        assert_eq!(report.lines[1], format!("hipExtMallocWithFlags=1\t0\t{arrived}"), "{version}");
    }
}

#[test]
fn a_call_that_fails_returns_the_runtimes_error() {
    let report = linked().run("fail:hipHostMalloc=2 hipHostMalloc=0 hipGetLastError");
    assert_eq!(report.lines[1], "hipHostMalloc=0\t2\tlibamdhip64.so.6: hipHostMalloc(0x1000, 0x80000000)");
    assert_eq!(report.lines[2], "hipGetLastError\t2");
}
