//! Kernels of rocBLAS in folders for each target, and files whose names lie.

use crate::make;
use rmcp_cli::commands::inspect::verdict::Coverage;
use rmcp_cli::inspect::{Code, CodeInventory, inspect_paths};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

fn found(folder: &Path) -> CodeInventory {
    inspect_paths(&[folder.into()], &[])
}

fn targets(code: &Code) -> String {
    code.targets.counts().map(|(isa, count)| format!("{isa}*{count}")).collect::<Vec<_>>().join(" ")
}

fn borrowed(code: &Code) -> Vec<(String, rmcp_cli::inspect::Processor)> {
    code.borrowed.iter().map(|(isa, of)| (isa.to_string(), *of)).collect()
}

fn index(library: &Path, target: &str) -> PathBuf {
    let name = format!("TensileLibrary_lazy_{target}.dat");
    make::write(library, &name, format!("TensileLibrary_Type_HH_{target}").as_bytes())
}

fn native(card: &str, found: &CodeInventory) -> bool {
    Coverage::of_inventory(card.parse().unwrap(), found) == Coverage::Native
}

#[test]
fn kernels_in_folders_for_each_target_and_beside_these_are_of_one_library() {
    let folder = tempfile::tempdir().unwrap();
    let library = folder.path().join("rocblas/library");
    for target in ["gfx900", "gfx90a", "gfx942", "gfx1150"] {
        index(&library.join(target), target);
        make::write(&library, &format!("{target}/Kernels.so-000-{target}.hsaco"), b"");
    }
    // Without an index in its own folder nobody finds it.
    make::write(&library, "gfx1151/TensileLibrary_lazy_gfx1150.dat", b"x");
    make::write(&library, "gfx1151/Kernels.so-000-gfx1151.hsaco", b"");
    for target in ["gfx1010", "gfx1030", "gfx1201"] {
        index(&library, target);
    }
    let found_all = found(folder.path());
    assert_eq!(found_all.code.len(), 1);
    assert_eq!(found_all.code[0].path, library);
    assert_eq!(targets(&found_all.code[0]), "gfx900*2 gfx90a*2 gfx942*2 gfx1010*1 gfx1030*1 gfx1150*3 gfx1201*1");
    assert!(native("gfx1010", &found_all) && native("gfx900", &found_all) && !native("gfx1151", &found_all));
    // One that is asked about itself is a row itself.
    assert_eq!(found(&library.join("gfx900")).code[0].path, library.join("gfx900"));
}

#[test]
fn libraries_in_different_folders_stay_apart() {
    let folder = tempfile::tempdir().unwrap();
    for (name, target) in [("one/rocblas/library", "gfx1010"), ("two/rocblas/library", "gfx1030")] {
        index(&folder.path().join(name), target);
    }
    index(&folder.path().join("one/rocblas/library/extra"), "gfx1100");
    assert_eq!(found(folder.path()).code.len(), 3);
    assert!(!native("gfx1010", &found(folder.path())));
}

#[test]
fn a_name_that_links_to_another_targets_file_is_told_and_serves_no_card() {
    let folder = tempfile::tempdir().unwrap();
    let library = folder.path().join("rocblas/library");
    let real = index(&library, "gfx1030");
    symlink(real.file_name().unwrap(), library.join("TensileLibrary_lazy_gfx1010.dat")).unwrap();
    let found = found(folder.path());
    assert_eq!(targets(&found.code[0]), "gfx1030*1");
    assert_eq!(
        borrowed(&found.code[0]),
        [("gfx1010".into(), "gfx1030".parse::<rmcp_cli::inspect::Isa>().unwrap().processor)]
    );
    assert!(native("gfx1030", &found) && !native("gfx1010", &found));
}

#[test]
fn an_index_that_is_a_copy_or_a_second_name_of_another_targets_is_told() {
    for hard in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let library = folder.path().join("rocblas/library");
        let real = index(&library, "gfx1030");
        let other = library.join("TensileLibrary_lazy_gfx1010.dat");
        if hard { fs::hard_link(&real, &other) } else { fs::copy(&real, &other).map(drop) }.unwrap();
        let found = found(folder.path());
        assert_eq!(targets(&found.code[0]), "gfx1030*1");
        assert_eq!(borrowed(&found.code[0]).len(), 1);
        assert!(!native("gfx1010", &found));
    }
}

#[test]
fn links_to_files_of_the_same_target_and_equal_files_that_name_no_target_are_well() {
    let folder = tempfile::tempdir().unwrap();
    let library = folder.path().join("rocblas/library");
    // As a package manager that keeps files in a store of its own installs them.
    let real = index(&folder.path().join("store"), "gfx1010");
    fs::create_dir_all(&library).unwrap();
    symlink(real, library.join("TensileLibrary_lazy_gfx1010.dat")).unwrap();
    for target in ["gfx1030", "gfx1100"] {
        make::write(&library, &format!("TensileLibrary_lazy_{target}.dat"), b"same");
    }
    let found = found(&folder.path().join("rocblas"));
    assert_eq!(targets(&found.code[0]), "gfx1010*1 gfx1030*1 gfx1100*1");
    assert_eq!(borrowed(&found.code[0]), []);
    assert!(native("gfx1010", &found));
}

#[test]
fn blenders_kernels_are_one_row_with_the_targets_of_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let cycles = folder.path().join("cycles/lib");
    for name in
        ["kernel_gfx1010.fatbin.zst", "kernel_gfx1030.fatbin", "kernel_rt_gfx.hipfb.zst", "kernel_sm_75.cubin.zst"]
    {
        make::write(&cycles, name, b"x");
    }
    let found = found(folder.path());
    assert_eq!(found.code.iter().map(targets).collect::<Vec<_>>(), ["gfx1010*1 gfx1030*1"]);
    assert!(native("gfx1030", &found) && !native("gfx1012", &found));
}
