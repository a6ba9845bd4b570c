//! The memory that a kernel sees: where an address leads, what the bus makes of atomic operations, and what the card's
//! cache keeps (`gl2`).
//!
//! The bus is a model. It fits what ROCm/clr#285 reports (atomicAdd right, atomicMin wrong in fine-grained host memory,
//! everything right in NonCoherent memory and in VRAM) and the PCI Express specification, whose AtomicOps are FetchAdd,
//! Swap and CAS and nothing else. It was not compared with a card.

use std::cell::Cell;
use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use gfx10::{Atomic, Fault, Gws, Memory};

use crate::gl2::Gl2;
use crate::memory::Kind;
use crate::pages::{self, Access, PAGE};
use crate::session::Session;
use rmcp_machine::Gpu;

/// Which atomic operations reach memory that the card does not cache. The others are dropped: they change nothing
/// and give 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bus {
    /// None: a path without PCIe atomics.
    Without,
    /// Add, swap and compare-and-swap: PCIe atomics.
    Basic,
    /// All, as if the memory were the card's own.
    All,
}

impl Bus {
    /// That of `RMCP_KFD_BUS` (`none`, `basic`, `all`), else of the card's description.
    pub fn of(gpu: &Gpu) -> Self {
        static VARIABLE: OnceLock<Option<Bus>> = OnceLock::new();
        let variable = VARIABLE.get_or_init(|| {
            let name = std::env::var("RMCP_KFD_BUS").ok()?;
            let bus = match name.as_str() {
                "none" => Some(Self::Without),
                "basic" => Some(Self::Basic),
                "all" => Some(Self::All),
                _ => None,
            };
            if bus.is_none() {
                eprintln!("rmcp-kfd: RMCP_KFD_BUS={name} is none of: none, basic, all");
            }
            bus
        });
        variable.unwrap_or(if gpu.pcie_atomics { Self::Basic } else { Self::Without })
    }

    fn carries(self, op: Atomic) -> bool {
        match self {
            Self::Without => false,
            Self::Basic => matches!(op, Atomic::Add | Atomic::Swap | Atomic::CmpSwap),
            Self::All => true,
        }
    }
}

/// What one dispatch sees of its process's memory.
pub struct Card {
    session: &'static Session,
    gpu: usize,
    bus: Bus,
    gl2: &'static Gl2,
    /// A number of the dispatch.
    dispatch: u64,
}

/// A translation that was looked up: which host memory a stretch of addresses is.
#[derive(Clone, Copy)]
struct Translation {
    /// [`Session::changes`] then, and the dispatch; none in the beginning.
    when: Option<(u64, u64)>,
    start: u64,
    end: u64,
    host: u64,
    kind: Kind,
    writable: bool,
}

const EMPTY: Translation = Translation { when: None, start: 0, end: 0, host: 0, kind: Kind::Uncached, writable: false };
/// A piece of memory has its place among these, so that one look is enough.
const SLOTS: usize = 64;

thread_local! {
    static TLB: [Cell<Translation>; SLOTS] = const { [const { Cell::new(EMPTY) }; SLOTS] };
}

/// The program may unmap its own memory at any time: each dispatch looks at it anew, in pieces of this size.
const PIECE: u64 = 1 << 16;

fn slot(va: u64) -> usize {
    (va / PIECE) as usize % SLOTS
}

/// One access, found.
struct Place {
    host: *mut u8,
    /// Whether the card's cache has the say.
    cached: bool,
    kind: Kind,
}

impl Card {
    pub fn new(session: &'static Session, gpu: usize, bus: Bus) -> Self {
        Self { session, gpu, bus, gl2: &session.gl2[gpu], dispatch: session.fresh() }
    }

    /// Where `len` bytes at `va` are in this process.
    #[inline]
    fn at(&self, va: u64, len: usize, write: bool) -> Result<Place, Fault> {
        let now = Some((self.session.changes(), self.dispatch));
        let end = va.checked_add(len as u64).ok_or(Fault { va })?;
        let mut found = TLB.with(|tlb| tlb[slot(va)].get());
        if found.when != now || va < found.start || found.end < end {
            found = self.look_up(va, end, now)?;
        }
        if write && !found.writable {
            return Err(Fault { va });
        }
        let cached = found.kind == Kind::Cached && self.gl2.is_present();
        Ok(Place { host: (found.host + (va - found.start)) as *mut u8, cached, kind: found.kind })
    }

