//! From the command line and the machine to the changes of the environment.

mod obstacle;
mod platform;

pub use obstacle::{Obstacle, exec_failure, obstacle, resolve_program};
pub use platform::glibc;

use crate::effective_policy::EffectivePolicy;
use crate::installs::{self, Release};
use crate::launchers::ResolvedCommand;
use crate::lookups::Lookups;
use crate::output;
use crate::preload;
use crate::recipes::{self, Plan, Recipe, Situation};
use crate::save_area::Assessment;
use anyhow::{Result, bail};
use clap::builder::PossibleValuesParser;
use rmcp_domain::options::{self, Mode, Register, Row, SYSTEM_FENCES, Sources};
use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// What decides on a program's environment: common to `rmcp-run` and `rmcp trace`.
#[derive(clap::Args)]
pub struct PreparationArguments {
    /// Sets an option for this run, such as host=keep; repeatable.
    #[arg(short, long, value_name = "OPTION=VALUE", value_parser = options::assignment)]
    set: Vec<(&'static Row, String)>,

    /// Applies the recipes for a problem; repeatable. `rmcp-run --list-profiles` shows all.
    #[arg(short, long, value_name = "NAME", value_parser = profile_names(), hide_possible_values = true)]
    profile: Vec<String>,

    /// Removes nothing from the environment, even where it is harmful.
    #[arg(long)]
    keep_env: bool,

    /// Applies no recipes.
    #[arg(long, conflicts_with = "profile")]
    no_recipes: bool,
}

fn profile_names() -> PossibleValuesParser {
    recipes::profiles().into_iter().map(|(name, _)| name).collect::<Vec<_>>().into()
}

/// What rmcp-run is about to do.
#[derive(Default)]
pub struct Preparation {
    /// The file that the command line names.
    pub file: Option<PathBuf>,
    /// The file that it comes to, where that is another.
    pub final_program: Option<PathBuf>,
    /// What keeps RMCP out of it.
    pub obstacle: Option<(PathBuf, Obstacle)>,
    /// What to do about that.
    pub advice: Option<String>,
    /// Why RMCP does nothing in it, whatever the GPU.
    pub inactive: Option<String>,
    /// The changes of the environment.
    pub changes: Vec<Change>,
    /// What the recipes looked at.
    pub situation: Situation,
    /// What they said.
    pub plan: Plan,
    /// What becomes of functions that the program looks up by itself.
    pub lookups: Lookups,
}

/// A change of one variable.
pub struct Change {
    /// The variable.
    pub variable: OsString,
    /// Its new value; None: it is removed.
    pub value: Option<OsString>,
    /// The recipe, and the GPUs for which it is; None: RMCP itself.
    pub recipe: Option<(&'static Recipe, Vec<String>)>,
}

/// Finds out what to do.
pub fn prepare(arguments: &PreparationArguments, command: &[OsString]) -> Result<Preparation> {
    let library = preload::find_gate()?;
    let installed = installs::Machine::local();
    let launched = ResolvedCommand::resolve(command, &installed);
    let called = command.first();
    let file = launched.launchers.first().or(launched.file.as_ref()).cloned();
    let final_program = launched.file.clone().filter(|_| !launched.launchers.is_empty());
    let obstacle = obstacle::obstacle(&launched);
    if obstacle.as_ref().is_some_and(|(_, obstacle)| !obstacle.passes_environment()) {
        let advice = launched.environment_lost.then(|| launched.advice());
        return Ok(Preparation { file, final_program, obstacle, advice, ..Preparation::default() });
    }

    let preload = preload::ld_preload_with_gate(&library, env::var_os("LD_PRELOAD").as_deref());
    let mut changes = vec![rmcp_change("LD_PRELOAD", preload)];
    changes.extend(arguments.set.iter().map(|(row, value)| rmcp_change(&row.env(), value.into())));

    let mut sources = Sources::from_command();
    sources.program = called.map(|called| obstacle::launched_program(&launched, called));
    let set = changes.iter().map(|change| (change.variable.clone(), change.value.clone().unwrap_or_default()));
    let (fences, value) = SYSTEM_FENCES;
    sources.environment.extend(set.chain([(fences.into(), value.into())]));
    sources.environment.retain(|(name, _)| !launched.pinned.contains(name));
    let fixed = launched.pinned.iter().filter_map(|name| launched.machine.variables.get_key_value(name));
    sources.environment.extend(fixed.map(|(name, value)| (name.clone(), value.clone())));
    let machine = EffectivePolicy::read(&sources, Path::new("/"));
    let inactive = machine.inactive_reason();

    let (situation, lookups) = recipe_situation(arguments, machine, &launched)?;
    let plan = Plan::new(&situation);
    changes.extend(plan.changes.iter().map(|change| Change {
        variable: change.variable.clone().into(),
        value: change.after.clone().map(Into::into),
        recipe: Some((change.recipe, change.gpus.clone())),
    }));
    Ok(Preparation { file, final_program, obstacle, advice: None, inactive, changes, situation, plan, lookups })
}

/// A variable that RMCP itself sets.
fn rmcp_change(variable: &str, value: OsString) -> Change {
    Change { variable: variable.into(), value: Some(value), recipe: None }
}

/// What the recipes look at, and what becomes of functions that the program looks up by itself.
fn recipe_situation(
    arguments: &PreparationArguments,
    machine: EffectivePolicy,
    launched: &ResolvedCommand,
) -> Result<(Situation, Lookups)> {
    let (fences, value) = SYSTEM_FENCES;
    let off = machine.inactive_reason().is_some();
    let loaded = machine.loaded;
    let rewrites = loaded.options.policy == Mode::Auto && !off;
    let origin = |option: &str| loaded.origin(option).map(ToString::to_string).unwrap_or_default();

    let environment = launched.machine.variables.iter();
    let environment = environment.map(|(name, value)| (name.to_string_lossy().into(), value.to_string_lossy().into()));
    let mut situation = Situation {
        environment: environment.collect(),
        pinned: launched.pinned.iter().map(|name| name.to_string_lossy().into()).collect(),
        register_coarse: loaded.options.register == Register::Coarse && rewrites,
        keep_environment: arguments.keep_env,
        ..Situation::default()
    };
    if let Some(set) = situation.environment.get(fences).filter(|set| situation.register_coarse && *set != value) {
        bail!(
            "register=coarse ({}) needs {fences}={value}, and {fences} is {set:?}; unset it, or add --set \
             register=keep",
            origin("register")
        );
    }
    if !arguments.no_recipes && !off {
        situation.topology = machine.topology.unwrap_or_default();
        situation.profiles.clone_from(&arguments.profile);
        // Looking at a program's libraries takes time, and elsewhere only profiles ask for them.
        let relevant = !situation.profiles.is_empty() || situation.visible().into_iter().any(recipes::is_supported);
        if relevant {
            situation.program = recipes::identify_program(launched, &situation);
            let (root, options) = (&loaded.options.topology, Some(&loaded.options));
            situation.save_area = Assessment::new(root, &situation.topology, options, Release::of_kernel());
            // A look into the C library takes a millisecond.
            if situation.program.executable_stack.is_some() {
                situation.glibc = launched.file.as_deref().and_then(|file| platform::glibc(file, &launched.machine));
            }
        }
    }
    let program = &mut situation.program;
    let lookups = Lookups::new(loaded.options.dispatch_table, program.rocm);
    let framework = program.framework.map(|(framework, _)| framework).or(program.application);
    program.notes.extend(framework.and_then(|framework| lookups.warning(framework)));
    Ok((situation, lookups))
}

impl Preparation {
    /// Says what the user must know without having asked, in the name of the command `who`.
    pub fn print_warnings(&self, who: &str) {
        for line in self.obstacle_message().into_iter().chain(self.warnings()) {
            output::print_error(who, line);
        }
    }

    /// What keeps RMCP out of the program, and what to do; a sentence.
    pub fn obstacle_message(&self) -> Option<String> {
        let (file, obstacle) = self.obstacle.as_ref()?;
        let advice = self.advice.iter().map(|advice| format!("; {advice}")).collect::<String>();
        Some(format!("{} {}{advice}", file.display(), obstacle.description()))
    }

    /// What the recipes have to say to somebody who did not ask.
    pub fn warnings(&self) -> impl Iterator<Item = String> + '_ {
        self.plan.notes.iter().filter(|note| note.is_warning).map(|note| match note.recipe {
            Some(recipe) => format!("{} (recipe {})", note.sentence(), recipe.id),
            None => note.sentence(),
        })
    }
}
