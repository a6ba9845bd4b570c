//! `cargo xtask generate`: the files that derive from the code. `cargo xtask test` fails when one is out of date.

use crate::build::{self, Build};
use crate::run::{cargo, root};
use anyhow::{Context, Result, bail};
use rmcp_cli::commands::schema;
use std::fs;

/// Every generated file and its text.
fn files() -> Result<Vec<(String, String)>> {
    let schemas = schema::all().into_iter().map(|schema| (format!("docs/schema/{}", schema.file()), schema.text()));
    let others = [
        ("include/rmcp.h", header()?),
        ("docs/hooks.md", hooks()),
        ("docs/json.md", schema::markdown()),
        ("docs/libraries.md", rmcp_domain::libraries::markdown()),
        ("docs/options.md", rmcp_domain::options::markdown()),
        ("docs/recipes.md", rmcp_cli::recipes::markdown()),
        ("config/rmcp.toml", rmcp_domain::options::config_file()),
    ];
    Ok(others.map(|(path, text)| (path.to_owned(), text)).into_iter().chain(schemas).collect())
}

/// Writes them.
pub fn write_all() -> Result<()> {
    for (path, text) in files()? {
        let file = root().join(&path);
        let folder = file.parent().context("a file lies in a folder")?;
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&file, text))
            .with_context(|| format!("cannot write {path}"))?;
    }
    Ok(())
}

/// Has the tests write the pages of what they observe.
pub fn observe_all() -> Result<()> {
    let dist = build::everything(Build::Native)?;
    ["test --package gfx10 mutation", "test --package rmcp-hip-tests --test ways"]
        .into_iter()
        .try_for_each(|test| cargo(test).env("GFX10_WRITE", "1").env("RMCP_WRITE", "1").env("RMCP_DIST", &dist).go())
}

/// Fails when one is not what its source gives.
pub fn check_all() -> Result<()> {
    for (path, text) in files()? {
        if fs::read_to_string(root().join(&path)).unwrap_or_default() != text {
            bail!("{path} is older than its source: run `cargo xtask generate`");
        }
    }
    Ok(())
}

/// The C header, from src/core/header.rs.
fn header() -> Result<String> {
    let config = cbindgen::Config {
        language: cbindgen::Language::C,
        include_guard: Some("RMCP_H".into()),
        cpp_compat: true,
        style: cbindgen::Style::Type,
        documentation_style: cbindgen::DocumentationStyle::C,
        sys_includes: vec!["stddef.h".into(), "stdint.h".into()],
        no_includes: true,
        usize_is_size_t: true,
        header: Some(HEAD.into()),
        ..cbindgen::Config::default()
    };
    let bindings = cbindgen::Builder::new()
        .with_config(config)
        .with_src(root().join("src/core/header.rs"))
        .generate()
        .context("src/core/header.rs")?;
    let mut text = Vec::new();
    bindings.write(&mut text);
    Ok(String::from_utf8(text)?)
}

/// The page of hooked functions, from the hook table.
fn hooks() -> String {
    let mut page = String::from(HOOKS_HEAD);
    for hook in &rmcp_abi::HOOKS {
        let library = hook.library.file_prefix();
        page += &format!("| `{}` | {library} | {} |\n", hook.name, hook.policy.text());
    }
    page
}

const HOOKS_HEAD: &str = "\
<!-- Generated from src/abi/table.rs by `cargo xtask generate`. -->
# Hooked functions

librmcp.so exports these functions in front of the real ones. On a GPU that is neither RDNA1 nor RDNA2 calls go
straight to the real functions.

| function | library | what RMCP does |
|---|---|---|
";

const HEAD: &str = "\
/* RMCP's C interface. Generated from src/core/header.rs by `cargo xtask generate`.
 *
 * librmcp.so exports these functions when it is preloaded. A program that must also run without it declares them weak
 * and tests their addresses. */";
