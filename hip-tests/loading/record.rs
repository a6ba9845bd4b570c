//! What arrived at the functions, and what they shall answer.

use crate::devices::archs;
use rmcp_abi::{HipExtent, PropertiesR0000, PropertiesR0600};
use std::ffi::{c_char, c_void};
use std::ptr::copy_nonoverlapping;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Whether calls are noted. Benchmarks switch it off.
pub static RECORDING: AtomicBool = AtomicBool::new(true);

/// What hipGetLastError returns next: the last failure, of whichever thread.
pub static LAST_ERROR: AtomicI32 = AtomicI32::new(0);

/// The calls that were noted, as `hipHostMalloc(0x1000, 0x80000000)`.
pub fn calls() -> MutexGuard<'static, Vec<String>> {
    static CALLS: Mutex<Vec<String>> = Mutex::new(Vec::new());
    CALLS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One function of the stub.
pub struct Function {
    /// Its C name.
    pub name: &'static str,
    /// What it returns from now on.
    pub status: AtomicI32,
}

impl Function {
    pub const fn new(name: &'static str) -> Self {
        Self { name, status: AtomicI32::new(0) }
    }

    /// Notes a call and returns its status.
    #[inline]
    pub fn record_call(&self, arguments: &[Option<u64>]) -> i32 {
        if RECORDING.load(Relaxed) {
            self.push_call(arguments);
        }
        self.status.load(Relaxed)
    }

    #[cold]
    fn push_call(&self, arguments: &[Option<u64>]) {
        let arguments: Vec<_> = arguments.iter().flatten().map(|number| format!("{number:#x}")).collect();
        calls().push(format!("{}({})", self.name, arguments.join(", ")));
        let status = self.status.load(Relaxed);
        if status != 0 {
            LAST_ERROR.store(status, Relaxed);
        }
    }
}

/// An argument of a C function.
pub trait Argument: Copy {
    /// The number that it is; None for an address, which is another one in every run.
    fn value(self) -> Option<u64> {
        None
    }

    /// Writes the answer through it, where it is an address for one. `numbers` are all arguments.
    ///
    /// # Safety
    /// An address for an answer is null or can be written to.
    #[inline]
    unsafe fn write_output(self, _numbers: &[Option<u64>]) {}
}

macro_rules! numbers {
    ($($ty:ty),*) => { $( impl Argument for $ty {
        fn value(self) -> Option<u64> {
            Some(self as u64)
        }
    } )* };
}
numbers!(i32, u32, u64, usize);

impl Argument for HipExtent {
    fn value(self) -> Option<u64> {
        Some(self.bytes() as u64)
    }
}

impl Argument for *mut *mut c_void {
    #[inline]
    unsafe fn write_output(self, _: &[Option<u64>]) {
        static MEMORY: AtomicU64 = AtomicU64::new(0);
        // SAFETY: the caller's promise.
        unsafe { self.write(MEMORY.as_ptr().cast()) };
    }
}

// What is read, or written by nobody who looks at it.
impl Argument for *const c_void {}
impl Argument for *const c_char {}
impl Argument for *mut c_void {}
impl Argument for *mut u64 {}

macro_rules! zeros {
    ($($ty:ty),*) => { $( impl Argument for *mut $ty {
        unsafe fn write_output(self, _: &[Option<u64>]) {
            if !self.is_null() {
                // SAFETY: the caller's promise.
                unsafe { self.write(0) };
            }
        }
    } )* };
}
zeros!(u32, usize);

impl Argument for *mut i32 {
    unsafe fn write_output(self, _: &[Option<u64>]) {
        if !self.is_null() {
            // A device attribute: the device can do it.
            // SAFETY: the caller's promise.
            unsafe { self.write(1) };
        }
    }
}

macro_rules! properties {
    ($($ty:ty: $name:literal),*) => { $( impl Argument for *mut $ty {
        unsafe fn write_output(self, numbers: &[Option<u64>]) {
            // The last argument is the device.
            let device = numbers.last().copied().flatten().unwrap_or(0);
            let arch = archs().into_iter().nth(device as usize).unwrap_or_default();
            // SAFETY: the caller's promise; gcnArchName has 256 bytes, and the names of the tests fewer.
            unsafe {
                let name = self.cast::<u8>().add($name);
                copy_nonoverlapping(arch.as_ptr(), name, arch.len());
                name.add(arch.len()).write(0);
            }
        }
    } )* };
}
// Where gcnArchName stands in each layout of hipDeviceProp_t. (hip_runtime_api.h)
properties!(PropertiesR0000: 396, PropertiesR0600: 1160);
