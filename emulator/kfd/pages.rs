//! Which memory the process has. The program may unmap or protect its own at any time; what a card touches is looked at
//! first, so that it becomes a fault of the card and not the end of the process.

use std::sync::OnceLock;

/// Bytes of a page.
pub const PAGE: u64 = 4096;

/// What may be done with memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    Read,
    Write,
}

/// What may be done with all of `len` bytes at `host`; nothing where a page is missing.
pub fn access(host: u64, len: u64) -> Option<Access> {
    static KNOWS_POPULATE: OnceLock<bool> = OnceLock::new();
    let knows = || {
        let own = 0_u8;
        populate(&raw const own as u64, 1)
    };
    // Linux before 5.14 cannot say what is writable: then all is taken to be.
    let can_write = !*KNOWS_POPULATE.get_or_init(knows) || populate(host, len);
    let kind = if can_write { Access::Write } else { Access::Read };
    is_mapped(host, len).then_some(kind)
}

/// Whether the kernel could pin these pages for writing. Whether they are writable is asked of the first and the last alone: to
/// ask makes a page.
pub fn is_registrable(host: u64, len: u64) -> bool {
    let writable = |byte| access(byte, 1) == Some(Access::Write);
    is_mapped(host, len) && writable(host) && writable(host + len - 1)
}

/// Has the kernel make the pages ready for writing; it says whether they may be written.
fn populate(host: u64, len: u64) -> bool {
    let (first, bytes) = whole(host, len);
    // SAFETY: contents do not change, and what cannot be written is only reported.
    unsafe { libc::madvise(first as *mut libc::c_void, bytes, libc::MADV_POPULATE_WRITE) == 0 }
}

/// Whether no page of it is missing. What is reserved may be terabytes: no word is kept for a page.
pub fn is_mapped(host: u64, len: u64) -> bool {
    let (first, bytes) = whole(host, len);
    // SAFETY: with MS_ASYNC msync looks whether the memory is there, and does nothing else (Linux).
    unsafe { libc::msync(first as *mut libc::c_void, bytes, libc::MS_ASYNC) == 0 }
}

/// The pages that `len` bytes at `host` lie in: their address and size.
fn whole(host: u64, len: u64) -> (u64, usize) {
    let first = host & !(PAGE - 1);
    (first, (host + len - first).next_multiple_of(PAGE) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two pages of the test's own.
    fn two_pages(protection: i32) -> u64 {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: a fresh mapping, which is never used but through `access`.
        let pages = unsafe { libc::mmap(std::ptr::null_mut(), 2 * PAGE as usize, protection, flags, -1, 0) };
        assert_ne!(pages, libc::MAP_FAILED);
        pages as u64
    }

    #[test]
    fn looking_at_terabytes_that_are_reserved_takes_no_memory() {
        const BYTES: usize = 1 << 44;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: a fresh mapping that nothing uses, and a value that the call fills.
        let (reserved, most_kib) = unsafe {
            let reserved = libc::mmap(std::ptr::null_mut(), BYTES, libc::PROT_NONE, flags, -1, 0) as u64;
            assert!(is_mapped(reserved, BYTES as u64) && !is_registrable(reserved, BYTES as u64));
            let mut usage: libc::rusage = std::mem::zeroed();
            libc::getrusage(libc::RUSAGE_SELF, &raw mut usage);
            (reserved, usage.ru_maxrss)
        };
        assert!(most_kib < 1 << 20, "{most_kib} KiB for {reserved:#x}");
        // SAFETY: the test's own pages.
        unsafe { libc::munmap(reserved as *mut libc::c_void, BYTES) };
        assert!(!is_mapped(reserved, BYTES as u64));
    }

    #[test]
    fn memory_is_writable_readable_or_not_there() {
        let pages = two_pages(libc::PROT_READ | libc::PROT_WRITE);
        assert_eq!(access(pages + 10, PAGE), Some(Access::Write));
        // SAFETY: the test's own pages.
        unsafe { libc::mprotect(pages as *mut libc::c_void, PAGE as usize, libc::PROT_READ) };
        assert_eq!(access(pages, 1), Some(Access::Read));
        assert_eq!(access(pages + PAGE, 1), Some(Access::Write));
        // SAFETY: the test's own pages.
        unsafe { libc::munmap(pages as *mut libc::c_void, 2 * PAGE as usize) };
        assert_eq!(access(pages, 1), None);
    }
}
