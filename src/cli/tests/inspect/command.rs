//! The command `rmcp inspect`: its words and its exit status.

use crate::make::{self, bundle, elf};
use std::path::PathBuf;
use std::process::{Command, Output};
use tempfile::TempDir;

struct Case {
    folder: TempDir,
    command: Command,
}

impl Case {
    /// In a folder of its own, on a machine without cards, interpreters and configuration.
    fn new(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_rmcp"));
        command.arg("inspect").args(arguments).current_dir(folder.path());
        command.env_clear().env("HOME", folder.path()).env("RMCP_TOPOLOGY", folder.path().join("topology"));
        command.env("PATH", folder.path().join("bin"));
        Self { folder, command }
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        make::write(self.folder.path(), name, bytes)
    }

    /// A GPU of the KFD's topology.
    fn card(&self, node: u32, gfx_target_version: u32) {
        let properties = format!(
            "simd_count 72\ngfx_target_version {gfx_target_version}\nlocation_id {}\ndomain 0\nunique_id {node}\n",
            node << 8
        );
        self.write(&format!("topology/nodes/{node}/gpu_id"), format!("{}\n", 1000 + node).as_bytes());
        self.write(&format!("topology/nodes/{node}/properties"), properties.as_bytes());
    }

    fn run(&mut self) -> CommandOutput {
        CommandOutput(self.command.output().unwrap())
    }
}

struct CommandOutput(Output);

impl CommandOutput {
    fn out(&self) -> String {
        String::from_utf8(self.0.stdout.clone()).unwrap()
    }

    fn error(&self) -> String {
        String::from_utf8(self.0.stderr.clone()).unwrap()
    }

    fn status(&self) -> i32 {
        self.0.status.code().unwrap()
    }
}

#[test]
fn a_card_with_code_of_its_own_is_well() {
    let mut case = Case::new(&["libone.so"]);
    case.write("libone.so", &elf(&[bundle(&["gfx1010", "gfx1030"]), bundle(&["gfx1030"])]));
    case.card(1, 100_300);
    let output = case.run();
    assert_eq!(
        output.out(),
        "\
| file or folder | what           | code for                 | gfx1030 |
|----------------|----------------|--------------------------|---------|
| libone.so      | ELF, 2 bundles | gfx1010 (1 of 2) gfx1030 | native  |

GPU 0 (gfx1030, 0000:01:00.0) has code of its own
"
    );
    assert_eq!((output.status(), output.error()), (0, String::new()));
}

#[test]
fn each_card_of_the_machine_gets_a_verdict_and_one_without_code_decides_the_status() {
    let mut case = Case::new(&["libone.so"]);
    case.write("libone.so", &elf(&[bundle(&["gfx1030"])]));
    case.card(1, 100_301);
    case.card(2, 100_100);
    let output = case.run();
    assert_eq!(output.status(), 4);
    let out = output.out();
    assert!(out.contains("GPU 0 (gfx1031, 0000:01:00.0) has code under HSA_OVERRIDE_GFX_VERSION=10.3.0"), "{out}");
    assert!(out.contains("GPU 1 (gfx1010, 0000:02:00.0) has no code"), "{out}");
    assert!(out.contains("reported to help with builds for ROCm 5.2, and to fault with later ones"), "{out}");
    assert!(out.contains("https://github.com/pytorch/pytorch/issues/132570"), "{out}");
}

#[test]
fn a_machine_without_cards_lists_the_targets_and_says_how_to_name_a_card() {
    let mut case = Case::new(&["kernel.hsaco"]);
    case.write("kernel.hsaco", &bundle(&["gfx1010"]));
    let output = case.run();
    let out = output.out();
    assert!(
        out.contains("gfx1010") && out.contains("No card to compare with") && out.contains("--card gfx1010"),
        "{out}"
    );
    assert_eq!(output.status(), 0);
    case.command.args(["--card", "gfx1012"]);
    let out = case.run().out();
    assert!(out.contains("gfx1012 has code under HSA_OVERRIDE_GFX_VERSION=10.1.0"), "{out}");
}

