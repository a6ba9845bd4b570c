//! `rmcp doctor -v`: what it reads of a machine, and what it leaves unknown.

use crate::machine::{Machine, NAVI10, RAPHAEL, parsed};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

/// Values and place of each fact; those of a card begin with its number.
type Seen = BTreeMap<String, (Vec<String>, String)>;

fn seen(command: &mut Command) -> Seen {
    let found = parsed(&command.args(["-v", "--json"]).output().unwrap());
    let fact = |fact: &Value| {
        let card = fact["card"].as_u64().map_or_else(String::new, |number| format!("{number}."));
        let values = fact["values"].as_array().unwrap().iter().map(|value| value.as_str().unwrap().to_owned());
        let place = fact["from"].as_str().unwrap().to_owned();
        (format!("{card}{}", fact["name"].as_str().unwrap()), (values.collect(), place))
    };
    found["facts"].as_array().unwrap().iter().map(fact).collect()
}

/// The values of facts, with blanks between them; "?" for what is not known, "-" for what is absent.
fn values(seen: &Seen, names: &[&str]) -> Vec<String> {
    let value = |name: &&str| match seen.get(*name) {
        None => "?".to_owned(),
        Some((values, _)) if values.is_empty() => "-".into(),
        Some((values, _)) => values.join(" "),
    };
    names.iter().map(value).collect()
}

fn facts(machine: &Machine, names: &[&str]) -> Vec<String> {
    values(&seen(&mut machine.doctor(&[])), names)
}

/// A card's place in /sys.
const CARD: &str = "sys/bus/pci/devices/0000:03:00.0";

#[test]
fn the_error_of_a_device_file_is_told_by_the_systems_name() {
    let names = ["kfd.open", "0.card.render_open"];
    assert_eq!(facts(&Machine::with_cards(&[&NAVI10]), &names), ["ok", "ok"]);
    assert_eq!(facts(&Machine::with_cards(&[&NAVI10]).without("dev/kfd"), &names), ["ENOENT", "ok"]);
    let folder = Machine::with_cards(&[&NAVI10]).without("dev/kfd").file("dev/kfd/x", "");
    assert_eq!(facts(&folder, &names), ["EISDIR", "ok"]);
}

#[test]
fn the_kernels_marks_and_the_kernels_that_came_after_it_are_told() {
    let names = ["kernel.tainted", "kernel.modules", "kernel.installed_since_boot"];
    assert_eq!(facts(&Machine::new(), &names), ["?", "?", "?"]);
    let booted = |seconds: u64| {
        Machine::new()
            .file("proc/sys/kernel/tainted", "12288\n")
            .file("proc/stat", format!("cpu 1 2 3\nbtime {seconds}\n"))
            .file("usr/lib/modules/6.12.38-amd64/modules.dep", "")
            .file("usr/lib/modules/6.16.1-amd64/modules.dep", "")
            .file("usr/lib/modules/6.17-broken/build", "")
    };
    assert_eq!(facts(&booted(1_000_000_000), &names), ["O E", "yes", "6.16.1-amd64"]);
    // The files of this machine are not from the future.
    assert_eq!(facts(&booted(9_000_000_000), &names), ["O E", "yes", "-"]);
    let gone = booted(1_000_000_000).without("usr/lib/modules/6.12.38-amd64/modules.dep");
    assert_eq!(facts(&gone.file("proc/sys/kernel/tainted", "0\n"), &names), ["-", "no", "6.16.1-amd64"]);
    // A container has no kernels, and says nothing of the machine's.
    assert_eq!(facts(&booted(1_000_000_000).file(".dockerenv", ""), &names), ["O E", "?", "?"]);
}

