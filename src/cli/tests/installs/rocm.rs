//! ROCm installations.

use crate::machine::Files;
use rmcp_cli::installs::{Release, installations};
use std::path::Path;

/// Prefix, release and runtime of each.
fn found(files: &Files) -> Vec<(String, String, Option<String>)> {
    let all = installations(&files.machine()).into_iter();
    let row = |rocm: rmcp_cli::installs::Rocm| {
        let runtime = rocm.runtime.map(|runtime| files.shown(&runtime.hip));
        (files.shown(&rocm.prefix), rocm.release.map(|release| release.to_string()).unwrap_or_default(), runtime)
    };
    all.map(row).collect()
}

#[test]
fn a_machine_without_rocm_has_none() {
    let files = Files::new();
    files.write("/usr/lib/x86_64-linux-gnu/libc.so.6", "");
    assert_eq!(found(&files), []);
}

#[test]
fn amds_packages_are_found_once_however_many_links_lead_to_them() {
    let files = Files::new();
    files.write("/opt/rocm-6.2.4/.info/version", "6.2.4-139\n");
    files.write("/opt/rocm-6.2.4/lib/libamdhip64.so.6.2.60204", "");
    files.link("/opt/rocm-6.2.4/lib/libamdhip64.so.6", "/opt/rocm-6.2.4/lib/libamdhip64.so.6.2.60204");
    files.link("/opt/rocm", "/opt/rocm-6.2.4");
    files.write("/opt/rocm-5.7.1/.info/version", "5.7.1-98\n");
    files.write("/opt/other/lib/libamdhip64.so.7", "");
    assert_eq!(
        found(&files),
        [
            ("/opt/rocm".into(), "6.2.4".into(), Some("/opt/rocm-6.2.4/lib/libamdhip64.so.6.2.60204".into())),
            ("/opt/rocm-5.7.1".into(), "5.7.1".into(), None),
        ]
    );
}

#[test]
fn debians_packages_are_known_by_the_name_of_the_runtime() {
    let files = Files::new();
    files.write("/usr/lib/x86_64-linux-gnu/libamdhip64.so.6.4.43484", "");
    files.write("/usr/lib/x86_64-linux-gnu/libhsa-runtime64.so.1.15.0", "");
    let all = installations(&files.machine());
    assert_eq!(all.len(), 1);
    let runtime = all[0].runtime.as_ref().unwrap();
    assert_eq!(all[0].release, Some(Release { major: 6, minor: 4, patch: None }));
    assert_eq!(all[0].release_file.as_ref(), Some(&runtime.hip));
    assert_eq!(files.shown(runtime.hsa.as_ref().unwrap()), "/usr/lib/x86_64-linux-gnu/libhsa-runtime64.so.1.15.0");
}

#[test]
fn of_two_releases_in_one_folder_the_newer_counts() {
    let files = Files::new();
    for name in ["libamdhip64.so.5.7.31921", "libamdhip64.so.6.4.43484", "libamdhip64.so.6.4.43484.bak.so.9"] {
        files.write(&format!("/usr/lib64/{name}"), "");
    }
    files.write("/usr/lib64/libamdhip64_other.so.9.9.9", "");
    assert_eq!(found(&files)[0].1, "6.4");
}

#[test]
fn rocm_path_comes_first() {
    let mut files = Files::new();
    files.write("/opt/rocm/share/hip/version", "# made by cmake\nHIP_VERSION_MAJOR=6\nHIP_VERSION_MINOR=1\n");
    files.write("/home/me/rocm/.info/version", "7.2.0");
    files.set("ROCM_PATH", "/home/me/rocm");
    let found: Vec<_> = found(&files).into_iter().map(|row| (row.0, row.1)).collect();
    assert_eq!(found, [("/home/me/rocm".into(), "7.2.0".into()), ("/opt/rocm".into(), "6.1".into())]);
}

#[test]
fn the_release_is_in_the_third_number_where_amd_writes_it_there() {
    for (name, release) in [
        ("libamdhip64.so.6.2.60204", Some("6.2.4")),
        ("libamdhip64.so.5.7.50701", Some("5.7.1")),
        ("libamdhip64.so.7.0.70000", Some("7.0.0")),
        ("libamdhip64.so.5.2.21153", Some("5.2")),
        ("libamdhip64.so.7.2.53211", Some("7.2")),
        ("libamdhip64.so.6", None),
        ("libamdhip64.so", None),
    ] {
        let found = Release::from_runtime(Path::new(name)).map(|release| release.to_string());
        assert_eq!(found.as_deref(), release, "{name}");
    }
}

#[test]
fn releases_are_read_as_they_are_written() {
    for (text, release) in [("6.4.3", "6.4.3"), ("6.4.3-127\n", "6.4.3"), ("7.2", "7.2"), ("7.10.0a20251006", "7.10.0")]
    {
        assert_eq!(text.parse::<Release>().unwrap().to_string(), release);
    }
    for text in ["", "6", "six.four", "-6.4", "99999999999.1"] {
        assert!(text.parse::<Release>().is_err(), "{text}");
    }
    // The third number of a HIP version counts builds.
    assert_eq!(Release::from_hip("6.4.43483-a187df25c").unwrap().to_string(), "6.4");
}

