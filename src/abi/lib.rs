//! What the gate and the core share: the table of every function that RMCP interposes, the C types and flags that it
//! needs, and how a call's function is found.
//!
//! | module | what it has |
//! |---|---|
//! | [`hooks!`] | the table, one line a hook |
//! | [`flags`], [`effect`] | the flags of HIP and HSA; what a hook's call does with memory |
//! | [`mod@gate`] | what gate and core say to each other |
//! | [`sites`] | what is known of calls by the places that they return to |
//! | [`releases`] | when calls are asked for anew |
//! | [`resolve`] | the function that a caller means, from [`link_map`], the loader's list, [`find_object`] and [`mod@module`] |
//! | [`call_instruction`] | which function a call called, where a jump hides who did |
//! | [`table_access`] | how a runtime's exports come to its own table of functions |
//! | [`copies`] | the copies of the runtimes that calls have come to |
//! | [`process`] | which process this is, across forks |
//!
//! The gate, which every process has, is made of this crate: so nothing here allocates, panics, runs at load time or has a
//! constructor. Statics stand in `.data` also where they begin as zeros: a `.bss` that comes to cross a page of the gate
//! would cost every process one mapping more.
//!
//! One line of [`hooks!`] adds a hook: the gate's exports, the core's slots, the stub drivers and the
//! coverage page all derive from it. To read the table in another crate, name a macro that takes its rows:
//!
//! ```
//! macro_rules! count {
//!     ($( $lib:ident fn $name:ident ( $($arg:ident : $ty:ty),* ) -> $ret:ty => $policy:ident $([$size:expr])?; )*) => {
//!         [$(stringify!($name)),*].len()
//!     };
//! }
//! assert_eq!(rmcp_abi::hooks!(count), rmcp_abi::Hook::ALL.len());
//! ```
#![cfg_attr(not(test), no_std)]

pub mod call_instruction;
pub mod copies;
pub mod effect;
pub mod find_object;
pub mod flags;
pub mod gate;
pub mod link_map;
pub mod module;
pub mod process;
pub mod releases;
pub mod resolve;
pub mod sites;
mod size;
mod table;
pub mod table_access;

use core::ffi::CStr;

/// `hipError_t`: 0 is success. (hip_runtime_api.h)
pub type HipError = i32;
/// `hsa_status_t`: 0 is success. (hsa.h)
pub type HsaStatus = u32;
/// `hsa_amd_memory_pool_t`: a struct of one 64-bit handle, which the ABI passes like the handle. (hsa_ext_amd.h)
pub type HsaPool = u64;

/// A type that the table's functions take.
pub trait Argument {
    /// How many integer registers it travels in (System V ABI, x86-64).
    const REGISTERS: usize = 1;

    /// The argument as a number: a pointer's address, an extent's volume.
    fn word(self) -> u64;
}

macro_rules! numbers {
    ($($ty:ty)*) => { $(
        impl Argument for $ty {
            #[inline]
            fn word(self) -> u64 {
                self as u64
            }
        }
    )* };
}
numbers!(i32 u32 u64 usize);

impl<T> Argument for *const T {
    #[inline]
    fn word(self) -> u64 {
        self as usize as u64
    }
}

impl<T> Argument for *mut T {
    #[inline]
    fn word(self) -> u64 {
        self as usize as u64
    }
}

/// hipErrorInvalidValue.
pub const INVALID_VALUE: HipError = 1;
/// hipErrorOutOfMemory.
pub const OUT_OF_MEMORY: HipError = 2;

/// `hipPointerAttribute_t`; releases differ in what their kinds mean: 0 is host memory up to 5.7. (hip_runtime_api.h)
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct PointerAttributes {
    /// `type`, before ROCm 6 `memoryType`.
    pub kind: i32,
    device: i32,
    addresses: [usize; 2],
    /// `isManaged`.
    pub managed: i32,
    /// `allocationFlags`: byte 28 in every release.
    pub flags: u32,
    /// More than any release writes.
    rest: [u64; 4],
}

/// `hipExtent`, passed by value: too large for registers. (driver_types.h)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct HipExtent {
    /// In bytes for linear memory.
    pub width: usize,
    /// In rows.
    pub height: usize,
    /// In slices.
    pub depth: usize,
}

impl HipExtent {
    /// The bytes of linear memory of this extent, without padding.
    pub const fn bytes(self) -> usize {
        self.width.saturating_mul(self.height).saturating_mul(self.depth)
    }
}

