//! Calls that somebody wants to see: in the records of [`crate::trace`], as lines of the log (`log = "trace"`), or both.
//!
//! While nobody does none of this is reached: [`crate::hooks::entry`] hands out entries without it.

use crate::call::Call;
use crate::caller::{self, CallerKind};
use crate::isolation::isolated;
use crate::{machine, trace};
use rmcp_abi::effect::Address;
use rmcp_abi::find_object::module_of;
use rmcp_abi::module::Module;
use rmcp_abi::{Argument, Hook};
use std::ffi::{CStr, c_char};
use std::fmt;

/// Whether calls of `hook` are watched in this process.
pub fn is_watched(hook: Hook) -> bool {
    trace::is_recorded(hook) || logs_calls()
}

fn logs_calls() -> bool {
    machine::detected().is_some_and(|machine| machine.logs_calls)
}

/// Makes a call with these arguments by `run`, and reports it.
pub fn report<F: Copy, R: Argument + Copy>(call: &Call<F>, arguments: &[u64], run: impl FnOnce() -> R) -> R {
    // What comes from RMCP itself was reported on its way to the runtime's table.
    if call.caller.kind == CallerKind::Rmcp {
        return run();
    }
    let result = if trace::is_recorded(call.hook) { trace::record(call, arguments, run) } else { run() };
    if logs_calls() {
        let status = result.word() as u32 as i32;
        let module = || module_of(call.return_address());
        isolated(|| log::trace!("{}", Line { hook: call.hook, caller: module(), arguments, status }));
    }
    result
}

/// `hipHostMalloc(ptr=0x7ffd0, size=4096, flags=0x0) by libtorch_hip.so = 0, at 0x7f000`.
struct Line<'a> {
    hook: Hook,
    caller: Option<Module>,
    arguments: &'a [u64],
    status: i32,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { hook, caller, arguments, status } = self;
        let info = hook.info();
        write!(f, "{}(", info.name)?;
        for (nth, ((name, ty), &argument)) in info.parameters().zip(*arguments).enumerate() {
            let comma = if nth > 0 { ", " } else { "" };
            write!(f, "{comma}{name}=")?;
            match ty {
                "usize" | "HipExtent" => write!(f, "{argument}"),
                "i32" => write!(f, "{}", argument as u32 as i32),
                "*const c_char" if *status == 0 => {
                    // SAFETY: the runtime has read the name there, and returned success.
                    let name = unsafe { CStr::from_ptr(argument as *const c_char) };
                    write!(f, "{name:?}")
                }
                _ => write!(f, "{argument:#x}"),
            }?;
        }
        write!(f, ") by {} = {status}", caller::name(caller.as_ref()))?;
        match hook.effect().map(|effect| effect.address) {
            Some(Address::Output(at)) if *status == 0 => {
                // SAFETY: the runtime returned success, so it wrote the address there.
                let address = unsafe { *(arguments[at] as *const u64) };
                write!(f, ", at {address:#x}")
            }
            _ => Ok(()),
        }
    }
}
