//! Stub HIP and HSA drivers: copied under the names of a real runtime they answer at once, and tell what arrived.
//!
//! They stand in for the runtime where only the way of a call matters: in the tests of this crate (`load_modes`: which
//! function a call reaches, on every way to it; `gate_is_inert`: what the gate does to a process without one) and in
//! benchmarks. They prove nothing about the effect of a flag: that is what the real runtimes of `rmcp-stacks` are for.
//!
//! One build serves as libamdhip64 and as libhsa-runtime64. `hooked` has every hooked function, derived from the hook
//! table; `unhooked` has more that RMCP itself calls. `clients/stub.h` declares what a test asks of a stub.
#![allow(non_snake_case)] // modules are named after their functions

mod control;
mod devices;
mod record;

/// Defines functions that note their arguments, write an address of this copy where C expects one, and return 0
/// unless told to fail.
macro_rules! stubs {
    ($( $library:ident fn $name:ident ( $($arg:ident : $ty:ty),* ) -> $ret:ty => $policy:ident $([$size:expr])?; )*) => {
        $(
            mod $name {
                use super::*;

                pub static FUNCTION: Function = Function::new(stringify!($name));

                #[unsafe(no_mangle)]
                unsafe extern "C" fn $name($($arg: $ty),*) -> $ret {
                    let numbers = [$($arg.value()),*];
                    let status = FUNCTION.record_call(&numbers);
                    if status == 0 {
                        // SAFETY: the caller passes what the C function takes.
                        $( unsafe { $arg.write_output(&numbers) }; )*
                    }
                    status as $ret
                }
            }
        )*

        /// The functions of this module.
        pub static ALL: &[&Function] = &[$(&$name::FUNCTION),*];
    };
}

mod hooked {
    use crate::record::{Argument, Function};
    use rmcp_abi::{HipError, HipExtent, HsaPool, HsaStatus, PropertiesR0000, PropertiesR0600};
    use std::ffi::{c_char, c_void};

    rmcp_abi::hooks!(stubs);
}

mod unhooked;
