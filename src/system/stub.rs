//! An empty shared library for processes that RMCP has nothing for.
//!
//! The list is read by the loader of every ABI. Where it names a file that a 32-bit loader cannot find, every 32-bit
//! program prints a warning; so that loader gets a library with nothing in it.

use super::list::GATE;
use object::elf;
use object::write::elf::{FileHeader, ProgramHeader, Writer};
use object::{Endianness, write};

/// The ABIs of x86-64 Linux besides its own. ("System V ABI, AMD64 supplement"; Linux Documentation/arch/x86)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Abi {
    /// Programs for 32-bit x86.
    I386,
    /// Programs for x86-64 with 32-bit pointers.
    X32,
}

impl Abi {
    /// Both.
    pub const ALL: [Self; 2] = [Self::I386, Self::X32];

    /// The loader of glibc for it.
    pub fn loader(self) -> &'static str {
        match self {
            Self::I386 => "/lib/ld-linux.so.2",
            Self::X32 => "/libx32/ld-linux-x32.so.2",
        }
    }

    fn machine(self) -> u16 {
        match self {
            Self::I386 => elf::EM_386,
            Self::X32 => elf::EM_X86_64,
        }
    }
}

/// The file's contents: one segment, no code, no symbol, no dependency.
pub fn library(abi: Abi) -> Vec<u8> {
    build(abi, None).expect("a buffer takes what was reserved in it")
}

/// The same with a dependency on the C library, so that a loader which lists it lists libraries.
pub fn program(abi: Abi) -> Vec<u8> {
    build(abi, Some("libc.so.6")).expect("a buffer takes what was reserved in it")
}

fn build(abi: Abi, needed: Option<&str>) -> write::Result<Vec<u8>> {
    const PAGE: u32 = 0x1000;
    /// Entries of the dynamic section beside the dependency, the null entry included.
    const ENTRIES: usize = 6;
    /// The size of Elf32_Sym.
    const SYMBOL: u64 = 16;

    let mut file = Vec::new();
    let mut writer = Writer::new(Endianness::Little, false, &mut file);
    writer.reserve_file_header();
    writer.reserve_program_headers(3);
    let name = writer.add_dynamic_string(GATE.as_bytes());
    let needed = needed.map(|needed| writer.add_dynamic_string(needed.as_bytes()));
    writer.reserve_null_dynamic_symbol_index();
    let symbols = writer.reserve_dynsym() as u64;
    let strings = writer.reserve_dynstr() as u64;
    let dynamic = writer.reserve_dynamic(ENTRIES + usize::from(needed.is_some())) as u64;
    let end = writer.reserved_len() as u64;

    writer.write_file_header(&FileHeader {
        os_abi: elf::ELFOSABI_SYSV,
        abi_version: 0,
        e_type: elf::ET_DYN,
        e_machine: abi.machine(),
        e_entry: 0,
        e_flags: 0,
    })?;
    writer.write_align_program_headers();
    let header = |p_type, p_flags, start: u64, size, align: u32| ProgramHeader {
        p_type,
        p_flags,
        p_offset: start,
        p_vaddr: start,
        p_paddr: start,
        p_filesz: size,
        p_memsz: size,
        p_align: align.into(),
    };
    // Writable, because glibc before 2.35 writes addresses into the dynamic section.
    let writable = elf::PF_R | elf::PF_W;
    writer.write_program_header(&header(elf::PT_LOAD, writable, 0, end, PAGE));
    writer.write_program_header(&header(elf::PT_DYNAMIC, writable, dynamic, end - dynamic, 8));
    // Without this one the loader would make the program's stack executable.
    writer.write_program_header(&header(elf::PT_GNU_STACK, writable, 0, 0, 16));
    writer.write_null_dynamic_symbol();
    writer.write_dynstr();
    writer.write_align_dynamic();
    if let Some(needed) = needed {
        writer.write_dynamic_string(elf::DT_NEEDED, needed);
    }
    writer.write_dynamic_string(elf::DT_SONAME, name);
    for (tag, value) in [
        (elf::DT_STRTAB, strings),
        (elf::DT_STRSZ, dynamic - strings),
        (elf::DT_SYMTAB, symbols),
        (elf::DT_SYMENT, SYMBOL),
        (elf::DT_NULL, 0),
    ] {
        writer.write_dynamic(tag, value);
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use object::elf::FileHeader32;
    use object::read::elf::{Dyn, FileHeader as _, ProgramHeader as _};

    #[test]
    fn the_stub_is_a_shared_library_of_its_abi_that_needs_nothing_and_no_executable_stack() {
        for (abi, machine) in [(Abi::I386, elf::EM_386), (Abi::X32, elf::EM_X86_64)] {
            let file = library(abi);
            let header = FileHeader32::<Endianness>::parse(&*file).unwrap();
            let endian = header.endian().unwrap();
            assert_eq!((header.e_type(endian), header.e_machine(endian)), (elf::ET_DYN, machine));
            let segments = header.program_headers(endian, &*file).unwrap();
            let stack = segments.iter().find(|segment| segment.p_type(endian) == elf::PT_GNU_STACK).unwrap();
            assert_eq!(stack.p_flags(endian) & elf::PF_X, 0);
            let dynamic = segments.iter().find_map(|segment| segment.dynamic(endian, &*file).unwrap()).unwrap();
            let tags: Vec<u32> = dynamic.iter().map(|entry| entry.tag32(endian).unwrap()).collect();
            assert!(!tags.contains(&elf::DT_NEEDED) && !tags.contains(&elf::DT_INIT), "{tags:?}");
            assert_eq!(tags.last(), Some(&elf::DT_NULL));
        }
    }
}
