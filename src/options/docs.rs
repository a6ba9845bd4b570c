//! The table as text: the documentation page, the commented file, the help.

/// `docs/options.md`.
pub fn markdown() -> String {
    String::new()
}

/// `config/rmcp.toml`.
pub fn config_file() -> String {
    String::new()
}

/// The options for `--help`.
pub fn usage() -> String {
    String::new()
}