#[test]
fn the_driver_is_told_with_its_parameters_its_build_by_dkms_and_what_keeps_it_away() {
    let names = ["amdgpu.parameter.cwsr_enable", "amdgpu.dkms", "amdgpu.dkms_versions", "amdgpu.dkms_built"];
    let own = Machine::with_cards(&[&NAVI10]).file("sys/module/amdgpu/parameters/cwsr_enable", "1\n");
    assert_eq!(facts(&own, &names), ["1", "no", "-", "?"]);
    let tree = own.file("var/lib/dkms/amdgpu/6.16.6-2255209.24.04/source", "");
    assert_eq!(facts(&tree, &names), ["1", "yes", "6.16.6-2255209.24.04", "no"]);
    let built = tree.file("lib/modules/6.12.38-amd64/updates/dkms/amdgpu.ko.zst", "");
    assert_eq!(facts(&built, &names), ["1", "yes", "6.16.6-2255209.24.04", "yes"]);

    let blacklisted = |machine: &Machine| facts(machine, &["amdgpu.blacklisted"]).remove(0);
    assert_eq!(blacklisted(&Machine::new().file("proc/cmdline", "modprobe.blacklist=nouveau")), "-");
    let line = Machine::new().file("proc/cmdline", "quiet module_blacklist=nouveau,amdgpu");
    assert_eq!(blacklisted(&line), "module_blacklist=nouveau,amdgpu");
    let file = |text: &str| Machine::new().file("usr/lib/modprobe.d/gpu.conf", text);
    assert_eq!(blacklisted(&file("# blacklist amdgpu\nblacklist amdgpu_xcp\n")), "-");
    let listed = file("# GPUs\nblacklist  amdgpu\n");
    assert_eq!(seen(&mut listed.doctor(&[]))["amdgpu.blacklisted"].1, "/usr/lib/modprobe.d/gpu.conf, line 2");
    // The administrator's file of the same name takes its place.
    assert_eq!(blacklisted(&listed.file("etc/modprobe.d/gpu.conf", "")), "-");
}

#[test]
fn secure_boot_is_told_by_the_firmware_and_is_unknown_where_it_cannot_be_read() {
    let names = ["system.secure_boot"];
    let variable = "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";
    assert_eq!(facts(&Machine::new().file(variable, [6, 0, 0, 0, 1]), &names), ["yes"]);
    assert_eq!(facts(&Machine::new().file(variable, [6, 0, 0, 0, 0]), &names), ["no"]);
    assert_eq!(facts(&Machine::new().file(variable, [6, 0]), &names), ["?"]);
    assert_eq!(facts(&Machine::new().file("sys/firmware/efi/efivars/Boot0000", ""), &names), ["?"]);
    assert_eq!(facts(&Machine::new().file("sys/firmware/dmi/x", ""), &names), ["no"]);
    assert_eq!(facts(&Machine::new(), &names), ["?"]);
}

#[test]
fn a_virtual_machine_its_memory_and_the_limit_for_gpus_are_told() {
    let names = ["system.hypervisor", "memory.total_mib", "memory.swap_mib", "memory.ttm_limit_mib"];
    let machine = |flags: &str| {
        Machine::new()
            .file("proc/cpuinfo", format!("processor : 0\nflags : fpu {flags}\n"))
            .file("sys/class/dmi/id/sys_vendor", "QEMU\n")
            .file("proc/meminfo", "MemTotal: 32768000 kB\nSwapTotal: 0 kB\n")
            .file("sys/module/ttm/parameters/pages_limit", "25165824\n")
    };
    assert_eq!(facts(&machine("hypervisor sse"), &names), ["qemu", "32000", "0", "98304"]);
    // Without the processor's word it is the maker of something else.
    assert_eq!(facts(&machine("sse"), &names)[0], "-");
    assert_eq!(facts(&machine("hypervisor").without("sys/class/dmi/id/sys_vendor"), &names)[0], "unknown");
    assert_eq!(facts(&Machine::new(), &names), ["?", "?", "?", "?"]);
}

