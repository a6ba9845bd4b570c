//! Memory for a start: bytes from an address on.

use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::atomic::Atomic;
use crate::mem::access::update;
use crate::memory::{Fault, Memory};

/// Some bytes from an address on, behind one lock: simple, and not made to be fast.
pub struct Ram {
    base: u64,
    pub(crate) bytes: Mutex<Vec<u8>>,
}

impl Ram {
    /// `len` zeros from the address `base` on.
    #[must_use]
    pub fn new(base: u64, len: usize) -> Self {
        Self { base, bytes: Mutex::new(vec![0; len]) }
    }

    /// Writes words from an address on.
    ///
    /// # Panics
    /// Where they do not fit.
    pub fn put(&self, va: u64, words: &[u32]) {
        for (n, word) in words.iter().enumerate() {
            let stored = self.store(va + 4 * n as u64, &word.to_le_bytes());
            assert_eq!(stored, Ok(()), "{} words at {va:#x} do not fit", words.len());
        }
    }

    /// The word at an address.
    ///
    /// # Panics
    /// Where there is none.
    #[must_use]
    pub fn word(&self, va: u64) -> u32 {
        let mut bytes = [0; 4];
        assert_eq!(self.load(va, &mut bytes), Ok(()), "no word at {va:#x}");
        u32::from_le_bytes(bytes)
    }

    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn range(&self, bytes: &[u8], va: u64, len: usize) -> Result<Range<usize>, Fault> {
        let start = va.checked_sub(self.base).and_then(|at| usize::try_from(at).ok()).ok_or(Fault { va })?;
        let end = start.checked_add(len).filter(|&end| end <= bytes.len()).ok_or(Fault { va })?;
        Ok(start..end)
    }
}

impl Memory for Ram {
    fn load(&self, va: u64, into: &mut [u8]) -> Result<(), Fault> {
        let bytes = self.bytes();
        into.copy_from_slice(&bytes[self.range(&bytes, va, into.len())?]);
        Ok(())
    }

    fn store(&self, va: u64, from: &[u8]) -> Result<(), Fault> {
        let mut bytes = self.bytes();
        let range = self.range(&bytes, va, from.len())?;
        bytes[range].copy_from_slice(from);
        Ok(())
    }

    fn atomic(&self, va: u64, wide: bool, op: Atomic, data: u64, compare: u64) -> Result<u64, Fault> {
        let mut bytes = self.bytes();
        let range = self.range(&bytes, va, if wide { 8 } else { 4 })?;
        Ok(update(&mut bytes[range], op, data, compare))
    }
}
