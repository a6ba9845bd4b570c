//! The texts that come from the tables and types of the code.

mod header;
mod json;
mod libraries;
mod options;
mod problems;
mod recipes;

use generated_text::{check, check_below, table};
use rmcp_cli::commands::schema;

#[test]
fn the_c_header_is_up_to_date() {
    check("include/rmcp.h", &header::text());
}

#[test]
fn the_file_of_options_is_up_to_date() {
    check("config/rmcp.toml", &rmcp_domain::options::config_file());
}

#[test]
fn the_schemas_are_up_to_date() {
    schema::all().iter().for_each(|schema| check(&format!("docs/schema/{}", schema.file()), &schema.text()));
}

#[test]
fn the_chapters_of_the_reference_are_up_to_date() {
    for (chapter, text) in [
        ("hooks", hooks()),
        ("json", json::text()),
        ("libraries", libraries::text()),
        ("options", options::text()),
        ("problems", problems::text()),
        ("recipes", recipes::text()),
    ] {
        check_below(&format!("docs/reference/{chapter}.md"), &format!("\n{text}"));
    }
}

/// Sources as links; those that are packages by their names.
fn sources(sources: &[String]) -> String {
    let link = |source: &String| match source.starts_with("https://") {
        true => format!("<{source}>"),
        false => format!("`{source}`"),
    };
    sources.iter().map(link).collect::<Vec<_>>().join(", ")
}

/// The hooked functions, from the hook table.
fn hooks() -> String {
    let row = |hook: &rmcp_abi::HookInfo| {
        [format!("`{}`", hook.name), hook.library.file_prefix().to_owned(), hook.policy.text().to_owned()]
    };
    table(["function", "library", "what RMCP does"], rmcp_abi::HOOKS.iter().map(row))
}
