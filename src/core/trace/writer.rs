//! Files for the records of this process, mapped: a record is kept the moment it is stored, whatever ends the process.
//!
//! A record takes a place of the current file by one addition; a full file is followed by a larger one. The blocks of a
//! file are allocated before it is mapped, so that a full disk loses records, and says so, instead of raising SIGBUS. No
//! descriptor stays open: a program that closes what it does not know would have records written to files of its own. No
//! lock is held, and a forked child begins files of its own.

use crate::machine;
use log::warn;
use rmcp_abi::process;
use rmcp_domain::trace::{AT_INCOMPLETE, AT_LOST, HEAD, HEAD_WORDS, Head, RECORD, Record, WORDS};
use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap, munmap};
use rustix::process::{Resource, getrlimit};
use rustix::thread::gettid;
use std::ffi::{OsString, c_void};
use std::fmt::Display;
use std::fs::OpenOptions;
use std::io::{self, Read, Seek, Write};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::parent_id;
use std::path::{Path, PathBuf};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};

/// Bytes of the first file, and of the largest; each is twice as large as the one before.
const FIRST: usize = 64 << 10;
const LARGEST: usize = 16 << 20;

/// The writer of the process that has begun one.
static WRITER: AtomicPtr<Writer> = AtomicPtr::new(null_mut());

/// Whether calls may go past RMCP in this process; so they may in its children.
static INCOMPLETE: AtomicBool = AtomicBool::new(false);

/// The files of one process. Never freed.
struct Writer {
    /// Its [`process::fork_id`].
    process: u64,
    /// The head's words. None: nothing can be written, and there is no telling.
    head: Option<&'static [AtomicU64]>,
    /// `PID.N` in the folder.
    stem: PathBuf,
    files: AtomicU32,
    file: AtomicPtr<File>,
}

/// A file of records. Never freed, so that a thread may ask one that is full and unmapped for a place.
struct File {
    first: *const Words,
    places: usize,
    taken: AtomicUsize,
    ended: AtomicUsize,
}

/// The words of one record.
type Words = [AtomicU64; WORDS];

/// The place of one call.
pub struct Slot {
    words: &'static Words,
    file: &'static File,
    /// The [`process::fork_id`] of the process whose place it is.
    process: u64,
}

/// A place for the next call. None, and counted where that can be, when nothing can be written.
pub fn slot() -> Option<Slot> {
    let writer = Writer::of_this_process()?;
    let head = writer.head?;
    let slot = writer.slot();
    if slot.is_none() {
        head[AT_LOST].fetch_add(1, Ordering::Relaxed);
    }
    slot
}

/// Notes [`AT_INCOMPLETE`] in the head, or in the one that is still to come. Allocates nothing and begins no file.
pub fn note_incomplete() {
    INCOMPLETE.store(true, Ordering::SeqCst);
    // SAFETY: null or a leaked writer.
    if let Some(writer) = unsafe { WRITER.load(Ordering::SeqCst).as_ref() } {
        writer.mark_incomplete();
    }
}

/// CLOCK_MONOTONIC, in ns.
pub fn now() -> u64 {
    clock(libc::CLOCK_MONOTONIC)
}

