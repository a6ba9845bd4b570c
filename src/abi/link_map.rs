//! The loader's list of objects, which debuggers read too: in which order they came, and which brought which.

mod imports;

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
const DT_VERSYM: i64 = 0x6fff_fff0;

/// Elf64_Sym. (elf.h)
#[repr(C)]
struct Symbol {
    name: u32,
    info: u8,
    _other: u8,
    section: u16,
    value: usize,
    size: usize,
}

/// A loaded object's table of symbols, and the table of hashes by which the loader finds those that it defines.
struct Symbols {
    symbols: *const Symbol,
    strings: *const c_char,
    /// Null where the object has no versions.
    versions: *const u16,
    /// Null: the older kind.
    gnu_hash: *const u32,
    sysv_hash: *const u32,
}

impl Symbols {
    fn at(&self, index: u32) -> &Symbol {
        // SAFETY: `index` is a symbol's.
        unsafe { &*self.symbols.add(index as usize) }
    }

    fn is(&self, index: u32, name: &CStr) -> bool {
        // SAFETY: a symbol's name is in the object's table.
        unsafe { CStr::from_ptr(self.strings.add(self.at(index).name as usize)) == name }
    }

    /// Whether the symbol is of an older version, which only those get that were linked with it.
    fn is_hidden(&self, index: u32) -> bool {
        const HIDDEN: u16 = 0x8000;
        // SAFETY: the table has an entry for each symbol.
        !self.versions.is_null() && unsafe { *self.versions.add(index as usize) } & HIDDEN != 0
    }

    /// The symbol of this name that can be found by others.
    fn defined(&self, name: &CStr) -> Option<&Symbol> {
        let mut hidden = None;
        let mut visible = |index: u32| {
            let is_it = self.is(index, name) && self.at(index).section != 0;
            if is_it && self.is_hidden(index) {
                hidden = hidden.or(Some(index));
            }
            is_it && !self.is_hidden(index)
        };
        let found = if self.gnu_hash.is_null() {
            (1..self.sysv_count()).find(|&index| visible(index))
        } else {
            self.find_by_hash(name, &mut visible)
        };
        found.or(hidden).map(|index| self.at(index))
    }

    /// The first symbol with the name's hash that is `wanted`.
    fn find_by_hash(&self, name: &CStr, wanted: &mut dyn FnMut(u32) -> bool) -> Option<u32> {
        let step = |hash: u32, &byte: &u8| hash.wrapping_mul(33).wrapping_add(byte.into());
        let hash = name.to_bytes().iter().fold(5381, step);
        // SAFETY: the table is a loaded object's, and of the form that the loader itself relies on: four words, the filter,
        // an index for each remainder, and a hash for each symbol from `defined` on, whose last bit ends a chain.
        unsafe {
            let table = self.gnu_hash;
            let [remainders, defined, filter] = [0, 1, 2].map(|word| *table.add(word));
            let indices = table.add(4 + 2 * filter as usize);
            let chains = indices.add(remainders as usize);
            let mut index = *indices.add(hash.checked_rem(remainders)? as usize);
            while index >= defined {
                let other = *chains.add((index - defined) as usize);
                if other | 1 == hash | 1 && wanted(index) {
                    return Some(index);
                }
                if other & 1 == 1 {
                    break;
                }
                index += 1;
            }
            None
        }
    }

    /// The symbol of this name that the object itself asks for.
    fn referred(&self, name: &CStr) -> Option<&Symbol> {
        // The table of hashes begins with those that are defined; the others come first.
        // SAFETY: the table begins with four words.
        let end = if self.gnu_hash.is_null() { self.sysv_count() } else { unsafe { *self.gnu_hash.add(1) } };
        (1..end).find(|&index| self.is(index, name)).map(|index| self.at(index))
    }

