//! The parts that need no other machine than a folder.

use super::*;
use std::os::unix::fs::symlink;

fn machine(list: Option<&str>) -> (tempfile::TempDir, System) {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("etc")).unwrap();
    let system = System::at(root.path());
    if let Some(list) = list {
        fs::write(system.path(LIST), list).unwrap();
    }
    (root, system)
}

#[test]
fn disabling_leaves_foreign_lines_and_no_empty_list() {
    let ours = "/usr/lib/rmcp/system/0.1.0-1/$LIB/librmcp.so\n";
    for (before, after) in [
        (Some(format!("/a.so\n{ours}")), Some("/a.so\n")),
        (Some(ours.to_owned()), None),
        (Some("/a.so".to_owned()), Some("/a.so")),
        (None, None),
    ] {
        let (_root, system) = machine(before.as_deref());
        let lock = system.lock().unwrap();
        let expected =
            if before.is_some_and(|list| list.contains("rmcp")) { Disabled::Removed } else { Disabled::WasNot };
        assert_eq!(system.disable(&lock).unwrap(), expected);
        assert_eq!(fs::read_to_string(system.path(LIST)).ok().as_deref(), after);
        assert_eq!(fs::read_dir(system.path("/etc")).unwrap().count(), usize::from(after.is_some()));
    }
}

#[test]
fn disabling_removes_what_a_change_that_was_ended_left_behind() {
    let (_root, system) = machine(Some("/a.so\n"));
    fs::write(system.path(HALF), "").unwrap();
    assert_eq!(system.disable(&system.lock().unwrap()).unwrap(), Disabled::WasNot);
    assert!(!system.path(HALF).exists());
}

#[test]
fn a_list_that_is_a_link_is_left_to_whoever_made_it() {
    let (_root, system) = machine(None);
    symlink("/nix/store/list", system.path(LIST)).unwrap();
    let error = system.set_list(b"/x/librmcp.so\n", &system.lock().unwrap()).unwrap_err().to_string();
    assert!(error.contains("symbolic link") && error.contains("/x/librmcp.so"), "{error}");
}

#[test]
fn one_rmcp_at_a_time() {
    let (_root, system) = machine(None);
    let held = system.lock().unwrap();
    assert!(matches!(system.lock(), Err(SystemError::Busy)));
    drop(held);
    assert!(system.lock().is_ok());
}

#[test]
fn a_confirmed_rmcp_is_not_taken_back_and_a_late_timer_does_nothing() {
    let ours = "/usr/lib/rmcp/system/0.1.0-1/$LIB/librmcp.so\n";
    let (_root, system) = machine(Some(ours));
    let lock = system.lock().unwrap();
    let mark = system.path(confirm::MARK);
    fs::create_dir_all(mark.parent().unwrap()).unwrap();

    assert!(!confirm::roll_back(&system, None, &lock).unwrap(), "nothing was waiting");
    fs::write(&mark, "2").unwrap();
    assert!(!confirm::roll_back(&system, Some("1"), &lock).unwrap(), "the timer of an earlier waiting");
    assert!(system.entry().unwrap().is_some());
    assert!(confirm::roll_back(&system, Some("2"), &lock).unwrap());
    assert_eq!(system.entry().unwrap(), None);
    assert!(!mark.exists());
}

#[test]
fn a_generation_is_installed_once_and_never_changed() {
    let (root, system) = machine(None);
    let gate = root.path().join(list::GATE);
    fs::write(&gate, "gate").unwrap();
    fs::write(root.path().join("librmcp_core.so"), "core").unwrap();
    let loaders = [
        loaders::Loader { abi: None, path: loaders::NATIVE, lib: "lib64" },
        loaders::Loader { abi: Some(stub::Abi::I386), path: stub::Abi::I386.loader(), lib: "lib" },
    ];
    let install = || tree::install(&system, &tree::Generation::new(&gate, &loaders).unwrap()).unwrap();
    let first = install();
    assert_eq!(install(), first);
    let gate_of = |entry: &str, lib| fs::read(system.path(&entry.replace("$LIB", lib))).unwrap();
    assert_eq!(gate_of(&first, "lib64"), b"gate");
    assert_eq!(gate_of(&first, "lib"), stub::library(stub::Abi::I386));

    fs::write(&gate, "newer").unwrap();
    let second = install();
    assert_ne!(second, first);
    assert_eq!((gate_of(&first, "lib64"), gate_of(&second, "lib64")), (b"gate".to_vec(), b"newer".to_vec()));

    fs::write(system.path(LIST), &second).unwrap();
    assert!(tree::clean(&system, false).unwrap().is_empty());
    assert!(!system.path(&first.replace("$LIB", "lib64")).exists());
    assert_eq!(gate_of(&second, "lib64"), b"newer");
}
