//! What a portable build demands of a system, held against what was promised: each undefined symbol's version, the
//! libraries by name, how the files are linked, and that they tell nothing of the machine that built them.

use crate::tools;
use crate::zig::{self, GATE_GLIBC, GLIBC};
use anyhow::{Context, Result, ensure};
use object::Endianness;
use object::elf::{
    DF_BIND_NOW, DT_FLAGS, DT_NEEDED, DT_RPATH, DT_RUNPATH, DT_TEXTREL, FileHeader64, PF_X, PT_GNU_RELRO, PT_GNU_STACK,
    PT_INTERP, STB_WEAK,
};
use object::read::elf::{Dyn, ElfFile64, FileHeader, ProgramHeader, Sym};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A file of machine code and what it may ask for.
struct Artefact {
    path: &'static str,
    /// The newest glibc whose symbols it may use; None where it is linked with its own C library.
    glibc: Option<&'static str>,
    /// Every library that it names.
    needs: &'static [&'static str],
    /// Its functions of other libraries are bound at their first call.
    lazy: bool,
}

const GATE_NEEDS: &[&str] = &["libc.so.6"];
const PROGRAM_NEEDS: &[&str] = &["libc.so.6", "ld-linux-x86-64.so.2", "libdl.so.2", "libm.so.6", "libpthread.so.0"];
const LIBRARY_NEEDS: &[&str] =
    &["libc.so.6", "ld-linux-x86-64.so.2", "libdl.so.2", "libgcc_s.so.1", "libm.so.6", "libpthread.so.0"];
const CLIENT_NEEDS: &[&str] = &["libc.so.6", "libdl.so.2", "libpthread.so.0"];

const ARTEFACTS: [Artefact; 10] = [
    Artefact { path: "bin/rmcp", glibc: Some(GLIBC), needs: PROGRAM_NEEDS, lazy: false },
    Artefact { path: "bin/rmcp-run", glibc: Some(GLIBC), needs: PROGRAM_NEEDS, lazy: false },
    Artefact { path: "lib/rmcp/librmcp.so", glibc: Some(GATE_GLIBC), needs: GATE_NEEDS, lazy: false },
    Artefact { path: "lib/rmcp/librmcp_core.so", glibc: Some(GLIBC), needs: LIBRARY_NEEDS, lazy: false },
    Artefact { path: "lib/rmcp/librmcp_kfd.so", glibc: Some(GLIBC), needs: LIBRARY_NEEDS, lazy: false },
    Artefact { path: "lib/rmcp/rmcp-rescue", glibc: None, needs: &[], lazy: false },
    // They call functions of a runtime that they open while they run.
    Artefact { path: "lib/rmcp/rmcp-atomics-client", glibc: Some(GLIBC), needs: CLIENT_NEEDS, lazy: true },
    Artefact { path: "lib/rmcp/rmcp-demo-client", glibc: Some(GLIBC), needs: CLIENT_NEEDS, lazy: true },
    Artefact { path: "lib/rmcp/rmcp-selftest-client", glibc: Some(GLIBC), needs: CLIENT_NEEDS, lazy: true },
    Artefact { path: "lib/rmcp/rmcp-trial-client", glibc: Some(GLIBC), needs: CLIENT_NEEDS, lazy: true },
];

/// The newest versions that libgcc_s had in the GCC 4.8 of CentOS 7, the oldest system with glibc 2.17.
const LIBGCC: [&str; 3] = ["GCC_3.0", "GCC_3.3", "GCC_4.2.0"];

/// Holds every file of a portable build against the promises.
///
/// # Errors
/// With every broken promise: file, symbol and version.
pub fn check(dist: &Path) -> Result<()> {
    let mut wrong = Vec::new();
    for path in files(dist)? {
        let name = path.strip_prefix(dist)?.display().to_string();
        let data = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        wrong
            .extend(places_in(&data)?.into_iter().map(|place| format!("{name} holds {place}, a path of this machine")));
        if !data.starts_with(b"\x7fELF") {
            continue;
        }
        match ARTEFACTS.iter().find(|artefact| artefact.path == name) {
            Some(artefact) => {
                let found = artefact.broken(&data).with_context(|| format!("cannot read {}", path.display()))?;
                wrong.extend(found.into_iter().map(|what| format!("{name} {what}")));
            }
            None => wrong.push(format!("{name} is promised nothing; add it to xtask/src/symbols.rs")),
        }
    }
    for artefact in ARTEFACTS.iter().filter(|artefact| !dist.join(artefact.path).is_file()) {
        wrong.push(format!("{} is missing", artefact.path));
    }
    ensure!(wrong.is_empty(), "{} does not run where it should:\n  {}", dist.display(), wrong.join("\n  "));
    Ok(())
}

