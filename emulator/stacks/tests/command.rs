//! What `rocm-stack` says of a cache.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn rocm_stack(cache: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rocm-stack")).args(arguments).env("RMCP_CACHE", cache).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A cache that has 7.2.4 with these packages alone.
fn cache(packages: &[(&str, &str)]) -> tempfile::TempDir {
    let cache = tempfile::tempdir().unwrap();
    let prefix = cache.path().join("stacks/7.2.4");
    fs::create_dir_all(&prefix).unwrap();
    let package =
        |(name, version): &(&str, &str)| format!(r#"{{"name": "{name}", "version": "{version}", "bytes": 1}}"#);
    let packages: Vec<_> = packages.iter().map(package).collect();
    let stamp = format!(r#"{{"wanted": [], "packages": [{}]}}"#, packages.join(", "));
    fs::write(prefix.join("rmcp-stack.json"), stamp).unwrap();
    cache
}

#[test]
fn list_names_every_release_and_what_the_cache_has_of_it() {
    let cache = cache(&[("libamdhip64-7", "7.9.9-1"), ("libamdhip64-dev", "7.9.9-2")]);
    let output = rocm_stack(cache.path(), &["list"]);
    let list = text(&output.stdout);
    assert!(output.status.success() && list.lines().count() == 4, "{list}");
    assert!(list.starts_with("5.2.3  Debian bookworm, not fetched\n"), "{list}");
    let fetched =
        format!("7.2.4  Debian experimental, libamdhip64-7 7.9.9-1, in {}/stacks/7.2.4\n", cache.path().display());
    assert!(list.ends_with(&fetched), "{list}");
}

#[test]
fn moved_fails_where_the_cache_has_other_versions_than_were_tested() {
    let empty = tempfile::tempdir().unwrap();
    let nothing = rocm_stack(empty.path(), &["moved"]);
    assert!(nothing.status.success() && nothing.stdout.is_empty(), "{nothing:?}");
    let moved = rocm_stack(cache(&[("libamdhip64-7", "7.9.9-1")]).path(), &["moved"]);
    let lines = text(&moved.stdout);
    assert!(!moved.status.success(), "{lines}");
    let mut lines = lines.lines();
    let first = lines.next().unwrap_or_default();
    assert!(
        first.starts_with("7.2.4, Debian experimental: libamdhip64-7: ") && first.ends_with(" -> 7.9.9-1"),
        "{first}"
    );
    assert!(lines.all(|line| line.ends_with(" -> gone")), "{moved:?}");
}

#[test]
fn a_release_that_is_not_there_is_refused_with_those_that_are() {
    let cache = tempfile::tempdir().unwrap();
    for command in [["fetch", "6.4.2"], ["path", "6.4.2"]] {
        let output = rocm_stack(cache.path(), &command);
        let error = text(&output.stderr);
        assert!(
            !output.status.success() && error.contains("6.4.2") && error.contains("5.2.3, 5.7.1, 6.4.3, 7.2.4"),
            "{error}"
        );
    }
    assert!(!cache.path().join("stacks").exists());
}
