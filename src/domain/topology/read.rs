//! Reading the files under nodes/.

use super::{Gpu, Heap, IoLink, MemoryBank, PciAddress, Skipped, Topology, TopologyError};
use crate::bounded_read::read_text;
use crate::gfx::GfxTarget;
use std::fs;
use std::path::{Path, PathBuf};

/// Where the KFD describes itself.
pub const DEFAULT_ROOT: &str = "/sys/class/kfd/kfd/topology";

/// A sysfs file is one page; more is not the KFD's.
const FILE_LIMIT: u64 = 64 * 1024;
/// More than any machine has nodes.
const ENTRY_LIMIT: usize = 1024;

pub(super) fn topology(root: &Path) -> Result<Topology, TopologyError> {
    let nodes = root.join("nodes");
    let mut topology = Topology::default();
    for node in numbered(&nodes)? {
        match read_node(&nodes.join(node.to_string()), node) {
            Ok(Some(gpu)) => topology.gpus.push(gpu),
            Ok(None) => {}
            Err(reason) => topology.skipped.push(Skipped { node, reason }),
        }
    }
    Ok(topology)
}

/// The numeric names in a directory, sorted.
fn numbered(dir: &Path) -> Result<Vec<u32>, TopologyError> {
    let unreadable = |source| TopologyError::Unreadable { path: dir.into(), source };
    let mut numbers = Vec::new();
    for (count, entry) in fs::read_dir(dir).map_err(unreadable)?.enumerate() {
        if count == ENTRY_LIMIT {
            return Err(TopologyError::TooMany { path: dir.into(), limit: ENTRY_LIMIT });
        }
        let name = entry.map_err(unreadable)?.file_name();
        numbers.extend(name.to_str().and_then(|name| name.parse::<u32>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// None for a node that is no GPU.
fn read_node(dir: &Path, node: u32) -> Result<Option<Gpu>, String> {
    let path = dir.join("gpu_id");
    let text = read_text(&path, FILE_LIMIT).map_err(|error| format!("{}: {error}", path.display()))?;
    let gpu_id: u32 = text.trim().parse().map_err(|_| format!("{} holds no number", path.display()))?;
    if gpu_id == 0 {
        return Ok(None);
    }
    let properties = Properties::read(dir.join("properties"))?;
    if properties.get("simd_count")?.unwrap_or(0) == 0 {
        return Err(format!("{} lists no SIMD", properties.path.display()));
    }
    let device_id = properties.get_u32("device_id")?.unwrap_or(0);
    let version = properties.get_u32("gfx_target_version")?.unwrap_or(0);
    let target = match version {
        0 => GfxTarget::from_pci_device(device_id),
        version => GfxTarget::from_kfd(version),
    };
    let target = target.ok_or_else(|| {
        format!("{}: gfx_target_version {version} and device_id {device_id} name no target", properties.path.display())
    })?;
    let cores = properties.get("cpu_cores_count")?.unwrap_or(0);
    Ok(Some(Gpu {
        node,
        gpu_id,
        target,
        name: read_text(&dir.join("name"), FILE_LIMIT).map(|name| name.trim().into()).unwrap_or_default(),
        pci: PciAddress::from_kfd(
            properties.get_u32("domain")?.unwrap_or(0),
            properties.get_u32("location_id")?.unwrap_or(0),
        ),
        device_id,
        render_minor: properties.get_u32("drm_render_minor")?.filter(|&minor| minor != 0),
        unique_id: properties.get("unique_id")?.filter(|&id| id != 0),
        apu: cores > 0 || target.integrated(),
        memory: children(dir, "mem_banks", memory_bank),
        links: children(dir, "io_links", io_link),
    }))
}

/// What is readable below a node; a missing bank or link makes no GPU unusable.
fn children<T>(node: &Path, what: &str, read: fn(&Properties) -> Option<T>) -> Vec<T> {
    let dir = node.join(what);
    let properties = |number: u32| Properties::read(dir.join(number.to_string()).join("properties")).ok();
    numbered(&dir).unwrap_or_default().into_iter().filter_map(|number| read(&properties(number)?)).collect()
}

fn memory_bank(properties: &Properties) -> Option<MemoryBank> {
    let heap = match properties.get_u32("heap_type").ok()?? {
        1 => Heap::VramPublic,
        2 => Heap::VramPrivate,
        other => Heap::Other(other),
    };
    Some(MemoryBank { heap, bytes: properties.get("size_in_bytes").ok()?? })
}

fn io_link(properties: &Properties) -> Option<IoLink> {
    let number = |name| properties.get_u32(name).ok().flatten();
    Some(IoLink { to: number("node_to")?, kind: number("type")?, flags: number("flags")? })
}

/// A file of lines "name number".
struct Properties {
    path: PathBuf,
    text: String,
}

impl Properties {
    fn read(path: PathBuf) -> Result<Self, String> {
        let text = read_text(&path, FILE_LIMIT).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self { path, text })
    }

    /// None where the file does not name it.
    fn get(&self, name: &str) -> Result<Option<u64>, String> {
        let value =
            |line: &str| line.split_once(' ').filter(|(key, _)| *key == name).map(|(_, value)| value.to_owned());
        let Some(value) = self.text.lines().find_map(value) else { return Ok(None) };
        value.trim().parse().map(Some).map_err(|_| format!("{}: {name} is {value:?}", self.path.display()))
    }

    fn get_u32(&self, name: &str) -> Result<Option<u32>, String> {
        let narrow =
            |value: u64| u32::try_from(value).map_err(|_| format!("{}: {name} is {value}", self.path.display()));
        self.get(name)?.map(narrow).transpose()
    }
}
