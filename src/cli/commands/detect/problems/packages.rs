//! What is known of single Python packages.

use super::{Problem, Severity, problem};
use crate::commands::detect::survey::Survey;
use crate::installs::{Backend, Framework};
use rmcp_domain::gfx::Family;

fn label(framework: &Framework) -> String {
    let title = framework.known().map_or(framework.name.as_str(), |row| row.title);
    framework.version.as_ref().map_or(title.to_owned(), |version| format!("{title} {version}"))
}

/// Placeholders and packages that harm.
pub fn hazards(survey: &Survey) -> Vec<Problem> {
    let rdna1 = survey.gpus().iter().any(|gpu| gpu.target.family() == Family::Rdna1);
    let here = survey.hazards.iter().filter(|(row, _)| rdna1 || !row.rdna1);
    let told = here.map(|(row, found)| {
        let what = format!("the Python package {} {} {}", found.name, found.version, row.what);
        problem(row.id, Severity::Warning, what, row.fix).with_sources(row.sources)
    });
    told.collect()
}

/// Frameworks that take no card of this machine, by a list of their own.
pub fn refusals(survey: &Survey) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (_, framework) in &survey.frameworks {
        let refused = survey.gpus().iter().find_map(|gpu| Some((gpu.target, framework.refusal(gpu.target)?)));
        if let Some((target, list)) = refused {
            let what = format!("{} refuses a {target} of whatever code it has: {}", label(framework), list.why);
            let fix = "use a release whose list has the card; no variable changes the list";
            problems.push(problem("framework-refuses-card", Severity::Error, what, fix));
        }
    }
    problems
}

/// What the user of a framework must know.
pub fn notes(survey: &Survey) -> Vec<Problem> {
    let for_amd = survey.frameworks.iter().filter(|(_, framework)| !matches!(framework.backend, Backend::Other(_)));
    let noted = for_amd.filter_map(|(_, framework)| Some((framework, framework.known()?.note)));
    let noted = noted.filter(|(_, note)| !note.is_empty());
    let told = noted.map(|(framework, note)| {
        problem("framework-note", Severity::Note, format!("{}: {note}", label(framework)), "nothing")
    });
    told.collect()
}
