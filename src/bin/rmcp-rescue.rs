//! The static command `rmcp-rescue`.

fn main() -> std::process::ExitCode {
    rmcp::cli::rescue::main()
}
