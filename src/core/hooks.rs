//! One entry per row of the hook table.
//!
//! The gate jumps here with the program's arguments in place. The entry adds the return address as one more argument,
//! in the integer register after the last one in use, so that the hook knows its caller.
#![allow(non_snake_case)] // modules are named after their functions

use crate::call::Call;
use crate::policies;
use rmcp_hooks::{Argument, HipError, Hook, HsaPool, HsaStatus};
use std::arch::naked_asm;
use std::ffi::c_void;

macro_rules! apply {
    (count, $call:expr, ($($arg:ident),*)) => {
        // SAFETY: the program's own arguments go to the function they were meant for.
        $call.run(|call| call.forward(|real| unsafe { real($($arg),*) }), |real| unsafe { real($($arg),*) })
    };
    ($policy:ident, $call:expr, ($($arg:ident),*)) => {
        // SAFETY: as above.
        $call.run(|call| policies::$policy(call, $($arg),*), |real| unsafe { real($($arg),*) })
    };
}

macro_rules! entries {
    ($( $library:ident fn $name:ident ( $($arg:ident : $ty:ty),* ) -> $ret:ty => $policy:ident; )*) => {
        $(
            mod $name {
                use super::*;

                type Real = unsafe extern "C" fn($($ty),*) -> $ret;

                extern "C" fn hook($($arg: $ty,)* caller: usize) -> $ret {
                    match Call::<Real, $ret>::enter(Hook::$name, caller) {
                        Some(call) => apply!($policy, call, ($($arg),*)),
                        None => Hook::$name.info().library.missing() as $ret,
                    }
                }

                #[unsafe(naked)]
                pub extern "C" fn entry() {
                    naked_asm!(
                        ".if {registers} == 0", "mov rdi, [rsp]",
                        ".elseif {registers} == 1", "mov rsi, [rsp]",
                        ".elseif {registers} == 2", "mov rdx, [rsp]",
                        ".elseif {registers} == 3", "mov rcx, [rsp]",
                        ".elseif {registers} == 4", "mov r8, [rsp]",
                        ".elseif {registers} == 5", "mov r9, [rsp]",
                        ".else", ".error \"no register is left for the caller\"",
                        ".endif",
                        "jmp {hook}",
                        registers = const { 0 $( + <$ty as Argument>::REGISTERS )* },
                        hook = sym hook,
                    )
                }
            }
        )*

        /// Where the gate's slot of `hook` leads while RMCP is active.
        pub fn entry(hook: Hook) -> *mut c_void {
            let entry: extern "C" fn() = match hook { $( Hook::$name => $name::entry, )* };
            entry as *mut c_void
        }
    };
}
rmcp_hooks::hooks!(entries);
