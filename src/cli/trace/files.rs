//! Reads a folder of [`mod@rmcp_domain::trace`]: its processes, and their calls in the order in which they took effect.
//!
//! Records lie in the order in which calls began. What matters is when memory was there: an allocation is from the end
//! of its call on, and a free is from its beginning on, or memory that one thread frees and another gets at once would
//! seem to be freed by the other's. A file is read in blocks, twice: first for the earliest beginning that each block and
//! all later ones have, so that the second time a call can be handed out as soon as none before it can follow.

use rmcp_abi::effect::Action;
use rmcp_domain::trace::*;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Records that are read at once.
const BLOCK: usize = 1024;

/// A program that ran as one process.
#[derive(Clone, Debug)]
pub struct Process {
    /// The process.
    pub pid: u32,
    /// Its parent, when it made its first call.
    pub parent: u32,
    /// When it made its first call, in ns of CLOCK_MONOTONIC.
    pub first_call: u64,
    /// The same in ns since 1970.
    pub time: u64,
    /// Why RMCP was inactive in it; None: it was active.
    pub inactive: Option<String>,
    /// The gfx targets of its GPUs.
    pub gpus: String,
    /// The executable.
    pub executable: PathBuf,
    /// How it was called, perhaps cut.
    pub arguments: Vec<OsString>,
    /// Calls that could not be recorded.
    pub lost: u64,
    /// Whether calls may have gone past RMCP: [`AT_INCOMPLETE`].
    pub incomplete: bool,
    stem: PathBuf,
}

/// Why a folder cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// A file or the folder.
    #[error("{}: {why}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// The system's word.
        why: io::Error,
    },
    /// Another release of RMCP wrote it.
    #[error(
        "{} was written by a librmcp_core.so of another version than this command; install both from one release",
        .0.display()
    )]
    OtherVersion(PathBuf),
}

/// The processes of a folder, in the order of their first calls.
pub fn processes(folder: &Path) -> Result<Vec<Process>, TraceError> {
    let mut all = Vec::new();
    for path in folder_entries(folder)? {
        if path.extension().is_some_and(|extension| extension == "head") {
            all.extend(Process::read(&path)?);
        }
    }
    all.sort_by_key(|process: &Process| (process.first_call, process.pid));
    Ok(all)
}

fn folder_entries(folder: &Path) -> Result<Vec<PathBuf>, TraceError> {
    let unreadable = |why| TraceError::File { path: folder.into(), why };
    let entries = fs::read_dir(folder).map_err(unreadable)?;
    entries.map(|entry| Ok(entry.map_err(unreadable)?.path())).collect()
}

impl Process {
    /// The process that wrote this head; None where it has not finished writing.
    pub fn read(head: &Path) -> Result<Option<Process>, TraceError> {
        let bytes = fs::read(head).map_err(|why| TraceError::File { path: head.into(), why })?;
        let word = |at: usize| bytes.get(at * 8..at * 8 + 8).map_or(0, le_word);
        if bytes.len() < HEAD || word(AT_MAGIC) == 0 {
            return Ok(None);
        }
        if word(AT_MAGIC) != MAGIC || word(AT_FINGERPRINT) != rmcp_domain::trace::fingerprint() {
            return Err(TraceError::OtherVersion(head.into()));
        }
        let text = &bytes[HEAD_WORDS * 8..];
        let text = &text[..text.len().min(word(AT_TEXT) as usize)];
        let mut parts = text.split(|&byte| byte == 0).map(|part| OsString::from_vec(part.into()));
        let mut next = || parts.next().unwrap_or_default();
        let words = |part: OsString| part.to_string_lossy().into_owned();
        let (inactive, gpus, executable) = (words(next()), words(next()), next().into());
        let mut arguments: Vec<OsString> = parts.collect();
        // What the last NUL ends is followed by nothing.
        arguments.pop_if(|last| last.is_empty());
        Ok(Some(Process {
            pid: word(AT_PROCESS) as u32,
            parent: (word(AT_PROCESS) >> 32) as u32,
            first_call: word(AT_CLOCK),
            time: word(AT_TIME),
            inactive: (!inactive.is_empty()).then_some(inactive),
            gpus,
            executable,
            arguments,
            lost: word(AT_LOST),
            incomplete: word(AT_INCOMPLETE) != 0,
            stem: head.with_extension(""),
        }))
    }

    /// The name of its head.
    pub fn head_name(&self) -> OsString {
        let mut name = self.stem.file_name().unwrap_or_default().to_owned();
        name.push(".head");
        name
    }

