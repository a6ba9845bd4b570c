//! RMCP in every process of a machine, and out again.

mod enable;
mod programs;
mod recover;

use rmcp_machine_tests::{Build, Debian, Machine, require};

/// A machine with RMCP installed and nothing enabled. None, after a loud word, where there can be none.
fn machine() -> Option<Machine> {
    let debian = require("a throw-away Debian machine", Debian::fetch())?;
    let build = require("the built RMCP", Build::find())?;
    require("a layer over the Debian machine", Machine::new(&debian, &build))
}

const LIST: &str = "/etc/ld.so.preload";
