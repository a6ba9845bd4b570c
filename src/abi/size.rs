//! How many bytes a call is about, read from its arguments.

use crate::effect::Size;

/// `hipChannelFormatDesc`: the bits of four channels, and their kind. (driver_types.h)
type Channels = [i32; 4];

/// `HIP_ARRAY_DESCRIPTOR` and `HIP_ARRAY3D_DESCRIPTOR` after their sides. (driver_types.h)
#[repr(C)]
struct Elements {
    format: u32,
    channels: u32,
}

impl Size {
    /// What the arguments say by themselves; 0 where they do not.
    pub fn before(self, arguments: &[u64]) -> u64 {
        match self {
            Self::Parameter(at) => arguments[at],
            _ => 0,
        }
    }

    /// What is known once the call has returned.
    ///
    /// # Safety
    /// The arguments are those of a call of this size, which returned success.
    pub unsafe fn after(self, arguments: &[u64]) -> u64 {
        // SAFETY: the runtime has read or written what these parameters point to.
        unsafe {
            match self {
                Self::Unknown | Self::Parameter(_) => self.before(arguments),
                Self::Pitched(pitch, rows) => (*(arguments[pitch] as *const u64)).saturating_mul(arguments[rows]),
                Self::Texels(channels, texels, rows) => {
                    let bits: i32 = (*(arguments[channels] as *const Channels)).iter().sum();
                    let rows = rows.map_or(1, |rows| arguments[rows].max(1));
                    arguments[texels].saturating_mul(rows).saturating_mul(bits as u64 / 8)
                }
                Self::Array2D(at) => array::<2>(arguments[at]),
                Self::Array3D(at) => array::<3>(arguments[at]),
            }
        }
    }
}

/// # Safety
/// A descriptor of an array with so many sides stands there.
unsafe fn array<const SIDES: usize>(descriptor: u64) -> u64 {
    // SAFETY: the caller's promise.
    let (sides, elements) = unsafe {
        let sides = descriptor as *const [u64; SIDES];
        (*sides, &*sides.add(1).cast::<Elements>())
    };
    // hipArray_Format: integers of 8, 16 and 32 bits, signed ones from 8 on, half and float.
    let bytes = match elements.format {
        0x01 | 0x08 => 1,
        0x02 | 0x09 | 0x10 => 2,
        _ => 4,
    };
    sides.iter().fold(bytes * u64::from(elements.channels), |all, &side| all.saturating_mul(side.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Hook;

    fn size(hook: Hook, arguments: &[u64]) -> u64 {
        // SAFETY: the tests pass what such a call would.
        unsafe { hook.effect().unwrap().size.after(arguments) }
    }

    #[test]
    fn a_pitched_allocation_is_as_large_as_its_padded_rows() {
        let pitch = 512u64;
        assert_eq!(size(Hook::hipMallocPitch, &[0, &raw const pitch as u64, 500, 10]), 5120);
    }

    #[test]
    fn an_array_is_as_large_as_its_texels() {
        let rgba: Channels = [32; 4];
        let rgba = &raw const rgba as u64;
        assert_eq!(size(Hook::hipMallocArray, &[0, rgba, 64, 0, 0]), 64 * 16);
        assert_eq!(size(Hook::hipMallocArray, &[0, rgba, 64, 3, 0]), 64 * 3 * 16);
        assert_eq!(size(Hook::hipMalloc3DArray, &[0, rgba, 24, 0]), 24 * 16);
        #[repr(C)]
        struct Descriptor<const SIDES: usize>([u64; SIDES], Elements);
        let flat = Descriptor([10, 0], Elements { format: 0x10, channels: 2 });
        assert_eq!(size(Hook::hipArrayCreate, &[0, &raw const flat as u64]), 40);
        let cube = Descriptor([10, 4, 2], Elements { format: 0x20, channels: 4 });
        assert_eq!(size(Hook::hipArray3DCreate, &[0, &raw const cube as u64]), 10 * 4 * 2 * 16);
    }
}
