//! Calls that somebody wants to see: in the records of [`crate::trace`], as lines of the log (`log = "trace"`), or both.
//!
//! While nobody does none of this is reached: [`crate::hooks::entry`] hands out entries without it.

use crate::caller::{self, Caller, Who};
use crate::unnoticed::unnoticed;
use crate::{machine, trace};
use rmcp_hooks::effect::Address;
use rmcp_hooks::{Argument, Hook};
use std::ffi::{CStr, c_char};
use std::fmt::Write;

/// Whether calls of `hook` are watched in this process.
pub fn wants(hook: Hook) -> bool {
    trace::wants(hook) || logs_calls()
}

fn logs_calls() -> bool {
    machine::known().is_some_and(|machine| machine.logs_calls)
}

/// Makes a call by `call`, and reports it. The call returns to `address` and has these arguments.
pub fn report<R: Argument + Copy>(hook: Hook, address: usize, arguments: &[u64], call: impl FnOnce() -> R) -> R {
    let caller = caller::of(address);
    // What comes from RMCP itself was reported on its way to the runtime's table.
    if caller.who == Who::Rmcp {
        return call();
    }
    let result = if trace::wants(hook) { trace::record(hook, caller, arguments, call) } else { call() };
    if logs_calls() {
        unnoticed(|| tracing::trace!("{}", line(hook, caller, arguments, result.word() as u32 as i32)));
    }
    result
}

/// `hipHostMalloc(ptr=0x7ffd0, size=4096, flags=0x0) by libtorch_hip.so = 0, at 0x7f000`.
fn line(hook: Hook, caller: &Caller, arguments: &[u64], status: i32) -> String {
    let info = hook.info();
    let parameters = info.parameters().zip(arguments).map(|((name, ty), &argument)| {
        let value = match ty {
            "usize" | "HipExtent" => argument.to_string(),
            "i32" => (argument as u32 as i32).to_string(),
            // SAFETY: the runtime has read the name there, and returned success.
            "*const c_char" if status == 0 => format!("{:?}", unsafe { CStr::from_ptr(argument as *const c_char) }),
            _ => format!("{argument:#x}"),
        };
        format!("{name}={value}")
    });
    let parameters = parameters.collect::<Vec<_>>().join(", ");
    let mut line = format!("{}({parameters}) by {} = {status}", info.name, caller.name());
    if let Some(Address::WrittenTo(at)) = hook.effect().map(|effect| effect.address)
        && status == 0
    {
        // SAFETY: the runtime returned success, so it wrote the address there.
        let address = unsafe { *(arguments[at] as *const u64) };
        // Writing to a String cannot fail.
        let _ = write!(line, ", at {address:#x}");
    }
    line
}
