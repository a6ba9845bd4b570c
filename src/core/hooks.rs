//! One hook per row of the hook table.
//!
//! The gate, and the runtimes' own tables, jump to a hook's entry with the program's arguments in place. The entry adds the
//! call's [`Origin`] as one more argument, in the integer register after the last one in use, so that the hook knows who
//! calls, and jumps on.
#![allow(non_snake_case)] // modules are named after their functions

use crate::call::Call;
use crate::{caller, policies, watch};
use rmcp_abi::{Argument, HipError, HipExtent, Hook, HsaPool, HsaStatus, PropertiesR0000, PropertiesR0600};
use std::arch::naked_asm;
use std::ffi::{c_char, c_void};
use std::mem::transmute;

/// The address that a call returns to, and in the highest bits, which no address of a program has, what is special about it.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct Origin(usize);

// The entries have the numbers of these bits in their code.
impl Origin {
    /// The call came through a runtime's own table.
    const TABLE: usize = 1 << 63;
    /// It is to be reported.
    const WATCHED: usize = 1 << 62;

    fn is_table(self) -> bool {
        self.0 & Self::TABLE != 0
    }

    fn address(self) -> usize {
        self.0 & !(Self::TABLE | Self::WATCHED)
    }

    /// Whether the call is to be reported: not where it is none of HIP or HSA.
    fn is_watched(self, hook: Hook) -> bool {
        let foreign = || !self.is_table() && caller::caller_at(self.address()).has_foreign(hook);
        self.0 & Self::WATCHED != 0 && !foreign()
    }

    /// The same once it is being reported.
    fn reported(self) -> Self {
        Self(self.0 & !Self::WATCHED)
    }
}

/// Puts the origin into this register, where the function takes so many.
#[rustfmt::skip] // lines of assembly
macro_rules! origin_to {
    ($register:literal, $count:literal) => {
        concat!(
            ".elseif {registers} == ", $count, "\n",
            "mov ", $register, ", [rsp]\n",
            ".if {table}\n", "bts ", $register, ", 63\n", ".endif\n",
            ".if {watched}\n", "bts ", $register, ", 62\n", ".endif",
        )
    };
}

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
                type Foreign = unsafe extern "C-unwind" fn($($ty),*) -> $ret;

                /// Twice: the usual call, through the gate and unseen, has no look at what is special about others.
                extern "C-unwind" fn hook<const SPECIAL: bool>($($arg: $ty,)* origin: Origin) -> $ret {
                    if SPECIAL && origin.is_watched(Hook::$name) {
                        let call = move || hook::<SPECIAL>($($arg,)* origin.reported());
                        return watch::report(Hook::$name, origin.address(), &[$($arg.word()),*], call);
                    }
                    // SAFETY: the program's own arguments go to the function they were meant for.
                    let forward = move |real: Real| unsafe { real($($arg),*) };
                    let address = if SPECIAL { origin.address() } else { origin.0 };
                    let call = if SPECIAL && origin.is_table() {
                        Call::<Real, $ret>::from_table(Hook::$name, address)
                    } else {
                        Call::from_gate(Hook::$name, address)
                    };
                    match call {
                        Ok(call) => apply!($policy $([$size])?, call, forward, ($($arg),*)),
                        // SAFETY: what bears a function's name is called as that function.
                        Err(Some(foreign)) => unsafe { transmute::<*mut c_void, Foreign>(foreign)($($arg),*) },
                        Err(None) => Hook::$name.info().library.missing_symbol_error() as $ret,
                    }
                }

                #[unsafe(naked)]
                pub extern "C" fn entry<const SPECIAL: bool, const TABLE: bool, const WATCHED: bool>() {
                    naked_asm!(
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
                        "sub rsp, 8", "push rax", "push r10",
                        "call {hook}",
                        "add rsp, 24",
                        "ret",
                        ".else", ".error \"this many arguments need a case of their own\"",
                        ".endif",
                        "jmp {hook}",
                        table = const TABLE as i32,
                        watched = const WATCHED as i32,
                        registers = const { 0 $( + <$ty as Argument>::REGISTERS )* },
                        hook = sym hook::<SPECIAL>,
                    )
                }
            }
        )*

        /// Where the gate's slot of `hook` leads while RMCP is active or calls are watched.
        pub fn gate_entry(hook: Hook) -> *mut c_void {
            let entry: extern "C" fn() = match (hook, watch::is_watched(hook)) { $(
                (Hook::$name, false) => $name::entry::<false, false, false>,
                (Hook::$name, true) => $name::entry::<true, false, true>,
            )* };
            entry as *mut c_void
        }

        /// What stands in a runtime's own table in place of `hook`'s function; see [`crate::runtime_tables`].
        pub fn table_entry(hook: Hook) -> *mut c_void {
            let entry: extern "C" fn() = match (hook, watch::is_watched(hook)) { $(
                (Hook::$name, false) => $name::entry::<true, true, false>,
                (Hook::$name, true) => $name::entry::<true, true, true>,
            )* };
            entry as *mut c_void
        }
    };
}
rmcp_abi::hooks!(entries);
