use super::*;
use std::process::Command;

/// What `check` says of a folder with this library of C as its gate.
fn faults(source: &str, flags: &[&str]) -> String {
    let dist = tempfile::tempdir().unwrap();
    let gate = dist.path().join("lib/rmcp/librmcp.so");
    let file = dist.path().join("gate.c");
    fs::create_dir_all(gate.parent().unwrap()).unwrap();
    fs::write(&file, source).unwrap();
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-nostartfiles", "-w", "-Wl,-z,relro,-z,now"]).args(flags).arg("-o").arg(&gate);
    assert!(compiler.arg(&file).status().unwrap().success());
    fs::remove_file(&file).unwrap();
    format!("{:#}", check(dist.path()).unwrap_err())
}

/// A library that imports a function of this name and version.
fn import_of(name: &str) -> String {
    format!("__asm__(\".symver asked, {name}\"); int asked(void); int ask(void) {{ return asked(); }}")
}

fn assert_fault(faults: &str, what: &str) {
    assert!(faults.contains(&format!("lib/rmcp/librmcp.so {what}")), "{faults}");
}

#[test]
fn a_symbol_newer_than_promised_is_told_with_its_file_and_its_version() {
    // It came with glibc 2.28.
    let faults = faults(&import_of("fcntl64@GLIBC_2.28"), &[]);
    assert_fault(&faults, "uses fcntl64@GLIBC_2.28, which glibc 2.17 does not have");
}

#[test]
fn an_older_symbol_is_fine() {
    assert!(!faults(&import_of("puts@GLIBC_2.2.5"), &[]).contains("uses"));
}

#[test]
fn versions_compare_by_number() {
    let gate = ARTEFACTS.iter().find(|one| one.path.ends_with("librmcp.so")).unwrap();
    for (version, fine) in
        [("GLIBC_2.9", true), ("GLIBC_2.17", true), ("GLIBC_2.17.1", false), ("GLIBC_2.100", false), ("GLIBC_3", false)]
    {
        assert_eq!(gate.may_use(version), fine, "{version}");
    }
}

#[test]
fn only_what_unwinds_in_other_processes_may_use_libgcc_and_nothing_the_cxx_library() {
    for artefact in &ARTEFACTS {
        let unwinds = artefact.path.ends_with("_core.so") || artefact.path.ends_with("_kfd.so");
        assert_eq!(artefact.may_use("GCC_3.0"), unwinds, "{}", artefact.path);
        for version in ["GCC_12.0.0", "GLIBCXX_3.4", "CXXABI_1.3", "GLIBC_PRIVATE"] {
            assert!(!artefact.may_use(version), "{} {version}", artefact.path);
        }
    }
}

#[test]
fn a_library_that_is_not_promised_is_told() {
    assert_fault(
        &faults("double sin(double); double x(double y) { return sin(y); }", &["-Wl,--no-as-needed", "-lm"]),
        "needs libm.so.6",
    );
}

#[test]
fn a_symbol_of_no_library_must_be_weak() {
    assert_fault(
        &faults("void gone(void); void x(void) { gone(); }", &[]),
        "uses gone, which glibc 2.17 does not have",
    );
    let weak = "__attribute__((weak)) void gone(void); void x(void) { if (gone) gone(); }";
    assert!(!faults(weak, &[]).contains("uses"));
}

#[test]
fn the_way_of_linking_is_held() {
    let faults = faults("int x;", &["-Wl,-z,execstack,-z,lazy,-z,norelro", "-Wl,-rpath,/nowhere"]);
    for what in
        ["wants an executable stack", "has no RELRO segment", "is linked without -z now", "has a dynamic tag 29"]
    {
        assert_fault(&faults, what);
    }
}

#[test]
fn a_path_of_the_building_machine_is_told() {
    let path = crate::run::root().join("src/gate/lib.rs");
    assert_fault(&faults(&format!("char x[] = \"{}\";", path.display()), &[]), "holds ");
}

#[test]
fn nothing_is_missing_and_nothing_unknown() {
    let dist = tempfile::tempdir().unwrap();
    fs::write(dist.path().join("new.so"), b"\x7fELF").unwrap();
    let faults = format!("{:#}", check(dist.path()).unwrap_err());
    assert!(faults.contains("new.so is promised nothing"), "{faults}");
    assert!(faults.contains("bin/rmcp-run is missing"), "{faults}");
}
