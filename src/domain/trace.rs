//! The files that librmcp_core.so writes and `rmcp trace` reads.
//!
//! A process writes into the folder that the option `trace` names: first `PID.N.head`, where `N` tells the programs apart
//! that one process runs by exec, then its calls to `PID.N.0`, `PID.N.1`, ... Each of those has a fixed length; what is
//! not used of it is zero. All numbers are little-endian words of 64 bits, as on the only machine that RMCP runs on.

use crate::libraries::{LIBRARIES, Library};
use crate::options::{Exception, Linkage};
use rmcp_abi::{HOOKS, Hook};
use std::ptr;

/// The words of a record.
pub const WORDS: usize = 8;
/// The bytes of a record.
pub const RECORD: usize = WORDS * 8;

/// The bytes of a head.
pub const HEAD: usize = 4096;
/// The words that a head begins with; its text follows.
pub const HEAD_WORDS: usize = 8;

/// The word of a head that says what it is.
pub const AT_MAGIC: usize = 0;
/// [`fingerprint`] of whoever wrote it.
pub const AT_FINGERPRINT: usize = 1;
/// Process in the lower half, its parent in the upper.
pub const AT_PROCESS: usize = 2;
/// When the head was written, in ns of CLOCK_MONOTONIC.
pub const AT_CLOCK: usize = 3;
/// The same moment in ns since 1970.
pub const AT_TIME: usize = 4;
/// Calls that were not recorded, because no file could be written.
pub const AT_LOST: usize = 5;
/// The bytes of the text: why RMCP is inactive (empty: it is active), the GPUs, the executable, and the arguments, each
/// ended by a NUL. A longer text is cut.
pub const AT_TEXT: usize = 6;
/// Not 0: a copy of the HIP runtime is in the process whose own table does not lead to the hooks, so calls may be missing. It may
/// be written at any time.
pub const AT_INCOMPLETE: usize = 7;

/// `rmcptrc1`.
pub const MAGIC: u64 = u64::from_le_bytes(*b"rmcptrc1");

/// The head of a process that has lost no call and misses none.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    /// The process.
    pub process: u32,
    /// Its parent.
    pub parent: u32,
    /// See [`AT_CLOCK`].
    pub clock: u64,
    /// See [`AT_TIME`].
    pub time: u64,
}

impl Head {
    /// The bytes of the file, whose end may be left out where it is zero. `text`: the parts that [`AT_TEXT`] names.
    pub fn pack<T: AsRef<[u8]>>(self, text: impl IntoIterator<Item = T>) -> Vec<u8> {
        let mut parts = Vec::new();
        for part in text {
            parts.extend_from_slice(part.as_ref());
            parts.push(0);
        }
        parts.truncate(HEAD - HEAD_WORDS * 8);
        let mut words = [0; HEAD_WORDS];
        words[AT_MAGIC] = MAGIC;
        words[AT_FINGERPRINT] = fingerprint();
        words[AT_PROCESS] = u64::from(self.process) | u64::from(self.parent) << 32;
        words[AT_CLOCK] = self.clock;
        words[AT_TIME] = self.time;
        words[AT_TEXT] = parts.len() as u64;
        let mut bytes: Vec<u8> = words.into_iter().flat_map(u64::to_le_bytes).collect();
        bytes.append(&mut parts);
        bytes
    }
}

/// Stands for the device of a call that has none.
pub const NO_DEVICE: u8 = u8::MAX;

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Outcome {
    /// The program got what it asked for, or the runtime's refusal.
    Unchanged = 0,
    /// The runtime was asked for something else; `passed` says for what.
    Rewritten = 1,
    /// The runtime was asked for that, and the range advised SetCoarseGrain afterwards.
    AdvisedCoarse = 2,
    /// RMCP refused it.
    Refused = 3,
    /// The program got what it asked for, since the caller has rules of its own; `passed` has the reason, a [`KeepReason`].
    Kept = 4,
}

