//! What the headers of a wheel's files say: which files there are, which libraries each needs, and for which targets its
//! bundles have code. The code itself is left out.

use crate::site::Site;
use anyhow::{Context, Result, ensure};
use object::elf::{DT_NEEDED, DT_RUNPATH, FileHeader64};
use object::read::elf::{Dyn, ElfFile64, FileHeader};
use object::{Endianness, Object, ObjectSection};
use rmcp_hip_tests::Wheel;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A wheel without its contents.
#[derive(Serialize, Deserialize)]
pub struct Headers {
    /// The fields of METADATA that say what it is.
    metadata: Vec<String>,
    /// The names in RECORD.
    record: Vec<String>,
    libraries: Vec<Library>,
}

/// An ELF file.
#[derive(Serialize, Deserialize)]
struct Library {
    name: String,
    needed: Vec<String>,
    runpath: Option<String>,
    /// Those of its .hip_fatbin, equal ones in a row once.
    bundles: Vec<Bundles>,
}

/// Bundles with the same entries.
#[derive(Serialize, Deserialize)]
struct Bundles {
    count: usize,
    /// The version of the compressed format.
    compressed: Option<u16>,
    entries: Vec<String>,
}

const PLAIN: &[u8] = b"__CLANG_OFFLOAD_BUNDLE__";
const COMPRESSED: &[u8] = b"CCOB";
const ZSTD: u16 = 1;

impl Headers {
    /// Those of an installed wheel.
    pub fn read(installed: &Path) -> Result<Headers> {
        let mut folders = installed.read_dir()?.flatten().map(|entry| entry.path());
        let information = folders.find(|path| path.extension().is_some_and(|it| it == "dist-info"));
        let information = information.context("no .dist-info")?;
        let wanted = |line: &&str| ["Name:", "Version:", "Summary:"].iter().any(|field| line.starts_with(field));
        let metadata = fs::read_to_string(information.join("METADATA"))?;
        let metadata = metadata.lines().take_while(|line| !line.is_empty()).filter(wanted).map(str::to_owned).collect();
        let record = fs::read_to_string(information.join("RECORD"))?;
        // pip adds what it wrote itself.
        let names = record.lines().filter_map(|line| line.split(',').next()).filter(|name| !name.starts_with(".."));
        let added = ["INSTALLER", "REQUESTED", "direct_url.json"];
        let mut record: Vec<String> =
            names.filter(|name| !added.iter().any(|added| name.ends_with(added))).map(str::to_owned).collect();
        record.sort();
        let libraries = record.iter().filter(|name| name.ends_with(".so") || name.contains(".so."));
        let libraries = libraries.map(|name| Library::read(installed, name).with_context(|| format!("read {name}")));
        Ok(Headers { libraries: libraries.collect::<Result<_>>()?, metadata, record })
    }

    /// Those that are recorded.
    pub fn recorded(wheel: &Wheel) -> Headers {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file(wheel));
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Holds them against those that are recorded, or records them.
    #[track_caller]
    pub fn check(&self, wheel: &Wheel) {
        let text = serde_json::to_string_pretty(self).expect("JSON");
        generated_text::check(&file(wheel), &(text + "\n"));
    }

    /// Writes files that have these headers, and nothing behind them.
    pub fn write_into(&self, site: &Site) {
        for name in &self.record {
            let text = if name.ends_with(".dist-info/METADATA") {
                self.metadata.join("\n") + "\n"
            } else if name.ends_with(".dist-info/RECORD") {
                self.record.iter().map(|name| format!("{name},,\n")).collect()
            } else {
                String::new()
            };
            site.write(name, &text);
        }
        for library in &self.libraries {
            library.write(&site.path(&library.name));
        }
    }
}

fn file(wheel: &Wheel) -> String {
    format!("hip-tests/tests/wheels/recorded/{}-{}.json", wheel.name, wheel.version)
}

impl Library {
    fn read(installed: &Path, name: &str) -> Result<Library> {
        let data = fs::read(installed.join(name))?;
        let file = ElfFile64::<Endianness>::parse(&*data)?;
        let header: &FileHeader64<Endianness> = file.elf_header();
        let (endian, mut needed, mut runpath) = (file.endian(), Vec::new(), None);
        let sections = header.sections(endian, &*data)?;
        if let Some((entries, strings)) = sections.dynamic(endian, &*data)? {
            let strings = sections.strings(endian, &*data, strings)?;
            for entry in entries {
                let text =
                    || Ok::<_, anyhow::Error>(String::from_utf8_lossy(entry.string(endian, strings)?).into_owned());
                match entry.tag32(endian) {
                    Some(DT_NEEDED) => needed.push(text()?),
                    Some(DT_RUNPATH) => runpath = Some(text()?),
                    _ => {}
                }
            }
        }
        let size = |name| file.section_by_name(name).map_or(0, |section| section.size());
        let contents = file.section_by_name(".hip_fatbin").map(|section| section.data()).transpose()?;
        let bundles = Bundles::read(contents.unwrap_or_default())?;
        let count: usize = bundles.iter().map(|bundles| bundles.count).sum();
        // A record of the loader's is 24 bytes.
        ensure!(count as u64 == size(".hipFatBinSegment") / 24, "{count} bundles, but not as many records");
        Ok(Library { name: name.to_owned(), needed, runpath, bundles })
    }

