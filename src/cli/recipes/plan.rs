//! From a situation to the changes of the environment.

use super::situation::{Library, OVERRIDE, Situation, is_supported};
use super::table::{Action, CodeMatch, Condition, Recipe, pattern_matches, recipes};
use super::{overrides, unreadable};
use crate::installs::Release;
use crate::save_area::MENDED;
use rmcp_domain::gfx::GfxTarget;
use rmcp_domain::topology::Gpu;
use std::path::PathBuf;

/// What is to be done.
#[derive(Debug, Default)]
pub struct Plan {
    /// The changes, one for each variable, in the order of the recipes.
    pub changes: Vec<Change>,
    /// What there is to say besides.
    pub notes: Vec<Note>,
}

/// A change of one variable.
#[derive(Debug)]
pub struct Change {
    /// The variable.
    pub variable: String,
    /// What the user has set.
    pub before: Option<String>,
    /// What the program gets; None: nothing.
    pub after: Option<String>,
    /// The reason.
    pub recipe: &'static Recipe,
    /// For which GPUs, in words; empty: for the program as a whole.
    pub gpus: Vec<String>,
}

/// Something to say.
#[derive(Debug)]
pub struct Note {
    /// Whether it is worth a line when nobody asked.
    pub is_warning: bool,
    /// What is to be known.
    pub text: String,
    /// What to do about it, a clause.
    pub fix: Option<String>,
    /// The recipe that says so; None: no recipe applied.
    pub recipe: Option<&'static Recipe>,
}

impl Plan {
    /// Applies the recipes. Of two that set one variable the later counts.
    pub fn new(situation: &Situation) -> Self {
        let mut plan = Self::default();
        let situation = &unreadable::repair(situation, &mut plan);
        let mut maker = Planner { situation, plan, gpus: situation.visible() };
        maker.hide_integrated();
        overrides::plan_overrides(&mut maker);
        for recipe in recipes().iter().filter(|recipe| !recipe.is_override()) {
            maker.apply(recipe);
        }
        maker.note_unused_profiles();
        let notes = situation.program.notes.iter();
        maker.plan.notes.extend(notes.map(|text| Note::new(true, text, None)));
        maker.plan
    }

    /// The change of that variable.
    pub fn change(&self, variable: &str) -> Option<&Change> {
        self.changes.iter().find(|change| change.variable == variable)
    }
}

impl Note {
    pub(super) fn new(is_warning: bool, text: impl Into<String>, recipe: Option<&'static Recipe>) -> Self {
        Self { is_warning, text: text.into(), fix: None, recipe }
    }

    /// All of it.
    pub fn sentence(&self) -> String {
        self.fix.as_ref().map_or_else(|| self.text.clone(), |fix| format!("{}; {fix}", self.text))
    }
}

impl Recipe {
    /// Whether it is about the override of the gfx target, which is decided for all GPUs together.
    pub(super) fn is_override(&self) -> bool {
        self.variables.keys().any(|name| name.starts_with(OVERRIDE)) || self.condition == Some(Condition::NoPerNode)
    }

    /// Whether the conditions hold that are about the program as a whole.
    pub(super) fn matches_program(&self, situation: &Situation) -> bool {
        let program = &situation.program;
        let framework = program.framework.as_ref();
        let release = framework.and_then(|(_, release)| *release);
        (self.frameworks.is_empty()
            || framework.is_some_and(|(framework, _)| self.frameworks.iter().any(|row| row.id == framework.id)))
            && self.version.as_ref().is_none_or(|range| range.contains(release))
            && self.rocm.as_ref().is_none_or(|range| range.contains(program.rocm))
            && self.profile.as_ref().is_none_or(|profile| situation.profiles.contains(profile))
    }

