//! KFD's ioctl numbers and argument layouts (include/uapi/linux/kfd_ioctl.h, up to interface 1.16).

/// What a call answers: nothing, or an errno.
pub type Answer = Result<(), i32>;

/// `AMDKFD_IOCTL_BASE`.
pub const BASE: u64 = b'K' as u64;
/// Type byte of an ioctl number.
pub const fn ioc_type(request: u64) -> u64 {
    request >> 8 & 0xff
}

/// Function number of an ioctl number.
pub const fn ioc_nr(request: u64) -> u32 {
    (request & 0xff) as u32
}

/// Size of the caller's argument, bytes.
pub const fn ioc_size(request: u64) -> usize {
    (request >> 16 & 0x3fff) as usize
}

/// Function numbers.
pub mod nr {
    pub const GET_VERSION: u32 = 0x01;
    pub const CREATE_QUEUE: u32 = 0x02;
    pub const DESTROY_QUEUE: u32 = 0x03;
    pub const SET_MEMORY_POLICY: u32 = 0x04;
    pub const GET_CLOCK_COUNTERS: u32 = 0x05;
    pub const GET_PROCESS_APERTURES: u32 = 0x06;
    pub const UPDATE_QUEUE: u32 = 0x07;
    pub const CREATE_EVENT: u32 = 0x08;
    pub const DESTROY_EVENT: u32 = 0x09;
    pub const SET_EVENT: u32 = 0x0a;
    pub const RESET_EVENT: u32 = 0x0b;
    pub const WAIT_EVENTS: u32 = 0x0c;
    pub const SET_SCRATCH_BACKING_VA: u32 = 0x11;
    pub const GET_TILE_CONFIG: u32 = 0x12;
    pub const SET_TRAP_HANDLER: u32 = 0x13;
    pub const GET_PROCESS_APERTURES_NEW: u32 = 0x14;
    pub const ACQUIRE_VM: u32 = 0x15;
    pub const ALLOC_MEMORY_OF_GPU: u32 = 0x16;
    pub const FREE_MEMORY_OF_GPU: u32 = 0x17;
    pub const MAP_MEMORY_TO_GPU: u32 = 0x18;
    pub const UNMAP_MEMORY_FROM_GPU: u32 = 0x19;
    pub const SET_CU_MASK: u32 = 0x1a;
    pub const GET_DMABUF_INFO: u32 = 0x1c;
    pub const IMPORT_DMABUF: u32 = 0x1d;
    pub const ALLOC_QUEUE_GWS: u32 = 0x1e;
    pub const SVM: u32 = 0x20;
    pub const SET_XNACK_MODE: u32 = 0x21;
    pub const AVAILABLE_MEMORY: u32 = 0x23;
    pub const EXPORT_DMABUF: u32 = 0x24;
    pub const RUNTIME_ENABLE: u32 = 0x25;
}

/// The interface (minor version) with which a call came, where that is younger than the oldest emulated: 1.11.
pub const fn since(number: u32) -> u32 {
    match number {
        nr::EXPORT_DMABUF => 12,
        nr::RUNTIME_ENABLE => 13,
        _ => 0,
    }
}

/// The first interface whose waits tell of ages.
pub const EVENT_AGES: u32 = 14;

macro_rules! arguments {
    ($($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty),* $(,)? })*) => {$(
        $(#[$doc])*
        #[repr(C)]
        #[derive(Debug, Clone, Copy, Default)]
        #[allow(missing_docs)]
        pub struct $name { $(pub $field: $type),* }
        // SAFETY: only integers, laid out by repr(C): any bytes are a value.
        unsafe impl Plain for $name {}
    )*};
}

/// Values that any bytes make.
///
/// # Safety
/// Every bit pattern must be a valid value.
pub unsafe trait Plain: Copy + Default {}

// SAFETY: any four bytes are a u32.
unsafe impl Plain for u32 {}
// SAFETY: any eight bytes are a u64.
unsafe impl Plain for u64 {}

