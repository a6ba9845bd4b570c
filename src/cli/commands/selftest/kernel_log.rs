//! What the kernel says of GPUs while the programs run.

use schemars::JsonSchema;
use serde::Serialize;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The kernel's log, one record a read. (Linux Documentation/ABI/testing/dev-kmsg)
const LOG: &str = "/dev/kmsg";

/// More than the kernel writes into one record.
const RECORD: usize = 8192;

/// What its drivers say when a GPU faults: words of amdgpu's messages, in lower case. (Linux drivers/gpu/drm/amd)
const FAULTS: [&str; 6] = ["page fault", "gpu reset", "timeout", "hang", "protection_fault", "preemption failed"];

/// What was read.
#[derive(Debug, Serialize, JsonSchema)]
pub struct KernelLog {
    /// Why it could not be read; null when it could.
    unread: Option<String>,
    /// The records that tell of a fault of a GPU.
    faults: Vec<String>,
}

/// The log from one moment on.
pub struct Watch(io::Result<File>);

impl KernelLog {
    /// From now on.
    pub fn watch() -> Watch {
        Watch(open(Path::new(LOG)))
    }

    /// Writes it for people.
    pub fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        match &self.unread {
            Some(why) => writeln!(out, "\nThe kernel's log was not watched: {why}")?,
            None if self.faults.is_empty() => {
                writeln!(out, "\nThe kernel's log tells of no fault of a GPU meanwhile.")?
            }
            None => writeln!(out, "\nThe kernel's log meanwhile:")?,
        }
        self.faults.iter().try_for_each(|fault| writeln!(out, "    {fault}"))
    }
}

impl Watch {
    /// What was said since.
    pub fn end(self) -> KernelLog {
        let read = self.0.and_then(|mut log| records(&mut log));
        match read {
            Ok(records) => {
                KernelLog { unread: None, faults: records.into_iter().filter(|record| is_fault(record)).collect() }
            }
            Err(error) => {
                let advice = match error.kind() {
                    ErrorKind::PermissionDenied => "; as root it can be read",
                    _ => "",
                };
                KernelLog { unread: Some(format!("{LOG}: {error}{advice}")), faults: Vec::new() }
            }
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut log = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    log.seek(SeekFrom::End(0))?;
    Ok(log)
}

/// The texts of the records up to now.
fn records(log: &mut File) -> io::Result<Vec<String>> {
    let mut records = Vec::new();
    let mut buffer = [0; RECORD];
    loop {
        match log.read(&mut buffer) {
            Ok(0) => return Ok(records),
            Ok(length) => records.extend(texts(&String::from_utf8_lossy(&buffer[..length]))),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(records),
            // The kernel has overwritten what was not read yet, and goes on with the oldest that there is.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
            Err(error) => return Err(error),
        }
    }
}

/// "6,339,5140900,-;text" and continuation lines that begin with a blank.
fn texts(read: &str) -> impl Iterator<Item = String> {
    read.lines().filter(|line| !line.starts_with(' ')).filter_map(|line| Some(line.split_once(';')?.1.to_owned()))
}

fn is_fault(record: &str) -> bool {
    let record = record.to_lowercase();
    let of_a_gpu = ["amdgpu", "kfd", "[drm"].iter().any(|word| record.contains(word));
    of_a_gpu && FAULTS.iter().any(|fault| record.contains(fault))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_of_a_gpu_that_come_after_the_start_are_told_and_nothing_else() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut log = file.as_file();
        writeln!(log, "3,1,1,-;amdgpu 0000:03:00.0: amdgpu: [gfxhub] page fault (before)").unwrap();
        let watch = Watch(open(file.path()));
        writeln!(log, "3,2,2,-;amdgpu 0000:03:00.0: amdgpu: [gfxhub] page fault (src_id:0 ring:24)").unwrap();
        writeln!(log, " SUBSYSTEM=pci; amdgpu page fault").unwrap();
        writeln!(log, "6,3,3,-;usb 1-1: device descriptor read timeout").unwrap();
        writeln!(log, "6,4,4,-;amdgpu: added device 1002:731f").unwrap();
        let seen = watch.end();
        assert_eq!(seen.faults, ["amdgpu 0000:03:00.0: amdgpu: [gfxhub] page fault (src_id:0 ring:24)"]);
        assert_eq!(seen.unread, None);
    }

    #[test]
    fn a_log_that_cannot_be_read_is_no_silence() {
        let seen = Watch(open(Path::new("/nonexistent/kmsg"))).end();
        assert!(seen.unread.is_some_and(|why| why.contains("No such file")));
    }
}
