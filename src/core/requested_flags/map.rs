//! A map from the addresses of allocations to their hipHostMalloc flags, for any number of threads.
//!
//! A table is an array of buckets. An address has one bucket in each table, the first that has room takes it, and there
//! it stays until it is removed. A lookup reads the address's bucket of every table. From that follows what matters:
//!
//! - A slot is one word, either empty or an address with its flags, and changes by compare-and-swap alone. Whatever
//!   moment a fork chooses, the child's map is sound.
//! - Entries never move, so a lookup cannot miss one because of what other addresses do meanwhile.
//! - A removed entry leaves an empty slot and no tombstone: no operation ever reads more than a bucket per table,
//!   however many allocations came and went.
//! - No lock and, but for the one that adds a table, no allocation: a table is added when a bucket is full, is published
//!   by one compare-and-swap, and lives as long as the map.

use super::{AtomicU64, FIRST, GROWTH, SLOTS};
use once_cell::race::OnceBox;
use rmcp_abi::flags;
use std::collections::TryReserveError;
// The flags are part of the word that is read or swapped, and whoever holds an address got it from the thread that
// inserted it: nothing else needs an order.
use std::sync::atomic::Ordering::{Relaxed, SeqCst};

/// Allocations begin on a page, so the lower bits of a slot have room for the flags.
const PAGE: u64 = 4096;
/// hipHostMalloc's flags: three bits at the bottom, four at the top.
const FLAGS: u32 = flags::HOST_PORTABLE
    | flags::HOST_MAPPED
    | flags::HOST_WRITE_COMBINED
    | flags::HOST_UNCACHED
    | flags::HOST_NUMA_USER
    | flags::HOST_COHERENT
    | flags::HOST_NON_COHERENT;
const _: () = assert!(FLAGS == 0xf000_0007);

/// The slots of the addresses with a common hash, on one cache line.
#[derive(Default)]
#[repr(align(64))]
pub struct Bucket(pub(super) [AtomicU64; SLOTS]);

/// See the module.
pub struct FlagMap {
    pub(super) first: [Bucket; FIRST],
    pub(super) further: [OnceBox<Vec<Bucket>>; 2],
}

impl FlagMap {
    /// Remembers the flags of a new allocation. False, and nothing is remembered, for what hipHostMalloc would not
    /// return (zero, not page-aligned) or not take (unknown flags), and when there is no room.
    ///
    /// What is freed is not told: where a bucket is full, `is_alive` says which of its allocations there still are.
    pub fn insert(&self, address: u64, flags: u32, is_alive: impl Fn(u64) -> bool) -> bool {
        let Some(entry) = pack(address, flags) else { return false };
        // It is still here if memory that lay there before was freed.
        if let Some((slot, before)) = self.find(address)
            && (before == entry || slot.compare_exchange(before, entry, Relaxed, Relaxed).is_ok())
        {
            return true;
        }
        let first = bucket(&self.first, address);
        first.claim(entry) || self.drop_freed(first, is_alive) && first.claim(entry) || self.claim_further(entry)
    }

    /// Puts `entry` into a table behind the first.
    fn claim_further(&self, entry: u64) -> bool {
        self.further.iter().zip(1..).any(|(table, nth)| {
            let table = table.get_or_try_init(|| new_table(FIRST * GROWTH.pow(nth)).map(Box::new));
            table.is_ok_and(|table| bucket(table, address_of(entry)).claim(entry))
        })
    }

    /// Forgets what of a bucket is freed. Whether there was any.
    #[cold]
    fn drop_freed(&self, bucket: &Bucket, is_alive: impl Fn(u64) -> bool) -> bool {
        let mut any = false;
        for slot in &bucket.0 {
            let entry = slot.load(Relaxed);
            if entry == 0 || is_alive(address_of(entry)) || slot.compare_exchange(entry, 0, SeqCst, Relaxed).is_err() {
                continue;
            }
            any = true;
            // Another thread may have come to own the address meanwhile, and found what was just dropped.
            if is_alive(address_of(entry)) && self.find(address_of(entry)).is_none() {
                any = !bucket.claim(entry) && !self.claim_further(entry);
            }
        }
        any
    }

    /// The flags of an allocation.
    pub fn get(&self, address: u64) -> Option<u32> {
        self.find(address).map(|(_, entry)| flags_of(entry))
    }

    /// Forgets an allocation; returns its flags.
    pub fn remove(&self, address: u64) -> Option<u32> {
        let (slot, entry) = self.find(address)?;
        // Fails only if the program frees the address twice at once: then the other call has removed it.
        slot.compare_exchange(entry, 0, Relaxed, Relaxed).ok().map(flags_of)
    }

    /// How many allocations are remembered; reads every slot.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.tables().flatten().flat_map(|bucket| &bucket.0).filter(|slot| slot.load(Relaxed) != 0).count()
    }

    /// The tables that exist, in the order in which they take an address.
    pub(super) fn tables(&self) -> impl Iterator<Item = &[Bucket]> {
        let further = self.further.iter().filter_map(OnceBox::get);
        std::iter::once(&self.first[..]).chain(further.map(Vec::as_slice))
    }

    fn find(&self, address: u64) -> Option<(&AtomicU64, u64)> {
        let entry = pack(address, 0)?;
        self.tables().find_map(|table| bucket(table, address).find(entry))
    }
}

impl Bucket {
    /// The slot of the address in `wanted`, and what it holds.
    fn find(&self, wanted: u64) -> Option<(&AtomicU64, u64)> {
        let mut entries = self.0.iter().map(|slot| (slot, slot.load(Relaxed)));
        entries.find(|(_, entry)| entry ^ wanted < PAGE)
    }

    /// Puts `entry` into an empty slot, if there is one.
    fn claim(&self, entry: u64) -> bool {
        let empty = |slot: &&AtomicU64| slot.load(Relaxed) == 0;
        self.0.iter().filter(empty).any(|slot| slot.compare_exchange(0, entry, Relaxed, Relaxed).is_ok())
    }
}

/// The bucket of `address` in `table`: the upper bits of a multiplicative hash of the page number.
pub(super) fn bucket(table: &[Bucket], address: u64) -> &Bucket {
    let hash = (address / PAGE).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    &table[((u128::from(hash) * table.len() as u128) >> 64) as usize]
}

/// An error in place of the abort that an ordinary vector would answer a lack of memory with.
#[cold]
fn new_table(buckets: usize) -> Result<Vec<Bucket>, TryReserveError> {
    let mut table = Vec::new();
    table.try_reserve_exact(buckets)?;
    table.resize_with(buckets, Bucket::default);
    Ok(table)
}

/// A slot's content: never 0, which is an empty slot.
fn pack(address: u64, flags: u32) -> Option<u64> {
    let fits = address != 0 && address.is_multiple_of(PAGE) && flags & !FLAGS == 0;
    fits.then(|| address | u64::from(flags & 0x7 | (flags >> 28) << 3))
}

fn address_of(entry: u64) -> u64 {
    entry & !(PAGE - 1)
}

fn flags_of(entry: u64) -> u32 {
    let bits = (entry % PAGE) as u32;
    bits & 0x7 | (bits >> 3) << 28
}