/// Not by rustix, which asks the loader where the kernel's own code for it is.
fn clock(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes one timespec; both clocks exist on every Linux.
    unsafe { libc::clock_gettime(clock, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// The calling thread, as the kernel numbers it.
pub fn thread() -> u32 {
    gettid().as_raw_nonzero().get() as u32
}

impl Slot {
    /// Stores what is known when the call begins.
    pub fn begin(&self, record: &Record) {
        let words = record.pack();
        self.words.iter().zip(words).skip(2).for_each(|(place, word)| place.store(word, Ordering::Relaxed));
        self.words[0].store(words[0], Ordering::Release);
    }

    /// Stores the rest. Not in a child that was forked within the call: the place is its parent's.
    pub fn end(self, record: &Record) {
        if process::fork_id() != self.process {
            return;
        }
        let words = record.pack();
        self.words.iter().zip(words).skip(2).for_each(|(place, word)| place.store(word, Ordering::Relaxed));
        self.words[1].store(words[1], Ordering::Release);
        if self.file.ended.fetch_add(1, Ordering::AcqRel) + 1 == self.file.places {
            // SAFETY: every place was taken and has ended, so nobody comes back to one of them.
            let _ = unsafe { munmap(self.file.first.cast_mut().cast(), self.file.places * RECORD) };
        }
    }
}

impl Writer {
    fn of_this_process() -> Option<&'static Writer> {
        let process = process::fork_id();
        let known = WRITER.load(Ordering::Acquire);
        // SAFETY: null or a leaked writer.
        match unsafe { known.as_ref() } {
            Some(writer) if writer.process == process => Some(writer),
            _ => Writer::begin(known, process),
        }
    }

    /// The writer of a process that has none yet, or its parent's.
    #[cold]
    fn begin(known: *mut Writer, process: u64) -> Option<&'static Writer> {
        let folder = machine::detected()?.trace.as_deref()?;
        let (head, stem) = match write_head(folder) {
            Ok((head, stem)) => (Some(head), stem),
            Err(why) => {
                warn!("nothing is recorded of this process: {}: {why}", folder.display());
                (None, PathBuf::new())
            }
        };
        let mine = Writer { process, head, stem, files: AtomicU32::new(0), file: AtomicPtr::new(null_mut()) };
        let mine = Box::into_raw(Box::new(mine));
        // SeqCst, as in `note_incomplete`: one of the two sees what the other has stored.
        match WRITER.compare_exchange(known, mine, Ordering::SeqCst, Ordering::Acquire) {
            Ok(_) => {
                // SAFETY: the box is leaked.
                let writer = unsafe { &*mine };
                if INCOMPLETE.load(Ordering::SeqCst) {
                    writer.mark_incomplete();
                }
                Some(writer)
            }
            Err(other) => {
                // SAFETY: nobody else has seen it.
                let mine = unsafe { Box::from_raw(mine) };
                if mine.head.is_some() {
                    let _ = std::fs::remove_file(named(&mine.stem, HEAD_NAME));
                }
                // SAFETY: only leaked writers are stored.
                unsafe { other.as_ref() }
            }
        }
    }

    /// In a child that has no writer of its own yet it is the parent's, whose head is not mapped here.
    fn mark_incomplete(&self) {
        if let Some(head) = self.head.filter(|_| self.process == process::fork_id()) {
            head[AT_INCOMPLETE].store(1, Ordering::Relaxed);
        }
    }

    fn slot(&'static self) -> Option<Slot> {
        loop {
            let current = self.file.load(Ordering::Acquire);
            // SAFETY: null or a leaked file.
            if let Some(file) = unsafe { current.as_ref() }
                && let Some(words) = file.take()
            {
                return Some(Slot { words, file, process: self.process });
            }
            if let Err(why) = self.next_file(current) {
                warn!("a call is not recorded: {why}");
                return None;
            }
        }
    }

    /// Puts a new file in the place of `full`, unless another thread has.
    #[cold]
    fn next_file(&self, full: *mut File) -> io::Result<()> {
        // SAFETY: null or a leaked file.
        let before = unsafe { full.as_ref() }.map_or(FIRST / 2, |file| file.places * RECORD);
        let bytes = (2 * before).min(LARGEST).min(largest_allowed()) / RECORD * RECORD;
        let number = self.files.fetch_add(1, Ordering::Relaxed);
        let path = named(&self.stem, number);
        let map = map_new(&path, bytes, &[])?;
        let (taken, ended) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let file = File { first: map.cast(), places: bytes / RECORD, taken, ended };
        let file = Box::into_raw(Box::new(file));
        if self.file.compare_exchange(full, file, Ordering::AcqRel, Ordering::Acquire).is_err() {
            // SAFETY: nobody else has seen the box and the mapping.
            let _ = unsafe {
                drop(Box::from_raw(file));
                munmap(map, bytes)
            };
            let _ = std::fs::remove_file(path);
        }
        Ok(())
    }
}

impl File {
    /// The next place; None when all are taken.
    fn take(&self) -> Option<&'static Words> {
        let nth = self.taken.fetch_add(1, Ordering::Relaxed);
        // SAFETY: a mapping of so many records, aligned to a page, zeros, and everybody writes to it by atomics. It stays
        // until each of its places has ended.
        (nth < self.places).then(|| unsafe { &*self.first.add(nth) })
    }
}

