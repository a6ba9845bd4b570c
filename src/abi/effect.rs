//! What a call does with memory, in terms of its parameters: what `rmcp trace` records of it.

use crate::Hook;

/// What a successful call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Hands out memory, or an object that holds some.
    Allocate,
    /// Takes it back.
    Free,
    /// Takes back everything that the current device holds.
    FreeAll,
    /// Changes how a range of memory behaves.
    Advise,
}

/// What the address of a call names. A free meets an allocation of the same kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resource {
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
pub enum Location {
    /// On the card.
    Vram,
    /// On the host, pinned.
    Host,
    /// Where it is used: managed memory.
    Managed,
    /// On the host, the program's own.
    Registered,
    /// Where the HSA pool or region lies that was asked for.
    Pool,
    /// There is none.
    None,
}

/// Where the address stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address {
    /// It is a parameter.
    Parameter(usize),
    /// The call writes it to where a parameter points, one word.
    Output(usize),
    /// There is none.
    None,
}

/// How many bytes it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// Not told by the call.
    Unknown,
    /// A parameter, in bytes.
    Parameter(usize),
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
    pub action: Action,
    /// To what.
    pub resource: Resource,
    /// Where that lies, if the call allocates it.
    pub location: Location,
    /// Its address.
    pub address: Address,
    /// Its size.
    pub size: Size,
    /// The parameter with what can be chosen: flags, advice, or HSA pool.
    pub flags: Option<usize>,
}

const fn allocation(location: Location, out: usize, size: Size) -> Effect {
    let address = Address::Output(out);
    Effect { action: Action::Allocate, resource: Resource::Memory, location, address, size, flags: None }
}

const fn array(size: Size) -> Effect {
    allocation(Location::Vram, 0, size).on(Resource::Array)
}

const fn registration(location: Location) -> Effect {
    let address = Address::Parameter(0);
    Effect {
        action: Action::Allocate,
        resource: Resource::Registration,
        location,
        address,
        size: Size::Parameter(1),
        flags: None,
    }
}

const fn release(resource: Resource) -> Effect {
    let address = Address::Parameter(0);
    Effect { action: Action::Free, resource, location: Location::None, address, size: Size::Unknown, flags: None }
}

const fn advice(flags: Option<usize>) -> Effect {
    Effect { action: Action::Advise, location: Location::None, flags, ..registration(Location::None) }
}

impl Effect {
    const fn on(self, resource: Resource) -> Self {
        Self { resource, ..self }
    }

    const fn flags(self, flags: usize) -> Self {
        Self { flags: Some(flags), ..self }
    }
}

impl Hook {
    /// What a successful call does with memory; None for the calls that only ask or set up.
    #[rustfmt::skip] // a table
    pub const fn effect(self) -> Option<Effect> {
        use Location::{Host, Managed, Pool, Registered, Vram};
        Some(match self {
            Hook::hipMalloc => allocation(Vram, 0, Size::Parameter(1)),
            Hook::hipExtMallocWithFlags => allocation(Vram, 0, Size::Parameter(1)).flags(2),
            Hook::hipMallocPitch | Hook::hipMemAllocPitch => allocation(Vram, 0, Size::Pitched(1, 3)),
            // hipPitchedPtr begins with the address.
            Hook::hipMalloc3D => allocation(Vram, 0, Size::Parameter(1)),
            Hook::hipMallocArray => array(Size::Texels(1, 2, Some(3))).flags(4),
            Hook::hipMalloc3DArray => array(Size::Texels(1, 2, None)).flags(3),
            Hook::hipMallocMipmappedArray => array(Size::Texels(1, 2, None)).flags(4),
            Hook::hipArrayCreate => array(Size::Array2D(1)),
            Hook::hipArray3DCreate | Hook::hipMipmappedArrayCreate => array(Size::Array3D(1)),
            Hook::hipMallocAsync | Hook::hipMallocFromPoolAsync => allocation(Vram, 0, Size::Parameter(1)),
            Hook::hipMemPoolCreate => allocation(Location::None, 0, Size::Unknown).on(Resource::Pool),
            Hook::hipMemCreate => allocation(Vram, 0, Size::Parameter(1)).on(Resource::Handle).flags(3),
            Hook::hipMallocManaged => allocation(Managed, 0, Size::Parameter(1)).flags(2),
            Hook::hipHostMalloc | Hook::hipHostAlloc => allocation(Host, 0, Size::Parameter(1)).flags(2),
            Hook::hipMallocHost | Hook::hipMemAllocHost => allocation(Host, 0, Size::Parameter(1)),
            Hook::hipHostRegister => registration(Registered).flags(2),
            Hook::hsa_memory_allocate => allocation(Pool, 2, Size::Parameter(1)).flags(0),
            Hook::hsa_amd_memory_pool_allocate => allocation(Pool, 3, Size::Parameter(1)).flags(0),
            Hook::hsa_amd_memory_lock => registration(Registered),
            Hook::hsa_amd_memory_lock_to_pool => registration(Registered).flags(4),
            Hook::hsa_amd_vmem_handle_create => allocation(Pool, 4, Size::Parameter(1)).on(Resource::Handle).flags(0),

            Hook::hipFree | Hook::hipHostFree | Hook::hipFreeHost | Hook::hipFreeAsync => release(Resource::Memory),
            Hook::hsa_memory_free | Hook::hsa_amd_memory_pool_free => release(Resource::Memory),
            Hook::hipHostUnregister | Hook::hsa_amd_memory_unlock => release(Resource::Registration),
            Hook::hipFreeArray | Hook::hipArrayDestroy => release(Resource::Array),
            Hook::hipFreeMipmappedArray | Hook::hipMipmappedArrayDestroy => release(Resource::Array),
            Hook::hipMemRelease | Hook::hsa_amd_vmem_handle_release => release(Resource::Handle),
            Hook::hipMemPoolDestroy => release(Resource::Pool),
            Hook::hipDeviceReset => Effect { action: Action::FreeAll, address: Address::None, ..release(Resource::Memory) },

            Hook::hipMemAdvise | Hook::hipMemAdvise_v2 => advice(Some(2)),
            Hook::hsa_amd_svm_attributes_set => advice(None),
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
            let expected =
                if effect.resource == Resource::Registration { Address::Parameter(0) } else { Address::Output(out) };
            assert_eq!((effect.action, effect.address), (Action::Allocate, expected), "{hook:?}");
        }
    }

    #[test]
    fn effects_name_parameters_of_the_kind_that_they_need() {
        for (hook, effect) in Hook::ALL.iter().filter_map(|hook| Some((*hook, hook.effect()?))) {
            let parameters = parameters(hook);
            let pointer = |at: usize| parameters[at].starts_with('*');
            match effect.address {
                Address::Parameter(at) => assert!(pointer(at) || parameters[at] == "u64", "{hook:?}"),
                Address::Output(at) => assert!(pointer(at), "{hook:?}"),
                Address::None => {}
            }
            let (pointers, numbers) = match effect.size {
                Size::Unknown => (None, Vec::new()),
                Size::Parameter(at) => (None, [at].into()),
                Size::Pitched(pitch, rows) => (Some(pitch), [rows].into()),
                Size::Texels(format, texels, rows) => (Some(format), [texels].into_iter().chain(rows).collect()),
                Size::Array2D(at) | Size::Array3D(at) => (Some(at), Vec::new()),
            };
            assert!(pointers.into_iter().all(pointer), "{hook:?}");
            assert!(numbers.into_iter().chain(effect.flags).all(|at| !pointer(at)), "{hook:?}");
        }
    }
}
