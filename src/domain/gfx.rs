//! gfx targets: the names under which LLVM, ROCr and the KFD know an instruction set.

use std::fmt;
use std::str::FromStr;

/// A gfx target such as gfx1010 or gfx90a. Features (`:xnack-`, `:sramecc+`) are no part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GfxTarget {
    /// 10 in gfx1030.
    pub major: u8,
    /// 3 in gfx1030.
    pub minor: u8,
    /// 0 in gfx1030, 10 in gfx90a.
    pub stepping: u8,
}

/// The generations that RMCP tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// gfx101x: RX 5000, Radeon Pro W5000.
    Rdna1,
    /// gfx103x: RX 6000, Radeon Pro W6000, and the integrated GPUs of that generation.
    Rdna2,
    /// Every other GPU: RMCP leaves it alone.
    Other,
}

/// A text that names no gfx target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a gfx target; one looks like gfx1010 or amdgcn-amd-amdhsa--gfx90a:xnack-")]
pub struct NotAGfxTarget(pub String);

impl GfxTarget {
    /// The target of the three numbers, as in `GfxTarget::new(10, 3, 0)`.
    pub const fn new(major: u8, minor: u8, stepping: u8) -> Self {
        Self { major, minor, stepping }
    }

    /// From the KFD's `gfx_target_version`: two decimal digits each for minor and stepping, so that 100302 is gfx1032
    /// and 90010 is gfx90a (ROCT libhsakmt.h, HSA_GET_GFX_VERSION_*). None for 0, which a CPU node carries, and for
    /// numbers that no target name can express.
    pub fn from_kfd(version: u32) -> Option<Self> {
        let (major, minor, stepping) = (version / 10_000, version / 100 % 100, version % 100);
        let fits = (1..=99).contains(&major) && minor <= 0xf && stepping <= 0xf;
        fits.then(|| Self::new(major as u8, minor as u8, stepping as u8))
    }

    /// From the PCI device id, for Linux before 5.16, whose KFD has no `gfx_target_version`. Only gfx10 cards are
    /// known here; ids as in ROCT's topology.c.
    pub fn from_pci_device(device_id: u32) -> Option<Self> {
        let (minor, stepping) = match device_id {
            0x7310 | 0x7312 | 0x7318 | 0x731a | 0x731b | 0x731e | 0x731f => (1, 0),
            0x7360 | 0x7362 => (1, 1),
            0x7340 | 0x7341 | 0x7347 | 0x734f => (1, 2),
            0x13f9..=0x13fc | 0x13fe | 0x143f => (1, 3),
            0x73a0..=0x73bf => (3, 0),
            0x73c0 | 0x73c1 | 0x73c3 | 0x73da..=0x73df => (3, 1),
            0x73e0..=0x73ff => (3, 2),
            0x163f => (3, 3),
            0x7420..=0x743f => (3, 4),
            0x164d | 0x1681 => (3, 5),
            _ => return None,
        };
        Some(Self::new(10, minor, stepping))
    }

    /// The generation.
    pub const fn family(self) -> Family {
        match (self.major, self.minor) {
            (10, 1) => Family::Rdna1,
            (10, 3) => Family::Rdna2,
            _ => Family::Other,
        }
    }

    /// Whether every GPU of this target sits in an APU and shares the CPU's memory controller: the kernel flags these
    /// as AMD_IS_APU (amdgpu_discovery.c). Recent kernels list such a GPU as a node of its own with a PCIe link, so
    /// the topology alone does not tell.
    pub const fn integrated(self) -> bool {
        matches!(
            (self.major, self.minor, self.stepping),
            (9, 0, 2 | 9 | 12) | (10, 1, 3) | (10, 3, 3 | 5 | 6 | 7) | (11, 0, 3) | (11, 5, _)
        )
    }
}

impl fmt::Display for GfxTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gfx{}{:x}{:x}", self.major, self.minor, self.stepping)
    }
}

