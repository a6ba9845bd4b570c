//! Which environment does this program need on these cards: config/recipes.toml, applied.

mod docs;
mod identify;
mod overrides;
mod packages;
mod plan;
mod situation;
mod table;
#[cfg(test)]
mod tests;
mod unreadable;

pub use docs::profiles;
pub use identify::{executable_stack, identify_program};
pub use packages::{PackageWarning, package_warnings};
pub use plan::{Change, Note, Plan, gpu_label};
pub use situation::{Library, OVERRIDE, Program, Situation, is_supported};
pub use table::{Action, CodeMatch, Condition, Confidence, Range, Recipe, pattern_matches, recipes};
