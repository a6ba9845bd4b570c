//! `rmcp COMMAND`: what RMCP does, shown and explained.
fn main() -> std::process::ExitCode {
    rmcp_cli::commands::main()
}