#[test]
fn a_cards_link_memory_firmware_and_screens_are_told_and_another_cards_are_not_taken() {
    let names = ["0.card.link_width", "0.card.link_gts_most", "0.card.bar_mib", "0.card.gtt_mib", "0.card.displays"];
    let machine = Machine::with_cards(&[&NAVI10, &RAPHAEL]);
    assert_eq!(facts(&machine, &names), ["?", "?", "?", "?", "?"]);
    let machine = machine
        .file(&format!("{CARD}/current_link_width"), "4\n")
        .file(&format!("{CARD}/max_link_speed"), "16.0 GT/s PCIe\n")
        .file(&format!("{CARD}/mem_info_vis_vram_total"), "268435456\n")
        .file(&format!("{CARD}/mem_info_gtt_total"), "garbage\n")
        .file(&format!("{CARD}/drm/card0/card0-DP-1/status"), "connected\n")
        .file(&format!("{CARD}/drm/card0/card0-DP-2/status"), "disconnected\n")
        .file(&format!("{CARD}/fw_version/mec_fw_version"), "0x0000009c\n")
        .file(&format!("{CARD}/fw_version/mes_fw_version"), "0x00000000\n");
    let seen = seen(&mut machine.doctor(&[]));
    assert_eq!(values(&seen, &names), ["4", "16.0", "256", "?", "1"]);
    let others = ["1.card.link_width", "0.card.mec_firmware", "0.card.mes_firmware", "1.card.mec_firmware"];
    assert_eq!(values(&seen, &others), ["?", "156", "?", "?"]);
    let debugfs = Machine::with_cards(&[&NAVI10]).file(
        "sys/kernel/debug/dri/128/amdgpu_firmware_info",
        "ME feature version: 49, firmware version: 0x00000065\nMEC feature version: 49, firmware version: 0x00000091\n\
         SDMA0 feature version: 52, firmware version: 0x00000000\n",
    );
    let names = ["0.card.mec_firmware", "0.card.me_firmware", "0.card.sdma0_firmware"];
    assert_eq!(facts(&debugfs, &names), ["145", "101", "?"]);
}

#[test]
fn variables_that_files_set_are_found_and_the_environments_are_traced_to_them() {
    let machine = Machine::with_cards(&[&NAVI10])
        .file("home/alice/.bashrc", "alias ll='ls -l'\n\nexport HSA_OVERRIDE_GFX_VERSION=10.3.0\n")
        .file(
            "etc/systemd/system/ollama.service.d/gpu.conf",
            "[Service]\nEnvironment=\"HSA_OVERRIDE_GFX_VERSION=10.1.0\"\n",
        )
        .file("etc/environment", "HIP_VISIBLE_DEVICES=\"0\"\n");
    let alice = |value: &str| {
        let mut command = machine.doctor(&[]);
        command.env("HOME", "/home/alice").env("HSA_OVERRIDE_GFX_VERSION", value);
        seen(&mut command)
    };
    let names =
        ["configured.HSA_OVERRIDE_GFX_VERSION", "configured.HIP_VISIBLE_DEVICES", "override.configured_readable"];
    let found = alice("10.3.0");
    assert_eq!(values(&found, &names), ["10.1.0 10.3.0", "0", "yes"]);
    let place = &found["override.value"].1;
    assert!(place.contains("/home/alice/.bashrc, line 3"), "{place}");
    assert!(!alice("10.1.1")["override.value"].1.contains(".bashrc"));
    // Another user's files are not read.
    let mut bob = machine.doctor(&[]);
    assert_eq!(values(&seen(bob.env("HOME", "/home/bob")), &names), ["10.1.0", "0", "yes"]);
    fs::write(machine.path("etc/environment"), "HSA_OVERRIDE_GFX_VERSION=gfx1030\n").unwrap();
    let found = seen(&mut machine.doctor(&[]));
    assert_eq!(found["override.configured_readable"], (vec!["no".to_owned()], "/etc/environment, line 1".to_owned()));
}

#[test]
fn other_preloaded_libraries_and_runtimes_on_the_loaders_paths_are_told() {
    let names = ["preload.others", "loader.path_runtime", "loader.configured_runtime"];
    let machine = Machine::new().with_rocm("opt/rocm-6.4.3", "6.4.3", "6.4.60403");
    assert_eq!(facts(&machine, &names), ["-", "-", "-"]);
    let machine = machine
        .file("etc/ld.so.preload", "/usr/lib/libguard.so /usr/lib/rmcp/librmcp.so\n# /usr/lib/libold.so\n")
        .file("etc/ld.so.conf", "include /etc/ld.so.conf.d/*.conf\n")
        .file("etc/ld.so.conf.d/rocm.conf", "/opt/rocm-6.4.3/lib\n");
    let mut command = machine.doctor(&[]);
    let found = seen(command.env("LD_LIBRARY_PATH", "/usr/lib:/opt/rocm-6.4.3/lib"));
    let runtime = "/opt/rocm-6.4.3/lib/libamdhip64.so.6.4.60403";
    assert_eq!(values(&found, &names), ["/usr/lib/libguard.so", runtime, runtime]);
}

