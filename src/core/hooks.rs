//! One entry per row of the hook table.
//!
//! The gate jumps here with the program's arguments in place. The entry adds the return address as one more argument,
//! in the integer register after the last one in use, so that the hook knows its caller.
#![allow(non_snake_case)] // modules are named after their functions

use crate::call::Call;
use crate::{caller, policies, watch};
use rmcp_abi::{Argument, HipError, HipExtent, Hook, HsaPool, HsaStatus, PropertiesR0000, PropertiesR0600};
use std::arch::naked_asm;
use std::ffi::{c_char, c_void};
use std::mem::transmute;

/// Runs a call by its policy, which is given what stands in brackets in the table and the way to forward the call, or all
/// arguments.
macro_rules! apply {
    (forward, $call:expr, $forward:expr, ($($arg:ident),*)) => {
        $call.run(|call| call.forward($forward), $forward)
    };
    // What the table has in brackets is what the policy looks at.
    ($policy:ident [$of:expr], $call:expr, $forward:expr, ($($arg:ident),*)) => {
        $call.run(|call| policies::$policy(call, $of, $forward), $forward)
    };
    ($policy:ident, $call:expr, $forward:expr, ($($arg:ident),*)) => {
        $call.run(|call| policies::$policy(call, $($arg),*), $forward)
    };
}

macro_rules! entries {
    ($( $library:ident fn $name:ident ( $($arg:ident : $ty:ty),* ) -> $ret:ty => $policy:ident $([$size:expr])?; )*) => {
        $(
            mod $name {
                use super::*;

                type Real = unsafe extern "C" fn($($ty),*) -> $ret;
                /// A function of that name which is none of HIP or HSA, and may throw.
                type Other = unsafe extern "C-unwind" fn($($ty),*) -> $ret;

                extern "C-unwind" fn hook<const IN_TABLE: bool, const WATCHED: bool>($($arg: $ty,)* caller: usize) -> $ret {
                    if WATCHED && (IN_TABLE || !caller::caller_at(caller).has_foreign(Hook::$name)) {
                        let call = || hook::<IN_TABLE, false>($($arg,)* caller);
                        return watch::report(Hook::$name, caller, &[$($arg.word()),*], call);
                    }
                    // SAFETY: the program's own arguments go to the function they were meant for.
                    let forward = |real: Real| unsafe { real($($arg),*) };
                    let enter = const { if IN_TABLE { Call::<Real, $ret>::from_table } else { Call::from_gate } };
                    match enter(Hook::$name, caller) {
                        Ok(call) => apply!($policy $([$size])?, call, forward, ($($arg),*)),
                        // SAFETY: what bears a function's name is called as that function.
                        Err(Some(other)) => unsafe { transmute::<*mut c_void, Other>(other)($($arg),*) },
                        Err(None) => Hook::$name.info().library.missing_symbol_error() as $ret,
                    }
                }

                #[unsafe(naked)]
                pub extern "C" fn entry<const IN_TABLE: bool, const WATCHED: bool>() {
                    naked_asm!(
                        ".if {registers} == 0", "mov rdi, [rsp]",
                        ".elseif {registers} == 1", "mov rsi, [rsp]",
                        ".elseif {registers} == 2", "mov rdx, [rsp]",
                        ".elseif {registers} == 3", "mov rcx, [rsp]",
                        ".elseif {registers} == 4", "mov r8, [rsp]",
                        ".elseif {registers} == 5", "mov r9, [rsp]",
                        ".elseif {registers} == 7",
                        // No register is left: the seventh argument and the caller go onto a stack frame of their own.
                        "mov rax, [rsp]", "mov r10, [rsp + 8]",
                        "sub rsp, 8", "push rax", "push r10",
                        "call {hook}",
                        "add rsp, 24",
                        "ret",
                        ".else", ".error \"this many arguments need a case of their own\"",
                        ".endif",
                        "jmp {hook}",
                        registers = const { 0 $( + <$ty as Argument>::REGISTERS )* },
                        hook = sym hook::<IN_TABLE, WATCHED>,
                    )
                }
            }
        )*

        /// Where the gate's slot of `hook` leads while RMCP is active or calls are watched.
        pub fn entry(hook: Hook) -> *mut c_void {
            let entry: extern "C" fn() = match (hook, watch::is_watched(hook)) { $(
                (Hook::$name, false) => $name::entry::<false, false>,
                (Hook::$name, true) => $name::entry::<false, true>,
            )* };
            entry as *mut c_void
        }

        /// What stands in a runtime's own table in place of `hook`'s function; see [`crate::runtime_tables`].
        pub fn table_entry(hook: Hook) -> *mut c_void {
            let entry: extern "C" fn() = match (hook, watch::is_watched(hook)) { $(
                (Hook::$name, false) => $name::entry::<true, false>,
                (Hook::$name, true) => $name::entry::<true, true>,
            )* };
            entry as *mut c_void
        }
    };
}
rmcp_abi::hooks!(entries);
