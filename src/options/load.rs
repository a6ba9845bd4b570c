//! Finding the options of a process: files, program sections, environment.
//!
//! From weak to strong: the defaults; the files in order; their sections for this program in order; the environment.
//! What is wrong falls to the layer below it and leaves one complaint.

use super::table::{Kind, Options, Row, TABLE};
use super::values::{Raw, Register};
use crate::bounded::read_text;
use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::ErrorKind;
use std::iter;
use std::mem;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use toml::de::{DeTable, DeValue};

/// The variable of ROCm, and its value, without which `register = "coarse"` is refused; docs/options.md says why.
pub const SYSTEM_FENCES: (&str, &str) = ("AMD_OPT_FLUSH", "0");

/// The machine's file.
pub const SYSTEM_FILE: &str = "/etc/rmcp.toml";

/// More than anybody writes by hand.
pub(super) const FILE_LIMIT: u64 = 1024 * 1024;

/// Everything that options come from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// TOML files, the strongest last. One that does not exist is passed over.
    pub files: Vec<PathBuf>,
    /// The environment; of a name that occurs twice the last one counts.
    pub environment: Vec<(OsString, OsString)>,
    /// The program, for its sections.
    pub program: Program,
}

/// The running program, under the names by which a section may call it.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// The executable, all links resolved: /usr/bin/python3.11.
    pub exe: PathBuf,
    /// How it was called: python3.
    pub called: PathBuf,
}

/// Options with what is known about them.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The options.
    pub options: Options,
    /// What was wrong, one line each.
    pub complaints: Vec<Complaint>,
    /// The entry of `exclude` that names this program.
    pub excluded: Option<String>,
    origins: Vec<Origin>,
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The table.
    Default,
    /// A file or the environment.
    Set(Place),
}

/// A place where an option is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A line of a file, from 1; 0 is the file as a whole.
    File(Arc<Path>, usize),
    /// An environment variable.
    Environment(String),
}

/// Something wrong in the configuration: where, what, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct Complaint {
    /// Where.
    pub place: Place,
    /// What, and what would be right.
    pub problem: String,
}

/// One value of a file or of the environment.
struct Entry {
    row: &'static Row,
    raw: Raw,
    place: Place,
}

/// A file, read: the general entries and those of the program's sections, weak to strong.
#[derive(Default)]
struct Layers {
    general: Vec<Entry>,
    program: Vec<Entry>,
}

impl Options {
    /// The options that `sources` give.
    pub fn load(sources: &Sources) -> Loaded {
        let mut reader = Reader { program: &sources.program, layers: Layers::default(), complaints: Vec::new() };
        for file in &sources.files {
            reader.file(file);
        }
        let environment = reader.environment(&sources.environment);
        let Layers { general, program } = reader.layers;

        let mut options = Self::default();
        let mut origins = vec![Origin::Default; TABLE.len()];
        for entry in general.into_iter().chain(program).chain(environment) {
            if entry.row.set(&mut options, &entry.raw) {
                origins[index(entry.row.name)] = Origin::Set(entry.place);
            }
        }
        if options.register == Register::Coarse && !sources.has_system_fences() {
            options.register = Register::Keep;
            if let Origin::Set(place) = mem::replace(&mut origins[index("register")], Origin::Default) {
                let (name, value) = SYSTEM_FENCES;
                let problem = format!(
                    "register=coarse needs {name}={value} in the environment; it is ignored. Set that variable, or \
                     start the program with rmcp-run"
                );
                reader.complaints.push(Complaint { place, problem });
            }
        }
        let excluded = options.exclude.iter().find(|name| sources.program.is(name)).cloned();
        Loaded { options, complaints: reader.complaints, excluded, origins }
    }
}

impl Loaded {
    /// Where the option of that name got its value.
    pub fn origin(&self, name: &str) -> Option<&Origin> {
        super::row(name).map(|row| &self.origins[index(row.name)])
    }
}

/// The place of a row in the table.
fn index(name: &str) -> usize {
    TABLE.iter().position(|row| row.name == name).expect("a row of the table")
}

impl Sources {
    /// Those of this process: RMCP_CONFIG alone when it is set, else /etc/rmcp.toml and the user's file; then the
    /// environment. Not for a process with AT_SECURE, which must trust none of them.
    pub fn from_process() -> Self {
        let ours = |name: &OsStr| name.as_encoded_bytes().starts_with(b"RMCP_") || name == SYSTEM_FENCES.0;
        let environment: Vec<_> = env::vars_os().filter(|(name, _)| ours(name)).collect();
        let exe = env::current_exe().unwrap_or_default();
        // An executable that was replaced since it started is shown by the kernel with this mark.
        let kept =
            exe.as_os_str().as_encoded_bytes().strip_suffix(b" (deleted)").map(|path| OsStr::from_bytes(path).into());
        let program = Program { exe: kept.unwrap_or(exe), called: env::args_os().next().unwrap_or_default().into() };
        Self { files: files(env::var_os), environment, program }
    }

