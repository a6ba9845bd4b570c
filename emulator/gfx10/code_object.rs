//! Code objects: the ELF files that a compiler writes for a card (LLVM, "User Guide for AMDGPU Backend", "ELF Code Object").

use object::elf;
use object::read::elf::{ElfFile64, FileHeader, ProgramHeader};
use object::{Object, ObjectSymbol};

use crate::dispatch::Dispatch;
use crate::row::Target;

/// Why a file is not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotACodeObject(String);

impl std::fmt::Display for NotACodeObject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotACodeObject {}

impl From<object::Error> for NotACodeObject {
    fn from(error: object::Error) -> Self {
        Self(format!("no ELF file of a code object: {error}"))
    }
}

fn refuse<T>(text: impl Into<String>) -> Result<T, NotACodeObject> {
    Err(NotACodeObject(text.into()))
}

/// A kernel of a code object, as its descriptor has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelSymbol {
    /// The name, without the `.kd` of descriptors.
    pub name: String,
    /// Where the descriptor is behind the code object's start.
    pub descriptor: u64,
    /// LDS bytes of a work-group.
    pub group_bytes: u32,
    /// Scratch bytes of a work-item.
    pub private_bytes: u32,
    /// Bytes of the arguments, those that the compiler adds among them.
    pub kernarg_bytes: u32,
}

/// A code object for one of the cards, as it lies in memory.
#[derive(Debug, Clone)]
pub struct CodeObject {
    /// The card's instruction set.
    pub target: Target,
    /// Its kernels.
    pub kernels: Vec<KernelSymbol>,
    image: Vec<u8>,
    /// Where addresses lie that count from the start, and what they are.
    relative: Vec<(usize, u64)>,
    /// Whether kernels find the grid's size in their arguments: code object version 5 and later.
    has_grid_arguments: bool,
}

/// Bits of `e_flags` that say which card (`EF_AMDGPU_MACH`).
const MACHINE: u32 = 0xff;
/// `ELFABIVERSION_AMDGPU_HSA_V5`.
const ABI_VERSION_5: u8 = 3;
/// The largest image that is loaded.
const LARGEST: u64 = 1 << 30;
/// `R_AMDGPU_RELATIVE64`.
const RELATIVE64: u32 = 13;

impl CodeObject {
    /// Reads an ELF file: one card's code object, not a bundle of several.
    ///
    /// # Errors
    /// For what is no code object of RDNA1 or RDNA2, or needs a loader that looks up symbols.
    pub fn parse(file: &[u8]) -> Result<Self, NotACodeObject> {
        let elf: ElfFile64<'_> = ElfFile64::parse(file)?;
        let header = elf.elf_header();
        let endian = elf.endian();
        if header.e_machine(endian) != elf::EM_AMDGPU {
            return refuse("an ELF file for another machine");
        }
        let target = target(header.e_flags(endian) & MACHINE)?;
        let mut image = Vec::new();
        for segment in elf.elf_program_headers().iter().filter(|header| header.p_type(endian) == elf::PT_LOAD) {
            let (start, size) = (segment.p_vaddr(endian), segment.p_memsz(endian));
            let bytes = segment.data(endian, file).or_else(|()| refuse("a segment beyond the file's end"))?;
            let end = start.checked_add(size.max(bytes.len() as u64)).filter(|&end| end <= LARGEST);
            let Some(end) = end else { return refuse("a segment beyond 1 GiB") };
            image.resize(image.len().max(end as usize), 0);
            image[start as usize..][..bytes.len()].copy_from_slice(bytes);
        }
        let mut relative = Vec::new();
        for (at, relocation) in elf.dynamic_relocations().into_iter().flatten() {
            let (object::RelocationFlags::Elf { r_type: RELATIVE64 }, Some(at)) =
                (relocation.flags(), offset(&image, at, 8))
            else {
                return refuse(format!("relocation {:?} at {at:#x}", relocation.flags()));
            };
            relative.push((at, relocation.addend() as u64));
        }
        let mut kernels = Vec::new();
        for symbol in elf.dynamic_symbols() {
            let Some(name) = symbol.name()?.strip_suffix(".kd") else { continue };
            let Some(at) = offset(&image, symbol.address(), 64) else {
                return refuse(format!("no descriptor of {name}"));
            };
            let word = |n: usize| u32::from_le_bytes(std::array::from_fn(|byte| image[at + 4 * n + byte]));
            kernels.push(KernelSymbol {
                name: name.to_owned(),
                descriptor: symbol.address(),
                group_bytes: word(0),
                private_bytes: word(1),
                kernarg_bytes: word(2),
            });
        }
        let has_grid_arguments = header.e_ident().abi_version >= ABI_VERSION_5;
        Ok(Self { target, kernels, image, relative, has_grid_arguments })
    }

    /// The kernel of that name.
    #[must_use]
    pub fn kernel(&self, name: &str) -> Option<&KernelSymbol> {
        self.kernels.iter().find(|kernel| kernel.name == name)
    }

    /// The bytes to put at the address `base`, which is a multiple of 4096.
    #[must_use]
    pub fn image(&self, base: u64) -> Vec<u8> {
        let mut image = self.image.clone();
        for &(at, value) in &self.relative {
            image[at..at + 8].copy_from_slice(&base.wrapping_add(value).to_le_bytes());
        }
        image
    }

    /// All the arguments of a kernel: those that the source has, as `explicit` holds them with their alignment, and behind
    /// them those that the compiler adds: the size of the grid, where this code object has them, and zeros.
    #[must_use]
    pub fn arguments(&self, kernel: &KernelSymbol, explicit: &[u8], dispatch: &Dispatch) -> Vec<u8> {
        let mut bytes = explicit.to_vec();
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        if self.has_grid_arguments {
            bytes.extend(grid_arguments(dispatch));
        }
        bytes.resize(kernel.kernarg_bytes as usize, 0);
        bytes
    }
}

/// The first of the hidden arguments of code object version 5: block counts, block sizes, remainders, offsets, dimensions.
fn grid_arguments(dispatch: &Dispatch) -> Vec<u8> {
    let sizes = dispatch.grid.into_iter().zip(dispatch.workgroup);
    let mut bytes: Vec<u8> =
        sizes.clone().flat_map(|(grid, group)| (grid / u32::from(group.max(1))).to_le_bytes()).collect();
    bytes.extend(dispatch.workgroup.iter().flat_map(|group| group.to_le_bytes()));
    bytes.extend(sizes.flat_map(|(grid, group)| ((grid % u32::from(group.max(1))) as u16).to_le_bytes()));
    bytes.resize(64, 0);
    bytes.extend(dispatch.dimensions().to_le_bytes());
    bytes
}

/// An address of the file as an index of the image, where `len` bytes are.
fn offset(image: &[u8], address: u64, len: usize) -> Option<usize> {
    let at = usize::try_from(address).ok()?;
    at.checked_add(len).filter(|&end| end <= image.len())?;
    Some(at)
}

/// Machine numbers of `e_flags`; the last are the generic ones.
fn target(machine: u32) -> Result<Target, NotACodeObject> {
    match machine {
        0x33..=0x35 | 0x42 | 0x52 => Ok(Target::Gfx101),
        0x36..=0x39 | 0x3d | 0x3e | 0x45 | 0x53 => Ok(Target::Gfx103),
        other => refuse(format!("a code object for another card: machine {other:#x}, neither gfx101x nor gfx103x")),
    }
}
