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

    /// The same, with a head that is changed.
    pub fn process_with(&self, pid: u32, began: u64, calls: &[Record], change: impl FnOnce(&mut [u8])) {
        let head = Head { process: pid, parent: 1, clock: began, time: 0 };
        let mut bytes = head.pack(["", "gfx1010", "/bin/program", "program", "--fast"]);
        bytes.resize(HEAD, 0);
        change(&mut bytes);
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