impl Argument for HipExtent {
    const REGISTERS: usize = 0;

    /// A side of 0 means that there is no such dimension.
    fn word(self) -> u64 {
        let sides = [self.width, self.height, self.depth];
        sides.into_iter().filter(|&side| side != 0).fold(1, |all: usize, side| all.saturating_mul(side)) as u64
    }
}

/// `hipDeviceProp_t` of 792 bytes: hipGetDeviceProperties before ROCm 6, hipGetDevicePropertiesR0000 after.
#[repr(C, align(8))]
pub struct PropertiesR0000(pub [u8; 792]);

/// `hipDeviceProp_t` of 1472 bytes: hipGetDevicePropertiesR0600, ROCm 6.0 and later.
#[repr(C, align(8))]
pub struct PropertiesR0600(pub [u8; 1472]);

/// The C library that a hooked function belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Library {
    /// libamdhip64, the HIP runtime.
    Hip,
    /// libhsa-runtime64, ROCr.
    Hsa,
}

impl Library {
    /// How the file name of every copy of the library begins: wheels rename it (`libamdhip64-1a2b.so`), releases
    /// number it (`libamdhip64.so.6`).
    pub const fn file_prefix(self) -> &'static str {
        match self {
            Library::Hip => "libamdhip64",
            Library::Hsa => "libhsa-runtime64",
        }
    }

    /// What a call returns when no loaded library has the function: `hipErrorSharedObjectSymbolNotFound` or
    /// `HSA_STATUS_ERROR`.
    pub const fn missing_symbol_error(self) -> i32 {
        match self {
            Library::Hip => 302,
            Library::Hsa => 0x1000,
        }
    }
}

/// How RMCP treats a hooked function; `rmcp_domain::policy` decides call by call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(non_camel_case_types)] // named as in the table
pub enum Policy {
    /// Forwarded.
    forward,
    /// Device memory: `vram_fraction`.
    vram,
    /// What hipMemGetInfo says of device memory.
    mem_info,
    /// hipHostMalloc's flags.
    host,
    /// hipHostAlloc, served by hipHostMalloc.
    host_alloc,
    /// hipMemAllocHost, served by hipHostMalloc.
    mem_alloc_host,
    /// hipMallocHost: what was asked of memory that lay there before is forgotten.
    malloc_host,
    /// hipHostRegister, likewise.
    host_register,
    /// hipHostGetFlags: what was asked.
    requested_flags,
    /// hipPointerGetAttributes: what was asked.
    requested_attributes,
    /// hipMallocManaged's flags, and an advice after success.
    managed,
    /// hipExtMallocWithFlags' flags.
    ext_malloc,
    /// hipEventCreateWithFlags' flags.
    event_create,
    /// One device attribute.
    device_attribute,
    /// All device properties.
    device_properties,
    /// hipGetProcAddress: the hook's address.
    proc_address,
    /// hipGetDriverEntryPoint: the hook's address.
    entry_point,
    /// A word of memory by which a stream waits or tells.
    stream_memory,
    /// The words of hipStreamBatchMemOp.
    stream_batch,
    /// The words of a node of a graph.
    graph_batch,
    /// The pool of hsa_amd_memory_pool_allocate.
    pool_allocate,
    /// The pool of hsa_amd_memory_lock_to_pool, when libamdhip64 calls it.
    lock_to_pool,
    /// hsa_init: what the runtime reads of the topology meanwhile.
    runtime_start,
}