    /// The file of its `number`th records.
    pub fn file(&self, number: u32) -> PathBuf {
        let mut path = self.stem.clone().into_os_string();
        path.push(format!(".{number}"));
        path.into()
    }

    /// Its files, oldest first. Numbers may be missing.
    fn files(&self) -> Result<Vec<PathBuf>, TraceError> {
        let folder = self.stem.parent().unwrap_or(Path::new("."));
        let number = |path: &PathBuf| -> Option<u32> {
            let mine = path.with_extension("") == self.stem;
            path.extension().filter(|_| mine)?.to_str()?.parse().ok()
        };
        let mut files: Vec<_> =
            folder_entries(folder)?.into_iter().filter_map(|path| Some((number(&path)?, path))).collect();
        files.sort();
        Ok(files.into_iter().map(|(_, path)| path).collect())
    }

    /// Its calls.
    pub fn calls(&self) -> Result<Calls, TraceError> {
        let files = self.files()?;
        let mut blocks = Vec::new();
        for (index, path) in files.iter().enumerate() {
            let (file, length) = open_file(path)?;
            for at in (0..length).step_by(BLOCK * RECORD) {
                let mut earliest = u64::MAX;
                read_block(&file, path, at, |record| earliest = earliest.min(record.begin))?;
                if earliest != u64::MAX {
                    blocks.push(Block { file: index, at, earliest });
                }
            }
        }
        let mut earliest = u64::MAX;
        for block in blocks.iter_mut().rev() {
            earliest = earliest.min(block.earliest);
            block.earliest = earliest;
        }
        Ok(Calls { files, blocks, next: 0, ready: BinaryHeap::new(), read: 0 })
    }
}

fn open_file(path: &Path) -> Result<(File, u64), TraceError> {
    let unreadable = |why| TraceError::File { path: path.into(), why };
    let file = File::open(path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    Ok((file, length))
}

/// Visits the records of one block.
fn read_block(file: &File, path: &Path, at: u64, mut visit: impl FnMut(Record)) -> Result<(), TraceError> {
    let mut bytes = [0; BLOCK * RECORD];
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read_at(&mut bytes[filled..], at + filled as u64) {
            Ok(0) => break,
            Ok(more) => filled += more,
            Err(why) if why.kind() == ErrorKind::Interrupted => {}
            Err(why) => return Err(TraceError::File { path: path.into(), why }),
        }
    }
    bytes[..filled].chunks_exact(RECORD).filter_map(record).for_each(&mut visit);
    Ok(())
}

/// The record in these bytes.
pub fn record(bytes: &[u8]) -> Option<Record> {
    let mut words = [0; WORDS];
    words.iter_mut().zip(bytes.chunks_exact(8)).for_each(|(word, bytes)| *word = le_word(bytes));
    Record::unpack(&words)
}

/// Up to eight bytes as a word.
fn le_word(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
}

/// When a call takes effect; that of a running call is not there yet, and it is put where it began.
pub fn effect_time(record: &Record) -> u64 {
    let frees = record.hook.effect().is_some_and(|effect| matches!(effect.action, Action::Free | Action::FreeAll));
    if frees || record.end == 0 { record.begin } else { record.end }
}

struct Block {
    file: usize,
    at: u64,
    /// The earliest beginning of a call in this block or a later one.
    earliest: u64,
}

/// A call on the heap, ordered by the time of its effect and then by its place.
struct PendingCall(u64, u64, Record);

impl Ord for PendingCall {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.0, self.1).cmp(&(other.0, other.1))
    }
}
impl PartialOrd for PendingCall {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl PartialEq for PendingCall {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
impl Eq for PendingCall {}

/// The calls of a process, in the order in which they took effect.
pub struct Calls {
    files: Vec<PathBuf>,
    blocks: Vec<Block>,
    /// The first block that was not read.
    next: usize,
    ready: BinaryHeap<Reverse<PendingCall>>,
    read: u64,
}

impl Calls {
    /// No call that is still to come took effect before this moment; None: none is to come.
    fn earliest_next(&self) -> Option<u64> {
        let ready = self.ready.peek().map(|Reverse(ready)| ready.0);
        let unread = self.blocks.get(self.next).map(|block| block.earliest);
        [ready, unread].into_iter().flatten().min()
    }

