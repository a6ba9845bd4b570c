//! Known problems, held against what a machine and a log show.
//!
//! The problems are data, `config/problems.toml`: each has signs, and a sign is fragments of a log, tests of named facts, or
//! both. [`facts`] says which facts there are and reads them; [`log`] finds the fragments in one pass; [`diagnosis`] holds
//! them against each other. No problem has code of its own.

pub mod diagnosis;
mod fact_test;
pub mod facts;
pub mod log;
mod outcome;
pub mod problems;
pub mod report;
pub mod scrub;
mod symptom;
#[cfg(test)]
mod tests;
pub mod trial;

pub use diagnosis::{Certainty, Finding, detect, diagnose, unknown_facts};
pub use facts::Facts;
pub use log::LogMatches;
pub use outcome::{Outcome, outcome, well};
pub use problems::{Problem, problems};
pub use report::Report;
pub use symptom::by_symptom;
