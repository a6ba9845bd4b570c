//! Finding the options of a process: files, their sections, environment.
//!
//! From weak to strong: the defaults; the files in order; their sections `[system]` in order, where those count; their
//! sections for this program in order; the environment. For the calls of a library come its sections, see
//! [`super::callers`].
//! What is wrong falls to the layer below it and leaves one complaint.

use super::sources::{Program, SYSTEM_FENCES, Sources, VARIABLES, WISHES, Wish};
use super::table::{Choice, Kind, Options, Row, Scope, TABLE};
use super::values::{Raw, Register};
use crate::bounded::read_trusted_text;
use std::ffi::OsString;
use std::fmt;
use std::io::ErrorKind;
use std::mem;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use toml::de::{DeTable, DeValue};
use toml_parser::Source;
use toml_parser::lexer::TokenKind;

/// More than anybody writes by hand.
pub(super) const FILE_LIMIT: u64 = 64 * 1024;
/// Deeper than any option stands. The parser calls itself for each level, and a thread may have little stack.
const DEEPEST: usize = 4;
/// The mistakes that a process tells: it waits meanwhile.
const TOLD: usize = 5;
/// The characters that are shown of a key or a value.
const SHOWN: usize = 60;

/// Options with what is known about them.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The options.
    pub options: Options,
    /// What was wrong, one line each.
    pub complaints: Vec<Complaint>,
    /// How many more mistakes there are, which are not told.
    pub more_complaints: usize,
    /// Why RMCP leaves this program alone, as what the program is: "excluded by ..."; None: it does not.
    pub left_alone: Option<String>,
    /// Whether it has RMCP through /etc/ld.so.preload.
    pub system: bool,
    /// Where a file of options names the program, in `only` or a section of its own; None: nowhere.
    pub named: Option<Place>,
    /// The sections of libraries, weak to strong.
    pub(super) libraries: Vec<LibrarySection>,
    origins: Vec<Origin>,
}

/// `[library.PATTERN]`.
#[derive(Clone, Debug)]
pub(super) struct LibrarySection {
    pub pattern: String,
    pub place: Place,
    pub entries: Vec<Entry>,
}

impl LibrarySection {
    /// Sets what it says.
    pub fn apply(&self, options: &mut Options) {
        for entry in &self.entries {
            entry.row.set(options, &entry.raw);
        }
    }
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
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub row: &'static Row,
    pub raw: Raw,
    place: Place,
}

/// The part of a file that an option stands in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    General,
    Program,
    System,
    Library,
}

/// Files, read: the general entries, those of their sections `[system]` and those of the program's, weak to strong.
#[derive(Default)]
struct Layers {
    general: Vec<Entry>,
    system: Vec<Entry>,
    program: Vec<Entry>,
    libraries: Vec<LibrarySection>,
    /// Where a section names the program.
    named: Option<Place>,
}

impl Options {
    /// The options that `sources` give.
    pub fn load(sources: &Sources) -> Loaded {
        let mut reader = Reader { sources, layers: Layers::default(), complaints: Vec::new(), more: 0 };
        for file in &sources.files {
            reader.file(file);
        }
        let environment = reader.environment(&sources.environment);
        let Layers { general, system, program, libraries, named } = mem::take(&mut reader.layers);

        let mut options = Self::default();
        let mut origins = vec![Origin::Default; TABLE.len()];
        for entry in general.into_iter().chain(system).chain(program).chain(environment) {
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
                reader.complain(place, problem);
            }
        }
        for (wish, name) in sources.wishes().flat_map(|wish| wish.options.iter().map(move |name| (wish, name))) {
            let origin = &mut origins[index(name)];
            if *origin == Origin::Default && super::row(name).is_some_and(|row| row.set(&mut options, &keep())) {
                *origin = Origin::Set(Place::Environment(wish.variable.into()));
            }
        }
        let (complaints, more_complaints) = (reader.complaints, reader.more);
        let mut loaded = Loaded {
            options,
            complaints,
            more_complaints,
            left_alone: None,
            system: sources.system,
            named,
            libraries,
            origins,
        };
        if let Some(program) = &sources.program {
            loaded.left_alone = loaded.why_alone(program);
            if loaded.options.only.iter().any(|name| program.is(name))
                && let Origin::Set(place) = &loaded.origins[index("only")]
            {
                loaded.named = Some(place.clone());
            }
        }
        loaded
    }
}

