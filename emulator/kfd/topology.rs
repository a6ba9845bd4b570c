//! The files a kernel with these cards would show: KFD's topology, the DRM class and the PCI devices.
//!
//! Formats: Linux drivers/gpu/drm/amd/amdkfd/kfd_topology.c (`node_show`, `mem_show`, `iolink_show`,
//! `kfd_cache_show`) and kfd_crat.c (which banks and links exist).

use crate::acquire::SaveArea;
use rmcp_machine::{Gpu, Kernel, Machine};

/// First minor number of DRM render nodes.
pub const FIRST_RENDER_MINOR: u32 = 128;
/// Major number of DRM devices.
pub const DRM_MAJOR: u32 = 226;
/// Major number given to `/dev/kfd`; the kernel's is dynamic.
pub const KFD_MAJOR: u32 = 234;

/// One entry of the tree, by absolute path.
#[derive(Debug, PartialEq, Eq, Hash)]
pub enum Entry {
    /// A file and its content.
    File(String, String),
    /// A symbolic link and its target.
    Link(String, String),
}

const KFD: &str = "/sys/devices/virtual/kfd/kfd";

/// Paths whose subtrees belong to the emulated machine; everything else stays the host's.
pub fn mounts(machine: &Machine) -> Vec<String> {
    let fixed = [
        "/dev/kfd",
        "/dev/dri",
        "/sys/class/kfd",
        "/sys/devices/virtual/kfd",
        "/sys/class/drm",
        "/sys/module/amdgpu",
        "/sys/bus/pci/drivers/amdgpu",
        "/proc/modules",
        "/proc/sys/kernel/osrelease",
    ];
    let mut mounts: Vec<String> = fixed.map(String::from).to_vec();
    mounts.push(format!("/sys/dev/char/{KFD_MAJOR}:0"));
    for (i, gpu) in machine.gpu.iter().enumerate() {
        mounts.push(format!("/sys/dev/char/{DRM_MAJOR}:{i}"));
        mounts.push(format!("/sys/dev/char/{DRM_MAJOR}:{}", FIRST_RENDER_MINOR + i as u32));
        mounts.push(pci_path(gpu));
        mounts.push(format!("/sys/bus/pci/devices/{}", gpu.pci));
    }
    mounts
}

/// Every file, link and empty directory of the machine.
pub fn entries(machine: &Machine) -> Vec<Entry> {
    let mut out = Vec::new();
    let mut file = |path: String, content: String| out.push(Entry::File(path, content));

    file("/dev/kfd".into(), String::new());
    file("/proc/modules".into(), "amdgpu 1 0 - Live 0x0000000000000000\n".into());
    file("/proc/sys/kernel/osrelease".into(), format!("{}\n", machine.kernel.release()));
    file("/sys/module/amdgpu/initstate".into(), "live\n".into());
    file(format!("{KFD}/dev"), format!("{KFD_MAJOR}:0\n"));
    file(format!("{KFD}/topology/generation_id"), "2\n".into());
    file(
        format!("{KFD}/topology/system_properties"),
        lines(&[("platform_oem", 0), ("platform_id", 0), ("platform_rev", 0)]),
    );
    cpu_node(machine, &mut file);
    for (index, gpu) in machine.gpu.iter().enumerate() {
        gpu_node(machine, index, gpu, &mut file);
        pci_files(index, gpu, &mut file);
    }

    out.push(Entry::Link("/sys/class/kfd/kfd".into(), "../../devices/virtual/kfd/kfd".into()));
    out.push(Entry::Link(format!("/sys/dev/char/{KFD_MAJOR}:0"), "../../devices/virtual/kfd/kfd".into()));
    for (index, gpu) in machine.gpu.iter().enumerate() {
        links(index, gpu, &mut out);
    }
    out
}

fn cpu_node(machine: &Machine, file: &mut impl FnMut(String, String)) {
    let node = format!("{KFD}/topology/nodes/0");
    let reached: Vec<usize> = (0..machine.gpu.len()).filter(|&i| machine.gpu[i].large_bar).collect();
    file(format!("{node}/gpu_id"), "0\n".into());
    file(format!("{node}/name"), "\n".into());
    file(
        format!("{node}/properties"),
        lines(&[
            ("cpu_cores_count", u64::from(machine.cpu.cores)),
            ("simd_count", 0),
            ("mem_banks_count", 1),
            ("caches_count", 0),
            ("io_links_count", reached.len() as u64),
            ("p2p_links_count", 0),
            ("cpu_core_id_base", 0),
            ("simd_id_base", 0),
            ("max_waves_per_simd", 0),
            ("lds_size_in_kb", 0),
            ("gds_size_in_kb", 0),
            ("num_gws", 0),
            ("wave_front_size", 0),
            ("array_count", 0),
            ("simd_arrays_per_engine", 0),
            ("cu_per_simd_array", 0),
            ("simd_per_cu", 0),
            ("max_slots_scratch_cu", 0),
            ("gfx_target_version", 0),
            ("vendor_id", 0),
            ("device_id", 0),
            ("location_id", 0),
            ("domain", 0),
            ("drm_render_minor", 0),
            ("hive_id", 0),
            ("num_sdma_engines", 0),
            ("num_sdma_xgmi_engines", 0),
            ("num_sdma_queues_per_engine", 0),
            ("num_cp_queues", 0),
            ("max_engine_clk_ccompute", 3000),
        ]),
    );
    file(format!("{node}/mem_banks/0/properties"), bank(0, machine.cpu.memory_bytes, 64, 2400));
    for (link, &gpu) in reached.iter().enumerate() {
        file(format!("{node}/io_links/{link}/properties"), io_link(0, gpu as u64 + 1, 20, &machine.gpu[gpu]));
    }
}

