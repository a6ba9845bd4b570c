//! `rmcp doctor`: it finds what a machine has, and nothing on healthy ones.

use crate::machine::{Card, Machine, NAVI10, NAVI21, RAPHAEL, failure, parsed, rmcp};
use serde_json::Value;
use std::fs;
use std::process::Command;

/// A machine on which all is well: an RX 5600 XT, ROCm 6.4.3.
fn sound() -> Machine {
    Machine::with_cards(&[&NAVI10]).with_rocm("opt/rocm-6.4.3", "6.4.3", "6.4.60403")
}

/// What is found, without what every machine of files has: no librmcp.so beside this rmcp.
fn findings(command: &mut Command) -> Vec<Value> {
    let found = parsed(&command.arg("--json").output().unwrap());
    let findings = found["findings"].as_array().unwrap().iter();
    findings.filter(|finding| finding["id"] != "library.rmcp").cloned().collect()
}

/// The names of what is found, those that are but possible with a question mark.
fn names(command: &mut Command) -> Vec<String> {
    let name = |finding: &Value| {
        let possible = if finding["certainty"] == "possible" { "?" } else { "" };
        format!("{}{possible}", finding["id"].as_str().unwrap())
    };
    findings(command).iter().map(name).collect()
}

/// The same with a program's log.
fn names_with_log(machine: &Machine, log: &str) -> Vec<String> {
    fs::write(machine.path("log"), log).unwrap();
    names(machine.doctor(&[]).arg("--log").arg(machine.path("log")))
}

fn card(version: u32, device_id: u32) -> Card {
    Card { version, device_id, chip: "chip", ..NAVI10 }
}

#[test]
fn nothing_is_found_on_healthy_machines() {
    let strix = Card { cpu_cores: 16, heap: 1, ..card(110_501, 0x1586) };
    let machines = [
        ("RX 5600 XT", sound().kernel("5.15.0-105-generic")),
        ("RX 5700 XT on 6.12", sound()),
        ("RX 6600", Machine::with_cards(&[&card(100_302, 0x73ff)]).with_rocm("opt/rocm-6.2.4", "6.2.4", "6.2.60204")),
        ("RX 6700 XT and the processor's", {
            let own = Card { node: 1, ..card(100_301, 0x73df) };
            Machine::with_cards(&[&own, &RAPHAEL]).with_rocm("opt/rocm-7.2.4", "7.2.4", "7.2.70204").kernel("6.17.1")
        }),
        (
            "RX 6900 XT on Fedora",
            Machine::with_cards(&[&NAVI21]).with_rocm("usr", "6.4.2", "6.4.43484").kernel("6.16.9-200.fc42.x86_64"),
        ),
        (
            "RX 7900 XTX",
            Machine::with_cards(&[&card(110_000, 0x744c)]).with_rocm("opt/rocm-7.0.2", "7.0.2", "7.0.70002"),
        ),
        ("MI250", Machine::with_cards(&[&card(90_010, 0x740c)]).with_rocm("opt/rocm-6.4.3", "6.4.3", "6.4.60403")),
        (
            "Strix Halo",
            Machine::with_cards(&[&strix]).with_rocm("opt/rocm-7.2.4", "7.2.4", "7.2.70204").kernel("6.17.9"),
        ),
        ("a container", sound().file(".dockerenv", "")),
        ("WSL2 without a card", Machine::new().file("proc/version", "Linux version 5.15 microsoft-standard-WSL2")),
        ("no GPU", Machine::new()),
        ("NVIDIA alone", {
            let at = "sys/bus/pci/devices/0000:01:00.0";
            Machine::new()
                .file(&format!("{at}/vendor"), "0x10de\n")
                .file(&format!("{at}/class"), "0x030000\n")
                .with_torch(None)
        }),
    ];
    for (name, machine) in machines {
        let found = names(&mut machine.doctor(&[]));
        // That a machine has no AMD card, or its ROCm no card to serve, is what it says of those alone.
        let said: Vec<&String> =
            found.iter().filter(|id| !["kernel.wsl", "card.absent", "rocm.absent"].contains(&id.as_str())).collect();
        assert!(said.is_empty(), "{name}: {found:?}");
    }
}

