//! What is wrong on the machine, and what to do: the known problems that have a name here, and what recipes say of packages.

mod packages;

use super::survey::Survey;
pub use crate::doctor::problems::Severity;
use crate::doctor::{Facts, Finding, detect, problems};
use schemars::JsonSchema;
use serde::Serialize;
use std::sync::Arc;

/// Something wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Problem {
    /// The name of the cause, which stays the same.
    pub id: String,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub fix: String,
    /// Where it is reported or documented.
    pub sources: Vec<String>,
}

/// Every problem, worst first.
pub fn all(survey: &Arc<Survey>) -> Vec<Problem> {
    let facts = Facts::read(survey);
    let mut problems: Vec<Problem> = detect(problems(), &facts).iter().filter_map(Problem::new).collect();
    problems.extend(packages::warnings(survey));
    problems.sort_by_key(|problem| problem.severity);
    problems
}

impl Problem {
    fn new(finding: &Finding) -> Option<Self> {
        let problem = finding.problem;
        let commands: Vec<String> = problem.commands.iter().map(|command| finding.fill(command)).collect();
        let mut fix = finding.fill(&problem.fix);
        if !commands.is_empty() {
            fix += &format!(" Type: {}", commands.join("; "));
        }
        Some(Self {
            id: problem.detect.clone()?,
            severity: problem.severity,
            what: finding.title(),
            fix,
            sources: problem.sources.clone(),
        })
    }
}
