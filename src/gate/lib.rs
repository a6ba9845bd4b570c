//! librmcp.so: the gate that a preloaded process maps.
//!
//! Every export of the hook table is one jump through a slot. A slot first leads to the binder, which loads
//! `librmcp_core.so` from the gate's own folder (`load`) and asks it where the call goes, and which later ones: to the
//! core's hook, or straight to the real function. Where callers differ, as with a runtime that came by dlopen, the slot
//! stays and a table of return addresses tells. Without a core the gate finds all that by itself, by `rmcp_abi::resolve`.
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
use rmcp_abi::find_object::module_of;
use rmcp_abi::gate::{BindingScope, CallFrame, CoreBind, Gate, NEXT_DEFINITION};
use rmcp_abi::link_map::LinkMap;
use rmcp_abi::releases::Releases;
use rmcp_abi::sites::{ANSWER_BITS, ANSWERS, FUNCTION_SHIFT, HASH, ROUTE_BITS, Routes, Site};
use rmcp_abi::{Hook, Library, Symbol};
use rmcp_abi::{module, process, resolve};

// What programs call most lies on one page: a second one in each allocation costs 4 ns on ROCm 5.7.1
// (`cargo bench --bench real_runtime`). Eight exports of 32 bytes.
global_asm!(".pushsection .text.hot_exports, \"ax\", @progbits", ".p2align 8", ".popsection");

/// A function that jumps through its slot, and the stub that the slot leads to until it is bound.
macro_rules! trampoline {
    (hipMalloc, $number:expr) => { trampoline!(".text.hot_exports", hipMalloc, $number); };
    (hipFree, $number:expr) => { trampoline!(".text.hot_exports", hipFree, $number); };
    (hipMallocAsync, $number:expr) => { trampoline!(".text.hot_exports", hipMallocAsync, $number); };
    (hipFreeAsync, $number:expr) => { trampoline!(".text.hot_exports", hipFreeAsync, $number); };
    (hipHostMalloc, $number:expr) => { trampoline!(".text.hot_exports", hipHostMalloc, $number); };
    (hipHostFree, $number:expr) => { trampoline!(".text.hot_exports", hipHostFree, $number); };
    (hsa_amd_memory_pool_allocate, $number:expr) => { trampoline!(".text.hot_exports", hsa_amd_memory_pool_allocate, $number); };
    (hsa_amd_memory_pool_free, $number:expr) => { trampoline!(".text.hot_exports", hsa_amd_memory_pool_free, $number); };
    ($name:ident, $number:expr) => { trampoline!(".text.exports", $name, $number); };
    ($section:literal, $name:ident, $number:expr) => {
        mod $name {
            use super::*;

            #[unsafe(no_mangle)]
            #[unsafe(naked)]
            #[unsafe(link_section = $section)]
            extern "C" fn $name() {
                // Apart from each other: processors predict few jumps within the same bytes of code.
                naked_asm!("jmp [rip + {slots} + 8 * {number}]", ".p2align 5", slots = sym SLOTS, number = const $number)
            }

            #[unsafe(naked)]
            pub extern "C" fn unbound() {
                naked_asm!("mov r11d, {number}", "jmp {route}", number = const $number, route = sym route)
            }
        }
    };
}

macro_rules! hook_exports {
    ($( $library:ident fn $name:ident $arguments:tt -> $result:ty => $policy:ident $([$size:expr])?; )*) => {
        $( trampoline!($name, Hook::$name as usize); )*

        const HOOKS: [Export; Hook::ALL.len()] = [$(Export { symbol: symbol(concat!(stringify!($name), "\0")), library: Some(Library::$library), unbound: $name::unbound }),*];
    };
}
rmcp_abi::hooks!(hook_exports);

macro_rules! api_exports {
    ($( $name:ident; )*) => {
        /// The functions of rmcp.h, in the order of their slots.
        #[allow(non_camel_case_types)]
        enum Api { $( $name ),* }

        $( trampoline!($name, Hook::ALL.len() + Api::$name as usize); )*

        const API: [Export; [$( Api::$name ),*].len()] = [$(Export { symbol: symbol(concat!(stringify!($name), "\0")), library: None, unbound: $name::unbound }),*];
    };
}
rmcp_abi::api!(api_exports);