fn gpu_node(machine: &Machine, index: usize, gpu: &Gpu, file: &mut impl FnMut(String, String)) {
    let id = index as u64 + 1;
    let node = format!("{KFD}/topology/nodes/{id}");
    // The kernel links two cards on the PCIe bus when each can reach the other's VRAM.
    let peers: Vec<usize> =
        (0..machine.gpu.len()).filter(|&i| i != index && machine.gpu[i].large_bar && gpu.large_bar).collect();
    let arrays = u64::from(gpu.shader_engines * gpu.arrays_per_engine);
    let caches = caches(gpu);
    let saves = match machine.kernel {
        Kernel::Linux6_18 => {
            let area = SaveArea::of(gpu);
            lines(&[("cwsr_size", area.cwsr), ("ctl_stack_size", area.ctl_stack)])
        }
        _ => String::new(),
    };
    file(format!("{node}/gpu_id"), format!("{}\n", gpu.gpu_id()));
    file(format!("{node}/name"), format!("{}\n", gpu.name));
    file(
        format!("{node}/properties"),
        lines(&[
            ("cpu_cores_count", 0),
            ("simd_count", u64::from(gpu.compute_units * gpu.simd_per_cu)),
            ("mem_banks_count", 1),
            ("caches_count", caches.len() as u64),
            ("io_links_count", 1),
            ("p2p_links_count", peers.len() as u64),
            ("cpu_core_id_base", 0),
            ("simd_id_base", 0x8000_1000),
            ("max_waves_per_simd", u64::from(gpu.waves_per_simd)),
            ("lds_size_in_kb", 64),
            ("gds_size_in_kb", 0),
            ("num_gws", gws(gpu)),
            ("wave_front_size", u64::from(gpu.wavefront)),
            ("array_count", arrays),
            ("simd_arrays_per_engine", u64::from(gpu.arrays_per_engine)),
            ("cu_per_simd_array", u64::from(gpu.cu_per_array)),
            ("simd_per_cu", u64::from(gpu.simd_per_cu)),
            ("max_slots_scratch_cu", 32),
            ("gfx_target_version", u64::from(gpu.gfx.version())),
            ("vendor_id", 0x1002),
            ("device_id", u64::from(gpu.device_id)),
            ("location_id", u64::from(gpu.pci.location_id())),
            ("domain", u64::from(gpu.pci.domain)),
            ("drm_render_minor", u64::from(FIRST_RENDER_MINOR) + index as u64),
            ("hive_id", 0),
            ("num_sdma_engines", 2),
            ("num_sdma_xgmi_engines", 0),
            ("num_sdma_queues_per_engine", 8),
            ("num_cp_queues", 8),
            ("max_engine_clk_fcompute", u64::from(gpu.engine_mhz)),
            ("local_mem_size", 0),
            ("fw_version", u64::from(gpu.mec_firmware)),
            ("capability", CAPABILITY),
            ("debug_prop", 0),
            ("sdma_fw_version", u64::from(gpu.sdma_firmware)),
            ("unique_id", gpu.unique_id),
            ("num_xcc", 1),
        ]) + &saves
            + &lines(&[("max_engine_clk_ccompute", 3000)]),
    );
    let heap = if gpu.large_bar { 1 } else { 2 };
    file(format!("{node}/mem_banks/0/properties"), bank(heap, gpu.vram_bytes, gpu.memory_bits, gpu.memory_mhz));
    for (i, cache) in caches.iter().enumerate() {
        file(format!("{node}/caches/{i}/properties"), cache.clone());
    }
    file(format!("{node}/io_links/0/properties"), io_link(id, 0, 20, gpu));
    for (link, &peer) in peers.iter().enumerate() {
        file(format!("{node}/p2p_links/{link}/properties"), io_link(id, peer as u64 + 1, 40, gpu));
    }
}