arguments! {
    /// `kfd_ioctl_get_version_args`.
    GetVersion { major: u32, minor: u32 }
    /// `kfd_ioctl_create_queue_args`; callers before 1.17 end at `ctl_stack_size`.
    CreateQueue {
        ring_base: u64, write_pointer: u64, read_pointer: u64, doorbell_offset: u64,
        ring_size: u32, gpu_id: u32, queue_type: u32, percentage: u32, priority: u32, queue_id: u32,
        eop_address: u64, eop_size: u64, save_area: u64, save_area_size: u32, ctl_stack_size: u32,
    }
    /// `kfd_ioctl_destroy_queue_args`.
    DestroyQueue { queue_id: u32, pad: u32 }
    /// `kfd_ioctl_update_queue_args`.
    UpdateQueue { ring_base: u64, queue_id: u32, ring_size: u32, percentage: u32, priority: u32 }
    /// `kfd_ioctl_set_cu_mask_args`.
    CuMask { queue_id: u32, bits: u32, mask: u64 }
    /// `kfd_ioctl_set_memory_policy_args`.
    MemoryPolicy { base: u64, size: u64, gpu_id: u32, default: u32, alternate: u32, flags: u32 }
    /// `kfd_ioctl_set_trap_handler_args`.
    TrapHandler { tba: u64, tma: u64, gpu_id: u32, pad: u32 }
    /// `kfd_ioctl_set_scratch_backing_va_args`.
    ScratchBacking { va: u64, gpu_id: u32, pad: u32 }
    /// `kfd_ioctl_get_clock_counters_args`; the two system counters are nanoseconds.
    ClockCounters { gpu: u64, cpu: u64, system: u64, system_freq: u64, gpu_id: u32, pad: u32 }
    /// `kfd_process_device_apertures`.
    Apertures {
        lds_base: u64, lds_limit: u64, scratch_base: u64, scratch_limit: u64, gpuvm_base: u64, gpuvm_limit: u64,
        gpu_id: u32, pad: u32,
    }
    /// `kfd_ioctl_get_process_apertures_args`.
    AperturesOld { apertures: [Apertures; 7], num_of_nodes: u32, pad: u32 }
    /// `kfd_ioctl_get_process_apertures_new_args`.
    AperturesNew { apertures: u64, num_of_nodes: u32, pad: u32 }
    /// `kfd_ioctl_create_event_args`.
    CreateEvent {
        event_page_offset: u64, trigger_data: u32, event_type: u32, auto_reset: u32, node_id: u32, event_id: u32,
        slot: u32,
    }
    /// Arguments of the event calls that take an id only.
    EventId { event_id: u32, pad: u32 }
    /// `kfd_ioctl_wait_events_args`; timeout in ms, all ones wait for ever.
    WaitEvents { events: u64, num_events: u32, wait_for_all: u32, timeout: u32, result: u32 }
    /// `kfd_event_data`: the union's first 32 bytes, then the id.
    EventData { data: [u32; 8], ext: u64, event_id: u32, pad: u32 }
    /// `kfd_ioctl_get_tile_config_args`.
    TileConfig {
        tile: u64, macro_tile: u64, num_tile: u32, num_macro_tile: u32, gpu_id: u32, gb_addr_config: u32,
        num_banks: u32, num_ranks: u32,
    }
    /// `kfd_ioctl_acquire_vm_args`.
    AcquireVm { drm_fd: i32, gpu_id: u32 }
    /// `kfd_ioctl_alloc_memory_of_gpu_args`; for USERPTR `mmap_offset` is the CPU address.
    AllocMemory { va: u64, size: u64, handle: u64, mmap_offset: u64, gpu_id: u32, flags: u32 }
    /// `kfd_ioctl_free_memory_of_gpu_args`.
    FreeMemory { handle: u64 }
    /// `kfd_ioctl_map_memory_to_gpu_args` and its twin for unmapping.
    MapMemory { handle: u64, gpu_ids: u64, n_gpus: u32, n_success: u32 }
    /// `kfd_ioctl_get_dmabuf_info_args`.
    DmabufInfo { size: u64, metadata: u64, metadata_size: u32, gpu_id: u32, flags: u32, fd: i32 }
    /// `kfd_ioctl_import_dmabuf_args`.
    ImportDmabuf { va: u64, handle: u64, gpu_id: u32, fd: i32 }
    /// `kfd_ioctl_alloc_queue_gws_args`.
    AllocQueueGws { queue_id: u32, num_gws: u32, first_gws: u32, pad: u32 }
    /// `kfd_ioctl_svm_args` without its attributes, which are pairs of type and value.
    Svm { start: u64, size: u64, op: u32, nattr: u32 }
    /// `kfd_ioctl_set_xnack_mode_args`.
    XnackMode { enabled: i32 }
    /// `kfd_ioctl_get_available_memory_args`.
    AvailableMemory { available: u64, gpu_id: u32, pad: u32 }
    /// `kfd_ioctl_export_dmabuf_args`.
    ExportDmabuf { handle: u64, flags: u32, fd: i32 }
    /// `kfd_ioctl_runtime_enable_args`.
    RuntimeEnable { r_debug: u64, mode_mask: u32, capabilities: u32 }
}

