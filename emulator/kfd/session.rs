//! What one process has open: the descriptors of the device nodes and everything behind them.
//!
//! A descriptor is known by its inode, so copies of it (dup, a socket) are too. A forked child starts
//! afresh: the kernel refuses a KFD descriptor to any process but the one that opened it.

use std::collections::HashMap;
use std::fs::File;
use std::ops::Range;
use std::os::fd::{BorrowedFd, IntoRawFd};
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use gfx10::Gws;

use crate::dmabuf::{self, Export, Import, Inode, Label};
use crate::events::{Events, Fault};
use crate::gl2::{self, Gl2};
use crate::log;
use crate::memory::{Buffer, CardFile, Memory, Place, Reach, flag};
use crate::queue::Queue;
use crate::tree::{Device, Tree};
use rmcp_machine::Gpu;

/// Bytes of doorbells per card and process on gfx9 and later: 1024 of 8 bytes.
pub const DOORBELL_BYTES: u64 = 8192;
/// Offset of the remapped register page in the file behind `/dev/kfd`; doorbells lie before it.
pub const MMIO_OFFSET: u64 = 1 << 20;
/// Offset of the event page, for callers that map it from `/dev/kfd`.
pub const EVENT_PAGE_OFFSET: u64 = 2 << 20;

/// Where a card's doorbells are in the file behind `/dev/kfd`. The thunk of 5.2.3 takes all of the lower
/// 32 bits for an offset within the page when it maps a card's first doorbell.
pub const fn doorbells(gpu: usize) -> u64 {
    (gpu as u64) << 32
}

struct OpenFile {
    fd: i32,
    inode: Inode,
}

/// A part of a card's file: the card, the offset and the bytes.
type Part = (usize, u64, u64);

/// What of this process's buffers others may have.
#[derive(Default)]
struct Exports {
    /// The exports of each buffer.
    live: HashMap<u64, Vec<Export>>,
    /// Those of buffers that are gone here, with the memory that they lie in.
    left: Vec<(Part, Vec<Export>)>,
}

/// State of the process that opened a device node.
pub struct Session {
    pid: i32,
    /// The machine.
    pub tree: &'static Tree,
    kfd: OpenFile,
    /// Address of the file behind `/dev/kfd`.
    pub kfd_base: *mut u8,
    cards: Vec<OpenFile>,
    /// Cards that are bound to a render node, by bit.
    bound: AtomicU64,
    memory: RwLock<Memory>,
    /// Counts changes of the memory, so that what was looked up can be kept until the next.
    changes: AtomicU64,
    /// The cache of each card.
    pub gl2: Vec<Gl2>,
    /// Global wave sync of each card.
    pub gws: Vec<Gws>,
    /// KFD events.
    pub events: Events,
    /// Queues by id.
    pub queues: Mutex<HashMap<u32, Queue>>,
    /// GEM handles per card, and the buffers they name.
    pub gem: Mutex<HashMap<(usize, u32), u64>>,
    exports: Mutex<Exports>,
    next: AtomicU64,
}

// SAFETY: `kfd_base` is a shared mapping that lives as long as the process.
unsafe impl Send for Session {}
// SAFETY: as above; the rest is locked.
unsafe impl Sync for Session {}

static CURRENT: AtomicPtr<Session> = AtomicPtr::new(std::ptr::null_mut());

/// What a descriptor is.
pub enum Opened {
    /// A device node of this process.
    Node(&'static Session, Device),
    /// A device node that a parent process opened.
    ParentsNode(Device),
}

/// The session of this process, if it has one.
pub fn current() -> Option<&'static Session> {
    let found = any()?;
    (found.pid == pid()).then_some(found)
}

/// The session of this process or, in a forked child, of its parent.
fn any() -> Option<&'static Session> {
    // SAFETY: sessions are leaked, so a pointer once stored stays valid.
    unsafe { CURRENT.load(Ordering::Acquire).as_ref() }
}

/// What `fd` is, when it is ours.
pub fn identify(fd: i32) -> Option<Opened> {
    let session = any()?;
    let inode = inode(fd)?;
    let device = session.device(inode)?;
    Some(if session.pid == pid() { Opened::Node(session, device) } else { Opened::ParentsNode(device) })
}

