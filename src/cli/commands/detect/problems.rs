//! What is wrong on the machine, and what to do.
//!
//! Each cause has one message. The ids are those of the project's list of known problems; the links lead to the reports
//! behind them.

mod device;
mod packages;
mod queues;
mod software;
mod variables;

use super::survey::Survey;
pub use crate::doctor::problems::Severity;
use schemars::JsonSchema;
use serde::Serialize;

/// Something wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Problem {
    /// The name of the cause, which stays the same.
    pub id: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub fix: String,
    /// Where it is reported or documented.
    pub sources: Vec<&'static str>,
}

/// Every problem, worst first.
pub fn all(survey: &Survey) -> Vec<Problem> {
    let mut problems: Vec<Problem> = device::kfd(survey).into_iter().collect();
    problems.extend(device::cards(survey));
    problems.extend(device::render_nodes(survey));
    problems.extend(device::masks(survey));
    problems.extend(device::integrated(survey));
    problems.extend(queues::refused(survey));
    problems.extend(software::rocm(survey));
    problems.extend(software::frameworks(survey));
    problems.extend(packages::warnings(survey));
    problems.extend(software::runtime_copies(survey));
    problems.extend(software::library_path(survey));
    problems.extend(software::rmcp(survey));
    problems.extend(variables::overrides(survey));
    problems.extend(variables::variables_without_effect(survey));
    problems.extend(variables::expandable_segments(survey));
    problems.sort_by_key(|problem| problem.severity);
    problems
}

/// A problem without sources.
fn problem(id: &'static str, severity: Severity, what: impl Into<String>, fix: impl Into<String>) -> Problem {
    Problem { id, severity, what: what.into(), fix: fix.into(), sources: Vec::new() }
}

impl Problem {
    fn with_sources(self, sources: &'static [&'static str]) -> Self {
        Self { sources: sources.to_vec(), ..self }
    }
}
