//! The imports by which a library reads files, and the functions that they lead to meanwhile.

use super::page::with_writable;
use super::properties;
use rmcp_abi::copies::MOST;
use rmcp_abi::link_map::LinkMap;
use rmcp_abi::module::{Module, with_loader_lock};
use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::mem::transmute;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};

/// The functions by which files are opened. Those of each row have the parameters of the first; what a function does not
/// take it does not look at.
const STREAM: [&CStr; 2] = [c"fopen", c"fopen64"];
const DESCRIPTOR: [&CStr; 4] = [c"open", c"open64", c"__open_2", c"__open64_2"];
const DESCRIPTOR_AT: [&CStr; 4] = [c"openat", c"openat64", c"__openat_2", c"__openat64_2"];
const FUNCTIONS: usize = STREAM.len() + DESCRIPTOR.len() + DESCRIPTOR_AT.len();

/// The real functions, by copy and place in the rows. They stay when an import is given back: a thread may be on its way.
static REAL: [[AtomicPtr<c_void>; FUNCTIONS]; MOST] =
    [const { [const { AtomicPtr::new(null_mut()) }; FUNCTIONS] }; MOST];

/// The imports of one library.
pub struct Imports(Vec<Import>);

struct Import {
    place: &'static AtomicPtr<c_void>,
    name: &'static CStr,
    substitute: *mut c_void,
    /// Where the function behind it is noted.
    real: &'static AtomicPtr<c_void>,
    /// What stood there.
    original: AtomicPtr<c_void>,
    /// The library, whose own code stands there until the first call.
    owner: Module,
}

// SAFETY: the pointers are to code and to what the loader keeps of a library that stays.
unsafe impl Send for Imports {}
// SAFETY: as above.
unsafe impl Sync for Imports {}

impl Imports {
    /// Those of a library that stays loaded, for the copy of this number. None: it has none.
    pub fn of(library: &LinkMap, module: &Module, copy: usize) -> Option<Self> {
        let names = STREAM.iter().chain(&DESCRIPTOR).chain(&DESCRIPTOR_AT).zip(0..);
        let imports = names.flat_map(|(&name, function)| {
            let inside = |place: &&'static AtomicPtr<c_void>| module.contains(std::ptr::from_ref(*place).addr());
            library.import_places(name).filter(inside).map(move |place| Import {
                place,
                name,
                substitute: substitute(function, copy),
                real: &REAL[copy % MOST][function],
                original: AtomicPtr::new(null_mut()),
                owner: *module,
            })
        });
        Some(Self(imports.collect())).filter(|imports| !imports.0.is_empty())
    }

    /// Has all of them lead to the substitutes, or none.
    pub fn take(&self) -> Result<(), String> {
        let taken = self.0.iter().try_for_each(|import| import.take().map_err(|why| import.complaint(&why)));
        if taken.is_err() {
            // What was taken goes back; the complaint is the first.
            let _ = self.give_back();
        }
        taken
    }

    /// Has each lead where it did, if it still leads to its substitute.
    pub fn give_back(&self) -> Result<(), String> {
        let back = self.0.iter().map(|import| import.give_back().map_err(|why| import.complaint(&why.to_string())));
        back.fold(Ok(()), Result::and)
    }
}

impl Import {
    fn take(&self) -> Result<(), String> {
        let original = self.place.load(Ordering::Acquire);
        if original == self.substitute {
            // A fork has left it so.
            return Ok(());
        }
        let real = if self.owner.contains(original.addr()) { find_function(self.name) } else { Some(original) };
        let real = real.filter(|real| !real.is_null()).ok_or("nothing defines it")?;
        self.real.store(real, Ordering::Release);
        self.original.store(original, Ordering::Release);
        self.exchange(original, self.substitute)
            .map_err(|why| why.to_string())?
            .map_err(|_| "another wrote to it".into())
    }

    fn give_back(&self) -> std::io::Result<()> {
        if self.place.load(Ordering::Acquire) != self.substitute {
            return Ok(());
        }
        // What somebody else has put there meanwhile stays.
        self.exchange(self.substitute, self.original.load(Ordering::Acquire)).map(|_| ())
    }

