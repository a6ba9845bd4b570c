//! What a call does with memory, in terms of its parameters: what `rmcp trace` records of it.

use crate::Hook;

/// What a successful call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Does {
    /// Hands out memory, or an object that holds some.
    Allocates,
    /// Takes it back.
    Frees,
    /// Takes back everything that the current device holds.
    FreesAll,
    /// Changes how a range of memory behaves.
    Advises,
}

/// What the address of a call names. A free meets an allocation of the same kind of thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Thing {
    /// Memory that a pointer reaches.
    Memory,
    /// Memory of the program, pinned for the GPU.
    Registration,
    /// An array of texels, or several with mipmaps.
    Array,
    /// Physical memory without an address.
    Handle,
    /// A pool, which holds no memory by itself.
    Pool,
}

/// Where memory lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// On the card.
    Vram,
    /// On the host, pinned.
    Host,
    /// Where it is used: managed memory.
    Managed,
    /// On the host, the program's own.
    Registered,
    /// Where the HSA pool or region lies that was asked for.
    OfPool,
    /// There is none.
    Nowhere,
}

/// Where the address stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address {
    /// It is a parameter.
    Is(usize),
    /// The call writes it to where a parameter points, one word.
    WrittenTo(usize),
    /// There is none.
    None,
}

/// How many bytes it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// Not told by the call.
    Unknown,
    /// A parameter, in bytes.
    Is(usize),
    /// What the call writes to where the first parameter points, times the second: rows of a pitch.
    Pitched(usize, usize),
    /// `hipChannelFormatDesc` in the first parameter, times the two others.
    Texels(usize, usize, Option<usize>),
    /// `HIP_ARRAY_DESCRIPTOR` in this parameter.
    Array2D(usize),
    /// `HIP_ARRAY3D_DESCRIPTOR` in this parameter.
    Array3D(usize),
}

/// What a call does with memory. Numbers are positions of parameters, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effect {
    /// What it does.
    pub does: Does,
    /// To what.
    pub thing: Thing,
    /// Where that lies, if the call allocates it.
    pub place: Place,
    /// Its address.
    pub address: Address,
    /// Its size.
    pub size: Size,
    /// The parameter with what can be chosen: flags, advice, or HSA pool.
    pub flags: Option<usize>,
}

const fn gives(place: Place, out: usize, size: Size) -> Effect {
    let address = Address::WrittenTo(out);
    Effect { does: Does::Allocates, thing: Thing::Memory, place, address, size, flags: None }
}

const fn array(size: Size) -> Effect {
    gives(Place::Vram, 0, size).of(Thing::Array)
}

const fn registers(place: Place) -> Effect {
    let address = Address::Is(0);
    Effect { does: Does::Allocates, thing: Thing::Registration, place, address, size: Size::Is(1), flags: None }
}

const fn frees(thing: Thing) -> Effect {
    let address = Address::Is(0);
    Effect { does: Does::Frees, thing, place: Place::Nowhere, address, size: Size::Unknown, flags: None }
}

const fn advises(flags: Option<usize>) -> Effect {
    Effect { does: Does::Advises, place: Place::Nowhere, flags, ..registers(Place::Nowhere) }
}

impl Effect {
    const fn of(self, thing: Thing) -> Self {
        Self { thing, ..self }
    }

    const fn flags(self, flags: usize) -> Self {
        Self { flags: Some(flags), ..self }
    }
}