    fn look_up(&self, va: u64, end: u64, when: Option<(u64, u64)>) -> Result<Translation, Fault> {
        let reach = self.session.memory().reach(self.gpu, va).ok_or(Fault { va })?;
        let (mut len, mut writable) = (reach.len, true);
        if reach.kind != Kind::Vram {
            let host = reach.host as u64;
            let short = reach.len.min(end - va);
            len = (PIECE - va % PIECE).clamp(short, reach.len);
            // Its pages may differ.
            if pages::access(host, len) != Some(Access::Write) {
                len = short;
                writable = pages::access(host, short).ok_or(Fault { va })? == Access::Write;
            }
        }
        let found = Translation { when, start: va, end: va + len, host: reach.host as u64, kind: reach.kind, writable };
        if found.end < end {
            return Err(Fault { va: found.end });
        }
        TLB.with(|tlb| tlb[slot(va)].set(found));
        Ok(found)
    }
}

/// `len` bytes at `host`, by page: where each part starts, and which of the bytes it is.
fn by_page(host: u64, len: usize) -> impl Iterator<Item = (u64, Range<usize>)> {
    let first = len.min((PAGE - host % PAGE) as usize);
    [0..first, first..len].into_iter().filter(|part| !part.is_empty()).map(move |part| (host + part.start as u64, part))
}

impl Memory for Card {
    fn load(&self, va: u64, into: &mut [u8]) -> Result<(), Fault> {
        let place = self.at(va, into.len(), false)?;
        if place.cached {
            for (host, part) in by_page(place.host as u64, into.len()) {
                // SAFETY: `at` found those bytes.
                unsafe { self.gl2.load(host, &mut into[part]) };
            }
            return Ok(());
        }
        let host = place.host;
        // SAFETY: `at` found that many bytes. Words are read at once, so that the program's writes are seen whole.
        unsafe {
            match into.len() {
                4 if va.is_multiple_of(4) => into.copy_from_slice(&host.cast::<u32>().read_volatile().to_le_bytes()),
                8 if va.is_multiple_of(8) => into.copy_from_slice(&host.cast::<u64>().read_volatile().to_le_bytes()),
                len => std::ptr::copy_nonoverlapping(host, into.as_mut_ptr(), len),
            }
        }
        Ok(())
    }

    fn store(&self, va: u64, from: &[u8]) -> Result<(), Fault> {
        let place = self.at(va, from.len(), true)?;
        if place.cached {
            by_page(place.host as u64, from.len()).for_each(|(host, part)| self.gl2.store(host, &from[part]));
            return Ok(());
        }
        let host = place.host;
        // SAFETY: as in `load`.
        unsafe {
            match *from {
                [a, b, c, d] if va.is_multiple_of(4) => {
                    host.cast::<u32>().write_volatile(u32::from_le_bytes([a, b, c, d]))
                }
                [a, b, c, d, e, f, g, h] if va.is_multiple_of(8) => {
                    host.cast::<u64>().write_volatile(u64::from_le_bytes([a, b, c, d, e, f, g, h]));
                }
                _ => std::ptr::copy_nonoverlapping(from.as_ptr(), host, from.len()),
            }
        }
        Ok(())
    }

    fn atomic(&self, va: u64, wide: bool, op: Atomic, data: u64, compare: u64) -> Result<u64, Fault> {
        let len = if wide { 8 } else { 4 };
        if !va.is_multiple_of(len as u64) {
            return Err(Fault { va });
        }
        let Place { host, cached, kind } = self.at(va, len, true)?;
        if kind == Kind::Uncached && !self.bus.carries(op) {
            return Ok(0);
        }
        let mask = if wide { u64::MAX } else { u32::MAX.into() };
        let new = |old| op.apply(wide, old, data & mask, compare & mask);
        if cached {
            // SAFETY: `at` found the word.
            return Ok(unsafe { self.gl2.update(host as u64, len, new) });
        }
        // SAFETY: `at` found the word, which is aligned; the program may use it at the same time, hence the atomics.
        let old = unsafe {
            if wide {
                let word = &*host.cast::<AtomicU64>();
                word.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |old| Some(new(old)))
            } else {
                let word = &*host.cast::<AtomicU32>();
                let new = |old: u32| Some(new(old.into()) as u32);
                word.fetch_update(Ordering::SeqCst, Ordering::SeqCst, new).map(u64::from).map_err(u64::from)
            }
        };
        // The closure never refuses.
        Ok(old.unwrap_or_else(|old| old))
    }

    fn gws(&self) -> &Gws {
        &self.session.gws[self.gpu]
    }

    fn interrupt(&self, event: u32) {
        self.session.events.set(event);
    }

    fn ticks(&self) -> u64 {
        crate::clock::gpu_ticks()
    }
}