const fn symbol(name: &'static str) -> &'static CStr {
    match CStr::from_bytes_with_nul(name.as_bytes()) {
        Ok(symbol) => symbol,
        Err(_) => panic!("a symbol has no NUL inside"),
    }
}

/// One exported function.
#[derive(Clone, Copy)]
struct Export {
    symbol: &'static CStr,
    /// None: a function of rmcp.h, which has no real one behind it.
    library: Option<Library>,
    /// What its slot holds until it is bound.
    unbound: extern "C" fn(),
}

/// How many there are: functions of the hook table, then those of rmcp.h.
const COUNT: usize = HOOKS.len() + API.len();

/// Every exported function, in the order of the slots.
static EXPORTS: [Export; COUNT] = {
    let mut all = [const { Export { symbol: c"", library: None, unbound: route } }; COUNT];
    let mut number = 0;
    while number < COUNT {
        all[number] = if number < HOOKS.len() { HOOKS[number] } else { API[number - HOOKS.len()] };
        number += 1;
    }
    all
};

/// Where the exports lead: side by side, so that those in use share few cache lines.
static SLOTS: [AtomicPtr<c_void>; COUNT] = {
    let mut slots = [const { AtomicPtr::new(null_mut()) }; COUNT];
    let mut number = 0;
    while number < COUNT {
        slots[number] = AtomicPtr::new(EXPORTS[number].unbound as *mut c_void);
        number += 1;
    }
    slots
};

/// Where calls go that do not all go the same way; null until there is one.
#[unsafe(link_section = ".data")]
static ROUTES: AtomicPtr<Routes> = AtomicPtr::new(null_mut());

#[unsafe(link_section = ".data")]
static RELEASES: Releases = Releases::new();

/// Where a slot leads until it is bound, with the export's number in r11: jumps to what is known of the calls that return to
/// the same place, as [`Routes`] describes. What a call carries stays as it is: rax is kept below the stack's end, where a
/// function without calls may keep things.
#[unsafe(naked)]
extern "C" fn route() {
    naked_asm!(
        "mov [rsp - 8], rax",
        "mov rax, [rip + {routes}]",
        "mov r10, [rsp]",
        "shl r11, {function}",
        "shl r10, {answer}",
        "or r11, r10",
        "test rax, rax",
        "je 2f",
        "mov r10, r11",
        "shr r10, {answer}",
        "imul r10, r10, {hash}",
        "shr r10, {place}",
        "mov r10, [rax + 8 * r10]",
        "xor r10, r11",
        "cmp r10, {answers}",
        "jae 2f",
        "jmp [rax + 8 * r10 + {targets}]",
        "2:",
        "shr r11, {function}",
        "mov rax, [rsp - 8]",
        "jmp {bind}",
        routes = sym ROUTES,
        function = const FUNCTION_SHIFT,
        answer = const ANSWER_BITS,
        hash = const HASH,
        place = const u64::BITS - ROUTE_BITS,
        answers = const ANSWERS,
        targets = const 8 << ROUTE_BITS,
        bind = sym bind_and_jump,
    )
}

/// Saves what a call carries (six integer registers, eight vector ones, and the count in al), asks [`bind`] with the
/// export's number in r11 and the call's frame, and jumps where it says as if nothing had happened.
#[unsafe(naked)]
extern "C" fn bind_and_jump() {
    naked_asm!(
        "push rdi", "push rsi", "push rdx", "push rcx", "push r8", "push r9", "push rax",
        "sub rsp, 208",
        "movups [rsp + 80], xmm0", "movups [rsp + 96], xmm1", "movups [rsp + 112], xmm2", "movups [rsp + 128], xmm3",
        "movups [rsp + 144], xmm4", "movups [rsp + 160], xmm5", "movups [rsp + 176], xmm6", "movups [rsp + 192], xmm7",
        // A CallFrame; the return address lies above 208 + 7 * 8 bytes.
        "mov [rsp], rax", "mov [rsp + 8], rbx", "mov [rsp + 16], rbp", "mov [rsp + 24], r12", "mov [rsp + 32], r13",
        "mov [rsp + 40], r14", "mov [rsp + 48], r15", "mov qword ptr [rsp + 56], 1",
        "mov rax, [rsp + 264]",
        "mov [rsp + 64], rax",
        "mov edi, r11d",
        "mov rsi, rsp",
        "call {bind}",
        "mov r11, rax",
        "movups xmm0, [rsp + 80]", "movups xmm1, [rsp + 96]", "movups xmm2, [rsp + 112]", "movups xmm3, [rsp + 128]",
        "movups xmm4, [rsp + 144]", "movups xmm5, [rsp + 160]", "movups xmm6, [rsp + 176]", "movups xmm7, [rsp + 192]",
        "add rsp, 208",
        "pop rax", "pop r9", "pop r8", "pop rcx", "pop rdx", "pop rsi", "pop rdi",
        "jmp r11",
        bind = sym bind,
    )
}

/// Where this call goes; notes for which others that holds. Never null; errno is kept.
extern "C" fn bind(number: usize, frame: &CallFrame) -> *mut c_void {
    let Some(export) = EXPORTS.get(number) else { return missing_api as *mut c_void };
    // SAFETY: the C library's errno of this thread.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above.
    let saved = unsafe { *errno };
    let (target, _) = RELEASES.ask(|| look(export, number, frame), |answer| note(*answer, number, frame), unbind);
    // SAFETY: as above.
    unsafe { *errno = saved };
    target
}

/// Where this call goes, and which later ones go there too.
fn look(export: &Export, number: usize, frame: &CallFrame) -> (*mut c_void, BindingScope) {
    let found = if has_loader() {
        ask_core(export, frame).or_else(|| without_core(export, number, frame))
    } else {
        without_loader(export)
    };
    found.unwrap_or_else(|| {
        let answer: extern "C" fn() -> c_int = match export.library {
            Some(Library::Hip) => missing_hip,
            Some(Library::Hsa) => missing_hsa,
            None => missing_api,
        };
        // The library may be loaded later.
        (answer as *mut c_void, BindingScope::Call)
    })
}

fn note((target, scope): (*mut c_void, BindingScope), number: usize, frame: &CallFrame) {
    match (scope, SLOTS.get(number), Site::new(number, frame.return_address)) {
        (BindingScope::AllCallers, Some(slot), _) => slot.store(target, Ordering::Release),
        (BindingScope::Site, _, Some(site)) => {
            if let Some(routes) = routes().or_else(map_routes) {
                routes.insert(site, target);
            }
        }
        _ => {}
    }
}

/// See [`Gate::release`].
extern "C" fn release() {
    RELEASES.release(unbind);
}

fn unbind() {
    for (slot, export) in SLOTS.iter().zip(&EXPORTS) {
        slot.store(export.unbound as *mut c_void, Ordering::Release);
    }
    if let Some(routes) = routes() {
        routes.clear();
    }
}

fn routes() -> Option<&'static Routes> {
    // SAFETY: what `map_routes` stores stays mapped.
    unsafe { ROUTES.load(Ordering::Acquire).as_ref() }
}

