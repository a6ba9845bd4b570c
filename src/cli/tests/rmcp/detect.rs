//! `rmcp detect`: every machine its own message.

use crate::machine::{Card, Machine, NAVI10, NAVI21, RAPHAEL, json, repository, text};
use serde_json::Value;
use std::process::Command;

/// The names of the problems that are found, without what every machine of files has: no library beside this rmcp. Each
/// is on the page.
fn problems(command: &mut Command) -> Vec<String> {
    let page = std::fs::read_to_string(repository().join("docs/guide/trouble.md")).unwrap();
    let found = json(command);
    let ids = found["problems"].as_array().unwrap().iter().map(|problem| problem["id"].as_str().unwrap().to_owned());
    let ids: Vec<String> = ids.filter(|id| id != "rmcp-library").collect();
    assert!(ids.iter().all(|id| page.contains(&format!("`{id}`"))), "{ids:?}");
    ids
}

/// The fix of one problem.
fn fix(command: &mut Command, id: &str) -> String {
    let found = json(command);
    let problem = found["problems"].as_array().unwrap().iter().find(|problem| problem["id"] == id).cloned();
    problem.unwrap_or_else(|| panic!("{id} is not in {found:#}"))["fix"].as_str().unwrap().to_owned()
}

/// A machine on which all is well.
fn sound() -> Machine {
    Machine::with_cards(&[&NAVI10]).with_rocm("opt/rocm-6.4.3", "6.4.3", "6.4.60403")
}

#[test]
fn a_sound_machine_has_no_problem_and_shows_its_card() {
    let machine = sound()
        .file("usr/share/libdrm/amdgpu.ids", "731F,\tCA,\tAMD Radeon RX 5600 XT\n")
        .file("sys/bus/pci/devices/0000:03:00.0/revision", "0xca\n")
        .file("sys/bus/pci/devices/0000:03:00.0/mem_info_vis_vram_total", "268435456\n");
    assert_eq!(problems(&mut machine.detect()), [""; 0]);
    let found = json(&mut machine.detect());
    let card = &found["cards"][0];
    for (field, expected) in [
        ("ordinal", 0.into()),
        ("target", Value::from("gfx1010")),
        ("family", "RDNA1".into()),
        ("reported", Value::Null),
        ("name", "AMD Radeon RX 5600 XT".into()),
        ("pci", "0000:03:00.0".into()),
        ("uuid", "GPU-1122334455667788".into()),
        ("vram_bytes", 6_425_673_728_u64.into()),
        ("large_bar", false.into()),
        ("visible_vram_bytes", (256 << 20).into()),
        ("atomics_missing", vec![false, false].into()),
        ("rules", "host=noncoherent managed=coarse event_fence=system".into()),
        ("idle", Value::Null),
    ] {
        assert_eq!(card[field], expected, "{field}");
    }
    assert_eq!(found["rocm"][0]["prefix"], "/opt/rocm-6.4.3");
    assert_eq!(found["rocm"][0]["release"], "6.4.3");
    assert_eq!(found["machine"]["kernel"], "6.12.38-amd64");
    let shown = text(&mut machine.detect());
    for expected in [
        "GPU 0: gfx1010 (AMD Radeon RX 5600 XT, navi10)",
        "6.0 GiB, 256.0 MiB of it in reach of the CPU (small BAR)",
        "host=noncoherent",
        "6.4.3 in /opt/rocm-6.4.3",
    ] {
        assert!(shown.contains(expected), "{expected}\n{shown}");
    }
}

#[test]
fn the_link_without_atomics_and_the_large_bar_are_shown() {
    let card = Card { link: 1 | 4 | 8, heap: 1, ..NAVI10 };
    let found = json(&mut Machine::with_cards(&[&card]).detect());
    assert_eq!(found["cards"][0]["atomics_missing"], Value::from(vec![true, true]));
    assert_eq!(found["cards"][0]["large_bar"], true);
}

#[test]
fn a_card_under_an_override_is_shown_with_both_names() {
    let machine = sound();
    let found = json(machine.detect().env("HSA_OVERRIDE_GFX_VERSION", "10.3.0"));
    assert_eq!(found["cards"][0]["target"], "gfx1010");
    assert_eq!(found["cards"][0]["reported"]["target"], "gfx1030");
    assert_eq!(found["cards"][0]["reported"]["by"], "HSA_OVERRIDE_GFX_VERSION=10.3.0");
}

