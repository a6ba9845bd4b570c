//! The loader's list of objects, which debuggers read too: in which order they came, and which brought which.

use crate::module::Module;
use core::arch::{asm, global_asm};
use core::ffi::{CStr, c_char, c_int, c_void};
use core::ptr;

/// struct link_map. (link.h)
#[repr(C)]
pub struct LinkMap {
    address: usize,
    /// The loader's name for the object; empty for the program.
    pub name: *const c_char,
    /// Its dynamic section; null where it has none.
    pub dynamic: *const DynamicEntry,
    next: *const LinkMap,
    previous: *const LinkMap,
}

/// Elf64_Dyn. (elf.h)
#[repr(C)]
pub struct DynamicEntry {
    tag: i64,
    value: usize,
}

const DT_NULL: i64 = 0;
const DT_NEEDED: i64 = 1;
const DT_HASH: i64 = 4;
const DT_STRTAB: i64 = 5;
const DT_SYMTAB: i64 = 6;
const DT_SONAME: i64 = 14;
const DT_GNU_HASH: i64 = 0x6fff_fef5;

/// Elf64_Sym. (elf.h)
#[repr(C)]
struct Symbol {
    name: u32,
    info: u8,
    _other: u8,
    section: u16,
    value: usize,
    _size: usize,
}

/// The head of struct r_debug. (link.h)
#[repr(C)]
struct RDebug {
    version: c_int,
    map: *const LinkMap,
}

// Asked for weakly: a C library may have no such list.
global_asm!(".weak _r_debug");

