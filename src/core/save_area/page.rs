//! Writing to a page that the loader has made read-only.

use std::fs::File;
use std::io::{BufRead, BufReader, Error, Result};

const PAGE: usize = 4096;

/// Runs `write` while the page of this word can be written to; what it could be used for before is all that it can be used
/// for afterwards. Nothing is done where the page is shared with other processes, or the kernel refuses.
pub fn with_writable<T>(word: usize, write: impl FnOnce() -> T) -> Result<T> {
    let access = access_to(word)?;
    if access & libc::PROT_WRITE != 0 {
        return Ok(write());
    }
    protect(word, access | libc::PROT_WRITE)?;
    let written = write();
    protect(word, access)?;
    Ok(written)
}

fn protect(word: usize, access: i32) -> Result<()> {
    // SAFETY: the page is mapped, and access is only added to what it has, or taken back.
    let status = unsafe { libc::mprotect((word & !(PAGE - 1)) as *mut _, PAGE, access) };
    if status == 0 { Ok(()) } else { Err(Error::last_os_error()) }
}

/// How the page of a word can be used, as the kernel says.
fn access_to(word: usize) -> Result<i32> {
    for line in BufReader::new(File::open("/proc/self/maps")?).split(b'\n') {
        let line = line?;
        if let Some((start, end, access)) = mapping(&line).filter(|(start, end, _)| (*start..*end).contains(&word)) {
            let whole = end - start >= PAGE;
            return access.filter(|_| whole).ok_or_else(|| Error::other("its page is shared with other processes"));
        }
    }
    Err(Error::other("its page is not mapped"))
}

/// `7f0000-7f1000 r--p ...`: where it is and how it can be used; None of the last for memory that others share.
fn mapping(line: &[u8]) -> Option<(usize, usize, Option<i32>)> {
    let line =
        str::from_utf8(line.get(..line.len().min(64))?).or_else(|error| str::from_utf8(&line[..error.valid_up_to()]));
    let mut words = line.ok()?.split(' ');
    let (start, end) = words.next()?.split_once('-')?;
    let hex = |text| usize::from_str_radix(text, 16).ok();
    let access = words.next()?;
    let flags = [('r', libc::PROT_READ), ('w', libc::PROT_WRITE), ('x', libc::PROT_EXEC)];
    let has = flags.into_iter().filter(|(letter, _)| access.contains(*letter)).fold(0, |all, (_, flag)| all | flag);
    Some((hex(start)?, hex(end)?, access.ends_with('p').then_some(has)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rmcp_abi::process::map_zeros;

    #[test]
    fn a_read_only_page_is_written_to_and_read_only_afterwards() {
        let page = map_zeros(PAGE).unwrap().cast::<u64>();
        let word = page.expose_provenance() + 8;
        for access in [libc::PROT_READ, libc::PROT_READ | libc::PROT_WRITE] {
            protect(word, access).unwrap();
            // SAFETY: the page is writable meanwhile.
            with_writable(word, || unsafe { page.add(1).write_volatile(7) }).unwrap();
            // SAFETY: the page can be read.
            assert_eq!(unsafe { page.add(1).read_volatile() }, 7);
            assert_eq!(access_to(word).unwrap(), access);
        }
    }

    #[test]
    fn a_page_that_is_shared_or_not_there_is_left_alone() {
        // SAFETY: any address will do.
        let shared = unsafe {
            let (access, kind) = (libc::PROT_READ, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
            libc::mmap(std::ptr::null_mut(), PAGE, access, kind, -1, 0)
        };
        for word in [shared.expose_provenance(), 8] {
            assert!(with_writable(word, || panic!("written to")).is_err());
        }
    }

    #[test]
    fn lines_of_the_kernel_are_read_and_others_are_not() {
        let line = b"7f00-7f10 r-xp 00000000 08:01 17 /usr/lib/libhsa\xff.so";
        assert_eq!(mapping(line), Some((0x7f00, 0x7f10, Some(libc::PROT_READ | libc::PROT_EXEC))));
        assert_eq!(mapping(b"7f00-7f10 rw-s 0"), Some((0x7f00, 0x7f10, None)));
        for near in [b"7f00 r--p".as_slice(), b"7f00-7g10 r--p", b"7f00-7f10", b""] {
            assert_eq!(mapping(near), None);
        }
    }
}