#[test]
fn each_override_has_its_own_verdict() {
    let machine = sound();
    for (value, expected) in [
        ("10.3.0", "override-of-rdna1"),
        ("11.0.0", "override-of-another-generation"),
        ("10.1.0", "override-without-use"),
        ("gfx1030", "override-unreadable"),
    ] {
        assert_eq!(problems(machine.detect().env("HSA_OVERRIDE_GFX_VERSION", value)), [expected], "{value}");
        assert_eq!(problems(machine.detect().env("HSA_OVERRIDE_GFX_VERSION_1", value)), [expected], "{value}");
        assert_eq!(problems(machine.detect().env("HSA_OVERRIDE_GFX_VERSION_2", value)), [""; 0], "{value}");
    }
}

#[test]
fn every_card_has_its_rules_or_the_reason_why_not() {
    let navi31 = Card { node: 3, version: 110_000, chip: "navi31", bus: 0x20, ..NAVI10 };
    let machine = Machine::with_cards(&[&NAVI10, &RAPHAEL, &navi31]);
    let found = json(&mut machine.detect());
    assert_eq!(found["cards"][0]["idle"], Value::Null);
    assert!(found["cards"][1]["idle"].as_str().unwrap().starts_with("apu=keep"));
    assert_eq!(found["cards"][2]["idle"], "gfx1100 is neither RDNA1 nor RDNA2");
    let found = json(machine.detect().env("RMCP_DISABLE", "1"));
    assert!(found["cards"].as_array().unwrap().iter().all(|card| card["idle"] == "RMCP_DISABLE is set"));
    let found = json(machine.detect().env("RMCP_POLICY", "keep"));
    assert_eq!(found["cards"][0]["idle"], "policy=keep (environment variable RMCP_POLICY)");
}

#[test]
fn a_mask_shows_what_it_hides() {
    let machine = Machine::with_cards(&[&NAVI10, &NAVI21]).with_rocm("opt/rocm", "6.4.3", "6.4.60403");
    let found = json(machine.detect().env("ROCR_VISIBLE_DEVICES", "1"));
    assert_eq!(found["masks"][0]["hides"][0], "0000:03:00.0");
    assert_eq!(found["cards"][0]["ordinal"], Value::Null);
    assert_eq!(found["cards"][1]["ordinal"], 0);
    assert!(text(machine.detect().env("ROCR_VISIBLE_DEVICES", "1")).contains("Hidden: gfx1010"));
    assert_eq!(problems(machine.detect().env("ROCR_VISIBLE_DEVICES", "1")), [""; 0]);
    assert_eq!(problems(machine.detect().env("HIP_VISIBLE_DEVICES", "7")), ["masked"]);
}

#[test]
fn an_integrated_gpu_beside_a_card_is_to_be_hidden_by_the_cards_uuid() {
    let machine = Machine::with_cards(&[&NAVI10, &RAPHAEL]).with_rocm("opt/rocm", "6.4.3", "6.4.60403");
    let fix = fix(&mut machine.detect(), "integrated-gpu");
    assert!(fix.contains("ROCR_VISIBLE_DEVICES=GPU-1122334455667788"), "{fix}");
    assert_eq!(problems(machine.detect().env("ROCR_VISIBLE_DEVICES", "0")), [""; 0]);
}

#[test]
fn without_a_device_file_the_message_is_that_of_the_machine() {
    let without = || Machine::new().with_rocm("opt/rocm", "6.4.3", "6.4.60403");
    for (machine, expected) in [
        (without(), "no-card"),
        (without().on_the_bus(&NAVI10, None), "driver-not-loaded"),
        (without().on_the_bus(&NAVI10, Some("vfio-pci")), "card-of-a-virtual-machine"),
        (without().on_the_bus(&NAVI10, Some("amdgpu")).file("sys/module/amdgpu/refcnt", "1"), "kernel-without-kfd"),
        (without().file("proc/version", "Linux version 5.15.167.4-microsoft-standard-WSL2"), "wsl"),
        (without().on_the_bus(&NAVI10, None).file(".dockerenv", ""), "container-without-kfd"),
    ] {
        assert_eq!(problems(&mut machine.detect()), [expected]);
    }
}

#[test]
fn a_card_that_the_kfd_leaves_out_is_told_from_one_that_is_not_there() {
    let machine = || Machine::with_cards(&[]).with_rocm("opt/rocm", "6.4.3", "6.4.60403");
    assert_eq!(problems(&mut machine().detect()), ["no-card"]);
    assert_eq!(problems(&mut machine().on_the_bus(&NAVI10, Some("amdgpu")).detect()), ["card-not-in-kfd"]);
    let found = json(&mut machine().on_the_bus(&NAVI10, Some("amdgpu")).detect());
    assert_eq!(found["other_devices"][0]["driver"], "amdgpu");
}

