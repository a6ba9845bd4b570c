//! What a change is, and what is written down of it.

use crate::replace::{Attributes, Content};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::PathBuf;

/// When a change takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// For every program that is started from now on.
    Now,
    /// When the user logs in anew.
    NextLogin,
    /// When the machine is restarted.
    Reboot,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// What stands at a path becomes something else.
    File {
        /// The absolute path, as it is called on the machine.
        path: PathBuf,
        /// What was read there.
        before: Content,
        /// What is to be there.
        after: Content,
    },
    /// A command, after all files; it may be run twice.
    Command(Command),
}

/// A command and the one that takes it back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// The program and its arguments.
    pub run: Vec<String>,
    /// The same of what takes it back, once the files are as they were.
    pub undo: Vec<String>,
    /// The member whom it makes part of a group: neither is run where the group has the member, or has not, already.
    pub member: Option<(String, String)>,
}

/// A change before it is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What it is for: the id of a problem, or a name of its own.
    pub reason: String,
    /// When it takes effect.
    pub effect: Effect,
    /// What it does.
    pub steps: Vec<Step>,
}

/// What a file was or became.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "lowercase")]
pub enum State {
    /// Nothing was there.
    Absent,
    /// A file.
    File {
        /// SHA-256 of its bytes.
        sha256: String,
        /// What else it had.
        #[serde(flatten)]
        attributes: Attributes,
    },
    /// A symbolic link.
    Link {
        /// Where it led.
        target: PathBuf,
    },
}

/// The SHA-256 of a content, in hexadecimal.
pub fn sha256(bytes: impl AsRef<[u8]>) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl State {
    pub(super) fn of(content: &Content) -> Self {
        match content {
            Content::Absent => Self::Absent,
            Content::File { bytes, attributes } => Self::File { sha256: sha256(bytes), attributes: attributes.clone() },
            Content::Link { target } => Self::Link { target: target.clone() },
        }
    }

    /// Whether somebody would call them the same.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::File { sha256, attributes }, Self::File { sha256: other, attributes: others }) => {
                sha256 == other && attributes.are_like(others)
            }
            _ => self == other,
        }
    }
}

/// A file in a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRecord {
    /// The absolute path, as it is called on the machine.
    pub path: PathBuf,
    /// What was there. The bytes of a file are beside the record, in N.before.
    pub before: State,
    /// What was put there.
    pub after: State,
    /// Folders that were made for it, the outermost first.
    pub folders: Vec<PathBuf>,
}

impl FileRecord {
    /// Whether what is there is what the change made of it, or what it was.
    pub fn explains(&self, now: &Content) -> bool {
        let now = State::of(now);
        now.is_like(&self.after) || now.is_like(&self.before)
    }
}

/// A change that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its number; the later, the higher.
    pub id: u32,
    /// What it was for.
    pub reason: String,
    /// The version of RMCP that made it.
    pub version: String,
    /// When, in seconds since 1970.
    pub time: u64,
    /// The boot in which it was made, as the kernel names it.
    pub boot: Option<String>,
    /// When it takes effect.
    pub effect: Effect,
    /// The files.
    pub files: Vec<FileRecord>,
    /// The commands.
    pub commands: Vec<Command>,
}

/// A file that is neither what the change made of it nor what it was before, or that a later change is about too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Its path, as it is called on the machine.
    pub path: PathBuf,
    /// What taking back would put there.
    pub before: Content,
    /// What is there.
    pub now: Content,
    /// The last change of RMCP's that is about the same file, where one is: it has to be taken back first.
    pub later: Option<u32>,
}

/// Whose state of a file stays that somebody edited since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The record's: it becomes what it was before the change, and the edit is lost.
    Ours,
    /// The edit's: it stays as it is.
    Theirs,
}

/// What became of taking a change back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RolledBack {
    /// All is as it was.
    Done,
    /// These files were edited since, and nothing was changed.
    Conflicts(Vec<Conflict>),
}