impl Policy {
    /// What a user may expect, for `docs/reference/hooks.md`. Options in code marks are those of `docs/reference/options.md`.
    pub const fn text(self) -> &'static str {
        match self {
            Policy::forward | Policy::malloc_host | Policy::host_register => "forwarded",
            Policy::vram => "forwarded; `vram_fraction` can refuse it",
            Policy::mem_info => "`vram_fraction`: total and free within the limit",
            Policy::host => "`host`: implicitly coherent flags become NonCoherent",
            Policy::host_alloc => "`host`: served by hipHostMalloc with NonCoherent; flags above 7 are forwarded",
            Policy::mem_alloc_host => "`host`: served by hipHostMalloc with NonCoherent",
            Policy::requested_flags | Policy::requested_attributes => "shows the flags that the program asked for",
            Policy::managed => "`managed`: SetCoarseGrain is advised after success, or the attach flag changes",
            Policy::ext_malloc => "`device_finegrained`, `device_uncached`: the flag becomes Default; `vram_fraction`",
            Policy::event_create => {
                "`event_fence`: the system-scope release is kept wherever memory can be made non-coherent"
            }
            Policy::device_attribute | Policy::device_properties => "`capabilities`: managed memory can be hidden",
            Policy::stream_memory | Policy::stream_batch | Policy::graph_batch => {
                "refused with hipErrorInvalidValue on memory that `host` or `managed` made non-coherent"
            }
            Policy::proc_address | Policy::entry_point => "hands out the hook of a hooked function",
            Policy::pool_allocate => {
                "`hsa_pool`: the coarse-grained pool of the same agent; never for calls of libamdhip64"
            }
            Policy::lock_to_pool => "`register`: the coarse-grained pool of the CPU, for calls of libamdhip64 alone",
            Policy::runtime_start => "forwarded; `save_area`: the runtime may read other waves of a gfx101x meanwhile",
        }
    }
}

/// A function as it is looked for.
#[derive(Clone, Copy)]
pub struct Symbol {
    /// Its name.
    pub name: &'static CStr,
    /// The library that it is looked for in.
    pub library: Library,
    /// The number of its slot.
    pub number: usize,
}

/// What the table says of one hook.
#[derive(Clone, Copy, Debug)]
pub struct HookInfo {
    /// The exported symbol.
    pub name: &'static str,
    /// The same, for dlsym.
    pub symbol: &'static CStr,
    /// The library that the real function lives in.
    pub library: Library,
    /// The C signature, in Rust's spelling.
    pub signature: &'static str,
    /// How RMCP treats it.
    pub policy: Policy,
}

impl HookInfo {
    /// The names and types of its parameters.
    pub fn parameters(&self) -> impl Iterator<Item = (&'static str, &'static str)> + use<> {
        let (inside, _) = self.signature.trim_start_matches('(').split_once(')').unwrap_or_default();
        inside.split(',').filter_map(|parameter| parameter.split_once(':')).map(|(name, ty)| (name.trim(), ty.trim()))
    }
}

macro_rules! describe {
    ($( $lib:ident fn $name:ident ( $($arg:ident : $ty:ty),* ) -> $ret:ty => $policy:ident $([$size:expr])?; )*) => {
        /// Every hook, in table order; the discriminant is the index of its slot.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(usize)]
        #[allow(non_camel_case_types, missing_docs)] // named as the C functions are
        pub enum Hook { $($name),* }

        impl Hook {
            /// Every hook, in table order.
            pub const ALL: &'static [Hook] = &[$(Hook::$name),*];

            /// The hook's row of the table.
            pub const fn info(self) -> &'static HookInfo {
                &HOOKS[self as usize]
            }

            /// The library that the real function lives in: that of [`Hook::info`], likewise.
            #[inline]
            pub const fn library(self) -> Library {
                match self { $( Hook::$name => Library::$lib, )* }
            }

            /// The function as it is looked for.
            pub const fn symbol(self) -> Symbol {
                let info = self.info();
                Symbol { name: info.symbol, library: info.library, number: self as usize }
            }

            /// How RMCP treats it: that of [`Hook::info`], without a look into memory.
            #[inline]
            pub const fn policy(self) -> Policy {
                match self { $( Hook::$name => Policy::$policy, )* }
            }
        }

        /// The table as data, in the order of [`Hook`].
        pub static HOOKS: [HookInfo; Hook::ALL.len()] = [$(HookInfo {
            name: stringify!($name),
            symbol: match CStr::from_bytes_with_nul(concat!(stringify!($name), "\0").as_bytes()) {
                Ok(symbol) => symbol,
                Err(_) => panic!("a symbol has no NUL inside"),
            },
            library: Library::$lib,
            signature: stringify!(($($arg: $ty),*) -> $ret),
            policy: Policy::$policy,
        }),*];
    };
}
hooks!(describe);

/// Calls the macro `$with` with the name of every function of `include/rmcp.h`, which the gate exports beside the hooks.
/// Each answers 0 (or NULL) when there is no core to ask.
#[macro_export]
macro_rules! api {
    ($with:ident) => {
        $with! { rmcp_version; rmcp_status; rmcp_counters; rmcp_disable; }
    };
}
