//! Changes come back exactly, whatever comes between.

use super::{Change, Command, Effect, Journal, RolledBack, Side, Step};
use crate::replace::{Attributes, Content};
use crate::{Lock, System, SystemError, crash};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A machine with some files, and its journal.
struct Place {
    _root: TempDir,
    system: System,
    journal: Journal,
}

/// What the changes are about. The folder of the last is not there.
const PATHS: [&str; 4] = ["/etc/environment", "/etc/default/grub", "/etc/link", "/etc/new/folder/file.conf"];

impl Place {
    fn new() -> Self {
        Self::within(tempfile::tempdir().unwrap())
    }

    /// One in memory, where what is brought to the disk takes no time.
    fn in_memory() -> Self {
        Self::within(tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap())
    }

    fn within(root: TempDir) -> Self {
        let system = System::with_root(root.path());
        fs::create_dir_all(system.path("/etc/default")).unwrap();
        fs::write(system.path(PATHS[0]), "A=1\n").unwrap();
        fs::write(system.path(PATHS[1]), "LINE=\n").unwrap();
        fs::set_permissions(system.path(PATHS[1]), fs::Permissions::from_mode(0o640)).unwrap();
        symlink("environment", system.path(PATHS[2])).unwrap();
        let journal = Journal::of_machine(&system);
        Self { _root: root, system, journal }
    }

    fn read(&self, path: &str) -> Content {
        Content::read(&self.system.path(path)).unwrap()
    }

    /// A change that makes these texts of these files.
    fn change(&self, reason: &str, files: &[(&str, &str)]) -> Change {
        let step = |(path, text): &(&str, &str)| {
            let before = self.read(path);
            Step::File { path: path.into(), after: before.with_bytes((*text).into()), before }
        };
        Change { reason: reason.into(), effect: Effect::Now, steps: files.iter().map(step).collect() }
    }

    /// A program that another test starts just then has the old lock until it runs.
    fn lock(&self) -> Lock {
        self.system.lock_when_free().unwrap()
    }

    fn apply(&self, change: &Change) -> u32 {
        self.journal.apply(change, &self.lock(), &mut |_| Ok(())).unwrap().id
    }

    fn roll_back(&self, id: u32, side: Option<Side>) -> RolledBack {
        let record = self.journal.records().unwrap().into_iter().find(|record| record.id == id).unwrap();
        self.journal.roll_back(&record, side, &self.lock(), &mut |_| Ok(())).unwrap()
    }

    /// Everything below the root folder.
    fn tree(&self) -> BTreeMap<PathBuf, (u32, u32, u32, Content)> {
        let mut tree = BTreeMap::new();
        let mut folders = vec![self.system.path("/")];
        while let Some(folder) = folders.pop() {
            for path in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
                let metadata = fs::symlink_metadata(&path).unwrap();
                let content = if metadata.is_dir() { Content::Absent } else { Content::read(&path).unwrap() };
                if metadata.is_dir() {
                    folders.push(path.clone());
                }
                tree.insert(path, (metadata.mode(), metadata.uid(), metadata.gid(), content));
            }
        }
        tree
    }
}

#[test]
fn a_change_is_taken_back_to_the_last_attribute_and_leaves_nothing_behind() {
    let place = Place::new();
    rustix::fs::setxattr(place.system.path(PATHS[0]), "user.note", b"kept", rustix::fs::XattrFlags::empty()).unwrap();
    fs::set_permissions(place.system.path(PATHS[0]), fs::Permissions::from_mode(0o604)).unwrap();
    let first = place.tree();
    let id = place.apply(&place.change("a.b", &PATHS.map(|path| (path, "new\n"))));
    assert_eq!(place.read(PATHS[3]).bytes(), Some(&b"new\n"[..]));
    let Content::File { attributes, .. } = place.read(PATHS[0]) else { panic!("a file") };
    assert_eq!((attributes.mode, attributes.xattrs["user.note"].as_slice()), (0o604, &b"kept"[..]));
    let record = &place.journal.records().unwrap()[0];
    assert_eq!((record.reason.as_str(), record.version.as_str()), ("a.b", env!("CARGO_PKG_VERSION")));
    assert_eq!(place.roll_back(id, None), RolledBack::Done);
    // The folder for the state of programs is the machine's own.
    let mut last = place.tree();
    last.retain(|path, _| !path.starts_with(place.system.path("/var")));
    assert_eq!(last, first);
    assert!(!place.system.path("/var/lib/rmcp").exists());
}

