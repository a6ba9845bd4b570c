//! `rmcp-run PROGRAM ARGS...`: the program with RMCP.
fn main() -> std::process::ExitCode {
    rmcp::cli::run::main()
}