    fn exchange(&self, from: *mut c_void, to: *mut c_void) -> std::io::Result<Result<(), *mut c_void>> {
        let exchange = || self.place.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).map(|_| ());
        with_writable(std::ptr::from_ref(self.place).addr(), exchange)
    }

    fn complaint(&self, why: &str) -> String {
        format!("its import of {}: {why}", self.name.to_string_lossy())
    }
}

/// What the loader would bind an import of this name to: the first in its list that defines it.
fn find_function(name: &CStr) -> Option<*mut c_void> {
    with_loader_lock(|| LinkMap::first()?.iter_forward().find_map(|map| map.function(name)))
}

macro_rules! of_copy {
    ($function:ident, $copy:expr, $index:expr, [$($number:literal)*]) => {
        match ($copy % MOST, $index) { $(
            (0, $number) => $function::<0, $number> as *mut c_void,
            (1, $number) => $function::<1, $number> as *mut c_void,
            (2, $number) => $function::<2, $number> as *mut c_void,
            (3, $number) => $function::<3, $number> as *mut c_void,
        )* _ => null_mut() }
    };
}

/// What takes the place of a function of the rows.
fn substitute(function: usize, copy: usize) -> *mut c_void {
    const { assert!(MOST == 4 && FUNCTIONS == 10) };
    match function {
        0..=1 => of_copy!(stream, copy, function, [0 1]),
        2..=5 => of_copy!(descriptor, copy, function, [2 3 4 5]),
        _ => of_copy!(descriptor_at, copy, function, [6 7 8 9]),
    }
}

extern "C-unwind" fn stream<const COPY: usize, const FUNCTION: usize>(
    path: *const c_char,
    mode: *const c_char,
) -> *mut libc::FILE {
    type Real = unsafe extern "C-unwind" fn(*const c_char, *const c_char) -> *mut libc::FILE;
    // SAFETY: `Import::take` has noted a function of this type before it put this one in its place.
    let real: Real = unsafe { transmute(REAL[COPY][FUNCTION].load(Ordering::Acquire)) };
    // SAFETY: the caller's arguments.
    let file = unsafe { real(path, mode) };
    // SAFETY: what could be opened are two NUL-terminated strings.
    if file.is_null() || !unsafe { properties::is_read(path) && CStr::from_ptr(mode).to_bytes().starts_with(b"r") } {
        return file;
    }
    // SAFETY: a stream that nobody else has yet.
    unsafe { properties::stream(file) }
}

extern "C-unwind" fn descriptor<const COPY: usize, const FUNCTION: usize>(
    path: *const c_char,
    flags: c_int,
    mode: c_uint,
) -> c_int {
    type Real = unsafe extern "C-unwind" fn(*const c_char, c_int, c_uint) -> c_int;
    // SAFETY: as above; the mode is passed in the register that it is in, wherever it is meant.
    let real: Real = unsafe { transmute(REAL[COPY][FUNCTION].load(Ordering::Acquire)) };
    // SAFETY: the caller's arguments.
    let file = unsafe { real(path, flags, mode) };
    // SAFETY: as for a stream.
    if file < 0 || !unsafe { properties::is_read(path) } { file } else { properties::descriptor(file, flags) }
}

extern "C-unwind" fn descriptor_at<const COPY: usize, const FUNCTION: usize>(
    folder: c_int,
    path: *const c_char,
    flags: c_int,
    mode: c_uint,
) -> c_int {
    type Real = unsafe extern "C-unwind" fn(c_int, *const c_char, c_int, c_uint) -> c_int;
    // SAFETY: as above.
    let real: Real = unsafe { transmute(REAL[COPY][FUNCTION].load(Ordering::Acquire)) };
    // SAFETY: the caller's arguments.
    let file = unsafe { real(folder, path, flags, mode) };
    // SAFETY: as for a stream.
    if file < 0 || !unsafe { properties::is_read(path) } { file } else { properties::descriptor(file, flags) }
}