/// Opens a device node: a new descriptor, or the negated errno.
pub fn open(tree: &'static Tree, device: Device, flags: i32) -> Result<i32, i32> {
    static OPENING: Mutex<()> = Mutex::new(());
    let session = match current() {
        Some(session) => session,
        // A lock that another thread held at fork would never be released in the child.
        None if any().is_some() => start(tree)?,
        None => {
            let _only = OPENING.lock().unwrap_or_else(PoisonError::into_inner);
            match current() {
                Some(session) => session,
                None => start(tree)?,
            }
        }
    };
    session.duplicate(device, flags)
}

fn start(tree: &'static Tree) -> Result<&'static Session, i32> {
    let session = Box::leak(Box::new(Session::new(tree)?));
    CURRENT.store(session, Ordering::Release);
    Ok(session)
}

impl Session {
    fn new(tree: &'static Tree) -> Result<Self, i32> {
        let (kfd, kfd_base) = memory_file(c"rmcp-kfd", doorbells(tree.machine.gpu.len()))?;
        // The first ring of an AQL doorbell may write 0, so "never rung" is another value.
        let mut cards = Vec::new();
        let mut files = Vec::new();
        for gpu in &tree.machine.gpu {
            let (file, base) = memory_file(c"rmcp-vram", CardFile::bytes(gpu.vram_bytes))?;
            cards.push(file);
            files.push(CardFile::new(base, gpu.vram_bytes));
        }
        let cached = gl2::is_enabled();
        let ids = tree.machine.gpu.iter().map(Gpu::gpu_id).collect();
        Ok(Self {
            pid: pid(),
            tree,
            kfd,
            kfd_base,
            cards,
            bound: AtomicU64::new(0),
            memory: RwLock::new(Memory::new(files, ids)),
            changes: AtomicU64::new(0),
            gl2: tree.machine.gpu.iter().map(|_| Gl2::new(cached)).collect(),
            gws: tree.machine.gpu.iter().map(|_| Gws::default()).collect(),
            events: Events::default(),
            queues: Mutex::default(),
            gem: Mutex::default(),
            exports: Mutex::default(),
            next: AtomicU64::new(1),
        })
    }

    /// The card with KFD id `gpu_id`.
    pub fn gpu(&self, gpu_id: u32) -> Option<(usize, &'static Gpu)> {
        self.tree.machine.gpu.iter().enumerate().find(|(_, gpu)| gpu.gpu_id() == gpu_id)
    }

    /// The card with this id, once the process has bound it to a render node (`kfd_bind_process_to_device`).
    pub fn bound(&self, gpu_id: u32) -> Result<(usize, &'static Gpu), i32> {
        let (gpu, card) = self.gpu(gpu_id).ok_or(libc::EINVAL)?;
        if self.bound.load(Ordering::Acquire) & 1 << gpu == 0 { Err(libc::ENODEV) } else { Ok((gpu, card)) }
    }

    /// Binds a card to a render node of its own.
    pub fn bind(&self, gpu_id: u32, render: i32) -> Result<(), i32> {
        let (gpu, _) = self.gpu(gpu_id).ok_or(libc::EINVAL)?;
        match identify(render) {
            Some(Opened::Node(_, Device::Drm { gpu: opened, .. })) if opened == gpu => {
                self.bound.fetch_or(1 << gpu, Ordering::AcqRel);
                Ok(())
            }
            _ => Err(libc::EINVAL),
        }
    }

    /// The memory, to look at.
    pub fn memory(&self) -> RwLockReadGuard<'_, Memory> {
        self.memory.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The memory, to change.
    pub fn memory_mut(&self) -> RwLockWriteGuard<'_, Memory> {
        self.changes.fetch_add(1, Ordering::AcqRel);
        self.memory.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number that differs after every change of the memory.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// The queues.
    pub fn queues(&self) -> MutexGuard<'_, HashMap<u32, Queue>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The GEM handles.
    pub fn gem(&self) -> MutexGuard<'_, HashMap<(usize, u32), u64>> {
        self.gem.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number that was not used before.
    pub fn fresh(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// What card `gpu` finds at `va`, at least `len` bytes of it; a miss is a page fault.
    pub fn reach(&self, gpu: usize, va: u64, len: u64) -> Result<*mut u8, PageFault> {
        match self.memory().reach(gpu, va) {
            Some(Reach { host, len: there, .. }) if there >= len => Ok(host),
            _ => Err(PageFault { gpu, va }),
        }
    }

    /// Tells the program of a page fault, as the kernel does through its memory events.
    pub fn report(&self, fault: PageFault) {
        let gpu_id = self.tree.machine.gpu[fault.gpu].gpu_id();
        log::event("fault", serde_json::json!({ "gpu_id": gpu_id, "va": log::hex(fault.va) }));
        self.events.fault(Fault { va: fault.va & !0xfff, gpu_id });
    }

    /// Has every card release what its cache holds of this part of the host's memory.
    pub fn release_caches(&self, host: Range<u64>) {
        self.gl2.iter().for_each(|gl2| gl2.release_range(host.clone()));
    }

    /// Has every card release what its cache holds of a buffer.
    pub fn release_caches_of(&self, buffer: u64) {
        let memory = self.memory();
        let Some(buffer) = memory.buffer(buffer) else { return };
        let host = memory.host(buffer.place);
        let end = host + buffer.size;
        drop(memory);
        self.release_caches(host..end);
    }

    /// Drops a use of a buffer and empties its memory after the last.
    pub fn release(&self, buffer: u64) {
        self.release_caches_of(buffer);
        let mut memory = self.memory_mut();
        let root = memory.root(buffer);
        if let Some(part) = memory.release(buffer) {
            let mut exports = self.exports();
            let held = exports.live.remove(&root).unwrap_or_default();
            exports.left.push((part, held));
        }
        self.reclaim(&mut memory);
    }

    /// Empties and gives back the memory of released buffers that nobody has any more.
    pub fn reclaim(&self, memory: &mut Memory) {
        let mut exports = self.exports();
        exports.left.retain_mut(|((gpu, offset, size), held)| {
            held.retain(Export::is_held);
            if held.is_empty() {
                let hole = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
                // SAFETY: our own descriptor; the range belonged to the buffer alone.
                unsafe { libc::fallocate(self.cards[*gpu].fd, hole, *offset as i64, *size as i64) };
                memory.give_back(*gpu, *offset, *size, self.tree.machine.gpu[*gpu].vram_bytes);
            }
            !held.is_empty()
        });
    }

    fn exports(&self) -> MutexGuard<'_, Exports> {
        self.exports.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A dma-buf descriptor for a buffer.
    pub fn export(&self, id: u64, close_on_exec: bool) -> Result<i32, i32> {
        let metadata = self.metadata(id)?;
        let memory = self.memory();
        let root = memory.root(id);
        let buffer = memory.buffer(root).ok_or(libc::EINVAL)?;
        if let Some(import) = &buffer.import {
            return import.export(close_on_exec);
        }
        // Linux refuses registered memory of the process (`amdgpu_gem_prime_export`).
        let Place::File { gpu, offset, .. } = buffer.place else { return Err(libc::EPERM) };
        let card = &self.cards[gpu];
        let (flags, gpu_id) = (buffer.flags, self.tree.machine.gpu[buffer.gpu].gpu_id());
        let label = Label { card: card.inode, buffer: root, gpu_id, flags, offset, size: buffer.size };
        // SAFETY: the card's file is open as long as the process, unless the program closes what it did not open.
        let file = unsafe { BorrowedFd::borrow_raw(card.fd) };
        let (shared, export) = dmabuf::export(&label, file, &metadata, close_on_exec)?;
        let mut exports = self.exports();
        let all = exports.live.entry(root).or_default();
        all.retain(Export::is_held);
        all.push(export);
        Ok(shared.into_raw_fd())
    }

    /// The buffer behind a dma-buf descriptor, in memory of this process or imported from another: EBADF where it is no
    /// descriptor, EINVAL where it is no dma-buf of these cards. It has a use more, for the caller to release.
    pub fn import(&self, fd: i32) -> Result<u64, i32> {
        if inode(fd).is_none() {
            return Err(libc::EBADF);
        }
        // SAFETY: an open descriptor, which the program does not close while it makes a call on it.
        let fd = unsafe { BorrowedFd::borrow_raw(fd) };
        let opened = dmabuf::open(fd)?;
        let label = opened.label;
        let (gpu, _) = self.gpu(label.gpu_id).ok_or(libc::EINVAL)?;
        let mut memory = self.memory_mut();
        if self.cards.iter().any(|card| card.inode == label.card) {
            memory.buffer_mut(label.buffer).ok_or(libc::EINVAL)?.uses += 1;
            return Ok(label.buffer);
        }
        if let Some(known) = memory.imported(label.card, label.buffer) {
            memory.buffer_mut(known).ok_or(libc::EINVAL)?.uses += 1;
            return Ok(known);
        }
        let (import, metadata) = opened.import(fd)?;
        let place = Place::Import { address: import.address, vram: label.flags & flag::VRAM != 0 };
        let (import, metadata) = (Some(Arc::new(import)), Some(metadata));
        let buffer = Buffer::new(gpu, label.flags, 0, label.size, place);
        Ok(memory.add(Buffer { import, metadata, ..buffer }))
    }

    /// What a render node shows at `into` the window of buffer `id`: whose file, and where in it.
    pub fn shown(&self, fd: i32, id: u64, into: u64) -> Option<(Arc<Import>, u64)> {
        let Device::Drm { .. } = self.device(inode(fd)?)? else { return None };
        let memory = self.memory();
        let import = memory.buffer(id)?.import.clone()?;
        let offset = import.label.offset + into;
        Some((import, offset))
    }

    /// The file of a buffer's metadata.
    pub fn metadata(&self, id: u64) -> Result<Arc<File>, i32> {
        let mut memory = self.memory_mut();
        let root = memory.root(id);
        let buffer = memory.buffer_mut(root).ok_or(libc::EINVAL)?;
        if let Some(file) = &buffer.metadata {
            return Ok(Arc::clone(file));
        }
        let file = dmabuf::metadata_file()?;
        buffer.metadata = Some(Arc::clone(&file));
        Ok(file)
    }

    fn device(&self, inode: Inode) -> Option<Device> {
        if inode == self.kfd.inode {
            return Some(Device::Kfd);
        }
        let gpu = self.cards.iter().position(|card| card.inode == inode)?;
        Some(Device::Drm { gpu, primary: false })
    }

    fn duplicate(&self, device: Device, flags: i32) -> Result<i32, i32> {
        let file = match device {
            Device::Kfd => &self.kfd,
            Device::Drm { gpu, .. } => &self.cards[gpu],
        };
        // The program may have closed our descriptor, or have another file under its number by now.
        if inode(file.fd) != Some(file.inode) {
            return Err(libc::ENODEV);
        }
        let how = if flags & libc::O_CLOEXEC != 0 { libc::F_DUPFD_CLOEXEC } else { libc::F_DUPFD };
        // SAFETY: an open descriptor.
        check(unsafe { libc::fcntl(file.fd, how, 0) })
    }
}

/// A card touched an address that it does not see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageFault {
    /// Index of the card.
    pub gpu: usize,
    /// The address.
    pub va: u64,
}

/// A sparse file in memory, mapped whole. Its descriptor is moved out of the way of programs that
/// expect small numbers, or close them all.
fn memory_file(name: &std::ffi::CStr, bytes: u64) -> Result<(OpenFile, *mut u8), i32> {
    const OUT_OF_THE_WAY: i32 = 200;
    // SAFETY: a fresh descriptor and mapping; nothing else uses them.
    unsafe {
        let low = check(libc::memfd_create(name.as_ptr(), libc::MFD_CLOEXEC))?;
        let high = libc::fcntl(low, libc::F_DUPFD_CLOEXEC, OUT_OF_THE_WAY);
        let fd = if high < 0 { low } else { high };
        if fd != low {
            libc::syscall(libc::SYS_close, low);
        }
        check(libc::ftruncate(fd, bytes as i64))?;
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_SHARED | libc::MAP_NORESERVE;
        let base = libc::mmap(std::ptr::null_mut(), bytes as usize, protection, flags, fd, 0);
        if base == libc::MAP_FAILED {
            return Err(errno());
        }
        libc::madvise(base, bytes as usize, libc::MADV_DONTFORK);
        libc::madvise(base, bytes as usize, libc::MADV_DONTDUMP);
        let inode = inode(fd).ok_or(libc::EIO)?;
        Ok((OpenFile { fd, inode }, base.cast()))
    }
}

fn inode(fd: i32) -> Option<Inode> {
    // SAFETY: a zeroed stat is a value; the raw call fills it and is not hooked.
    unsafe {
        let mut found: libc::stat = std::mem::zeroed();
        let result = libc::syscall(libc::SYS_fstat, fd, &raw mut found);
        (result == 0).then_some((found.st_dev, found.st_ino))
    }
}

fn check(result: i32) -> Result<i32, i32> {
    if result < 0 { Err(errno()) } else { Ok(result) }
}

fn errno() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO)
}

fn pid() -> i32 {
    // SAFETY: getpid has no precondition.
    unsafe { libc::getpid() }
}
