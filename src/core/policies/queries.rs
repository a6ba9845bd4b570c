//! What the program asks about memory, devices and functions.

use super::Address;
use crate::call::{Call, guarded};
use crate::caller;
use crate::requested_flags::HOST_FLAGS;
use rmcp_abi::PointerAttributes;
use rmcp_abi::flags::{HOST_NON_COHERENT, MANAGED_CAPABILITIES};
use rmcp_abi::{HipError, Hook, PropertiesR0000, PropertiesR0600};
use rmcp_domain::policy;
use std::ffi::{CStr, c_char, c_void};
use std::mem::offset_of;

type HostGetFlags = unsafe extern "C-unwind" fn(*mut u32, *mut c_void) -> HipError;
type PointerGetAttributes = unsafe extern "C-unwind" fn(*mut c_void, *const c_void) -> HipError;
type GetAttribute = unsafe extern "C-unwind" fn(*mut i32, i32, i32) -> HipError;
type GetProperties<P> = unsafe extern "C-unwind" fn(*mut P, i32) -> HipError;
type GetProcAddress = unsafe extern "C-unwind" fn(*const c_char, Address, i32, u64, *mut i32) -> HipError;
type GetEntryPoint = unsafe extern "C-unwind" fn(*const c_char, Address, u64, *mut i32) -> HipError;

/// The flags that the program asked for, where RMCP gave the allocation that holds `ptr` others; `shown`: those that the
/// runtime tells.
fn requested<F: std::marker::Copy>(call: &Call<F>, ptr: *const c_void, shown: u32) -> Option<u32> {
    let runtime = call.copy.runtime();
    let hidden = || !runtime.shows_noncoherent() && runtime.is_noncoherent(ptr.cast_mut());
    // Device memory, which never has this flag, is asked about far more often.
    if shown & HOST_NON_COHERENT == 0 && !hidden() {
        return None;
    }
    HOST_FLAGS.get(ptr as u64).or_else(|| HOST_FLAGS.get(runtime.allocation_base(ptr)? as u64))
}

/// hipHostGetFlags. What is remembered of memory holds while the runtime says that it is non-coherent: it may have been freed.
pub fn requested_flags(call: &Call<HostGetFlags>, flags: *mut u32, ptr: *mut c_void) -> HipError {
    // SAFETY: the program's arguments.
    let status = call.forward(|real| unsafe { real(flags, ptr) });
    if status == 0 {
        // SAFETY: the runtime returned success, so it wrote the flags.
        let flags = unsafe { &mut *flags };
        *flags = guarded(|| requested(call, ptr, *flags)).flatten().unwrap_or(*flags);
    }
    status
}

/// hipPointerGetAttributes.
pub fn requested_attributes(
    call: &Call<PointerGetAttributes>,
    attributes: *mut c_void,
    ptr: *const c_void,
) -> HipError {
    // SAFETY: the program's arguments.
    let status = call.forward(|real| unsafe { real(attributes, ptr) });
    if status == 0 {
        // SAFETY: the runtime returned success, so it wrote the struct, which has the flags there.
        let flags: &mut u32 = unsafe { &mut *attributes.byte_add(offset_of!(PointerAttributes, flags)).cast() };
        *flags = guarded(|| requested(call, ptr, *flags)).flatten().unwrap_or(*flags);
    }
    status
}

/// hipDeviceGetAttribute.
pub fn device_attribute(call: &Call<GetAttribute>, value: *mut i32, attribute: i32, device: i32) -> HipError {
    // SAFETY: the program's arguments.
    let status = call.forward(|real| unsafe { real(value, attribute, device) });
    if status == 0 {
        // SAFETY: the runtime returned success, so it wrote the value.
        let value = unsafe { &mut *value };
        let seen = guarded(|| policy::attribute(attribute, *value, call.rules_for_device(device)));
        *value = seen.unwrap_or(*value);
    }
    status
}

/// hipGetDeviceProperties, in either layout.
pub fn device_properties<P: Layout>(call: &Call<GetProperties<P>>, properties: *mut P, device: i32) -> HipError {
    // SAFETY: the program's arguments.
    let status = call.forward(|real| unsafe { real(properties, device) });
    if status == 0 && call.rules_for_device(device).hides_managed() {
        // SAFETY: the runtime returned success, so it wrote the struct.
        unsafe { &mut *properties }.hide_managed();
    }
    status
}

/// A layout of hipDeviceProp_t.
pub trait Layout {
    /// Sets what it says about managed memory to 0.
    fn hide_managed(&mut self);
}

impl Layout for PropertiesR0000 {
    fn hide_managed(&mut self) {
        MANAGED_CAPABILITIES.iter().for_each(|field| self.0[field.r0000..][..4].fill(0));
    }
}

impl Layout for PropertiesR0600 {
    fn hide_managed(&mut self) {
        MANAGED_CAPABILITIES.iter().for_each(|field| self.0[field.r0600..][..4].fill(0));
    }
}

/// hipGetProcAddress.
pub fn proc_address(
    call: &Call<GetProcAddress>,
    symbol: *const c_char,
    function: Address,
    version: i32,
    flags: u64,
    status: *mut i32,
) -> HipError {
    // SAFETY: the program's arguments.
    let error = call.forward(|real| unsafe { real(symbol, function, version, flags, status) });
    if error == 0 {
        guarded(|| hand_out_hook(call, symbol, function));
    }
    error
}

/// hipGetDriverEntryPoint.
pub fn entry_point(
    call: &Call<GetEntryPoint>,
    symbol: *const c_char,
    function: Address,
    flags: u64,
    status: *mut i32,
) -> HipError {
    // SAFETY: the program's arguments.
    let error = call.forward(|real| unsafe { real(symbol, function, flags, status) });
    if error == 0 {
        guarded(|| hand_out_hook(call, symbol, function));
    }
    error
}

/// Replaces the runtime's function by the gate's export of it. What the runtime found decides, not the name alone: a
/// name can mean another function in another version of the API.
fn hand_out_hook<F: std::marker::Copy>(call: &Call<F>, symbol: *const c_char, function: Address) {
    if symbol.is_null() || function.is_null() {
        return;
    }
    // SAFETY: the runtime returned success for this name and wrote the function.
    let (name, found) = unsafe { (CStr::from_ptr(symbol).to_bytes(), *function) };
    let same = |hook: &&Hook| hook.info().name.as_bytes().starts_with(name) && call.copy.exports(**hook, found);
    if let Some(export) = Hook::ALL.iter().find(same).and_then(|&hook| caller::export(hook)) {
        // SAFETY: as above.
        unsafe { *function = export };
    }
}
