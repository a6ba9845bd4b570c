//! Folders: library files by their names, what cannot be read, and links.

use crate::make::{self, bundle, elf};
use rmcp_cli::inspect::{Code, CodeInventory, Kind, inspect_paths};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

fn found(folder: &Path) -> CodeInventory {
    inspect_paths(&[folder.into()], &[])
}

fn row(code: &Code) -> (Kind, String) {
    (code.kind, code.targets.counts().map(|(isa, count)| format!("{isa}*{count}")).collect::<Vec<_>>().join(" "))
}

fn touch(folder: &Path, names: &[&str]) {
    for name in names {
        make::write(folder, name, b"");
    }
}

#[test]
fn the_kernels_of_rocblas_are_told_by_their_names_where_each_has_an_index() {
    let folder = tempfile::tempdir().unwrap();
    let library = folder.path().join("rocblas/library");
    touch(
        &library,
        &[
            "TensileLibrary_lazy_gfx1010.dat",
            "TensileLibrary_Type_HH_Contraction_l_Ailk_Bjlk_Cijk_Dijk_gfx1010.co",
            "TensileLibrary_Type_HH_Contraction_l_Ailk_Bjlk_Cijk_Dijk_fallback_gfx1010.hsaco",
            "Kernels.so-000-gfx1010.hsaco",
            "TensileLibrary_lazy_gfx90a.dat",
            "Kernels.so-000-gfx90a-xnack+.hsaco",
            "Kernels.so-000-gfx90a-xnack-.hsaco",
            // Without an index nobody finds it.
            "Kernels.so-000-gfx1030.hsaco",
            "TensileManifest.txt",
        ],
    );
    let found = found(folder.path());
    assert_eq!(
        found.code.iter().map(row).collect::<Vec<_>>(),
        [(Kind::RocBlas, "gfx90a*1 gfx90a:xnack-*1 gfx90a:xnack+*1 gfx1010*4".into())]
    );
    assert_eq!(found.code[0].path, library);
}

#[test]
fn a_rocblas_that_loads_all_kernels_at_once_needs_no_index() {
    let folder = tempfile::tempdir().unwrap();
    let library = folder.path().join("rocblas/4.2.4/library");
    touch(
        &library,
        &[
            "TensileLibrary_gfx1030.co",
            "TensileLibrary_gfx1030.dat",
            "TensileLibrary_gfx942_80cu.dat",
            "Kernels.so-000-gfx1012.hsaco",
        ],
    );
    assert_eq!(row(&found(folder.path()).code[0]), (Kind::RocBlas, "gfx942*1 gfx1012*1 gfx1030*2".into()));
}

#[test]
fn the_kernels_of_hipblaslt_and_the_databases_of_miopen_are_optional_beside_other_code() {
    let folder = tempfile::tempdir().unwrap();
    touch(
        &folder.path().join("hipblaslt/library"),
        &["TensileLibrary_lazy_gfx1100.dat", "Kernels.so-000-gfx1100.hsaco"],
    );
    touch(
        &folder.path().join("miopen/db"),
        &["gfx1030_36.kdb", "gfx1030_40.HIP.fdb.txt", "gfx90878.kdb", "gfx110060.db.txt", "gfx906.db"],
    );
    let alone = found(folder.path());
    assert_eq!(
        alone.code.iter().map(row).collect::<Vec<_>>(),
        [(Kind::BlasLt, "gfx1100*2".into()), (Kind::MiOpen, "gfx906*1 gfx908*1 gfx1030*2 gfx1100*1".into())]
    );
    assert!(alone.code.iter().all(|code| !code.optional), "there is nothing else");
    make::write(folder.path(), "lib/libone.so", &elf(&[bundle(&["gfx1010"])]));
    assert!(found(folder.path()).code.iter().all(|code| code.optional == (code.kind != Kind::Elf)));
}

#[test]
fn every_file_of_a_folder_is_looked_at_and_those_without_code_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    make::write(folder.path(), "lib/libone.so", &elf(&[bundle(&["gfx1010"])]));
    make::write(folder.path(), "lib/deep/kernel.hsaco", &bundle(&["gfx1030"]));
    make::write(folder.path(), "readme.txt", b"nothing");
    let found = found(folder.path());
    let names: Vec<_> = found.code.iter().map(|code| code.path.file_name().unwrap().to_owned()).collect();
    assert_eq!(names, ["kernel.hsaco", "libone.so"]);
    assert_eq!((found.without_code, found.problems.len()), (1, 0));
}

#[test]
fn links_that_lead_in_circles_end_and_a_file_of_two_names_counts_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = make::write(folder.path(), "libone.so.1", &bundle(&["gfx1010"]));
    symlink(&file, folder.path().join("libone.so")).unwrap();
    symlink(folder.path(), folder.path().join("again")).unwrap();
    symlink("loop", folder.path().join("loop")).unwrap();
    symlink("nowhere", folder.path().join("dangling")).unwrap();
    let found = found(folder.path());
    assert_eq!(found.code.len(), 1);
    // The loop is no file at all, and that is said.
    assert_eq!(
        found.problems.iter().map(|problem| problem.path.clone()).collect::<Vec<_>>(),
        [folder.path().join("loop")]
    );
}

#[test]
fn a_folder_that_may_not_be_read_is_told_and_the_rest_is_read() {
    let folder = tempfile::tempdir().unwrap();
    make::write(folder.path(), "libone.so", &bundle(&["gfx1010"]));
    make::write(folder.path(), "closed/libtwo.so", &bundle(&["gfx1030"]));
    let closed = folder.path().join("closed");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
    let found = found(folder.path());
    let readable_anyway = fs::read_dir(&closed).is_ok();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o755)).unwrap();
    assert!(found.code.iter().any(|code| code.path.ends_with("libone.so")));
    // root reads everything.
    if !readable_anyway {
        assert_eq!(found.problems.len(), 1);
        assert_eq!(found.problems[0].path, closed);
    }
}

#[test]
fn fifos_and_devices_are_refused_without_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    for path in [fifo.as_path(), Path::new("/dev/zero")] {
        let found = found(path);
        assert_eq!(found.problems.len(), 1, "{}", path.display());
        assert!(found.problems[0].reason.contains("neither a file nor a folder"));
        assert!(rmcp_cli::inspect::inspect_file(path).is_err());
    }
    assert_eq!(found(folder.path()).problems, [], "in a folder it is passed over");
}

#[test]
fn the_kernels_own_file_systems_are_not_walked() {
    for path in ["/proc/self", "/sys"] {
        let found = found(Path::new(path));
        assert_eq!(found.problems.len(), 1, "{:?}", found.problems);
        assert_eq!(found.problems[0].reason, "these are the kernel's own files");
    }
}

#[test]
fn a_path_that_does_not_exist_is_told() {
    let found = found(Path::new("/no/such/file"));
    assert_eq!(found.problems[0].path, Path::new("/no/such/file"));
    assert!(found.code.is_empty());
}
