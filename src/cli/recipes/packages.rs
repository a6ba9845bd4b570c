//! What the recipes say of the packages of a Python, whatever program uses them.

use super::identify::python_programs;
use super::plan::Plan;
use super::situation::Situation;
use super::table::{Action, Condition, Recipe};
use crate::installs::{Machine, Python};

/// Something to know of a package.
#[derive(Debug)]
pub struct PackageWarning {
    /// The recipe that says so.
    pub recipe: &'static Recipe,
    /// The framework, with its version; None: the text names the packages.
    pub framework: Option<String>,
    /// What is wrong, and for which GPUs.
    pub what: String,
    /// What to do.
    pub fix: String,
}

/// Each once. A Python with several frameworks is as many programs.
pub fn package_warnings(python: &Python, situation: &Situation, machine: &Machine) -> Vec<PackageWarning> {
    let mut warnings: Vec<PackageWarning> = Vec::new();
    for program in python_programs(python, situation, machine) {
        let label = program.framework_label();
        let situation = Situation { program, ..situation.clone() };
        for note in Plan::new(&situation).notes {
            let Some(recipe) = note.recipe.filter(|recipe| note.is_warning && recipe.is_about_packages()) else {
                continue;
            };
            let framework = label.clone().filter(|_| recipe.packages.is_empty());
            let same = |known: &PackageWarning| known.framework == framework && known.what == note.text;
            if !warnings.iter().any(same) {
                let fix = note.fix.unwrap_or_default();
                warnings.push(PackageWarning { recipe, framework, what: note.text, fix });
            }
        }
    }
    warnings
}

impl Recipe {
    /// Whether it warns of packages or of the code in them, and not of what else is on the machine.
    pub(super) fn is_about_packages(&self) -> bool {
        self.action == Action::Warn
            && self.variables.is_empty()
            && matches!(self.condition, None | Some(Condition::TorchWithoutCode | Condition::LibraryWithoutCode))
    }
}