impl LinkMap {
    /// The program's, which is the first of the list. None where the C library keeps no such list.
    pub fn first() -> Option<&'static LinkMap> {
        let debug: *const RDebug;
        // SAFETY: reads this object's own table of addresses, whose entries are final before any code runs; what the C
        // library calls so is of this type, and lives as long as the process.
        unsafe {
            asm!("mov {}, [rip + _r_debug@GOTPCREL]", out(reg) debug, options(nostack, preserves_flags, readonly));
            debug.as_ref()?.map.as_ref()
        }
    }

    /// This and those behind it.
    pub fn iter_forward(&'static self) -> impl Iterator<Item = &'static LinkMap> {
        // SAFETY: the loader links only objects that are loaded; `module::with_loader_lock` keeps them so, and a process without
        // dlopen unloads none.
        core::iter::successors(Some(self), |map| unsafe { map.next.as_ref() })
    }

    /// This and those before it, the nearest first.
    fn iter_backward(&self) -> impl Iterator<Item = &LinkMap> {
        // SAFETY: as above.
        core::iter::successors(Some(self), |map| unsafe { map.previous.as_ref() })
    }

    /// That of a loaded object; `first` is the list's.
    pub fn of_module(module: &Module, first: &'static LinkMap) -> Option<&'static LinkMap> {
        first.iter_forward().find(|map| module.contains(map.dynamic.addr()))
    }

    /// As far as the object itself is asked, without the list.
    pub fn detached(module: &Module) -> Self {
        let dynamic = module.dynamic.cast();
        Self { address: module.start, name: module.name, dynamic, next: ptr::null(), previous: ptr::null() }
    }

    /// That of the object which calls `symbol`, to judge by the call's return address in this one. Where this one does not
    /// name the symbol the call came from another, by a jump that ends a function: from the one that names it, if but one
    /// does.
    pub fn calling_object(&'static self, symbol: &CStr, first: &'static LinkMap) -> &'static LinkMap {
        if self.find_symbol(symbol).is_some() {
            return self;
        }
        let another =
            |map: &&LinkMap| !map.module().is_rmcp() && !map.module().is_runtime() && map.find_symbol(symbol).is_some();
        let mut others = first.iter_forward().filter(another);
        others.next().filter(|_| others.next().is_none()).unwrap_or(self)
    }

    /// As far as its name is asked for.
    pub fn module(&self) -> Module {
        Module { name: self.name, start: self.dynamic.addr(), end: self.dynamic.addr(), dynamic: self.dynamic.cast() }
    }

    /// Whether it is in the list before the other.
    pub fn precedes(&self, other: &LinkMap) -> bool {
        other.iter_backward().skip(1).any(|map| ptr::eq(map, self))
    }

    /// The entries of its dynamic section.
    fn dynamic_entries(&self) -> impl Iterator<Item = &DynamicEntry> {
        // SAFETY: the section is a loaded object's, and ends with DT_NULL.
        core::iter::successors(unsafe { self.dynamic.as_ref() }, |entry| unsafe {
            ptr::from_ref(*entry).add(1).as_ref()
        })
        .take_while(|entry| entry.tag != DT_NULL)
    }

    /// The address that its entry with this tag has; 0 where there is none.
    fn dynamic_address(&self, tag: i64) -> usize {
        let address = self.dynamic_entries().find(|entry| entry.tag == tag).map_or(0, |entry| entry.value);
        // Where the section cannot be written to, the loader has left it as it is in the file.
        if address < self.address { address.wrapping_add(self.address) } else { address }
    }

    /// The strings that its entries with this tag name.
    fn dynamic_strings(&self, tag: i64) -> impl Iterator<Item = &CStr> {
        let table = self.dynamic_address(DT_STRTAB) as *const c_char;
        let strings = self.dynamic_entries().filter(move |entry| !table.is_null() && entry.tag == tag);
        // SAFETY: such an entry is the offset of a NUL-terminated string in the object's table.
        strings.map(move |entry| unsafe { CStr::from_ptr(table.wrapping_add(entry.value)) })
    }

    /// The function that it defines under this name.
    pub fn function(&self, symbol: &CStr) -> Option<*mut c_void> {
        /// Types of symbols. (elf.h)
        const STT_NOTYPE: u8 = 0;
        const STT_FUNC: u8 = 2;
        let symbol = self.find_symbol(symbol)?;
        let defined = symbol.section != 0 && [STT_NOTYPE, STT_FUNC].contains(&(symbol.info & 0xf));
        defined.then(|| ptr::with_exposed_provenance_mut(self.address.wrapping_add(symbol.value)))
    }

    /// Whether it refers to this name in another object.
    pub fn imports(&self, symbol: &CStr) -> bool {
        self.find_symbol(symbol).is_some_and(|symbol| symbol.section == 0)
    }

    /// Its symbol of this name for the loader: it refers to it or defines it.
    fn find_symbol(&self, symbol: &CStr) -> Option<&Symbol> {
        let [symbols, strings, hashes] = [DT_SYMTAB, DT_STRTAB, DT_GNU_HASH].map(|tag| self.dynamic_address(tag));
        let (symbols, strings) = (symbols as *const Symbol, strings as *const c_char);
        if symbols.is_null() || strings.is_null() {
            return None;
        }
        // SAFETY: `index` is a symbol's.
        let at = |index: u32| unsafe { &*symbols.add(index as usize) };
        // SAFETY: its name is in the object's table.
        let is = |index: &u32| unsafe { CStr::from_ptr(strings.add(at(*index).name as usize)) == symbol };
        // Linkers that make no such table make the older one, with the number of symbols in its second word.
        if hashes == 0 {
            let count = (self.dynamic_address(DT_HASH) as *const u32).wrapping_add(1);
            // SAFETY: the table begins with two words.
            let count = if count.addr() > size_of::<u32>() { unsafe { *count } } else { 0 };
            return (1..count).find(is).map(at);
        }
        // SAFETY: the table is a loaded object's, and of the form that the loader itself relies on: four words, the filter,
        // an index for each remainder, and a hash for each symbol from `defined` on, whose last bit ends a chain.
        unsafe {
            let table = hashes as *const u32;
            let [remainders, defined, filter] = [0, 1, 2].map(|word| *table.add(word));
            if let Some(referred) = (1..defined).find(is) {
                return Some(at(referred));
            }
            let step = |hash: u32, &byte: &u8| hash.wrapping_mul(33).wrapping_add(byte.into());
            let hash = symbol.to_bytes().iter().fold(5381, step);
            let indices = table.add(4 + 2 * filter as usize);
            let chains = indices.add(remainders as usize);
            let mut index = *indices.add(hash.checked_rem(remainders)? as usize);
            while index >= defined {
                let other = *chains.add((index - defined) as usize);
                if other | 1 == hash | 1 && is(&index) {
                    return Some(at(index));
                }
                if other & 1 == 1 {
                    break;
                }
                index += 1;
            }
            None
        }
    }

    /// Whether the loader takes it for the library of that name.
    fn has_name(&self, name: &CStr) -> bool {
        let module = self.module();
        module.file_name() == name.to_bytes()
            || module.path() == name
            || self.dynamic_strings(DT_SONAME).any(|own| own == name)
    }

    /// Whether it names the other among the libraries that it needs: a name means the first that is called so.
    fn needs(&self, other: &LinkMap) -> bool {
        self.dynamic_strings(DT_NEEDED)
            .any(|name| other.has_name(name) && !other.iter_backward().skip(1).any(|earlier| earlier.has_name(name)))
    }
}

/// How an object came into the process.
pub struct Origin {
    /// The object whose loading brought it: the program, a preloaded library, or what was given to dlopen.
    pub root: &'static LinkMap,
    /// Whether it was there when the program started.
    pub at_start: bool,
}

impl Origin {
    /// That of `object`. The list has the program first, then what is preloaded, then what these need, then what came by
    /// dlopen, each with what it needs behind it. So the C library comes after all that is preloaded.
    pub fn of(object: &'static LinkMap) -> Self {
        /// More than the libraries through which one comes to need another.
        const MOST: usize = 32;
        let mut above = [object; MOST];
        let mut count = 1;
        let mut root = object;
        let (mut libc_was_passed, mut root_is_before_libc) = (false, false);
        let mut map = object;
        loop {
            libc_was_passed |= map.has_name(c"libc.so.6");
            // SAFETY: as for `iter_backward`.
            let Some(previous) = (unsafe { map.previous.as_ref() }) else { break };
            map = previous;
            if above.iter().take(count).any(|below| map.needs(below)) {
                (root, root_is_before_libc) = (map, libc_was_passed);
                if let Some(place) = above.get_mut(count) {
                    *place = map;
                    count += 1;
                }
            }
        }
        Self { root, at_start: root_is_before_libc || !libc_was_passed }
    }
}