#[test]
fn a_programs_libraries_are_inspected_with_it() {
    let mut case = Case::new(&["app/bin/llama-cli", "--card", "gfx1010"]);
    case.write("app/bin/libggml-hip.so", &elf(&[bundle(&["gfx1010"])]));
    let source = case.write("main.c", b"int main(void) { return 0; }");
    let program = case.folder.path().join("app/bin/llama-cli");
    let compiler = std::env::var_os("CXX").unwrap_or_else(|| "c++".into());
    assert!(Command::new(compiler).args(["-x", "c"]).arg(source).arg("-o").arg(program).status().unwrap().success());
    let out = case.run().out();
    assert!(out.contains("libggml-hip.so | ELF, 1 bundle | gfx1010  | native"), "{out}");
}

#[test]
fn a_card_that_only_some_files_serve_is_told_how_many_do_not() {
    let mut case = Case::new(&["lib", "--card", "gfx1010"]);
    for (name, target) in [("one.so", "gfx1010"), ("two.so", "gfx1030"), ("three.so", "gfx1100")] {
        case.write(&format!("lib/{name}"), &bundle(&[target]));
    }
    case.write("lib/sycl.so", &make::bundle_of(&["sycl-spir64-unknown-unknown-unknown-x"], 64));
    let out = case.run().out();
    assert!(out.contains("gfx1010 has no code in 2 of 3\n"), "{out}");
    assert!(out.lines().any(|line| line.contains("sycl.so") && line.ends_with("| -       |")), "{out}");
}

#[test]
fn a_card_that_each_file_serves_under_another_name_is_told_so() {
    let mut case = Case::new(&["lib", "--card", "gfx1031"]);
    case.write("lib/one.so", &bundle(&["gfx1030"]));
    case.write("lib/two.so", &bundle(&["gfx1031"]));
    let output = case.run();
    assert!(output.out().contains("gfx1031 has code in each, but under no one name in all\n"), "{}", output.out());
    assert_eq!(output.status(), 4);
}

#[test]
fn what_is_asked_about_itself_decides_though_others_do_without_it() {
    let optional = ["librccl.so.1", "libhipblaslt.so.0", "hipblaslt/library", "miopen"];
    for asked in [&optional[..1], &optional[1..2], &optional[2..3], &optional[3..], &optional[..2], &["."]] {
        let mut case = Case::new(asked);
        case.command.args(["--card", "gfx1010", "--card", "gfx1030"]);
        case.write("librccl.so.1", &bundle(&["gfx1030"]));
        case.write("libhipblaslt.so.0", &bundle(&["gfx1030"]));
        case.write("hipblaslt/library/TensileLibrary_lazy_gfx1030.dat", b"");
        case.write("miopen/gfx1030_36.kdb", b"");
        let output = case.run();
        let out = output.out();
        assert!(out.contains("gfx1030 has code of its own\n"), "{asked:?}: {out}");
        assert!(out.contains("gfx1010 has no code\n") && !out.contains("optional"), "{asked:?}: {out}");
        assert_eq!(output.status(), 4, "{asked:?}");
    }
}

#[test]
fn what_is_optional_beside_other_code_is_not_where_it_is_named_too() {
    let run = |asked: &[&str]| {
        let mut case = Case::new(asked);
        case.command.args(["--card", "gfx1010"]);
        case.write("lib/libtorch_hip.so", &bundle(&["gfx1010"]));
        case.write("lib/librccl.so", &bundle(&["gfx1030"]));
        std::os::unix::fs::symlink("librccl.so", case.folder.path().join("lib/link")).unwrap();
        let output = case.run();
        (output.out().contains("none (optional)"), output.status())
    };
    assert_eq!(run(&["lib"]), (true, 0));
    for asked in [&["lib/libtorch_hip.so", "lib/librccl.so"][..], &["lib", "lib/librccl.so"], &["lib", "lib/link"]] {
        assert_eq!(run(asked), (false, 4), "{asked:?}");
    }
}

