//! Machines made of files.

use super::*;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use tempfile::TempDir;

fn machine(files: &[(&str, &str)]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    root
}

#[test]
fn an_empty_machine_says_nothing_and_fails_nowhere() {
    let root = machine(&[]);
    assert_eq!(Host::read(root.path()), Host::default());
    assert_eq!(DeviceFile::kfd(root.path()).access, Access::Missing);
    assert_eq!(PciDetails::read(root.path(), "0000:03:00.0".parse().unwrap(), 0x731f), PciDetails::default());
}

#[test]
fn the_kernels_files_are_read() {
    let root = machine(&[
        ("proc/sys/kernel/osrelease", "6.12.38-amd64\n"),
        ("proc/version", "Linux version 6.12.38-amd64 (gcc) #1 SMP"),
        ("proc/cpuinfo", "processor\t: 0\nmodel name\t: AMD Ryzen 5 3600 6-Core Processor\n"),
        ("proc/meminfo", "MemTotal:       32768000 kB\nMemFree: 1 kB\n"),
        ("etc/os-release", "NAME=\"Debian\"\nPRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\"\n"),
        ("sys/module/amdgpu/refcnt", "1\n"),
    ]);
    let host = Host::read(root.path());
    assert_eq!(host.kernel.as_deref(), Some("6.12.38-amd64"));
    assert_eq!(host.cpu.as_deref(), Some("AMD Ryzen 5 3600 6-Core Processor"));
    assert_eq!(host.memory_bytes, Some(32_768_000 * 1024));
    assert_eq!(host.system.as_deref(), Some("Debian GNU/Linux 13 (trixie)"));
    assert_eq!(host.driver, Driver { loaded: true, version: None });
    assert_eq!((host.wsl, host.container), (false, None));
}

#[test]
fn the_out_of_tree_driver_is_known_by_its_version() {
    let root = machine(&[("sys/module/amdgpu/version", "6.16.6\n")]);
    assert_eq!(Host::read(root.path()).driver, Driver { loaded: true, version: Some("6.16.6".into()) });
}

#[test]
fn wsl_and_containers_are_known_by_their_marks() {
    let wsl = machine(&[("proc/version", "Linux version 5.15.167.4-microsoft-standard-WSL2")]);
    assert!(Host::read(wsl.path()).wsl);
    for (file, text, expected) in
        [(".dockerenv", "", "Docker"), ("run/.containerenv", "", "Podman"), ("run/systemd/container", "lxc\n", "lxc")]
    {
        assert_eq!(Host::read(machine(&[(file, text)]).path()).container.as_deref(), Some(expected));
    }
}

#[test]
fn cards_are_listed_with_the_driver_that_has_them_and_other_devices_are_not() {
    let device = |pci: &str, vendor: &str, class: &str| {
        [("vendor", vendor), ("class", class), ("device", "0x731f"), ("revision", "0xca")]
            .map(|(file, text)| (format!("sys/bus/pci/devices/{pci}/{file}"), text.to_owned()))
    };
    let files: Vec<_> = [
        device("0000:03:00.0", "0x1002", "0x030000"),
        device("0000:03:00.1", "0x1002", "0x040300"),
        device("0000:0a:00.0", "0x10de", "0x030000"),
        device("0000:0b:00.0", "0x1002", "0x038000"),
    ]
    .concat();
    let root = machine(&files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect::<Vec<_>>());
    let driver = root.path().join("sys/bus/pci/devices/0000:0b:00.0/driver");
    symlink("../../../bus/pci/drivers/vfio-pci", driver).unwrap();
    let cards = Host::read(root.path()).cards;
    let shown: Vec<_> = cards.iter().map(|card| (card.pci.to_string(), card.driver.as_deref())).collect();
    assert_eq!(shown, [("0000:03:00.0".into(), None), ("0000:0b:00.0".into(), Some("vfio-pci"))]);
}

#[test]
fn a_card_has_its_name_by_device_and_revision() {
    let ids = "# List of AMDGPU IDs\n1.0.0\n731F,\tC1,\tAMD Radeon RX 5700 XT\n731F,\tCA,\tAMD Radeon RX 5600 XT\n";
    let root = machine(&[
        ("usr/share/libdrm/amdgpu.ids", ids),
        ("sys/bus/pci/devices/0000:03:00.0/revision", "0xca\n"),
        ("sys/bus/pci/devices/0000:03:00.0/mem_info_vis_vram_total", "268435456\n"),
        ("sys/bus/pci/devices/0000:03:00.0/current_link_speed", "16.0 GT/s PCIe\n"),
        ("sys/bus/pci/devices/0000:03:00.0/current_link_width", "16\n"),
    ]);
    let details = PciDetails::read(root.path(), "0000:03:00.0".parse().unwrap(), 0x731f);
    assert_eq!(details.name.as_deref(), Some("AMD Radeon RX 5600 XT"));
    assert_eq!(details.visible_vram_bytes, Some(256 << 20));
    assert_eq!(details.link.as_deref(), Some("16.0 GT/s PCIe x16"));
}

#[test]
fn a_device_file_shows_its_group_and_its_path_on_the_machine() {
    let root = machine(&[("dev/kfd", "")]);
    let path = root.path().join("dev/kfd");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o660)).unwrap();
    let gid = std::os::unix::fs::MetadataExt::gid(&fs::metadata(&path).unwrap());
    fs::create_dir(root.path().join("etc")).unwrap();
    fs::write(root.path().join("etc/group"), format!("video:x:44:\nrender:x:{gid}:alice\n")).unwrap();
    let device = DeviceFile::kfd(root.path());
    assert_eq!((device.path.to_str(), device.access), (Some("/dev/kfd"), Access::Granted));
    assert_eq!((device.group.as_deref(), device.mode), (Some("render"), Some(0o660)));
}

#[test]
fn a_member_that_the_machine_lists_is_told_from_a_group_of_the_process() {
    let root = machine(&[("etc/group", "render:x:4242:bob,alice\nvideo:x:4243:bob\n")]);
    let account = Account { uid: 1000, name: Some("alice".into()), groups: vec![(1000, None)] };
    assert!(account.is_listed_member(root.path(), 4242) && !account.is_member(4242));
    assert!(!account.is_listed_member(root.path(), 4243));
}
