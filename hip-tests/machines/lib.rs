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

/// A machine with RMCP's packages in /mnt/packages and none of them installed. None, after a loud word, where there can be
/// none.
pub fn machine(release: Release) -> Option<Machine> {
    let packages = require("RMCP's packages", packages::folder())?;
    let debian = require("a throw-away Debian machine", Debian::fetch(release))?;
    let machine = require("a layer over the Debian machine", Machine::new(&debian))?;
    Some(machine.with("packages", &packages))
}

/// The same with the .deb installed, which enables nothing.
pub fn installed(release: Release) -> Option<Machine> {
    let machine = machine(release)?;
    machine.says("dpkg --force-unsafe-io --install /mnt/packages/rmcp_*.deb");
    Some(machine)
}