impl Hook {
    /// What a successful call does with memory; None for the calls that only ask or set up.
    #[rustfmt::skip] // a table
    pub const fn effect(self) -> Option<Effect> {
        use Place::{Host, Managed, Nowhere, OfPool, Registered, Vram};
        Some(match self {
            Hook::hipMalloc => gives(Vram, 0, Size::Is(1)),
            Hook::hipExtMallocWithFlags => gives(Vram, 0, Size::Is(1)).flags(2),
            Hook::hipMallocPitch | Hook::hipMemAllocPitch => gives(Vram, 0, Size::Pitched(1, 3)),
            // hipPitchedPtr begins with the address.
            Hook::hipMalloc3D => gives(Vram, 0, Size::Is(1)),
            Hook::hipMallocArray => array(Size::Texels(1, 2, Some(3))).flags(4),
            Hook::hipMalloc3DArray => array(Size::Texels(1, 2, None)).flags(3),
            Hook::hipMallocMipmappedArray => array(Size::Texels(1, 2, None)).flags(4),
            Hook::hipArrayCreate => array(Size::Array2D(1)),
            Hook::hipArray3DCreate | Hook::hipMipmappedArrayCreate => array(Size::Array3D(1)),
            Hook::hipMallocAsync | Hook::hipMallocFromPoolAsync => gives(Vram, 0, Size::Is(1)),
            Hook::hipMemPoolCreate => gives(Nowhere, 0, Size::Unknown).of(Thing::Pool),
            Hook::hipMemCreate => gives(Vram, 0, Size::Is(1)).of(Thing::Handle).flags(3),
            Hook::hipMallocManaged => gives(Managed, 0, Size::Is(1)).flags(2),
            Hook::hipHostMalloc | Hook::hipHostAlloc => gives(Host, 0, Size::Is(1)).flags(2),
            Hook::hipMallocHost | Hook::hipMemAllocHost => gives(Host, 0, Size::Is(1)),
            Hook::hipHostRegister => registers(Registered).flags(2),
            Hook::hsa_memory_allocate => gives(OfPool, 2, Size::Is(1)).flags(0),
            Hook::hsa_amd_memory_pool_allocate => gives(OfPool, 3, Size::Is(1)).flags(0),
            Hook::hsa_amd_memory_lock => registers(Registered),
            Hook::hsa_amd_memory_lock_to_pool => registers(Registered).flags(4),
            Hook::hsa_amd_vmem_handle_create => gives(OfPool, 4, Size::Is(1)).of(Thing::Handle).flags(0),

            Hook::hipFree | Hook::hipHostFree | Hook::hipFreeHost | Hook::hipFreeAsync => frees(Thing::Memory),
            Hook::hsa_memory_free | Hook::hsa_amd_memory_pool_free => frees(Thing::Memory),
            Hook::hipHostUnregister | Hook::hsa_amd_memory_unlock => frees(Thing::Registration),
            Hook::hipFreeArray | Hook::hipArrayDestroy => frees(Thing::Array),
            Hook::hipFreeMipmappedArray | Hook::hipMipmappedArrayDestroy => frees(Thing::Array),
            Hook::hipMemRelease | Hook::hsa_amd_vmem_handle_release => frees(Thing::Handle),
            Hook::hipMemPoolDestroy => frees(Thing::Pool),
            Hook::hipDeviceReset => Effect { does: Does::FreesAll, address: Address::None, ..frees(Thing::Memory) },

            Hook::hipMemAdvise | Hook::hipMemAdvise_v2 => advises(Some(2)),
            Hook::hsa_amd_svm_attributes_set => advises(None),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::vec::Vec;

    fn parameters(hook: Hook) -> Vec<&'static str> {
        hook.info().parameters().map(|(_, ty)| ty).collect()
    }

    /// They hand out functions, events and nodes of graphs.
    const NO_MEMORY: [Hook; 5] = [
        Hook::hipGetProcAddress,
        Hook::hipGetDriverEntryPoint,
        Hook::hipEventCreateWithFlags,
        Hook::hipGraphAddMemAllocNode,
        Hook::hipGraphAddBatchMemOpNode,
    ];

    #[test]
    fn whatever_hands_out_an_address_has_an_effect_that_says_where() {
        for &hook in Hook::ALL {
            let out = parameters(hook).iter().position(|ty| *ty == "*mut *mut c_void");
            let Some(out) = out.filter(|_| !NO_MEMORY.contains(&hook)) else { continue };
            let effect = hook.effect().unwrap_or_else(|| panic!("{hook:?}"));
            // hsa_amd_memory_lock writes the GPU's address; what is unlocked is the host's.
            let expected = if effect.thing == Thing::Registration { Address::Is(0) } else { Address::WrittenTo(out) };
            assert_eq!((effect.does, effect.address), (Does::Allocates, expected), "{hook:?}");
        }
    }

    #[test]
    fn effects_name_parameters_of_the_kind_that_they_need() {
        for (hook, effect) in Hook::ALL.iter().filter_map(|hook| Some((*hook, hook.effect()?))) {
            let parameters = parameters(hook);
            let pointer = |at: usize| parameters[at].starts_with('*');
            match effect.address {
                Address::Is(at) => assert!(pointer(at) || parameters[at] == "u64", "{hook:?}"),
                Address::WrittenTo(at) => assert!(pointer(at), "{hook:?}"),
                Address::None => {}
            }
            let (pointers, numbers) = match effect.size {
                Size::Unknown => (None, Vec::new()),
                Size::Is(at) => (None, [at].into()),
                Size::Pitched(pitch, rows) => (Some(pitch), [rows].into()),
                Size::Texels(format, texels, rows) => (Some(format), [texels].into_iter().chain(rows).collect()),
                Size::Array2D(at) | Size::Array3D(at) => (Some(at), Vec::new()),
            };
            assert!(pointers.into_iter().all(pointer), "{hook:?}");
            assert!(numbers.into_iter().chain(effect.flags).all(|at| !pointer(at)), "{hook:?}");
        }
    }
}
