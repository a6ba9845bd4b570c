//! libamdhip64's own table of functions, HipDispatchTable, through which its exports go from ROCm 6 on.
//!
//! A hook in it meets every call, however the program came by the function: dlsym, ctypes, RTLD_DEEPBIND, hipGetProcAddress.
//! No list of releases is needed: each export's own code says where in the table its function stands, and the table is found
//! by its form (hip/amd_detail/hip_api_trace.hpp: its size in bytes, then functions). It is filled by the time
//! libamdhip64 calls hsa_init, which the gate sees. Where anything does not fit, nothing is taken, and the gate's hooks serve.

use crate::bind;
use crate::copies::{self, Copy};
use crate::{machine, trace, watch};
use log::debug;
use rmcp_abi::find_object::module_of;
use rmcp_abi::link_map::LinkMap;
use rmcp_abi::module::{Module, with_loader_lock};
use rmcp_abi::table_access::{Segments, table_access};
use rmcp_abi::{Hook, Library};
use std::ffi::c_void;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

/// The copies that have started while nobody knew the machine: a bit for each.
static WAITING: AtomicUsize = AtomicUsize::new(0);

/// Somebody calls hsa_init: a copy of libamdhip64, or what stands between it and the gate, such as a profiler's library. Its
/// table waits for [`take_waiting`].
pub fn on_runtime_start(caller: Option<&Module>) {
    let own = caller.filter(|caller| caller.has_file_prefix(Library::Hip.file_prefix()));
    let mut seen = 0;
    // One at a time: to register a copy is to ask the loader, whose lock is held while its list is looked at.
    while let Some(map) = with_loader_lock(|| nth_copy(own, seen)) {
        seen += 1;
        match rmcp_abi::copies::register(Library::Hip, map) {
            Some(number) => _ = WAITING.fetch_or(1 << number, Ordering::AcqRel),
            None => debug!("the table of {} is not taken: there are too many copies", path(map)),
        }
    }
    // Its programs may lie in the place of others that were unloaded.
    bind::release();
}

/// The copy that this module is, or, where it is none, the one of this number among those that are loaded.
fn nth_copy(own: Option<&Module>, nth: usize) -> Option<&'static LinkMap> {
    let list = LinkMap::first()?;
    match own {
        Some(own) => LinkMap::of_module(own, list).filter(|_| nth == 0),
        None => list.iter_forward().filter(|map| map.module().has_file_prefix(Library::Hip.file_prefix())).nth(nth),
    }
}

fn path(map: &LinkMap) -> String {
    map.module().path().to_string_lossy().into_owned()
}

/// Takes the tables of the copies that have started, once the machine is known.
pub fn take_waiting() {
    let Some(machine) = machine::detected() else { return };
    let waiting = WAITING.swap(0, Ordering::AcqRel);
    for copy in copies::all(Library::Hip).filter(|copy| waiting & 1 << copy.number() != 0) {
        let path = || copy.map().map_or_else(String::new, path);
        let wanted = |hook: Hook| {
            // What those find comes through the table itself.
            bind::is_hooked(hook, Some(machine)) && (!bind::hands_out_functions(hook) || watch::is_watched(hook))
        };
        if copy.has_table() || !Hook::ALL.iter().any(|&hook| wanted(hook) && hook.library() == Library::Hip) {
            continue;
        }
        let table = if machine.dispatch_table { find(copy) } else { Err("dispatch_table=off") };
        match table {
            Ok(table) => {
                let taken = table.take(copy, wanted);
                debug!("{taken} functions of the table of {} lead to RMCP", path());
                bind::release();
            }
            Err(why) => {
                trace::note_incomplete();
                debug!("the table of {} is not taken: {why}", path());
            }
        }
    }
}

/// A HipDispatchTable.
struct Table {
    address: usize,
    /// Where each hook's function stands, in bytes from the beginning.
    offsets: [Option<usize>; Hook::ALL.len()],
}

impl Table {
    /// Has the places of the hooks that are `wanted` lead to them; how many.
    fn take(&self, copy: &Copy, wanted: impl Fn(Hook) -> bool) -> usize {
        let hooks = Hook::ALL.iter().filter(|&&hook| wanted(hook));
        let places = hooks.filter_map(|&hook| Some((hook, self.offsets[hook as usize]?)));
        places.map(|(hook, offset)| copy.take_place(hook, self.place(offset))).count()
    }

    fn place(&self, offset: usize) -> &'static AtomicPtr<c_void> {
        // SAFETY: `find` has seen that the table lies in writable memory of a library that stays, and holds the offset, a
        // multiple of a word's size.
        unsafe { &*((self.address + offset) as *const AtomicPtr<c_void>) }
    }
}

/// The table of a copy, or why it is not certain.
fn find(copy: &Copy) -> Result<Table, &'static str> {
    let map = copy.map().ok_or("the library is gone")?;
    let module = module_of(map.dynamic.addr()).ok_or("the library is gone")?;
    let segments = Segments::of(&module).ok_or("it has no program headers")?;
    let mut offsets = [None; Hook::ALL.len()];
    let mut getter = None;
    for &hook in Hook::ALL.iter().filter(|hook| hook.library() == Library::Hip) {
        let Some((function, size)) = map.defined(hook.info().symbol) else { continue };
        let Some(access) = segments.code(function.addr(), size).and_then(table_access) else { continue };
        if *getter.get_or_insert(access.getter) != access.getter {
            return Err("its exports do not agree on where the table is");
        }
        let fits = access.offset >= size_of::<usize>() && access.offset.is_multiple_of(size_of::<usize>());
        if !fits || offsets.contains(&Some(access.offset)) {
            return Err("its exports do not agree on the order of the table");
        }
        offsets[hook as usize] = Some(access.offset);
    }
    let last = offsets.iter().flatten().copied().max().ok_or("its exports use none")?;
    let is_table = |address: usize, size: usize| {
        let function = |offset: usize| segments.word(address + offset);
        let functions = offsets.iter().flatten().all(|&offset| function(offset).is_some_and(|word| word != 0));
        functions
            && (size_of::<usize>()..size)
                .step_by(size_of::<usize>())
                .all(|offset| function(offset).is_some_and(|word| word == 0 || segments.is_code(word)))
    };
    let mut found = None;
    for address in segments.writable_words() {
        let size = segments.word(address).unwrap_or(0);
        if (last + size_of::<usize>()..=MOST).contains(&size)
            && size.is_multiple_of(size_of::<usize>())
            && is_table(address, size)
        {
            if found.is_some() {
                return Err("there are several of its form");
            }
            found = Some(address);
        }
    }
    let address = found.ok_or("there is none of its form")?;
    Ok(Table { address, offsets })
}

/// No table is larger, in bytes: that of 7.2.4 has 4056.
const MOST: usize = 64 * 1024;
