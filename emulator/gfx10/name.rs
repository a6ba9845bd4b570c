//! The name of a kernel, from the code object that the runtime has loaded around it.

use crate::memory::Memory;

/// How far below a kernel's descriptor the code object may start.
const FARTHEST: u64 = 64 << 20;
/// Symbols looked at, at most: a bound for what may not be a code object.
const MOST_SYMBOLS: u64 = 1 << 16;
const PAGE: u64 = 4096;

/// The symbol at `descriptor`, without the `.kd` of descriptors. The loader keeps a code object's ELF header and dynamic
/// symbols in front of its descriptors.
pub fn kernel_name(memory: &dyn Memory, descriptor: u64) -> Option<String> {
    let lowest = descriptor.saturating_sub(FARTHEST);
    let mut base = descriptor & !(PAGE - 1);
    while word(memory, base)? != u32::from_le_bytes(*b"\x7fELF") {
        base = base.checked_sub(PAGE).filter(|&base| base >= lowest)?;
    }
    // Program headers at 32, their number at 56; a header is of 56 bytes, and PT_DYNAMIC is type 2.
    let headers = base + double(memory, base + 32)?;
    let count = u64::from(word(memory, base + 56)? & 0xffff);
    let header = (0..count).map(|n| headers + 56 * n).find(|&at| word(memory, at) == Some(2))?;
    let dynamic = base + double(memory, header + 16)?;
    // DT_HASH 4, DT_STRTAB 5, DT_SYMTAB 6. The hash table's second word counts the symbols.
    let entry = |tag: u64| {
        let found = (0..64).map(|n| dynamic + 16 * n).find(|&at| double(memory, at) == Some(tag))?;
        // The loader may have left the offset or made it an address.
        let value = double(memory, found + 8)?;
        Some(if value >= base { value } else { base + value })
    };
    let (hash, strings, symbols) = (entry(4)?, entry(5)?, entry(6)?);
    let count = u64::from(word(memory, hash + 4)?).min(MOST_SYMBOLS);
    let is_it = |at: &u64| double(memory, at + 8).is_some_and(|value| base + value == descriptor);
    let symbol = (0..count).map(|n| symbols + 24 * n).find(is_it)?;
    let name = text(memory, strings + u64::from(word(memory, symbol)?))?;
    Some(name.strip_suffix(".kd").map_or_else(|| name.clone(), str::to_owned))
}

fn word(memory: &dyn Memory, at: u64) -> Option<u32> {
    let mut bytes = [0; 4];
    memory.load(at, &mut bytes).ok()?;
    Some(u32::from_le_bytes(bytes))
}

fn double(memory: &dyn Memory, at: u64) -> Option<u64> {
    Some(u64::from(word(memory, at)?) | u64::from(word(memory, at + 4)?) << 32)
}

/// A terminated string of a length that a name may have.
fn text(memory: &dyn Memory, at: u64) -> Option<String> {
    let byte = |n: u64| {
        let mut byte = [0];
        memory.load(at + n, &mut byte).ok()?;
        Some(byte[0])
    };
    let mut bytes = Vec::new();
    for n in 0..4096 {
        match byte(n)? {
            0 => return String::from_utf8(bytes).ok(),
            byte => bytes.push(byte),
        }
    }
    None
}