    /// Has the linker make it.
    fn write(&self, path: &Path) {
        let folder = tempfile::tempdir().expect("a folder");
        let inside = |name: &str| -> PathBuf { folder.path().join(name) };
        let (contents, source) = (inside("contents"), inside("code.S"));
        fs::write(&contents, self.bundles.iter().flat_map(Bundles::write).collect::<Vec<u8>>()).expect("a file");
        let count: usize = self.bundles.iter().map(|bundles| bundles.count).sum();
        let sections = format!(
            ".section .hip_fatbin,\"a\",@progbits\n.balign 4096\n.incbin \"{}\"\n\
             .section .hipFatBinSegment,\"aw\",@progbits\n.zero {}\n",
            contents.display(),
            24 * count
        );
        fs::write(&source, if count == 0 { "" } else { &sections }).expect("a file");
        let compiler = std::env::var_os("CXX").unwrap_or_else(|| "c++".into());
        // Without a SONAME a library is needed by the name of its file.
        let stub = inside("stub.so");
        run(Command::new(&compiler).args(["-x", "c", "/dev/null", "-nostdlib", "-shared", "-o"]).arg(&stub));
        let mut command = Command::new(&compiler);
        command
            .args(["-x", "assembler-with-cpp"])
            .arg(&source)
            .args(["-x", "none", "-nostdlib", "-shared", "-o"])
            .arg(path);
        command.args(["-Wl,--no-as-needed", "-L"]).arg(folder.path());
        for name in &self.needed {
            fs::copy(&stub, inside(name)).expect("a copy");
            command.arg(format!("-l:{name}"));
        }
        command.args(self.runpath.iter().map(|path| format!("-Wl,--enable-new-dtags,-rpath,{path}")));
        run(&mut command);
    }
}

fn run(command: &mut Command) {
    let output = command.output().expect("a C++ compiler: install g++ or set CXX");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

impl Bundles {
    fn read(mut contents: &[u8]) -> Result<Vec<Bundles>> {
        let mut found: Vec<Bundles> = Vec::new();
        while let Some((start, packed)) = next_bundle(contents) {
            contents = &contents[start..];
            let (compressed, entries, size) = if packed {
                let version = number(contents, 4, 2)? as u16;
                ensure!(number(contents, 6, 2)? == u64::from(ZSTD), "a bundle that is not compressed by zstd");
                let (size, header) = match version {
                    2 => (number(contents, 8, 4)?, 24),
                    3 => (number(contents, 8, 8)?, 32),
                    other => anyhow::bail!("version {other} of compressed bundles"),
                };
                let size = size as usize;
                let plain = zstd::decode_all(contents.get(header..size).context("a bundle is cut off")?)?;
                (Some(version), entries(&plain)?.0, size)
            } else {
                let (entries, size) = entries(contents)?;
                (None, entries, size)
            };
            match found.last_mut() {
                Some(last) if last.entries == entries && last.compressed == compressed => last.count += 1,
                _ => found.push(Bundles { count: 1, compressed, entries }),
            }
            contents = contents.get(size..).context("a bundle is cut off")?;
        }
        Ok(found)
    }

    /// The same number of bundles, with 64 bytes as the code for each target.
    fn write(&self) -> Vec<u8> {
        let mut plain = [PLAIN, &(self.entries.len() as u64).to_le_bytes()].concat();
        let mut offset = 4096_u64;
        for name in &self.entries {
            let size = if name.starts_with("host") { 0 } else { 64 };
            plain.extend([offset, size, name.len() as u64].map(u64::to_le_bytes).concat());
            plain.extend(name.as_bytes());
            offset += size;
        }
        plain.resize(offset as usize, 0xc0);
        let mut bundle = match self.compressed {
            None => plain,
            Some(version) => {
                let packed = zstd::encode_all(&*plain, 3).expect("zstd");
                let mut bundle = [COMPRESSED, &version.to_le_bytes(), &ZSTD.to_le_bytes()].concat();
                let sizes = |header: usize| [header + packed.len(), plain.len()];
                match version {
                    2 => bundle.extend(sizes(24).map(|size| (size as u32).to_le_bytes()).concat()),
                    _ => bundle.extend(sizes(32).map(|size| (size as u64).to_le_bytes()).concat()),
                }
                // Its hash, which is checked by nobody who reads the first bytes alone.
                bundle.extend([0; 8]);
                bundle.extend(packed);
                bundle
            }
        };
        bundle.resize(bundle.len().next_multiple_of(4096), 0);
        bundle.repeat(self.count)
    }
}

/// Where the next bundle begins, and whether it is compressed.
fn next_bundle(contents: &[u8]) -> Option<(usize, bool)> {
    // Between bundles there are zeros alone.
    let start = contents.iter().position(|byte| *byte != 0)?;
    let rest = &contents[start..];
    let packed = rest.starts_with(COMPRESSED);
    (packed || rest.starts_with(PLAIN)).then_some((start, packed))
}

/// The names of a plain bundle's entries, and its size.
fn entries(bundle: &[u8]) -> Result<(Vec<String>, usize)> {
    let (mut at, mut names, mut end) = (PLAIN.len() + 8, Vec::new(), 0);
    for _ in 0..number(bundle, PLAIN.len(), 8)? {
        let [offset, size, length] = [number(bundle, at, 8)?, number(bundle, at + 8, 8)?, number(bundle, at + 16, 8)?];
        let name = bundle.get(at + 24..at + 24 + length as usize).context("a name is cut off")?;
        names.push(String::from_utf8(name.to_vec())?);
        at += 24 + length as usize;
        end = end.max((offset + size) as usize);
    }
    Ok((names, end.max(at)))
}

fn number(bytes: &[u8], at: usize, size: usize) -> Result<u64> {
    let bytes = bytes.get(at..at + size).context("a header is cut off")?;
    Ok(bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}
