//! The table as text: the commented file, the help.

use super::table::{Options, Row, Scope, TABLE};
use std::fmt::Write;

/// `config/rmcp.toml`: every option at its default, commented out.
pub fn config_file() -> String {
    let defaults = Options::default();
    let (system, general): (Vec<_>, Vec<_>) = TABLE.iter().partition(|row| row.scope == Scope::System);
    let line = |row: &&Row| {
        format!("\n# {}\n# Takes: {}\n#{} = {}\n", row.help(), row.allowed(), row.name, row.get(&defaults))
    };
    let lines = |rows: Vec<&Row>| rows.iter().map(line).collect::<String>();
    [FILE_HEAD, &lines(general), FILE_SYSTEM, &lines(system), FILE_TAIL].concat()
}

/// The options that a command line sets, for `--help`.
pub fn usage() -> String {
    let defaults = Options::default();
    let width = TABLE.iter().map(|row| row.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for row in TABLE.iter().filter(|row| row.scope != Scope::System) {
        let _ = writeln!(text, "  {:width$}  {}", row.name, row.help());
        let _ = writeln!(text, "  {:width$}  {} [default: {}]", "", row.allowed(), row.get(&defaults));
    }
    text
}

const FILE_HEAD: &str = "\
# RMCP's options and their defaults. Remove the # to change one; docs/reference/options.md explains each.
# This file belongs at /etc/rmcp.toml or ~/.config/rmcp/config.toml.
# The environment is stronger than any file: RMCP_HOST=keep.
";

const FILE_SYSTEM: &str = "
# Options for programs that have RMCP from `rmcp enable --system`, any of those above and:
#[system]
";

const FILE_TAIL: &str = "
# Options for one program, by file name or full path:
#[program.\"python3\"]
#host = \"keep\"

# Options for the calls of one library, by its file's name:
#[library.\"libexample\"]
#host = \"keep\"
";