    fn has_system_fences(&self) -> bool {
        let (name, value) = SYSTEM_FENCES;
        self.environment.iter().rev().find(|(other, _)| other == name).is_some_and(|(_, set)| set == value)
    }
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
    // The XDG specification has a relative XDG_CONFIG_HOME ignored.
    let absolute = |name| var(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let config = absolute("XDG_CONFIG_HOME").or_else(|| absolute("HOME").map(|home| home.join(".config")));
    config.map(|dir| dir.join("rmcp/config.toml"))
}

/// Whether the value of RMCP_DISABLE switches RMCP off: anything but unset, empty and 0.
pub fn is_disabled(value: Option<&[u8]>) -> bool {
    !matches!(value, None | Some(b"" | b"0"))
}

impl Program {
    /// The program that a shell would start by this name.
    pub fn named(name: &OsStr) -> Self {
        let path = env::var_os("PATH").unwrap_or_default();
        let file = if name.as_encoded_bytes().contains(&b'/') {
            Some(PathBuf::from(name))
        } else {
            env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file())
        };
        Self { exe: file.and_then(|file| file.canonicalize().ok()).unwrap_or_default(), called: name.into() }
    }

    /// Whether a section of that name is meant for this program: a full path is the executable's or the one it was
    /// called by, anything else is the file name of either.
    pub fn is(&self, name: &str) -> bool {
        [&self.exe, &self.called].into_iter().any(|path| {
            if name.contains('/') { path == Path::new(name) } else { path.file_name().is_some_and(|file| file == name) }
        })
    }
}

struct Reader<'a> {
    program: &'a Program,
    layers: Layers,
    complaints: Vec<Complaint>,
}

impl Reader<'_> {
    fn complain(&mut self, place: Place, problem: String) {
        self.complaints.push(Complaint { place, problem });
    }

    fn file(&mut self, path: &Path) {
        let path: Arc<Path> = path.into();
        let whole = Place::File(path.clone(), 0);
        let text = match read_text(&path, FILE_LIMIT) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return,
            Err(error) => return self.complain(whole, format!("cannot be read ({error}); all of it is ignored")),
        };
        // Not the recovering parser: after a broken section header the keys that follow would count for every program.
        match DeTable::parse(&text) {
            Ok(table) => self.table(table.into_inner(), &File { path, text: &text }),
            Err(error) => self.complaints.push(syntax_error(&error, &path, &text)),
        }
    }

    fn table(&mut self, table: DeTable<'_>, file: &File<'_>) {
        for (key, value) in table {
            let place = file.place(key.span());
            match (key.get_ref().as_ref(), value.into_inner()) {
                ("program", DeValue::Table(programs)) => self.programs(programs, file),
                ("program", _) => self.complain(place, NOT_A_SECTION.into()),
                (_, value) => {
                    let entry = self.entry(key.get_ref(), value, place);
                    self.layers.general.extend(entry);
                }
            }
        }
    }

    /// `[program.NAME]`. The section of a path is stronger than that of a name.
    fn programs(&mut self, programs: DeTable<'_>, file: &File<'_>) {
        let mut by_name = Vec::new();
        let mut by_path = Vec::new();
        for (name, section) in programs {
            let place = file.place(name.span());
            let DeValue::Table(section) = section.into_inner() else {
                let problem =
                    format!("program.{0} is no section; write [program.{0:?}] and options below it", name.get_ref());
                self.complain(place, problem);
                continue;
            };
            let mine = self.program.is(name.get_ref());
            let layer = if name.get_ref().contains('/') { &mut by_path } else { &mut by_name };
            for (key, value) in section {
                let place = file.place(key.span());
                let entry = self.entry(key.get_ref(), value.into_inner(), place);
                layer.extend(entry.filter(|_| mine));
            }
        }
        self.layers.program.extend(by_name.into_iter().chain(by_path));
    }

    fn entry(&mut self, key: &str, value: DeValue<'_>, place: Place) -> Option<Entry> {
        let Some(row) = super::row(key) else {
            let names = TABLE.iter().map(|row| row.name).chain(["program"]);
            self.complain(place, format!("{}; it is ignored", unknown(key, names)));
            return None;
        };
        match raw(value) {
            Some(raw) => self.check(Entry { row, raw, place }),
            None => {
                self.complain(place, format!("{key} takes {}; it is ignored", row.allowed()));
                None
            }
        }
    }

    fn environment(&mut self, environment: &[(OsString, OsString)]) -> Vec<Entry> {
        let mut entries = Vec::new();
        for (name, value) in environment {
            let Some(name) = name.to_str() else { continue };
            if let Some(row) = TABLE.iter().find(|row| row.env() == name) {
                let raw = Raw::Text(value.to_string_lossy().into_owned());
                entries.extend(self.check(Entry { row, raw, place: Place::Environment(name.into()) }));
            } else if name.starts_with("RMCP_") && !VARIABLES.iter().any(|(known, _)| known == &name) {
                // Others may have variables of this prefix; only what looks like a slip is worth a line.
                let names: Vec<_> = TABLE.iter().map(Row::env).collect();
                let hint = similar(name, names.iter().map(String::as_str).chain(VARIABLES.map(|(name, _)| name)));
                if !hint.is_empty() {
                    self.complain(Place::Environment(name.into()), format!("is no variable of RMCP{hint}"));
                }
            }
        }
        entries
    }

    /// The entry, when its value is one.
    fn check(&mut self, entry: Entry) -> Option<Entry> {
        match fault(entry.row, &entry.raw) {
            None => Some(entry),
            Some(problem) => {
                self.complain(entry.place, format!("{problem}; it is ignored"));
                None
            }
        }
    }
}