#[test]
fn json_has_the_same_facts_under_names_of_their_own() {
    let mut case = Case::new(&["libone.so", "rocblas", "--card", "gfx1031", "--json"]);
    case.write("libone.so", &elf(&[bundle(&["gfx1030"])]));
    case.write("rocblas/library/TensileLibrary_lazy_gfx1031.dat", b"");
    let output = case.run();
    let report: serde_json::Value = serde_json::from_slice(&output.0.stdout).unwrap();
    assert_eq!(report["schema"], "rmcp.inspect/1");
    assert_eq!(report["files"][0]["coverage"], serde_json::json!(["override"]));
    assert_eq!(report["files"][1]["kind"], "rocBLAS kernels");
    assert_eq!(report["files"][1]["coverage"], serde_json::json!(["native"]));
    // Under no one name does the card find code in both.
    assert_eq!(report["cards"][0]["coverage"], "none");
    assert_eq!(output.status(), 4);
}

#[test]
fn what_has_no_gpu_code_or_does_not_exist_is_an_error_that_says_so() {
    for (arguments, error) in [
        (&["empty"][..], "rmcp: there is no GPU code in empty\n"),
        (&["folder"], "rmcp: there is no GPU code in folder\n"),
        (&["./missing"], "rmcp: ./missing: No such file or directory (os error 2)\n"),
        (&["/dev/null"], "rmcp: /dev/null: it is neither a file nor a folder\n"),
        (
            &["missing"],
            "rmcp: there is no file missing, and no Python interpreter whose package it could be; set --python\n",
        ),
        (&["missing", "--python", "/bin/sh"], "rmcp: /bin/sh is no Python interpreter\n"),
    ] {
        let mut case = Case::new(arguments);
        case.write("empty", b"");
        case.write("folder/text", b"text");
        let output = case.run();
        assert_eq!((output.error().as_str(), output.status()), (error, 1), "{arguments:?}");
    }
}

#[test]
fn a_path_that_cannot_be_read_fails_after_the_rest_was_shown() {
    let mut case = Case::new(&["kernel.hsaco", "./missing"]);
    case.write("kernel.hsaco", &bundle(&["gfx1010"]));
    let output = case.run();
    assert!(output.out().contains("not read: ./missing: No such file"), "{}", output.out());
    assert_eq!(output.status(), 1);
}

#[test]
fn names_that_a_terminal_would_act_on_are_shown_and_json_has_them_as_they_are() {
    let odd = "lib\u{1b}[2J\u{9b}2J\nGPU 0 has code of its own.so";
    let mut case = Case::new(&[".", "--card", "gfx1030"]);
    case.write(odd, &make::bundle_of(&["hipv4-\u{1b}]0;x\u{7}"], 64));
    case.write("lib.so", &bundle(&["gfx1010"]));
    let acts = |text: &str| text.chars().any(|letter| letter.is_control() && letter != '\n');
    let output = case.run();
    assert!(!acts(&output.out()), "{:?}", output.out());
    assert!(output.out().contains(r"lib\u{1b}[2J\u{9b}2J\nGPU 0 has code of its own.so"), "{}", output.out());
    assert!(output.out().lines().all(|line| !line.starts_with("GPU 0")), "{}", output.out());
    let output = case.command.env("CLICOLOR_FORCE", "1").output().unwrap();
    assert!(!String::from_utf8(output.stdout).unwrap().contains("\u{1b}[2J"));
    case.command.arg("--json");
    let output = case.run();
    assert!(!acts(&output.out()), "{:?}", output.out());
    let report: serde_json::Value = serde_json::from_str(&output.out()).unwrap();
    assert!(report["files"][0]["path"].as_str().is_some_and(|path| path.ends_with(odd)), "{report}");
    for (argument, shown) in [
        ("./missing\u{1b}[2J", r"./missing\u{1b}[2J"),
        ("missing\u{9b}2J", r"missing\u{9b}2J"),
        ("--x\u{1b}[2J\u{9b}", r"--x\u{9b}"),
    ] {
        let error = Case::new(&[argument]).run().error();
        assert!(!acts(&error) && error.contains(shown), "{error:?}");
    }
}

