//! The description of a machine: one CPU node and any number of GPUs, read from TOML.

use crate::Kernel;
use serde::Deserialize;
use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;

/// A machine with one card, known by the name of its gfx target.
#[derive(Clone, Copy, Debug)]
pub struct Card {
    /// As in `gfx1010`.
    pub name: &'static str,
    /// What is sold with such a chip.
    pub product: &'static str,
    /// The description, in TOML.
    pub description: &'static str,
}

/// The built-in ones.
pub const CARDS: [Card; 12] = [
    Card { name: "gfx1010", product: "Radeon RX 5600 XT (RDNA1)", description: include_str!("cards/gfx1010.toml") },
    Card { name: "gfx1011", product: "Radeon Pro V520 (RDNA1)", description: include_str!("cards/gfx1011.toml") },
    Card { name: "gfx1012", product: "Radeon RX 5500 XT (RDNA1)", description: include_str!("cards/gfx1012.toml") },
    Card {
        name: "gfx1013",
        product: "BC-250 (RDNA1 with ray tracing)",
        description: include_str!("cards/gfx1013.toml"),
    },
    Card { name: "gfx1030", product: "Radeon RX 6800 XT (RDNA2)", description: include_str!("cards/gfx1030.toml") },
    Card { name: "gfx1031", product: "Radeon RX 6700 XT (RDNA2)", description: include_str!("cards/gfx1031.toml") },
    Card { name: "gfx1032", product: "Radeon RX 6600 XT (RDNA2)", description: include_str!("cards/gfx1032.toml") },
    Card { name: "gfx1034", product: "Radeon RX 6500 XT (RDNA2)", description: include_str!("cards/gfx1034.toml") },
    Card {
        name: "gfx1035",
        product: "graphics of Ryzen 6000 mobile processors, Radeon 680M (RDNA2)",
        description: include_str!("cards/gfx1035.toml"),
    },
    Card {
        name: "gfx1036",
        product: "graphics of Ryzen 7000 desktop processors (RDNA2)",
        description: include_str!("cards/gfx1036.toml"),
    },
    Card {
        name: "gfx1100",
        product: "Radeon RX 7900 XTX (RDNA3); no kernels run",
        description: include_str!("cards/gfx1100.toml"),
    },
    Card {
        name: "gfx90a",
        product: "Instinct MI210 (CDNA2); no kernels run",
        description: include_str!("cards/gfx90a.toml"),
    },
];

impl Card {
    /// The built-in card of this name.
    pub fn named(name: &str) -> Option<Self> {
        CARDS.into_iter().find(|card| card.name == name)
    }
}

/// A whole machine. Node 0 is the CPU, GPU `i` is node `i + 1`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// The release of Linux that runs it.
    #[serde(default)]
    pub kernel: Kernel,
    /// The CPU node; this machine's own processor when left out.
    #[serde(default)]
    pub cpu: Cpu,
    /// The cards, in the order of their nodes.
    pub gpu: Vec<Gpu>,
}

/// The CPU node.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cpu {
    /// Logical processors. Default: those of the machine the library runs on.
    #[serde(default = "online_processors")]
    pub cores: u32,
    /// Bytes of system memory.
    #[serde(default = "default_memory")]
    pub memory_bytes: u64,
}

impl Default for Cpu {
    fn default() -> Self {
        Self { cores: online_processors(), memory_bytes: default_memory() }
    }
}

/// One card. The meaning of the numbers is that of the properties file in KFD's topology
/// (Linux drivers/gpu/drm/amd/amdkfd/kfd_topology.c).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gpu {
    /// LLVM target, such as `gfx1010`.
    pub gfx: GfxTarget,
    /// The kernel's name of the chip.
    pub name: String,
    /// PCI device id.
    pub device_id: u16,
    /// PCI revision id.
    pub revision: u8,
    /// PCI place, such as `0000:03:00.0`.
    pub pci: PciPlace,
    /// Serial number as KFD reports it.
    pub unique_id: u64,
    /// Bytes of VRAM.
    pub vram_bytes: u64,
    /// Whether the CPU can reach all of VRAM (resizable BAR).
    pub large_bar: bool,
    /// Whether the PCIe path carries 32- and 64-bit atomics.
    #[serde(default = "yes")]
    pub pcie_atomics: bool,
    /// Active compute units.
    pub compute_units: u32,
    /// Shader engines.
    pub shader_engines: u32,
    /// Shader arrays per engine.
    pub arrays_per_engine: u32,
    /// Compute units per shader array, harvested ones included.
    pub cu_per_array: u32,
    /// SIMDs per compute unit.
    pub simd_per_cu: u32,
    /// Waves that one SIMD holds.
    pub waves_per_simd: u32,
    /// Lanes of a native wave.
    pub wavefront: u32,
    /// Highest shader clock, MHz.
    pub engine_mhz: u32,
    /// Highest memory clock, MHz.
    pub memory_mhz: u32,
    /// Width of the memory bus, bits.
    pub memory_bits: u32,
    /// Version of the compute micro engine's firmware.
    pub mec_firmware: u32,
    /// Version of the SDMA firmware.
    pub sdma_firmware: u32,
}

