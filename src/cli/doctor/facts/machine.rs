//! What the machine has beside its kernel, and what this user may do.

use super::{Fact, Facts};
use crate::commands::detect::Survey;
use crate::host::{PciCard, read_field};
use crate::installs::folder_entries;

/// How the makers of virtual machines call themselves, as the start of the DMI vendor or product. (systemd
/// src/basic/virt.c, dmi_vendors)
const HYPERVISORS: &[(&str, &str)] = &[
    ("QEMU", "qemu"),
    ("KVM", "kvm"),
    ("OpenStack", "kvm"),
    ("Amazon EC2", "amazon"),
    ("Google Compute Engine", "google"),
    ("VMware", "vmware"),
    ("VMW", "vmware"),
    ("innotek GmbH", "virtualbox"),
    ("VirtualBox", "virtualbox"),
    ("Xen", "xen"),
    ("Parallels", "parallels"),
    ("BHYVE", "bhyve"),
    ("Virtual Machine", "hyper-v"),
    ("Apple Virtualization", "apple"),
];

impl Facts {
    /// The distribution, what the machine runs in, its memory, and the bus.
    pub(super) fn add_machine(&mut self, survey: &Survey) {
        let (host, machine) = (&survey.host, &survey.machine);
        self.add("system.container", Fact::of(host.container.as_ref(), "the marks of container engines"));
        if machine.text("/etc/os-release").is_some() {
            let field = |name: &str| {
                let value = read_field(&machine.root, "etc/os-release", name, '=')?;
                Some(value.trim_matches(['"', '\'']).to_owned())
            };
            self.add("system.os", Fact::of(field("ID"), "/etc/os-release"));
            let image = field("OSTREE_VERSION").or_else(|| field("IMAGE_VERSION"));
            self.add("system.image", Fact::of(image, "/etc/os-release"));
        }
        self.add_hypervisor(survey);
        let memory = machine.text("/proc/meminfo").unwrap_or_default();
        for (fact, name) in [
            ("memory.total_mib", "MemTotal:"),
            ("memory.available_mib", "MemAvailable:"),
            ("memory.swap_mib", "SwapTotal:"),
        ] {
            let value = memory.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_suffix("kB"));
            if let Some(kib) = value.and_then(|kib| kib.trim().parse::<u64>().ok()) {
                self.add(fact, Fact::new(kib >> 10, "/proc/meminfo"));
            }
        }
        let from = "/sys/module/ttm/parameters/pages_limit";
        if let Some(pages) = machine.text(from).and_then(|pages| pages.parse::<u64>().ok()) {
            self.add("memory.ttm_limit_mib", Fact::new(pages >> 8, from));
        }
        let from = "/sys/bus/pci/devices";
        let driver = |card: &PciCard| card.driver.clone().unwrap_or_else(|| "none".into());
        self.add("pci.cards", Fact::new(host.cards.len(), from));
        self.add("pci.drivers", Fact { values: host.cards.iter().map(driver).collect(), from: from.into() });
        let devices = folder_entries(&machine.resolve(from)).into_iter();
        let is_nvidia =
            devices.filter_map(|device| machine.text(device.join("vendor"))).any(|vendor| vendor == "0x10de");
        self.add("pci.nvidia", Fact::flag(is_nvidia, from));
    }

    fn add_hypervisor(&mut self, survey: &Survey) {
        let machine = &survey.machine;
        let Some(processor) = machine.text("/proc/cpuinfo") else { return };
        let flags = processor.lines().find(|line| line.starts_with("flags"));
        let is_guest = flags.is_some_and(|line| line.split_whitespace().any(|flag| flag == "hypervisor"));
        let words = ["sys_vendor", "product_name", "board_vendor", "bios_vendor"];
        let words: Vec<String> =
            words.iter().filter_map(|file| machine.text(format!("/sys/class/dmi/id/{file}"))).collect();
        let named = HYPERVISORS.iter().find(|(start, _)| words.iter().any(|word| word.starts_with(start)));
        let name = is_guest.then(|| named.map_or("unknown", |(_, name)| name));
        self.add("system.hypervisor", Fact::of(name, "/proc/cpuinfo, /sys/class/dmi/id"));
    }

    /// The device file of the KFD, and the groups of this process.
    pub(super) fn add_access(&mut self, survey: &Survey) {
        let (kfd, account) = (&survey.kfd, &survey.account);
        let groups = account.groups.iter().map(|(gid, name)| name.clone().unwrap_or_else(|| gid.to_string())).collect();
        self.add("user.groups", Fact { values: groups, from: "the groups of this process".into() });
        self.add("user.root", Fact::flag(account.uid == 0, "the user of this process"));
        self.add("kfd.open", Fact::new(kfd.access.word(), "/dev/kfd"));
        if let Some(gid) = kfd.gid {
            self.add("kfd.group", Fact::new(kfd.group.clone().unwrap_or_else(|| gid.to_string()), "/dev/kfd"));
            self.add("kfd.gid", Fact::new(gid, "/dev/kfd"));
            self.add("user.in_kfd_group", Fact::flag(account.is_member(gid), "the groups of this process"));
            let listed = account.is_listed_member(&survey.machine.root, gid);
            self.add("user.listed_in_kfd_group", Fact::flag(listed, "/etc/group"));
            let overflow =
                survey.machine.text("/proc/sys/kernel/overflowgid").and_then(|text| text.parse::<u32>().ok());
            if let Some(overflow) = overflow {
                self.add("kfd.group_mapped", Fact::flag(gid != overflow, "/proc/sys/kernel/overflowgid"));
            }
        }
    }
}