#[test]
fn a_file_that_was_edited_since_stays_until_somebody_says_whose_it_shall_be() {
    for (side, text) in [(Side::Ours, "A=1\n"), (Side::Theirs, "A=3\n")] {
        let place = Place::new();
        let id = place.apply(&place.change("a.b", &[(PATHS[0], "A=2\n"), (PATHS[1], "LINE=x\n")]));
        fs::write(place.system.path(PATHS[0]), "A=3\n").unwrap();
        let RolledBack::Conflicts(conflicts) = place.roll_back(id, None) else { panic!("a conflict") };
        let [conflict] = &conflicts[..] else { panic!("{conflicts:?}") };
        assert_eq!((conflict.path.as_path(), conflict.later), (Path::new(PATHS[0]), None));
        assert_eq!(conflict.before.bytes(), Some(&b"A=1\n"[..]));
        assert_eq!(place.read(PATHS[1]).bytes(), Some(&b"LINE=x\n"[..]), "nothing is changed");
        assert_eq!(place.roll_back(id, Some(side)), RolledBack::Done);
        assert_eq!(place.read(PATHS[0]).bytes(), Some(text.as_bytes()));
        assert_eq!(place.read(PATHS[1]).bytes(), Some(&b"LINE=\n"[..]));
    }
}

#[test]
fn permissions_that_somebody_gave_since_are_an_edit_and_a_new_label_is_none() {
    let place = Place::new();
    let id = place.apply(&place.change("a.b", &[(PATHS[0], "A=2\n")]));
    fs::set_permissions(place.system.path(PATHS[0]), fs::Permissions::from_mode(0o600)).unwrap();
    assert!(matches!(place.roll_back(id, None), RolledBack::Conflicts(_)));
    let label = |name: &str| Attributes { xattrs: BTreeMap::from([(name.into(), vec![1])]), ..Attributes::new(0o644) };
    assert!(label("security.selinux").are_like(&Attributes::new(0o644)));
    assert!(!label("user.note").are_like(&Attributes::new(0o644)));
}

#[test]
fn of_two_changes_of_one_file_the_later_is_named_and_goes_first() {
    let place = Place::new();
    let first = place.apply(&place.change("a.b", &[(PATHS[0], "A=2\n")]));
    let second = place.apply(&place.change("c.d", &[(PATHS[0], "A=3\n")]));
    let RolledBack::Conflicts(conflicts) = place.roll_back(first, None) else { panic!("a conflict") };
    assert_eq!(conflicts[0].later, Some(second));
    assert_eq!(place.roll_back(second, None), RolledBack::Done);
    assert_eq!(place.roll_back(first, None), RolledBack::Done);
    assert_eq!(place.read(PATHS[0]).bytes(), Some(&b"A=1\n"[..]));
}

#[test]
fn a_change_whose_command_fails_is_no_change() {
    let place = Place::new();
    let mut change = place.change("a.b", &[(PATHS[0], "A=2\n"), (PATHS[3], "new\n")]);
    let command = |word: &str| vec![word.to_owned()];
    change.steps.push(Step::Command(Command { run: command("rebuild"), undo: command("rebuild"), member: None }));
    let error = place.journal.apply(&change, &place.lock(), &mut |_| Err("no space".into()));
    let error = error.unwrap_err().to_string();
    assert_eq!(error, "`rebuild` failed: no space");
    assert_eq!(place.read(PATHS[0]).bytes(), Some(&b"A=1\n"[..]));
    assert!(!place.system.path("/etc/new").exists());
}

#[test]
fn a_group_is_left_only_by_who_joined_it_through_the_change() {
    let place = Place::new();
    let group =
        |members: &str| fs::write(place.system.path("/etc/group"), format!("render:x:992:{members}\n")).unwrap();
    group("");
    let words = |text: &str| text.split(' ').map(str::to_owned).collect();
    let command = Command {
        run: words("usermod -aG render alice"),
        undo: words("gpasswd -d alice render"),
        member: Some(("alice".into(), "render".into())),
    };
    let change = Change { reason: "a.b".into(), effect: Effect::NextLogin, steps: vec![Step::Command(command)] };
    let mut ran = Vec::new();
    let mut run = |words: &[String]| {
        group(if words[0] == "usermod" { "bob,alice" } else { "bob" });
        ran.push(words.join(" "));
        Ok(())
    };
    let lock = place.lock();
    let record = place.journal.apply(&change, &lock, &mut run).unwrap();
    place.journal.roll_back(&record, None, &lock, &mut run).unwrap();
    place.journal.apply(&change, &lock, &mut |_| Ok(())).unwrap();
    // As after a crash before the command: there is nothing to leave.
    let record = place.journal.records().unwrap().remove(0);
    place.journal.roll_back(&record, None, &lock, &mut |_| panic!("alice is no member")).unwrap();
    assert_eq!(ran, ["usermod -aG render alice", "gpasswd -d alice render"]);
}