/// Maps the table. None without memory.
#[cold]
fn map_routes() -> Option<&'static Routes> {
    let new = process::map_zeros(size_of::<Routes>())?;
    // Its zeros are an empty table.
    if ROUTES.compare_exchange(null_mut(), new.cast(), Ordering::AcqRel, Ordering::Acquire).is_err() {
        // SAFETY: another thread's is in its place, and nobody has seen this one.
        unsafe { libc::munmap(new, size_of::<Routes>()) };
    }
    routes()
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

static GATE: Gate = Gate { size: size_of::<Gate>(), next_definition: next_behind_gates, release };

fn ask_core(export: &Export, frame: &CallFrame) -> Option<(*mut c_void, BindingScope)> {
    let bind = core_bind()?;
    let mut scope = BindingScope::Call;
    // SAFETY: `bind` is the core's export of this type; the arguments live for the call.
    let target = unsafe { bind(&GATE, export.symbol.as_ptr(), frame, &mut scope) };
    (!target.is_null()).then_some((target, scope))
}

/// The core's entry: null until tried; its own address when there is none to be had.
#[unsafe(link_section = ".data")]
static CORE: AtomicPtr<c_void> = AtomicPtr::new(null_mut());

/// The core's entry, loaded on first use. None in a setuid program, and when the core cannot be loaded.
fn core_bind() -> Option<CoreBind> {
    let none = (&raw const CORE).cast_mut().cast();

    let mut core = CORE.load(Ordering::Acquire);
    if core.is_null() {
        if is_forked_within_load() {
            return None;
        }
        core = load::core_bind();
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
fn is_forked_within_load() -> bool {
    /// The process that has begun.
    #[unsafe(link_section = ".data")]
    static LOADER: AtomicU64 = AtomicU64::new(0);
    CORE.load(Ordering::Acquire).is_null() && process::belongs_to_ancestor(&LOADER)
}

/// The real function, found by the gate alone.
fn without_core(export: &Export, number: usize, frame: &CallFrame) -> Option<(*mut c_void, BindingScope)> {
    let symbol = Symbol { name: export.symbol, library: export.library?, number };
    let real = resolve::real_function(symbol, frame, &GATE)?;
    Some((real.address, real.scope))
}

/// The same in a process that cannot load anything, and so has no runtime: what has stood behind this gate since the start.
fn without_loader(export: &Export) -> Option<(*mut c_void, BindingScope)> {
    let gate = module::module_of_by_walk((&raw const GATE).addr())?;
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
