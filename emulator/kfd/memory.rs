//! Buffers, and what the cards see at an address.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::sync::Arc;

use crate::dmabuf::{Import, Inode};
use crate::range::Ranges;
use crate::svm::Svm;

/// System memory that the kernel may hand to the cards (GTT).
pub const GTT_BYTES: u64 = 16 << 30;
/// Where VRAM starts in a card's file: 0 would mean "no offset" to the callers of mmap.
const VRAM_START: u64 = 2 << 20;

/// Where a render node shows the buffers of other processes: beyond every card's file, each in a window of its own.
const WINDOW_BITS: u32 = 40;

/// The offset of a buffer's window.
pub fn window(id: u64) -> u64 {
    id << WINDOW_BITS
}

/// The buffer in whose window an offset lies, and how far in.
pub fn window_of(offset: u64) -> Option<(u64, u64)> {
    let id = offset >> WINDOW_BITS;
    (id != 0).then_some((id, offset & ((1 << WINDOW_BITS) - 1)))
}

/// Bits of `KFD_IOC_ALLOC_MEM_FLAGS_*` (linux/kfd_ioctl.h) that say where memory is.
pub mod flag {
    pub const VRAM: u32 = 1 << 0;
    pub const GTT: u32 = 1 << 1;
    pub const USERPTR: u32 = 1 << 2;
    pub const DOORBELL: u32 = 1 << 3;
    pub const MMIO_REMAP: u32 = 1 << 4;
    /// `PUBLIC`: VRAM that the CPU reaches.
    pub const PUBLIC: u32 = 1 << 29;
    /// `EXT_COHERENT`, `UNCACHED` and `COHERENT`: each means MTYPE_UC on gfx10 (Linux, amdgpu_amdkfd_gpuvm.c and
    /// gmc_v10_0.c).
    pub const ANY_COHERENT: u32 = 1 << 24 | 1 << 25 | 1 << 26;
}

/// Where the bytes of a buffer are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// At an offset of the file of card `gpu`.
    File {
        /// Index of the card.
        gpu: usize,
        /// Offset in its file.
        offset: u64,
        /// Whether it counts as VRAM.
        vram: bool,
    },
    /// At an address of this process.
    Host(u64),
    /// In the file of another process's card, which is mapped here.
    Import {
        /// Where.
        address: u64,
        /// Whether it counts as VRAM.
        vram: bool,
    },
}

impl Place {
    /// Whether the bytes are a card's own.
    pub fn is_vram(self) -> bool {
        matches!(self, Self::File { vram: true, .. } | Self::Import { vram: true, .. })
    }
}

/// A buffer object.
#[derive(Debug, Clone)]
pub struct Buffer {
    /// Index of the card it was allocated on.
    pub gpu: usize,
    /// `KFD_IOC_ALLOC_MEM_FLAGS_*`.
    pub flags: u32,
    /// GPU address.
    pub va: u64,
    /// Bytes.
    pub size: u64,
    /// Its bytes.
    pub place: Place,
    /// Cards it is mapped to, by bit.
    pub mapped: u64,
    /// How many handles name it.
    pub uses: u32,
    /// The buffer whose bytes an import shares, and which must outlive it.
    pub parent: Option<u64>,
    /// The file of its metadata, once it has any.
    pub metadata: Option<Arc<File>>,
    /// What holds the bytes of [`Place::Import`].
    pub import: Option<Arc<Import>>,
}

impl Buffer {
    /// A buffer that one handle names.
    pub fn new(gpu: usize, flags: u32, va: u64, size: u64, place: Place) -> Self {
        Self { gpu, flags, va, size, place, mapped: 0, uses: 1, parent: None, metadata: None, import: None }
    }

    fn kind(&self) -> Kind {
        match self.place {
            place if place.is_vram() => Kind::Vram,
            _ if self.flags & flag::ANY_COHERENT != 0 => Kind::Uncached,
            _ => Kind::Cached,
        }
    }
}

/// The file behind one card: VRAM first, GTT after it, mapped whole into the emulator.
#[derive(Debug)]
pub struct CardFile {
    /// Address of offset 0 in this process.
    pub base: *mut u8,
    vram: Ranges,
    gtt: Ranges,
}

// SAFETY: `base` is a shared mapping that lives as long as the process; any thread may use it.
unsafe impl Send for CardFile {}
// SAFETY: as above; the ranges are only changed through `&mut`.
unsafe impl Sync for CardFile {}

impl CardFile {
    /// Bytes the file of a card needs.
    pub fn bytes(vram: u64) -> u64 {
        VRAM_START + vram + GTT_BYTES
    }

