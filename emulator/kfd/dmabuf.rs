//! dma-buf descriptors, by which processes share a buffer.
//!
//! One is an end of a pair of sockets, at which a message waits that everybody reads and nobody takes: where the buffer lies, with the
//! descriptors of the files that have its bytes and its metadata. Who imports the buffer keeps the end, so that the exporter
//! sees at the other one whether anybody still has it.

use std::fs::File;
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, IntoRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::FdFlags;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, SocketFlags, SocketType,
};

/// Device and inode number of an open file.
pub type Inode = (u64, u64);

/// What a message begins with: "rmcpbuf" and a version.
const MAGIC: u64 = u64::from_le_bytes(*b"rmcpbuf1");
const WORDS: usize = 8;

/// Where a buffer lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label {
    /// The file of the exporter's card.
    pub card: Inode,
    /// The exporter's id of the buffer.
    pub buffer: u64,
    /// KFD id of the card.
    pub gpu_id: u32,
    /// `KFD_IOC_ALLOC_MEM_FLAGS_*`.
    pub flags: u32,
    /// Offset in the card's file.
    pub offset: u64,
    /// Bytes.
    pub size: u64,
}

/// A descriptor that was opened: a buffer, of this process or another.
pub struct Opened {
    pub label: Label,
    /// The card's file.
    pub card: OwnedFd,
    pub metadata: File,
}

/// The exporter's end.
pub struct Export(OwnedFd);

/// What another process shares.
#[derive(Debug)]
pub struct Import {
    pub label: Label,
    /// The card's file.
    pub card: OwnedFd,
    /// The descriptor, for as long as the buffer is used here.
    pub held: OwnedFd,
    /// Its bytes in this process.
    pub address: u64,
}

impl Drop for Import {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's, and no card sees it any more.
        unsafe { libc::munmap(self.address as *mut libc::c_void, self.label.size as usize) };
    }
}

/// Makes a descriptor for a buffer, and the exporter's end.
pub fn export(
    label: &Label,
    card: BorrowedFd<'_>,
    metadata: &File,
    close_on_exec: bool,
) -> Result<(OwnedFd, Export), i32> {
    let kind = SocketType::SEQPACKET;
    let (shared, own) =
        rustix::net::socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None).map_err(errno)?;
    let own = move_away(own)?;
    if !close_on_exec {
        rustix::io::fcntl_setfd(&shared, FdFlags::empty()).map_err(errno)?;
    }
    let words: [u64; WORDS] = [
        MAGIC,
        label.card.0,
        label.card.1,
        label.buffer,
        label.gpu_id.into(),
        label.flags.into(),
        label.offset,
        label.size,
    ];
    let text = words.map(u64::to_le_bytes).concat();
    let files = [card, metadata.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    ancillary.push(SendAncillaryMessage::ScmRights(&files));
    rustix::net::sendmsg(&own, &[IoSlice::new(&text)], &mut ancillary, SendFlags::NOSIGNAL).map_err(errno)?;
    Ok((shared, Export(own)))
}

/// What a descriptor is; EBADF where it is none, EINVAL where it is no dma-buf.
pub fn open(fd: BorrowedFd<'_>) -> Result<Opened, i32> {
    let mut text = [0; 8 * WORDS];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
    let received = rustix::net::recvmsg(fd, &mut [IoSliceMut::new(&mut text)], &mut ancillary, flags);
    let received = received.map_err(|error| if errno(error) == libc::EBADF { libc::EBADF } else { libc::EINVAL })?;
    let mut files = ancillary.drain().flat_map(|message| match message {
        RecvAncillaryMessage::ScmRights(files) => files.collect::<Vec<_>>(),
        _ => Vec::new(),
    });
    let (Some(card), Some(metadata)) = (files.next(), files.next()) else { return Err(libc::EINVAL) };
    let word = |n: usize| text[8 * n..8 * n + 8].try_into().map_or(0, u64::from_le_bytes);
    if received.bytes != text.len() || word(0) != MAGIC {
        return Err(libc::EINVAL);
    }
    let label = Label {
        card: (word(1), word(2)),
        buffer: word(3),
        gpu_id: word(4) as u32,
        flags: word(5) as u32,
        offset: word(6),
        size: word(7),
    };
    Ok(Opened { label, card, metadata: metadata.into() })
}

impl Opened {
    /// Maps the bytes of another process's buffer, and keeps its descriptor.
    pub fn import(self, fd: BorrowedFd<'_>) -> Result<(Import, Arc<File>), i32> {
        let held = move_away(fd.try_clone_to_owned().map_err(|_| libc::EMFILE)?)?;
        let card = move_away(self.card)?;
        let metadata = move_away(self.metadata.into())?;
        let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_NORESERVE);
        let Label { size, offset, .. } = self.label;
        let file = std::os::fd::AsRawFd::as_raw_fd(&card);
        // SAFETY: a fresh mapping, which the import owns.
        let address = unsafe {
            let at = libc::mmap(std::ptr::null_mut(), size as usize, protection, flags, file, offset as i64);
            if at == libc::MAP_FAILED {
                return Err(libc::ENOMEM);
            }
            libc::madvise(at, size as usize, libc::MADV_DONTFORK);
            at as u64
        };
        Ok((Import { label: self.label, card, held, address }, Arc::new(metadata.into())))
    }
}

