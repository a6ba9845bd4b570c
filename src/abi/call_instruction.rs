//! Which function a call instruction called, to tell a function that ended in a jump from the one that called it.

use crate::find_object::module_of;
use crate::gate::CallFrame;
use crate::module::Module;
use core::ptr;

/// The function that was called by the instruction before the frame's return address, where it can be told: by its
/// displacement, by the linkage table or a pointer beside the code, or by registers that the call has left as they were.
pub fn called_function(frame: &CallFrame) -> Option<usize> {
    let code = Code { end: frame.return_address, module: module_of(frame.return_address)? };
    let [e8, ff15] = [code.before::<6>(5)?, code.before::<6>(6)?];
    if let [0xe8, ..] = e8 {
        return code.behind_linkage(frame.return_address.checked_add_signed(displacement(&e8, 1)?)?);
    }
    if let [0xff, 0x15, ..] = ff15 {
        return code.pointer(frame.return_address.checked_add_signed(displacement(&ff15, 2)?)?);
    }
    by_register(&code, frame)
}

/// `call *register` and `call *displacement(register)`, without an index.
fn by_register(code: &Code, frame: &CallFrame) -> Option<usize> {
    for (length, mode) in [(2, 3), (3, 1), (6, 2), (2, 0)] {
        let Some(bytes) = code.before::<8>(length) else { continue };
        let [0xff, operand, ..] = bytes else { continue };
        if operand >> 3 & 7 != 2 || operand >> 6 != mode {
            continue;
        }
        let extended = code.before::<8>(length + 1).is_some_and(|bytes| bytes[0] & 0xf1 == 0x41);
        let number = operand & 7 | u8::from(extended) << 3;
        // The numbers 4 and 12 mean a further byte, and 5 without a displacement means none.
        if number & 7 == 4 && mode != 3 || number & 7 == 5 && mode == 0 {
            continue;
        }
        let Some(value) = frame.register(number) else { continue };
        let address = match mode {
            3 => return Some(value),
            1 => value.wrapping_add_signed(isize::from(bytes[2] as i8)),
            2 => value.wrapping_add_signed(displacement(&bytes, 2)?),
            _ => value,
        };
        return read_anywhere(address);
    }
    None
}

/// Code of a loaded object, up to an address.
struct Code {
    end: usize,
    module: Module,
}

impl Code {
    /// Bytes from `length` bytes before the end on; those behind the end are 0.
    fn before<const N: usize>(&self, length: usize) -> Option<[u8; N]> {
        let start = self.end.checked_sub(length).filter(|start| self.module.contains(*start))?;
        let mut bytes = [0; N];
        // SAFETY: within the segment that has the instruction before the end.
        unsafe { ptr::copy_nonoverlapping(start as *const u8, bytes.as_mut_ptr(), length.min(N)) };
        Some(bytes)
    }

    /// The word at an address of the same object.
    fn pointer(&self, address: usize) -> Option<usize> {
        let inside = self.module.contains(address) && self.module.contains(address.checked_add(7)?);
        if inside { read_anywhere(address) } else { None }
    }

    /// Where a stub of the linkage table at `address` leads; otherwise the address itself.
    fn behind_linkage(&self, address: usize) -> Option<usize> {
        if !self.module.contains(address) || !self.module.contains(address.checked_add(15)?) {
            return Some(address);
        }
        let mut bytes = [0_u8; 16];
        // SAFETY: code of the object.
        unsafe { ptr::copy_nonoverlapping(address as *const u8, bytes.as_mut_ptr(), bytes.len()) };
        let endbr = if bytes.starts_with(&[0xf3, 0x0f, 0x1e, 0xfa]) { 4 } else { 0 };
        let bnd = usize::from(bytes.get(endbr) == Some(&0xf2));
        let jump = endbr + bnd;
        match bytes.get(jump..)? {
            [0xff, 0x25, ..] => {
                let next = address.checked_add(jump + 6)?;
                self.pointer(next.checked_add_signed(displacement(bytes.get(jump..)?, 2)?)?)
            }
            _ => Some(address),
        }
    }
}

/// The signed displacement of 32 bits at `at`.
pub(crate) fn displacement(bytes: &[u8], at: usize) -> Option<isize> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    isize::try_from(i32::from_le_bytes(*bytes)).ok()
}

/// The word at any address, as the kernel reads it: there may be nothing.
fn read_anywhere(address: usize) -> Option<usize> {
    let mut word = 0_usize;
    let length = size_of::<usize>();
    let local = libc::iovec { iov_base: (&raw mut word).cast(), iov_len: length };
    let remote = libc::iovec { iov_base: address as *mut _, iov_len: length };
    // SAFETY: writes at most the word; an address that cannot be read is an error.
    let read = unsafe { libc::syscall(libc::SYS_process_vm_readv, libc::getpid(), &local, 1, &remote, 1, 0) };
    (read == length as libc::c_long).then_some(word)
}
