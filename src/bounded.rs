//! Reading small files that may be anything: RMCP reads them inside other people's processes.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The text of a file of at most `limit` bytes. A larger one is an error, and so is a directory; a FIFO reads as empty
/// where opening it would otherwise wait for a writer.
pub(crate) fn read_text(path: &Path, limit: u64) -> io::Result<String> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)?;
    let mut text = String::new();
    file.take(limit + 1).read_to_string(&mut text)?;
    if text.len() as u64 > limit {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("larger than {limit} bytes")));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_over_the_limit_is_refused_however_long_it_is() {
        let error = read_text(Path::new("/dev/zero"), 4096).expect_err("endless");
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    }

    #[test]
    fn a_file_of_exactly_the_limit_is_read() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "12345678").unwrap();
        assert_eq!(read_text(file.path(), 8).unwrap(), "12345678");
        assert!(read_text(file.path(), 7).is_err());
    }

    #[test]
    fn a_directory_is_an_error() {
        assert!(read_text(Path::new("/"), 4096).is_err());
    }

    #[test]
    fn a_fifo_without_a_writer_does_not_wait() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("fifo");
        let made = std::process::Command::new("mkfifo").arg(&fifo).status().unwrap();
        assert!(made.success());
        assert_eq!(read_text(&fifo, 4096).unwrap(), "");
    }
}
