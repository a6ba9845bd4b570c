//! Offload bundles: the container of code objects in a `.hip_fatbin` section, a `.hsaco` or a `.co` file.
//! (clang/docs/ClangOffloadBundler.rst, Bundled Binary File Layout)

use super::source::Span;
use super::{Code, compressed};
use std::io::{self, BufReader, Read};

/// How a plain bundle begins.
pub(super) const MAGIC: &[u8; 24] = b"__CLANG_OFFLOAD_BUNDLE__";

/// What clang aligns bundles to, in bytes. (CGCUDANV.cpp)
pub(super) const ALIGN: u64 = 4096;
/// More entries than any compiler knows targets.
const ENTRIES: u64 = 256;
/// Longer than the name of any entry.
const NAME: u64 = 256;
/// More bundles than any library has source files.
const BUNDLES: u64 = 1 << 16;
/// Bytes searched at a time.
const CHUNK: usize = 256 << 10;

/// The table of a bundle.
#[derive(Debug)]
struct Table {
    /// The code objects; the host's is empty.
    entries: Vec<Entry>,
    /// Bytes from the start of the bundle to the end of the table or of the last code object.
    end: u64,
}

#[derive(Debug)]
struct Entry {
    /// Kind, triple and target id, as in `hipv4-amdgcn-amd-amdhsa--gfx1030`.
    name: String,
    /// Bytes from the start of the bundle to where the code object ends.
    end: u64,
    empty: bool,
}

/// Lists the bundles that lie one behind the other in `span`, each at a multiple of `align`.
pub(super) fn list_bundles(span: Span<'_>, align: u64, code: &mut Code) {
    let align = align.clamp(8, ALIGN).next_power_of_two();
    let mut at = 0;
    while let Some(start) = next_bundle(span, at, align, code) {
        if code.bundles == BUNDLES {
            code.add_problem(format!("more than {BUNDLES} bundles; the rest was not read"));
            break;
        }
        let Some(rest) = span.tail(start) else { break };
        code.bundles += 1;
        at = start
            + match read_bundle(rest, code) {
                Ok(size) => size,
                Err(error) => {
                    code.add_problem(format!("the bundle at {start:#x} is broken: {error}"));
                    align
                }
            };
    }
}

/// Lists the bundle at the start of `span` and returns how far to go to find the next, in bytes.
fn read_bundle(span: Span<'_>, code: &mut Code) -> io::Result<u64> {
    if span.array(0) == Some(*MAGIC) {
        let table = read_table(BufReader::with_capacity(4096, span))?;
        table.count_entries(span.size(), code);
        // What is said to lie beyond the end says nothing about where the next one is.
        return Ok(if table.end <= span.size() { table.end } else { MAGIC.len() as u64 });
    }
    let bundle = compressed::open_compressed(span)?;
    code.compressed += 1;
    read_table(bundle.content)?.count_entries(bundle.plain_size, code);
    Ok(bundle.size)
}

impl Table {
    fn count_entries(&self, size: u64, code: &mut Code) {
        for entry in &self.entries {
            if entry.end > size {
                code.add_problem(format!("{} is cut off", entry.name));
            } else if !entry.empty {
                code.count_entry(&entry.name);
            }
        }
    }
}

/// Reads the table, magic string included, and little more.
fn read_table(mut bytes: impl Read) -> io::Result<Table> {
    if array(&mut bytes)? != *MAGIC {
        return Err(invalid("it does not begin like one"));
    }
    let count = number(&mut bytes)?;
    if count > ENTRIES {
        return Err(invalid("it claims more entries than there are targets"));
    }
    let mut entries = Vec::new();
    let mut end = MAGIC.len() as u64 + 8;
    let mut code_end = 0;
    for _ in 0..count {
        let [offset, size, length] = [number(&mut bytes)?, number(&mut bytes)?, number(&mut bytes)?];
        if length > NAME {
            return Err(invalid("the name of an entry is too long"));
        }
        let mut name = vec![0; length as usize];
        bytes.read_exact(&mut name)?;
        end += 24 + length;
        let entry = Entry {
            name: String::from_utf8_lossy(&name).into_owned(),
            end: offset.saturating_add(size),
            empty: size == 0,
        };
        code_end = code_end.max(entry.end);
        entries.push(entry);
    }
    Ok(Table { entries, end: end.max(code_end) })
}

fn number(bytes: &mut impl Read) -> io::Result<u64> {
    array(bytes).map(u64::from_le_bytes)
}

fn array<const N: usize>(bytes: &mut impl Read) -> io::Result<[u8; N]> {
    let mut array = [0; N];
    bytes.read_exact(&mut array)?;
    Ok(array)
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Where the next bundle begins, at or behind `at`.
fn next_bundle(span: Span<'_>, at: u64, align: u64, code: &mut Code) -> Option<u64> {
    let first = at.checked_next_multiple_of(align)?;
    let mut start = [0; MAGIC.len()];
    let there = span.fill(first, &mut start).ok()?;
    if is_bundle(&start[..there]) {
        return Some(first);
    }
    let mut chunk = vec![0; CHUNK];
    let mut offset = first;
    loop {
        let filled = span.fill(offset, &mut chunk).ok().filter(|&filled| filled > 0)?;
        let mut places = (0..filled).step_by(align as usize);
        if let Some(place) = places.find(|&place| is_bundle(&chunk[place..filled])) {
            return Some(offset + place as u64);
        }
        offset += filled as u64;
        let Some(left) = code.search.checked_sub(filled as u64 / align) else {
            code.add_problem("the search for further bundles was given up".into());
            return None;
        };
        code.search = left;
    }
}

/// Whether these are the first bytes of a bundle, plain or compressed.
pub(super) fn is_bundle(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC) || compressed::is_compressed(bytes)
}