#[test]
fn a_machine_that_has_a_problem_is_told_it_and_one_that_nearly_has_it_is_not() {
    let waves = |release: &str, runtime: &str| Machine::with_cards(&[&NAVI10]).with_rocm("opt/rocm", release, runtime);
    let rows: Vec<(&str, Machine, Machine)> = vec![
        ("rocm.save-area-rdna1", waves("10.0.0", "7.15.0"), waves("10.0.0", "7.15.0").kernel("6.11.9")),
        (
            "library.rdna1-links",
            {
                let machine = sound().file("opt/rocm-6.4.3/lib/rocblas/library/TensileLibrary_lazy_gfx1030.dat", "");
                let link = machine.path("opt/rocm-6.4.3/lib/rocblas/library/TensileLibrary_lazy_gfx1010.dat");
                std::os::unix::fs::symlink("TensileLibrary_lazy_gfx1030.dat", link).unwrap();
                machine
            },
            sound()
                .file("opt/rocm-6.4.3/lib/rocblas/library/TensileLibrary_lazy_gfx1030.dat", "")
                .file("opt/rocm-6.4.3/lib/rocblas/library/TensileLibrary_lazy_gfx1010.dat", ""),
        ),
        (
            "kernel.gtt-size",
            sound().file("proc/cmdline", "quiet amdgpu.gtt_size=8192\n"),
            sound().file("proc/cmdline", "quiet\n"),
        ),
        ("package.gpu-doctor", package(sound(), "gpu_doctor", "1.0.0"), package(sound(), "gpu_doctoring", "1.0.0")),
        (
            "package.placeholder",
            package(sound(), "rocm_sdk_device_gfx1010", "0.0.1.dev0"),
            package(sound(), "rocm_sdk_device_gfx1010", "7.14.0"),
        ),
    ];
    for (id, sick, nearly) in rows {
        assert!(names(&mut sick.doctor(&[])).contains(&id.to_owned()), "{id}: {:?}", names(&mut sick.doctor(&[])));
        assert!(!names(&mut nearly.doctor(&[])).contains(&id.to_owned()), "{id} is found where it is not");
    }
}

/// With a package of the machine's Python.
fn package(machine: Machine, name: &str, version: &str) -> Machine {
    let metadata = format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n");
    machine
        .with_torch(Some("6.4.43484"))
        .file(&format!("usr/lib/python3/dist-packages/{name}-{version}.dist-info/METADATA"), metadata)
}

#[test]
fn the_same_words_of_a_log_have_the_cause_that_the_machine_has() {
    let log = "hsa api call failure at: /src/rocminfo.cc:1306\nCall returned HSA_STATUS_ERROR_OUT_OF_RESOURCES: no resources\n";
    let first = |machine: &Machine, log: &str| names_with_log(machine, log).first().cloned();
    let queue = Machine::with_cards(&[&NAVI10]).with_rocm("opt/rocm", "10.0.0", "7.15.0");
    assert_eq!(
        first(&queue, &format!("Freezing the executable failed\n{log}")).as_deref(),
        Some("rocm.save-area-rdna1")
    );
    assert_eq!(names_with_log(&sound(), "epoch 1 loss 0.5\nall is well\n"), [""; 0]);
    let override_set = |value: &str| {
        let machine = sound();
        fs::write(machine.path("log"), log).unwrap();
        names(machine.doctor(&[]).arg("--log").arg(machine.path("log")).env("HSA_OVERRIDE_GFX_VERSION", value))
    };
    assert!(override_set("\"10.1.0\"").contains(&"override.unreadable".to_owned()), "{:?}", override_set("\"10.1.0\""));
    assert!(!override_set("10.1.0").contains(&"override.unreadable".to_owned()));
}

