//! A card's GL2, as far as it holds memory of the host that is not coherent (MTYPE_NC).
//!
//! A model. What it is made after:
//! - All of a card's cores share GL2, so within the card it is coherent by itself. What makes memory coherent with the
//!   host is that its pages bypass GL2, and no instruction of gfx10 writes GL2 back or invalidates it: LLVM, "User Guide
//!   for AMDGPU Backend", "Memory Model GFX10-GFX11".
//! - A packet whose release fence has system scope writes GL2 back and invalidates it (ROCm/clr, the comment at the head
//!   of rocclr/device/rocm/rocvirtual.cpp); one whose acquire fence has, invalidates it (HSA Platform System Architecture
//!   1.2, section 2.9.1). ROCr brackets SDMA copies with packets that do both (amd_blit_sdma.cpp, `BuildGCRCommand`).
//! - A line has 128 bytes (AMD's white paper "RDNA Architecture"). That its written bytes are known one by one, so that
//!   writing them back changes no other, is assumed.
//!
//! A real GL2 also writes back and drops lines as it needs room. Here they stay until a fence, the longest that they
//! could. The caches before GL2 (GL0, GL1, the scalar cache), which concern the cores among themselves, are not modelled.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::Range;
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::pages::{self, Access, PAGE};

/// Whether `RMCP_KFD_CACHE` (`gl2`, `none`) leaves cards their GL2; they have one unless it says `none`.
pub fn is_enabled() -> bool {
    let cache = std::env::var("RMCP_KFD_CACHE").unwrap_or_default();
    if !matches!(cache.as_str(), "" | "gl2" | "none") {
        eprintln!("rmcp-kfd: RMCP_KFD_CACHE={cache} is none of: gl2, none");
    }
    cache != "none"
}

const LINE: u64 = 128;
const LINES: usize = (PAGE / LINE) as usize;
/// Pages by the low bits of their number, so that waves on several threads rarely wait for each other.
const SHARDS: usize = 64;

/// A page of the host, as the cache has it: a bit of a mask is a byte of the line.
struct Page {
    bytes: [u8; PAGE as usize],
    /// Bytes that are here.
    valid: [u128; LINES],
    /// Bytes that were written here and are not in the host's memory yet.
    dirty: [u128; LINES],
}

/// Pages by number.
type Pages = HashMap<u64, Box<Page>, BuildHasherDefault<Spread>>;

/// The cache of one card.
pub struct Gl2 {
    /// False: everything goes straight to the host's memory.
    present: bool,
    shards: [Mutex<Pages>; SHARDS],
    /// Pages that the shards have.
    held: AtomicUsize,
}

impl Gl2 {
    /// An empty cache, or none.
    pub fn new(present: bool) -> Self {
        Self { present, shards: std::array::from_fn(|_| Mutex::default()), held: AtomicUsize::new(0) }
    }

    /// Whether there is a cache.
    pub fn is_present(&self) -> bool {
        self.present
    }

    /// Reads bytes within a page.
    ///
    /// # Safety
    /// The process has the page that `host` lies in.
    pub unsafe fn load(&self, host: u64, into: &mut [u8]) {
        self.with(host, |page| {
            // SAFETY: the caller's promise.
            unsafe { page.fill(host, into.len()) };
            into.copy_from_slice(&page.bytes[within(host, into.len())]);
        });
    }

    /// Writes bytes within a page.
    pub fn store(&self, host: u64, from: &[u8]) {
        self.with(host, |page| {
            page.bytes[within(host, from.len())].copy_from_slice(from);
            page.written(host, from.len());
        });
    }

    /// Replaces an aligned number of `len` bytes, 4 or 8, and gives back what was there.
    ///
    /// # Safety
    /// As [`Gl2::load`].
    pub unsafe fn update(&self, host: u64, len: usize, new: impl FnOnce(u64) -> u64) -> u64 {
        self.with(host, |page| {
            // SAFETY: the caller's promise.
            unsafe { page.fill(host, len) };
            let there = &mut page.bytes[within(host, len)];
            let mut old = [0; 8];
            old[..len].copy_from_slice(there);
            let old = u64::from_le_bytes(old);
            there.copy_from_slice(&new(old).to_le_bytes()[..len]);
            page.written(host, len);
            old
        })
    }

    /// A system-scope acquire: what was read is forgotten, what was written stays.
    pub fn acquire(&self) {
        self.sweep(|_, page| {
            page.valid = page.dirty;
            page.is_dirty()
        });
    }

    /// A system-scope release: what was written goes to the host's memory, and nothing stays.
    pub fn release(&self) {
        self.sweep(|number, page| {
            page.write_back(number);
            false
        });
    }