impl Artefact {
    /// The promises that this file breaks.
    fn broken(&self, data: &[u8]) -> Result<Vec<String>> {
        let elf = ElfFile64::<Endianness>::parse(data)?;
        let endian = elf.endian();
        let header = FileHeader64::<Endianness>::parse(data)?;
        let sections = header.sections(endian, data)?;
        let mut wrong = Vec::new();

        let segments = || elf.elf_program_headers().iter().map(|one| (one.p_type(endian), one.p_flags(endian)));
        if !segments().any(|(kind, _)| kind == PT_GNU_RELRO) {
            wrong.push("has no RELRO segment".to_owned());
        }
        if !segments().any(|(kind, flags)| kind == PT_GNU_STACK && flags & PF_X == 0) {
            wrong.push("wants an executable stack".to_owned());
        }
        if self.glibc.is_none() && segments().any(|(kind, _)| kind == PT_INTERP) {
            wrong.push("wants a loader, but must be static".to_owned());
        }

        let mut needs = BTreeSet::new();
        let mut bound_at_start = false;
        if let Some((entries, strings)) = sections.dynamic(endian, data)? {
            let strings = sections.strings(endian, data, strings)?;
            for entry in entries {
                match entry.tag32(endian) {
                    Some(DT_NEEDED) => {
                        needs.insert(text(entry.string(endian, strings)?));
                    }
                    Some(DT_FLAGS) => bound_at_start = entry.d_val(endian) & u64::from(DF_BIND_NOW) != 0,
                    Some(tag @ (DT_RPATH | DT_RUNPATH | DT_TEXTREL)) => wrong.push(format!("has a dynamic tag {tag}")),
                    _ => {}
                }
            }
        }
        let unexpected = needs.iter().filter(|name| !self.needs.contains(&name.as_str()));
        wrong.extend(unexpected.map(|name| format!("needs {name}")));
        if bound_at_start == self.lazy {
            wrong.push(format!("is linked {} -z now", if self.lazy { "with" } else { "without" }));
        }

        let symbols = sections.symbols(endian, data, object::elf::SHT_DYNSYM)?;
        let versions = sections.versions(endian, data)?.unwrap_or_default();
        let system = self.glibc.map_or("a static program".to_owned(), |glibc| format!("glibc {glibc}"));
        for (index, symbol) in symbols.enumerate().filter(|(_, symbol)| symbol.is_undefined(endian)) {
            let name = text(symbols.symbol_name(endian, symbol)?);
            match versions.version(versions.version_index(endian, index))?.map(|version| text(version.name())) {
                Some(version) if self.may_use(&version) => {}
                Some(version) => wrong.push(format!("uses {name}@{version}, which {system} does not have")),
                None if name.is_empty() || symbol.st_bind() == STB_WEAK => {}
                // The linker found it nowhere, and lets a library ask all the same.
                None => wrong.push(format!("uses {name}, which {system} does not have")),
            }
        }
        Ok(wrong)
    }

    fn may_use(&self, version: &str) -> bool {
        match (self.glibc, version.strip_prefix("GLIBC_").and_then(numbers)) {
            (Some(limit), Some(version)) => numbers(limit).is_some_and(|limit| version <= limit),
            _ => self.needs.contains(&"libgcc_s.so.1") && LIBGCC.contains(&version),
        }
    }
}

/// "2.3.4" as numbers, which compare as versions do.
fn numbers(version: &str) -> Option<Vec<u32>> {
    version.split('.').map(|part| part.parse().ok()).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The paths of this machine that `data` holds. One like /src is part of too many others to be told.
fn places_in(data: &[u8]) -> Result<Vec<String>> {
    let places =
        zig::places()?.map(|(place, _)| place).into_iter().chain([tools::folder()?]).chain(std::env::home_dir());
    let places = places.filter(|place| place.components().count() > 2).map(|place| format!("{}/", place.display()));
    let places: BTreeSet<_> = places.collect();
    Ok(places.into_iter().filter(|place| data.windows(place.len()).any(|part| part == place.as_bytes())).collect())
}

/// Every file below `folder`.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.extend(files(&entry.path())?);
        } else {
            found.push(entry.path());
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
