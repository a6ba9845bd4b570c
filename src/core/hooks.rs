//! One hook per row of the hook table.
//!
//! The gate, and the runtimes' own tables, jump to a hook's entry with the program's arguments in place. The entry adds the
//! call's [`Origin`] as one more argument, in the integer register after the last one in use, so that the hook knows who
//! calls and in which copy of the runtime, and jumps on.
#![allow(non_snake_case)] // modules are named after their functions

use crate::call::Call;
use crate::{policies, watch};
use rmcp_abi::copies::MOST;
use rmcp_abi::{Argument, HipError, HipExtent, Hook, HsaPool, HsaStatus, PropertiesR0000, PropertiesR0600};
use std::arch::naked_asm;
use std::ffi::{c_char, c_void};

/// The address that a call returns to, and in the highest bits, which no address of a program has, the number of the copy
/// that it goes to.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Origin(usize);

// The entries have the numbers of these bits in their code.
impl Origin {
    const COPY_SHIFT: u32 = 61;

    /// The number of the copy.
    #[inline]
    pub fn copy(self) -> usize {
        self.0 >> Self::COPY_SHIFT
    }

    /// The address that the call returns to.
    #[inline]
    pub fn address(self) -> usize {
        self.0 & !(usize::MAX << Self::COPY_SHIFT)
    }
}

/// Puts the origin into this register, where the function takes so many.
#[rustfmt::skip] // lines of assembly
macro_rules! origin_to {
    ($register:literal, $count:literal) => {
        concat!(
            ".elseif {registers} == ", $count, "\n",
            "mov ", $register, ", [rsp]\n",
            ".if {copy} & 1\n", "bts ", $register, ", 61\n", ".endif\n",
            ".if {copy} & 2\n", "bts ", $register, ", 62\n", ".endif",
        )
    };
}

/// Runs a call by its policy, which is given what stands in brackets in the table and the way to forward the call, or all
/// arguments.
macro_rules! apply {
    (forward, $call:expr, $forward:expr, ($($arg:ident),*)) => {
        $call.forward($forward)
    };
    // What the table has in brackets is what the policy looks at.
    ($policy:ident [$of:expr], $call:expr, $forward:expr, ($($arg:ident),*)) => {
        policies::$policy(&$call, $of, $forward)
    };
    ($policy:ident, $call:expr, $forward:expr, ($($arg:ident),*)) => {
        policies::$policy(&$call, $($arg),*)
    };
}

/// The real function, where RMCP has no say.
macro_rules! unasked {
    (runtime_start, $call:expr) => {
        $call.own()
    };
    ($policy:ident, $call:expr) => {
        $call.unasked()
    };
}

macro_rules! entries {
    ($( $library:ident fn $name:ident ( $($arg:ident : $ty:ty),* ) -> $ret:ty => $policy:ident $([$size:expr])?; )*) => {
        $(
            mod $name {
                use super::*;

                type Real = unsafe extern "C-unwind" fn($($ty),*) -> $ret;

                /// Twice: the usual call has no look at what is to be reported of others.
                extern "C-unwind" fn hook<const WATCHED: bool>($($arg: $ty,)* origin: Origin) -> $ret {
                    let Some(call) = Call::<Real>::new(Hook::$name, origin) else {
                        return Hook::$name.library().missing_symbol_error() as $ret;
                    };
                    // SAFETY: the program's own arguments go to the function they were meant for.
                    let forward = move |real: Real| unsafe { real($($arg),*) };
                    let run = || match unasked!($policy, call) {
                        Some(real) => forward(real),
                        None => apply!($policy $([$size])?, call, forward, ($($arg),*)),
                    };
                    if WATCHED { watch::report(&call, &[$($arg.word()),*], run) } else { run() }
                }

                #[unsafe(naked)]
                pub extern "C" fn entry<const COPY: usize, const WATCHED: bool>() {
                    naked_asm!(
                        ".cfi_startproc",
                        ".if 0",
                        origin_to!("rdi", 0),
                        origin_to!("rsi", 1),
                        origin_to!("rdx", 2),
                        origin_to!("rcx", 3),
                        origin_to!("r8", 4),
                        origin_to!("r9", 5),
                        // No register is left: the seventh argument and the origin go onto a stack frame of their own.
                        origin_to!("rax", 7),
                        "mov r10, [rsp + 8]",
                        "sub rsp, 8", ".cfi_adjust_cfa_offset 8",
                        "push rax", ".cfi_adjust_cfa_offset 8",
                        "push r10", ".cfi_adjust_cfa_offset 8",
                        "call {hook}",
                        "add rsp, 24", ".cfi_adjust_cfa_offset -24",
                        "ret",
                        ".else", ".error \"this many arguments need a case of their own\"",
                        ".endif",
                        "jmp {hook}",
                        ".cfi_endproc",
                        copy = const COPY,
                        registers = const { 0 $( + <$ty as Argument>::REGISTERS )* },
                        hook = sym hook::<WATCHED>,
                    )
                }
            }
        )*

        /// What leads to `hook`, for calls that go to the copy of this number.
        pub fn entry(hook: Hook, copy: usize) -> *mut c_void {
            const { assert!(MOST == 4) };
            let entry: extern "C" fn() = match hook { $(
                Hook::$name => match (copy % MOST, watch::is_watched(hook)) {
                    (0, false) => $name::entry::<0, false>,
                    (1, false) => $name::entry::<1, false>,
                    (2, false) => $name::entry::<2, false>,
                    (_, false) => $name::entry::<3, false>,
                    (0, true) => $name::entry::<0, true>,
                    (1, true) => $name::entry::<1, true>,
                    (2, true) => $name::entry::<2, true>,
                    (_, true) => $name::entry::<3, true>,
                },
            )* };
            entry as *mut c_void
        }
    };
}
rmcp_abi::hooks!(entries);
