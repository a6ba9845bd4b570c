//! Where a lane's access goes: addresses of FLAT, GLOBAL, SCRATCH and MUBUF.

use super::access::Location;
use crate::operands::{Segment, Vmem};
use crate::wave::{PRIVATE_APERTURE, SHARED_APERTURE, Wave, reg};

/// Bits of a buffer resource's second and fourth word: between whose elements others lie, and to which the lane's number
/// is added.
const SWIZZLED: u32 = 1 << 31;
const ADD_TID: u32 = 1 << 23;

/// SADDR code 0x7f, like null, means none (gfx10.1 documents one, gfx10.3 the other).
pub fn saddr_is_off(r: u8) -> bool {
    r == reg::NULL || r == 0x7f
}

#[inline]
pub fn location(w: &Wave, i: &Vmem, lane: usize, bytes: u64) -> Location {
    let low = |r: u8| w.v[usize::from(r)][lane];
    let pair = |r: u8| u64::from(low(r)) | u64::from(w.v[usize::from(r) + 1][lane]) << 32;
    match i.segment {
        Segment::Flat => {
            let va = pair(i.addr).wrapping_add_signed(i.offset.into());
            match va >> 32 {
                high if high == SHARED_APERTURE >> 32 => Location::Lds(va & 0xffff_ffff),
                high if high == PRIVATE_APERTURE >> 32 => Location::Scratch(va & 0xffff_ffff),
                _ => Location::Memory(va),
            }
        }
        Segment::Global if saddr_is_off(i.saddr) => Location::Memory(pair(i.addr).wrapping_add_signed(i.offset.into())),
        Segment::Global => {
            Location::Memory(w.s64(i.saddr).wrapping_add(low(i.addr).into()).wrapping_add_signed(i.offset.into()))
        }
        Segment::Scratch => {
            let base = if saddr_is_off(i.saddr) { low(i.addr) } else { w.s32(i.saddr) };
            Location::Scratch(u64::from(base.wrapping_add_signed(i.offset)))
        }
        Segment::Buffer => buffer(w, i, lane, bytes),
    }
}

pub fn resource(w: &Wave, i: &Vmem) -> [u32; 4] {
    std::array::from_fn(|n| w.s32(i.saddr + n as u8))
}

/// "RDNA 2 ISA", 8.1.5, buffer addressing.
fn buffer(w: &Wave, i: &Vmem, lane: usize, bytes: u64) -> Location {
    let resource = resource(w, i);
    let base = u64::from(resource[0]) | u64::from(resource[1] & 0xffff) << 32;
    let address = usize::from(i.addr);
    let (index, voffset) = match (i.idxen, i.offen) {
        (true, true) => (w.v[address][lane], w.v[address + 1][lane]),
        (true, false) => (w.v[address][lane], 0),
        (false, true) => (0, w.v[address][lane]),
        (false, false) => (0, 0),
    };
    let soffset = w.src32(i.soffset);
    let inner = u64::from(voffset) + i.offset as u64;
    // Scratch is swizzled between the lanes: what is added to its base counts for all lanes together.
    if is_private(resource) {
        let whole = base - PRIVATE_RESOURCE + u64::from(soffset);
        return Location::Scratch((whole / w.lanes as u64 + inner) & 0xffff_ffff);
    }
    let stride = u64::from(resource[1] >> 16 & 0x3fff);
    let records = u64::from(resource[2]);
    let index = index.wrapping_add(if resource[3] & ADD_TID != 0 { lane as u32 } else { 0 });
    let offset = inner + stride * u64::from(index);
    // OOB_SELECT; without index or stride the first is like the last, which counts bytes.
    let outside = match resource[3] >> 28 & 3 {
        0 if stride != 0 && i.idxen => u64::from(index) >= records || inner + bytes > stride,
        0 => offset + bytes > records * stride.max(1),
        1 => u64::from(index) >= records,
        2 => records == 0,
        _ => offset + bytes > records,
    };
    if outside {
        return Location::OutOfBounds;
    }
    let offset = if resource[1] & SWIZZLED != 0 { swizzled(resource, index.into(), inner) } else { offset };
    Location::Memory(base + offset + u64::from(soffset))
}

/// Where a byte of an element is in a swizzled buffer: a word of each of some elements, then the next word of each.
fn swizzled(resource: [u32; 4], index: u64, inner: u64) -> u64 {
    let stride = u64::from(resource[1] >> 16 & 0x3fff);
    let together = 8 << (resource[3] >> 21 & 3);
    (index / together * stride + inner / 4 * 4) * together + index % together * 4 + inner % 4
}

/// Base of the buffer resource that a kernel gets for scratch, of 48 bits.
pub const PRIVATE_RESOURCE: u64 = 0x8000_0000_0000;

/// The resource itself: swizzled, without an end.
pub const SCRATCH_RESOURCE: [u32; 4] = [0, (PRIVATE_RESOURCE >> 32) as u32 | 1 << 31, u32::MAX, 0];

/// Whether it is scratch that is reached through a buffer resource.
fn is_private(resource: [u32; 4]) -> bool {
    resource[1] & 0xffff >= (PRIVATE_RESOURCE >> 32) as u32 && resource[1] & SWIZZLED != 0
}

/// Where a lane's word is that no vector register says.
pub fn addtid(w: &Wave, i: &Vmem, lane: usize) -> u64 {
    let base = if saddr_is_off(i.saddr) { 0 } else { w.s64(i.saddr) };
    base.wrapping_add_signed(i.offset.into()).wrapping_add(4 * lane as u64)
}
