//! What a code object is for: a target or a group of targets, with its features.

use rmcp_domain::gfx::GfxTarget;
use std::fmt;
use std::str::FromStr;

/// An instruction set that code was compiled for, as in `gfx90a:sramecc+:xnack-` or `gfx10-3-generic`.
/// (LLVM AMDGPUUsage.rst, Target ID)
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Isa {
    /// The processor or the group of processors.
    pub processor: Processor,
    /// Whether the code needs memory errors to be corrected; None is either.
    pub sramecc: Option<bool>,
    /// Whether the code needs page faults to be replayed; None is either. gfx10 cards never do.
    pub xnack: Option<bool>,
}

/// Whose instructions the code is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Processor {
    /// One target.
    Target(GfxTarget),
    /// What a group of targets has in common.
    Generic(Generic),
    /// SPIR-V, which the runtime compiles for the card that is there.
    Spirv,
}

/// The groups. (LLVM AMDGPUUsage.rst, Generic processors)
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Generic {
    /// gfx9-generic
    Gfx9,
    /// gfx9-4-generic
    Gfx9_4,
    /// gfx10-1-generic
    Gfx10_1,
    /// gfx10-3-generic
    Gfx10_3,
    /// gfx11-generic
    Gfx11,
    /// gfx12-generic
    Gfx12,
    /// gfx12-5-generic
    Gfx12_5,
}

/// The name that clang gives the bundle entry of SPIR-V.
const SPIRV: &str = "amdgcnspirv";

impl Generic {
    const ALL: [Self; 7] =
        [Self::Gfx9, Self::Gfx9_4, Self::Gfx10_1, Self::Gfx10_3, Self::Gfx11, Self::Gfx12, Self::Gfx12_5];

    /// As in `--offload-arch`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gfx9 => "gfx9-generic",
            Self::Gfx9_4 => "gfx9-4-generic",
            Self::Gfx10_1 => "gfx10-1-generic",
            Self::Gfx10_3 => "gfx10-3-generic",
            Self::Gfx11 => "gfx11-generic",
            Self::Gfx12 => "gfx12-generic",
            Self::Gfx12_5 => "gfx12-5-generic",
        }
    }

    /// Whether the target is of the group.
    pub const fn contains(self, target: GfxTarget) -> bool {
        let GfxTarget { major, minor, stepping } = target;
        match self {
            Self::Gfx9 => matches!((major, minor, stepping), (9, 0, 0 | 2 | 4 | 6 | 9 | 12)),
            Self::Gfx9_4 => matches!((major, minor, stepping), (9, 4, 0..=2) | (9, 5, 0)),
            Self::Gfx10_1 => matches!((major, minor, stepping), (10, 1, 0..=3)),
            Self::Gfx10_3 => matches!((major, minor, stepping), (10, 3, 0..=6)),
            Self::Gfx11 => matches!((major, minor, stepping), (11, 0, 0..=3) | (11, 5, 0..=3)),
            Self::Gfx12 => matches!((major, minor, stepping), (12, 0, 0 | 1)),
            Self::Gfx12_5 => matches!((major, minor, stepping), (12, 5, 0 | 1)),
        }
    }
}

impl Isa {
    /// Code for one target, whatever the features.
    pub const fn for_target(target: GfxTarget) -> Self {
        Self { processor: Processor::Target(target), sramecc: None, xnack: None }
    }

    /// Whether the code runs on a card of this target. Only what is known of every such card counts: gfx10 never
    /// replays page faults, so code that needs it does not load there.
    pub fn runs_on(self, card: GfxTarget) -> bool {
        let never_replays = card.major == 10;
        let processor = match self.processor {
            Processor::Target(target) => target == card,
            Processor::Generic(group) => group.contains(card),
            // Whether a runtime compiles it, and for which cards, is the runtime's affair.
            Processor::Spirv => false,
        };
        processor && !(never_replays && self.xnack == Some(true))
    }

    /// From the header of an AMDGPU ELF file; None where the flags name no processor that is known here. `abi` is
    /// EI_ABIVERSION: 0 is code object version 2, and so on. (LLVM AMDGPUUsage.rst, ELF header)
    pub fn from_elf(flags: u32, abi: u8) -> Option<Self> {
        let processor = processor(flags & 0xff)?;
        let on = |mask: u32| (flags & mask != 0).then_some(true);
        // Two bits each from version 4 on: not supported, any, off, on.
        let tri = |shift: u32| match flags >> shift & 3 {
            2 => Some(false),
            3 => Some(true),
            _ => None,
        };
        Some(match abi {
            0 => Self { processor, sramecc: None, xnack: on(1) },
            1 => Self { processor, sramecc: on(0x200), xnack: on(0x100) },
            _ => Self { processor, sramecc: tri(10), xnack: tri(8) },
        })
    }
}

