//! Changes that can be taken back: what was before, what was made of it, when, by which version, and why.
//!
//! A record is whole on the disk, with the old files, before the first file changes, and stays until all is as it was. So
//! wherever a change or its taking back is ended, each file is the old one or the new one, and a second attempt at either
//! knows which.

mod record;
#[cfg(test)]
mod tests;

pub use record::{Change, Command, Conflict, Effect, FileRecord, Record, RolledBack, Side, State, Step, sha256};

use super::replace::{Content, remove_staged};
use super::{Lock, System, SystemError, crash_point, create_folder, io_error, sync_folder, write_synced};
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Where a machine's records are. What a user's are in is `changes` too.
pub const CHANGES: &str = "/var/lib/rmcp/changes";
const RECORD: &str = "record.json";
/// A record before it has its number, and one that is done with.
const STAGED: &str = "new";
const REMOVED: &str = "removed";

/// Runs a command; the error says what went wrong.
pub type Runner<'a> = &'a mut dyn FnMut(&[String]) -> Result<(), String>;

/// The records of a machine or of a user.
#[derive(Clone, Debug)]
pub struct Journal {
    system: System,
    folder: PathBuf,
    /// Whether it is the machine's, which every user may read.
    shared: bool,
}

impl Journal {
    /// The machine's.
    pub fn of_machine(system: &System) -> Self {
        Self { folder: system.path(CHANGES), system: system.clone(), shared: true }
    }

    /// A user's, in a folder for what RMCP keeps of this user.
    pub fn of_user(system: &System, state: &Path) -> Self {
        Self { folder: state.join("changes"), system: system.clone(), shared: false }
    }

    /// Holds off every other rmcp. A machine's changes and those of its list of libraries hold each other off.
    pub fn lock(&self) -> Result<Lock, SystemError> {
        if self.shared {
            return self.system.lock();
        }
        let folder = self.folder.parent().unwrap_or(&self.folder);
        fs::create_dir_all(folder).map_err(io_error("create", folder))?;
        Lock::of(folder)
    }

