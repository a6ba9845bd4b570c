//! Throw-away Debian machines: what has to be tried on a whole machine is tried there, never on this one.
//!
//! A [`Debian`] is made once and stays in the cache. A [`Machine`] is a layer of files over it; its programs run in mount
//! and process namespaces of their own, with that as their root folder. It needs root. What takes a machine that boots is
//! tried in a virtual one: [`vm`].
#![forbid(unsafe_code)]

mod debian;
mod machine;
mod packages;
pub mod vm;

pub use debian::{Debian, Release};
pub use machine::Machine;
pub use rmcp_hip_tests::require;

/// The loader's list of libraries that every program loads.
pub const LIST: &str = "/etc/ld.so.preload";

/// Prints in how many mappings the program that runs it has RMCP: `0` where it has not.
pub const COUNT_MAPPINGS: &str = "grep -c '/librmcp[.]so' /proc/self/maps || true";

/// Runs what follows as a user without rights.
pub const AS_NOBODY: &str = "setpriv --reuid 65534 --regid 65534 --clear-groups";

/// The source of a library that ends every program which loads it.
pub const ABORTING: &str = "void abort(void); __attribute__((constructor)) static void start(void) { abort(); }";

/// A script that compiles a library of C on a machine with Debian 12.
pub fn compile_library(source: &str, path: &str) -> String {
    format!("echo '{source}' | gcc -shared -fPIC -x c - -o {path}\n")
}

/// A machine with RMCP's packages in /mnt/packages and none of them installed. None, after a loud word, where there can be
/// none.
pub fn machine(release: Release) -> Option<Machine> {
    let packages = require("RMCP's packages", packages::folder())?;
    let debian = require("a throw-away Debian machine", Debian::fetch(release))?;
    let machine = require("a layer over the Debian machine", Machine::new(&debian))?;
    Some(machine.share("packages", &packages))
}

/// The same with the .deb installed, which enables nothing.
pub fn installed(release: Release) -> Option<Machine> {
    let machine = machine(release)?;
    machine.bash("dpkg --force-unsafe-io --install /mnt/packages/rmcp_*.deb");
    Some(machine)
}
