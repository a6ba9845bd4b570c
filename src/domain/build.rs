//! Makes constants of config/libraries.toml, which the core reads in other people's processes. A table that does not fit
//! `libraries.rs` ends the build.

use serde::Deserialize;
use std::error::Error;
use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

const TABLE: &str = "../../config/libraries.toml";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    library: Vec<Library>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Library {
    name: String,
    files: Vec<String>,
    memory: Memory,
    does: String,
    sources: Vec<String>,
    confidence: Confidence,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Memory {
    Keep,
    Rewrite,
    Unmapped,
}

#[derive(Debug, Deserialize)]
enum Confidence {
    A,
    B,
    C,
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed={TABLE}");
    println!("cargo:rerun-if-changed=build.rs");
    let text = fs::read_to_string(TABLE).map_err(|e| format!("{TABLE}: {e}"))?;
    let table: Table = toml::from_str(&text).map_err(|e| format!("{TABLE}: {e}"))?;
    let mut code = String::from("&[\n");
    for Library { name, files, memory, does, sources, confidence } in table.library {
        writeln!(
            code,
            "Library {{ name: {name:?}, files: &{files:?}, memory: Memory::{memory:?}, does: {does:?}, sources: \
             &{sources:?}, confidence: Confidence::{confidence:?} }},"
        )?;
    }
    code.push(']');
    fs::write(Path::new(&env::var("OUT_DIR")?).join("libraries.rs"), code)?;
    Ok(())
}
