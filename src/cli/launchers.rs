//! Which program does a command line come to: behind launchers such as env and timeout, and behind scripts.
//!
//! | module | question |
//! |---|---|
//! | `table` | which launchers are known: config/launchers.toml |
//! | `getopt` | which of the words are the launcher's own |
//! | `shell` | which program does a shell text start, if it is one plain command |
//! | `environments` | which Python environment do uv, Poetry and conda take |
//! | `script` | what runs a script |
//!
//! Everything is read from files; nothing is started to find out. What cannot be told so is said not to be known.

mod environments;
mod getopt;
mod script;
mod shell;
mod table;
#[cfg(test)]
mod tests;

pub use script::is_script;
pub use shell::program_candidates;
pub use table::{Launcher, launchers};

use crate::installs::{Machine, Python};
use getopt::{LauncherWords, NoProgram};
use std::collections::BTreeSet;
use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use table::{LaunchKind, OptionEffect};

/// Launchers and scripts that start each other; Linux itself ends after five scripts.
const DEPTH: usize = 16;
/// What a program must have for RMCP to be in it.
const PRELOAD: &str = "LD_PRELOAD";

/// The program that a command line comes to, as far as it can be told.
#[derive(Clone, Debug)]
pub struct ResolvedCommand {
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
    pub pinned: BTreeSet<OsString>,
    /// Whether a launcher may start it on other machines, too.
    pub remote: bool,
    /// Whether it is a launcher that starts nothing, or follows the program by itself.
    pub no_program: bool,
    /// Why it is not known what is started. The rest is then about the launcher.
    pub unresolved: Option<Unresolved>,
    /// Whether its environment is not the launcher's: what RMCP sets does not reach it.
    pub environment_lost: bool,
    /// What to write so that rmcp-run stands before the program, where that can be told.
    pub suggestion: Option<String>,
    /// The folder that it runs in.
    pub folder: PathBuf,
    /// The words before it; None where they are not those of the command line.
    prefix: Option<Vec<OsString>>,
}

/// Why it is not known what a launcher starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unresolved {
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