    /// Releases what the cache has of this part of the host's memory, which the card is about to lose or to see otherwise.
    pub fn release_range(&self, range: Range<u64>) {
        let pages = range.start / PAGE..range.end.div_ceil(PAGE);
        self.sweep(|number, page| {
            if pages.contains(&number) {
                page.write_back(number);
            }
            !pages.contains(&number)
        });
    }

    /// Keeps the pages of which `keep` says so.
    fn sweep(&self, mut keep: impl FnMut(u64, &mut Page) -> bool) {
        if self.held.load(Ordering::Acquire) == 0 {
            return;
        }
        for shard in &self.shards {
            let mut pages = lock(shard);
            let before = pages.len();
            pages.retain(|&number, page| keep(number, page));
            self.held.fetch_sub(before - pages.len(), Ordering::AcqRel);
        }
    }

    fn with<T>(&self, host: u64, act: impl FnOnce(&mut Page) -> T) -> T {
        let number = host / PAGE;
        let mut pages = lock(&self.shards[number as usize % SHARDS]);
        let page = pages.entry(number).or_insert_with(|| {
            self.held.fetch_add(1, Ordering::AcqRel);
            Box::new(Page { bytes: [0; PAGE as usize], valid: [0; LINES], dirty: [0; LINES] })
        });
        act(page)
    }
}

fn lock(shard: &Mutex<Pages>) -> MutexGuard<'_, Pages> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

fn within(host: u64, len: usize) -> Range<usize> {
    let at = (host % PAGE) as usize;
    at..at + len
}

/// The lines that `len` bytes at `host` touch, each with the mask of those bytes.
fn lines(host: u64, len: usize) -> impl Iterator<Item = (usize, u128)> {
    let bytes = within(host, len);
    let size = LINE as usize;
    (bytes.start / size..bytes.end.div_ceil(size)).map(move |line| {
        let from = bytes.start.max(line * size) - line * size;
        let to = bytes.end.min((line + 1) * size) - line * size;
        (line, u128::MAX << from & u128::MAX >> (size - to))
    })
}

impl Page {
    /// Makes `len` bytes at `host` valid: of a line that lacks any, all that is missing comes from memory.
    ///
    /// # Safety
    /// The process has the page that `host` lies in.
    unsafe fn fill(&mut self, host: u64, len: usize) {
        let base = host & !(PAGE - 1);
        for (line, mask) in lines(host, len) {
            if self.valid[line] & mask == mask {
                continue;
            }
            let at = line * LINE as usize;
            for word in (at..at + LINE as usize).step_by(8) {
                // SAFETY: an aligned word of the page; the program may write it meanwhile, hence the atomic.
                let there =
                    unsafe { &*((base + word as u64) as *const AtomicU64) }.load(Ordering::Relaxed).to_le_bytes();
                let valid = (self.valid[line] >> (word - at)) as u8;
                for (n, byte) in there.into_iter().enumerate().filter(|(n, _)| valid >> n & 1 == 0) {
                    self.bytes[word + n] = byte;
                }
            }
            self.valid[line] = u128::MAX;
        }
    }

    fn written(&mut self, host: u64, len: usize) {
        for (line, mask) in lines(host, len) {
            self.valid[line] |= mask;
            self.dirty[line] |= mask;
        }
    }

    fn is_dirty(&self) -> bool {
        self.dirty.iter().any(|&mask| mask != 0)
    }

    /// Writes the dirty bytes to page `number` of the host, unless the program has unmapped it meanwhile.
    fn write_back(&mut self, number: u64) {
        let base = number * PAGE;
        if !self.is_dirty() || pages::access(base, PAGE) != Some(Access::Write) {
            return;
        }
        for (line, dirty) in self.dirty.iter_mut().enumerate() {
            while *dirty != 0 {
                let at = dirty.trailing_zeros() as usize;
                let run = (*dirty >> at).trailing_ones() as usize;
                // The widest number that fits, so that the program sees no half of one.
                let len = [8, 4, 2].into_iter().find(|len| at.is_multiple_of(*len) && run >= *len).unwrap_or(1);
                let place = line * LINE as usize + at;
                // SAFETY: the page is writable, and the number is aligned within it.
                unsafe { put(base + place as u64, &self.bytes[place..place + len]) };
                *dirty &= !(((1 << len) - 1) << at);
            }
        }
    }
}

/// Stores a number of 1, 2, 4 or 8 bytes; the program may use it meanwhile, hence the atomics.
///
/// # Safety
/// `host` is aligned to the number and writable.
unsafe fn put(host: u64, bytes: &[u8]) {
    // SAFETY: the caller's promise.
    unsafe {
        match *bytes {
            [a] => (*(host as *const AtomicU8)).store(a, Ordering::Release),
            [a, b] => (*(host as *const AtomicU16)).store(u16::from_le_bytes([a, b]), Ordering::Release),
            [a, b, c, d] => (*(host as *const AtomicU32)).store(u32::from_le_bytes([a, b, c, d]), Ordering::Release),
            [a, b, c, d, e, f, g, h] => {
                (*(host as *const AtomicU64)).store(u64::from_le_bytes([a, b, c, d, e, f, g, h]), Ordering::Release);
            }
            _ => {}
        }
    }
}