#[test]
fn what_is_well_is_one_line_and_with_all_each_problem_says_what_became_of_it() {
    let machine = Machine::with_cards(&[&NAVI10]).with_rocm("opt/rocm-6.4.3", "6.4.3", "6.4.60403");
    let output = machine.doctor(&[]).output().unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    let well = shown.lines().find(|line| line.starts_with("Well:")).unwrap();
    for words in ["Linux 6.12.38-amd64", "/dev/kfd opens", "render node of gfx1010", "ROCm 6.4.3"] {
        assert!(well.contains(words), "{well}");
    }
    // RDNA1's queues are not as Linux takes them.
    assert!(!well.contains("queues"), "{well}");

    let refused = machine.without("dev/kfd");
    let found = parsed(&refused.doctor(&["--all", "--json"]).output().unwrap());
    let outcome = |id: &str| {
        let all = found["problems"].as_array().unwrap().iter();
        all.filter(|problem| problem["id"] == id).map(|problem| problem["outcome"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(outcome("kfd.not-in-kernel"), ["found"]);
    assert_eq!(outcome("kfd.permission"), ["ruled-out"]);
    assert_eq!(outcome("library.bundle-target").len(), 1);
    assert_eq!(outcome("kernel.queue-preemption"), ["wants-log"]);
    assert_eq!(outcome("rocm.hip-number"), ["words-alone"]);
    assert!(!found["well"].as_array().unwrap().contains(&Value::from("/dev/kfd opens")));
}

#[test]
fn a_problem_that_a_file_of_the_machine_proves_is_found_with_that_files_place() {
    let driverless = || Machine::new().on_the_bus(&NAVI10, None);
    let evidence = |machine: &Machine, id: &str| {
        let found = parsed(&machine.doctor(&["--json"]).output().unwrap());
        let findings = found["findings"].as_array().unwrap().iter().filter(|finding| finding["id"] == id).cloned();
        findings.map(|finding| finding["evidence"].to_string()).next()
    };
    let listed = driverless().file("etc/modprobe.d/gpu.conf", "blacklist amdgpu\n");
    assert!(evidence(&listed, "kfd.driver-not-loaded").unwrap().contains("/etc/modprobe.d/gpu.conf, line 1"));
    assert!(!evidence(&driverless(), "kfd.driver-not-loaded").unwrap().contains("modprobe.d/gpu"));
    let loaded = Machine::with_cards(&[&NAVI10]).file("etc/modprobe.d/gpu.conf", "blacklist amdgpu\n");
    assert_eq!(evidence(&loaded, "kfd.driver-not-loaded"), None);

    let tree = |machine: Machine| machine.file("var/lib/dkms/amdgpu/6.16.6/source", "");
    assert!(evidence(&tree(driverless()), "kernel.dkms-build").is_some());
    assert_eq!(evidence(&tree(Machine::with_cards(&[&NAVI10])), "kernel.dkms-build"), None);
    let built = tree(driverless()).file("lib/modules/6.12.38-amd64/updates/dkms/amdgpu.ko.xz", "");
    assert_eq!(evidence(&built, "kernel.dkms-build"), None);

    let set = |value: &str| {
        let line = format!("HSA_OVERRIDE_GFX_VERSION={value}\n");
        Machine::with_cards(&[&NAVI10]).file("etc/environment", line)
    };
    assert!(evidence(&set("10.3"), "override.unreadable-in-file").unwrap().contains("/etc/environment, line 1"));
    assert_eq!(evidence(&set("\"10.1.0\""), "override.unreadable-in-file"), None);
}
