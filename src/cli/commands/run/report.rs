//! What `rmcp-run --dry-run`, `--explain` and `--list-profiles` print.

use crate::output::{self, FAINT, Report, STRONG, styled};
use crate::preparation::Preparation;
use crate::recipes::{self, Confidence, Recipe};
use schemars::JsonSchema;
use serde::Serialize;
use std::io::{self, Write};

/// What `rmcp-run` would change in the environment of a program.
#[derive(Serialize, JsonSchema)]
pub struct DryRun {
    /// The file of the program; null where there is none.
    program: Option<String>,
    /// The file of the program that launchers and scripts come to, such as env and torchrun; null where it is the same, or
    /// not known.
    runs: Option<String>,
    /// What keeps RMCP out of the program; null where nothing does.
    obstacle: Option<String>,
    /// Why RMCP does nothing in the program, whatever the GPU; null where it is not idle so.
    inactive: Option<String>,
    /// What the program computes with, such as "PyTorch 2.4"; null where that is not known.
    framework: Option<String>,
    /// The ROCm release that the program runs with, such as "6.1"; null where that is not known.
    rocm: Option<String>,
    /// How many libraries with GPU code were found for it.
    libraries: usize,
    /// The GPUs that the program would see without rmcp-run.
    gpus: Vec<String>,
    /// The changes, in order.
    changes: Vec<VariableChange>,
    /// What the recipes have to say besides.
    notes: Vec<RecipeNote>,
    #[serde(skip)]
    explain: bool,
}

/// A change of one variable.
#[derive(Serialize, JsonSchema)]
struct VariableChange {
    /// The variable.
    variable: String,
    /// Its new value; null: it is removed.
    value: Option<String>,
    /// What it was; null: not set.
    before: Option<String>,
    /// The GPUs for which it is changed; empty: for the program as a whole.
    gpus: Vec<String>,
    /// Why.
    why: String,
    /// The recipe; null for what RMCP itself needs.
    recipe: Option<RecipeOrigin>,
}

/// Something to know.
#[derive(Serialize, JsonSchema)]
struct RecipeNote {
    /// Whether it is told without --explain.
    warning: bool,
    /// A sentence.
    text: String,
    /// The recipe that says so; null where none does.
    recipe: Option<RecipeOrigin>,
}

/// A recipe, and how sure it is.
#[derive(Serialize, JsonSchema)]
struct RecipeOrigin {
    /// Its name in docs/reference/recipes.md.
    id: String,
    /// Where it is known from.
    sources: Vec<String>,
    /// A: confirmed by maintainers, source code or at least two users; B: one report, or disputed; C: an inference.
    confidence: Confidence,
}

impl RecipeOrigin {
    fn new(recipe: &Recipe) -> Self {
        Self { id: recipe.id.clone(), sources: recipe.sources.clone(), confidence: recipe.confidence }
    }

    fn text(&self) -> String {
        format!("recipe {}, confidence {:?}: {}", self.id, self.confidence, self.sources.join(" "))
    }
}

impl DryRun {
    /// What is about to be done. `explain`: whether the text says why.
    pub fn new(prepared: &Preparation, explain: bool) -> Self {
        let program = &prepared.situation.program;
        let changes = prepared.changes.iter().map(|change| {
            let recipe = change.recipe.as_ref();
            let variable = change.variable.to_string_lossy().into_owned();
            VariableChange {
                value: change.value.as_ref().map(|value| value.to_string_lossy().into_owned()),
                before: std::env::var_os(&change.variable).map(|value| value.to_string_lossy().into_owned()),
                gpus: recipe.map(|(_, gpus)| gpus.clone()).unwrap_or_default(),
                why: recipe.map_or_else(|| rmcp_reason(&variable, prepared), |(recipe, _)| recipe.sentence()),
                recipe: recipe.map(|(recipe, _)| RecipeOrigin::new(recipe)),
                variable,
            }
        });
        let notes = prepared.plan.notes.iter().map(|note| RecipeNote {
            warning: note.is_warning,
            text: note.sentence(),
            recipe: note.recipe.map(RecipeOrigin::new),
        });
        Self {
            program: prepared.file.as_ref().map(|file| file.display().to_string()),
            runs: prepared.final_program.as_ref().map(|file| file.display().to_string()),
            obstacle: prepared.obstacle_message(),
            inactive: prepared.inactive.clone(),
            framework: program.framework_label(),
            rocm: program.rocm.map(|release| release.to_string()),
            libraries: program.libraries.len(),
            gpus: prepared.situation.visible().into_iter().map(recipes::gpu_label).collect(),
            changes: changes.collect(),
            notes: notes.collect(),
            explain,
        }
    }

