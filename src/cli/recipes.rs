//! Which environment does this program need on these cards: config/recipes.toml, applied.

mod docs;
mod look;
mod overrides;
mod plan;
mod situation;
mod table;
#[cfg(test)]
mod tests;

pub use docs::profiles;
pub use look::look;
pub use plan::{Change, Note, Plan, named};
pub use situation::{Library, Program, Situation, ours};
pub use table::{Action, Code, Confidence, Framework, Range, Recipe, When, recipes};