#[test]
fn evidence_names_the_line_and_the_file_and_the_fix_names_the_card() {
    let machine = Machine::with_cards(&[&card(100_102, 0x7340)]).with_rocm("opt/rocm-7.2.1", "7.2.1", "7.2.70201");
    let line = "rocBLAS error: Cannot read /TensileLibrary.dat: Illegal seek for GPU arch : gfx1012";
    fs::write(machine.path("log"), format!("one\ntwo\n{line}\n")).unwrap();
    let output = machine.doctor(&[]).arg("--log").arg(machine.path("log")).output().unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(shown.contains(&format!("{line} (the log, line 3)")), "{shown}");
    assert!(shown.contains("rocm.release is 7.2.1 (/opt/rocm-7.2.1)"), "{shown}");
    assert!(!shown.contains("{target}"), "{shown}");
}

#[test]
fn the_exit_status_is_that_of_the_worst_that_is_certain() {
    let status = |machine: &Machine| machine.doctor(&[]).output().unwrap().status.code();
    // Without a librmcp.so beside it, as in this build, a warning is there already.
    assert_eq!(status(&Machine::with_cards(&[&NAVI10]).with_rocm("opt/rocm", "10.0.0", "7.15.0")), Some(2));
    assert!(status(&sound()) < Some(2));
}

#[test]
fn a_log_that_cannot_be_read_and_words_that_nothing_fits_are_said() {
    let message = failure(sound().doctor(&["--log", "/nonexistent"]).env("LC_ALL", "C"), 3);
    assert!(message.contains("cannot read the log /nonexistent"), "{message}");
    let found = parsed(&rmcp(["doctor", "--symptom", "xyzzy", "--json"]).output().unwrap());
    assert_eq!(found["findings"], Value::Array(Vec::new()));
    let found = parsed(&rmcp(["doctor", "--symptom", "gpu doctor sets an override", "--json"]).output().unwrap());
    assert_eq!(found["findings"][0]["id"], "package.gpu-doctor");
}

#[test]
fn a_problem_is_explained_by_each_of_its_names_and_a_misspelt_one_names_the_nearest() {
    for name in ["override.unreadable", "K53"] {
        let found = parsed(&rmcp(["explain", "problem", name, "--json"]).output().unwrap());
        assert_eq!(found["findings"][0]["id"], "override.unreadable");
        assert_eq!(found["findings"][0]["certainty"], Value::Null);
    }
    let message = failure(&mut rmcp(["explain", "problem", "override.unreadible"]), 1);
    assert!(message.contains("override.unreadable"), "{message}");
}

#[test]
fn a_report_is_diagnosed_elsewhere_as_here_and_holds_no_names_and_secrets() {
    let machine = Machine::with_cards(&[&card(100_102, 0x7340)])
        .with_rocm("opt/rocm-6.4.3", "6.4.3", "6.4.60403")
        .file("proc/sys/kernel/hostname", "tower\n");
    let line = "rocBLAS error: Cannot read /home/zoe/TensileLibrary.dat: Illegal seek for GPU arch : gfx1012";
    fs::write(machine.path("log"), format!("zoe@tower HF_TOKEN=hf_abcdef 10.1.2.3\n{line}\nthe end of zoe's log\n"))
        .unwrap();
    let report = machine.path("report.json.gz");
    let here = names(machine.doctor(&[]).arg("--log").arg(machine.path("log")).arg("--report").arg(&report).envs([
        ("USER", "zoe"),
        ("HOME", "/home/zoe"),
        ("WANDB_API_KEY", "sesame"),
        ("HSA_XNACK", "0"),
    ]));
    assert!(here.contains(&"library.rocblas-files".to_owned()), "{here:?}");
    let elsewhere = names(rmcp(["doctor", "--from"]).arg(&report));
    assert_eq!(elsewhere, here);
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(fs::File::open(&report).unwrap()), &mut text)
        .unwrap();
    for secret in ["zoe", "tower", "hf_abcdef", "10.1.2.3", "sesame", "WANDB", "1122334455667788"] {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
    assert!(text.contains("env.HSA_XNACK") && text.contains("the end of USER's log"), "{text}");
    let message = failure(rmcp(["doctor", "--from"]).arg(machine.path("log")), 3);
    assert!(message.contains("cannot read") && message.contains("log"), "{message}");
}