/// Why a call was kept as it was asked: an [`Exception`], as far as a record has room for it.
#[derive(Clone, Copy, Debug)]
pub enum KeepReason {
    /// The caller is a library of the table.
    Library(&'static Library),
    /// A section of a file names it.
    Section,
    /// It is not known to be right with RMCP.
    UnknownCaller,
    /// It is linked with functions that need coherent memory.
    Linked(Linkage),
}

impl From<&Exception> for KeepReason {
    fn from(exception: &Exception) -> Self {
        match exception {
            Exception::NeedsCoherent(library) => Self::Library(library),
            Exception::Section(_) => Self::Section,
            Exception::UnknownCaller => Self::UnknownCaller,
            Exception::Linked(linkage) => Self::Linked(*linkage),
        }
    }
}

impl KeepReason {
    /// Above every row of the table.
    const OTHERS: u64 = u64::MAX - 4;

    /// As the word `passed`.
    pub fn pack(self) -> u64 {
        match self {
            Self::Library(library) => {
                LIBRARIES.iter().position(|row| ptr::eq(row, library)).map_or(u64::MAX, |row| row as u64)
            }
            Self::Section => Self::OTHERS,
            Self::UnknownCaller => Self::OTHERS + 1,
            Self::Linked(linkage) => Self::OTHERS + 2 + linkage as u64,
        }
    }

    /// From the word `passed`; None for what no core writes.
    pub fn unpack(passed: u64) -> Option<Self> {
        Some(match passed {
            Self::OTHERS => Self::Section,
            passed if passed == Self::OTHERS + 1 => Self::UnknownCaller,
            passed if passed == Self::OTHERS + 2 => Self::Linked(Linkage::StreamMemory),
            passed if passed == Self::OTHERS + 3 => Self::Linked(Linkage::HostNodes),
            row => Self::Library(LIBRARIES.get(usize::try_from(row).ok()?)?),
        })
    }

    /// Why, as the end of "as asked".
    pub fn text(self) -> String {
        match self {
            Self::Library(library) => format!("which {} needs", library.name),
            Self::Section => "by a section [library]".into(),
            Self::UnknownCaller => "the caller being not known ([system] callers)".into(),
            Self::Linked(linkage) => format!("since the caller {}", linkage.text()),
        }
    }
}

/// What is known of an HSA pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pool {
    /// The agent's number, in the order in which ROCr lists them.
    pub agent: u8,
    /// Whether the agent is a GPU.
    pub gpu: bool,
    /// Whether it is fine-grained.
    pub fine: bool,
    /// Whether it is meant for kernel arguments.
    pub kernarg: bool,
}

impl Pool {
    fn pack(pool: Option<Pool>) -> u64 {
        pool.map_or(0, |pool| {
            1 | u64::from(pool.gpu) << 1
                | u64::from(pool.fine) << 2
                | u64::from(pool.kernarg) << 3
                | u64::from(pool.agent) << 8
        })
    }

    fn unpack(bits: u64) -> Option<Pool> {
        let bit = |nth: u32| bits >> nth & 1 == 1;
        bit(0).then(|| Pool { gpu: bit(1), fine: bit(2), kernarg: bit(3), agent: (bits >> 8) as u8 })
    }
}

/// One call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// When it began, in ns of CLOCK_MONOTONIC; never 0.
    pub begin: u64,
    /// When it ended; 0 while it runs.
    pub end: u64,
    /// The function.
    pub hook: Hook,
    /// Who called it: the runtime itself, or the program.
    pub by_runtime: bool,
    /// What became of it.
    pub outcome: Outcome,
    /// The calling thread's current HIP device, for allocations of HIP.
    pub device: Option<u8>,
    /// The thread, as the kernel numbers it.
    pub thread: u32,
    /// What was allocated, freed, registered or advised.
    pub address: u64,
    /// Its size in bytes, 0 where the call does not tell.
    pub size: u64,
    /// What the program chose: flags, advice, or pool.
    pub requested: u64,
    /// What the runtime was asked for.
    pub passed: u64,
    /// What the call returned; 0 is success.
    pub status: i32,
    /// The pool in `requested`, where ROCr lists it.
    pub requested_pool: Option<Pool>,
    /// The pool in `passed`.
    pub passed_pool: Option<Pool>,
}

impl Record {
    /// As words. The first is written last when a call begins, and the second when it ends.
    pub fn pack(&self) -> [u64; WORDS] {
        let how = self.outcome as u64 | u64::from(self.by_runtime) << 7;
        let device = u64::from(self.device.unwrap_or(NO_DEVICE));
        let pools = Pool::pack(self.requested_pool) | Pool::pack(self.passed_pool) << 16;
        [
            self.begin,
            self.end,
            self.hook as u64 | how << 16 | device << 24 | u64::from(self.thread) << 32,
            self.address,
            self.size,
            self.requested,
            self.passed,
            u64::from(self.status as u32) | pools << 32,
        ]
    }