impl Import {
    /// The descriptor once more, for the program.
    pub fn export(&self, close_on_exec: bool) -> Result<i32, i32> {
        let again =
            if close_on_exec { rustix::io::fcntl_dupfd_cloexec(&self.held, 0) } else { rustix::io::dup(&self.held) };
        Ok(again.map_err(errno)?.into_raw_fd())
    }
}

impl Export {
    /// Whether a descriptor of the buffer is open, or the buffer imported, anywhere.
    pub fn is_held(&self) -> bool {
        let mut ends = [PollFd::new(&self.0, PollFlags::empty())];
        let polled = rustix::event::poll(&mut ends, Some(&Timespec::default()));
        polled.is_err() || !ends[0].revents().contains(PollFlags::HUP)
    }
}

/// An empty file for a buffer's metadata.
pub fn metadata_file() -> Result<Arc<File>, i32> {
    let file = rustix::fs::memfd_create(c"rmcp-metadata", rustix::fs::MemfdFlags::CLOEXEC).map_err(errno)?;
    Ok(Arc::new(move_away(file)?.into()))
}

/// What `DRM_IOCTL_AMDGPU_GEM_METADATA` keeps of a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metadata {
    pub flags: u64,
    pub tiling: u64,
    /// Bytes of `data` that are set.
    pub size: u32,
    pub data: [u8; Metadata::BYTES],
}

impl Metadata {
    /// The room for them.
    pub const BYTES: usize = 256;
    /// Bytes before `data` in a file.
    const HEAD: usize = 20;

    /// Of a file; nothing where nothing was written.
    pub fn read(file: Option<&File>) -> Self {
        let mut all = [0; Self::HEAD + Self::BYTES];
        // What is missing is zero.
        let _ = file.map(|file| file.read_at(&mut all, 0));
        let word = |at: usize| all[at..at + 8].try_into().map_or(0, u64::from_le_bytes);
        let mut data = [0; Self::BYTES];
        data.copy_from_slice(&all[Self::HEAD..]);
        Self { flags: word(0), tiling: word(8), size: word(16) as u32, data }
    }

    pub fn write(&self, file: &File) -> std::io::Result<()> {
        let head = [&self.flags.to_le_bytes()[..], &self.tiling.to_le_bytes(), &self.size.to_le_bytes()].concat();
        file.write_all_at(&[&head[..], &self.data].concat(), 0)
    }
}

/// Moves a descriptor out of the way of programs that expect small numbers, or close them all.
fn move_away(fd: OwnedFd) -> Result<OwnedFd, i32> {
    const OUT_OF_THE_WAY: i32 = 200;
    Ok(rustix::io::fcntl_dupfd_cloexec(&fd, OUT_OF_THE_WAY).unwrap_or(fd))
}

fn errno(error: rustix::io::Errno) -> i32 {
    error.raw_os_error()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LABEL: Label = Label { card: (1, 2), buffer: 3, gpu_id: 4, flags: 1, offset: 4096, size: 8192 };

    /// A card's file with a byte in the buffer.
    fn card() -> File {
        let file = metadata_file().unwrap().try_clone().unwrap();
        file.set_len(1 << 20).unwrap();
        file.write_at(&[7], LABEL.offset).unwrap();
        file
    }

    #[test]
    fn a_descriptor_is_opened_as_often_as_one_likes() {
        let (card, metadata) = (card(), metadata_file().unwrap());
        let (shared, export) = export(&LABEL, card.as_fd(), &metadata, true).unwrap();
        for _ in 0..3 {
            assert_eq!(open(shared.as_fd()).unwrap().label, LABEL);
        }
        drop(export);
        let (import, _) = open(shared.as_fd()).unwrap().import(shared.as_fd()).unwrap();
        // SAFETY: the first byte of the import.
        assert_eq!(unsafe { *(import.address as *const u8) }, 7, "though the exporter is gone");
    }

    #[test]
    fn the_exporter_sees_whether_anybody_has_the_buffer() {
        let (card, metadata) = (card(), metadata_file().unwrap());
        let (shared, export) = export(&LABEL, card.as_fd(), &metadata, true).unwrap();
        let import = open(shared.as_fd()).unwrap().import(shared.as_fd()).unwrap();
        drop(shared);
        assert!(export.is_held());
        drop(import);
        assert!(!export.is_held());
    }

    #[test]
    fn another_file_is_no_buffer() {
        assert_eq!(open(card().as_fd()).err(), Some(libc::EINVAL));
        let pair =
            rustix::net::socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap();
        assert_eq!(open(pair.0.as_fd()).err(), Some(libc::EINVAL));
        rustix::net::send(&pair.1, b"rmcpbuf1", SendFlags::empty()).unwrap();
        assert_eq!(open(pair.0.as_fd()).err(), Some(libc::EINVAL));
    }
}
