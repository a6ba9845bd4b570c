//! What arrived at the functions, and what they shall answer.

use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Whether calls are noted. Benchmarks switch it off.
pub static NOTING: AtomicBool = AtomicBool::new(true);

/// What hipGetLastError returns next: the last failure, of whichever thread.
pub static LAST_ERROR: AtomicI32 = AtomicI32::new(0);

/// The calls that were noted, as `hipHostMalloc(0x1000, 0x80000000)`.
pub fn notes() -> MutexGuard<'static, Vec<String>> {
    static NOTES: Mutex<Vec<String>> = Mutex::new(Vec::new());
    NOTES.lock().unwrap_or_else(PoisonError::into_inner)
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
    pub fn called(&self, arguments: &[Option<u64>]) -> i32 {
        if NOTING.load(Relaxed) {
            self.note(arguments);
        }
        self.status.load(Relaxed)
    }

    #[cold]
    fn note(&self, arguments: &[Option<u64>]) {
        let arguments: Vec<_> = arguments.iter().flatten().map(|number| format!("{number:#x}")).collect();
        notes().push(format!("{}({})", self.name, arguments.join(", ")));
        let status = self.status.load(Relaxed);
        if status != 0 {
            LAST_ERROR.store(status, Relaxed);
        }
    }
}

/// An argument of a C function.
pub trait Argument: Copy {
    /// The number that it is; None for an address, which is another one in every run.
    fn number(self) -> Option<u64> {
        None
    }

    /// Writes the answer through it, where it is an address for one.
    ///
    /// # Safety
    /// An address can be written to.
    unsafe fn answer(self) {}
}

macro_rules! numbers {
    ($($ty:ty),*) => { $( impl Argument for $ty {
        fn number(self) -> Option<u64> {
            Some(self as u64)
        }
    } )* };
}
numbers!(i32, u32, u64, usize);

impl Argument for *const c_void {}

impl Argument for *mut *mut c_void {
    #[inline]
    unsafe fn answer(self) {
        static MEMORY: AtomicU64 = AtomicU64::new(0);
        // SAFETY: the caller's promise.
        unsafe { self.write(MEMORY.as_ptr().cast()) };
    }
}