/// A table of one problem that a machine with a log line has.
fn one_problem(version: &str) -> String {
    format!(
        "version = \"{version}\"\n[[problem]]\nid = \"app.strange\"\ntitle = \"Strange\"\nseverity = \"error\"\ncause = \"c\"\nfix = \"f\"\n\
         apply = \"advice\"\nconfidence = \"C\"\nsources = [\"s\"]\n[[problem.sign]]\nlog = [\"strange words\"]\n"
    )
}

#[test]
fn a_newer_table_is_used_until_it_is_taken_away_and_an_older_one_only_by_force() {
    let machine = sound();
    let data = tempfile::tempdir().unwrap();
    let table = machine.path("table");
    let update = |arguments: &[&str]| {
        let mut command = rmcp(["update-problems"]);
        command.args(arguments).args(["--user", "--json"]).env("XDG_DATA_HOME", data.path());
        command
    };
    let found = || {
        fs::write(machine.path("log"), "strange words\n").unwrap();
        let mut doctor = machine.doctor(&[]);
        names(doctor.arg("--log").arg(machine.path("log")).env("XDG_DATA_HOME", data.path()))
    };
    let file = table.to_str().unwrap();
    let own = parsed(&update(&["--check"]).output().unwrap());
    assert_eq!((own["done"].as_str(), &own["file"]), (Some("shown"), &Value::Null));

    fs::write(&table, one_problem("9999-01-01")).unwrap();
    assert_eq!(parsed(&update(&["--check", file]).output().unwrap())["done"], "checked");
    assert!(found().is_empty());
    let installed = parsed(&update(&[file]).output().unwrap());
    assert_eq!((installed["done"].as_str(), installed["version"].as_str()), (Some("installed"), Some("9999-01-01")));
    assert_eq!(found(), ["app.strange"]);

    fs::write(&table, one_problem("2000-01-01")).unwrap();
    assert!(
        failure(&mut update(&[file]), 1).contains("2000-01-01, older than the table in use, of 9999-01-01; --force")
    );
    assert_eq!(parsed(&update(&[file, "--force"]).output().unwrap())["before"], "9999-01-01");
    assert_eq!(found(), ["app.strange"]);
    let again = parsed(&update(&["--reset"]).output().unwrap());
    assert_eq!((&again["version"], &again["sha256"]), (&own["version"], &own["sha256"]));
    assert!(found().is_empty());
}

#[test]
fn a_table_that_does_not_fit_is_refused_with_its_line() {
    let machine = sound();
    let data = tempfile::tempdir().unwrap();
    let table = machine.path("table");
    let good = one_problem("9999-01-01");
    for (bad, why) in [
        (good.replace("title", "titel"), "line 4"),
        (good.replace("[\"s\"]", "[]"), "line 3, problem \"app.strange\": title, cause, fix and sources"),
        (good.replace("9999-01-01", "soon"), "is no day"),
        ("\u{0}".into(), "line 1"),
    ] {
        fs::write(&table, bad).unwrap();
        let mut command = rmcp(["update-problems", "--user"]);
        command.arg(&table).env("XDG_DATA_HOME", data.path());
        let said = failure(&mut command, 1);
        assert!(said.contains(why) && said.contains("is no table of known problems"), "{said}");
    }
    assert!(!data.path().join("rmcp").exists());
    // One that somebody broke afterwards is said, and the command's own is used.
    fs::create_dir(data.path().join("rmcp")).unwrap();
    fs::write(data.path().join("rmcp/problems.toml"), "nonsense").unwrap();
    let output = machine.doctor(&[]).env("XDG_DATA_HOME", data.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("rmcp/problems.toml is not used: "), "{said}");
}
