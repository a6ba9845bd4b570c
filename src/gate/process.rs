//! Which process this is. A pid does not tell: in a PID namespace of its own a forked child can have its parent's.
//!
//! The core compiles this file too.

use core::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// A page in which a forked child finds zeros.
#[repr(C, align(4096))]
struct Page([AtomicU64; PAGE_WORDS]);

const PAGE_WORDS: usize = 4096 / size_of::<AtomicU64>();

/// Its first word is this process's number, once that was asked for.
static WIPED: Page = Page([const { AtomicU64::new(0) }; PAGE_WORDS]);

/// The last number that was given, to this process or to one that it was forked from.
static LAST: AtomicU64 = AtomicU64::new(0);

/// A number that no process has which this one was forked from, and every thread of this one. A vfork child shares its
/// parent's memory, and its number.
#[inline]
pub fn number() -> u64 {
    match WIPED.0[0].load(Ordering::Acquire) {
        0 => new_number(),
        known => known,
    }
}

#[cold]
fn new_number() -> u64 {
    if !wipes() {
        // SAFETY: takes nothing and cannot fail.
        return unsafe { libc::getpid() } as u64;
    }
    let mine = LAST.fetch_add(1, Ordering::AcqRel) + 1;
    match WIPED.0[0].compare_exchange(0, mine, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => mine,
        Err(of_another_thread) => of_another_thread,
    }
}

/// Whether the kernel empties the page in a forked child, as Linux does from 4.14 on. Asked once: a child is to be told
/// from its parent in one way.
fn wipes() -> bool {
    const UNKNOWN: u8 = 0;
    const YES: u8 = 1;
    const NO: u8 = 2;
    static WIPES: AtomicU8 = AtomicU8::new(UNKNOWN);
    if WIPES.load(Ordering::Acquire) == UNKNOWN {
        let page = (&raw const WIPED).cast_mut().cast();
        // SAFETY: the page is writable memory without a file behind it, and holds nothing but the number.
        let done = unsafe { libc::madvise(page, size_of::<Page>(), libc::MADV_WIPEONFORK) };
        let answer = if done == 0 { YES } else { NO };
        let _ = WIPES.compare_exchange(UNKNOWN, answer, Ordering::AcqRel, Ordering::Acquire);
    }
    WIPES.load(Ordering::Acquire) == YES
}