#[test]
fn a_container_without_the_render_node_says_how_to_pass_it() {
    let machine = sound().without("dev/dri/renderD128").file(".dockerenv", "");
    assert!(fix(&mut machine.detect(), "card-unusable").contains("--device=/dev/dri"));
}

#[test]
fn without_permission_the_group_is_named_and_how_to_join_it() {
    let machine = sound().forbid("dev/kfd");
    let found = json(&mut machine.detect_as_alice());
    assert_eq!(found["machine"]["kfd"]["why_not"], "permission denied");
    let problem = &found["problems"][0];
    assert_eq!((&problem["id"], &problem["severity"]), (&"permission".into(), &"error".into()));
    assert!(problem["sources"][0].as_str().unwrap().starts_with("https://github.com/"), "{problem}");
}

#[test]
fn a_forbidden_render_node_is_told_where_the_kfd_is_open() {
    let machine = sound().forbid("dev/dri/renderD128");
    std::fs::set_permissions(machine.path("dev/kfd"), std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
    let found = json(&mut machine.detect_as_alice());
    assert_eq!(found["cards"][0]["render"]["why_not"], "permission denied");
    assert!(found["problems"][0]["what"].as_str().unwrap().contains("/dev/dri/renderD128"), "{found:#}");
}

#[test]
fn rocm_missing_doubled_or_in_a_framework_alone_are_three_messages() {
    let cards = || Machine::with_cards(&[&NAVI10]);
    assert_eq!(problems(&mut cards().detect()), ["no-rocm"]);
    let twice =
        cards().with_rocm("opt/rocm-6.4.3", "6.4.3", "6.4.60403").with_rocm("opt/rocm-7.2.4", "7.2.4", "7.2.70204");
    assert_eq!(problems(&mut twice.detect()), ["several-runtimes"]);
    let wheel = cards().with_torch(Some("6.2.41133")).runtime("usr/lib/python3/dist-packages/torch/lib", "6.2.41133");
    assert_eq!(problems(&mut wheel.detect()), ["rocm-only-in-a-framework"]);
    let found = json(&mut wheel.detect());
    assert_eq!(found["frameworks"][0]["built_for"], "ROCm 6.2");
    assert_eq!(found["frameworks"][0]["runtime"], "/usr/lib/python3/dist-packages/torch/lib/libamdhip64.so.6.2.41133");
}

#[test]
fn frameworks_without_rocm_say_so_and_what_to_do() {
    assert_eq!(problems(&mut sound().with_torch(None).detect()), ["framework-without-rocm"]);
    let without_runtime = Machine::with_cards(&[&NAVI10]).with_torch(Some("6.2.41133"));
    assert_eq!(problems(&mut without_runtime.detect()), ["framework-without-runtime", "no-rocm"]);
}

#[test]
fn what_goes_past_rmcp_is_told_with_the_runtime_and_the_framework_that_it_is_about() {
    let jax = |runtime: &str| {
        let package = "usr/lib/python3/dist-packages/jax_rocm60_plugin";
        let machine = sound().file("usr/bin/python3", "").file("usr/lib/python3.13/os.py", "");
        machine.file(&format!("{package}/__init__.py"), "").runtime(package, runtime)
    };
    let past = |command: &mut Command| {
        let found = json(command);
        let lines = found["rmcp"]["past"].as_array().unwrap().iter();
        lines.map(|line| line.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let always = "programs that are statically linked, linked with musl, or 32-bit";
    let machine = jax("6.4.60403");
    assert_eq!(past(&mut machine.detect()), [always]);
    assert_eq!(problems(&mut machine.detect()), ["several-runtimes"]);

    let lines = past(machine.detect().env("RMCP_DISPATCH_TABLE", "off"));
    assert!(lines.len() == 3 && lines[..2].iter().all(|line| line.ends_with("dispatch_table is off")), "{lines:?}");
    let found = problems(machine.detect().env("RMCP_DISPATCH_TABLE", "off"));
    assert_eq!(found, ["framework-past-rmcp", "several-runtimes"]);

    let machine = jax("5.7.50701");
    let lines = past(&mut machine.detect());
    let runtime = "with /usr/lib/python3/dist-packages/jax_rocm60_plugin/libamdhip64.so.5.7.50701: before ROCm 6";
    assert!(lines.len() == 2 && lines[0].contains("dlsym") && lines[0].contains(runtime), "{lines:?}");
    assert_eq!(problems(&mut machine.detect()), ["framework-past-rmcp", "several-runtimes"]);
    let fix = fix(&mut machine.detect(), "framework-past-rmcp");
    assert!(fix.contains("ROCm 6 or later"), "{fix}");
    assert!(text(&mut machine.detect()).contains("past it"));
}

#[test]
fn libraries_of_another_release_in_front_of_a_frameworks_own_are_told() {
    let machine = Machine::with_cards(&[&NAVI10])
        .with_torch(Some("6.2.41133"))
        .runtime("usr/lib/python3/dist-packages/torch/lib", "6.2.41133")
        .with_rocm("opt/rocm-7.2.4", "7.2.4", "7.2.70204");
    let found = problems(machine.detect().env("LD_LIBRARY_PATH", "/opt/rocm-7.2.4/lib"));
    assert_eq!(found, ["mixed-runtimes", "several-runtimes"]);
}

#[test]
fn variables_that_change_nothing_are_named() {
    assert_eq!(problems(sound().detect().env("HIP_HOST_COHERENT", "0")), ["variable-without-effect"]);
    let found = json(sound().detect().env("HIP_HOST_COHERENT", "0"));
    assert_eq!(found["environment"][0]["name"], "HIP_HOST_COHERENT");
}

#[test]
fn an_allocator_option_that_pytorch_ignores_is_told_for_the_builds_that_do() {
    let wheel = |hip| {
        let machine = Machine::with_cards(&[&NAVI10]).with_torch(Some(hip));
        machine.runtime("usr/lib/python3/dist-packages/torch/lib", hip)
    };
    let found = |machine: &Machine| {
        problems(machine.detect().env("PYTORCH_HIP_ALLOC_CONF", "expandable_segments:True,max_split_size_mb:128"))
    };
    assert_eq!(found(&wheel("6.2.41133")), ["expandable-segments", "rocm-only-in-a-framework"]);
    assert_eq!(found(&wheel("7.1.25424")), ["rocm-only-in-a-framework"]);
}

#[test]
fn a_mistake_in_the_configuration_is_a_problem() {
    let machine = sound();
    assert_eq!(problems(machine.detect().env("RMCP_HOST", "kep")), ["rmcp-configuration"]);
}

#[test]
fn the_out_of_tree_driver_is_named_by_its_version() {
    let shown = text(&mut sound().file("sys/module/amdgpu/version", "6.16.6\n").detect());
    assert!(shown.contains("amdgpu 6.16.6, AMD's own (DKMS)"), "{shown}");
}

#[test]
fn a_broken_library_is_not_called_loadable() {
    let machine = sound().file("lib/librmcp.so", "no library").file("lib/librmcp_core.so", "no library");
    let found = json(machine.detect().env("RMCP_LIBRARY", machine.path("lib/librmcp.so")));
    let why = found["rmcp"]["library_problem"].as_str().unwrap();
    assert!(why.contains("cannot be preloaded"), "{why}");
}

#[test]
fn a_runtime_whose_queues_linux_refuses_is_told_with_kernel_release_and_numbers() {
    let with = |card, release| Machine::with_cards(&[card]).with_rocm("opt/rocm", release, "7.14.0");
    let machine = with(&NAVI10, "10.0.0");
    assert_eq!(problems(&mut machine.detect()), ["no-kernel-starts"]);
    let problem = json(&mut machine.detect())["problems"][0].clone();
    assert_eq!(problem["severity"], "error");
    let what = problem["what"].as_str().unwrap();
    for part in
        ["gfx1010 with ROCm 10.0.0 in /opt/rocm", "40 against 32 waves", "Linux 6.12.38", "Freezing the executable"]
    {
        assert!(what.contains(part), "{part}: {what}");
    }
    assert!(fix(&mut machine.detect(), "no-kernel-starts").starts_with("Start programs with rmcp-run"));
    let off = fix(machine.detect().env("RMCP_SAVE_AREA", "off"), "no-kernel-starts");
    assert!(off.ends_with("RMCP does not mend it: save_area=off"), "{off}");
    let older = with(&NAVI10, "10.0.0").file("proc/sys/kernel/osrelease", "6.11.2\n");
    for near in [with(&NAVI21, "10.0.0"), with(&NAVI10, "7.2.4"), with(&NAVI10, "10.2.0"), older] {
        assert_eq!(problems(&mut near.detect()), [""; 0]);
    }
}