    /// A card's file mapped at `base`.
    pub fn new(base: *mut u8, vram: u64) -> Self {
        Self { base, vram: Ranges::new(VRAM_START, vram), gtt: Ranges::new(VRAM_START + vram, GTT_BYTES) }
    }
}

/// What one address of one card leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach {
    /// The byte in this process.
    pub host: *mut u8,
    /// Bytes from there that are known to follow.
    pub len: u64,
    /// How the card reaches it.
    pub kind: Kind,
}

/// What memory is to a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Its own.
    Vram,
    /// Of the host, and cached by the card (MTYPE_NC).
    Cached,
    /// Of the host, and not cached (MTYPE_UC): every access goes over the bus.
    Uncached,
}

#[derive(Debug, Clone, Copy)]
struct Mapping {
    len: u64,
    host: u64,
    gpus: u64,
    id: u64,
}

/// All memory of the process that opened KFD.
#[derive(Debug)]
pub struct Memory {
    /// One file per card.
    pub cards: Vec<CardFile>,
    /// Shared virtual memory.
    pub svm: Svm,
    /// KFD ids of the cards, for the SVM look-up.
    gpu_ids: Vec<u32>,
    buffers: HashMap<u64, Buffer>,
    mappings: BTreeMap<u64, Mapping>,
    next: u64,
}

impl Memory {
    /// Memory of a machine with these cards.
    pub fn new(cards: Vec<CardFile>, gpu_ids: Vec<u32>) -> Self {
        Self { cards, svm: Svm::default(), gpu_ids, buffers: HashMap::new(), mappings: BTreeMap::new(), next: 1 }
    }

    /// Bytes of VRAM left on a card.
    pub fn vram_left(&self, gpu: usize) -> u64 {
        self.cards[gpu].vram.free_bytes()
    }

    /// Takes VRAM or GTT of a card.
    pub fn take(&mut self, gpu: usize, size: u64, vram: bool) -> Option<Place> {
        let size = size.next_multiple_of(4096);
        let align = if size >= 2 << 20 { 2 << 20 } else { 4096 };
        let card = &mut self.cards[gpu];
        let offset = if vram { card.vram.take(size, align) } else { card.gtt.take(size, align) }?;
        Some(Place::File { gpu, offset, vram })
    }

    /// Adds a buffer and returns its id, which is unique for the life of the process.
    pub fn add(&mut self, buffer: Buffer) -> u64 {
        let id = self.next;
        self.next += 1;
        self.buffers.insert(id, buffer);
        id
    }

    /// A buffer by id.
    pub fn buffer(&self, id: u64) -> Option<&Buffer> {
        self.buffers.get(&id)
    }

    /// A buffer by id.
    pub fn buffer_mut(&mut self, id: u64) -> Option<&mut Buffer> {
        self.buffers.get_mut(&id)
    }

    /// The buffer whose bytes buffer `id` has: itself, where it is no import of another.
    pub fn root(&self, mut id: u64) -> u64 {
        while let Some(parent) = self.buffers.get(&id).and_then(|buffer| buffer.parent) {
            id = parent;
        }
        id
    }

    /// What was imported of another process's buffer.
    pub fn imported(&self, card: Inode, buffer: u64) -> Option<u64> {
        let is_it = |import: &Import| (import.label.card, import.label.buffer) == (card, buffer);
        let found = self.buffers.iter().find(|(_, b)| b.parent.is_none() && b.import.as_deref().is_some_and(is_it));
        found.map(|(&id, _)| id)
    }

    /// One use less; the last one unmaps the buffer. Returns the part of a card's file to empty.
    pub fn release(&mut self, id: u64) -> Option<(usize, u64, u64)> {
        let buffer = self.buffers.get_mut(&id)?;
        buffer.uses -= 1;
        if buffer.uses > 0 {
            return None;
        }
        let buffer = self.buffers.remove(&id)?;
        self.mappings.retain(|_, mapping| mapping.id != id);
        if let Some(parent) = buffer.parent {
            return self.release(parent);
        }
        match buffer.place {
            Place::File { gpu, offset, .. } => Some((gpu, offset, buffer.size.next_multiple_of(4096))),
            Place::Host(_) | Place::Import { .. } => None,
        }
    }

    /// Gives a released part of a card's file back, once it is empty.
    pub fn give_back(&mut self, gpu: usize, offset: u64, size: u64, vram_bytes: u64) {
        let card = &mut self.cards[gpu];
        let ranges = if offset < VRAM_START + vram_bytes { &mut card.vram } else { &mut card.gtt };
        ranges.give(offset, size);
    }

    /// Where the bytes of a place are in this process.
    pub fn host(&self, place: Place) -> u64 {
        match place {
            Place::File { gpu, offset, .. } => self.cards[gpu].base as u64 + offset,
            Place::Host(address) | Place::Import { address, .. } => address,
        }
    }