/// Reads "host=keep", as a command line has it.
pub fn assignment(text: &str) -> Result<(&'static Row, String), String> {
    let (key, value) = text.split_once('=').ok_or("write it as option=value")?;
    let row = super::row(key).ok_or_else(|| unknown(key, TABLE.iter().map(|row| row.name)))?;
    fault(row, &Raw::Text(value.into())).map_or_else(|| Ok((row, value.into())), Err)
}

/// What is wrong with a value.
fn fault(row: &Row, raw: &Raw) -> Option<String> {
    if row.set(&mut Options::default(), raw) {
        return None;
    }
    let (given, hint) = match (raw, row.kind) {
        (Raw::Text(text), Kind::Word(choices)) => (format!("{text:?}"), similar(text, choices.iter().map(|c| c.word))),
        (Raw::Text(text), _) => (format!("{text:?}"), String::new()),
        (Raw::List(list), _) => (format!("{list:?}"), String::new()),
    };
    Some(format!("{} takes {}, not {given}{hint}", row.name, row.allowed()))
}

fn unknown<'a>(key: &str, names: impl Iterator<Item = &'a str>) -> String {
    format!("there is no option {key:?}{}", similar(key, names))
}

const NOT_A_SECTION: &str = "program is a section: write [program.\"name\"] and options below it; this is ignored";

/// Variables of RMCP that are no options, and what each does.
pub const VARIABLES: [(&str, &str); 3] = [
    ("RMCP_CONFIG", "The only file of options to read; empty: none."),
    ("RMCP_DISABLE", "Anything but empty and 0 switches RMCP off, before any file is read."),
    ("RMCP_LIBRARY", "The path of librmcp.so, for rmcp and rmcp-run."),
];

/// What the parser says of a file.
pub(super) fn syntax_error(error: &toml::de::Error, path: &Arc<Path>, text: &str) -> Complaint {
    let line = error.span().map_or(0, |span| line_of(text, span));
    let message = error.message().lines().collect::<Vec<_>>().join(", ");
    Complaint { place: Place::File(path.clone(), line), problem: format!("{message}; all of the file is ignored") }
}

struct File<'a> {
    path: Arc<Path>,
    text: &'a str,
}

impl File<'_> {
    fn place(&self, span: Range<usize>) -> Place {
        Place::File(self.path.clone(), line_of(self.text, span))
    }
}

fn line_of(text: &str, span: Range<usize>) -> usize {
    let before = text.as_bytes().get(..span.start).unwrap_or(text.as_bytes());
    before.iter().filter(|&&byte| byte == b'\n').count() + 1
}

/// None for tables and for lists of anything but text, which no option takes.
fn raw(value: DeValue<'_>) -> Option<Raw> {
    Some(match value {
        DeValue::Array(items) => Raw::List(
            items.into_iter().map(|item| item.into_inner().as_str().map(String::from)).collect::<Option<_>>()?,
        ),
        DeValue::Table(_) => return None,
        DeValue::String(text) => Raw::Text(text.into_owned()),
        DeValue::Integer(number) => Raw::Text(number.to_string()),
        DeValue::Float(number) => Raw::Text(number.to_string()),
        DeValue::Boolean(truth) => Raw::Text(truth.to_string()),
        DeValue::Datetime(time) => Raw::Text(time.to_string()),
    })
}

/// " (did you mean X?)" for a slip of the pen, else nothing.
pub(crate) fn similar<'a>(given: &str, names: impl Iterator<Item = &'a str>) -> String {
    let near = names.map(|name| (strsim::osa_distance(given, name), name)).min();
    match near {
        Some((distance, name)) if distance <= (name.len() / 3).clamp(1, 3) => {
            format!(" (did you mean {name}?)")
        }
        _ => String::new(),
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, 0) => write!(f, "{}", path.display()),
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Environment(name) => write!(f, "environment variable {name}"),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Set(place) => place.fmt(f),
        }
    }
}
