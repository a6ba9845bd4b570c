//! The loader's list of objects, which debuggers read too: in which order they came, and which brought which.

use crate::resolve::Module;
use core::ffi::{CStr, c_char, c_int};
use core::ptr;

/// struct link_map. (link.h)
#[repr(C)]
pub struct LinkMap {
    address: usize,
    /// The loader's name for the object; empty for the program.
    pub name: *const c_char,
    pub dynamic: *const Entry,
    next: *const LinkMap,
    previous: *const LinkMap,
}

/// Elf64_Dyn. (elf.h)
#[repr(C)]
pub struct Entry {
    tag: i64,
    value: usize,
}

const DT_NULL: i64 = 0;
const DT_NEEDED: i64 = 1;
const DT_STRTAB: i64 = 5;
const DT_SONAME: i64 = 14;

/// The head of struct r_debug. (link.h)
#[repr(C)]
struct Debug {
    version: c_int,
    map: *const LinkMap,
}

impl LinkMap {
    /// The program's, which is the first. None where the C library keeps no such list.
    fn first() -> Option<&'static LinkMap> {
        // SAFETY: a NUL-terminated name; what the C library calls so is of this type, and lives as long as the process.
        unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"_r_debug".as_ptr()).cast::<Debug>().as_ref()?.map.as_ref() }
    }

    fn all() -> impl Iterator<Item = &'static LinkMap> {
        core::iter::successors(Self::first(), |map| map.next())
    }

    fn next(&self) -> Option<&'static LinkMap> {
        // SAFETY: the loader links only objects that are loaded; `resolve::undisturbed` keeps them so.
        unsafe { self.next.as_ref() }
    }

    fn previous(&self) -> Option<&'static LinkMap> {
        // SAFETY: as for `next`.
        unsafe { self.previous.as_ref() }
    }

    /// That of a loaded object.
    pub fn of(module: &Module) -> Option<&'static LinkMap> {
        Self::all().find(|map| (module.start..module.end).contains(&map.dynamic.addr()))
    }

    /// As far as its name is asked for.
    pub fn module(&self) -> Module {
        Module { name: self.name, start: self.dynamic.addr(), end: self.dynamic.addr(), dynamic: self.dynamic.cast() }
    }

    /// Whether it is in the list before the other.
    pub fn is_before(&self, other: &LinkMap) -> bool {
        core::iter::successors(self.next(), |map| map.next()).any(|map| ptr::eq(map, other))
    }

    /// The entries of its dynamic section.
    fn entries(&self) -> impl Iterator<Item = &Entry> {
        // SAFETY: the section is a loaded object's, and ends with DT_NULL.
        core::iter::successors(unsafe { self.dynamic.as_ref() }, |entry| unsafe {
            ptr::from_ref(*entry).add(1).as_ref()
        })
        .take_while(|entry| entry.tag != DT_NULL)
    }

    /// The strings that its entries with this tag name.
    fn strings(&self, tag: i64) -> impl Iterator<Item = &CStr> {
        let table = self.entries().find(|entry| entry.tag == DT_STRTAB).map_or(0, |entry| entry.value);
        // Where the section cannot be written to, the loader has left the address as it is in the file.
        let table = if table < self.address { table.wrapping_add(self.address) } else { table };
        let strings = self.entries().filter(move |entry| table != 0 && entry.tag == tag);
        // SAFETY: such an entry is the offset of a NUL-terminated string in the object's table.
        strings.map(move |entry| unsafe { CStr::from_ptr((table as *const c_char).wrapping_add(entry.value)) })
    }

    /// Whether the loader takes it for the library of that name.
    fn is_called(&self, name: &CStr) -> bool {
        let module = self.module();
        module.file_name() == name.to_bytes() || module.path() == name || self.strings(DT_SONAME).any(|own| own == name)
    }

    /// Whether it names the other among the libraries that it needs.
    fn needs(&self, other: &LinkMap) -> bool {
        self.strings(DT_NEEDED).any(|name| {
            other.is_called(name) && Self::all().find(|map| map.is_called(name)).is_some_and(|map| ptr::eq(map, other))
        })
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
            libc_was_passed |= map.is_called(c"libc.so.6");
            let Some(previous) = map.previous() else { break };
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