#[test]
fn a_broken_file_is_told_beside_what_could_be_read() {
    let mut case = Case::new(&["kernel.hsaco"]);
    let mut bytes = bundle(&["gfx1010", "gfx1030"]);
    bytes.truncate(bytes.len() - 1);
    case.write("kernel.hsaco", &bytes);
    let out = case.run().out();
    assert!(out.contains("broken: kernel.hsaco: hipv4-amdgcn-amd-amdhsa--gfx1030 is cut off"), "{out}");
    assert!(out.contains("| gfx1010 "), "{out}");
}

#[test]
fn what_is_not_looked_into_is_not_said_to_have_no_code() {
    for (name, bytes, says) in [
        ("torch.whl", &b"PK\x03\x04"[..], "wheels and other zip archives are not looked into"),
        ("torch.tar.gz", b"\x1f\x8b\x08", "compressed files are not looked into"),
        ("hip.dll", b"MZ\x90", "Windows programs and libraries are not looked into"),
        ("kernel.aks2", b"AKS2", "AOTriton's archives are not looked into"),
        ("letter.txt", b"PKMZ", "there is no GPU code in letter.txt"),
    ] {
        let mut case = Case::new(&[name]);
        case.write(name, bytes);
        let output = case.run();
        assert!(output.error().contains(says), "{}", output.error());
        assert_eq!(output.status(), 1);
    }
    // Python's packages bring programs for Windows, and nobody asked about these.
    let mut case = Case::new(&["lib"]);
    case.write("lib/one.so", &bundle(&["gfx1010"]));
    case.write("lib/launcher.exe", b"MZ\x90");
    assert!(!case.run().out().contains("not read"));
}

#[test]
fn the_device_wheel_that_a_card_needs_is_said_and_counted_as_missing_code() {
    let mut case = Case::new(&["site/torch", "--card", "gfx1010", "--card", "gfx1030"]);
    let host = make::kpack_host("lib/libtorch_hip.so", &["../.kpack/torch_@GFXARCH@.kpack"], 1);
    case.write("site/torch/lib/libtorch_hip.so", &host);
    case.write("site/torch-2.9.1.dist-info/METADATA", b"");
    case.write("site/torch/.kpack/torch_gfx1030.kpack", &make::kpack(&[("lib/libtorch_hip.so#0", &["gfx1030"])]));
    let output = case.run();
    let out = output.out();
    assert!(out.contains("gfx1030 has code of its own") && out.contains("gfx1010 has no code\n"), "{out}");
    assert!(out.contains("in the wheel amd-torch-device-gfx1010==2.9.1; it is not installed"), "{out}");
    assert!(!out.contains("amd-torch-device-gfx1030"), "{out}");
    assert_eq!(output.status(), 4);
    case.command.arg("--json");
    let report: serde_json::Value = serde_json::from_str(&case.run().out()).unwrap();
    let wheel = serde_json::json!([{"name": "amd-torch-device-gfx1010", "version": "2.9.1", "installed": null}]);
    assert_eq!(report["cards"][0]["device_wheels"], wheel);
    assert_eq!(report["cards"][1]["device_wheels"], serde_json::json!([]));
}

