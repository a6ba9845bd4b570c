//! Which process this is. A pid does not tell: in a PID namespace of its own a forked child can have its parent's.

use core::ffi::c_void;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

/// The last number that was given, to this process or to one that it was forked from.
#[unsafe(link_section = ".data")]
static LAST_FORK_ID: AtomicU64 = AtomicU64::new(0);

/// A number that no process has which this one was forked from, and every thread of this one. A vfork child shares its
/// parent's memory, and its number.
#[inline]
pub fn fork_id() -> u64 {
    let Some(word) = wiped_on_fork() else {
        // SAFETY: takes nothing and cannot fail.
        return unsafe { libc::getpid() } as u64;
    };
    match word.load(Ordering::Acquire) {
        0 => new_fork_id(word),
        id => id,
    }
}

#[cold]
fn new_fork_id(word: &AtomicU64) -> u64 {
    let new = LAST_FORK_ID.fetch_add(1, Ordering::AcqRel) + 1;
    match word.compare_exchange(0, new, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => new,
        Err(winner) => winner,
    }
}

/// Whether another process, which this one was forked from, was here before; otherwise notes that this one was.
pub fn belongs_to_ancestor(owner: &AtomicU64) -> bool {
    let own = fork_id();
    let before = owner.compare_exchange(0, own, Ordering::AcqRel, Ordering::Acquire);
    before.is_err_and(|other| other != own)
}

/// A word that is zero again in a forked child. None where the kernel has no such memory, which it has from Linux 4.14 on.
fn wiped_on_fork() -> Option<&'static AtomicU64> {
    /// Its page, once it was asked for; `NONE` where there is none, so that a child is told from its parent in one way.
    #[unsafe(link_section = ".data")]
    static PAGE: AtomicPtr<AtomicU64> = AtomicPtr::new(null_mut());
    #[unsafe(link_section = ".data")]
    static NONE: AtomicU64 = AtomicU64::new(0);
    let none = (&raw const NONE).cast_mut();

    let mut page = PAGE.load(Ordering::Acquire);
    if page.is_null() {
        let new = map_wiped_on_fork().unwrap_or(none);
        page = match PAGE.compare_exchange(null_mut(), new, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => new,
            Err(winner) => {
                if new != none {
                    // SAFETY: the mapping just made, which nobody else has seen.
                    unsafe { libc::munmap(new.cast(), PAGE_BYTES) };
                }
                winner
            }
        };
    }
    // SAFETY: a page of zeros, aligned, that stays mapped and is used by atomics alone.
    (page != none).then(|| unsafe { &*page })
}

const PAGE_BYTES: usize = 4096;

fn map_wiped_on_fork() -> Option<*mut AtomicU64> {
    let page = map_zeros(PAGE_BYTES)?;
    // SAFETY: the new mapping, which is given back where it cannot be wiped.
    unsafe {
        if libc::madvise(page, PAGE_BYTES, libc::MADV_WIPEONFORK) != 0 {
            libc::munmap(page, PAGE_BYTES);
            return None;
        }
        Some(page.cast())
    }
}

/// New memory of zeros. None where there is none.
pub fn map_zeros(size: usize) -> Option<*mut c_void> {
    let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: any address will do.
    let new = unsafe { libc::mmap(null_mut(), size, access, kind, -1, 0) };
    (new != libc::MAP_FAILED).then_some(new)
}