/// EF_AMDGPU_MACH_AMDGCN_* and the target's major, minor and stepping. (LLVM llvm/BinaryFormat/ELF.h)
const TARGETS: [(u8, u8, u8, u8); 54] = [
    (0x20, 6, 0, 0),
    (0x21, 6, 0, 1),
    (0x3a, 6, 0, 2),
    (0x22, 7, 0, 0),
    (0x23, 7, 0, 1),
    (0x24, 7, 0, 2),
    (0x25, 7, 0, 3),
    (0x26, 7, 0, 4),
    (0x3b, 7, 0, 5),
    (0x28, 8, 0, 1),
    (0x29, 8, 0, 2),
    (0x2a, 8, 0, 3),
    (0x3c, 8, 0, 5),
    (0x2b, 8, 1, 0),
    (0x2c, 9, 0, 0),
    (0x2d, 9, 0, 2),
    (0x2e, 9, 0, 4),
    (0x2f, 9, 0, 6),
    (0x30, 9, 0, 8),
    (0x31, 9, 0, 9),
    (0x3f, 9, 0, 10),
    (0x32, 9, 0, 12),
    (0x40, 9, 4, 0),
    (0x4b, 9, 4, 1),
    (0x4c, 9, 4, 2),
    (0x4f, 9, 5, 0),
    (0x33, 10, 1, 0),
    (0x34, 10, 1, 1),
    (0x35, 10, 1, 2),
    (0x42, 10, 1, 3),
    (0x36, 10, 3, 0),
    (0x37, 10, 3, 1),
    (0x38, 10, 3, 2),
    (0x39, 10, 3, 3),
    (0x3e, 10, 3, 4),
    (0x3d, 10, 3, 5),
    (0x45, 10, 3, 6),
    (0x41, 11, 0, 0),
    (0x46, 11, 0, 1),
    (0x47, 11, 0, 2),
    (0x44, 11, 0, 3),
    (0x43, 11, 5, 0),
    (0x4a, 11, 5, 1),
    (0x55, 11, 5, 2),
    (0x58, 11, 5, 3),
    (0x57, 11, 5, 4),
    (0x5d, 11, 7, 0),
    (0x5e, 11, 7, 1),
    (0x5c, 11, 7, 2),
    (0x48, 12, 0, 0),
    (0x4e, 12, 0, 1),
    (0x49, 12, 5, 0),
    (0x5a, 12, 5, 1),
    (0x50, 13, 1, 0),
];

/// The processor of EF_AMDGPU_MACH.
fn processor(mach: u32) -> Option<Processor> {
    let generic = match mach {
        0x51 => Some(Generic::Gfx9),
        0x52 => Some(Generic::Gfx10_1),
        0x53 => Some(Generic::Gfx10_3),
        0x54 => Some(Generic::Gfx11),
        0x59 => Some(Generic::Gfx12),
        0x5b => Some(Generic::Gfx12_5),
        0x5f => Some(Generic::Gfx9_4),
        _ => None,
    };
    if let Some(generic) = generic {
        return Some(Processor::Generic(generic));
    }
    let row = TARGETS.iter().find(|row| u32::from(row.0) == mach);
    row.map(|&(_, major, minor, stepping)| Processor::Target(GfxTarget::new(major, minor, stepping)))
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.processor {
            Processor::Target(target) => target.fmt(f)?,
            Processor::Generic(group) => f.write_str(group.name())?,
            Processor::Spirv => f.write_str(SPIRV)?,
        }
        for (name, feature) in [("sramecc", self.sramecc), ("xnack", self.xnack)] {
            if let Some(on) = feature {
                write!(f, ":{name}{}", if on { '+' } else { '-' })?;
            }
        }
        Ok(())
    }
}

/// A text that names no instruction set of an AMD GPU.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} names no GPU target; one looks like gfx1010, gfx90a:xnack- or gfx10-3-generic")]
pub struct InvalidIsa(pub String);

impl FromStr for Isa {
    type Err = InvalidIsa;

    /// Reads a target id; features that are not known are passed over.
    fn from_str(text: &str) -> Result<Self, InvalidIsa> {
        let refused = || InvalidIsa(text.into());
        let mut parts = text.trim().split(':');
        let name = parts.next().unwrap_or_default();
        let processor = if name == SPIRV {
            Processor::Spirv
        } else if let Some(group) = Generic::ALL.into_iter().find(|group| group.name() == name) {
            Processor::Generic(group)
        } else {
            Processor::Target(name.parse().map_err(|_| refused())?)
        };
        let mut isa = Self { processor, sramecc: None, xnack: None };
        for feature in parts {
            match feature {
                "sramecc+" => isa.sramecc = Some(true),
                "sramecc-" => isa.sramecc = Some(false),
                "xnack+" => isa.xnack = Some(true),
                "xnack-" => isa.xnack = Some(false),
                _ => {}
            }
        }
        Ok(isa)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_processor_of_an_elf_header_has_a_name_of_its_own_that_reads_back() {
        let all: Vec<Isa> = (0..=0xff).filter_map(|mach| Isa::from_elf(mach, 3)).collect();
        assert_eq!(all.len(), TARGETS.len() + Generic::ALL.len());
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
        for isa in all {
            assert_eq!(isa.to_string().parse(), Ok(isa));
        }
    }

    #[test]
    fn features_are_read_in_any_order_and_written_in_one() {
        let isa: Isa = "gfx90a:xnack-:sramecc+".parse().unwrap();
        assert_eq!((isa.xnack, isa.sramecc), (Some(false), Some(true)));
        assert_eq!(isa.to_string(), "gfx90a:sramecc+:xnack-");
    }

    #[test]
    fn what_names_no_instruction_set_is_refused() {
        for text in ["", "sm_70", "gfx10-4-generic", "gfx", "-gfx1010", ":xnack+"] {
            assert_eq!(text.parse::<Isa>(), Err(InvalidIsa(text.into())), "{text}");
        }
    }
}
