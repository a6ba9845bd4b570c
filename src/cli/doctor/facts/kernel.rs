//! The running kernel, the driver amdgpu in it, and what would be in it after the next boot.

use super::{Fact, Facts};
use crate::commands::detect::Survey;
use crate::installs::folder_entries;
use rmcp_domain::bounded_read::read_start;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// What the kernel says of itself by number, as letters. (Linux Documentation/admin-guide/tainted-kernels.rst)
const TAINTS: &[u8] = b"PFSRMBUDAWCIOELKXTNJ";
/// Where the modules of kernels lie.
const MODULES: [&str; 2] = ["/usr/lib/modules", "/lib/modules"];
/// Where modprobe's files lie.
const MODPROBE: [&str; 4] = ["/etc/modprobe.d", "/run/modprobe.d", "/usr/lib/modprobe.d", "/lib/modprobe.d"];
/// Four bytes of attributes and the value. (Linux Documentation/filesystems/efivarfs.rst, UEFI 3.3)
const SECURE_BOOT: &str = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";

impl Facts {
    /// The kernel and its command line.
    pub(super) fn add_kernel(&mut self, survey: &Survey) {
        let (host, machine) = (&survey.host, &survey.machine);
        if let Some(kernel) = &host.kernel {
            self.add("kernel.release", Fact::new(kernel, "/proc/sys/kernel/osrelease"));
        }
        if let Some(line) = machine.text("/proc/cmdline") {
            let values = line.split_whitespace().map(str::to_owned).collect();
            self.add("kernel.parameters", Fact { values, from: "/proc/cmdline".into() });
        }
        if let Some(mask) = machine.text("/proc/sys/kernel/tainted").and_then(|text| text.parse::<u64>().ok()) {
            let set = TAINTS.iter().enumerate().filter(|(bit, _)| mask >> bit & 1 == 1);
            let values = set.map(|(_, letter)| char::from(*letter).to_string()).collect();
            self.add("kernel.tainted", Fact { values, from: "/proc/sys/kernel/tainted".into() });
        }
        self.add("kernel.wsl", Fact::flag(host.wsl, "/proc/version"));
        let kinds: Vec<String> = folder_entries(&machine.resolve("/sys/kernel/iommu_groups"))
            .iter()
            .filter_map(|group| machine.text(group.join("type")))
            .collect();
        let translated = kinds.iter().any(|kind| kind.starts_with("DMA"));
        let iommu = (!kinds.is_empty()).then_some(if translated { "translated" } else { "passthrough" });
        self.add("kernel.iommu", Fact::of(iommu, "/sys/kernel/iommu_groups"));
        self.add_modules(survey);
        match read_start(&machine.resolve(SECURE_BOOT), 5) {
            Ok(variable) if variable.len() == 5 => {
                self.add("system.secure_boot", Fact::flag(variable[4] == 1, SECURE_BOOT));
            }
            Ok(_) => {}
            Err(_) if machine.resolve("/sys/firmware/efi/efivars").is_dir() => {}
            // Without UEFI there is none. In a container /sys may be anything.
            Err(_) if machine.resolve("/sys/firmware").is_dir() && host.container.is_none() => {
                self.add("system.secure_boot", Fact::flag(false, "/sys/firmware/efi"));
            }
            Err(_) => {}
        }
    }

    /// The installed kernels. A container has none, and says nothing of the machine's.
    fn add_modules(&mut self, survey: &Survey) {
        let machine = &survey.machine;
        let Some(running) = &survey.host.kernel else { return };
        let folder = MODULES.iter().find(|folder| !folder_entries(&machine.resolve(folder)).is_empty());
        let Some(folder) = folder.filter(|_| survey.host.container.is_none()) else { return };
        let has_modules = |kernel: &Path| kernel.join("modules.dep").is_file();
        let own = machine.resolve(folder).join(running);
        self.add("kernel.modules", Fact::flag(has_modules(&own), &format!("{folder}/{running}")));
        let booted = machine.text("/proc/stat").and_then(|stat| {
            let seconds = stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
            SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
        });
        let Some(booted) = booted else { return };
        let came_later = |kernel: &Path| {
            let time = fs::metadata(kernel.join("modules.dep")).and_then(|file| file.modified());
            kernel != own && time.is_ok_and(|time| time > booted)
        };
        let newer = folder_entries(&machine.resolve(folder)).into_iter().filter(|kernel| came_later(kernel));
        let name = |kernel: &Path| Some(kernel.file_name()?.to_string_lossy().into_owned());
        let values = newer.filter_map(|kernel| name(&kernel)).collect();
        self.add("kernel.installed_since_boot", Fact { values, from: (*folder).into() });
    }