    /// The next call.
    fn next_call(&mut self) -> Result<Option<Record>, TraceError> {
        while let Some(block) = self.blocks.get(self.next)
            && self.ready.peek().is_none_or(|Reverse(ready)| ready.0 > block.earliest)
        {
            let path = &self.files[block.file];
            let (file, _) = open_file(path)?;
            read_block(&file, path, block.at, |record| {
                self.read += 1;
                self.ready.push(Reverse(PendingCall(effect_time(&record), self.read, record)));
            })?;
            self.next += 1;
        }
        Ok(self.ready.pop().map(|Reverse(ready)| ready.2))
    }
}

/// The calls of several processes in one order. Each call comes with the number of its process.
pub struct MergedCalls {
    calls: Vec<Calls>,
    /// Which process may have the next call, and when.
    queue: BinaryHeap<Reverse<(u64, usize)>>,
}

impl MergedCalls {
    /// Those of these processes.
    pub fn new(processes: &[Process]) -> Result<MergedCalls, TraceError> {
        let calls = processes.iter().map(Process::calls).collect::<Result<Vec<_>, _>>()?;
        let turn = |(process, calls): (usize, &Calls)| Some(Reverse((calls.earliest_next()?, process)));
        Ok(MergedCalls { queue: calls.iter().enumerate().filter_map(turn).collect(), calls })
    }

    /// The next call.
    pub fn next_call(&mut self) -> Result<Option<(usize, Record)>, TraceError> {
        while let Some(Reverse((_, process))) = self.queue.pop() {
            let calls = &mut self.calls[process];
            let Some(record) = calls.next_call()? else { continue };
            let (time, other) = (effect_time(&record), self.queue.peek().map_or(u64::MAX, |Reverse((time, _))| *time));
            if time <= other {
                self.queue.extend(calls.earliest_next().map(|time| Reverse((time, process))));
                return Ok(Some((process, record)));
            }
            // The moment was that of a block; another process comes first.
            calls.ready.push(Reverse(PendingCall(time, 0, record)));
            self.queue.push(Reverse((time, process)));
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::testing::{Folder, RecordVariation, call};
    use rmcp_abi::Hook;

    fn order(folder: &Folder) -> Vec<(u32, u64)> {
        let processes = processes(folder.path()).unwrap();
        let mut merged = MergedCalls::new(&processes).unwrap();
        let mut order = Vec::new();
        while let Some((process, record)) = merged.next_call().unwrap() {
            order.push((processes[process].pid, record.address));
        }
        order
    }

    #[test]
    fn memory_that_one_thread_frees_and_another_gets_is_freed_first() {
        let folder = Folder::new();
        let again = call(Hook::hipMalloc, 10, 50).at(0x1000);
        let free = call(Hook::hipFree, 20, 60).at(0x1001);
        folder.process(1, 0, &[again, free]);
        assert_eq!(order(&folder), [(1, 0x1001), (1, 0x1000)]);
    }

    #[test]
    fn calls_come_in_the_order_of_their_effects_however_many_blocks_and_processes_they_are_in() {
        let folder = Folder::new();
        let mut expected = Vec::new();
        for pid in 1..=3u64 {
            // Every seventh call takes long, and ends after many later ones.
            let calls: Vec<_> = (0..5000)
                .map(|n| {
                    let begin = 100 + 10 * n + pid;
                    let end = begin + if n % 7 == 0 { 20_000 } else { 5 };
                    expected.push((end, pid as u32, n));
                    call(Hook::hipMalloc, begin, end).at(n)
                })
                .collect();
            folder.process(pid as u32, 0, &calls);
        }
        expected.sort();
        assert_eq!(order(&folder), expected.iter().map(|&(_, pid, n)| (pid, n)).collect::<Vec<_>>());
    }

    #[test]
    fn what_another_version_wrote_is_refused_and_says_what_to_do() {
        let folder = Folder::new();
        folder.process(1, 0, &[]);
        let head = folder.path().join("1.0.head");
        let mut bytes = fs::read(&head).unwrap();
        bytes[8] ^= 1;
        fs::write(&head, bytes).unwrap();
        let error = processes(folder.path()).unwrap_err().to_string();
        assert!(error.contains("another version") && error.contains("install both from one release"), "{error}");
    }

    #[test]
    fn files_of_any_content_are_read_without_a_panic() {
        let folder = Folder::new();
        folder.process(1, 0, &[]);
        for (name, content) in
            [("1.0.0", vec![0xff; 1000]), ("1.0.1", vec![]), ("2.0.head", vec![0; 20]), ("x", vec![1])]
        {
            fs::write(folder.path().join(name), content).unwrap();
        }
        assert_eq!(order(&folder), []);
    }
}