/// RLIMIT_FSIZE: a larger file would end the process by SIGXFSZ.
fn largest_allowed() -> usize {
    getrlimit(Resource::Fsize).current.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX)
}

const HEAD_NAME: &str = "head";

fn named(stem: &Path, name: impl Display) -> PathBuf {
    let mut path = stem.as_os_str().to_owned();
    path.push(format!(".{name}"));
    path.into()
}

/// Writes the head of this process, under the first number that no program of this pid has taken.
fn write_head(folder: &Path) -> io::Result<(&'static [AtomicU64], PathBuf)> {
    let content = head();
    for number in 0.. {
        let stem = folder.join(format!("{}.{number}", std::process::id()));
        match map_new(&named(&stem, HEAD_NAME), HEAD, &content) {
            // SAFETY: a mapping of HEAD bytes, aligned to a page; everybody writes to it by atomics.
            Ok(map) => return Ok((unsafe { std::slice::from_raw_parts(map.cast(), HEAD_WORDS) }, stem)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    unreachable!("some number is free")
}

fn head() -> Vec<u8> {
    let machine = machine::detected();
    let inactive = machine.and_then(|machine| machine.inactive_reason.clone()).unwrap_or_default();
    let targets = machine.map(machine::Machine::targets).unwrap_or_default();
    let executable = std::env::current_exe().unwrap_or_default().into();
    let text = [inactive.into(), targets.into(), executable].into_iter().chain(std::env::args_os());
    let time = clock(libc::CLOCK_REALTIME);
    let head = Head { process: std::process::id(), parent: parent_id(), clock: now(), time };
    head.pack(text.map(OsString::into_vec))
}

/// A new file of so many bytes that begins with `content`, mapped. Nothing is left behind of one that fails.
fn map_new(path: &Path, bytes: usize, content: &[u8]) -> io::Result<*mut c_void> {
    if bytes == 0 || bytes > largest_allowed() {
        return Err(io::Error::other("the process may not write files of this size (ulimit -f)"));
    }
    let mut file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
    if file.as_raw_fd() <= libc::STDERR_FILENO {
        // The program may give a standard descriptor that it was started without a meaning. A clone is above them.
        file = file.try_clone()?;
    }
    let map = reserve(&mut file, bytes).and_then(|()| {
        file.write_all(content)?;
        // SAFETY: any address will do; the file is as long as that.
        let map = unsafe { mmap(null_mut(), bytes, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED, &file, 0)? };
        // So that the file is closed when this process ends, and not when its children do: `rmcp trace` waits for that.
        // SAFETY: the mapping just made.
        let _ = unsafe { madvise(map, bytes, Advice::LinuxDontFork) };
        Ok(map)
    });
    if map.is_err() {
        let _ = std::fs::remove_file(path);
    }
    map
}

/// Gives the file its blocks: all zero.
fn reserve(file: &mut std::fs::File, bytes: usize) -> io::Result<()> {
    match fallocate(&mut *file, FallocateFlags::empty(), 0, bytes as u64) {
        Err(Errno::OPNOTSUPP) => {
            io::copy(&mut io::repeat(0).take(bytes as u64), file)?;
            file.rewind()
        }
        reserved => Ok(reserved?),
    }
}