    /// Every change that was made and not taken back, the oldest first.
    pub fn records(&self) -> Result<Vec<Record>, SystemError> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            read => read.map_err(io_error("read", &self.folder))?,
        };
        let numbered =
            |entry: &fs::DirEntry| entry.file_name().to_str().is_some_and(|name| name.parse::<u32>().is_ok());
        let mut records = Vec::new();
        for entry in entries.flatten().filter(numbered) {
            let path = entry.path().join(RECORD);
            let read =
                fs::read(&path).and_then(|text| serde_json::from_slice::<Record>(&text).map_err(io::Error::from));
            records.push(read.map_err(io_error("read", &path))?);
        }
        records.sort_by_key(|record| record.id);
        Ok(records)
    }

    /// Makes a change. Where that fails all is as before.
    pub fn apply(&self, change: &Change, _lock: &Lock, run: Runner) -> Result<Record, SystemError> {
        self.clear_staged()?;
        for step in &change.steps {
            if let Step::File { path, before, .. } = step {
                let place = self.system.path_of(path);
                check_owner(&place)?;
                if Content::read(&place)? != *before {
                    return Err(SystemError::Changed { path: path.clone() });
                }
            }
        }
        let record = self.write_record(change)?;
        let contents = change.steps.iter().filter_map(|step| match step {
            Step::File { after, .. } => Some(after),
            Step::Command(_) => None,
        });
        let made = record.files.iter().zip(contents).try_for_each(|(file, after)| {
            let shared = if self.shared { super::FOLDER } else { PRIVATE };
            file.folders.iter().try_for_each(|folder| make_folder(&self.system.path_of(folder), shared))?;
            after.put(&self.system.path_of(&file.path))
        });
        let done = made.and_then(|()| record.commands.iter().try_for_each(|command| self.run(command, true, run)));
        if let Err(error) = done {
            // Its own error says more than one of this.
            let _ = self.restore(&record, None, run).and_then(|()| self.forget(&record));
            return Err(error);
        }
        Ok(record)
    }

    /// Takes a change back, or names the files that were edited since and changes nothing. With a side, those too are settled,
    /// but for what a later change of RMCP's made of them: that one goes first.
    pub fn roll_back(
        &self,
        record: &Record,
        side: Option<Side>,
        _lock: &Lock,
        run: Runner,
    ) -> Result<RolledBack, SystemError> {
        self.clear_staged()?;
        let mut conflicts = self.conflicts(record)?;
        conflicts.retain(|conflict| side.is_none() || conflict.later.is_some());
        if !conflicts.is_empty() {
            return Ok(RolledBack::Conflicts(conflicts));
        }
        self.restore(record, side, run)?;
        self.forget(record)?;
        Ok(RolledBack::Done)
    }

    /// The files of a change that were edited since, or that a later one is about too.
    pub fn conflicts(&self, record: &Record) -> Result<Vec<Conflict>, SystemError> {
        let mut later = self.records()?;
        later.retain(|other| other.id > record.id);
        let mut conflicts = Vec::new();
        for (number, file) in record.files.iter().enumerate() {
            let is_about = |later: &&Record| later.files.iter().any(|other| other.path == file.path);
            let later = later.iter().rev().find(is_about).map(|later| later.id);
            let now = Content::read(&self.system.path_of(&file.path))?;
            if later.is_some() || !file.explains(&now) {
                let before = self.before(record, number)?;
                conflicts.push(Conflict { path: file.path.clone(), before, now, later });
            }
        }
        Ok(conflicts)
    }

    /// What a file was before a change.
    fn before(&self, record: &Record, number: usize) -> Result<Content, SystemError> {
        Ok(match &record.files[number].before {
            State::Absent => Content::Absent,
            State::Link { target } => Content::Link { target: target.clone() },
            State::File { attributes, .. } => {
                let kept = self.folder.join(record.id.to_string()).join(kept(number));
                let bytes = fs::read(&kept).map_err(io_error("read", &kept))?;
                Content::File { bytes, attributes: attributes.clone() }
            }
        })
    }

    /// Makes every file what it was, the last first, and runs what takes the commands back.
    fn restore(&self, record: &Record, side: Option<Side>, run: Runner) -> Result<(), SystemError> {
        for (number, file) in record.files.iter().enumerate().rev() {
            let place = self.system.path_of(&file.path);
            remove_staged(&place)?;
            let now = Content::read(&place)?;
            let edited = !file.explains(&now);
            let before = self.before(record, number)?;
            if now != before && !(edited && side == Some(Side::Theirs)) {
                before.put(&place)?;
            }
            for folder in file.folders.iter().rev() {
                crash_point();
                // Fails, as it should, while there is something in it.
                let _ = fs::remove_dir(self.system.path_of(folder));
            }
        }
        record.commands.iter().rev().try_for_each(|command| self.run(command, false, run))
    }

    fn run(&self, command: &Command, forward: bool, run: Runner) -> Result<(), SystemError> {
        if let Some((user, group)) = &command.member
            && is_member(&self.system, user, group) == forward
        {
            return Ok(());
        }
        let words = if forward { &command.run } else { &command.undo };
        run(words).map_err(|why| SystemError::Command { command: words.join(" "), why })
    }

    /// Writes down what is going to be done.
    fn write_record(&self, change: &Change) -> Result<Record, SystemError> {
        let id = self.records()?.last().map_or(0, |last| last.id) + 1;
        let half = self.folder.join(STAGED);
        if self.shared {
            create_folder(&half, Some(&self.system.path("/var/lib")))?;
        } else {
            make_folders(&half)?;
        }
        let (mut files, mut commands) = (Vec::new(), Vec::new());
        for step in &change.steps {
            match step {
                Step::Command(command) => commands.push(command.clone()),
                Step::File { path, before, after } => {
                    if let Some(bytes) = before.bytes() {
                        crash_point();
                        write_synced(&half.join(kept(files.len())), bytes, PRIVATE_FILE)?;
                    }
                    let made: Vec<PathBuf> = files.iter().flat_map(|file: &FileRecord| file.folders.clone()).collect();
                    let missing = |folder: &&Path| !self.system.path_of(folder).is_dir();
                    let mut folders: Vec<PathBuf> =
                        path.ancestors().skip(1).take_while(missing).map(PathBuf::from).collect();
                    folders.retain(|folder| !made.contains(folder));
                    folders.reverse();
                    files.push(FileRecord {
                        path: path.clone(),
                        before: State::of(before),
                        after: State::of(after),
                        folders,
                    });
                }
            }
        }
        let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let version = env!("CARGO_PKG_VERSION").into();
        let boot = self.system.boot();
        let record =
            Record { id, reason: change.reason.clone(), version, time, boot, effect: change.effect, files, commands };
        let path = half.join(RECORD);
        let text = serde_json::to_vec_pretty(&record).map_err(io::Error::from).map_err(io_error("write", &path))?;
        crash_point();
        write_synced(&path, &text, if self.shared { super::FILE } else { PRIVATE_FILE })?;
        sync_folder(&path)?;
        crash_point();
        let whole = self.folder.join(id.to_string());
        fs::rename(&half, &whole).map_err(io_error("create", &whole))?;
        sync_folder(&whole)?;
        Ok(record)
    }

    /// Removes a record whose files are as they were.
    fn forget(&self, record: &Record) -> Result<(), SystemError> {
        crash_point();
        let (whole, removed) = (self.folder.join(record.id.to_string()), self.folder.join(REMOVED));
        fs::rename(&whole, &removed).map_err(io_error("remove", &whole))?;
        sync_folder(&removed)?;
        self.clean_up()
    }

    /// Removes what was left of changes that were ended before they began, and the folder where no record is in it.
    pub fn clean(&self, _lock: &Lock) -> Result<(), SystemError> {
        self.clean_up()
    }

    fn clean_up(&self) -> Result<(), SystemError> {
        self.clear_staged()?;
        // Fails, as it should, while there is something in it.
        let _ =
            fs::remove_dir(&self.folder).and_then(|()| fs::remove_dir(self.folder.parent().unwrap_or(&self.folder)));
        Ok(())
    }

    /// Removes what a change that was ended left in the journal's folder.
    fn clear_staged(&self) -> Result<(), SystemError> {
        for left in [STAGED, REMOVED].map(|name| self.folder.join(name)) {
            crash_point();
            match fs::remove_dir_all(&left) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(io_error("remove", &left)(error)),
                _ => {}
            }
        }
        Ok(())
    }
}

