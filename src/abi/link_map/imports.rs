//! Where an object keeps the addresses of functions that it has of others.

use super::LinkMap;
use core::ffi::{CStr, c_void};
use core::sync::atomic::AtomicPtr;

/// Elf64_Rela. (elf.h)
#[repr(C)]
struct Relocation {
    offset: usize,
    kind: u32,
    symbol: u32,
    addend: i64,
}

const DT_PLTRELSZ: i64 = 2;
const DT_RELA: i64 = 7;
const DT_RELASZ: i64 = 8;
const DT_PLTREL: i64 = 20;
const DT_JMPREL: i64 = 23;

/// Relocations that are a function's address and nothing else. (elf.h)
const R_X86_64_GLOB_DAT: u32 = 6;
const R_X86_64_JUMP_SLOT: u32 = 7;

impl LinkMap {
    /// The places in its memory that the loader fills with the address of this function of another object. They may be
    /// read-only; what is called for the first time only later has code of the object itself there until then.
    pub fn import_places(&self, function: &CStr) -> impl Iterator<Item = &'static AtomicPtr<c_void>> {
        let tables = [(DT_JMPREL, DT_PLTRELSZ), (DT_RELA, DT_RELASZ)];
        let symbols = self.symbols().filter(|_| [0, DT_RELA as usize].contains(&self.dynamic_value(DT_PLTREL)));
        let tables = tables.map(|(table, size)| (self.dynamic_address(table), self.dynamic_value(size)));
        let relocations = tables.into_iter().flat_map(|(table, size)| {
            let count = if table == 0 { 0 } else { size / size_of::<Relocation>() };
            // SAFETY: a loaded object's own table, of the size that its dynamic section names.
            (0..count).map(move |index| unsafe { &*(table as *const Relocation).add(index) })
        });
        let is_it = move |relocation: &&Relocation| {
            [R_X86_64_GLOB_DAT, R_X86_64_JUMP_SLOT].contains(&relocation.kind)
                && symbols.as_ref().is_some_and(|symbols| {
                    symbols.is(relocation.symbol, function) && symbols.at(relocation.symbol).section == 0
                })
        };
        let address = self.address;
        let aligned = |place: &usize| place.is_multiple_of(align_of::<AtomicPtr<c_void>>());
        let places = relocations.filter(is_it).map(move |relocation| address.wrapping_add(relocation.offset));
        // SAFETY: the loader has written an address there, and nobody uses it but as one.
        places.filter(aligned).map(|place| unsafe { &*(place as *const AtomicPtr<c_void>) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::find_object::module_of;
    use core::sync::atomic::Ordering;

    #[test]
    fn the_places_of_an_import_hold_its_address_and_other_names_have_none() {
        let here = the_places_of_an_import_hold_its_address_and_other_names_have_none as *const () as usize;
        let module = module_of(here).unwrap();
        let object = LinkMap::detached(&module);
        let find = |name: &CStr| object.import_places(name).map(|place| place.load(Ordering::Relaxed)).next();
        // SAFETY: a NUL-terminated name.
        let real = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"dl_iterate_phdr".as_ptr()) };
        let found = find(c"dl_iterate_phdr").unwrap();
        assert!(found == real || module.contains(found.addr()), "bound, or not yet");
        for near in [c"dl_iterate_phd", c"dl_iterate_phdr2", c"hsa_init", c""] {
            assert_eq!(find(near), None, "{near:?}");
        }
    }
}
