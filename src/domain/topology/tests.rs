//! Topologies made by hand under a temporary root.

use super::*;
use std::fs;
use tempfile::TempDir;

const RX_5600_XT: &[(&str, &str)] = &[
    ("cpu_cores_count", "0"),
    ("simd_count", "72"),
    ("gfx_target_version", "100100"),
    ("device_id", "29471"),
    ("location_id", "768"),
    ("domain", "0"),
    ("drm_render_minor", "128"),
    ("unique_id", "5432109876543210"),
];

struct Fake(TempDir);

impl Fake {
    fn new() -> Self {
        let fake = Self(tempfile::tempdir().unwrap());
        fake.file(0, "gpu_id", "0\n");
        fake.file(0, "properties", "cpu_cores_count 12\nsimd_count 0\ngfx_target_version 0\n");
        fake
    }

    fn file(&self, node: u32, path: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.0.path().join(format!("nodes/{node}")).join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    /// A card, with some properties other than an RX 5600 XT's.
    fn card(&self, node: u32, changes: &[(&str, &str)]) -> &Self {
        let changed = |name: &str| changes.iter().find(|(other, _)| *other == name);
        let lines = RX_5600_XT.iter().map(|pair| changed(pair.0).unwrap_or(pair));
        let lines: String = lines.map(|(name, value)| format!("{name} {value}\n")).collect();
        self.file(node, "gpu_id", format!("{}\n", 1000 + node)).file(node, "properties", lines)
    }

    fn read(&self) -> Topology {
        Topology::read(self.0.path()).unwrap()
    }

    /// The reason for which node 1 is skipped.
    fn reason(&self) -> String {
        let Topology { gpus, skipped } = self.read();
        assert_eq!(gpus, []);
        assert_eq!(skipped.len(), 1);
        assert_eq!(skipped[0].node, 1);
        skipped[0].reason.clone()
    }
}

#[test]
fn a_card_is_read_with_its_target_place_memory_and_links() {
    let fake = Fake::new();
    fake.card(1, &[]).file(1, "name", "navi10\n");
    fake.file(1, "mem_banks/0/properties", "heap_type 2\nsize_in_bytes 6425673728\nflags 0\nwidth 192\n");
    fake.file(1, "io_links/0/properties", "type 2\nnode_from 1\nnode_to 0\nweight 20\nflags 13\n");
    let topology = fake.read();
    assert_eq!(topology.skipped, []);
    let [gpu] = &topology.gpus[..] else { panic!("{topology:?}") };
    assert_eq!((gpu.node, gpu.gpu_id, gpu.name.as_str()), (1, 1001, "navi10"));
    assert_eq!(gpu.target.to_string(), "gfx1010");
    assert_eq!(gpu.pci.to_string(), "0000:03:00.0");
    assert_eq!(gpu.render_minor, Some(128));
    assert_eq!(gpu.uuid(), "GPU-00134c79a3927eea");
    assert_eq!(gpu.vram_bytes(), 6_425_673_728);
    assert!(!gpu.large_bar());
    assert!(!gpu.apu);
    let [link] = gpu.links[..] else { panic!("{:?}", gpu.links) };
    assert_eq!((link.to, link.kind), (0, IoLink::PCIE));
    assert!(link.no_atomics_32() && link.no_atomics_64());
    assert_eq!(topology.at("0000:03:00.0".parse().unwrap()), Some(gpu));
}

#[test]
fn vram_in_a_public_heap_is_a_large_bar() {
    let fake = Fake::new();
    fake.card(1, &[]).file(1, "mem_banks/0/properties", "heap_type 1\nsize_in_bytes 1024\n");
    let topology = fake.read();
    assert!(topology.gpus[0].large_bar());
    assert_eq!(topology.gpus[0].vram_bytes(), 1024);
}

#[test]
fn link_flags_count_only_when_they_are_marked_valid() {
    let link = |flags| IoLink { to: 0, kind: IoLink::PCIE, flags };
    assert!(!link(12).no_atomics_32() && !link(12).no_atomics_64());
    assert!(link(5).no_atomics_32() && !link(5).no_atomics_64());
    assert!(!link(9).no_atomics_32() && link(9).no_atomics_64());
}

#[test]
fn nodes_are_in_the_order_of_their_numbers() {
    let fake = Fake::new();
    for node in [10, 2, 1] {
        fake.card(node, &[]);
    }
    assert_eq!(fake.read().gpus.iter().map(|gpu| gpu.node).collect::<Vec<_>>(), [1, 2, 10]);
}

#[test]
fn a_gpu_is_an_apu_by_its_target_or_by_cpu_cores_in_its_node() {
    let fake = Fake::new();
    fake.card(1, &[("gfx_target_version", "100303")]);
    fake.card(2, &[("cpu_cores_count", "8"), ("gfx_target_version", "70000")]);
    fake.card(3, &[("gfx_target_version", "100302")]);
    assert_eq!(fake.read().gpus.iter().map(|gpu| gpu.apu).collect::<Vec<_>>(), [true, true, false]);
}

#[test]
fn a_kernel_without_gfx_target_version_is_helped_by_the_pci_id() {
    let fake = Fake::new();
    fake.card(1, &[("gfx_target_version", "0")]);
    assert_eq!(fake.read().gpus[0].target.to_string(), "gfx1010");
    fake.card(1, &[("gfx_target_version", "0"), ("device_id", "1")]);
    assert!(fake.reason().contains("device_id 1 name no target"), "{}", fake.reason());
}

#[test]
fn a_card_without_a_unique_id_has_the_uuid_that_rocr_gives_it() {
    let fake = Fake::new();
    fake.card(1, &[("unique_id", "0")]);
    assert_eq!(fake.read().gpus[0].uuid(), "GPU-XX");
}

#[test]
fn numbers_that_are_none_skip_the_node_and_name_file_and_key() {
    let fake = Fake::new();
    for (key, value) in [
        ("gfx_target_version", "gfx1010"),
        ("gfx_target_version", "4294967396"),
        ("gfx_target_version", "999999999"),
        ("simd_count", "-1"),
        ("simd_count", "99999999999999999999"),
        ("location_id", ""),
    ] {
        fake.card(1, &[(key, value)]);
        let reason = fake.reason();
        assert!(reason.contains("nodes/1/properties") && reason.contains(key), "{reason}");
    }
}

#[test]
fn garbage_in_any_file_skips_the_node() {
    let noise = b"\xff\xfe\0\0 simd_count \n\n\n gfx".repeat(100);
    let huge = b"simd_count 1\n".repeat(100_000);
    for garbage in [b"".as_slice(), b"\n", &noise, &huge] {
        let fake = Fake::new();
        fake.card(1, &[]).file(1, "properties", garbage);
        fake.reason();
        fake.card(1, &[]).file(1, "gpu_id", garbage);
        fake.reason();
        // What only describes the card does no harm.
        fake.card(1, &[]).file(1, "mem_banks/0/properties", garbage);
        fake.file(1, "io_links/0/properties", garbage).file(1, "name", garbage);
        let gpu = fake.read().gpus.remove(0);
        assert_eq!((gpu.memory, gpu.links), (vec![], vec![]));
    }
}

#[test]
fn a_broken_node_does_not_hide_its_neighbour() {
    let fake = Fake::new();
    fake.file(1, "gpu_id", "x").card(2, &[]);
    let topology = fake.read();
    assert_eq!(topology.gpus.iter().map(|gpu| gpu.node).collect::<Vec<_>>(), [2]);
    assert_eq!(topology.skipped.len(), 1);
}

#[test]
fn files_that_are_directories_or_links_to_nowhere_skip_the_node() {
    let fake = Fake::new();
    fs::create_dir_all(fake.0.path().join("nodes/1/gpu_id")).unwrap();
    fake.reason();
    let fake = Fake::new();
    fake.file(1, "gpu_id", "7");
    std::os::unix::fs::symlink("properties", fake.0.path().join("nodes/1/properties")).unwrap();
    fake.reason();
}

#[test]
fn names_that_are_no_numbers_are_no_nodes() {
    let fake = Fake::new();
    for name in ["-1", "1x", "4294967296", "x"] {
        fs::create_dir_all(fake.0.path().join("nodes").join(name)).unwrap();
    }
    assert_eq!(fake.read(), Topology::default());
}

#[test]
fn a_directory_without_end_is_an_error() {
    let fake = Fake::new();
    for entry in 0..2000 {
        fs::write(fake.0.path().join(format!("nodes/{}", 100 + entry)), "").unwrap();
    }
    let error = Topology::read(fake.0.path()).unwrap_err();
    assert!(matches!(error, TopologyError::TooMany { .. }), "{error}");
}

#[test]
fn no_kfd_is_an_error_that_says_so() {
    let empty = tempfile::tempdir().unwrap();
    let error = Topology::read(empty.path()).unwrap_err().to_string();
    assert!(error.contains("nodes cannot be read, so there is no KFD here"), "{error}");
}

#[test]
fn a_card_without_its_render_node_is_not_counted() {
    let fake = Fake::new();
    fake.card(1, &[("drm_render_minor", "128")]).card(2, &[("drm_render_minor", "129")]);
    fake.card(3, &[("drm_render_minor", "0")]);
    let dri = tempfile::tempdir().unwrap();
    fs::write(dri.path().join("renderD129"), "").unwrap();
    let mut topology = fake.read();
    topology.drop_without_render_node(dri.path());
    assert_eq!(topology.gpus.iter().map(|gpu| gpu.node).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(topology.skipped[0].node, 1);
}

/// Three cards at nodes 1, 2 and 3; 1 and 2 share the first digits of their UUIDs.
fn three() -> Topology {
    let fake = Fake::new();
    fake.card(1, &[("unique_id", &0xabba_0000_0000_0001_u64.to_string())]);
    fake.card(2, &[("unique_id", &0xabba_0000_0000_0002_u64.to_string())]);
    fake.card(3, &[("unique_id", &0x0123_4567_89ab_cdef_u64.to_string())]);
    fake.read()
}

/// The node numbers that HIP sees with these variables.
fn nodes(rocr: Option<&str>, hip: Option<&str>, cuda: Option<&str>) -> Vec<u32> {
    let masks = Masks { rocr: rocr.map(Into::into), hip: hip.map(Into::into), cuda: cuda.map(Into::into) };
    three().visible(&masks).iter().map(|gpu| gpu.node).collect()
}

#[test]
fn without_masks_hip_sees_every_gpu_in_node_order() {
    assert_eq!(nodes(None, None, None), [1, 2, 3]);
}

#[test]
fn rocr_visible_devices_is_read_as_rocr_reads_it() {
    for (mask, expected) in [
        ("0", &[1][..]),
        ("2,0", &[3, 1]),
        (" 2 , 1", &[3, 2]),
        ("", &[]),
        ("-1", &[]),
        ("3", &[]),
        ("1,7,0", &[2]),
        ("1,1,0", &[2]),
        ("0x2,01", &[3, 2]),
        ("08", &[]),
        ("1,,0", &[2]),
        ("GPU-0123456789abcdef", &[3]),
        ("gpu-01,0", &[3, 1]),
        ("GPU-abba", &[]),
        ("GPU-abba000000000002,GPU-abba000000000001", &[2, 1]),
        ("GPU-", &[]),
        ("GPU-0123456789abcdef0", &[]),
        ("GPU-XX", &[]),
        ("0,1,2,0", &[1, 2, 3]),
        ("all", &[]),
    ] {
        assert_eq!(nodes(Some(mask), None, None), expected, "{mask:?}");
    }
}

#[test]
fn hip_visible_devices_is_read_as_clr_reads_it() {
    for (mask, expected) in [
        ("1", &[2][..]),
        ("2,0", &[3, 1]),
        ("2,2,0", &[3, 1]),
        ("", &[]),
        ("-1", &[]),
        ("0, 1", &[1]),
        ("01", &[]),
        ("+1", &[]),
        ("1,3,0", &[2]),
        ("0,", &[1]),
        ("\"0,2\"", &[1, 3]),
        ("GPU-0123456789abcdef,0", &[3, 1]),
        ("GPU-0123456789ABCDEF", &[]),
        ("GPU-abba", &[1]),
    ] {
        assert_eq!(nodes(None, Some(mask), None), expected, "{mask:?}");
    }
}

#[test]
fn hip_counts_what_rocr_left() {
    assert_eq!(nodes(Some("2,1"), Some("1"), None), [2]);
    assert_eq!(nodes(Some("2"), Some("1"), None), [0; 0]);
}

#[test]
fn cuda_visible_devices_counts_only_without_hip_visible_devices() {
    assert_eq!(nodes(None, None, Some("2")), [3]);
    assert_eq!(nodes(None, Some("1"), Some("2")), [2]);
    assert_eq!(nodes(None, Some(""), Some("2")), [0; 0]);
}

#[test]
fn a_card_without_a_uuid_is_reached_by_number_only() {
    let fake = Fake::new();
    fake.card(1, &[("unique_id", "0")]);
    let topology = fake.read();
    let seen = |mask: &str| topology.visible(&Masks { rocr: Some(mask.into()), ..Masks::default() }).len();
    assert_eq!((seen("GPU-XX"), seen("GPU-0000000000000000"), seen("0")), (0, 0, 1));
}

#[test]
fn masks_of_any_content_do_no_harm() {
    for mask in [",", ",,,", "GPU-\u{e9}\u{e9}\u{e9}", "\"", "\"\"", "\u{0}", "0x", "99999999999999999999999", "-0"] {
        nodes(Some(mask), None, None);
        nodes(None, Some(mask), None);
    }
}

#[test]
fn pci_addresses_are_split_and_read_as_pci_does() {
    let address = PciAddress::from_kfd(1, 0x83fd);
    assert_eq!(address.to_string(), "0001:83:1f.5");
    for text in ["0001:83:1f.5", "0000:03:00.0", "10000:e1:00.0"] {
        assert_eq!(text.parse::<PciAddress>().unwrap().to_string(), text);
    }
    for text in ["", "03:00.0", "0000:03:00", "0000:03:20.0", "0000:03:00.8", "0000:103:00.0", "0000:+3:00.0"] {
        assert!(text.parse::<PciAddress>().is_err(), "{text}");
    }
}