/// Global wave sync, where the firmware has it (`kfd_gws_init` in kfd_device.c).
pub fn gws(gpu: &Gpu) -> u64 {
    if gpu.gfx.major == 9 || (gpu.gfx.major, gpu.gfx.minor) == (10, 3) { 64 } else { 0 }
}

/// Bits of `HSA_CAP_*` (kfd_sysfs.h): watch points (7), 4 of them (8..11), AQL doorbells (12..13 = 2),
/// the SVM interface (27).
const CAPABILITY: u64 = 1 << 7 | 2 << 8 | 2 << 12 | 1 << 27;

/// `heap_type` 0 is system memory, 1 VRAM that the CPU reaches, 2 VRAM that it does not (all of it).
fn bank(heap: u64, bytes: u64, bits: u32, mhz: u32) -> String {
    lines(&[
        ("heap_type", heap),
        ("size_in_bytes", bytes),
        ("flags", 0),
        ("width", u64::from(bits)),
        ("mem_clk_max", u64::from(mhz)),
    ])
}

fn io_link(from: u64, to: u64, weight: u64, gpu: &Gpu) -> String {
    let no_atomics = if gpu.pcie_atomics { 0 } else { 1 << 2 | 1 << 3 };
    lines(&[
        ("type", 2),
        ("version_major", 0),
        ("version_minor", 0),
        ("node_from", from),
        ("node_to", to),
        ("weight", weight),
        ("min_latency", 0),
        ("max_latency", 0),
        ("min_bandwidth", 312),
        ("max_bandwidth", 15750),
        ("recommended_transfer_size", 0),
        ("recommended_sdma_engine_id_mask", 0),
        ("flags", 1 | no_atomics),
    ])
}

/// Vector L1 of one compute unit and the L2 of the card; sizes in KiB.
fn caches(gpu: &Gpu) -> Vec<String> {
    let l2 = if gpu.gfx.major == 9 { 8192 } else { 4096 };
    [(1, 16), (2, l2)]
        .map(|(level, kib)| {
            let head = lines(&[
                ("processor_id_low", 0x8000_1000),
                ("level", level),
                ("size", kib),
                ("cache_line_size", 128),
                ("cache_lines_per_tag", 1),
                ("association", 16),
                ("latency", 0),
                ("type", 0x1 | 0x8),
            ]);
            format!("{head}sibling_map 1\n")
        })
        .to_vec()
}

fn pci_path(gpu: &Gpu) -> String {
    format!("/sys/devices/pci{:04x}:00/{}", gpu.pci.domain, gpu.pci)
}

fn pci_files(index: usize, gpu: &Gpu, file: &mut impl FnMut(String, String)) {
    let device = pci_path(gpu);
    let visible = if gpu.large_bar { gpu.vram_bytes } else { 256 << 20 };
    let aperture = visible.next_power_of_two();
    let base = 0x70_0000_0000_u64 + 0x10_0000_0000 * index as u64;
    let bar =
        |start: u64, size: u64, flags: u64| format!("0x{start:016x} 0x{:016x} 0x{flags:016x}\n", start + size - 1);
    let empty = format!("0x{0:016x} 0x{0:016x} 0x{0:016x}\n", 0);
    let resource = bar(base, aperture, 0x0014_220c)
        + &empty
        + &bar(base + aperture, 2 << 20, 0x0014_220c)
        + &empty
        + &bar(0xe000, 256, 0x0004_0101)
        + &bar(0xfc00_0000 + (index as u64) * 0x10_0000, 512 << 10, 0x0004_0200);
    let uevent = format!(
        "DRIVER=amdgpu\nPCI_CLASS=30000\nPCI_ID=1002:{:04X}\nPCI_SUBSYS_ID=1002:0E36\nPCI_SLOT_NAME={}\n",
        gpu.device_id, gpu.pci
    );
    for (name, content) in [
        ("vendor", "0x1002\n".to_string()),
        ("device", format!("0x{:04x}\n", gpu.device_id)),
        ("subsystem_vendor", "0x1002\n".into()),
        ("subsystem_device", "0x0e36\n".into()),
        ("revision", format!("0x{:02x}\n", gpu.revision)),
        ("class", "0x030000\n".into()),
        ("numa_node", "-1\n".into()),
        ("uevent", uevent),
        ("resource", resource),
        ("unique_id", format!("{:016x}\n", gpu.unique_id)),
        ("current_link_speed", "16.0 GT/s PCIe\n".into()),
        ("max_link_speed", "16.0 GT/s PCIe\n".into()),
        ("current_link_width", "16\n".into()),
        ("max_link_width", "16\n".into()),
        ("mem_info_vram_total", format!("{}\n", gpu.vram_bytes)),
        ("mem_info_vis_vram_total", format!("{visible}\n")),
        ("mem_info_vram_used", "0\n".into()),
        ("mem_info_gtt_total", format!("{}\n", crate::memory::GTT_BYTES)),
    ] {
        file(format!("{device}/{name}"), content);
    }
    for (name, minor) in drm_nodes(index) {
        file(format!("/dev/dri/{name}"), String::new());
        file(format!("{device}/drm/{name}/dev"), format!("{DRM_MAJOR}:{minor}\n"));
        file(
            format!("{device}/drm/{name}/uevent"),
            format!("MAJOR={DRM_MAJOR}\nMINOR={minor}\nDEVNAME=dri/{name}\nDEVTYPE=drm_minor\n"),
        );
    }
}

