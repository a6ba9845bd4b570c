//! Finding a kernel's name.

use crate::memory::Memory;
use crate::name::kernel_name;
use crate::ram::Ram;

const BASE: u64 = 0x7f00_0000_1000;

/// A loaded code object with one symbol, "axpy.kd", whose descriptor is 0x1040 behind its start.
fn code_object() -> Ram {
    let ram = Ram::new(BASE, 0x2000);
    ram.put(BASE, &[u32::from_le_bytes(*b"\x7fELF")]);
    // One program header, at 0x40: PT_DYNAMIC at 0x100.
    ram.put(BASE + 32, &[0x40, 0]);
    ram.put(BASE + 56, &[1]);
    ram.put(BASE + 0x40, &[2, 0, 0, 0, 0x100, 0]);
    ram.put(BASE + 0x100, &[4, 0, 0x200, 0, 5, 0, 0x300, 0, 6, 0, 0x400, 0]);
    ram.put(BASE + 0x200, &[1, 2]);
    ram.store(BASE + 0x301, b"axpy.kd").unwrap();
    ram.put(BASE + 0x400 + 24, &[1, 0, 0x1040, 0, 64, 0]);
    ram
}

#[test]
fn a_kernel_is_known_by_its_descriptors_symbol() {
    let ram = code_object();
    assert_eq!(kernel_name(&ram, BASE + 0x1040).as_deref(), Some("axpy"));
}

#[test]
fn what_has_no_symbol_or_no_code_object_has_no_name() {
    let ram = code_object();
    assert_eq!(kernel_name(&ram, BASE + 0x1080), None);
    ram.put(BASE, &[0]);
    assert_eq!(kernel_name(&ram, BASE + 0x1040), None);
}