    /// Writes what was found and why each change is made.
    pub fn explain(&self, out: &mut dyn Write) -> io::Result<()> {
        let unknown = || "not known".to_owned();
        let unrecognised = || match self.libraries {
            0 => unknown(),
            _ => "no framework recognised: recipes by code objects only".into(),
        };
        let gpus = if self.gpus.is_empty() { "none".into() } else { self.gpus.join(", ") };
        let program = self.program.as_deref().unwrap_or("none");
        let runs = self.runs.iter().map(|runs| format!(", which comes to {runs}")).collect::<String>();
        for (what, is) in [
            ("program", format!("{program}{runs}")),
            ("computes with", self.framework.clone().unwrap_or_else(unrecognised)),
            ("ROCm", self.rocm.clone().unwrap_or_else(unknown)),
            ("libraries with GPU code", self.libraries.to_string()),
            ("GPUs", gpus),
        ] {
            writeln!(out, "{what}: {}", output::escape_line(is))?;
        }
        if let Some(why) = &self.inactive {
            writeln!(out, "RMCP: inactive, {why}")?;
        }
        for change in &self.changes {
            writeln!(out)?;
            self.write_change(out, change)?;
        }
        for note in &self.notes {
            writeln!(out, "\n{}", note.text)?;
            if let Some(recipe) = &note.recipe {
                writeln!(out, "    {}", recipe.text())?;
            }
        }
        Ok(())
    }

    fn write_change(&self, out: &mut dyn Write, change: &VariableChange) -> io::Result<()> {
        match (&change.value, &change.before) {
            (Some(value), _) => writeln!(out, "set {}={}", change.variable, output::escape_line(value))?,
            (None, before) => {
                let before = output::escape_line(before.as_deref().unwrap_or_default());
                writeln!(out, "remove {} (was {before})", change.variable)?;
            }
        }
        if !self.explain {
            return Ok(());
        }
        let on = if change.gpus.is_empty() { String::new() } else { format!("{}: ", change.gpus.join(" and ")) };
        writeln!(out, "    {on}{}", change.why)?;
        if let Some(recipe) = &change.recipe {
            writeln!(out, "    {}", recipe.text())?;
        }
        Ok(())
    }
}

impl Report for DryRun {
    const SCHEMA: &'static str = "rmcp.run/1";

    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.explain {
            if let Some(obstacle) = &self.obstacle {
                writeln!(out, "{obstacle}")?;
            }
            return self.explain(out);
        }
        self.changes.iter().try_for_each(|change| self.write_change(out, change))
    }
}

/// Why RMCP itself changes a variable.
fn rmcp_reason(variable: &str, prepared: &Preparation) -> String {
    let program = &prepared.situation.program;
    let framework = program.framework.map(|(framework, _)| framework).or(program.application);
    match variable {
        "LD_PRELOAD" if prepared.obstacle.is_some() => {
            "RMCP goes between the programs that it starts and the HIP runtime.".into()
        }
        "LD_PRELOAD" if prepared.inactive.is_some() => "RMCP is in the program and does nothing there.".into(),
        "LD_PRELOAD" => prepared.lookups.preload_reason(framework),
        _ => "You asked with --set.".into(),
    }
}

/// Lists the profiles.
pub fn profiles() -> io::Result<()> {
    let mut out = output::stdout();
    for (name, recipe) in recipes::profiles() {
        writeln!(out, "{}", styled(STRONG, name))?;
        writeln!(out, "    {}", recipe.why)?;
        writeln!(out, "    {}", styled(FAINT, RecipeOrigin::new(recipe).text()))?;
    }
    out.flush()
}
