//! What an ELF file asks of the dynamic loader.

use super::ProgramError;
use crate::inspect::source::{Source, Span};
use object::LittleEndian;
use object::elf::{
    DT_NEEDED, DT_NULL, DT_RPATH, DT_RUNPATH, DT_STRTAB, Dyn64, ELFCLASS64, ELFDATA2LSB, ELFMAG, FileHeader64,
    PT_DYNAMIC, PT_INTERP, PT_LOAD, ProgramHeader64,
};
use object::pod;
use object::read::elf::{Dyn, FileHeader, ProgramHeader};
use std::path::Path;

const LE: LittleEndian = LittleEndian;
/// The longest names of libraries, and the longest list of folders that is believed, in bytes: the wheels of JAX have one of
/// more than 4096.
const STRINGS: [usize; 2] = [256, 64 * 1024];
/// More libraries than any one needs.
const NEEDED: usize = 1024;

/// The dynamic section, as far as it names libraries and folders.
#[derive(Debug, Default)]
pub(super) struct Dynamic {
    /// DT_NEEDED.
    pub needed: Vec<String>,
    /// DT_RPATH: searched before LD_LIBRARY_PATH, for the libraries of its libraries too.
    pub rpath: String,
    /// DT_RUNPATH: searched after LD_LIBRARY_PATH, for its own libraries alone.
    pub runpath: String,
    /// The dynamic loader that the file names, as programs do and libraries do not.
    pub interpreter: Option<String>,
    /// Whether there is a dynamic section at all.
    pub dynamic: bool,
}

impl Dynamic {
    /// Reads it.
    pub fn read(path: &Path) -> Result<Self, ProgramError> {
        let source = Source::open(path)?;
        let span = source.whole();
        let not_elf = || ProgramError::NotElf(path.into());
        let header = span.bytes(0, 64).ok_or_else(not_elf)?;
        if !header.starts_with(&ELFMAG) || header[4] != ELFCLASS64 || header[5] != ELFDATA2LSB {
            return Err(not_elf());
        }
        parse_dynamic(span, &header).ok_or_else(|| ProgramError::Broken(path.into()))
    }
}

fn parse_dynamic(span: Span<'_>, header: &[u8]) -> Option<Dynamic> {
    let (header, _) = pod::from_bytes::<FileHeader64<LittleEndian>>(header).ok()?;
    let count = header.e_phnum(LE);
    if header.e_phentsize(LE) as usize != size_of::<ProgramHeader64<LittleEndian>>() {
        return (count == 0).then(Dynamic::default);
    }
    let bytes = span.bytes(header.e_phoff(LE), u64::from(count) * u64::from(header.e_phentsize(LE)))?;
    let (segments, _) = pod::slice_from_bytes::<ProgramHeader64<LittleEndian>>(&bytes, count.into()).ok()?;
    let interpreter = segments.iter().find(|segment| segment.p_type(LE) == PT_INTERP);
    let interpreter = interpreter.and_then(|segment| read_string(span, segment.p_offset(LE)));
    let mut found = Dynamic { interpreter, ..Dynamic::default() };
    let Some(dynamic) = segments.iter().find(|segment| segment.p_type(LE) == PT_DYNAMIC) else { return Some(found) };
    found.dynamic = true;

    let bytes = span.bytes(dynamic.p_offset(LE), dynamic.p_filesz(LE))?;
    let (entries, _) =
        pod::slice_from_bytes::<Dyn64<LittleEndian>>(&bytes, bytes.len() / size_of::<Dyn64<LittleEndian>>()).ok()?;
    let entries = || entries.iter().take_while(|entry| entry.tag32(LE) != Some(DT_NULL));
    let address = entries().find(|entry| entry.tag32(LE) == Some(DT_STRTAB))?.d_val(LE);
    let strings = file_offset(segments, address)?;
    let string = |entry: &Dyn64<LittleEndian>| read_string(span, strings.checked_add(entry.d_val(LE))?);
    for entry in entries() {
        match entry.tag32(LE) {
            Some(DT_NEEDED) if found.needed.len() < NEEDED => found.needed.push(string(entry)?),
            Some(DT_RPATH) => found.rpath = string(entry)?,
            Some(DT_RUNPATH) => found.runpath = string(entry)?,
            _ => {}
        }
    }
    Some(found)
}

/// Where an address of the running program lies in the file.
fn file_offset(segments: &[ProgramHeader64<LittleEndian>], address: u64) -> Option<u64> {
    segments.iter().filter(|segment| segment.p_type(LE) == PT_LOAD).find_map(|segment| {
        let within = address.checked_sub(segment.p_vaddr(LE))?;
        (within < segment.p_filesz(LE)).then(|| segment.p_offset(LE).checked_add(within))?
    })
}

fn read_string(span: Span<'_>, offset: u64) -> Option<String> {
    STRINGS.into_iter().find_map(|size| {
        let mut bytes = vec![0; size];
        let there = span.fill(offset, &mut bytes).ok()?;
        let end = bytes[..there].iter().position(|&byte| byte == 0)?;
        Some(String::from_utf8_lossy(&bytes[..end]).into_owned())
    })
}