const PRIVATE: u32 = 0o700;
const PRIVATE_FILE: u32 = 0o600;

/// The name of a file's old bytes.
fn kept(number: usize) -> String {
    format!("{number}.before")
}

/// In a folder of somebody else, who can put a link in the place of any file there, nothing is changed.
fn check_owner(path: &Path) -> Result<(), SystemError> {
    let Some(folder) = path.ancestors().skip(1).find(|folder| folder.is_dir()) else { return Ok(()) };
    let owner = fs::metadata(folder).map_err(io_error("read", folder))?.uid();
    if owner != 0 && owner != nix::unistd::geteuid().as_raw() {
        return Err(SystemError::Foreign { path: path.into(), owner });
    }
    Ok(())
}

fn make_folder(path: &Path, mode: u32) -> Result<(), SystemError> {
    crash_point();
    match fs::create_dir(path) {
        Err(_) if path.is_dir() => return Ok(()),
        made => made.map_err(io_error("create", path))?,
    }
    super::set_mode(path, mode)?;
    sync_folder(path)
}

/// A user's folder and those above it that are missing.
fn make_folders(path: &Path) -> Result<(), SystemError> {
    let folders: Vec<&Path> = path.ancestors().filter(|folder| !folder.is_dir()).collect();
    folders.into_iter().rev().try_for_each(|folder| make_folder(folder, PRIVATE))
}

/// Whether the machine lists a user as a member of a group. (group(5))
pub fn is_member(system: &System, user: &str, group: &str) -> bool {
    let groups = fs::read_to_string(system.path("/etc/group")).unwrap_or_default();
    groups.lines().any(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        matches!(fields[..], [name, _, _, members] if name == group && members.split(',').any(|member| member == user))
    })
}
