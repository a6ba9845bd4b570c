//! What a loaded object is linked with: the names in the relocations of its dynamic section.

use crate::resolve::{self, Module};
use rmcp::options::Linkage;
use rmcp_hooks::{Hook, Policy};
use std::ffi::CStr;
use std::slice;

/// What the object that holds `address` is linked with that needs coherent memory. `version`: that of its HIP runtime.
pub fn linkage(address: usize, version: impl FnOnce() -> Option<i32>) -> Option<Linkage> {
    let imports = resolve::module_of(address).and_then(|module| Imports::of(&module))?;
    let any_of = |names: &[&CStr]| imports.any(|import| names.contains(&import));
    if imports.any(|import| Hook::ALL.iter().any(|hook| on_words(*hook) && hook.info().symbol == import)) {
        return Some(Linkage::StreamMemory);
    }
    // A function of the program that a stream is given becomes a node where the stream is captured.
    let host_nodes = any_of(&[c"hipGraphAddHostNode", c"hipGraphAddNode"])
        || any_of(&[c"hipLaunchHostFunc", c"hipLaunchHostFunc_spt"])
            && any_of(&[c"hipStreamBeginCapture", c"hipStreamBeginCapture_spt", c"hipStreamBeginCaptureToGraph"]);
    let linkage = host_nodes.then_some(Linkage::HostNodes);
    linkage.filter(|_| version().is_some_and(|version| version >= UNFENCED_HOST_NODES))
}

/// Whether the hook is of a call by which a stream waits for a word of memory, or writes one.
fn on_words(hook: Hook) -> bool {
    matches!(hook.policy(), Policy::stream_memory | Policy::stream_batch | Policy::graph_batch)
}

/// From HIP 7.1 on a graph may call a function of the program before what the GPU has in its caches is written back: seen with
/// 7.2.4 and right with 6.4.3 (hip-tests, `callbacks`), reported right with 7.0.2 (ROCm/legacy-rocm-build#6343). Mended in
/// source by ROCm/rocm-systems#8055 in July 2026; no release is known that has it.
const UNFENCED_HOST_NODES: i32 = 70_100_000;

// elf.h
const DT_PLTRELSZ: u64 = 2;
const DT_STRTAB: u64 = 5;
const DT_SYMTAB: u64 = 6;
const DT_RELA: u64 = 7;
const DT_RELASZ: u64 = 8;
const DT_STRSZ: u64 = 10;
const DT_JMPREL: u64 = 23;

/// Elf64_Dyn.
#[repr(C)]
struct Dynamic {
    tag: u64,
    value: u64,
}

/// Elf64_Rela.
#[repr(C)]
struct Relocation {
    offset: u64,
    info: u64,
    addend: i64,
}

/// Elf64_Sym.
#[repr(C)]
struct Symbol {
    name: u32,
    info: u8,
    other: u8,
    section: u16,
    value: u64,
    size: u64,
}

/// The relocations of an object, with what they refer to. All of it lies in the object's own memory, which stays while its
/// code is on the call stack.
struct Imports {
    calls: &'static [Relocation],
    data: &'static [Relocation],
    symbols: *const Symbol,
    names: &'static [u8],
}

impl Imports {
    /// None for an object without any.
    fn of(module: &Module) -> Option<Self> {
        let mut found = [0u64; 24];
        let mut entry = module.dynamic.cast::<Dynamic>();
        if entry.is_null() {
            return None;
        }
        // SAFETY: the loader's own pointer to the dynamic section, which an entry with tag 0 ends.
        unsafe {
            while (*entry).tag != 0 {
                if let Some(place) = found.get_mut((*entry).tag as usize) {
                    *place = (*entry).value;
                }
                entry = entry.add(1);
            }
        }
        let inside = |address: u64| (module.start..module.end).contains(&(address as usize));
        // The loader of the vDSO and of odd systems leaves addresses relative: such an object is passed over.
        let part = |address: u64, bytes: u64| {
            let end = address.checked_add(bytes)?;
            (bytes > 0 && inside(address) && inside(end - 1)).then_some((address as usize, bytes as usize))
        };
        let relocations = |address, bytes| match part(address, bytes) {
            // SAFETY: a table of that many bytes in the object's mapped memory, written by the linker and only read since.
            Some((at, bytes)) => unsafe {
                slice::from_raw_parts(at as *const Relocation, bytes / size_of::<Relocation>())
            },
            None => &[],
        };
        let (names, bytes) = part(found[DT_STRTAB as usize], found[DT_STRSZ as usize])?;
        let (symbols, _) = part(found[DT_SYMTAB as usize], 1)?;
        Some(Self {
            calls: relocations(found[DT_JMPREL as usize], found[DT_PLTRELSZ as usize]),
            data: relocations(found[DT_RELA as usize], found[DT_RELASZ as usize]),
            symbols: symbols as *const Symbol,
            // SAFETY: as for the relocations.
            names: unsafe { slice::from_raw_parts(names as *const u8, bytes) },
        })
    }

    /// Whether a relocation refers to a name that is wanted.
    fn any(&self, wanted: impl Fn(&CStr) -> bool) -> bool {
        self.calls.iter().chain(self.data).any(|relocation| {
            let symbol = (relocation.info >> 32) as usize;
            // Relative ones, which are most, refer to no symbol.
            symbol != 0 && self.name(symbol).is_some_and(&wanted)
        })
    }

    fn name(&self, symbol: usize) -> Option<&CStr> {
        // SAFETY: the linker's relocations refer to symbols of the table.
        let start = unsafe { (*self.symbols.add(symbol)).name };
        CStr::from_bytes_until_nul(self.names.get(start as usize..)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_test_is_linked_with_dlsym_and_with_no_function_of_hip() {
        let here = resolve::module_of(on_words as *const () as usize).unwrap();
        let imports = Imports::of(&here).unwrap();
        let linked = |name: &CStr| imports.any(|import| import == name);
        assert!(linked(c"dlsym") && linked(c"malloc"));
        assert!(!linked(c"dlsy") && !linked(c"") && !linked(c"hipMalloc"));
        assert_eq!(linkage(on_words as *const () as usize, || panic!("not asked")), None);
    }

    #[test]
    fn an_address_outside_every_object_has_no_imports() {
        let stack = 0u8;
        for address in [&raw const stack as usize, 0] {
            assert_eq!(linkage(address, || panic!("not asked")), None);
        }
    }
}