impl FromStr for GfxTarget {
    type Err = NotAGfxTarget;

    fn from_str(text: &str) -> Result<Self, NotAGfxTarget> {
        parse(text.trim()).ok_or_else(|| NotAGfxTarget(text.into()))
    }
}

fn parse(text: &str) -> Option<GfxTarget> {
    let processor = text.split(':').next()?;
    let name = match processor.rsplit_once("--") {
        Some((triple, name)) if triple.starts_with("amdgcn") => name,
        Some(_) => return None,
        None => processor,
    };
    let digits = name.strip_prefix("gfx")?;
    if !digits.is_ascii() || digits.len() < 3 {
        return None;
    }
    let (major, rest) = digits.split_at(digits.len() - 2);
    let hex = |at: usize| rest.as_bytes().get(at).and_then(|&b| (b as char).to_digit(16)).map(|d| d as u8);
    let major = major.bytes().all(|b| b.is_ascii_digit()).then(|| major.parse().ok())??;
    (1..=99).contains(&major).then_some(GfxTarget::new(major, hex(0)?, hex(1)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_with_and_without_triple_and_features() {
        for (text, target) in [
            ("gfx1010", GfxTarget::new(10, 1, 0)),
            ("gfx1010:xnack-", GfxTarget::new(10, 1, 0)),
            ("amdgcn-amd-amdhsa--gfx1030", GfxTarget::new(10, 3, 0)),
            ("amdgcn-amd-amdhsa--gfx90a:sramecc+:xnack-", GfxTarget::new(9, 0, 10)),
            ("gfx803", GfxTarget::new(8, 0, 3)),
            ("gfx1103\n", GfxTarget::new(11, 0, 3)),
        ] {
            assert_eq!(text.parse(), Ok(target), "{text}");
        }
    }

    #[test]
    fn what_names_no_target_is_refused() {
        for text in ["", "gfx", "gfx1", "gfx10", "1010", "gfx10z0", "gfx+010", "gfx\u{e9}10", "x--gfx1010", "gfx99910"]
        {
            assert_eq!(text.parse::<GfxTarget>(), Err(NotAGfxTarget(text.into())), "{text}");
        }
    }

    #[test]
    fn the_kfd_counts_in_decimal_and_names_count_in_hexadecimal() {
        let name = |version| GfxTarget::from_kfd(version).map(|t| t.to_string());
        assert_eq!(name(100_100).as_deref(), Some("gfx1010"));
        assert_eq!(name(100_302).as_deref(), Some("gfx1032"));
        assert_eq!(name(90_010).as_deref(), Some("gfx90a"));
        assert_eq!(name(90_012).as_deref(), Some("gfx90c"));
        assert_eq!(name(120_001).as_deref(), Some("gfx1201"));
        for nonsense in [0, 1, 9_999, 1_000_000, 101_600, 100_016, u32::MAX] {
            assert_eq!(name(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn every_printed_name_reads_back() {
        for version in 0..200_000 {
            if let Some(target) = GfxTarget::from_kfd(version) {
                assert_eq!(target.to_string().parse(), Ok(target));
            }
        }
    }

    #[test]
    fn only_gfx101x_and_gfx103x_have_a_family_of_their_own() {
        for version in 0..200_000 {
            let Some(target) = GfxTarget::from_kfd(version) else { continue };
            let expected = match target.to_string() {
                name if name.starts_with("gfx101") && name.len() == 7 => Family::Rdna1,
                name if name.starts_with("gfx103") && name.len() == 7 => Family::Rdna2,
                _ => Family::Other,
            };
            assert_eq!(target.family(), expected, "{target}");
        }
    }

    #[test]
    fn an_rx_5600_xt_is_known_by_its_pci_id_where_the_kernel_names_no_target() {
        assert_eq!(GfxTarget::from_pci_device(0x731f), Some(GfxTarget::new(10, 1, 0)));
        assert_eq!(GfxTarget::from_pci_device(0x744c), None);
    }
}
