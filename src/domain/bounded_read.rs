//! Reading small files that may be anything: RMCP reads them inside other people's processes.

use memchr::memmem;
use rustix::fs::OFlags;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// The text of a regular file of at most `limit` bytes; anything else is an error.
pub fn read_text(path: &Path, limit: u64) -> io::Result<String> {
    text(open(path)?, limit)
}

/// The first bytes of a regular file, at most `limit`.
pub fn read_start(path: &Path, limit: usize) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    open(path)?.take(limit as u64).read_to_end(&mut start)?;
    Ok(start)
}

/// At most `length` bytes that follow `mark` where it first occurs in a regular file, within its first `limit` bytes; None: it
/// does not. No more is read or held than that takes: a library has megabytes, and its texts lie early.
pub fn read_after(path: &Path, mark: &[u8], length: usize, limit: u64) -> io::Result<Option<Vec<u8>>> {
    const STEP: u64 = 64 * 1024;
    let mut file = open(path)?.take(limit);
    let mut bytes = Vec::new();
    loop {
        let end = file.by_ref().take(STEP).read_to_end(&mut bytes)? == 0;
        match memmem::find(&bytes, mark) {
            Some(at) if end || bytes.len() - at >= mark.len() + length => {
                return Ok(Some(bytes.into_iter().skip(at + mark.len()).take(length).collect()));
            }
            None if end => return Ok(None),
            found => {
                // A mark may begin in this step and end in the next.
                let begin = found.unwrap_or_else(|| bytes.len().saturating_sub(mark.len() - 1));
                bytes.drain(..begin);
            }
        }
    }
}

/// The text of a file as by [`read_text`] that nobody can have written but root and `user`, whom this process acts for. The error says
/// whose it is, and what to do.
pub fn read_trusted_text(path: &Path, limit: u64, user: u32) -> io::Result<String> {
    // Before it is opened: that would wake the writer of a FIFO, and start some devices.
    require_regular(&fs::metadata(path)?)?;
    let file = open(path)?;
    match distrust_reason(&file.metadata()?, user, Path::new("/")) {
        Some(why) => Err(io::Error::new(io::ErrorKind::PermissionDenied, why)),
        None => text(file, limit),
    }
}

fn open(path: &Path) -> io::Result<File> {
    let file =
        OpenOptions::new().read(true).custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits() as i32).open(path)?;
    require_regular(&file.metadata()?)?;
    Ok(file)
}

fn require_regular(file: &Metadata) -> io::Result<()> {
    if file.is_file() { Ok(()) } else { Err(io::Error::other("it is no regular file")) }
}

fn text(file: File, limit: u64) -> io::Result<String> {
    let mut text = String::new();
    file.take(limit + 1).read_to_string(&mut text)?;
    if text.len() as u64 > limit {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("larger than {limit} bytes")));
    }
    Ok(text)
}

/// Who else may have written the file, and what to do about it; None: nobody.
fn distrust_reason(file: &Metadata, user: u32, root: &Path) -> Option<String> {
    const OTHERS: u32 = 0o002;
    const GROUP: u32 = 0o020;
    let owner = file.uid();
    // In a user namespace that has no root, root's files show the same foreign owner as the root folder.
    let roots = || owner == 0 || fs::metadata(root).is_ok_and(|root| root.uid() == owner);
    if owner != user && !roots() {
        return Some(format!("it belongs to user {owner}, and user {user} takes options of root and of its own alone"));
    }
    // Many systems give each user a group of his own with his own number, and let it write.
    let group = file.gid() != owner;
    match file.mode() {
        mode if mode & OTHERS != 0 => Some("every user may write it: chmod go-w it".into()),
        mode if mode & GROUP != 0 && group => Some(format!("group {} may write it: chmod go-w it", file.gid())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, chown};

    #[test]
    fn a_file_over_the_limit_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "12345678").unwrap();
        assert_eq!(read_text(file.path(), 8).unwrap(), "12345678");
        assert_eq!(read_text(file.path(), 7).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }

    #[test]
    fn what_follows_a_mark_is_found_wherever_the_file_is_read_in_steps() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for at in [0, 1, 65_530, 65_533, 65_536, 131_070, 200_000] {
            let mut bytes = vec![b'm'; at];
            bytes.extend(b"mark:0123456789 mark:other");
            std::fs::write(file.path(), &bytes).unwrap();
            let after = |length, limit| read_after(file.path(), b"mark:", length, limit).unwrap();
            assert_eq!(after(10, u64::MAX).as_deref(), Some(&b"0123456789"[..]), "{at}");
            assert_eq!(after(100, u64::MAX).as_deref(), Some(&b"0123456789 mark:other"[..]), "{at}");
            assert_eq!(after(10, at as u64 + 7).as_deref(), Some(&b"01"[..]), "{at}");
            assert_eq!(after(10, at as u64 + 4), None, "{at}");
            assert_eq!(read_after(file.path(), b"mark;", 10, u64::MAX).unwrap(), None);
        }
    }

    #[test]
    fn what_is_no_regular_file_is_refused_and_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("fifo");
        let made = std::process::Command::new("mkfifo").arg(&fifo).status().unwrap();
        assert!(made.success());
        for path in [dir.path(), &fifo, Path::new("/dev/zero"), Path::new("/dev/null")] {
            assert!(read_text(path, 4096).is_err(), "{}", path.display());
            assert!(read_trusted_text(path, 4096, 0).is_err(), "{}", path.display());
        }
    }

    /// Whether a file of this owner, group and mode is read for user 1000.
    fn trusted(owner: u32, group: u32, mode: u32) -> bool {
        let file = tempfile::NamedTempFile::new().unwrap();
        chown(file.path(), Some(owner), Some(group)).unwrap();
        file.as_file().set_permissions(Permissions::from_mode(mode)).unwrap();
        read_trusted_text(file.path(), 4096, 1000).is_ok()
    }

    #[test]
    fn a_file_is_trusted_that_root_or_the_user_owns_and_nobody_else_may_write() {
        if fs::metadata("/proc/self").unwrap().uid() != 0 {
            eprintln!("SKIPPED: only root can give files away");
            return;
        }
        for (owner, group, mode, is) in [
            (1000, 1000, 0o644, true),
            (0, 0, 0o644, true),
            (1001, 1001, 0o644, false),
            (1001, 1000, 0o600, false),
            (1000, 1000, 0o646, false),
            (0, 0, 0o666, false),
            (1000, 100, 0o664, false),
            (0, 1000, 0o664, false),
            // A group of the user's own.
            (1000, 1000, 0o664, true),
        ] {
            assert_eq!(trusted(owner, group, mode), is, "{owner}:{group} {mode:o}");
        }
    }

    #[test]
    fn where_root_has_no_number_its_files_are_known_by_the_owner_of_the_root_folder() {
        let (root, file) = (tempfile::tempdir().unwrap(), tempfile::NamedTempFile::new().unwrap());
        let (file, stranger) = (file.as_file().metadata().unwrap(), 4_000_000_000);
        assert_eq!(distrust_reason(&file, stranger, root.path()), None);
    }
}
