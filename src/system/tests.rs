//! The parts that need no other machine than a folder.

use super::*;
use std::os::unix::fs::symlink;

const STAGED_LIST: &str = "/etc/ld.so.preload.rmcp-new";

fn machine(list: Option<&str>) -> (tempfile::TempDir, System) {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("etc")).unwrap();
    let system = System::with_root(root.path());
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
            if before.is_some_and(|list| list.contains("rmcp")) { Disabled::Removed } else { Disabled::NotListed };
        assert_eq!(system.disable(&lock).unwrap(), expected);
        assert_eq!(fs::read_to_string(system.path(LIST)).ok().as_deref(), after);
        assert_eq!(fs::read_dir(system.path("/etc")).unwrap().count(), usize::from(after.is_some()));
    }
}

#[test]
fn disabling_removes_what_a_change_that_was_ended_left_behind() {
    let (_root, system) = machine(Some("/a.so\n"));
    fs::write(system.path(STAGED_LIST), "").unwrap();
    assert_eq!(system.disable(&system.lock().unwrap()).unwrap(), Disabled::NotListed);
    assert!(!system.path(STAGED_LIST).exists());
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
    let mark = system.path(confirm::PENDING_FILE);
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

#[test]
fn an_installation_that_is_closed_to_others_is_opened_and_no_folder_of_others_is_touched() {
    let (_root, system) = machine(None);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let close = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let gate = system.path("/gate.so");
    for name in ["gate.so", tree::CORE] {
        fs::write(gate.with_file_name(name), name).unwrap();
    }
    let loaders = [loaders::Loader { abi: None, path: loaders::NATIVE, lib: "lib64" }];
    let generation = tree::Generation::new(&gate, &loaders).unwrap();
    let entry = tree::install(&system, &generation).unwrap();
    let file = system.path(&entry.replace("$LIB", "lib64"));
    let ours = file.ancestors().skip(1).take_while(|folder| *folder != system.path("/usr/lib"));
    let ours: Vec<_> = ours.chain([&*file]).collect();
    assert_eq!(ours.len(), 5, "{ours:?}");
    // The outermost last, or root alone could reach the rest.
    for path in ours.iter().rev().skip(1).chain(ours.last()) {
        close(path, if *path == file { 0o600 } else { 0o700 });
    }
    close(&system.path("/usr/lib"), 0o750);
    assert_eq!(tree::install(&system, &generation).unwrap(), entry);
    for path in ours {
        assert_eq!(mode(path), if path == file { 0o644 } else { 0o755 }, "{}", path.display());
    }
    assert_eq!(mode(&system.path("/usr/lib")), 0o750);
}

#[test]
fn a_loader_that_the_kernel_cannot_run_is_none() {
    let (_root, system) = machine(None);
    let x32 = system.path(stub::Abi::X32.loader());
    for (path, file) in [(system.path(loaders::NATIVE), Some(loaders::NATIVE)), (x32, None)] {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match file {
            Some(file) => drop(fs::copy(file, &path).unwrap()),
            // An ELF file for no processor.
            None => fs::write(&path, [&b"\x7fELF"[..], &[0; 60]].concat()).unwrap(),
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let gate = system.path("/gate.so");
    let built = std::process::Command::new("cc")
        .args(["-shared", "-Wl,--no-as-needed", "-x", "c", "/dev/null", "-o"])
        .arg(&gate)
        .status();
    assert!(built.unwrap().success());
    let scratch = tempfile::tempdir().unwrap();
    let found = loaders::find(&system, &gate, scratch.path()).unwrap();
    assert_eq!(found.iter().map(|loader| loader.abi).collect::<Vec<_>>(), [None]);
    assert_eq!(loaders::complaints(&system, scratch.path()).unwrap(), [""; 0]);
}

#[test]
fn what_the_system_says_is_told_once() {
    let error = System::with_root("/nonexistent").lock().unwrap_err();
    let text = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
    let text = text.map(ToString::to_string).collect::<Vec<_>>().join(": ");
    assert_eq!(text.matches("No such file").count(), 1, "{text}");
}
