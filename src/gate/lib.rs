//! librmcp.so: the gate that a preloaded process maps.
//!
//! Every export is one jump through a slot. A slot first leads to the binder, which loads `librmcp_core.so` from the
//! gate's own folder and asks it where the slot shall lead from now on: to the core's hook, or straight to the real
//! function. Nothing runs before the first call: no constructor, no thread-local, no allocation; `libc.so.6` is the
//! only library needed. Whatever goes wrong, the call reaches the real function unchanged.
#![no_std]
#![allow(non_upper_case_globals, non_snake_case)] // slots and stubs are named after their functions

mod process;
mod resolve;
mod slots;

use core::arch::{asm, global_asm, naked_asm};
use core::ffi::{CStr, c_char, c_int, c_void};
use core::ptr::null_mut;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};
use resolve::Copies;
use rmcp_hooks::gate::{CORE_BIND, CORE_FILE, CoreBind, Gate};
use rmcp_hooks::{Hook, Library};
use slots::Slots;

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

        static HOOKS: [&Export; Hook::ALL.len()] = [$( &$name::EXPORT ),*];
    };
}
rmcp_hooks::hooks!(hook_exports);

macro_rules! api_exports {
    ($( $name:ident; )*) => { $( trampoline!($name, None); )* };
}
rmcp_hooks::api!(api_exports);

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

/// Where this call goes, and, when that holds for every call, the slot from now on. Never null; errno is kept.
extern "C" fn bind(export: &Export, caller: usize) -> *mut c_void {
    // SAFETY: the C library's errno of this thread.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above.
    let saved = unsafe { *errno };
    let target = SLOTS.bind(&export.slot, export.unbound as *mut c_void, || {
        let found = if has_loader() { ask_core(export, caller).or_else(|| without_core(export, caller)) } else { None };
        found.unwrap_or_else(|| {
            let answer: extern "C" fn() -> c_int = match export.library {
                Some(Library::Hip) => missing_hip,
                Some(Library::Hsa) => missing_hsa,
                None => missing_api,
            };
            // Not kept: the library may be loaded later.
            (answer as *mut c_void, false)
        })
    });
    // SAFETY: as above.
    unsafe { *errno = saved };
    target
}

// Before glibc 2.34 these are in libdl.so.2. Asked for weakly, they make no process load that file which would not: one
// that has come to a runtime has it.
global_asm!(".weak dlopen", ".weak dlsym", ".weak dlclose");

/// Whether this process has the functions above.
fn has_loader() -> bool {
    let dlsym: usize;
    // SAFETY: reads the gate's own table of addresses, whose entries are final before any code runs.
    unsafe { asm!("mov {}, [rip + dlsym@GOTPCREL]", out(reg) dlsym, options(nostack, preserves_flags, readonly)) };
    dlsym != 0
}

static SLOTS: Slots = Slots { released: AtomicBool::new(false) };

/// See [`Gate::release`].
extern "C" fn release() {
    SLOTS.release(HOOKS.iter().map(|export| (&export.slot, export.unbound as *mut c_void)));
}

fn ask_core(export: &Export, caller: usize) -> Option<(*mut c_void, bool)> {
    static GATE: Gate = Gate { size: size_of::<Gate>(), next, release };
    let bind = core_bind()?;
    let mut keep = false;
    // SAFETY: `bind` is the core's export of this type; the arguments live for the call.
    let target = unsafe { bind(&GATE, export.symbol.as_ptr(), caller, &mut keep) };
    (!target.is_null()).then_some((target, keep))
}

/// The core's entry: null until tried; its own address when there is none to be had.
static CORE: AtomicPtr<c_void> = AtomicPtr::new(null_mut());

/// The core's entry, loaded on first use. None in a setuid program, and when the core cannot be loaded.
fn core_bind() -> Option<CoreBind> {
    let none = (&raw const CORE).cast_mut().cast();

    let mut core = CORE.load(Ordering::Acquire);
    if core.is_null() {
        if cut_off() {
            return None;
        }
        core = load_core();
        if core.is_null() {
            core = none;
        }
        CORE.store(core, Ordering::Release);
    }
    // SAFETY: anything but `none` is what dlsym found for CORE_BIND, whose type this is.
    (core != none).then(|| unsafe { core::mem::transmute::<*mut c_void, CoreBind>(core) })
}

/// Whether this process was forked while another thread of its parent was loading the core: then it has half of one, and
/// perhaps a held lock in the loader, for ever.
fn cut_off() -> bool {
    /// The process that has begun.
    static LOADER: AtomicU64 = AtomicU64::new(0);
    CORE.load(Ordering::Acquire).is_null() && resolve::is_anothers(&LOADER)
}

fn load_core() -> *mut c_void {
    // SAFETY: plain loader calls with NUL-terminated names; threads that meet here load the same object.
    unsafe {
        if libc::getauxval(libc::AT_SECURE) != 0 {
            return null_mut();
        }
        let mut core = open_core(CORE_FILE.as_ptr());
        if core.is_null() {
            core = open_core_behind_link();
        }
        if core.is_null() { null_mut() } else { libc::dlsym(core, CORE_BIND.as_ptr()) }
    }
}

/// # Safety
/// The path is NUL-terminated.
unsafe fn open_core(path: *const c_char) -> *mut c_void {
    // SAFETY: as the caller promises.
    unsafe { libc::dlopen(path, libc::RTLD_NOW | libc::RTLD_LOCAL | libc::RTLD_NODELETE) }
}

/// The core beside the file that the gate's path leads to. The packages have a link to the gate in the loader's own
/// folders, for `LD_PRELOAD=librmcp.so`, and the loader's $ORIGIN is then the folder of the link.
fn open_core_behind_link() -> *mut c_void {
    /// From the slash on.
    const FILE: &CStr = c"/librmcp_core.so";
    let Some(gate) = resolve::module_of(open_core_behind_link as *const () as usize) else { return null_mut() };
    let mut path = [0 as c_char; libc::PATH_MAX as usize + FILE.count_bytes()];
    // SAFETY: realpath writes at most PATH_MAX bytes; what replaces the file's name from its slash on fits behind those.
    unsafe {
        if libc::realpath(gate.path().as_ptr(), path.as_mut_ptr()).is_null() {
            return null_mut();
        }
        let slash = libc::strrchr(path.as_ptr(), c_int::from(b'/'));
        libc::strcpy(slash, FILE.as_ptr());
        open_core(path.as_ptr())
    }
}

/// The real function, found by the gate alone: kept while there is but one copy of the library to choose from.
fn without_core(export: &Export, caller: usize) -> Option<(*mut c_void, bool)> {
    let library = export.library?;
    // SAFETY: the symbol is NUL-terminated.
    let behind = unsafe { next(export.symbol.as_ptr()) };
    let target = resolve::real(export.symbol, library.file_prefix(), caller, behind);
    let copies = if cut_off() { Copies::Unknown } else { resolve::copies_of(library) };
    if copies == Copies::Several {
        release();
    }
    (!target.is_null()).then(|| (target, copies == Copies::One && export.symbol != resolve::STARTS))
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
    Library::Hip.missing()
}

extern "C" fn missing_hsa() -> c_int {
    Library::Hsa.missing()
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
