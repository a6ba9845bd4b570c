//! A library with functions of its own under HIP's names, where the loader's functions are a library of their own that the
//! program does not have, as before glibc 2.34.

use rmcp_machines::{Release, installed};
use std::path::Path;
use std::process::Command;

const LIBRARY: &str = "int hipMalloc(void) { return 41; } int own(void) { return hipMalloc() + 1; }";

/// Without the C library of the machine that compiles it.
const PROGRAM: &str = r#"
int own(void);
__attribute__((force_align_arg_pointer)) void _start(void) {
    __asm__ volatile("syscall" : : "a"(60), "D"(own()));
}"#;

fn compile(source: &str, output: &Path, arguments: &[&str]) {
    let file = output.with_extension("c");
    std::fs::write(&file, source).unwrap();
    let mut compiler = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()));
    compiler.args(["-O1", "-fPIC", "-nostdlib", "-o"]).arg(output).arg(&file).args(arguments);
    assert!(compiler.status().unwrap().success());
}

#[test]
fn a_library_keeps_its_own_functions_in_a_program_without_libdl() {
    let folder = tempfile::tempdir_in(rmcp_hip_tests::target_dir().unwrap()).unwrap();
    let library = folder.path().join("libown.so");
    compile(LIBRARY, &library, &["-shared"]);
    let search = format!("-L{}", folder.path().display());
    compile(PROGRAM, &folder.path().join("program"), &[&search, "-l:libown.so", "-Wl,-rpath,$ORIGIN"]);
    for release in Release::ALL {
        let Some(machine) = installed(release) else { return };
        let machine = machine.share("own", folder.path());
        for preload in ["", "LD_PRELOAD=librmcp.so "] {
            let said = machine.bash(&format!("{preload}/mnt/own/program; echo $?"));
            assert_eq!(said, "42\n", "{release:?} {preload}");
        }
    }
}
