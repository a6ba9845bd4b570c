//! The copies of the runtimes in this process that calls have come to. Each stays mapped from then on, so that what leads to
//! it never leads into nothing.

use crate::Library;
use crate::link_map::LinkMap;
use core::ptr::{self, null_mut};
use core::sync::atomic::{AtomicPtr, Ordering};

/// So many of each library have their calls hooked.
pub const MOST: usize = 4;

#[unsafe(link_section = ".data")]
static COPIES: [[AtomicPtr<LinkMap>; MOST]; 2] = [const { [const { AtomicPtr::new(null_mut()) }; MOST] }; 2];

fn of(library: Library) -> &'static [AtomicPtr<LinkMap>; MOST] {
    match library {
        Library::Hip => &COPIES[0],
        Library::Hsa => &COPIES[1],
    }
}

/// The number of a copy; None while no call has come to it.
fn find(library: Library, map: &LinkMap) -> Option<usize> {
    of(library).iter().position(|known| ptr::eq(known.load(Ordering::Acquire), map))
}

/// The copy of this number.
pub fn get(library: Library, number: usize) -> Option<&'static LinkMap> {
    // SAFETY: what is registered is pinned, and its link map lives as long.
    unsafe { of(library).get(number)?.load(Ordering::Acquire).as_ref() }
}

/// Gives a copy a number, and keeps it mapped. None, and nothing done, where there are too many.
///
/// This asks the loader, which may hold its lock meanwhile; so it is done within the first call that comes to the copy, in
/// which the runtime does the same itself.
pub fn register(library: Library, map: &'static LinkMap) -> Option<usize> {
    if let Some(known) = find(library, map) {
        return Some(known);
    }
    let new = ptr::from_ref(map).cast_mut();
    let claim =
        |place: &AtomicPtr<LinkMap>| match place.compare_exchange(null_mut(), new, Ordering::AcqRel, Ordering::Acquire)
        {
            Ok(_) => true,
            // Another thread that met it too.
            Err(there) => there == new,
        };
    let number = of(library).iter().position(claim)?;
    map.module().pin();
    Some(number)
}
