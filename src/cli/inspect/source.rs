//! Reading pieces of a large file that may be anything.
//!
//! A memory map would need unsafe code, and a file that shrinks under it ends the process with SIGBUS. Positioned reads
//! of the few bytes that matter need neither.

use super::InspectError;
use std::cell::Cell;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

/// The largest piece that is ever held at once, in bytes: 65,535 section headers fit.
const BYTES_LIMIT: u64 = 4 << 20;

/// A regular file, read at positions.
#[derive(Debug)]
pub(crate) struct Source {
    file: File,
    size: u64,
    read: Cell<u64>,
}

impl Source {
    /// Opens a regular file. Devices, FIFOs, sockets and folders are refused, and opening one of them does not wait.
    pub fn open(path: &Path) -> Result<Self, InspectError> {
        let refused = |source| InspectError::Unreadable { path: path.into(), source };
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
        let file = options.open(path).map_err(refused)?;
        let metadata = file.metadata().map_err(refused)?;
        if !metadata.is_file() {
            return Err(InspectError::NotAFile(path.into()));
        }
        Ok(Self { file, size: metadata.len(), read: Cell::new(0) })
    }

    /// Bytes read so far.
    pub fn bytes_read(&self) -> u64 {
        self.read.get()
    }

    /// All of it.
    pub fn whole(&self) -> Span<'_> {
        Span { source: self, start: 0, end: self.size }
    }

    /// Fills the buffer from `offset`; fewer bytes only where the file ends.
    fn fill(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.file.read_at(&mut buffer[filled..], offset.saturating_add(filled as u64)) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.read.set(self.read.get() + filled as u64);
        Ok(filled)
    }
}

/// Part of a [`Source`]; offsets count from its start. As a `Read` it gives its bytes one after another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span<'a> {
    source: &'a Source,
    start: u64,
    end: u64,
}

impl<'a> Span<'a> {
    /// Its length in bytes.
    pub fn size(self) -> u64 {
        self.end - self.start
    }

    /// The part of it from `offset` on, `size` bytes long. None where it has them not.
    pub fn slice(self, offset: u64, size: u64) -> Option<Self> {
        let start = self.start.checked_add(offset)?;
        let end = start.checked_add(size)?;
        (end <= self.end).then_some(Self { start, end, ..self })
    }

    /// All of it from `offset` on.
    pub fn tail(self, offset: u64) -> Option<Self> {
        self.slice(offset, self.size().checked_sub(offset)?)
    }

    /// Fills the buffer from `offset`; fewer bytes only at its end.
    pub fn fill(self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.size().saturating_sub(offset);
        let length = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        self.source.fill(self.start.saturating_add(offset), &mut buffer[..length])
    }

    /// Exactly these bytes. None where it has them not, or they are more than is ever needed.
    pub fn bytes(self, offset: u64, size: u64) -> Option<Vec<u8>> {
        self.slice(offset, size).filter(|_| size <= BYTES_LIMIT)?;
        let mut bytes = vec![0; size as usize];
        (self.fill(offset, &mut bytes).ok()? == bytes.len()).then_some(bytes)
    }

    /// Exactly `N` bytes.
    pub fn array<const N: usize>(self, offset: u64) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        (self.fill(offset, &mut bytes).ok()? == N).then_some(bytes)
    }
}

impl Read for Span<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill(0, buffer)?;
        self.start += count as u64;
        Ok(count)
    }
}