fn links(index: usize, gpu: &Gpu, out: &mut Vec<Entry>) {
    let device = pci_path(gpu);
    let from_class = device.replacen("/sys/", "../../", 1);
    let mut link = |path: String, target: String| out.push(Entry::Link(path, target));
    for (name, minor) in drm_nodes(index) {
        link(format!("{device}/drm/{name}/device"), format!("../../../{}", gpu.pci));
        link(format!("{device}/drm/{name}/subsystem"), "../../../../../class/drm".into());
        link(format!("/sys/class/drm/{name}"), format!("{from_class}/drm/{name}"));
        link(format!("/sys/dev/char/{DRM_MAJOR}:{minor}"), format!("{from_class}/drm/{name}"));
    }
    link(format!("{device}/subsystem"), "../../../bus/pci".into());
    link(format!("{device}/driver"), "../../../bus/pci/drivers/amdgpu".into());
    link(format!("/sys/bus/pci/devices/{}", gpu.pci), device.replacen("/sys/", "../../../", 1));
    link(format!("/sys/bus/pci/drivers/amdgpu/{}", gpu.pci), device.replacen("/sys/", "../../../../", 1));
}

fn drm_nodes(index: usize) -> [(String, u32); 2] {
    let render = FIRST_RENDER_MINOR + index as u32;
    [(format!("card{index}"), index as u32), (format!("renderD{render}"), render)]
}

fn lines(properties: &[(&str, u64)]) -> String {
    properties.iter().map(|(name, value)| format!("{name} {value}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rmcp_machine::Card;
    use std::collections::BTreeMap;

    fn files(name: &str, change: impl Fn(String) -> String) -> BTreeMap<String, String> {
        let text = Card::named(name).unwrap().description;
        let machine = Machine::parse(name, &change(text.to_string())).unwrap();
        let found = entries(&machine).into_iter().filter_map(|entry| match entry {
            Entry::File(path, content) => Some((path, content)),
            _ => None,
        });
        found.collect()
    }

    fn node(files: &BTreeMap<String, String>, path: &str) -> BTreeMap<String, u64> {
        let text = &files[&format!("{KFD}/topology/nodes/{path}/properties")];
        text.lines().filter_map(|l| l.split_once(' ')).map(|(k, v)| (k.to_string(), v.parse().unwrap())).collect()
    }

    #[test]
    fn the_headline_card_reads_as_gfx1010_with_36_compute_units() {
        let gpu = node(&files("gfx1010", |t| t), "1");
        assert_eq!(gpu["gfx_target_version"], 100_100);
        assert_eq!(gpu["simd_count"] / gpu["simd_per_cu"], 36);
        assert_eq!(gpu["drm_render_minor"], 128);
    }

    #[test]
    fn only_a_large_bar_gives_the_cpu_a_link_and_public_vram() {
        let small = files("gfx1010", |t| t);
        assert_eq!(node(&small, "0")["io_links_count"], 0);
        assert_eq!(node(&small, "1/mem_banks/0")["heap_type"], 2);
        let large = files("gfx1010", |t| t.replace("large_bar = false", "large_bar = true"));
        assert_eq!(node(&large, "0")["io_links_count"], 1);
        assert_eq!(node(&large, "0/io_links/0")["node_to"], 1);
        assert_eq!(node(&large, "1/mem_banks/0")["heap_type"], 1);
    }

    #[test]
    fn a_path_without_pcie_atomics_says_so_on_its_link() {
        let files = files("gfx1010", |t| format!("{t}pcie_atomics = false\n"));
        assert_eq!(node(&files, "1/io_links/0")["flags"], 0b1101);
    }

    #[test]
    fn every_file_and_link_lies_below_a_mount() {
        let machine = Machine::load("gfx1010").unwrap();
        let mounts = mounts(&machine);
        for entry in entries(&machine) {
            let (Entry::File(path, _) | Entry::Link(path, _)) = entry;
            assert!(mounts.iter().any(|m| path == *m || path.starts_with(&format!("{m}/"))), "{path}");
        }
    }
}
