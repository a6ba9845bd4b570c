//! First-fit allocation of offsets.

use std::collections::BTreeMap;

/// Free ranges of an address space, by start.
#[derive(Debug)]
pub struct Ranges {
    free: BTreeMap<u64, u64>,
    free_bytes: u64,
}

impl Ranges {
    /// Everything from `start` on, `len` bytes, is free.
    pub fn new(start: u64, len: u64) -> Self {
        Self { free: BTreeMap::from([(start, len)]), free_bytes: len }
    }

    /// Bytes not taken.
    pub fn free_bytes(&self) -> u64 {
        self.free_bytes
    }

    /// Takes `len` bytes at a multiple of `align`.
    pub fn take(&mut self, len: u64, align: u64) -> Option<u64> {
        let (start, size, at) = self.free.iter().find_map(|(&start, &size)| {
            let at = start.next_multiple_of(align);
            (at - start <= size && size - (at - start) >= len).then_some((start, size, at))
        })?;
        self.free.remove(&start);
        if at > start {
            self.free.insert(start, at - start);
        }
        if start + size > at + len {
            self.free.insert(at + len, start + size - at - len);
        }
        self.free_bytes -= len;
        Some(at)
    }

    /// Gives back a range that [`Ranges::take`] returned.
    pub fn give(&mut self, mut start: u64, mut len: u64) {
        self.free_bytes += len;
        if let Some((&before, &size)) = self.free.range(..start).next_back()
            && before + size == start
        {
            self.free.remove(&before);
            start = before;
            len += size;
        }
        if let Some(size) = self.free.remove(&(start + len)) {
            len += size;
        }
        self.free.insert(start, len);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_aligned_disjoint_and_come_back_whole() {
        let mut ranges = Ranges::new(0x1000, 0x10_0000);
        let a = ranges.take(0x3000, 0x1000).unwrap();
        let b = ranges.take(0x2000, 0x8000).unwrap();
        assert_eq!((a, b % 0x8000), (0x1000, 0));
        assert!(b >= a + 0x3000);
        assert_eq!(ranges.free_bytes(), 0x10_0000 - 0x5000);
        ranges.give(a, 0x3000);
        ranges.give(b, 0x2000);
        assert_eq!(ranges.take(0x10_0000, 0x1000), Some(0x1000));
    }

    #[test]
    fn a_full_space_refuses() {
        let mut ranges = Ranges::new(0, 0x2000);
        assert!(ranges.take(0x2000, 0x1000).is_some());
        assert_eq!(ranges.take(0x1000, 0x1000), None);
    }
}
