//! The recipes, from config/recipes.toml.

use super::sources;
use generated_text::table;
use rmcp_cli::recipes::{Recipe, recipes};

pub fn text() -> String {
    let row = |recipe: &Recipe| {
        let name = format!("[{0}](#{0})", recipe.id);
        [name, recipe.action_text(), recipe.conditions(), format!("{:?}", recipe.confidence)]
    };
    let overview = table(["recipe", "what", "for", "confidence"], recipes().iter().map(row));
    recipes().iter().fold(overview, |page, recipe| page + &section(recipe))
}

fn section(recipe: &Recipe) -> String {
    let sources = sources(&recipe.sources);
    format!(
        "\n## {}\n\n{}\n\n- For: {}\n- Why: {}\n- Sources: {sources}\n- Confidence: {:?}, {}\n",
        recipe.id,
        recipe.action_text(),
        recipe.conditions(),
        recipe.sentence(),
        recipe.confidence,
        recipe.confidence.description()
    )
}
