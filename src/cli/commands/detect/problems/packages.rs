//! What the recipes say of the Python packages of the machine, whatever program uses them.

use super::{Problem, Severity};
use crate::commands::detect::survey::Survey;
use crate::recipes::{PackageWarning, Situation, package_warnings};

/// Packages that refuse a card, have no code for it, hold a name alone or do harm.
pub fn warnings(survey: &Survey) -> Vec<Problem> {
    let variables = survey.machine.variables.iter();
    let situation = Situation {
        topology: survey.policy.topology.as_ref().ok().cloned().unwrap_or_default(),
        environment: variables
            .map(|(name, value)| (name.to_string_lossy().into(), value.to_string_lossy().into()))
            .collect(),
        ..Situation::default()
    };
    let mut problems: Vec<Problem> = Vec::new();
    for python in &survey.pythons {
        for warning in package_warnings(python, &situation, &survey.machine) {
            let PackageWarning { recipe, framework, what, fix } = warning;
            let whose = framework.map(|name| format!("{name} of {}, ", survey.display_path(&python.interpreter)));
            // A framework that refuses a card is of no use there.
            let severity = if recipe.version.is_some() { Severity::Error } else { Severity::Warning };
            let what = whose.unwrap_or_default() + &what;
            problems.push(Problem { id: recipe.id.clone(), severity, what, fix, sources: recipe.sources.clone() });
        }
    }
    problems
}