    /// From words; None for a place where no call was recorded, and for what no core would write.
    pub fn unpack(words: &[u64; WORDS]) -> Option<Record> {
        let [begin, end, what, address, size, requested, passed, result] = *words;
        let how = what >> 16;
        let outcome = match how & 0x7f {
            0 => Outcome::Unchanged,
            1 => Outcome::Rewritten,
            2 => Outcome::AdvisedCoarse,
            3 => Outcome::Refused,
            4 => Outcome::Kept,
            _ => return None,
        };
        let device = (what >> 24) as u8;
        (begin != 0).then_some(Record {
            begin,
            end,
            hook: *Hook::ALL.get(usize::from(what as u16))?,
            by_runtime: how & 0x80 != 0,
            outcome,
            device: (device != NO_DEVICE).then_some(device),
            thread: (what >> 32) as u32,
            address,
            size,
            requested,
            passed,
            status: result as u32 as i32,
            requested_pool: Pool::unpack(result >> 32),
            passed_pool: Pool::unpack(result >> 48),
        })
    }
}

/// A number that tells tables of hooks and of libraries apart: whoever reads a record must know the same rows as who wrote it.
pub const fn fingerprint() -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325;
    let mut hook = 0;
    while hook < HOOKS.len() {
        hash = fnv1a(hash, HOOKS[hook].name);
        hook += 1;
    }
    let mut library = 0;
    while library < LIBRARIES.len() {
        hash = fnv1a(hash, LIBRARIES[library].name);
        library += 1;
    }
    hash
}

/// FNV-1a over a name and a NUL.
const fn fnv1a(mut hash: u64, name: &str) -> u64 {
    const PRIME: u64 = 0x0100_0000_01b3;
    let name = name.as_bytes();
    let mut at = 0;
    while at < name.len() {
        hash = (hash ^ name[at] as u64).wrapping_mul(PRIME);
        at += 1;
    }
    hash.wrapping_mul(PRIME)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_comes_back_as_it_went() {
        let pool = Pool { agent: 3, gpu: true, fine: false, kernarg: true };
        let all = Record {
            begin: 1,
            end: u64::MAX,
            hook: Hook::ALL[Hook::ALL.len() - 1],
            by_runtime: true,
            outcome: Outcome::Refused,
            device: Some(254),
            thread: u32::MAX,
            address: 2,
            size: 3,
            requested: 4,
            passed: 5,
            status: i32::MIN,
            requested_pool: Some(pool),
            passed_pool: Some(Pool { agent: 255, gpu: false, fine: true, kernarg: false }),
        };
        let least =
            Record { device: None, requested_pool: None, passed_pool: None, by_runtime: false, status: 0, ..all };
        for record in [all, least] {
            assert_eq!(Record::unpack(&record.pack()), Some(record));
        }
    }

    #[test]
    fn why_a_call_was_kept_comes_back_as_it_went() {
        for library in LIBRARIES {
            let back = KeepReason::unpack(KeepReason::Library(library).pack());
            assert!(matches!(back, Some(KeepReason::Library(same)) if ptr::eq(same, library)), "{}", library.name);
        }
        let linked = Linkage::ALL.map(KeepReason::Linked);
        for other in [KeepReason::Section, KeepReason::UnknownCaller].into_iter().chain(linked) {
            assert_eq!(KeepReason::unpack(other.pack()).unwrap().text(), other.text());
        }
        assert!(KeepReason::unpack(LIBRARIES.len() as u64).is_none() && KeepReason::unpack(u64::MAX).is_none());
    }

    #[test]
    fn what_no_core_writes_is_no_record() {
        assert_eq!(Record::unpack(&[0; WORDS]), None);
        assert_eq!(Record::unpack(&[1, 0, u64::MAX, 0, 0, 0, 0, 0]), None);
        assert_eq!(Record::unpack(&[1, 0, Hook::ALL.len() as u64, 0, 0, 0, 0, 0]), None);
    }
}
