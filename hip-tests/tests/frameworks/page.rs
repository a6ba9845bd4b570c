//! `docs/reference/frameworks.md`.

use crate::{FRAMEWORKS, Framework, Outcome, Row};
use generated_text::table;

#[test]
fn the_page_of_frameworks_says_what_the_tests_hold() {
    let sections: String = FRAMEWORKS.iter().map(|framework| section(framework)).collect();
    generated_text::check_below("docs/reference/frameworks.md", &sections);
}

fn section(framework: &Framework) -> String {
    let Framework { name, version, release, date, needs, limits, rows } = framework;
    let line = |row: &Row| {
        let [bare, preloaded, run] = row.outcomes.map(word);
        [row.program.to_owned(), row.card.to_owned(), bare, preloaded, run]
    };
    let rows =
        table(["program", "card", "without RMCP", "`LD_PRELOAD=librmcp.so`", "`rmcp-run`"], rows.iter().map(line));
    format!("\n## {name}\n\n{version}, on ROCm {release}; {date}.\n\n{rows}\nNeeds: {needs}\n\nLimits: {limits}\n")
}

fn word(outcome: Outcome) -> String {
    match outcome {
        Outcome::Works => "works".into(),
        Outcome::Fails(text) => format!("fails: `{text}`"),
    }
}