impl Loaded {
    /// Where the option of that name got its value.
    pub fn origin(&self, name: &str) -> Option<&Origin> {
        super::row(name).map(|row| &self.origins[index(row.name)])
    }

    /// The user's wishes in ROCm's own words that decided an option, each with that option.
    pub fn granted(&self) -> impl Iterator<Item = (&'static Wish, &'static str)> {
        let pairs = WISHES.iter().flat_map(|wish| wish.options.iter().map(move |&name| (wish, name)));
        pairs.filter(|(wish, name)| {
            matches!(self.origin(name), Some(Origin::Set(Place::Environment(variable))) if variable == wish.variable)
        })
    }

    fn why_alone(&self, program: &Program) -> Option<String> {
        let Options { exclude, only, .. } = &self.options;
        if let Some(entry) = exclude.iter().find(|name| program.is(name)) {
            return Some(format!("excluded by {entry:?} ({})", self.origins[index("exclude")]));
        }
        let missing = !only.is_empty() && !only.iter().any(|name| program.is(name));
        missing.then(|| format!("not among [system] only ({})", self.origins[index("only")]))
    }
}

fn keep() -> Raw {
    Raw::Text("keep".into())
}

/// The place of a row in the table.
fn index(name: &str) -> usize {
    TABLE.iter().position(|row| row.name == name).expect("a row of the table")
}

struct Reader<'a> {
    sources: &'a Sources,
    layers: Layers,
    complaints: Vec<Complaint>,
    more: usize,
}

