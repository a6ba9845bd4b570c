//! What the commands' exit statuses mean: one table for `--help`, the man pages and docs/reference/commands.md.

/// The work is not done, or what was to be checked is wrong.
pub const FAILURE: u8 = 1;
/// The command line is wrong. (clap's)
pub const USAGE: u8 = 2;
/// `rmcp status`: RMCP is not enabled.
pub const DISABLED: u8 = 3;
/// `rmcp inspect`: a card has no code.
pub const NOT_COVERED: u8 = 4;
/// The fault is that of `rmcp-run`, as with `env`, `nice` and `timeout`.
pub const RUN_FAILED: u8 = 125;
/// The program cannot be executed.
pub const NOT_EXECUTABLE: u8 = 126;
/// There is no such program.
pub const NOT_FOUND: u8 = 127;

/// A status and what it means.
pub type Meaning = (u8, &'static str);

/// Those of `rmcp`.
pub const RMCP: &[Meaning] = &[
    (0, "done"),
    (FAILURE, "failed, or what was to be checked is wrong"),
    (USAGE, "the command line is wrong"),
    (DISABLED, "rmcp status: RMCP is not enabled"),
    (NOT_COVERED, "rmcp inspect: a card has no code"),
];

/// Those of `rmcp doctor`, but for a wrong command line.
pub const DOCTOR: &[Meaning] = &[
    (0, "nothing is wrong, or worth no more than a note"),
    (DOCTOR_WARNINGS, "warnings"),
    (DOCTOR_ERRORS, "errors"),
    (DOCTOR_BLIND, "it could not look"),
];

/// `rmcp doctor`: some programs fail or compute wrongly.
pub const DOCTOR_WARNINGS: u8 = 1;
/// `rmcp doctor`: no GPU program works, or not on a card.
pub const DOCTOR_ERRORS: u8 = 2;
/// `rmcp doctor`: a log cannot be read.
pub const DOCTOR_BLIND: u8 = 3;

/// Those of `rmcp-run`, and of `rmcp trace` and `rmcp emulate` once their own command line is right. Otherwise they are the program's.
pub const RUN: &[Meaning] = &[
    (RUN_FAILED, "rmcp itself failed, or its command line is wrong"),
    (NOT_EXECUTABLE, "the program cannot be executed"),
    (NOT_FOUND, "there is no such program"),
];

/// For the end of a help text.
pub fn help(meanings: &[Meaning]) -> String {
    let lines: Vec<String> = meanings.iter().map(|(status, meaning)| format!("  {status:<4} {meaning}")).collect();
    format!("Exit status:\n{}", lines.join("\n"))
}
