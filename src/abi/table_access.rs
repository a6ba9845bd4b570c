//! What a loaded library's segments and code say of the table of functions that its exports go through.

use crate::call_instruction::displacement;
use crate::find_object::module_of;
use crate::module::Module;
use core::ops::Range;

/// How an export comes to its function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableAccess {
    /// The function that hands out the table.
    pub getter: usize,
    /// Where in the table the export's function stands, in bytes.
    pub offset: usize,
}

/// What the code of an export does, if it calls one function and then jumps or calls through what that returns:
/// `call getter; mov offset(%rax),%rax; jmp *%rax`, as compilers write it for `return table()->function(...)`.
pub fn table_access(code: Code) -> Option<TableAccess> {
    let bytes = code.bytes;
    let call = bytes.iter().position(|&byte| byte == 0xe8)?;
    let behind = call + 5;
    let getter = (code.address + behind).checked_add_signed(displacement(bytes, call + 1)?)?;
    let load = (behind..bytes.len()).find_map(|at| {
        let rest = bytes.get(at..)?;
        let (length, offset) = match rest {
            [0x48, 0x8b, 0x80, ..] => (7, displacement(rest, 3)?),
            [0x48, 0x8b, 0x40, offset, ..] => (4, isize::from(*offset as i8)),
            [0xff, 0xa0 | 0x90, ..] => return Some((None, displacement(rest, 2)?)),
            [0xff, 0x60 | 0x50, offset, ..] => return Some((None, isize::from(*offset as i8))),
            _ => return None,
        };
        Some((Some(at + length), offset))
    });
    let (jump_after, offset) = load?;
    let jumps = |rest: &[u8]| rest.windows(2).any(|pair| pair[0] == 0xff && (pair[1] == 0xe0 || pair[1] == 0xd0));
    let complete = jump_after.is_none_or(|after| bytes.get(after..).is_some_and(jumps));
    Some(TableAccess { getter, offset: usize::try_from(offset).ok().filter(|_| complete)? })
}

/// The code of a function.
#[derive(Clone, Copy)]
pub struct Code<'a> {
    /// Where it lies.
    pub address: usize,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// Where the parts of a loaded library lie that its headers name.
pub struct Segments {
    headers: &'static [libc::Elf64_Phdr],
    bias: usize,
}

impl Segments {
    /// Those of a module that stays loaded; its addresses are those that it spans.
    pub fn of(module: &Module) -> Option<Self> {
        let start = module.start as *const libc::Elf64_Ehdr;
        // SAFETY: a loaded object's lowest segment begins with its header, which says where the others' are; that they lie in
        // the object is looked at before they are read.
        unsafe {
            let header = &*start;
            let magic = header.e_ident.starts_with(b"\x7fELF");
            let end =
                module.start + header.e_phoff as usize + usize::from(header.e_phnum) * size_of::<libc::Elf64_Phdr>();
            if !magic || !module.contains(end) {
                return None;
            }
            let first = start.byte_add(header.e_phoff as usize).cast();
            Some(Self { headers: core::slice::from_raw_parts(first, header.e_phnum.into()), bias: module.start })
        }
    }

    fn of_kind(&self, kind: u32) -> impl Iterator<Item = (Range<usize>, &libc::Elf64_Phdr)> {
        self.headers.iter().filter(move |header| header.p_type == kind).map(|header| {
            let start = self.bias + header.p_vaddr as usize;
            (start..start + header.p_memsz as usize, header)
        })
    }

    fn has_flags(&self, address: usize, flags: u32) -> bool {
        self.of_kind(libc::PT_LOAD).any(|(range, header)| range.contains(&address) && header.p_flags & flags == flags)
    }

    /// Whether the address is one of code, of this library or of another: a profiler may have put its functions there.
    pub fn is_code(&self, address: usize) -> bool {
        let other = || module_of(address).and_then(|module| Segments::of(&module));
        self.has_flags(address, libc::PF_X) || other().is_some_and(|segments| segments.has_flags(address, libc::PF_X))
    }

    /// The code of a function of so many bytes.
    pub fn code(&self, address: usize, size: usize) -> Option<Code<'static>> {
        /// An export that goes through the table is shorter.
        const MOST: usize = 256;
        let inside = self.has_flags(address, libc::PF_X) && self.has_flags(address + size.max(1) - 1, libc::PF_X);
        if !inside || size > MOST {
            return None;
        }
        // SAFETY: code of a library that stays loaded.
        let bytes = unsafe { core::slice::from_raw_parts(address as *const u8, size) };
        Some(Code { address, bytes })
    }

    /// The word at an address of the library's writable memory.
    pub fn word(&self, address: usize) -> Option<usize> {
        let writable = self.has_flags(address, libc::PF_W) && self.has_flags(address + 7, libc::PF_W);
        // SAFETY: memory of a library that stays loaded, at a multiple of a word's size.
        writable.then(|| unsafe { core::ptr::read_volatile(address as *const usize) })
    }

    /// The addresses of the words that are zero in the file: a table that is filled while the library runs is one of these. The
    /// rest is not looked at, since a runtime has 20 MB of kernels there.
    pub fn writable_words(&self) -> impl Iterator<Item = usize> {
        let data = |(range, header): (Range<usize>, &libc::Elf64_Phdr)| {
            let zeros = range.start + header.p_filesz as usize;
            zeros.next_multiple_of(size_of::<usize>())..range.end.saturating_sub(size_of::<usize>() - 1)
        };
        let writable = self.of_kind(libc::PT_LOAD).filter(|(_, header)| header.p_flags & libc::PF_W != 0);
        writable.map(data).flat_map(|range| range.step_by(size_of::<usize>()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(bytes: &[u8]) -> Option<TableAccess> {
        table_access(Code { address: 0x1000, bytes })
    }

    #[test]
    fn the_code_of_an_export_tells_its_offset_in_each_form_that_compilers_write() {
        let found = |offset| Some(TableAccess { getter: 0x1000 + 5 + 0x100, offset });
        let call = [0xe8, 0x00, 0x01, 0x00, 0x00];
        let with = |rest: &[u8]| access(&[&call[..], rest].concat());
        assert_eq!(with(b"\x48\x8b\x80\x30\x06\x00\x00\x48\x83\xc4\x28\xff\xe0"), found(0x630));
        assert_eq!(with(b"\x48\x8b\x40\x20\xff\xe0"), found(0x20));
        assert_eq!(with(b"\x48\x8b\x80\x30\x06\x00\x00\xff\xd0\xc3"), found(0x630));
        assert_eq!(with(b"\x5d\xff\xa0\x30\x06\x00\x00"), found(0x630));
        assert_eq!(with(b"\x5d\xff\x60\x30"), found(0x30));
    }

    #[test]
    fn other_code_tells_none() {
        assert_eq!(access(b"\xe9\x00\x01\x00\x00"), None);
        assert_eq!(access(b"\x48\x8b\x80\x30\x06\x00\x00\xff\xe0"), None);
        assert_eq!(access(b"\xe8\x00\x01\x00\x00\x48\x8b\x80\x30\x06\x00\x00\xc3"), None);
        assert_eq!(access(b"\xe8\x00\x01\x00\x00\x48\x8b\x80\xf0\xff\xff\xff\xff\xe0"), None);
        assert_eq!(access(b"\xe8\x00\x01"), None);
    }
}