    /// Lets the cards in `gpus` see `len` bytes of buffer `id`, from `offset` on, at `va`.
    pub fn map(&mut self, id: u64, va: u64, offset: u64, len: u64, gpus: u64) {
        let Some(buffer) = self.buffers.get(&id) else { return };
        let host = self.host(buffer.place) + offset;
        match self.mappings.get_mut(&va) {
            Some(mapping) if mapping.id == id && mapping.host == host && mapping.len == len => mapping.gpus |= gpus,
            _ => {
                self.mappings.insert(va, Mapping { len, host, gpus, id });
            }
        }
    }

    /// Hides what `gpus` see at `va`.
    pub fn unmap(&mut self, va: u64, gpus: u64) {
        if let Some(mapping) = self.mappings.get_mut(&va) {
            mapping.gpus &= !gpus;
            if mapping.gpus == 0 {
                self.mappings.remove(&va);
            }
        }
    }

    /// The mapping that starts at `va` for card `gpu`: its buffer, and its bytes.
    pub fn mapping(&self, gpu: usize, va: u64) -> Option<(u64, u64)> {
        let mapping = self.mappings.get(&va).filter(|mapping| mapping.gpus & (1 << gpu) != 0)?;
        Some((mapping.id, mapping.len))
    }

    /// Whether a card sees a buffer in this range (`svm_range_check_vm`). Registered memory that it sees elsewhere is none:
    /// Linux looks for that only where a fault makes a range.
    pub fn overlaps(&self, start: u64, size: u64) -> bool {
        let end = start.saturating_add(size);
        self.mappings.iter().any(|(&va, mapping)| va < end && start < va.saturating_add(mapping.len))
    }

    /// What card `gpu` finds at `va`; nothing means a page fault.
    pub fn reach(&self, gpu: usize, va: u64) -> Option<Reach> {
        if let Some((&start, mapping)) = self.mappings.range(..=va).next_back()
            && va - start < mapping.len
            && mapping.gpus & (1 << gpu) != 0
        {
            let into = va - start;
            let kind = self.buffers.get(&mapping.id).map_or(Kind::Uncached, Buffer::kind);
            return Some(Reach { host: (mapping.host + into) as *mut u8, len: mapping.len - into, kind });
        }
        let (end, coherent) = self.svm.reach(self.gpu_ids[gpu], va)?;
        let kind = if coherent { Kind::Uncached } else { Kind::Cached };
        Some(Reach { host: va as *mut u8, len: end - va, kind })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory() -> Memory {
        let cards = (0..2).map(|_| CardFile::new(std::ptr::without_provenance_mut(0x10_0000_0000), 1 << 30)).collect();
        Memory::new(cards, vec![7, 8])
    }

    fn add(memory: &mut Memory, va: u64, size: u64) -> u64 {
        let place = memory.take(0, size, true).unwrap();
        memory.add(Buffer::new(0, flag::VRAM, va, size, place))
    }

    #[test]
    fn a_card_reaches_a_buffer_only_where_and_while_it_is_mapped() {
        let mut memory = memory();
        let id = add(&mut memory, 0x5000, 0x2000);
        assert_eq!(memory.reach(0, 0x5000), None);
        memory.map(id, 0x5000, 0, 0x2000, 1);
        assert_eq!(memory.reach(0, 0x5800).unwrap().len, 0x1800);
        assert_eq!(memory.reach(0, 0x7000), None);
        assert_eq!(memory.reach(1, 0x5800), None);
        memory.unmap(0x5000, 1);
        assert_eq!(memory.reach(0, 0x5800), None);
    }

    #[test]
    fn vram_comes_back_after_the_last_use() {
        let mut memory = memory();
        let before = memory.vram_left(0);
        let id = add(&mut memory, 0x5000, 0x1234);
        assert_eq!(memory.vram_left(0), before - 0x2000);
        memory.buffer_mut(id).unwrap().uses += 1;
        assert_eq!(memory.release(id), None);
        let (gpu, offset, size) = memory.release(id).unwrap();
        memory.give_back(gpu, offset, size, 1 << 30);
        assert_eq!(memory.vram_left(0), before);
    }

    #[test]
    fn registered_memory_is_reached_at_its_own_address() {
        let mut memory = memory();
        memory.svm.set(0x9000, 0x1000, &[(crate::svm::attr::ACCESS, 8)]);
        assert_eq!(memory.reach(1, 0x9010).map(|r| (r.host as u64, r.len)), Some((0x9010, 0xff0)));
        assert_eq!(memory.reach(0, 0x9010), None);
    }
}