impl Reader<'_> {
    fn complain(&mut self, place: Place, problem: String) {
        if self.sources.every_mistake || self.complaints.len() < TOLD {
            self.complaints.push(Complaint { place, problem });
        } else {
            self.more += 1;
        }
    }

    /// [`similar`], where there is time for it.
    fn hint<'a>(&self, given: &str, names: impl Iterator<Item = &'a str>) -> String {
        if self.sources.every_mistake { similar(given, names) } else { String::new() }
    }

    fn file(&mut self, path: &Path) {
        let path: Arc<Path> = path.into();
        let whole = Place::File(path.clone(), 0);
        let text = match read_trusted_text(&path, FILE_LIMIT, self.sources.user) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return,
            Err(error) => return self.complain(whole, format!("cannot be read ({error}); all of it is ignored")),
        };
        let file = File::new(path, &text);
        if let Some(Complaint { place, problem }) = file.too_deep() {
            return self.complain(place, problem);
        }
        // Not the recovering parser: after a broken section header the keys that follow would count for every program.
        match DeTable::parse(&text) {
            Ok(table) => self.table(table.into_inner(), &file),
            Err(error) => {
                let Complaint { place, problem } = file.syntax_error(&error);
                self.complain(place, problem);
            }
        }
    }

    fn table(&mut self, table: DeTable<'_>, file: &File<'_>) {
        for (key, value) in table {
            let place = file.place(key.span());
            match (key.get_ref().as_ref(), value.into_inner()) {
                ("program", DeValue::Table(programs)) => self.programs(programs, file),
                ("program", _) => self.complain(place, not_a_section("program", "program.\"name\"")),
                ("library", DeValue::Table(libraries)) => self.libraries(libraries, file),
                ("library", _) => self.complain(place, not_a_section("library", "library.\"libname\"")),
                (SYSTEM, DeValue::Table(section)) => {
                    let entries = self.section(section, file, Part::System);
                    self.layers.system.extend(entries.into_iter().filter(|_| self.sources.system));
                }
                (SYSTEM, _) => self.complain(place, not_a_section(SYSTEM, SYSTEM)),
                (_, value) => {
                    let entry = self.entry(key.get_ref(), value, place, Part::General);
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
            let Some(section) = self.named_section("program", name.get_ref(), section.into_inner(), &place) else {
                continue;
            };
            let mine = self.sources.program.as_ref().is_some_and(|program| program.is(name.get_ref()));
            if mine {
                self.layers.named = Some(place);
            }
            let layer = if name.get_ref().contains('/') { &mut by_path } else { &mut by_name };
            layer.extend(self.section(section, file, Part::Program).into_iter().filter(|_| mine));
        }
        self.layers.program.extend(by_name.into_iter().chain(by_path));
    }

    /// `[library.PATTERN]`. The section of a whole name is stronger than one with a `*`.
    fn libraries(&mut self, libraries: DeTable<'_>, file: &File<'_>) {
        let mut sections = Vec::new();
        for (pattern, section) in libraries {
            let place = file.place(pattern.span());
            let pattern = pattern.get_ref();
            let Some(section) = self.named_section("library", pattern, section.into_inner(), &place) else { continue };
            let entries = self.section(section, file, Part::Library);
            sections.push(LibrarySection { pattern: pattern.clone().into_owned(), place, entries });
        }
        sections.sort_by_key(|section| !section.pattern.contains('*'));
        self.layers.libraries.extend(sections);
    }

    /// The section of that name, if it is one.
    fn named_section<'t>(&mut self, kind: &str, name: &str, value: DeValue<'t>, place: &Place) -> Option<DeTable<'t>> {
        if let DeValue::Table(section) = value {
            return Some(section);
        }
        let name = shown(name);
        let problem = format!("{kind}.{name} is no section; write [{kind}.{name}] and options below it");
        self.complain(place.clone(), problem);
        None
    }

    fn section(&mut self, section: DeTable<'_>, file: &File<'_>, part: Part) -> Vec<Entry> {
        let entries = section
            .into_iter()
            .filter_map(|(key, value)| self.entry(key.get_ref(), value.into_inner(), file.place(key.span()), part));
        entries.collect()
    }

    fn entry(&mut self, key: &str, value: DeValue<'_>, place: Place, part: Part) -> Option<Entry> {
        let Some(row) = super::row(key) else {
            let names = TABLE.iter().map(|row| row.name).chain(["program", "library", SYSTEM]);
            let hint = self.hint(key, names);
            self.complain(place, format!("there is no option {}{hint}; it is ignored", shown(key)));
            return None;
        };
        let wrong = match (row.scope, part) {
            (Scope::System, Part::General | Part::Program | Part::Library) => Some(misplaced(row)),
            (Scope::Process, Part::Library) => Some(format!(
                "{} holds for a whole program; a section [library] takes {}",
                row.name,
                TABLE.iter().filter(|row| row.scope == Scope::Call).map(|row| row.name).collect::<Vec<_>>().join(", ")
            )),
            _ => None,
        };
        if let Some(wrong) = wrong {
            self.complain(place, format!("{wrong}; it is ignored"));
            return None;
        }
        match raw(value) {
            Some(raw) => self.check(Entry { row, raw, place }),
            None => {
                self.complain(place, format!("{} takes {}; it is ignored", row.name, row.allowed()));
                None
            }
        }
    }

    fn environment(&mut self, environment: &[(OsString, OsString)]) -> Vec<Entry> {
        let mut entries = Vec::new();
        for (name, value) in environment {
            let Some(name) = name.to_str() else { continue };
            if let Some(row) = TABLE.iter().find(|row| row.env() == name) {
                if row.scope == Scope::System {
                    let problem = format!("{}; it is ignored", misplaced(row));
                    self.complain(Place::Environment(name.into()), problem);
                    continue;
                }
                let raw = Raw::Text(value.to_string_lossy().into_owned());
                entries.extend(self.check(Entry { row, raw, place: Place::Environment(name.into()) }));
            } else if name.starts_with("RMCP_") && !VARIABLES.iter().any(|(known, _)| known == &name) {
                // Others may have variables of this prefix; only what looks like a slip is worth a line.
                let names: Vec<_> = TABLE.iter().map(Row::env).collect();
                let hint = self.hint(name, names.iter().map(String::as_str).chain(VARIABLES.map(|(name, _)| name)));
                if !hint.is_empty() {
                    self.complain(Place::Environment(name.into()), format!("is no variable of RMCP{hint}"));
                }
            }
        }
        entries
    }

    /// The entry, when its value is one.
    fn check(&mut self, entry: Entry) -> Option<Entry> {
        match fault(entry.row, &entry.raw, |given, words| self.hint(given, words.iter().map(|choice| choice.word))) {
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
    let unknown = || format!("there is no option {}{}", shown(key), similar(key, TABLE.iter().map(|row| row.name)));
    let row = super::row(key).ok_or_else(unknown)?;
    if row.scope == Scope::System {
        return Err(misplaced(row));
    }
    let hint = |given: &str, words: &[Choice]| similar(given, words.iter().map(|choice| choice.word));
    fault(row, &Raw::Text(value.into()), hint).map_or_else(|| Ok((row, value.into())), Err)
}

/// What is wrong with a value. `hint`: what may have been meant by a word.
fn fault(row: &Row, raw: &Raw, hint: impl FnOnce(&str, &[Choice]) -> String) -> Option<String> {
    if row.set(&mut Options::default(), raw) {
        return None;
    }
    let (given, hint) = match (raw, row.kind) {
        (Raw::Text(text), Kind::Word(choices)) => (shown(text), hint(text, choices)),
        (Raw::Text(text), _) => (shown(text), String::new()),
        (Raw::List(list), _) => (shortened(&format!("{list:?}")), String::new()),
    };
    Some(format!("{} takes {}, not {given}{hint}", row.name, row.allowed()))
}

/// In quotes, and no longer than a person reads: it may be all of a file.
fn shown(text: &str) -> String {
    shortened(&format!("{text:?}"))
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.into(),
    }
}