    /// Whether the conditions hold that are about one GPU.
    pub(super) fn matches_gpu(&self, situation: &Situation, gpu: &Gpu) -> bool {
        let without = || situation.libraries_without(gpu.target, self.substitute);
        let code = |wanted| match wanted {
            CodeMatch::Partial => (1..situation.program.libraries.len()).contains(&without().len()),
            _ => situation.code_match(gpu.target, self.substitute) == Some(wanted),
        };
        let value = || situation.user_override(gpu)?.target;
        (self.targets.is_empty() || self.targets.contains(&gpu.target))
            && (self.packages.is_empty() || self.package(situation, gpu).is_some())
            && !self.lacks.iter().any(|name| installed(situation, gpu, name).next().is_some())
            && self.code.is_none_or(code)
            && match self.condition {
                Some(Condition::OverrideOtherMajor) => {
                    is_supported(gpu) && value().is_some_and(|target| target.major != gpu.target.major)
                }
                Some(Condition::SaveArea) => situation.save_area.is_refused(gpu, situation.program.rocm),
                Some(Condition::LibraryWithoutCode) => !without().is_empty(),
                Some(Condition::TorchWithoutCode) => !situation.program.libraries.iter().any(|library| {
                    let file =
                        library.path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("libtorch"));
                    file && library.targets.contains(&gpu.target)
                }),
                Some(Condition::OverrideLacksCode) => value().is_some_and(|target| {
                    let libraries = &situation.program.libraries;
                    target != gpu.target
                        && !libraries.is_empty()
                        && !libraries.iter().any(|library| library.targets.contains(&target))
                }),
                _ => true,
            }
    }

    /// The packages of the program that it is about, with their versions.
    fn package(&self, situation: &Situation, gpu: &Gpu) -> Option<String> {
        let found = self.packages.iter().flat_map(|(name, range)| {
            let of_name = installed(situation, gpu, name);
            of_name.filter(|(_, version)| range.contains(version.parse().ok()))
        });
        let found: Vec<String> = found.map(|(name, version)| format!("{name} {version}")).collect();
        (!found.is_empty()).then(|| found.join(" and "))
    }

    /// Its reason, or its fix, on this machine.
    fn fill(&self, text: &str, situation: &Situation, gpu: Option<&Gpu>) -> String {
        let release = |release: Option<Release>| release.map_or_else(|| "unknown".into(), |it| it.to_string());
        let mut why = text.replace("{kernel}", &release(situation.save_area.kernel));
        why = why.replace("{rocm}", &release(situation.program.rocm)).replace("{glibc}", &release(situation.glibc));
        if let Some(library) = &situation.program.executable_stack {
            why = why.replace("{library}", &library.display().to_string());
        }
        match gpu {
            Some(gpu) => why
                .replace("{without}", &libraries_text(situation, gpu, self.substitute))
                .replace("{package}", &self.package(situation, gpu).unwrap_or_default())
                .replace("{target}", &gpu.target.to_string()),
            None => why,
        }
    }
}

/// The libraries without code for a GPU, in words: "5 of 6 libraries (_linalg.so, _prng.so, ...)".
fn libraries_text(situation: &Situation, gpu: &Gpu, substitute: Option<GfxTarget>) -> String {
    const NAMED: usize = 8;
    let all = situation.program.libraries.len();
    let without = situation.libraries_without(gpu.target, substitute);
    let name = |library: &&Library| {
        // The folder of rocBLAS's kernels is no name by itself.
        let parts: Vec<_> = library.path.iter().rev().take(if library.path.is_dir() { 2 } else { 1 }).collect();
        parts.into_iter().rev().collect::<PathBuf>().display().to_string()
    };
    let mut names: Vec<String> = without.iter().take(NAMED).map(name).collect();
    if without.len() > NAMED {
        names.push(format!("and {} more", without.len() - NAMED));
    }
    let noun = if all == 1 { "library" } else { "libraries" };
    format!("{} of {all} {noun} ({})", without.len(), names.join(", "))
}

/// The packages of the program whose names match, with their versions.
fn installed<'a>(situation: &'a Situation, gpu: &Gpu, name: &str) -> impl Iterator<Item = (&'a String, &'a String)> {
    let pattern = name.replace("{target}", &gpu.target.to_string());
    situation.program.packages.iter().filter(move |(name, _)| pattern_matches(&pattern, name))
}

pub(super) struct Planner<'a> {
    pub(super) situation: &'a Situation,
    pub(super) plan: Plan,
    /// The GPUs that the program will see.
    pub(super) gpus: Vec<&'a Gpu>,
}

