//! AMD's GPUs as the PCI bus lists them, whether or not a driver has them.

use super::read_trimmed;
use rmcp_domain::topology::PciAddress;
use std::fs;
use std::path::Path;

/// AMD's PCI vendor id.
const AMD: u32 = 0x1002;
/// The PCI classes of display controllers and of processing accelerators, in the first byte.
const GPU: [u32; 2] = [0x03, 0x12];
/// More than any machine has devices.
const DEVICE_LIMIT: usize = 4096;

/// A GPU of AMD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PciCard {
    /// Where it sits.
    pub pci: PciAddress,
    /// PCI device id.
    pub device_id: u32,
    /// The driver that has it, such as amdgpu or vfio-pci.
    pub driver: Option<String>,
}

/// What the bus says of a card that is in use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PciDetails {
    /// What libdrm's table calls the card.
    pub name: Option<String>,
    /// Bytes of VRAM that the CPU can reach through the BAR.
    pub visible_vram_bytes: Option<u64>,
    /// Speed and width of its link at present, such as "16.0 GT/s PCIe x16".
    pub link: Option<String>,
}

/// Every GPU of AMD, by address.
pub(super) fn cards(root: &Path) -> Vec<PciCard> {
    let Ok(devices) = fs::read_dir(root.join("sys/bus/pci/devices")) else { return Vec::new() };
    let mut cards: Vec<_> = devices.take(DEVICE_LIMIT).filter_map(|entry| read_card(&entry.ok()?.path())).collect();
    cards.sort_by_key(|card| card.pci);
    cards
}

fn read_card(device: &Path) -> Option<PciCard> {
    let pci = device.file_name()?.to_str()?.parse().ok()?;
    let is_amd_gpu = hex_number(device, "vendor") == Some(AMD) && GPU.contains(&(hex_number(device, "class")? >> 16));
    let driver = fs::read_link(device.join("driver")).ok();
    let driver = driver.and_then(|link| Some(link.file_name()?.to_str()?.to_owned()));
    is_amd_gpu.then(|| Some(PciCard { pci, device_id: hex_number(device, "device")?, driver }))?
}

impl PciDetails {
    /// Those of the card at that place.
    pub fn read(root: &Path, pci: PciAddress, device_id: u32) -> Self {
        let device = root.join("sys/bus/pci/devices").join(pci.to_string());
        let link = || {
            Some(format!(
                "{} x{}",
                read_trimmed(&device, "current_link_speed")?,
                read_trimmed(&device, "current_link_width")?
            ))
        };
        Self {
            name: hex_number(&device, "revision").and_then(|revision| product_name(root, device_id, revision)),
            visible_vram_bytes: read_trimmed(&device, "mem_info_vis_vram_total").and_then(|bytes| bytes.parse().ok()),
            link: link(),
        }
    }
}

/// A number of sysfs, "0x1002".
fn hex_number(device: &Path, file: &str) -> Option<u32> {
    u32::from_str_radix(read_trimmed(device, file)?.strip_prefix("0x")?, 16).ok()
}

/// The name in libdrm's table: lines of device, revision and name, as in "731F, CA, AMD Radeon RX 5600 XT".
fn product_name(root: &Path, device_id: u32, revision: u32) -> Option<String> {
    let table = ["usr/share/libdrm/amdgpu.ids", "opt/amdgpu/share/libdrm/amdgpu.ids"];
    let table = table.iter().find_map(|path| read_trimmed(root, path))?;
    let named = |line: &str| {
        let mut fields = line.splitn(3, ',').map(str::trim);
        let mut id = || u32::from_str_radix(fields.next()?, 16).ok();
        (id()? == device_id && id()? == revision).then(|| fields.next().map(str::to_owned))?
    };
    table.lines().find_map(named)
}
