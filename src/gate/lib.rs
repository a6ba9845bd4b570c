//! librmcp.so: the gate that a preloaded process maps.
//!
//! Every export of the hook table is one jump through a slot. A slot first leads to the binder, which loads
//! `librmcp_core.so` from the gate's own folder (`load`) and asks it where the call goes, and which later ones: to the
//! core's hook, or straight to the real function. Without a core the gate finds that by itself, by `rmcp_abi::resolve`.
//!
//! Nothing runs before the first call: no constructor, no thread-local, no allocation. It needs `libc.so.6` alone, has no
//! `.bss` and no path that panics (one would not link), and in a setuid program it is inert. Whatever goes wrong, the call
//! reaches the real function unchanged; errno is kept.
#![no_std]
#![allow(non_upper_case_globals, non_snake_case)] // slots and stubs are named after their functions

mod load;

use core::arch::{asm, global_asm, naked_asm};
use core::ffi::{CStr, c_char, c_int, c_void};
use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use rmcp_abi::Library;
use rmcp_abi::call_sites::{CallSites, NEVER_EXPIRES};
use rmcp_abi::find_object::module_of;
use rmcp_abi::gate::{BindingScope, CoreTarget, Gate, NEXT_DEFINITION};
use rmcp_abi::link_map::LinkMap;
use rmcp_abi::{module, process, resolve};

/// An export, its slot, and the stub that the slot leads to until it is bound.
macro_rules! trampoline {
    ($name:ident, $library:expr) => {
        mod $name {
            use super::*;

            pub static EXPORT: Export =
                Export { slot: AtomicPtr::new(unbound as *mut c_void), unbound, symbol: SYMBOL, library: $library };

            const SYMBOL: &CStr = match CStr::from_bytes_with_nul(concat!(stringify!($name), "\0").as_bytes()) {
                Ok(symbol) => symbol,
                Err(_) => panic!("a symbol has no NUL inside"),
            };

            #[unsafe(no_mangle)]
            #[unsafe(naked)]
            extern "C" fn $name() {
                // The slot is the export's first field. Aligned, since a jump across two cache lines costs a cycle more.
                naked_asm!("jmp [rip + {export}]", ".p2align 3", export = sym EXPORT)
            }

            #[unsafe(naked)]
            extern "C" fn unbound() {
                naked_asm!(
                    "lea r11, [rip + {export}]",
                    "jmp {bind}",
                    export = sym EXPORT,
                    bind = sym bind_and_jump,
                )
            }
        }
    };
}

macro_rules! hook_exports {
    ($( $library:ident fn $name:ident $arguments:tt -> $result:ty => $policy:ident $([$size:expr])?; )*) => {
        $( trampoline!($name, Some(Library::$library)); )*
    };
}
rmcp_abi::hooks!(hook_exports);

macro_rules! api_exports {
    ($( $name:ident; )*) => { $( trampoline!($name, None); )* };
}
rmcp_abi::api!(api_exports);

/// One exported function. The assembly reads `slot` at offset 0.
#[repr(C)]
struct Export {
    slot: AtomicPtr<c_void>,
    /// What the slot holds until it is bound.
    unbound: extern "C" fn(),
    symbol: &'static CStr,
    /// None: a function of rmcp.h, which has no real one behind it.
    library: Option<Library>,
}

/// Saves what a call carries (six integer registers, eight vector ones, and the count in al), asks [`bind`] with the
/// export in r11 and the caller's return address, and jumps where it says as if nothing had happened.
#[unsafe(naked)]
extern "C" fn bind_and_jump() {
    naked_asm!(
        "push rdi", "push rsi", "push rdx", "push rcx", "push r8", "push r9", "push rax",
        "sub rsp, 128",
        "movups [rsp], xmm0", "movups [rsp + 16], xmm1", "movups [rsp + 32], xmm2", "movups [rsp + 48], xmm3",
        "movups [rsp + 64], xmm4", "movups [rsp + 80], xmm5", "movups [rsp + 96], xmm6", "movups [rsp + 112], xmm7",
        "mov rdi, r11",
        "mov rsi, [rsp + 184]", // the return address: above 128 + 7 * 8 bytes
        "call {bind}",
        "mov r11, rax",
        "movups xmm0, [rsp]", "movups xmm1, [rsp + 16]", "movups xmm2, [rsp + 32]", "movups xmm3, [rsp + 48]",
        "movups xmm4, [rsp + 64]", "movups xmm5, [rsp + 80]", "movups xmm6, [rsp + 96]", "movups xmm7, [rsp + 112]",
        "add rsp, 128",
        "pop rax", "pop r9", "pop r8", "pop rcx", "pop rdx", "pop rsi", "pop rdi",
        "jmp r11",
        bind = sym bind,
    )
}

