//! Which program does a command line come to: behind launchers such as env and timeout, and behind scripts.
//!
//! | module | question |
//! |---|---|
//! | `table` | which launchers are known: config/launchers.toml |
//! | `words` | which of the words are the launcher's own |
//! | `shell` | which program does a shell text start, if it is one plain command |
//! | `environments` | which Python environment do uv, Poetry and conda take |
//! | `script` | what runs a script |
//!
//! Everything is read from files; nothing is started to find out. What cannot be told so is said not to be known.

mod environments;
mod script;
mod shell;
mod table;
#[cfg(test)]
mod tests;
mod words;

pub use script::is_script;
pub use shell::candidates;
pub use table::{Launcher, launchers};

use crate::installs::{Machine, Python};
use std::collections::BTreeSet;
use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use table::{Does, Starts};
use words::{Own, Stop};

/// Launchers and scripts that start each other; Linux itself ends after five scripts.
const DEPTH: usize = 16;
/// What a program must have for RMCP to be in it.
const PRELOAD: &str = "LD_PRELOAD";

/// The program that a command line comes to, as far as it can be told.
#[derive(Clone, Debug)]
pub struct Launched {
    /// How that program is called, and its arguments.
    pub command: Vec<OsString>,
    /// Its file, a Python's as it is called; None where it is not found.
    pub file: Option<PathBuf>,
    /// The shell script that it runs, if it is a shell.
    pub script: Option<PathBuf>,
    /// The machine, with the environment that the program would have without RMCP.
    pub machine: Machine,
    /// The launchers' files, in order.
    pub launchers: Vec<PathBuf>,
    /// The variables that launchers set or remove, whatever their own environment holds.
    pub fixed: BTreeSet<OsString>,
    /// Whether a launcher may start it on other machines, too.
    pub remote: bool,
    /// Whether it is a launcher that starts nothing, or follows the program by itself.
    pub is_done: bool,
    /// Why it is not known what is started. The rest is then about the launcher.
    pub unknown: Option<Unknown>,
    /// Whether its environment is not the launcher's: what RMCP sets does not reach it.
    pub outside: bool,
    /// What to write so that rmcp-run stands before the program, where that can be told.
    pub instead: Option<String>,
    /// The folder that it runs in.
    folder: PathBuf,
    /// The words before it; None where they are not those of the command line.
    before: Option<Vec<OsString>>,
}

/// Why it is not known what a launcher starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// It has an option that the table does not have.
    Option {
        /// The launcher.
        launcher: String,
        /// The option.
        option: String,
    },
    /// A shell text is more than one plain command.
    Text(String),
    /// It runs a program in a Python environment that cannot be told before.
    Environment {
        /// The launcher, as in `uv run`.
        launcher: String,
    },
}

impl Launched {
    /// Follows a command line.
    pub fn by(command: &[OsString], machine: &Machine) -> Self {
        let mut launched = Self {
            command: command.into(),
            file: None,
            script: None,
            machine: machine.clone(),
            launchers: Vec::new(),
            fixed: BTreeSet::new(),
            remote: false,
            is_done: false,
            unknown: None,
            outside: false,
            instead: None,
            folder: env::current_dir().unwrap_or_default(),
            before: Some(Vec::new()),
        };
        let mut steps = 0;
        while launched.step() && steps < DEPTH {
            steps += 1;
        }
        launched
    }

    /// Whether the program is a Python.
    pub fn is_python(&self) -> bool {
        self.file.as_deref().is_some_and(|file| Python::interpreter(file, &self.machine).is_some())
    }

    /// The words of the command line before the program; None where the program is named elsewhere, as in a script.
    pub fn words_before(&self) -> Option<&[OsString]> {
        self.before.as_deref()
    }

    /// What to write so that rmcp-run stands before the program.
    pub fn advice(&self) -> String {
        match &self.instead {
            Some(instead) => format!("write `{instead}`"),
            None => "put rmcp-run before the program itself".into(),
        }
    }

    /// Goes on to what the program starts. False: it is the last that can be told.
    fn step(&mut self) -> bool {
        let Some((called, arguments)) = self.command.split_first() else { return false };
        let (called, arguments) = (called.clone(), arguments.to_vec());
        let file = self.find(&called);
        self.file = file.clone();
        // Nothing follows what is not there. A shell has some of them built in.
        if file.is_none() && self.launchers.is_empty() {
            return false;
        }
        let name = |path: &Path| path.file_name().and_then(OsStr::to_str).unwrap_or_default().to_owned();
        if let Some(python) = file.as_deref().and_then(|file| Python::interpreter(file, &self.machine)) {
            self.file = Some(python);
            return false;
        }
        if let Some(launcher) = table::named(&name(Path::new(&called))) {
            return self.launch(launcher, &called, &arguments);
        }
        let Some((interpreter, argument)) = file.as_deref().and_then(script::shebang) else { return false };
        let file = file.unwrap_or_default();
        let words = [Some(interpreter.into_os_string()), argument, Some(file.clone().into_os_string())];
        self.command = words.into_iter().flatten().chain(arguments).collect();
        self.launchers.push(file);
        self.before = None;
        true
    }