#[test]
fn what_changed_between_the_look_and_the_change_is_left_alone() {
    let place = Place::new();
    let change = place.change("a.b", &[(PATHS[0], "A=2\n")]);
    fs::write(place.system.path(PATHS[0]), "A=3\n").unwrap();
    let error = place.journal.apply(&change, &place.lock(), &mut |_| Ok(())).unwrap_err();
    assert!(matches!(error, SystemError::Changed { .. }), "{error}");
    assert_eq!(place.read(PATHS[0]).bytes(), Some(&b"A=3\n"[..]));
}

#[test]
fn a_link_that_was_put_in_the_new_files_place_is_not_followed() {
    let place = Place::new();
    symlink("victim", place.system.path("/etc/environment.rmcp-new")).unwrap();
    fs::write(place.system.path("/etc/victim"), "mine").unwrap();
    place.apply(&place.change("a.b", &[(PATHS[0], "A=2\n")]));
    assert_eq!(place.read("/etc/victim").bytes(), Some(&b"mine"[..]));
    assert_eq!(place.read(PATHS[0]).bytes(), Some(&b"A=2\n"[..]));
}

#[test]
fn a_machines_changes_and_its_list_hold_each_other_off() {
    let place = Place::new();
    let _held = place.system.lock().unwrap();
    assert!(matches!(place.journal.lock(), Err(SystemError::Busy)));
    let user = Journal::of_user(&place.system, &place.system.path("/home/state/rmcp"));
    assert!(user.lock().is_ok(), "a user's are another thing");
}

/// What happens to the files, one after the other.
#[derive(Clone, Debug)]
enum Event {
    /// A change of some of the files, ended at a point if there is one.
    Fix(Vec<usize>, Option<usize>),
    /// Somebody writes into a file.
    Edit(usize),
    /// The newest change or another is taken back, to a point if there is one.
    RollBack(usize, Option<usize>),
}

fn event() -> impl Strategy<Value = Event> {
    let files = proptest::sample::subsequence((0..PATHS.len()).collect::<Vec<_>>(), 1..=PATHS.len());
    let end = || proptest::option::of(0_usize..40);
    prop_oneof![
        3 => (files, end()).prop_map(|(files, end)| Event::Fix(files, end)),
        1 => (0..PATHS.len()).prop_map(Event::Edit),
        2 => (0_usize..3, end()).prop_map(|(which, end)| Event::RollBack(which, end)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn fixes_edits_rollbacks_and_crashes_come_back_to_the_first_state_or_to_a_conflict(
        events in proptest::collection::vec(event(), 0..12)
    ) {
        let place = Place::in_memory();
        let first: Vec<Content> = PATHS.iter().map(|path| place.read(path)).collect();
        // What a file is where every change is taken back: what it was at first, or what somebody wrote.
        let mut texts = 0;
        let mut edited = [false; PATHS.len()];
        for event in events {
            texts += 1;
            let text = format!("text {texts}\n");
            match event {
                Event::Fix(files, end) => {
                    let files: Vec<(&str, &str)> = files.into_iter().map(|file| (PATHS[file], text.as_str())).collect();
                    let change = place.change("a.b", &files);
                    crash::at(end.unwrap_or(usize::MAX), || place.apply(&change));
                }
                Event::Edit(file) => {
                    let path = place.system.path(PATHS[file]);
                    // As an editor that writes through links does.
                    if path.parent().unwrap().is_dir() && !path.is_symlink() {
                        fs::write(path, text).unwrap();
                        edited[file] = true;
                    }
                }
                Event::RollBack(which, end) => {
                    let records = place.journal.records().unwrap();
                    if let Some(record) = records.iter().rev().nth(which) {
                        crash::at(end.unwrap_or(usize::MAX), || place.roll_back(record.id, None));
                    }
                }
            }
            // Each file is whole at any time.
            for path in PATHS {
                if let Some(bytes) = place.read(path).bytes() {
                    prop_assert!(bytes.ends_with(b"\n"), "{path}: {bytes:?}");
                }
            }
        }
        place.journal.clean(&place.lock()).unwrap();
        let mut conflicts = Vec::new();
        for record in place.journal.records().unwrap().into_iter().rev() {
            match place.roll_back(record.id, None) {
                RolledBack::Done => {}
                RolledBack::Conflicts(found) => conflicts.extend(found),
            }
        }
        for (file, path) in PATHS.iter().enumerate() {
            let as_at_first = place.read(path) == first[file];
            let mut reported = conflicts.iter().filter(|conflict| conflict.path == Path::new(path));
            prop_assert!(as_at_first || edited[file] || !conflicts.is_empty(), "{path}");
            // A conflict is never made up: somebody wrote into the file, or a later change stays because of another file.
            prop_assert!(reported.all(|conflict| edited[file] || conflict.later.is_some()), "{path}");
            let staged = place.system.path(&format!("{path}.rmcp-new"));
            prop_assert!(!staged.exists() || !conflicts.is_empty(), "{path}");
        }
        if conflicts.is_empty() {
            prop_assert!(!place.system.path("/var/lib/rmcp").exists());
        }
    }
}