/// The calls whose target is not every caller's; null until there is one.
#[unsafe(link_section = ".data")]
static SITES: AtomicPtr<CallSites<4096>> = AtomicPtr::new(null_mut());

fn sites() -> Option<&'static CallSites<4096>> {
    // SAFETY: what `map_sites` stores stays mapped.
    unsafe { SITES.load(Ordering::Acquire).as_ref() }
}

/// Maps the table. None without memory.
#[cold]
fn map_sites() -> Option<&'static CallSites<4096>> {
    const SIZE: usize = size_of::<CallSites<4096>>();
    let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: asks for new memory.
    let new = unsafe { libc::mmap(null_mut(), SIZE, access, kind, -1, 0) };
    // Its zeros are an empty table.
    if new != libc::MAP_FAILED
        && SITES.compare_exchange(null_mut(), new.cast(), Ordering::AcqRel, Ordering::Acquire).is_err()
    {
        // SAFETY: another thread's is in its place, and nobody has seen this one.
        unsafe { libc::munmap(new, SIZE) };
    }
    sites()
}

/// Where this call goes; notes for which others that holds. Never null; errno is kept.
extern "C" fn bind(export: &Export, caller: usize) -> *mut c_void {
    let slot = (&raw const export.slot).addr();
    if let Some(target) = sites().and_then(|sites| sites.find(slot, caller, module::unload_count)) {
        return target;
    }
    // SAFETY: the C library's errno of this thread.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above.
    let saved = unsafe { *errno };
    // Before the look: what is unloaded during it counts.
    let unloads = module::unload_count();
    let found = if has_loader() {
        ask_core(export, caller).or_else(|| without_core(export, caller))
    } else {
        without_loader(export)
    };
    let (target, scope) = found.unwrap_or_else(|| {
        let answer: extern "C" fn() -> c_int = match export.library {
            Some(Library::Hip) => missing_hip,
            Some(Library::Hsa) => missing_hsa,
            None => missing_api,
        };
        // The library may be loaded later.
        (answer as *mut c_void, BindingScope::Call)
    });
    let valid_until = match scope {
        BindingScope::Call | BindingScope::AllCallers => None,
        BindingScope::SiteUntilUnload => unloads,
        BindingScope::Site => Some(NEVER_EXPIRES),
    };
    if scope == BindingScope::AllCallers {
        export.slot.store(target, Ordering::Release);
    } else if let (Some(unloads), Some(sites)) = (valid_until, sites().or_else(map_sites)) {
        sites.insert(slot, caller, unloads, target);
    }
    // SAFETY: as above.
    unsafe { *errno = saved };
    target
}

// Before glibc 2.34 these are in libdl.so.2. Asked for weakly, they make no process load that file which would not: one
// that has come to a runtime has it, because the runtimes need it.
global_asm!(".weak dlopen", ".weak dlsym", ".weak dlclose");

/// Whether this process has the functions above.
fn has_loader() -> bool {
    let dlsym: usize;
    // SAFETY: reads the gate's own table of addresses, whose entries are final before any code runs.
    unsafe { asm!("mov {}, [rip + dlsym@GOTPCREL]", out(reg) dlsym, options(nostack, preserves_flags, readonly)) };
    dlsym != 0
}

fn ask_core(export: &Export, caller: usize) -> Option<(*mut c_void, BindingScope)> {
    static GATE: Gate = Gate { size: size_of::<Gate>(), next_definition: next_behind_gates };
    let target_of = core_target()?;
    let mut scope = BindingScope::Call;
    // SAFETY: `target_of` is the core's export of this type; the arguments live for the call.
    let target = unsafe { target_of(&GATE, export.symbol.as_ptr(), caller, &mut scope) };
    (!target.is_null()).then_some((target, scope))
}

