//! What the kernel and the bus tell, and what this user may do.

use super::{Fact, Facts};
use crate::commands::detect::Survey;
use crate::host::{Access, DeviceFile, PciCard, read_field};
use crate::installs::folder_entries;
use rmcp_domain::bounded_read::read_text;

impl Facts {
    /// The kernel, the distribution and the bus.
    pub(super) fn add_machine(&mut self, survey: &Survey) {
        let host = &survey.host;
        let text = |path: &str| read_text(&survey.machine.resolve(path), 1 << 20).ok();
        if let Some(kernel) = &host.kernel {
            self.add("kernel.release", Fact::new(kernel, "/proc/sys/kernel/osrelease"));
        }
        if let Some(line) = text("/proc/cmdline") {
            let values = line.split_whitespace().map(str::to_owned).collect();
            self.add("kernel.parameters", Fact { values, from: "/proc/cmdline".into() });
        }
        self.add("kernel.wsl", Fact::flag(host.wsl, "/proc/version"));
        self.add("system.container", Fact::of(host.container.as_ref(), "the marks of container engines"));
        self.add("amdgpu.loaded", Fact::flag(host.driver.loaded, "/sys/module/amdgpu"));
        self.add("amdgpu.dkms", Fact::flag(host.driver.version.is_some(), "/sys/module/amdgpu/version"));
        if let Some(modules) = text("/proc/modules") {
            let is_module = modules.lines().any(|line| line.starts_with("amdgpu "));
            self.add("amdgpu.builtin", Fact::flag(host.driver.loaded && !is_module, "/proc/modules"));
        }
        let from = "/sys/bus/pci/devices";
        let driver = |card: &PciCard| card.driver.clone().unwrap_or_else(|| "none".into());
        self.add("pci.cards", Fact::new(host.cards.len(), from));
        self.add("pci.drivers", Fact { values: host.cards.iter().map(driver).collect(), from: from.into() });
        let entries = |folder: &str| folder_entries(&survey.machine.resolve(folder)).into_iter();
        let vendors = entries(from).filter_map(|device| read_text(&device.join("vendor"), 4096).ok());
        let is_nvidia = vendors.into_iter().any(|vendor| vendor.trim() == "0x10de");
        self.add("pci.nvidia", Fact::flag(is_nvidia, from));
        let from = "/sys/kernel/iommu_groups";
        let kinds: Vec<String> = entries(from).filter_map(|group| read_text(&group.join("type"), 4096).ok()).collect();
        let translated = kinds.iter().any(|kind| kind.starts_with("DMA"));
        let iommu = (!kinds.is_empty()).then_some(if translated { "translated" } else { "passthrough" });
        self.add("kernel.iommu", Fact::of(iommu, from));
        if text("/etc/os-release").is_some() {
            let field = |name: &str| {
                let value = read_field(&survey.machine.root, "etc/os-release", name, '=')?;
                Some(value.trim_matches(['"', '\'']).to_owned())
            };
            self.add("system.os", Fact::of(field("ID"), "/etc/os-release"));
            let image = field("OSTREE_VERSION").or_else(|| field("IMAGE_VERSION"));
            self.add("system.image", Fact::of(image, "/etc/os-release"));
        }
    }

    /// The device file of the KFD.
    pub(super) fn add_access(&mut self, survey: &Survey) {
        let kfd = &survey.kfd;
        self.add("kfd.open", Fact::new(opened(kfd), "/dev/kfd"));
        if let Some(gid) = kfd.gid {
            self.add("kfd.group", Fact::new(kfd.group.clone().unwrap_or_else(|| gid.to_string()), "/dev/kfd"));
            self.add("user.in_kfd_group", Fact::flag(survey.account.is_member(gid), "the groups of this process"));
            let overflow = read_text(&survey.machine.resolve("/proc/sys/kernel/overflowgid"), 4096).ok();
            if let Some(overflow) = overflow.and_then(|text| text.trim().parse::<u32>().ok()) {
                self.add("kfd.group_mapped", Fact::flag(gid != overflow, "/proc/sys/kernel/overflowgid"));
            }
        }
    }
}

/// What opening it, or a look at its permissions, gave.
pub(super) fn opened(device: &DeviceFile) -> &str {
    match &device.access {
        Access::Granted => "ok",
        Access::Missing => "ENOENT",
        Access::Denied => "EACCES",
        Access::Refused(why) => why,
    }
}