    /// The driver.
    pub(super) fn add_driver(&mut self, survey: &Survey) {
        let (driver, machine) = (&survey.host.driver, &survey.machine);
        self.add("amdgpu.loaded", Fact::flag(driver.loaded, "/sys/module/amdgpu"));
        if let Some(modules) = machine.text("/proc/modules") {
            let is_module = modules.lines().any(|line| line.starts_with("amdgpu "));
            self.add("amdgpu.builtin", Fact::flag(driver.loaded && !is_module, "/proc/modules"));
        }
        for file in folder_entries(&machine.resolve("/sys/module/amdgpu/parameters")) {
            // Some can be read by root alone.
            let (Some(name), Some(value)) = (file.file_name(), machine.text(&file)) else { continue };
            self.add(
                format!("amdgpu.parameter.{}", name.to_string_lossy()),
                Fact::new(value, &survey.display_path(&file)),
            );
        }
        let tree = "/var/lib/dkms/amdgpu";
        // Beside the versions stand links named after kernels.
        let versions = folder_entries(&machine.resolve(tree)).into_iter().filter(|entry| !entry.is_symlink());
        let name = |folder: &Path| folder.file_name().map(|name| name.to_string_lossy().into_owned());
        let values: Vec<String> = versions.filter_map(|folder| name(&folder)).collect();
        let (dkms, from) = match &driver.version {
            Some(_) => (true, "/sys/module/amdgpu/version"),
            None => (!values.is_empty(), tree),
        };
        self.add("amdgpu.dkms", Fact::flag(dkms, from));
        let kernel = survey.host.kernel.as_ref().filter(|_| !values.is_empty());
        self.add("amdgpu.dkms_versions", Fact { values, from: tree.into() });
        if let Some(kernel) = kernel {
            let folders = MODULES.iter().flat_map(|folder| {
                ["updates/dkms", "extra", "updates"].map(|place| format!("{folder}/{kernel}/{place}"))
            });
            let is_module = |file: &Path| name(file).is_some_and(|name| name.starts_with("amdgpu.ko"));
            let built = folders
                .map(|folder| folder_entries(&machine.resolve(folder)))
                .any(|files| files.iter().any(|file| is_module(file)));
            self.add("amdgpu.dkms_built", Fact::flag(built, &format!("/lib/modules/{kernel}")));
        }
        self.add_blacklist(survey);
    }

    /// Whether something keeps modprobe from loading it.
    fn add_blacklist(&mut self, survey: &Survey) {
        let machine = &survey.machine;
        let parameters = machine.text("/proc/cmdline").unwrap_or_default();
        let lists = ["modprobe.blacklist=", "module_blacklist="];
        let listed = parameters.split_whitespace().find(|word| {
            lists
                .iter()
                .any(|list| word.strip_prefix(list).is_some_and(|names| names.split(',').any(|name| name == "amdgpu")))
        });
        // Of files of one name the first folder's counts. (modprobe.d(5))
        let mut names = BTreeSet::new();
        let files = MODPROBE.iter().flat_map(|folder| folder_entries(&machine.resolve(folder)));
        let files = files.filter(|file| names.insert(file.file_name().map(ToOwned::to_owned)));
        let files: Vec<_> = files.filter(|file| file.extension().is_some_and(|end| end == "conf")).collect();
        let by_file = files.into_iter().find_map(|file| {
            let text = machine.text(&file)?;
            let words = |line: &str| line.split_whitespace().eq(["blacklist", "amdgpu"]);
            let line = text.lines().position(words)?;
            Some((
                text.lines().nth(line)?.trim().to_owned(),
                format!("{}, line {}", survey.display_path(&file), line + 1),
            ))
        });
        let found = listed.map(|word| (word.to_owned(), "/proc/cmdline".to_owned())).or(by_file);
        let from = found.as_ref().map_or_else(|| MODPROBE.join(", "), |(_, from)| from.clone());
        self.add("amdgpu.blacklisted", Fact::of(found.map(|(what, _)| what), &from));
    }
}