/// The core's entry: null until tried; its own address when there is none to be had.
#[unsafe(link_section = ".data")]
static CORE: AtomicPtr<c_void> = AtomicPtr::new(null_mut());

/// The core's entry, loaded on first use. None in a setuid program, and when the core cannot be loaded.
fn core_target() -> Option<CoreTarget> {
    let none = (&raw const CORE).cast_mut().cast();

    let mut core = CORE.load(Ordering::Acquire);
    if core.is_null() {
        if is_forked_within_load() {
            return None;
        }
        core = load::core_target();
        if core.is_null() {
            core = none;
        }
        CORE.store(core, Ordering::Release);
    }
    // SAFETY: anything but `none` is what dlsym found for CORE_TARGET, whose type this is.
    (core != none).then(|| unsafe { core::mem::transmute::<*mut c_void, CoreTarget>(core) })
}

/// Whether this process was forked while another thread of its parent was loading the core: then it has half of one, and
/// perhaps a held lock in the loader, for ever.
fn is_forked_within_load() -> bool {
    /// The process that has begun.
    #[unsafe(link_section = ".data")]
    static LOADER: AtomicU64 = AtomicU64::new(0);
    CORE.load(Ordering::Acquire).is_null() && process::belongs_to_ancestor(&LOADER)
}

/// The real function, found by the gate alone.
fn without_core(export: &Export, caller: usize) -> Option<(*mut c_void, BindingScope)> {
    let real = resolve::real_function(export.symbol, export.library?.file_prefix(), caller, next_behind_gates)?;
    Some((real.address, real.binding_scope()))
}

/// The same in a process that cannot load anything, and so has no runtime: what has stood behind this gate since the start.
fn without_loader(export: &Export) -> Option<(*mut c_void, BindingScope)> {
    let gate = module::module_of_by_walk((&raw const *export).addr())?;
    let behind = LinkMap::of_module(&gate, LinkMap::first()?)?.iter_forward().skip(1);
    let function = behind.filter(|map| !map.module().is_rmcp()).find_map(|map| map.function(export.symbol))?;
    Some((function, BindingScope::AllCallers))
}

/// For other gates. A reference to this name would lead to the first gate's.
#[unsafe(no_mangle)]
unsafe extern "C" fn rmcp_next(symbol: *const c_char) -> *mut c_void {
    // SAFETY: the caller's promise.
    unsafe { next_behind_gates(symbol) }
}

/// The definition of `symbol` that stands behind this gate in the global scope, and behind any other there.
unsafe extern "C" fn next_behind_gates(symbol: *const c_char) -> *mut c_void {
    // SAFETY: the caller's promise, and a name of our own.
    let (found, gate) = unsafe { (next(symbol), next(NEXT_DEFINITION.as_ptr())) };
    if gate.is_null() || !module_of(found.addr()).is_some_and(|module| module.is_rmcp()) {
        return found;
    }
    // SAFETY: only gates have a function of that name, whose type is this one's.
    unsafe { core::mem::transmute::<*mut c_void, resolve::NextDefinition>(gate)(symbol) }
}

/// `dlsym(RTLD_NEXT, symbol)`: the definition behind the gate in the global scope. dlsym tells the scope from its return
/// address, so this must be a call from here: a compiler makes a jump of it, and then the core is taken for the caller.
#[unsafe(naked)]
unsafe extern "C" fn next(symbol: *const c_char) -> *mut c_void {
    naked_asm!(
        "sub rsp, 8",
        "mov rsi, rdi",
        "mov rdi, -1", // RTLD_NEXT
        "call {dlsym}",
        "add rsp, 8",
        "ret",
        dlsym = sym libc::dlsym,
    )
}

extern "C" fn missing_hip() -> c_int {
    Library::Hip.missing_symbol_error()
}

extern "C" fn missing_hsa() -> c_int {
    Library::Hsa.missing_symbol_error()
}

extern "C" fn missing_api() -> c_int {
    0
}

/// A panic would end the process. This symbol exists nowhere, so a gate that could panic does not link.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    unsafe extern "C" {
        fn the_gate_must_not_panic() -> !;
    }
    // SAFETY: never linked.
    unsafe { the_gate_must_not_panic() }
}