/// Spreads page numbers over a table.
#[derive(Default)]
struct Spread(u64);

impl Hasher for Spread {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u64(byte.into()));
    }

    fn write_u64(&mut self, number: u64) {
        // Fibonacci hashing: 2^64 divided by the golden ratio.
        self.0 = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two pages of host memory.
    #[repr(align(4096))]
    struct Host([u8; 2 * PAGE as usize]);

    impl Host {
        fn new() -> Box<Self> {
            Box::new(Self([7; 2 * PAGE as usize]))
        }

        fn at(&mut self, offset: usize) -> u64 {
            (&raw mut self.0[offset]) as u64
        }

        /// A byte as the processor sees it.
        fn byte(&self, offset: usize) -> u8 {
            // SAFETY: the test's own memory, which the cache writes to.
            unsafe { (&raw const self.0[offset]).read_volatile() }
        }

        fn set(&mut self, offset: usize, value: u8) {
            // SAFETY: as above.
            unsafe { (&raw mut self.0[offset]).write_volatile(value) };
        }
    }

    fn load(gl2: &Gl2, host: u64) -> u8 {
        let mut byte = [0];
        // SAFETY: the tests load from their own memory.
        unsafe { gl2.load(host, &mut byte) };
        byte[0]
    }

    #[test]
    fn what_is_written_reaches_the_host_at_a_release_and_nothing_beside_it() {
        let (gl2, mut host) = (Gl2::new(true), Host::new());
        // Every run of one line, so that numbers of all sizes are put back.
        gl2.store(host.at(1), &[1; 15]);
        gl2.store(host.at(126), &[2; 4]);
        assert!((0..200).all(|at| host.byte(at) == 7));
        host.set(130, 9);
        gl2.release();
        let expected = |at| match at {
            1..16 => 1,
            126..130 => 2,
            130 => 9,
            _ => 7,
        };
        (0..200).for_each(|at| assert_eq!(host.byte(at), expected(at), "byte {at}"));
    }

    #[test]
    fn what_was_read_is_stale_until_an_acquire() {
        let (gl2, mut host) = (Gl2::new(true), Host::new());
        assert_eq!(load(&gl2, host.at(3)), 7);
        host.set(3, 8);
        host.set(127, 8);
        host.set(128, 8);
        assert_eq!([3, 127, 128].map(|at| load(&gl2, host.at(at))), [7, 7, 8], "a line is 128 bytes");
        gl2.acquire();
        assert_eq!(load(&gl2, host.at(3)), 8);
    }

    #[test]
    fn an_acquire_keeps_what_was_written_and_rereads_the_rest_of_the_line() {
        let (gl2, mut host) = (Gl2::new(true), Host::new());
        gl2.store(host.at(0), &[1]);
        assert_eq!(load(&gl2, host.at(1)), 7);
        host.set(0, 8);
        host.set(1, 8);
        gl2.acquire();
        assert_eq!([0, 1].map(|at| load(&gl2, host.at(at))), [1, 8]);
        gl2.release();
        assert_eq!([0, 1].map(|at| host.byte(at)), [1, 8]);
    }

    #[test]
    fn numbers_are_updated_in_the_cache_alone() {
        let (gl2, mut host) = (Gl2::new(true), Host::new());
        let at = host.at(8);
        // SAFETY: the test's own memory.
        let old = unsafe { gl2.update(at, 4, |old| old + 1) };
        assert_eq!((old, load(&gl2, at), host.byte(8)), (0x0707_0707, 8, 7));
        gl2.release();
        assert_eq!(host.byte(8), 8);
    }

    #[test]
    fn a_part_is_released_alone() {
        let (gl2, mut host) = (Gl2::new(true), Host::new());
        gl2.store(host.at(0), &[1]);
        gl2.store(host.at(4096), &[1]);
        let second = host.at(4096);
        gl2.release_range(second..second + 1);
        assert_eq!([0, 4096].map(|at| host.byte(at)), [7, 1]);
        host.set(4096, 2);
        assert_eq!(load(&gl2, second), 2);
    }

    #[test]
    fn what_the_program_has_unmapped_is_not_written_back() {
        let gl2 = Gl2::new(true);
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: a fresh page, unmapped again before anything else may use its address.
        let page = unsafe { libc::mmap(std::ptr::null_mut(), 4096, libc::PROT_READ, flags, -1, 0) };
        gl2.store(page as u64, &[1]);
        gl2.release();
        // SAFETY: as above.
        unsafe { libc::munmap(page, 4096) };
        gl2.store(page as u64, &[1]);
        gl2.release();
    }
}
