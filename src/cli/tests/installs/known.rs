//! The rows of the table of frameworks.

use crate::machine::Files;
use crate::python::{SITE, code, environment, python};
use rmcp_cli::installs::{Backend, Framework, KNOWN};

fn frameworks(files: &Files) -> Vec<Framework> {
    python(files, "/venv/bin/python").frameworks(&files.machine())
}

fn named(files: &Files, name: &str) -> Framework {
    frameworks(files).into_iter().find(|found| found.name == name).unwrap_or_else(|| panic!("{name}"))
}

fn torch(files: &Files, hip: &str) {
    environment(files);
    files.write(&format!("{SITE}/torch/version.py"), &format!("__version__ = '2.11.0'\ncuda = None\nhip = {hip}\n"));
}

#[test]
fn every_row_is_found_by_its_package_and_no_package_of_a_like_name_is() {
    let files = Files::new();
    torch(&files, "'7.2.1'");
    let rows = || KNOWN.iter().filter(|row| !row.package.is_empty());
    for row in rows() {
        let package = row.package.replace('#', "7");
        files.write(&format!("{SITE}/{package}/__init__.py"), "");
        files.write(&format!("{SITE}/{package}_extras/__init__.py"), "");
    }
    files.write(&format!("{SITE}/tensorflow/python/platform/build_info.py"), "is_rocm_build=True");
    for wheel in ["core", "devel"] {
        files.write(&format!("{SITE}/_rocm_sdk_{wheel}/lib/libamdhip64.so.7"), "");
    }
    let found: Vec<String> = frameworks(&files).into_iter().map(|found| found.name).collect();
    let expected: Vec<String> = rows().map(|row| row.package.replace('#', "7")).collect();
    assert_eq!(found, expected);
    assert!(frameworks(&files).iter().zip(rows()).all(|(found, row)| found.known().unwrap().title == row.title));
}

#[test]
fn what_a_package_is_for_is_told_by_the_libraries_that_it_needs() {
    for (needs, backend) in [
        ("libamdhip64.so.7", Backend::Rocm(None)),
        ("libcudart.so.12", Backend::Other("CUDA".into())),
        ("libm.so.6", Backend::Other("the CPU alone".into())),
    ] {
        let files = Files::new();
        environment(&files);
        files.elf(&format!("{SITE}/llama_cpp/lib/libllama.so"), &[needs], &[]);
        assert_eq!(named(&files, "llama_cpp").backend, backend, "{needs}");
    }
}

#[test]
fn bitsandbytes_loads_the_library_that_pytorchs_hip_chooses() {
    // As in the wheel of 0.50.2.
    let wheel = ["64", "70", "71", "714", "715", "72"];
    for (version, hip, chosen, file) in [
        ("0.50.2", "'6.4.43484'", None, Some("64")),
        ("0.50.2", "'7.0.2'", None, Some("70")),
        ("0.50.2", "'7.2.53211'", None, Some("72")),
        ("0.50.2", "'7.3.1'", None, Some("72")),
        ("0.50.2", "'7.14.1'", None, Some("714")),
        ("0.50.2", "'7.16.61010'", None, Some("715")),
        ("0.50.2", "'6.3.1'", None, Some("64")),
        ("0.50.2", "'5.7.1'", None, None),
        ("0.50.2", "'7.2.1'", Some("714"), Some("714")),
        ("0.50.2", "'7.2.1'", Some("73"), None),
        ("0.49.0", "'7.2.1'", None, Some("72")),
        ("0.49.0", "'7.14.1'", None, None),
    ] {
        let mut files = Files::new();
        torch(&files, hip);
        files.write(&format!("{SITE}/bitsandbytes-{version}.dist-info/METADATA"), "");
        for number in wheel {
            files.elf(&format!("{SITE}/bitsandbytes/libbitsandbytes_rocm{number}.so"), &["libhipblas.so.3"], &[]);
        }
        if let Some(chosen) = chosen {
            files.set("BNB_ROCM_VERSION", chosen);
        }
        let found = named(&files, "bitsandbytes");
        let expected = file.map(|number| format!("{SITE}/bitsandbytes/libbitsandbytes_rocm{number}.so"));
        assert_eq!(code(&files, &found), Vec::from_iter(expected), "{version} {hip} {chosen:?}");
    }
}

#[test]
fn bitsandbytes_and_triton_beside_a_pytorch_without_rocm_are_not_for_rocm() {
    let files = Files::new();
    torch(&files, "None");
    files.write(&format!("{SITE}/bitsandbytes/__init__.py"), "");
    files.write(&format!("{SITE}/triton/__init__.py"), "");
    assert!(
        frameworks(&files).iter().all(|found| !matches!(found.backend, Backend::Rocm(_)) && found.name != "triton")
    );
}

#[test]
fn of_therocks_wheels_the_libraries_that_a_package_needs_are_handed_over_and_no_others() {
    let files = Files::new();
    torch(&files, "'7.14.1'");
    let library = |name: &str| format!("{SITE}/_rocm_sdk_libraries_ab12/lib/{name}");
    files.elf(&library("librocblas.so.5"), &["libamdhip64.so.7", "librocsolver.so.0"], &[]);
    files.elf(&library("librocsolver.so.0"), &["libamdhip64.so.7"], &[]);
    files.elf(&library("librocfft.so.0"), &["libamdhip64.so.7"], &[]);
    files.elf(&library("libroctx64.so.4"), &[], &[]);
    let needs = ["libamdhip64.so.7", "librocblas.so.5", "libroctx64.so.4"];
    let own = format!("{SITE}/torch/lib/libtorch_hip.so");
    files.elf(&own, &needs, &[]);
    let expected = [library("librocblas.so.5"), library("librocsolver.so.0"), own];
    assert_eq!(code(&files, &named(&files, "torch")), expected);
}
