//! The table itself.

/// Calls the macro `$with` with every row: `Library fn name(arguments) -> result => policy;`.
///
/// Types are C's in Rust's spelling; a `policy` is a variant of [`Policy`](crate::Policy) and the name of the core's
/// function for it. In brackets: for `vram` the size in bytes, for `stream_memory` the address
/// of the word, for `graph_batch` that of its hipBatchMemOpNodeParams.
#[macro_export]
macro_rules! hooks {
    ($with:ident) => {
        $with! {
            Hip fn hipMalloc(ptr: *mut *mut c_void, size: usize) -> HipError => vram[size];
            Hip fn hipExtMallocWithFlags(ptr: *mut *mut c_void, size: usize, flags: u32) -> HipError => ext_malloc;
            Hip fn hipMallocPitch(ptr: *mut *mut c_void, pitch: *mut usize, width: usize, height: usize) -> HipError => vram[width.saturating_mul(height)];
            Hip fn hipMemAllocPitch(ptr: *mut *mut c_void, pitch: *mut usize, width: usize, height: usize, element: u32) -> HipError => vram[width.saturating_mul(height)];
            Hip fn hipMalloc3D(pitched: *mut c_void, extent: HipExtent) -> HipError => vram[extent.bytes()];
            Hip fn hipMallocArray(array: *mut *mut c_void, format: *const c_void, width: usize, height: usize, flags: u32) -> HipError => forward;
            Hip fn hipMalloc3DArray(array: *mut *mut c_void, format: *const c_void, extent: HipExtent, flags: u32) -> HipError => forward;
            Hip fn hipArrayCreate(array: *mut *mut c_void, descriptor: *const c_void) -> HipError => forward;
            Hip fn hipArray3DCreate(array: *mut *mut c_void, descriptor: *const c_void) -> HipError => forward;
            Hip fn hipMallocMipmappedArray(array: *mut *mut c_void, format: *const c_void, extent: HipExtent, levels: u32, flags: u32) -> HipError => forward;
            Hip fn hipMipmappedArrayCreate(array: *mut *mut c_void, descriptor: *mut c_void, levels: u32) -> HipError => forward;
            Hip fn hipMallocAsync(ptr: *mut *mut c_void, size: usize, stream: *mut c_void) -> HipError => vram[size];
            Hip fn hipMallocFromPoolAsync(ptr: *mut *mut c_void, size: usize, pool: *mut c_void, stream: *mut c_void) -> HipError => vram[size];
            Hip fn hipMemPoolCreate(pool: *mut *mut c_void, properties: *const c_void) -> HipError => forward;
            Hip fn hipMemCreate(handle: *mut *mut c_void, size: usize, properties: *const c_void, flags: u64) -> HipError => vram[size];
            Hip fn hipGraphAddMemAllocNode(node: *mut *mut c_void, graph: *mut c_void, dependencies: *const c_void, count: usize, parameters: *mut c_void) -> HipError => forward;
            Hip fn hipMallocManaged(ptr: *mut *mut c_void, size: usize, flags: u32) -> HipError => managed;
            Hip fn hipMemAdvise(range: *const c_void, size: usize, advice: i32, device: i32) -> HipError => forward;
            Hip fn hipMemAdvise_v2(range: *const c_void, size: usize, advice: i32, location: u64) -> HipError => forward;
            Hip fn hipHostMalloc(ptr: *mut *mut c_void, size: usize, flags: u32) -> HipError => host;
            Hip fn hipHostAlloc(ptr: *mut *mut c_void, size: usize, flags: u32) -> HipError => host_alloc;
            Hip fn hipMallocHost(ptr: *mut *mut c_void, size: usize) -> HipError => malloc_host;
            Hip fn hipMemAllocHost(ptr: *mut *mut c_void, size: usize) -> HipError => mem_alloc_host;
            Hip fn hipHostRegister(ptr: *mut c_void, size: usize, flags: u32) -> HipError => host_register;
            Hip fn hipHostUnregister(ptr: *mut c_void) -> HipError => forward;
            Hip fn hipFree(ptr: *mut c_void) -> HipError => forward;
            Hip fn hipHostFree(ptr: *mut c_void) -> HipError => forward;
            Hip fn hipFreeHost(ptr: *mut c_void) -> HipError => forward;
            Hip fn hipMemPoolDestroy(pool: *mut c_void) -> HipError => forward;
            Hip fn hipMemRelease(handle: *mut c_void) -> HipError => forward;
            Hip fn hipDeviceReset() -> HipError => forward;
            Hip fn hipFreeAsync(ptr: *mut c_void, stream: *mut c_void) -> HipError => forward;
            Hip fn hipFreeArray(array: *mut c_void) -> HipError => forward;
            Hip fn hipArrayDestroy(array: *mut c_void) -> HipError => forward;
            Hip fn hipFreeMipmappedArray(array: *mut c_void) -> HipError => forward;
            Hip fn hipMipmappedArrayDestroy(array: *mut c_void) -> HipError => forward;
            Hip fn hipMemGetInfo(free: *mut usize, total: *mut usize) -> HipError => mem_info;
            Hip fn hipMemPtrGetInfo(ptr: *mut c_void, size: *mut usize) -> HipError => forward;
            Hip fn hipHostGetFlags(flags: *mut u32, ptr: *mut c_void) -> HipError => requested_flags;
            Hip fn hipPointerGetAttributes(attributes: *mut c_void, ptr: *const c_void) -> HipError => requested_attributes;
            Hip fn hipDeviceGetAttribute(value: *mut i32, attribute: i32, device: i32) -> HipError => device_attribute;
            Hip fn hipGetDeviceProperties(properties: *mut PropertiesR0000, device: i32) -> HipError => device_properties;
            Hip fn hipGetDevicePropertiesR0000(properties: *mut PropertiesR0000, device: i32) -> HipError => device_properties;
            Hip fn hipGetDevicePropertiesR0600(properties: *mut PropertiesR0600, device: i32) -> HipError => device_properties;
            Hip fn hipGetProcAddress(symbol: *const c_char, function: *mut *mut c_void, version: i32, flags: u64, status: *mut i32) -> HipError => proc_address;
            Hip fn hipGetDriverEntryPoint(symbol: *const c_char, function: *mut *mut c_void, flags: u64, status: *mut i32) -> HipError => entry_point;
            Hip fn hipEventCreateWithFlags(event: *mut *mut c_void, flags: u32) -> HipError => event_create;
            Hip fn hipStreamWaitValue32(stream: *mut c_void, ptr: *mut c_void, value: u32, flags: u32, mask: u32) -> HipError => stream_memory[ptr];
            Hip fn hipStreamWaitValue64(stream: *mut c_void, ptr: *mut c_void, value: u64, flags: u32, mask: u64) -> HipError => stream_memory[ptr];
            Hip fn hipStreamWriteValue32(stream: *mut c_void, ptr: *mut c_void, value: u32, flags: u32) -> HipError => stream_memory[ptr];
            Hip fn hipStreamWriteValue64(stream: *mut c_void, ptr: *mut c_void, value: u64, flags: u32) -> HipError => stream_memory[ptr];
            Hip fn hipStreamBatchMemOp(stream: *mut c_void, count: u32, operations: *mut c_void, flags: u32) -> HipError => stream_batch;
            Hip fn hipGraphAddBatchMemOpNode(node: *mut *mut c_void, graph: *mut c_void, dependencies: *const c_void, count: usize, parameters: *const c_void) -> HipError => graph_batch[parameters];
            Hip fn hipGraphBatchMemOpNodeSetParams(node: *mut c_void, parameters: *const c_void) -> HipError => graph_batch[parameters];
            Hip fn hipGraphExecBatchMemOpNodeSetParams(graph: *mut c_void, node: *mut c_void, parameters: *const c_void) -> HipError => graph_batch[parameters];
            Hsa fn hsa_init() -> HsaStatus => runtime_start;
            Hsa fn hsa_memory_allocate(region: u64, size: usize, ptr: *mut *mut c_void) -> HsaStatus => forward;
            Hsa fn hsa_amd_memory_pool_allocate(pool: HsaPool, size: usize, flags: u32, ptr: *mut *mut c_void) -> HsaStatus => pool_allocate;
            Hsa fn hsa_amd_memory_lock(host: *mut c_void, size: usize, agents: *mut u64, count: i32, agent: *mut *mut c_void) -> HsaStatus => forward;
            Hsa fn hsa_amd_memory_lock_to_pool(host: *mut c_void, size: usize, agents: *mut u64, count: i32, pool: HsaPool, flags: u32, agent: *mut *mut c_void) -> HsaStatus => lock_to_pool;
            Hsa fn hsa_amd_svm_attributes_set(ptr: *mut c_void, size: usize, attributes: *mut c_void, count: usize) -> HsaStatus => forward;
            Hsa fn hsa_amd_vmem_handle_create(pool: HsaPool, size: usize, kind: u32, flags: u64, handle: *mut u64) -> HsaStatus => forward;
            Hsa fn hsa_memory_free(ptr: *mut c_void) -> HsaStatus => forward;
            Hsa fn hsa_amd_memory_pool_free(ptr: *mut c_void) -> HsaStatus => forward;
            Hsa fn hsa_amd_memory_unlock(host: *mut c_void) -> HsaStatus => forward;
            Hsa fn hsa_amd_vmem_handle_release(handle: u64) -> HsaStatus => forward;
        }
    };
}
