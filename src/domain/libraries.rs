//! Libraries by the names of their files: which need coherent memory, and which are known to be right without.
//!
//! The table is config/libraries.toml. Whoever calls an allocating function is a loaded file, and that is all the core
//! knows of it.

/// One row of the table.
#[derive(Debug, PartialEq, Eq)]
pub struct Library {
    /// What people call it.
    pub name: &'static str,
    /// Patterns of its files; see [`path_matches`].
    pub files: &'static [&'static str],
    /// What RMCP does with what it allocates.
    pub memory: Memory,
    /// What it does with host memory, a sentence.
    pub does: &'static str,
    /// Where that is known from.
    pub sources: &'static [&'static str],
    /// How sure it is.
    pub confidence: Confidence,
}

/// What RMCP does with what a library allocates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// It is forwarded as asked: the library needs coherent memory.
    Keep,
    /// It may be rewritten: the library is right with non-coherent memory.
    Rewrite,
    /// The same, but for what it asks for as Mapped.
    Unmapped,
}

/// How sure a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confidence {
    /// Read in its source and seen by a test.
    A,
    /// Read in its source, or seen by a test.
    B,
    /// An inference.
    C,
}

/// Every row, in the order of the table.
pub static LIBRARIES: &[Library] = include!(concat!(env!("OUT_DIR"), "/libraries.rs"));

/// The row of the library at this path; of several the first.
pub fn by_path(path: &str) -> Option<&'static Library> {
    LIBRARIES.iter().find(|library| library.files.iter().any(|pattern| path_matches(path, pattern)))
}

/// Whether a pattern meets the file at a path: `librccl` meets `librccl.so.1` in any folder and, as wheels rename it,
/// `librccl-1a2b3c4d.so`; `cupy/cuda/common` meets `common.cpython-311-x86_64-linux-gnu.so` in such folders alone. In the
/// last part `*` stands for any text. A pattern may itself be written as a file's name.
pub fn path_matches(path: &str, pattern: &str) -> bool {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    let (in_folder, pattern) = pattern.rsplit_once('/').unwrap_or(("", pattern));
    let before = folder.strip_suffix(in_folder);
    if !in_folder.is_empty() && before.is_none_or(|before| !(before.is_empty() || before.ends_with('/'))) {
        return false;
    }
    let (name, pattern) = (stem(file), stem(pattern));
    let unhashed = name.rsplit_once('-').filter(|(_, hash)| is_hash(hash)).map(|(before, _)| before);
    std::iter::once(name).chain(unhashed).any(|name| glob_matches(name, pattern))
}

/// A file's name without what follows it: ".so.1", ".cpython-311-x86_64-linux-gnu.so".
fn stem(file_name: &str) -> &str {
    let end = match file_name.find(".so") {
        Some(end) if matches!(file_name.as_bytes().get(end + 3), None | Some(b'.')) => end,
        _ => file_name.len(),
    };
    let name = &file_name[..end];
    let tag = [".cpython-", ".abi3"].iter().find_map(|tag| name.find(tag));
    &name[..tag.unwrap_or(name.len())]
}

/// What auditwheel puts between a library's name and its ending.
fn is_hash(text: &str) -> bool {
    text.len() >= 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether `pattern`, where `*` stands for any text, meets all of `name`. Takes the first place for each part between two
/// stars, which is as good as any.
fn glob_matches(name: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(last) = parts.next_back() else { return name == first };
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_pattern_meets_a_librarys_file_however_it_is_numbered_or_hashed() {
        for name in
            ["librccl.so", "librccl.so.1", "librccl.so.1.0.70204", "librccl-1a2b3c4d.so", "librccl-1A2B3C4D5E.so.1"]
        {
            assert!(path_matches(name, "librccl"), "{name}");
            assert!(path_matches(name, "librccl.so"), "{name}");
            assert!(path_matches(name, "librccl.so.1"), "{name}");
        }
        for name in ["librccl-net.so", "librccl-net-1a2b3c4d.so", "librccl-net_anp.so.1"] {
            assert!(path_matches(name, "librccl-net*"), "{name}");
        }
        assert!(path_matches("runtime.cpython-311-x86_64-linux-gnu.so", "runtime"));
        assert!(path_matches("_C.abi3.so", "_C"));
    }

    #[test]
    fn near_misses_are_no_hits() {
        for name in ["librccl-net.so", "librccl2.so.1", "mylibrccl.so", "librccl-1a2b3c.so", "librccl-notahash.so", ""]
            .into_iter()
            .chain(["librccl.sox", "librccl_debug.so.1", "/opt/librccl/libother.so"])
        {
            assert!(!path_matches(name, "librccl"), "{name}");
        }
        assert!(!path_matches("librccl.so.1", "librccl-net*"));
        assert!(!path_matches("libmpi_cxx.so.40", "libmpi"));
    }

    #[test]
    fn a_pattern_with_folders_meets_files_in_these_alone() {
        let common = "/usr/lib/python3/cupy/cuda/common.cpython-311-x86_64-linux-gnu.so";
        assert!(
            path_matches(common, "cupy/cuda/common")
                && path_matches(common, "cuda/common")
                && path_matches(common, "common")
        );
        assert!(path_matches("cupy/cuda/common.so", "cupy/cuda/common"));
        for other in ["/usr/lib/mycupy/cuda/common.so", "/cupy/common.so", "common.so", "/cupy/cuda/common/x.so"] {
            assert!(!path_matches(other, "cupy/cuda/common"), "{other}");
        }
        assert!(path_matches("/opt/rocm/lib/librccl.so.1", "librccl"));
    }

    #[test]
    fn a_star_stands_for_any_text_also_none() {
        for (name, pattern, expected) in [
            ("abc", "*", true),
            ("", "*", true),
            ("abc", "a*c", true),
            ("ac", "a*c", true),
            ("abcd", "a*c", false),
            ("a-b-b-c", "a*b*c", true),
            ("aé", "a*", true),
            ("ab", "a", false),
        ] {
            assert_eq!(glob_matches(name, pattern), expected, "{name} {pattern}");
        }
    }

    #[test]
    fn every_row_has_a_name_of_its_own_patterns_a_sentence_and_sources() {
        let mut names = HashSet::new();
        for row in LIBRARIES {
            assert!(names.insert(row.name), "{}", row.name);
            assert!(!row.files.is_empty() && row.files.iter().all(|pattern| pattern.len() > 3), "{}", row.name);
            assert!(row.does.ends_with('.') && !row.does.trim().is_empty(), "{}", row.name);
            assert!(!row.sources.is_empty(), "{}", row.name);
        }
    }

    #[test]
    fn no_pattern_meets_a_runtime_or_rmcp_itself() {
        for name in
            ["libamdhip64.so.6", "libamdhip64-1a2b3c4d.so", "libhsa-runtime64.so.1", "librmcp.so", "libc.so.6", ""]
        {
            assert!(by_path(name).is_none(), "{name}");
        }
    }
}
