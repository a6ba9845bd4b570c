//! The table itself.

/// Calls the macro `$with` with every row: `Library fn name(arguments) -> result => policy;`.
///
/// Types are C's in Rust's spelling; a `policy` is a variant of [`Policy`](crate::Policy) and the name of the
/// core's function for it.
#[macro_export]
macro_rules! hooks {
    ($with:ident) => {
        $with! {
            Hip fn hipMalloc(ptr: *mut *mut c_void, size: usize) -> HipError => count;
            Hip fn hipExtMallocWithFlags(ptr: *mut *mut c_void, size: usize, flags: u32) -> HipError => ext;
            Hip fn hipMallocManaged(ptr: *mut *mut c_void, size: usize, flags: u32) -> HipError => managed;
            Hip fn hipHostMalloc(ptr: *mut *mut c_void, size: usize, flags: u32) -> HipError => host;
            Hip fn hipHostAlloc(ptr: *mut *mut c_void, size: usize, flags: u32) -> HipError => host_alloc;
            Hip fn hipMallocHost(ptr: *mut *mut c_void, size: usize) -> HipError => count;
            Hip fn hipMemAllocHost(ptr: *mut *mut c_void, size: usize) -> HipError => mem_alloc_host;
            Hip fn hipEventCreateWithFlags(event: *mut *mut c_void, flags: u32) -> HipError => event;
            Hsa fn hsa_amd_memory_pool_allocate(pool: HsaPool, size: usize, flags: u32, ptr: *mut *mut c_void) -> HsaStatus => pool;
        }
    };
}
