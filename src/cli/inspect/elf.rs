//! ELF files: programs and libraries with GPU code inside, and code objects themselves.

use super::source::Span;
use super::{Code, Isa, Kind, bundle, kpack};
use object::elf::{EM_AMDGPU, FileHeader64, SHT_NOBITS, SectionHeader64};
use object::read::elf::{FileHeader, SectionHeader};
use object::{LittleEndian, pod};

const LE: LittleEndian = LittleEndian;
/// A section of object files that were compiled for linking on the GPU too; the entry's name follows.
const BUNDLED: &[u8] = b"__CLANG_OFFLOAD_BUNDLE__";
/// Bytes of a record in `.hipFatBinSegment`: one a bundle. (clang's CGCUDANV.cpp)
const WRAPPER: u64 = 24;
/// The longest name of a section that is read, in bytes.
const NAME: usize = 256;

/// Lists the code in an ELF file.
pub(super) fn list_elf(span: Span<'_>, code: &mut Code) {
    let Some(bytes) = span.bytes(0, 64) else {
        return code.add_problem("the ELF header is cut off".into());
    };
    // 32-bit and big-endian programs have no HIP.
    if bytes[4] != object::elf::ELFCLASS64 || bytes[5] != object::elf::ELFDATA2LSB {
        return;
    }
    let Ok((header, _)) = pod::from_bytes::<FileHeader64<LittleEndian>>(&bytes) else { return };
    if header.e_machine(LE) == EM_AMDGPU {
        code.kind = Kind::CodeObject;
        let flags = header.e_flags(LE);
        return match Isa::from_elf(flags, header.e_ident().abi_version) {
            Some(isa) => code.targets.add(isa),
            None => code.add_foreign(format!("EF_AMDGPU_MACH {:#04x}", flags & 0xff)),
        };
    }
    let Some(sections) = Sections::read(span, header) else {
        return code.add_problem("the section headers are broken or cut off".into());
    };
    let mut wrappers = 0_u64;
    let (mut records, mut reference) = (None, None);
    for (name, section) in sections.iter() {
        let (offset, size) = (section.sh_offset(LE), section.sh_size(LE));
        if name == b".hipFatBinSegment" {
            wrappers = wrappers.saturating_add(size / WRAPPER);
            records = span.slice(offset, size);
        } else if name == b".rocm_kpack_ref" {
            reference = Some(span.slice(offset, size));
        } else if let Some(entry) = name.strip_prefix(BUNDLED) {
            code.count_entry(&String::from_utf8_lossy(entry));
        } else if name == b".hip_fatbin" && section.sh_type(LE) != SHT_NOBITS {
            match span.slice(offset, size) {
                Some(part) => bundle::list_bundles(part, section.sh_addralign(LE), code),
                None => code.add_problem("the section .hip_fatbin is cut off".into()),
            }
        }
    }
    if let (Kind::Elf, Some(reference)) = (code.kind, reference) {
        kpack::list_references(reference, records, code);
    }
    if matches!(code.kind, Kind::Elf | Kind::KpackHost) && wrappers > code.bundles {
        code.add_problem(format!("{wrappers} bundles are announced, {} were found", code.bundles));
    }
}

/// The section headers and their names.
struct Sections {
    headers: Vec<u8>,
    names: Vec<u8>,
}

impl Sections {
    fn read(span: Span<'_>, header: &FileHeader64<LittleEndian>) -> Option<Self> {
        let (offset, entry) = (header.e_shoff(LE), u64::from(header.e_shentsize(LE)));
        if offset == 0 {
            return Some(Self { headers: Vec::new(), names: Vec::new() });
        }
        if entry != size_of::<SectionHeader64<LittleEndian>>() as u64 {
            return None;
        }
        let first = span.bytes(offset, entry)?;
        let (first, _) = pod::from_bytes::<SectionHeader64<LittleEndian>>(&first).ok()?;
        // Numbers that do not fit into the file header stand in the first section header.
        let count = match header.e_shnum(LE) {
            0 => first.sh_size(LE),
            count => count.into(),
        };
        let names = match header.e_shstrndx(LE) {
            object::elf::SHN_XINDEX => first.sh_link(LE).into(),
            index => u64::from(index),
        };
        let headers = span.bytes(offset, count.checked_mul(entry)?)?;
        let mut sections = Self { headers, names: Vec::new() };
        let names = sections.headers().get(usize::try_from(names).ok()?)?;
        sections.names = span.bytes(names.sh_offset(LE), names.sh_size(LE))?;
        Some(sections)
    }

    fn headers(&self) -> &[SectionHeader64<LittleEndian>] {
        let count = self.headers.len() / size_of::<SectionHeader64<LittleEndian>>();
        pod::slice_from_bytes(&self.headers, count).map_or(&[], |(headers, _)| headers)
    }

    /// Every section's name and header.
    fn iter(&self) -> impl Iterator<Item = (&[u8], &SectionHeader64<LittleEndian>)> {
        self.headers().iter().map(|header| {
            let name = self.names.get(header.sh_name(LE) as usize..).unwrap_or_default();
            let name = &name[..name.len().min(NAME)];
            (name.split(|&byte| byte == 0).next().unwrap_or_default(), header)
        })
    }
}
