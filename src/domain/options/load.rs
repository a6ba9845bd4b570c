//! The options of a process.
//!
//! From weak to strong: the defaults; the files in order; their sections `[system]` in order, where those count; their
//! sections for this program in order; the environment. For the calls of a library come its sections, see
//! [`super::callers`].
//! What is wrong falls to the layer below it and leaves one complaint.

use super::complaint::{Complaint, Origin, Place};
use super::layers::{Layers, LibrarySection, Reader};
use super::sources::{COHERENCE_VARIABLES, CoherenceVariable, Program, SYSTEM_FENCES, Sources};
use super::table::{Options, TABLE, row};
use super::values::{RawValue, Register};
use std::mem;

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
    pub exclusion: Option<String>,
    /// Whether it has RMCP through /etc/ld.so.preload.
    pub system: bool,
    /// Where a file of options names the program, in `only` or a section of its own; None: nowhere.
    pub named_at: Option<Place>,
    /// The sections of libraries, weak to strong.
    pub(super) libraries: Vec<LibrarySection>,
    origins: Vec<Origin>,
}

impl Options {
    /// The options that `sources` give.
    pub fn load(sources: &Sources) -> Loaded {
        let mut reader = Reader::new(sources);
        for file in &sources.files {
            reader.file(file);
        }
        let environment = reader.environment(&sources.environment);
        let Layers { general, system, program, libraries, named } = mem::take(&mut reader.layers);

        let mut options = Self::default();
        let mut origins = vec![Origin::Default; TABLE.len()];
        for entry in general.into_iter().chain(system).chain(program).chain(environment) {
            if entry.row.set(&mut options, &entry.raw) {
                origins[row_index(entry.row.name)] = Origin::Set(entry.place);
            }
        }
        if options.register == Register::Coarse && !sources.has_system_fences() {
            options.register = Register::Keep;
            if let Origin::Set(place) = mem::replace(&mut origins[row_index("register")], Origin::Default) {
                let (name, value) = SYSTEM_FENCES;
                let problem = format!(
                    "register=coarse needs {name}={value} in the environment; it is ignored. Set that variable, or \
                     start the program with rmcp-run"
                );
                reader.complain(place, problem);
            }
        }
        for (variable, name) in
            sources.coherence_variables().flat_map(|variable| variable.options.iter().map(move |name| (variable, name)))
        {
            let origin = &mut origins[row_index(name)];
            if *origin == Origin::Default && row(name).is_some_and(|row| row.set(&mut options, &keep())) {
                *origin = Origin::Set(Place::Environment(variable.name.into()));
            }
        }
        let (complaints, more_complaints) = (reader.complaints, reader.more);
        let mut loaded = Loaded {
            options,
            complaints,
            more_complaints,
            exclusion: None,
            system: sources.system,
            named_at: named,
            libraries,
            origins,
        };
        if let Some(program) = &sources.program {
            loaded.exclusion = loaded.find_exclusion(program);
            if loaded.options.only.iter().any(|name| program.is(name))
                && let Origin::Set(place) = &loaded.origins[row_index("only")]
            {
                loaded.named_at = Some(place.clone());
            }
        }
        loaded
    }
}

impl Loaded {
    /// Where the option of that name got its value.
    pub fn origin(&self, name: &str) -> Option<&Origin> {
        row(name).map(|row| &self.origins[row_index(row.name)])
    }

    /// The user's wishes in ROCm's own words that decided an option, each with that option.
    pub fn kept_by_environment(&self) -> impl Iterator<Item = (&'static CoherenceVariable, &'static str)> {
        let pairs =
            COHERENCE_VARIABLES.iter().flat_map(|variable| variable.options.iter().map(move |&name| (variable, name)));
        pairs.filter(|(variable, name)| {
            matches!(self.origin(name), Some(Origin::Set(Place::Environment(set))) if set == variable.name)
        })
    }

    fn find_exclusion(&self, program: &Program) -> Option<String> {
        let Options { exclude, only, .. } = &self.options;
        if let Some(entry) = exclude.iter().find(|name| program.is(name)) {
            return Some(format!("excluded by {entry:?} ({})", self.origins[row_index("exclude")]));
        }
        let missing = !only.is_empty() && !only.iter().any(|name| program.is(name));
        missing.then(|| format!("not among [system] only ({})", self.origins[row_index("only")]))
    }
}

fn keep() -> RawValue {
    RawValue::Text("keep".into())
}

/// The place of a row in the table.
fn row_index(name: &str) -> usize {
    TABLE.iter().position(|row| row.name == name).expect("a row of the table")
}