/// Reads a value at a caller's address, which need not be aligned.
///
/// # Safety
/// `address` must be readable for the size of `T`.
pub unsafe fn read<T: Plain>(address: u64) -> T {
    // SAFETY: the caller's promise; T is plain.
    unsafe { (address as *const T).read_unaligned() }
}

/// Writes a value at a caller's address, which need not be aligned.
///
/// # Safety
/// `address` must be writable for the size of `T`.
pub unsafe fn write<T: Plain>(address: u64, value: T) {
    // SAFETY: the caller's promise.
    unsafe { (address as *mut T).write_unaligned(value) }
}

/// Runs `call` on a copy of the caller's argument, as the kernel does: a shorter argument of an older
/// caller reads as zeros, and only as much as the caller has is copied back.
///
/// # Safety
/// `arg` must be readable and writable for [`ioc_size`] bytes.
pub unsafe fn with<T: Plain>(request: u64, arg: u64, call: impl FnOnce(&mut T) -> Result<(), i32>) -> Result<(), i32> {
    let len = ioc_size(request).min(size_of::<T>());
    let mut copy = T::default();
    // SAFETY: `len` bytes fit both sides; T is plain.
    unsafe { std::ptr::copy_nonoverlapping(arg as *const u8, (&raw mut copy).cast(), len) };
    let result = call(&mut copy);
    // SAFETY: as above, the other way round.
    unsafe { std::ptr::copy_nonoverlapping((&raw const copy).cast::<u8>(), arg as *mut u8, len) };
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sizes of the structures in linux/kfd_ioctl.h.
    #[test]
    fn argument_sizes_are_those_of_the_kernel_header() {
        assert_eq!(size_of::<CreateQueue>(), 88);
        assert_eq!(size_of::<ClockCounters>(), 40);
        assert_eq!(size_of::<Apertures>(), 56);
        assert_eq!(size_of::<AperturesOld>(), 400);
        assert_eq!(size_of::<CreateEvent>(), 32);
        assert_eq!(size_of::<WaitEvents>(), 24);
        assert_eq!(size_of::<EventData>(), 48);
        assert_eq!(size_of::<AllocMemory>(), 40);
        assert_eq!(size_of::<MapMemory>(), 24);
        assert_eq!(size_of::<DmabufInfo>(), 32);
        assert_eq!(size_of::<Svm>(), 24);
    }

    #[test]
    fn an_older_caller_s_shorter_argument_is_not_overrun() {
        let mut short = [7_u32, 0xdead_beef];
        let request = 4 << 16;
        // SAFETY: the argument has four bytes and more.
        unsafe {
            with::<GetVersion>(request, short.as_mut_ptr() as u64, |v| {
                assert_eq!((v.major, v.minor), (7, 0));
                (v.major, v.minor) = (1, 16);
                Ok(())
            })
            .unwrap();
        }
        assert_eq!(short, [1, 0xdead_beef]);
    }
}
