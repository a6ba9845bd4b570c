//! Folders as librmcp_core.so would leave them.

use rmcp_abi::Hook;
use rmcp_domain::trace::*;
use std::fs;
use std::path::Path;

/// A folder of records, removed in the end.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// A process that made its first call at this moment, and these calls, in files of 2000.
    pub fn process(&self, pid: u32, began: u64, calls: &[Record]) {
        self.process_with(pid, began, calls, |_| {});
    }

    /// The same, and what else its head says.
    pub fn process_with(
        &self,
        pid: u32,
        began: u64,
        calls: &[Record],
        head_words: impl FnOnce(&mut [u64; HEAD_WORDS]),
    ) {
        let text = b"\0gfx1010\0/bin/program\0program\0--fast\0";
        let mut head = [0; HEAD_WORDS];
        head[AT_MAGIC] = MAGIC;
        head[AT_FINGERPRINT] = rmcp_domain::trace::fingerprint();
        head[AT_PROCESS] = u64::from(pid) | 1 << 32;
        head[AT_CLOCK] = began;
        head[AT_TEXT] = text.len() as u64;
        head_words(&mut head);
        let mut bytes: Vec<u8> = head.iter().flat_map(|word| word.to_le_bytes()).collect();
        bytes.extend(text);
        bytes.resize(HEAD, 0);
        fs::write(self.path().join(format!("{pid}.0.head")), bytes).unwrap();
        for (number, calls) in calls.chunks(2000).enumerate() {
            let mut bytes: Vec<u8> = calls.iter().flat_map(|call| call.pack()).flat_map(u64::to_le_bytes).collect();
            // As if there were room for more.
            bytes.resize(bytes.len() + 100 * RECORD, 0);
            fs::write(self.path().join(format!("{pid}.0.{number}")), bytes).unwrap();
        }
    }
}

/// A successful call of the program, of 4096 bytes at 0x1000, on device 0.
pub fn call(hook: Hook, begin: u64, end: u64) -> Record {
    Record {
        begin,
        end,
        hook,
        by_runtime: false,
        outcome: Outcome::Unchanged,
        device: Some(0),
        thread: 7,
        address: 0x1000,
        size: 4096,
        requested: 0,
        passed: 0,
        status: 0,
        requested_pool: None,
        passed_pool: None,
    }
}

/// Other calls of the kind.
pub trait RecordVariation {
    /// The same at another address.
    fn at(self, address: u64) -> Self;

    /// The same of another size.
    fn bytes(self, size: u64) -> Self;
}

impl RecordVariation for Record {
    fn at(self, address: u64) -> Record {
        Record { address, ..self }
    }

    fn bytes(self, size: u64) -> Record {
        Record { size, ..self }
    }
}
