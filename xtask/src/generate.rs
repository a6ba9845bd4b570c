//! `cargo xtask generate`: the texts that come from the code. Each is checked by a test, and the tests write them.

use crate::build::{self, Build};
use crate::run::cargo;
use anyhow::Result;

/// Writes the texts that are made of tables and types; with `observed` those too that say what tests see.
pub fn write(observed: bool) -> Result<()> {
    let test = |arguments: &str| cargo(&format!("test --quiet {arguments}")).env("WRITE_GENERATED", "1");
    test("--package xtask --package gfx10 up_to_date").run()?;
    test("--package rmcp-hip-tests --test frameworks page_of_frameworks").run()?;
    if observed {
        let dist = build::everything(Build::Native)?;
        test("--package gfx10 mutation").run()?;
        test("--package rmcp-hip-tests --test ways").env("RMCP_DIST", &dist).run()?;
        test("--package rmcp-benches").env("RMCP_DIST", &dist).run()?;
    }
    Ok(())
}
