//! `docs/reference/coverage.md`.

use crate::matrix::{CALLS, Cell, Matrix, Way};
use generated_text::table;
use rmcp_abi::{HOOKS, HookInfo};
use rmcp_hip_tests::Release;
use std::collections::BTreeSet;

/// What stands below the page's prose.
pub fn text(matrix: &Matrix, exports: &[(Release, BTreeSet<String>)]) -> String {
    let mut page = String::new();
    for call in CALLS {
        let note = if call.starts_with("hsa_") { " with `hsa_pool = \"coarse\"`" } else { "" };
        let row = |way: &Way| (way.name().to_owned(), Release::ALL.map(|release| word(matrix[&(*way, release, call)])));
        page += &format!("\n## `{call}`{note}\n\n{}", by_release("way", Way::ALL.iter().map(row)));
    }
    let row = |hook: &HookInfo| {
        let has = |(_, names): &(Release, BTreeSet<String>)| if names.contains(hook.name) { "yes" } else { "-" };
        let cells: Vec<_> = exports.iter().map(has).collect();
        (format!("`{}`", hook.name), cells.try_into().expect("every release"))
    };
    page += "\n## Hooked functions by release\n\nWhich of the [hooked functions](hooks.md) the libraries of each release export.\n\n";
    page + &by_release("function", HOOKS.iter().map(row))
}

/// A table with a column for each release.
fn by_release(what: &str, rows: impl Iterator<Item = (String, [&'static str; 4])>) -> String {
    let [a, b, c, d] = Release::ALL.map(|release| release.to_string());
    table([what, &a, &b, &c, &d], rows.map(|(name, [a, b, c, d])| [name, a.into(), b.into(), c.into(), d.into()]))
}

fn word(cell: Cell) -> &'static str {
    match cell {
        Cell::Rewritten => "rewritten",
        Cell::Forwarded => "forwarded",
        Cell::Missed => "**missed**",
        Cell::NotInRelease => "not in this release",
        Cell::NoSuchWay => "-",
    }
}