#[test]
fn what_is_no_version_file_is_passed_over() {
    let files = Files::new();
    files.write("/opt/rocm/.info/version", "unknown");
    files.write("/opt/rocm/share/hip/version", &"x".repeat(100_000));
    assert_eq!(found(&files), []);
    files.write("/opt/rocm/lib/libamdhip64.so.6.3.60303", "");
    assert_eq!(found(&files)[0].1, "6.3.3");
}

/// A core as ROCm 7.14 and 10.1 install it: HIP's number is in the name of the file, ROCm's in .info/version.
fn core(files: &Files, folder: &str, hip: &str, rocm: &str) -> String {
    files.write(&format!("{folder}/.info/version"), rocm);
    let file = format!("{folder}/lib/libamdhip64.so.{hip}");
    files.write(&file, "");
    files.link(&format!("{folder}/lib/libamdhip64.so.7"), &file);
    file
}

#[test]
fn a_core_without_alternatives_links_is_found() {
    let files = Files::new();
    let runtime = core(&files, "/opt/rocm/core-7.14", "7.14.60850", "7.14.0\n");
    files.write("/opt/rocm/core-dumps/core.1", "");
    files.write("/opt/rocm-notes/core-9/readme", "");
    assert_eq!(found(&files), [("/opt/rocm/core-7.14".into(), "7.14.0".into(), Some(runtime))]);
}

#[test]
fn every_core_is_listed_once_that_of_the_links_first_by_rocms_own_number() {
    let files = Files::new();
    let new = core(&files, "/opt/rocm/core-10.1", "7.16.61010", "10.1.0");
    let old = core(&files, "/opt/rocm/core-7.14", "7.14.60850", "7.14.0");
    for (link, target) in
        [("core", "core-7.14"), ("core-7", "core-7.14"), ("core-10", "core-10.1"), ("lib", "core-7.14/lib")]
    {
        files.link(&format!("/etc/alternatives/rocm-{link}"), &format!("/opt/rocm/{target}"));
        files.link(&format!("/opt/rocm/{link}"), &format!("/etc/alternatives/rocm-{link}"));
    }
    assert_eq!(
        found(&files),
        [
            ("/opt/rocm/core-7.14".into(), "7.14.0".into(), Some(old)),
            ("/opt/rocm/core-10.1".into(), "10.1.0".into(), Some(new)),
        ]
    );
    let all = installations(&files.machine());
    assert!(all.iter().all(|rocm| rocm.runtime.as_ref().unwrap().release == rocm.release));
    assert!(all.iter().all(|rocm| rocm.runtime.as_ref().unwrap().abi() == Some(7)), "ROCm 10 has libamdhip64.so.7");
}

#[test]
fn a_lib_that_links_elsewhere_leaves_the_prefix_its_name() {
    let files = Files::new();
    files.write("/srv/libraries/libamdhip64.so.6.2.60204", "");
    files.link("/opt/rocm/lib", "/srv/libraries");
    assert_eq!(found(&files)[0].0, "/opt/rocm");
}

#[test]
fn hips_number_is_rocms_up_to_7_2_and_says_nothing_after_that() {
    for (number, release) in
        [("7.2.53211", Some("7.2")), ("7.3.1", None), ("7.16.61010", None), ("6.4.43484", Some("6.4"))]
    {
        let shown = |release: Option<Release>| release.map(|release| release.to_string());
        assert_eq!(shown(Release::from_hip(number)).as_deref(), release, "{number}");
        let file = format!("libamdhip64.so.{number}");
        assert_eq!(shown(Release::from_runtime(Path::new(&file))).as_deref(), release, "{number}");
    }
}

#[test]
fn a_tarball_in_any_folder_tells_its_release_to_the_program_that_names_it() {
    let files = Files::new();
    files.write("/home/me/rocm/.info/version", "10.1.0");
    files.elf("/home/me/rocm/lib/libamdhip64.so.7", &[], &[]);
    let folder = files.path("/home/me/rocm/lib");
    let program = files.elf("/home/me/app", &["libamdhip64.so.7"], &[&format!("-Wl,-rpath,{}", folder.display())]);
    let runtime = rmcp_cli::installs::Program::read(&program, &files.machine()).unwrap().runtime().unwrap();
    assert_eq!(runtime.release.unwrap().to_string(), "10.1.0");
    // The same runtime without the file beside it.
    std::fs::remove_file(files.path("/home/me/rocm/.info/version")).unwrap();
    let runtime = rmcp_cli::installs::Program::read(&program, &files.machine()).unwrap().runtime().unwrap();
    assert_eq!((runtime.release, runtime.abi()), (None, Some(7)));
}