    fn launch(&mut self, launcher: &'static Launcher, called: &OsStr, arguments: &[OsString]) -> bool {
        if launcher.starts == Starts::Itself {
            self.is_done = true;
            return false;
        }
        let own = match words::read(launcher, arguments) {
            Ok(own) => own,
            Err(Stop::Nothing) => {
                self.is_done = true;
                return false;
            }
            Err(Stop::Unknown(option)) => {
                self.instead = None;
                self.unknown = Some(Unknown::Option { launcher: launcher.title(called), option });
                return false;
            }
        };
        let rest = &arguments[own.words..];
        let before = self.before.take().map(|mut before| {
            before.push(called.into());
            before.extend_from_slice(&arguments[..own.words]);
            before
        });
        self.instead = before.as_deref().and_then(|before| shell::line(before, rest));
        self.change(&own);
        if launcher.starts == Starts::Outside || self.loses_preload() {
            self.outside = true;
            return false;
        }
        let next = match launcher.starts {
            Starts::Shell => self.shell(&own, rest),
            Starts::Program | Starts::Itself | Starts::Outside => match own.value(Does::Words) {
                // They are read as the launcher's own, in the place of the option.
                Some(text) => shell::plain(text).map(|plain| {
                    let words = std::iter::once(called.to_owned()).chain(plain.assignments).chain(plain.words);
                    words.chain(rest.iter().cloned()).collect()
                }),
                None => {
                    self.before = before;
                    Some(rest.to_vec())
                }
            },
            Starts::Uv | Starts::Poetry | Starts::Conda => {
                let next = self.environment(launcher, &own, rest);
                if next.is_none() {
                    let python = environments::is_script(&rest[0]).then(|| OsString::from("python"));
                    let words: Vec<_> = python.into_iter().chain(rest.iter().cloned()).collect();
                    let plain = own.value(Does::Module).or(own.value(Does::Script)).is_none();
                    self.instead = before.as_deref().filter(|_| plain).and_then(|before| shell::line(before, &words));
                    self.unknown = Some(Unknown::Environment { launcher: launcher.title(called) });
                }
                next
            }
        };
        let Some(next) = next else { return false };
        self.launchers.extend(self.file.take());
        self.command = next;
        true
    }

    /// Changes environment and folder as a launcher's own words do.
    fn change(&mut self, own: &Own) {
        for (does, value) in &own.done {
            match does {
                Does::Clear => {
                    self.machine.variables.clear();
                    self.fixed.insert(PRELOAD.into());
                }
                Does::Unset => {
                    self.machine.variables.remove(value);
                    self.fixed.insert(value.clone());
                }
                Does::Set => self.set(value),
                Does::Folder => self.folder = self.folder.join(value),
                Does::Hosts => self.remote = true,
                _ => {}
            }
        }
    }

    /// Sets a variable by a word such as NAME=VALUE.
    fn set(&mut self, assignment: &OsStr) {
        if let Some((name, value)) = words::assignment(assignment) {
            self.fixed.insert(name.clone());
            self.machine.variables.insert(name, value);
        }
    }

    /// Whether a launcher has taken RMCP out of the environment.
    fn loses_preload(&self) -> bool {
        let preload = self.machine.variable(PRELOAD).unwrap_or_default().to_string_lossy();
        self.fixed.contains(OsStr::new(PRELOAD)) && !preload.contains("librmcp.so")
    }

    /// What a shell starts: the program of a plain command; a script is noted.
    fn shell(&mut self, own: &Own, rest: &[OsString]) -> Option<Vec<OsString>> {
        let first = rest.first()?;
        self.instead = None;
        if own.value(Does::Text).is_none() {
            let script = self.folder.join(first);
            let python = script::executes(&script);
            self.script = Some(script);
            return python.map(|python| std::iter::once(python.into()).chain(rest.iter().cloned()).collect());
        }
        let Some(plain) = shell::plain(first) else {
            self.unknown = Some(Unknown::Text(first.to_string_lossy().into_owned()));
            return None;
        };
        plain.assignments.iter().for_each(|assignment| self.set(assignment));
        if self.loses_preload() {
            self.outside = true;
            return None;
        }
        Some(plain.words)
    }

    /// The file of a program as it is called from the folder that it runs in.
    fn find(&self, called: &OsStr) -> Option<PathBuf> {
        let path = Path::new(called);
        if path.components().count() > 1 && path.is_relative() {
            return Some(self.folder.join(path)).filter(|file| file.exists());
        }
        self.machine.program(called)
    }
}