    fn sysv_count(&self) -> u32 {
        // SAFETY: the table begins with two words, the second of which is the number of symbols.
        if self.sysv_hash.is_null() { 0 } else { unsafe { *self.sysv_hash.add(1) } }
    }
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
    pub fn iter_forward(&'static self) -> impl Iterator<Item = &'static LinkMap> + Clone {
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

    /// The value of its entry with this tag; 0 where there is none.
    fn dynamic_value(&self, tag: i64) -> usize {
        self.dynamic_entries().find(|entry| entry.tag == tag).map_or(0, |entry| entry.value)
    }

    /// The address that its entry with this tag has; 0 where there is none.
    fn dynamic_address(&self, tag: i64) -> usize {
        let address = self.dynamic_value(tag);
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

    /// The function that it defines under this name: of the version that dlsym finds, where there are several.
    pub fn function(&self, symbol: &CStr) -> Option<*mut c_void> {
        self.defined(symbol).map(|(address, _)| address)
    }

    /// The same with its size in bytes.
    pub fn defined(&self, symbol: &CStr) -> Option<(*mut c_void, usize)> {
        /// Types of symbols. (elf.h)
        const STT_NOTYPE: u8 = 0;
        const STT_FUNC: u8 = 2;
        let table = self.symbols()?;
        let symbol = table.defined(symbol)?;
        let is_function = symbol.section != 0 && [STT_NOTYPE, STT_FUNC].contains(&(symbol.info & 0xf));
        let address = ptr::with_exposed_provenance_mut(self.address.wrapping_add(symbol.value));
        is_function.then_some((address, symbol.size))
    }

    /// Whether it refers to this name in another object.
    pub fn imports(&self, symbol: &CStr) -> bool {
        self.symbols().is_some_and(|table| table.referred(symbol).is_some_and(|symbol| symbol.section == 0))
    }

    /// Whether the loader finds this name in it: it refers to it or defines it.
    pub fn names(&self, symbol: &CStr) -> bool {
        self.symbols().is_some_and(|table| table.defined(symbol).or_else(|| table.referred(symbol)).is_some())
    }

    fn symbols(&self) -> Option<Symbols> {
        let [symbols, strings, versions, gnu, sysv] =
            [DT_SYMTAB, DT_STRTAB, DT_VERSYM, DT_GNU_HASH, DT_HASH].map(|tag| self.dynamic_address(tag));
        let found = symbols != 0 && strings != 0 && (gnu != 0 || sysv != 0);
        found.then_some(Symbols {
            symbols: symbols as *const Symbol,
            strings: strings as *const c_char,
            versions: versions as *const u16,
            gnu_hash: gnu as *const u32,
            sysv_hash: sysv as *const u32,
        })
    }

    /// Whether the loader takes it for the library of that name.
    fn has_name(&self, name: &[u8]) -> bool {
        let module = self.module();
        module.file_name() == name
            || module.path().to_bytes() == name
            || self.dynamic_strings(DT_SONAME).any(|own| own.to_bytes() == name)
    }

    /// Whether the loader could take one for the other.
    fn shares_name_with(&self, other: &LinkMap) -> bool {
        let module = self.module();
        let by_file = other.has_name(module.file_name()) || other.has_name(module.path().to_bytes());
        by_file || self.dynamic_strings(DT_SONAME).any(|own| other.has_name(own.to_bytes()))
    }
}

/// An object that others may need.
#[derive(Clone, Copy)]
struct Needed {
    map: &'static LinkMap,
    /// Whether no earlier object is called as it is; None: not looked at.
    has_names_alone: Option<bool>,
}

impl Needed {
    /// Whether `map` names it among the libraries that it needs: a name means the first that is called so.
    fn is_needed_by(&mut self, map: &LinkMap) -> bool {
        let own = self.map;
        let earlier = || own.iter_backward().skip(1);
        let mut is_first = |name: &[u8]| {
            let look = || !earlier().any(|map| own.shares_name_with(map));
            *self.has_names_alone.get_or_insert_with(look) || !earlier().any(|map| map.has_name(name))
        };
        map.dynamic_strings(DT_NEEDED).map(CStr::to_bytes).any(|name| own.has_name(name) && is_first(name))
    }
}

/// An object and the libraries that it needs, in the order in which the loader looks for its symbols where it was given to
/// dlopen. The first of them that is `wanted`.
pub fn find_in_scope(
    root: &'static LinkMap,
    first: &'static LinkMap,
    wanted: impl Fn(&LinkMap) -> bool,
) -> Option<&'static LinkMap> {
    /// Beyond so many libraries none is looked at.
    const MOST: usize = 128;
    let mut scope = [root; MOST];
    let mut count = 1;
    let mut next = 0;
    while let Some(&object) = scope.get(next).filter(|_| next < count) {
        if wanted(object) {
            return Some(object);
        }
        for name in object.dynamic_strings(DT_NEEDED) {
            let Some(needed) = first.iter_forward().find(|map| map.has_name(name.to_bytes())) else { continue };
            if !scope.iter().take(count).any(|known| ptr::eq(*known, needed))
                && let Some(place) = scope.get_mut(count)
            {
                *place = needed;
                count += 1;
            }
        }
        next += 1;
    }
    None
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
        let is_libc = |map: &LinkMap| map.has_name(b"libc.so.6");
        let needed = |map| Needed { map, has_names_alone: None };
        let mut above = [needed(object); MOST];
        let mut count = 1;
        let mut root = object;
        let (mut libc_was_passed, mut root_is_before_libc) = (is_libc(object), false);
        for map in object.iter_backward().skip(1) {
            if above.iter_mut().take(count).any(|below| below.is_needed_by(map)) {
                (root, root_is_before_libc) = (map, libc_was_passed);
                if let Some(place) = above.get_mut(count) {
                    *place = needed(map);
                    count += 1;
                }
            }
            libc_was_passed |= is_libc(map);
        }
        Self { root, at_start: root_is_before_libc || !libc_was_passed }
    }

    /// Whether `object` was there when the program started.
    pub fn is_at_start(object: &'static LinkMap) -> bool {
        // Most are told by a look at the names behind it.
        object.iter_forward().any(|map| map.has_name(b"libc.so.6")) || Self::of(object).at_start
    }
}
