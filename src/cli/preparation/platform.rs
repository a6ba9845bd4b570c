//! The C library.

use crate::installs::{Machine, Program, Release};
use rmcp_domain::bounded_read::read_after;
use std::path::Path;

/// The release of the C library that a program loads, by what the library says of itself when it is run.
pub fn glibc(program: &Path, machine: &Machine) -> Option<Release> {
    let program = Program::read(program, machine).ok()?;
    let library = program.libraries.iter().find(|library| library.name == "libc.so.6")?;
    let release = read_after(library.path.as_deref()?, b"release version ", 16, 16 << 20).ok()??;
    let end = release.iter().position(|byte| !byte.is_ascii_digit() && *byte != b'.')?;
    std::str::from_utf8(&release[..end]).ok()?.trim_end_matches('.').parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machines_kernel_and_c_library_are_told() {
        assert!(Release::of_kernel().is_some_and(|release| release.major >= 3));
        let glibc = glibc(Path::new("/bin/sh"), &Machine::local());
        assert!(glibc.is_some_and(|release| release.major == 2 && release.minor >= 28), "{glibc:?}");
        assert_eq!(super::glibc(Path::new("/etc/passwd"), &Machine::local()), None);
    }
}
