//! The known problems, from config/problems.toml, and the facts that their signs test.

use super::sources;
use generated_text::table;
use rmcp_cli::doctor::problems::{Sign, own_table};
use rmcp_cli::doctor::{Problem, facts::FACTS};

pub fn text() -> String {
    let row = |problem: &Problem| {
        let link = format!("[{}](#{})", problem.id, problem.id.replace('.', ""));
        [link, problem.title.clone(), problem.severity.word().to_owned()]
    };
    let problems = own_table().problems;
    let overview = table(["problem", "what is wrong", "severity"], problems.iter().map(row));
    let page = problems.iter().fold(overview, |page, problem| page + &section(problem));
    let fact = |(name, values): &(&str, &str)| [format!("`{name}`"), (*values).to_owned()];
    page + "\n## The facts\n\n" + &table(["fact", "its values"], FACTS.iter().map(fact))
}

fn section(problem: &Problem) -> String {
    let mut lines = vec![format!("- Why: {}", problem.cause), format!("- What to do: {}", problem.fix)];
    lines.extend(problem.commands.iter().map(|command| format!("- Type: `{command}`")));
    lines.extend(problem.changes.iter().map(|change| format!("- Change: {}", change.describe())));
    lines.extend(problem.harmful.iter().map(|harmful| format!("- Do not: {harmful}")));
    lines.extend(problem.signs.iter().map(|sign| format!("- Sign: {}", describe(sign))));
    if !problem.hides.is_empty() {
        let links: Vec<String> = problem.hides.iter().map(|id| format!("[{id}](#{})", id.replace('.', ""))).collect();
        lines.push(format!("- Where it is found these are not said: {}", links.join(", ")));
    }
    if !problem.aliases.is_empty() {
        let names: Vec<String> = problem.aliases.iter().map(|name| format!("`{name}`")).collect();
        lines.push(format!("- Also called: {}", names.join(", ")));
    }
    lines.push(format!("- Sources: {}", sources(&problem.sources)));
    lines.push(format!("- Confidence: {:?}, {}", problem.confidence, problem.confidence.description()));
    format!("\n## {}\n\n{}.\n\n{}\n", problem.id, problem.title, lines.join("\n"))
}

fn describe(sign: &Sign) -> String {
    let log = sign.log.iter().map(|fragment| format!("the log has `{}`", fragment.replace('*', "...")));
    let facts = sign.facts.iter().map(|(name, test)| format!("`{name}`: `{}`", test.text().replace('|', "or")));
    log.chain(facts).collect::<Vec<_>>().join("; ")
}
