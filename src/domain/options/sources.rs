//! What the options of a process come from.

use super::table::TABLE;
use std::env;
use std::ffi::{OsStr, OsString};
use std::iter;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The variable of ROCm, and its value, without which `register = "coarse"` is refused; docs/reference/options.md says why.
pub const SYSTEM_FENCES: (&str, &str) = ("AMD_OPT_FLUSH", "0");

/// A variable of ROCm by which a user asks for memory that an option would take away.
pub struct CoherenceVariable {
    /// Its name.
    pub name: &'static str,
    /// Whether a value of it says so.
    requests_coherence: fn(&str) -> bool,
    /// The options that are then `keep`, unless they are set as well.
    pub options: &'static [&'static str],
}

/// All of them.
pub static COHERENCE_VARIABLES: [CoherenceVariable; 2] = [
    // The number is read by atoi. (ROCm/clr, rocclr/utils/flags.cpp; hipamd/src/hip_memory.cpp)
    CoherenceVariable { name: "HIP_HOST_COHERENT", requests_coherence: |value| number(value) != 0, options: &["host"] },
    // All memory is then uncached, whatever the flags. (ROCR-Runtime, libhsakmt/src/fmm.c)
    CoherenceVariable {
        name: "HSA_DISABLE_CACHE",
        requests_coherence: |value| value != "0",
        options: &["host", "managed"],
    },
];

/// As atoi reads it.
fn number(text: &str) -> i64 {
    let text = text.trim_start();
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().unwrap_or_default()
}

/// The machine's file.
pub const SYSTEM_FILE: &str = "/etc/rmcp.toml";

/// Variables of RMCP that are no options, and what each does.
pub const VARIABLES: [(&str, &str); 3] = [
    ("RMCP_CONFIG", "The only file of options to read; empty: none."),
    ("RMCP_DISABLE", "Anything but empty and 0 switches RMCP off, before any file is read."),
    ("RMCP_LIBRARY", "The path of librmcp.so, for rmcp and rmcp-run."),
];

/// Everything that options come from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// TOML files, the strongest last. One that does not exist is passed over.
    pub files: Vec<PathBuf>,
    /// The environment; of a name that occurs twice the last one counts.
    pub environment: Vec<(OsString, OsString)>,
    /// The program, for its sections; None: the question is about none in particular.
    pub program: Option<Program>,
    /// Whether the sections `[system]` count: the program has RMCP through /etc/ld.so.preload.
    pub system: bool,
    /// The effective user of the process: files of others count for nothing, but for root's.
    pub user: u32,
    /// Whether there is time to tell every mistake and what was probably meant, as in a command.
    pub all_complaints: bool,
}

/// The running program, under the names by which a section may call it.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// The executable, all links resolved: /usr/bin/python3.11.
    pub exe: PathBuf,
    /// What it was called by: python3.
    pub argv0: PathBuf,
}

impl Sources {
    /// Those of this process, which acts for this user: RMCP_CONFIG alone when it is set, else /etc/rmcp.toml and the
    /// user's file; then the environment. Without the sections `[system]`. Not for a process with AT_SECURE, which must
    /// trust none of them.
    ///
    /// Each variable is asked for by its name: another thread may be changing the others.
    pub fn from_process(user: u32) -> Self {
        let named = |name: OsString| env::var_os(&name).map(|value| (name, value));
        let exe = env::current_exe().unwrap_or_default();
        // An executable that was replaced since it started is shown by the kernel with this mark.
        let kept =
            exe.as_os_str().as_encoded_bytes().strip_suffix(b" (deleted)").map(|path| OsStr::from_bytes(path).into());
        let program = Program { exe: kept.unwrap_or(exe), argv0: env::args_os().next().unwrap_or_default().into() };
        Self {
            files: files(env::var_os),
            environment: known_variables().filter_map(named).collect(),
            program: Some(program),
            user,
            ..Self::default()
        }
    }

    /// The same of a command, which is alone in its process: with every variable that could be meant for RMCP.
    pub fn from_command() -> Self {
        let ours = |name: &OsStr| {
            name.as_encoded_bytes().starts_with(b"RMCP_") || rocm_variables().any(|variable| name == variable)
        };
        let environment = env::vars_os().filter(|(name, _)| ours(name)).collect();
        Self { environment, all_complaints: true, ..Self::from_process(rustix::process::geteuid().as_raw()) }
    }

    pub(super) fn has_system_fences(&self) -> bool {
        let (name, value) = SYSTEM_FENCES;
        self.variable(name).is_some_and(|set| set == value)
    }

    /// The wishes of the user in ROCm's own words.
    pub(super) fn coherence_variables(&self) -> impl Iterator<Item = &'static CoherenceVariable> {
        COHERENCE_VARIABLES.iter().filter(|variable| {
            self.variable(variable.name).is_some_and(|value| (variable.requests_coherence)(&value.to_string_lossy()))
        })
    }

    fn variable(&self, name: &str) -> Option<&OsStr> {
        self.environment.iter().rev().find(|(other, _)| other == name).map(|(_, value)| value.as_os_str())
    }
}

/// The names of all variables that options come from.
fn known_variables() -> impl Iterator<Item = OsString> {
    TABLE.iter().map(|row| row.env().into()).chain(rocm_variables().map(Into::into))
}

/// Those of them that are ROCm's.
fn rocm_variables() -> impl Iterator<Item = &'static str> {
    iter::once(SYSTEM_FENCES.0).chain(COHERENCE_VARIABLES.iter().map(|variable| variable.name))
}

/// The files to read, given the environment. RMCP_CONFIG replaces the search, so that a run can be made independent of
/// the machine's files; set but empty it means no file at all.
pub(super) fn files(var: impl Fn(&'static str) -> Option<OsString>) -> Vec<PathBuf> {
    if let Some(only) = var("RMCP_CONFIG") {
        return if only.is_empty() { Vec::new() } else { vec![only.into()] };
    }
    iter::once(SYSTEM_FILE.into()).chain(user_file(var)).collect()
}

/// The user's file, given the environment. None without a home.
pub fn user_file(var: impl Fn(&'static str) -> Option<OsString>) -> Option<PathBuf> {
    user_folder(var, "XDG_CONFIG_HOME", ".config").map(|folder| folder.join("rmcp/config.toml"))
}

/// The folder that the variable `xdg` names, by default this one of the home. None without a home. (XDG Base Directory
/// Specification: a relative path is ignored)
pub fn user_folder(
    var: impl Fn(&'static str) -> Option<OsString>,
    xdg: &'static str,
    by_default: &str,
) -> Option<PathBuf> {
    let absolute = |name| var(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute(xdg).or_else(|| absolute("HOME").map(|home| home.join(by_default)))
}

/// Whether the value of RMCP_DISABLE switches RMCP off: anything but unset, empty and 0.
pub fn is_disabled(value: Option<&[u8]>) -> bool {
    !matches!(value, None | Some(b"" | b"0"))
}

impl Program {
    /// The program of a file, called so.
    pub fn from_argv0(argv0: impl Into<PathBuf>, file: Option<&Path>) -> Self {
        Self { exe: file.and_then(|file| file.canonicalize().ok()).unwrap_or_default(), argv0: argv0.into() }
    }

    /// Whether a section of that name is meant for this program: a full path is the executable's or the one it was
    /// called by, anything else is the file name of either.
    pub fn is(&self, name: &str) -> bool {
        [&self.exe, &self.argv0].into_iter().any(|path| {
            if name.contains('/') { path == Path::new(name) } else { path.file_name().is_some_and(|file| file == name) }
        })
    }
}
