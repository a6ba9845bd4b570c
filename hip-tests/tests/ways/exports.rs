//! Which release exports which functions, read from its libraries.

use anyhow::{Context, Result};
use object::{Object, ObjectSymbol};
use rmcp_hip_tests::{Release, Stack};
use std::collections::BTreeSet;

/// The dynamic symbols that libamdhip64 and libhsa-runtime64 of each release define.
///
/// # Errors
/// When a stack cannot be had.
pub fn by_release() -> Result<Vec<(Release, BTreeSet<String>)>> {
    Release::ALL.into_iter().map(|release| Ok((release, exported_names(&Stack::fetch(release)?)?))).collect()
}

fn exported_names(stack: &Stack) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for library in ["libamdhip64", "libhsa-runtime64"] {
        let path = stack.find_library(library)?;
        let bytes = std::fs::read(&path).with_context(|| format!("read {}", path.display()))?;
        let file = object::File::parse(&*bytes).with_context(|| format!("parse {}", path.display()))?;
        let defined = file.dynamic_symbols().filter(|symbol| symbol.is_definition());
        names.extend(defined.filter_map(|symbol| Some(symbol.name().ok()?.to_owned())));
    }
    Ok(names)
}
