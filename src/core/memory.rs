//! Memory for RMCP's own work where the process has none left: Rust ends a process that is refused memory.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What the core allocates comes from the C library, and where that has nothing, from here.
#[global_allocator]
static RESERVE: Reserve = Reserve { memory: UnsafeCell::new([0; SIZE]), used: AtomicUsize::new(0) };

/// More than reading the options and the machine takes; the kernel backs only what is written.
const SIZE: usize = 512 * 1024;

#[repr(align(64))]
struct Reserve {
    memory: UnsafeCell<[u8; SIZE]>,
    /// How many bytes are given out. What was given out last can be taken back.
    used: AtomicUsize,
}

// SAFETY: each byte belongs to whom it was given; `used` is what decides.
unsafe impl Sync for Reserve {}

impl Reserve {
    fn take(&self, layout: Layout) -> *mut u8 {
        let end = |used: usize| used.checked_next_multiple_of(layout.align())?.checked_add(layout.size());
        let fits = |used| end(used).filter(|&end| end <= SIZE && layout.align() <= align_of::<Self>());
        match self.used.fetch_update(Ordering::AcqRel, Ordering::Acquire, fits) {
            Ok(used) => self.memory.get().cast::<u8>().wrapping_add(used.next_multiple_of(layout.align())),
            Err(_) => null_mut(),
        }
    }
}

// SAFETY: the system's allocator, or bytes of the reserve that nobody else has.
unsafe impl GlobalAlloc for Reserve {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        let memory = unsafe { System.alloc(layout) };
        if memory.is_null() { self.take(layout) } else { memory }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        let offset = memory.addr().wrapping_sub(self.memory.get().addr());
        if offset < SIZE {
            let end = offset + layout.size();
            let _ = self.used.compare_exchange(end, offset, Ordering::AcqRel, Ordering::Acquire);
        } else {
            // SAFETY: the caller's promise; it is the system's.
            unsafe { System.dealloc(memory, layout) };
        }
    }
}
