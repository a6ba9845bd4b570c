//! The entries of files and environment, layer by layer. What is wrong is left out and leaves one complaint.

use super::complaint::{Complaint, Place, SYSTEM, did_you_mean, not_a_section, quote_short, scope_error, value_error};
use super::file::{FILE_LIMIT, File, raw_value};
use super::sources::{Sources, VARIABLES};
use super::table::{Options, Row, Scope, TABLE, row};
use super::values::RawValue;
use crate::bounded_read::read_trusted_text;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use toml::de::{DeTable, DeValue};

/// The mistakes that a process tells: it waits meanwhile.
const MAX_COMPLAINTS: usize = 5;

/// One value of a file or of the environment.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub row: &'static Row,
    pub raw: RawValue,
    pub place: Place,
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

/// The part of a file that an option stands in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SectionKind {
    General,
    Program,
    System,
    Library,
}

/// Files, read: the general entries, those of their sections `[system]` and those of the program's, weak to strong.
#[derive(Default)]
pub(super) struct Layers {
    pub general: Vec<Entry>,
    pub system: Vec<Entry>,
    pub program: Vec<Entry>,
    pub libraries: Vec<LibrarySection>,
    /// Where a section names the program.
    pub named: Option<Place>,
}

/// Reads one source after the other into the layers.
pub(super) struct Reader<'a> {
    sources: &'a Sources,
    pub layers: Layers,
    pub complaints: Vec<Complaint>,
    pub more: usize,
}

impl<'a> Reader<'a> {
    /// One that has read nothing yet.
    pub fn new(sources: &'a Sources) -> Self {
        Self { sources, layers: Layers::default(), complaints: Vec::new(), more: 0 }
    }

    pub fn complain(&mut self, place: Place, problem: String) {
        if self.sources.all_complaints || self.complaints.len() < MAX_COMPLAINTS {
            self.complaints.push(Complaint { place, problem });
        } else {
            self.more += 1;
        }
    }

    /// [`did_you_mean`], where there is time for it.
    fn hint<'n>(&self, given: &str, names: impl Iterator<Item = &'n str>) -> String {
        if self.sources.all_complaints { did_you_mean(given, names) } else { String::new() }
    }

    pub fn file(&mut self, path: &Path) {
        let path: Arc<Path> = path.into();
        let whole = Place::File(path.clone(), 0);
        let text = match read_trusted_text(&path, FILE_LIMIT, self.sources.user) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return,
            Err(error) => return self.complain(whole, format!("cannot be read ({error}); all of it is ignored")),
        };
        let file = File::new(path, &text);
        if let Some(Complaint { place, problem }) = file.nesting_error() {
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
                    let entries = self.section(section, file, SectionKind::System);
                    self.layers.system.extend(entries.into_iter().filter(|_| self.sources.system));
                }
                (SYSTEM, _) => self.complain(place, not_a_section(SYSTEM, SYSTEM)),
                (_, value) => {
                    let entry = self.entry(key.get_ref(), value, place, SectionKind::General);
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
            layer.extend(self.section(section, file, SectionKind::Program).into_iter().filter(|_| mine));
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
            let entries = self.section(section, file, SectionKind::Library);
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
        let name = quote_short(name);
        let problem = format!("{kind}.{name} is no section; write [{kind}.{name}] and options below it");
        self.complain(place.clone(), problem);
        None
    }

    fn section(&mut self, section: DeTable<'_>, file: &File<'_>, kind: SectionKind) -> Vec<Entry> {
        let entries = section
            .into_iter()
            .filter_map(|(key, value)| self.entry(key.get_ref(), value.into_inner(), file.place(key.span()), kind));
        entries.collect()
    }

    fn entry(&mut self, key: &str, value: DeValue<'_>, place: Place, kind: SectionKind) -> Option<Entry> {
        let Some(row) = row(key) else {
            let names = TABLE.iter().map(|row| row.name).chain(["program", "library", SYSTEM]);
            let hint = self.hint(key, names);
            self.complain(place, format!("there is no option {}{hint}; it is ignored", quote_short(key)));
            return None;
        };
        let wrong = match (row.scope, kind) {
            (Scope::System, SectionKind::General | SectionKind::Program | SectionKind::Library) => {
                Some(scope_error(row))
            }
            (Scope::Process, SectionKind::Library) => Some(format!(
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
        match raw_value(value) {
            Some(raw) => self.check(Entry { row, raw, place }),
            None => {
                self.complain(place, format!("{} takes {}; it is ignored", row.name, row.allowed()));
                None
            }
        }
    }

    pub fn environment(&mut self, environment: &[(OsString, OsString)]) -> Vec<Entry> {
        let mut entries = Vec::new();
        for (name, value) in environment {
            let Some(name) = name.to_str() else { continue };
            if let Some(row) = TABLE.iter().find(|row| row.env() == name) {
                if row.scope == Scope::System {
                    let problem = format!("{}; it is ignored", scope_error(row));
                    self.complain(Place::Environment(name.into()), problem);
                    continue;
                }
                let raw = RawValue::Text(value.to_string_lossy().into_owned());
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
        match value_error(entry.row, &entry.raw, |given, words| {
            self.hint(given, words.iter().map(|choice| choice.word))
        }) {
            None => Some(entry),
            Some(problem) => {
                self.complain(entry.place, format!("{problem}; it is ignored"));
                None
            }
        }
    }
}
