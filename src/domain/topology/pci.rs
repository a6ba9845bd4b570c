//! PCI addresses, by which the KFD, HIP and sysfs name the same card.

use std::fmt;
use std::str::FromStr;

/// A PCI address, written 0000:03:00.0 as by sysfs and hipDeviceGetPCIBusId.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PciAddress {
    /// The domain.
    pub domain: u32,
    /// The bus.
    pub bus: u8,
    /// The device, 0 to 31.
    pub device: u8,
    /// The function, 0 to 7.
    pub function: u8,
}

/// A text that is no PCI address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a PCI address; one looks like 0000:03:00.0")]
pub struct NotAPciAddress(pub String);

impl PciAddress {
    /// From the KFD's properties `domain` and `location_id`, which holds bus, device and function as PCI does.
    pub const fn from_kfd(domain: u32, location_id: u32) -> Self {
        let [_, _, bus, devfn] = location_id.to_be_bytes();
        Self { domain, bus, device: devfn >> 3, function: devfn & 7 }
    }
}

impl fmt::Display for PciAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}:{:02x}:{:02x}.{}", self.domain, self.bus, self.device, self.function)
    }
}

impl FromStr for PciAddress {
    type Err = NotAPciAddress;

    fn from_str(text: &str) -> Result<Self, NotAPciAddress> {
        parse(text.trim()).ok_or_else(|| NotAPciAddress(text.into()))
    }
}

fn parse(text: &str) -> Option<PciAddress> {
    let (domain, rest) = text.split_once(':')?;
    let (bus, rest) = rest.split_once(':')?;
    let (device, function) = rest.split_once('.')?;
    let narrow = |text: &str, limit: u32| hex(text).filter(|&number| number < limit).map(|number| number as u8);
    Some(PciAddress {
        domain: hex(domain)?,
        bus: narrow(bus, 0x100)?,
        device: narrow(device, 0x20)?,
        function: narrow(function, 8)?,
    })
}

fn hex(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u32::from_str_radix(text, 16).ok())?
}