/// The section for programs that have RMCP through /etc/ld.so.preload.
const SYSTEM: &str = "system";

fn misplaced(row: &Row) -> String {
    format!("{} stands in the section [{SYSTEM}] of a file alone: write it there, below a line [{SYSTEM}]", row.name)
}

fn not_a_section(name: &str, header: &str) -> String {
    format!("{name} is a section: write [{header}] and options below it; this is ignored")
}

/// A file as it was read.
pub(super) struct File<'a> {
    path: Arc<Path>,
    text: &'a str,
    /// Where its lines end.
    ends: Vec<usize>,
}

impl<'a> File<'a> {
    pub(super) fn new(path: Arc<Path>, text: &'a str) -> Self {
        let ends = text.bytes().enumerate().filter(|&(_, byte)| byte == b'\n').map(|(end, _)| end).collect();
        Self { path, text, ends }
    }

    fn place(&self, span: Range<usize>) -> Place {
        Place::File(self.path.clone(), self.ends.partition_point(|&end| end < span.start) + 1)
    }

    /// What the parser says.
    pub(super) fn syntax_error(&self, error: &toml::de::Error) -> Complaint {
        let message = error.message().lines().collect::<Vec<_>>().join(", ");
        let place = error.span().map_or_else(|| Place::File(self.path.clone(), 0), |span| self.place(span));
        Complaint { place, problem: format!("{message}; all of the file is ignored") }
    }

    /// Where brackets, or the parts of a key, are nested deeper than any option stands. The lexer looks at one token after
    /// the other; the parser would recurse.
    pub(super) fn too_deep(&self) -> Option<Complaint> {
        let (mut brackets, mut dots) = (0_usize, 0_usize);
        for token in Source::new(self.text).lex() {
            match token.kind() {
                TokenKind::LeftSquareBracket | TokenKind::LeftCurlyBracket => brackets += 1,
                TokenKind::RightSquareBracket | TokenKind::RightCurlyBracket => {
                    brackets = brackets.saturating_sub(1);
                }
                TokenKind::Dot => dots += 1,
                TokenKind::Newline | TokenKind::Equals | TokenKind::Comma => dots = 0,
                _ => {}
            }
            if brackets.max(dots) > DEEPEST {
                let span = token.span();
                let problem = format!("nested more than {DEEPEST} deep; all of the file is ignored");
                return Some(Complaint { place: self.place(span.start()..span.end()), problem });
            }
        }
        None
    }
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
pub fn similar<'a>(given: &str, names: impl Iterator<Item = &'a str>) -> String {
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