#[test]
fn kernels_under_the_name_of_another_card_are_warned_of() {
    let mut case = Case::new(&["rocblas", "--card", "gfx1010"]);
    case.write("rocblas/library/TensileLibrary_lazy_gfx1030.dat", b"gfx1030");
    let link = case.folder.path().join("rocblas/library/TensileLibrary_lazy_gfx1010.dat");
    std::os::unix::fs::symlink("TensileLibrary_lazy_gfx1030.dat", link).unwrap();
    let output = case.run();
    let out = output.out();
    assert!(out.contains("gfx1030 gfx1010 (gfx1030's)"), "{out}");
    assert!(out.contains("another card's code: rocblas/library: what is named gfx1010"), "{out}");
    assert_eq!(output.status(), 4);
}

/// A virtual environment with a PyTorch that says this of itself.
fn torch(case: &Case, version: &str) {
    case.write("venv/bin/python", b"");
    case.write("venv/pyvenv.cfg", b"home = /usr/bin\nversion = 3.12.3\n");
    case.write("venv/lib/python3.12/site-packages/torch/version.py", version.as_bytes());
    case.write("venv/lib/python3.12/site-packages/torch/__init__.py", b"");
    case.write("venv/lib/python3.12/site-packages/torch/lib/libtorch_hip.so", &elf(&[bundle(&["gfx1030"])]));
}

#[test]
fn a_python_package_is_inspected_as_a_whole() {
    let mut case = Case::new(&["torch", "--python", "venv/bin/python", "--card", "gfx1030"]);
    torch(&case, "cuda = None\nhip = '6.3.42131-fa1d09cbd'\n");
    case.write("venv/lib/python3.12/site-packages/torch/lib/rocblas/library/TensileLibrary_lazy_gfx1030.dat", b"");
    let output = case.run();
    let out = output.out();
    assert!(out.starts_with("torch, built for ROCm 6.3\n"), "{out}");
    assert_eq!(out.matches("| native").count(), 2, "{out}");
    assert_eq!(output.status(), 0);
}

#[test]
fn what_a_package_does_without_is_optional_in_it() {
    let mut case = Case::new(&["torch", "--python", "venv/bin/python", "--card", "gfx1030"]);
    torch(&case, "cuda = None\nhip = '6.3.42131-fa1d09cbd'\n");
    let libraries = "venv/lib/python3.12/site-packages/torch/lib";
    case.write(&format!("{libraries}/librccl.so"), &bundle(&["gfx900"]));
    case.write(&format!("{libraries}/hipblaslt/library/TensileLibrary_lazy_gfx942.dat"), b"");
    let output = case.run();
    assert_eq!(output.out().matches("| none (optional)").count(), 2, "{}", output.out());
    assert_eq!(output.status(), 0);
}

#[test]
fn a_package_for_the_cpu_is_an_error_that_says_what_to_install() {
    let mut case = Case::new(&["torch", "--python", "venv/bin/python"]);
    torch(&case, "cuda = None\nhip = None\n");
    let output = case.run();
    let error = output.error();
    assert!(
        error.contains("was built for the CPU alone, not for ROCm; install it anew from an index of ROCm wheels"),
        "{error}"
    );
    assert_eq!(output.status(), 1);
}

#[test]
fn a_misspelt_package_is_answered_with_the_nearest() {
    let mut case = Case::new(&["troch", "--python", "venv/bin/python"]);
    torch(&case, "hip = None\n");
    let error = case.run().error();
    assert!(error.contains("there is no file troch, and ") && error.contains("(did you mean torch?)"), "{error}");
}

#[test]
fn the_packages_of_the_active_environment_are_meant_by_default() {
    let mut case = Case::new(&["torch", "--card", "gfx1030"]);
    torch(&case, "cuda = None\nhip = '6.3.42131'\n");
    case.command.env("VIRTUAL_ENV", case.folder.path().join("venv"));
    assert_eq!(case.run().status(), 0);
}

#[test]
fn a_command_line_without_anything_to_inspect_is_refused() {
    let output = Case::new(&[]).run();
    assert_eq!(output.status(), 2);
    assert!(output.error().contains("FILE|FOLDER|PACKAGE"));
}