impl Planner<'_> {
    /// Hides the integrated GPUs beside a card.
    fn hide_integrated(&mut self) {
        let Some(recipe) = condition_recipe(Condition::BesideCard) else { return };
        let (igpus, cards): (Vec<&Gpu>, Vec<&Gpu>) = self.gpus.iter().partition(|gpu| gpu.apu);
        if igpus.is_empty() || cards.is_empty() || self.situation.has_masks() || !self.any_supported() {
            return;
        }
        let all = &self.situation.topology.gpus;
        let mut by_number = Vec::new();
        let token = |gpu: &&Gpu| match gpu.unique_id {
            Some(_) => gpu.uuid(),
            None => {
                by_number.push(gpu_label(gpu));
                all.iter().position(|other| other.node == gpu.node).unwrap_or_default().to_string()
            }
        };
        let tokens = cards.iter().map(token).collect::<Vec<_>>().join(",");
        for (name, value) in &recipe.variables {
            self.set(
                name.clone(),
                value.replace("{cards}", &tokens),
                recipe,
                igpus.iter().copied().map(gpu_label).collect(),
            );
        }
        if !by_number.is_empty() {
            let text = format!(
                "{} has no unique id, so ROCR_VISIBLE_DEVICES names it by its number, which changes when a GPU is added \
                 or moved",
                by_number.join(" and ")
            );
            self.plan.notes.push(Note::new(false, text, Some(recipe)));
        }
        self.gpus = cards;
    }

    /// Whether RMCP is for one of the GPUs.
    pub(super) fn any_supported(&self) -> bool {
        self.gpus.iter().any(|gpu| is_supported(gpu))
    }

    fn apply(&mut self, recipe: &'static Recipe) {
        let applies = match recipe.condition {
            Some(Condition::BesideCard) => false,
            Some(Condition::RegisterCoarse) => self.situation.register_coarse,
            Some(Condition::WithoutRocm) => self.situation.program.without_rocm && self.any_supported(),
            Some(Condition::BundledRuntime) => self.situation.program.bundled && self.any_supported(),
            Some(Condition::ExecutableStack) => {
                self.situation.program.executable_stack.is_some()
                    && self.situation.glibc >= Some(Release { major: 2, minor: 41, patch: None })
                    && self.any_supported()
            }
            _ => recipe.profile.is_some() || !recipe.targets.is_empty() || self.any_supported(),
        };
        if !applies || !recipe.matches_program(self.situation) {
            return;
        }
        let whole = recipe.targets.is_empty() && recipe.code.is_none() && recipe.packages.is_empty();
        let suited: Vec<_> = self.gpus.iter().filter(|gpu| recipe.matches_gpu(self.situation, gpu)).collect();
        if !whole && suited.is_empty() {
            return;
        }
        // What another recipe has set serves as well.
        if recipe.unless.iter().any(|name| self.plan.change(name).is_some_and(|change| change.after.is_some())) {
            return;
        }
        let first = suited.first().map(|gpu| **gpu);
        let gpus: Vec<_> = if whole { Vec::new() } else { suited.into_iter().copied().map(gpu_label).collect() };
        if let Some(name) = recipe.unless.iter().find(|name| self.situation.environment.contains_key(*name)) {
            let text = format!("{} is left to {name}, which you have set", recipe.id);
            self.plan.notes.push(Note::new(recipe.profile.is_some(), text, Some(recipe)));
        } else if recipe.action == Action::Set {
            for (name, value) in &recipe.variables {
                // Without a home there is no cache of the user's.
                let cache = self.situation.cache().or_else(|| (!value.contains("{cache}")).then(String::new));
                if let Some(cache) = cache {
                    self.set(name.clone(), value.replace("{cache}", &cache), recipe, gpus.clone());
                }
            }
        } else if recipe.variables.is_empty() {
            let filled = |text: &String| recipe.fill(text, self.situation, first);
            let (why, fix) = (filled(&recipe.why), recipe.fix.as_ref().map(filled));
            if recipe.condition == Some(Condition::SaveArea) {
                self.tell_save_area(&gpus, recipe, &why, fix);
            } else {
                self.warn(&gpus, recipe, why, fix);
            }
        } else {
            let user = |(name, pattern): (&String, &String)| {
                let value = self.situation.environment.get(name).filter(|value| pattern_matches(pattern, value))?;
                Some((name.clone(), value.clone()))
            };
            let found: Vec<_> = recipe.variables.iter().filter_map(user).collect();
            for (name, value) in found {
                self.handle_user_value(&name, &value, recipe, gpus.clone());
            }
        }
    }

    /// Sets a variable, unless the user has.
    pub(super) fn set(&mut self, variable: String, value: String, recipe: &'static Recipe, gpus: Vec<String>) {
        let removed = self.plan.change(&variable).is_some_and(|change| change.after.is_none());
        let before = self.situation.environment.get(&variable).cloned();
        if self.situation.pinned.contains(&variable) && before.is_none() {
            let text = format!("{variable} stays unset, as your command has it; {} would make it {value:?}", recipe.id);
            self.plan.notes.push(Note::new(recipe.profile.is_some(), text, Some(recipe)));
            return;
        }
        if !removed && let Some(user) = &before {
            if *user != value {
                let text =
                    format!("{variable} stays {user:?}, which you have set; {} would make it {value:?}", recipe.id);
                let loud = recipe.profile.is_some() || recipe.condition == Some(Condition::RegisterCoarse);
                self.plan.notes.push(Note::new(loud, text, Some(recipe)));
            }
            return;
        }
        self.add_change(Change { variable, before, after: Some(value), recipe, gpus });
    }

    /// Removes, leaves or warns of what the user has set.
    pub(super) fn handle_user_value(
        &mut self,
        variable: &str,
        value: &str,
        recipe: &'static Recipe,
        gpus: Vec<String>,
    ) {
        let gpus_of =
            |word: &str| if gpus.is_empty() { String::new() } else { format!(" {word} {}", gpus.join(" and ")) };
        let subject = assignment(variable, value);
        let (loud, what) = match recipe.action {
            Action::Remove if self.situation.pinned.contains(variable) => (
                true,
                format!("{subject} is harmful{}, and set after rmcp-run, which cannot remove it: ", gpus_of("on")),
            ),
            Action::Remove if self.situation.may_change(variable) => {
                self.add_change(Change {
                    variable: variable.into(),
                    before: Some(value.into()),
                    after: None,
                    recipe,
                    gpus: gpus.clone(),
                });
                (true, format!("{subject} is removed{} (--keep-env keeps it): ", gpus_of("for")))
            }
            Action::Remove => (true, format!("{subject} is harmful{}, and kept as you wish: ", gpus_of("on"))),
            Action::Leave => (false, format!("{subject} is left{}: ", gpus_of("for"))),
            _ => (true, format!("{subject} is harmful{}: ", gpus_of("on"))),
        };
        self.plan.notes.push(Note { fix: recipe.fix.clone(), ..Note::new(loud, what + &recipe.why, Some(recipe)) });
    }

    /// Says what no variable can change.
    pub(super) fn warn(&mut self, gpus: &[String], recipe: &'static Recipe, why: String, fix: Option<String>) {
        let text = if gpus.is_empty() { why } else { format!("{}: {why}", gpus.join(" and ")) };
        self.plan.notes.push(Note { fix, ..Note::new(true, text, Some(recipe)) });
    }

    /// Warns that no kernel would start, where RMCP does not mend that.
    fn tell_save_area(&mut self, gpus: &[String], recipe: &'static Recipe, why: &str, fix: Option<String>) {
        match self.situation.save_area.shows(&self.gpus, self.situation.program.hsa.as_deref()) {
            Ok(()) => {
                let text = format!("{}: {why}. RMCP mends it: {MENDED}", gpus.join(" and "));
                self.plan.notes.push(Note::new(false, text, Some(recipe)));
            }
            Err(reason) => self.warn(gpus, recipe, format!("{why}, and RMCP does not mend it: {reason}"), fix),
        }
    }

    /// Of two changes of one variable the later counts.
    pub(super) fn add_change(&mut self, change: Change) {
        match self.plan.changes.iter_mut().find(|other| other.variable == change.variable) {
            Some(other) => *other = Change { before: other.before.take(), ..change },
            None => self.plan.changes.push(change),
        }
    }

    /// Says why a profile did nothing.
    fn note_unused_profiles(&mut self) {
        for profile in &self.situation.profiles {
            let of_it = |recipe: &&'static Recipe| recipe.profile.as_ref() == Some(profile);
            let told = |recipe: &Recipe| {
                self.plan.changes.iter().any(|change| change.recipe.id == recipe.id)
                    || self.plan.notes.iter().any(|note| note.recipe.is_some_and(|other| other.id == recipe.id))
            };
            let rows: Vec<_> = recipes().iter().filter(of_it).collect();
            let same = |recipe: &Recipe| {
                recipe.variables.iter().all(|(name, value)| self.situation.environment.get(name) == Some(value))
            };
            if rows.iter().any(|recipe| told(recipe) || same(recipe)) {
                continue;
            }
            let conditions = rows.iter().map(|recipe| recipe.conditions()).collect::<Vec<_>>().join("; or ");
            let text = format!("the profile {profile} changes nothing here; it is for: {conditions}");
            self.plan.notes.push(Note::new(true, text, rows.first().copied()));
        }
    }
}

/// The recipe for that condition.
pub(super) fn condition_recipe(when: Condition) -> Option<&'static Recipe> {
    recipes().iter().find(|recipe| recipe.condition == Some(when))
}

/// A GPU for people: "gfx1010 at 0000:03:00.0".
pub fn gpu_label(gpu: &Gpu) -> String {
    format!("{} at {}", gpu.target, gpu.pci)
}

/// A variable and its value as one writes them in a shell.
pub(super) fn assignment(variable: &str, value: &str) -> String {
    format!("{variable}={}", shlex::try_quote(value).unwrap_or(value.into()))
}