impl ResolvedCommand {
    /// Follows a command line.
    pub fn resolve(command: &[OsString], machine: &Machine) -> Self {
        let mut launched = Self {
            command: command.into(),
            file: None,
            script: None,
            machine: machine.clone(),
            launchers: Vec::new(),
            pinned: BTreeSet::new(),
            remote: false,
            no_program: false,
            unresolved: None,
            environment_lost: false,
            suggestion: None,
            folder: env::current_dir().unwrap_or_default(),
            prefix: Some(Vec::new()),
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
        self.prefix.as_deref()
    }

    /// What to write so that rmcp-run stands before the program.
    pub fn advice(&self) -> String {
        match &self.suggestion {
            Some(instead) => format!("write `{instead}`"),
            None => "put rmcp-run before the program itself".into(),
        }
    }

    /// Goes on to what the program starts. False: it is the last that can be told.
    fn step(&mut self) -> bool {
        let Some((called, arguments)) = self.command.split_first() else { return false };
        let (called, arguments) = (called.clone(), arguments.to_vec());
        let file = self.find_program(&called);
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
        if let Some(launcher) = table::find_launcher(&name(Path::new(&called))) {
            return self.follow_launcher(launcher, &called, &arguments);
        }
        let Some((interpreter, argument)) = file.as_deref().and_then(script::shebang) else { return false };
        let file = file.unwrap_or_default();
        let words = [Some(interpreter.into_os_string()), argument, Some(file.clone().into_os_string())];
        self.command = words.into_iter().flatten().chain(arguments).collect();
        self.launchers.push(file);
        self.prefix = None;
        true
    }

    fn follow_launcher(&mut self, launcher: &'static Launcher, called: &OsStr, arguments: &[OsString]) -> bool {
        if launcher.kind == LaunchKind::Itself {
            self.no_program = true;
            return false;
        }
        let own = match getopt::parse_words(launcher, arguments) {
            Ok(own) => own,
            Err(NoProgram::NotStarted) => {
                self.no_program = true;
                return false;
            }
            Err(NoProgram::UnknownOption(option)) => {
                self.suggestion = None;
                self.unresolved = Some(Unresolved::Option { launcher: launcher.title(called), option });
                return false;
            }
        };
        let rest = &arguments[own.count..];
        let before = self.prefix.take().map(|mut before| {
            before.push(called.into());
            before.extend_from_slice(&arguments[..own.count]);
            before
        });
        self.suggestion = before.as_deref().and_then(|before| shell::insert_rmcp_run(before, rest));
        self.apply_effects(&own);
        if launcher.kind == LaunchKind::Outside || self.loses_preload() {
            self.environment_lost = true;
            return false;
        }
        let next = match launcher.kind {
            LaunchKind::Shell => self.follow_shell(&own, rest),
            LaunchKind::Program | LaunchKind::Itself | LaunchKind::Outside => {
                match own.effect_value(OptionEffect::Words) {
                    // They are read as the launcher's own, in the place of the option.
                    Some(text) => shell::parse_plain(text).map(|plain| {
                        let words = std::iter::once(called.to_owned()).chain(plain.assignments).chain(plain.words);
                        words.chain(rest.iter().cloned()).collect()
                    }),
                    None => {
                        self.prefix = before;
                        Some(rest.to_vec())
                    }
                }
            }
            LaunchKind::Uv | LaunchKind::Poetry | LaunchKind::Conda => {
                let next = self.enter_environment(launcher, &own, rest);
                if next.is_none() {
                    let python = environments::is_python_file(&rest[0]).then(|| OsString::from("python"));
                    let words: Vec<_> = python.into_iter().chain(rest.iter().cloned()).collect();
                    let plain =
                        own.effect_value(OptionEffect::Module).or(own.effect_value(OptionEffect::Script)).is_none();
                    self.suggestion =
                        before.as_deref().filter(|_| plain).and_then(|before| shell::insert_rmcp_run(before, &words));
                    self.unresolved = Some(Unresolved::Environment { launcher: launcher.title(called) });
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
    fn apply_effects(&mut self, own: &LauncherWords) {
        for (does, value) in &own.effects {
            match does {
                OptionEffect::Clear => {
                    self.machine.variables.clear();
                    self.pinned.insert(PRELOAD.into());
                }
                OptionEffect::Unset => {
                    self.machine.variables.remove(value);
                    self.pinned.insert(value.clone());
                }
                OptionEffect::Set => self.set_variable(value),
                OptionEffect::Folder => self.folder = self.folder.join(value),
                OptionEffect::Hosts => self.remote = true,
                _ => {}
            }
        }
    }

    /// Sets a variable by a word such as NAME=VALUE.
    fn set_variable(&mut self, assignment: &OsStr) {
        if let Some((name, value)) = getopt::assignment(assignment) {
            self.pinned.insert(name.clone());
            self.machine.variables.insert(name, value);
        }
    }

    /// Whether a launcher has taken RMCP out of the environment.
    fn loses_preload(&self) -> bool {
        let preload = self.machine.variable(PRELOAD).unwrap_or_default().to_string_lossy();
        self.pinned.contains(OsStr::new(PRELOAD)) && !preload.contains("librmcp.so")
    }

    /// What a shell starts: the program of a plain command; a script is noted.
    fn follow_shell(&mut self, own: &LauncherWords, rest: &[OsString]) -> Option<Vec<OsString>> {
        let first = rest.first()?;
        self.suggestion = None;
        if own.effect_value(OptionEffect::Text).is_none() {
            let script = self.folder.join(first);
            let python = script::exec_python(&script);
            self.script = Some(script);
            return python.map(|python| std::iter::once(python.into()).chain(rest.iter().cloned()).collect());
        }
        let Some(plain) = shell::parse_plain(first) else {
            self.unresolved = Some(Unresolved::Text(first.to_string_lossy().into_owned()));
            return None;
        };
        plain.assignments.iter().for_each(|assignment| self.set_variable(assignment));
        if self.loses_preload() {
            self.environment_lost = true;
            return None;
        }
        Some(plain.words)
    }

    /// The file of a program as it is called from the folder that it runs in.
    fn find_program(&self, called: &OsStr) -> Option<PathBuf> {
        let path = Path::new(called);
        if path.components().count() > 1 && path.is_relative() {
            return Some(self.folder.join(path)).filter(|file| file.exists());
        }
        self.machine.find_program(called)
    }
}