impl Gpu {
    /// KFD's id of the card. The kernel hashes its properties; any stable non-zero 16-bit value serves.
    pub fn gpu_id(&self) -> u32 {
        let seed = self.unique_id ^ u64::from(self.pci.location_id()) ^ (u64::from(self.pci.domain) << 32);
        let mixed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        ((mixed >> 48) as u32) | 1
    }

    /// `AMDGPU_FAMILY_*` of the card (include/uapi/drm/amdgpu_drm.h).
    pub fn drm_family(&self) -> u32 {
        match self.gfx.major {
            9 => 141,
            10 => 143,
            11 => 145,
            _ => 152,
        }
    }

    /// Whether the card can retry page faults. gfx10 and later cannot (KFD's `svm_range_*` and `kfd_process_xnack_mode`).
    pub fn xnack(&self) -> bool {
        self.gfx.major == 9
    }
}

/// An LLVM gfx target without features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct GfxTarget {
    /// Decimal major version.
    pub major: u32,
    /// One hexadecimal digit.
    pub minor: u32,
    /// One hexadecimal digit.
    pub stepping: u32,
}

impl GfxTarget {
    /// The number KFD shows as `gfx_target_version`: gfx1010 is 100100.
    pub fn version(self) -> u32 {
        self.major * 10_000 + self.minor * 100 + self.stepping
    }
}

impl TryFrom<String> for GfxTarget {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || format!("\"{text}\" is no gfx target such as \"gfx1010\"");
        let digits = text.strip_prefix("gfx").filter(|d| d.is_ascii() && d.len() >= 3).ok_or_else(wrong)?;
        let (major, rest) = digits.split_at(digits.len() - 2);
        let hex = |at: usize| u32::from_str_radix(&rest[at..=at], 16).map_err(|_| wrong());
        Ok(Self { major: major.parse().map_err(|_| wrong())?, minor: hex(0)?, stepping: hex(1)? })
    }
}

/// Domain, bus, device and function of a PCI device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct PciPlace {
    /// PCI domain (segment).
    pub domain: u16,
    /// Bus number.
    pub bus: u8,
    /// Device number, 0 to 31.
    pub device: u8,
    /// Function, 0 to 7.
    pub function: u8,
}

impl PciPlace {
    /// KFD's `location_id`: bus, device and function in 16 bits.
    pub fn location_id(self) -> u32 {
        u32::from(self.bus) << 8 | u32::from(self.device) << 3 | u32::from(self.function)
    }
}

impl std::fmt::Display for PciPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04x}:{:02x}:{:02x}.{:x}", self.domain, self.bus, self.device, self.function)
    }
}

impl TryFrom<String> for PciPlace {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let parse = || {
            let (domain, rest) = text.split_once(':')?;
            let (bus, rest) = rest.split_once(':')?;
            let (device, function) = rest.split_once('.')?;
            Some(Self {
                domain: u16::from_str_radix(domain, 16).ok()?,
                bus: u8::from_str_radix(bus, 16).ok()?,
                device: u8::from_str_radix(device, 16).ok().filter(|&d| d < 32)?,
                function: u8::from_str_radix(function, 16).ok().filter(|&f| f < 8)?,
            })
        };
        parse().ok_or_else(|| format!("\"{text}\" is no PCI place such as \"0000:03:00.0\""))
    }
}

impl Machine {
    /// The machine that `name` means: a built-in name, or the path of a description.
    ///
    /// # Errors
    /// One line that names the file, the line and the key.
    pub fn load(name: &str) -> Result<Self, String> {
        if let Some(card) = Card::named(name) {
            return Self::parse(name, card.description);
        }
        let text = read(name).map_err(|error| {
            let cards = CARDS.map(|card| card.name).join(", ");
            format!("{name}: {error}; the emulated cards are {cards} or the path of a machine description")
        })?;
        Self::parse(name, &text)
    }

    /// Reads a description; `file` is only used in errors.
    ///
    /// # Errors
    /// One line that names the file, the line and the key.
    pub fn parse(file: &str, text: &str) -> Result<Self, String> {
        let machine: Self = toml::from_str(text).map_err(|error| describe(file, text, &error))?;
        if machine.gpu.is_empty() {
            return Err(format!("{file}: gpu: a machine needs at least one [[gpu]]"));
        }
        for (i, gpu) in machine.gpu.iter().enumerate() {
            if let Some(other) =
                machine.gpu[..i].iter().find(|other| other.pci == gpu.pci || other.gpu_id() == gpu.gpu_id())
            {
                return Err(format!("{file}: gpu[{i}].pci: {} and {} are the same card to KFD", gpu.pci, other.pci));
            }
        }
        Ok(machine)
    }
}

