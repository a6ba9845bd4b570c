//! What this machine may lack: a Debian mirror, a network, a C++ compiler.

use anyhow::Result;
use std::io::Write;

/// The value; `None`, after a loud word past the test harness's capture, where it cannot be had outside CI.
///
/// # Panics
/// In CI (the environment has `CI`), where a test that did not run must not look green.
pub fn require<T>(what: &str, got: Result<T>) -> Option<T> {
    match got {
        Ok(value) => Some(value),
        Err(error) if std::env::var_os("CI").is_some() => panic!("{what} is missing: {error:#}"),
        Err(error) => {
            let thread = std::thread::current();
            let test = thread.name().unwrap_or("a test");
            let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {what} is missing: {error:#}");
            None
        }
    }
}