/// The text of a description. A FIFO would be waited for, and a device has no end.
fn read(path: &str) -> io::Result<String> {
    const LIMIT: u64 = 1 << 20;
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    if metadata.len() > LIMIT {
        return Err(io::Error::other(format!("it is larger than {LIMIT} bytes")));
    }
    let mut text = String::new();
    file.take(LIMIT).read_to_string(&mut text)?;
    Ok(text)
}

fn describe(file: &str, text: &str, error: &toml::de::Error) -> String {
    let message = error.message().replace('\n', " ");
    let Some(span) = error.span() else { return format!("{file}: {message}") };
    let before = &text[..span.start.min(text.len())];
    let line = before.matches('\n').count();
    let key = text.lines().nth(line).and_then(|l| l.split_once('=')).map(|(key, _)| format!("{}: ", key.trim()));
    format!("{file}:{}: {}{message}", line + 1, key.unwrap_or_default())
}

fn yes() -> bool {
    true
}

fn online_processors() -> u32 {
    std::thread::available_parallelism().map_or(1, |n| n.get() as u32)
}

fn default_memory() -> u64 {
    16 << 30
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_machine_parses_and_says_its_own_target() {
        for Card { name, description, .. } in CARDS {
            let machine = Machine::parse(name, description).unwrap();
            assert_eq!(GfxTarget::try_from(name.to_string()).unwrap(), machine.gpu[0].gfx);
        }
    }

    #[test]
    fn gfx_targets_become_kfd_versions() {
        for (target, version) in [("gfx1010", 100_100), ("gfx90a", 90_010), ("gfx1100", 110_000), ("gfx1036", 100_306)]
        {
            assert_eq!(GfxTarget::try_from(target.to_string()).unwrap().version(), version);
        }
        for wrong in ["gfx", "gfx1", "1010", "gfxabc", "gfx10z0"] {
            assert!(GfxTarget::try_from(wrong.to_string()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn pci_places_round_trip() {
        let place = PciPlace::try_from("0001:2a:1f.3".to_string()).unwrap();
        assert_eq!(place.to_string(), "0001:2a:1f.3");
        assert_eq!(place.location_id(), 0x2afb);
        assert!(PciPlace::try_from("00:03.0".to_string()).is_err());
        assert!(PciPlace::try_from("0000:03:20.0".to_string()).is_err());
    }

    #[test]
    fn a_wrong_value_is_named_by_file_line_and_key() {
        let text = CARDS[0].description.replace("gfx = \"gfx1010\"", "gfx = \"rdna1\"");
        let error = Machine::parse("my.toml", &text).unwrap_err();
        assert!(error.starts_with("my.toml:3: gfx: "), "{error}");
        assert!(!error.contains('\n'));
    }

    #[test]
    fn an_unknown_key_is_named_by_file_and_line() {
        let text = format!("{}speed = 3\n", CARDS[0].description);
        let error = Machine::parse("my.toml", &text).unwrap_err();
        assert!(error.starts_with("my.toml:") && error.contains("speed"), "{error}");
    }

    #[test]
    fn a_description_that_is_no_file_or_has_no_end_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        assert!(std::process::Command::new("mkfifo").arg(at("fifo")).status().unwrap().success());
        std::fs::File::create(at("sparse")).unwrap().set_len(1 << 40).unwrap();
        for (path, why) in [
            (at("fifo"), "it is no file"),
            ("/dev/zero".into(), "it is no file"),
            (at("."), "it is no file"),
            (at("sparse"), "it is larger than 1048576 bytes"),
            (at("missing"), "No such file"),
        ] {
            let error = Machine::load(&path).unwrap_err();
            assert!(error.contains(why) && error.contains("the emulated cards are gfx1010"), "{error}");
        }
        std::fs::write(at("machine.toml"), CARDS[0].description).unwrap();
        assert!(Machine::load(&at("machine.toml")).is_ok());
    }

    #[test]
    fn two_cards_may_not_share_a_place() {
        let error = Machine::parse("my.toml", &CARDS[0].description.repeat(2)).unwrap_err();
        assert!(error.contains("gpu[1].pci"), "{error}");
    }

    #[test]
    fn a_machine_may_hold_cards_of_several_families() {
        let second = Card::named("gfx1030").unwrap().description.replace("0000:03:", "0000:0a:");
        let machine = Machine::parse("my.toml", &format!("{}{second}", CARDS[0].description)).unwrap();
        assert_eq!(machine.gpu.iter().map(|g| g.gfx.version()).collect::<Vec<_>>(), [100_100, 100_300]);
    }
}
