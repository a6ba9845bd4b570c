//! What the driver's files say of a card: its link, its memory, its firmware, its screens.

use super::{CARD, Fact};
use crate::commands::detect::Survey;
use crate::installs::folder_entries;
use rmcp_domain::topology::Gpu;
use std::collections::BTreeMap;

/// A number of one file each, and whether it is a number of bytes, which is told in MiB. (Linux drivers/gpu/drm/amd/amdgpu,
/// drivers/pci/pci-sysfs.c)
const NUMBERS: &[(&str, &str, bool)] = &[
    ("link_width", "current_link_width", false),
    ("link_width_most", "max_link_width", false),
    ("bar_mib", "mem_info_vis_vram_total", true),
    ("vram_used_mib", "mem_info_vram_used", true),
    ("gtt_mib", "mem_info_gtt_total", true),
    ("gtt_used_mib", "mem_info_gtt_used", true),
    ("busy_percent", "gpu_busy_percent", false),
];

/// What the bus and the driver say of a card.
pub fn card(survey: &Survey, gpu: &Gpu) -> BTreeMap<String, Fact> {
    let device = format!("/sys/bus/pci/devices/{}", gpu.pci);
    let text = |file: &str| survey.machine.text(format!("{device}/{file}"));
    let mut facts = BTreeMap::new();
    let mut add = |name: &str, fact: Fact| _ = facts.insert(format!("{CARD}{name}"), fact);
    add("pci", Fact::new(gpu.pci, "/sys/class/kfd"));
    for (name, file, in_bytes) in NUMBERS {
        if let Some(number) = text(file).and_then(|number| number.parse::<u64>().ok()) {
            add(name, Fact::new(if *in_bytes { number >> 20 } else { number }, &format!("{device}/{file}")));
        }
    }
    // "16.0 GT/s PCIe"
    for (name, file) in [("link_gts", "current_link_speed"), ("link_gts_most", "max_link_speed")] {
        if let Some(speed) = text(file).and_then(|speed| Some(speed.split_once(" GT/s")?.0.to_owned())) {
            add(name, Fact::new(speed, &format!("{device}/{file}")));
        }
    }
    if let Some(state) = text("power/runtime_status") {
        add("power", Fact::new(state, &format!("{device}/power/runtime_status")));
    }
    let screens: Vec<Option<String>> = folder_entries(&survey.machine.resolve(format!("{device}/drm")))
        .iter()
        .flat_map(|card| folder_entries(card))
        .filter(|connector| connector.join("status").is_file())
        .map(|connector| survey.machine.text(connector.join("status")))
        .collect();
    if !screens.is_empty() && screens.iter().all(Option::is_some) {
        let connected = screens.iter().flatten().filter(|status| *status == "connected").count();
        add("displays", Fact::new(connected, &format!("{device}/drm")));
    }
    facts.extend(firmware(survey, gpu));
    facts
}

/// The versions of the card's firmware, as numbers: by the driver's files, or by debugfs where that can be read.
fn firmware(survey: &Survey, gpu: &Gpu) -> BTreeMap<String, Fact> {
    let device = format!("/sys/bus/pci/devices/{}", gpu.pci);
    let hexadecimal = |text: &str| u32::from_str_radix(text.trim().trim_start_matches("0x"), 16).ok();
    let mut facts = BTreeMap::new();
    for file in folder_entries(&survey.machine.resolve(format!("{device}/fw_version"))) {
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let Some(name) = name.strip_suffix("_fw_version") else { continue };
        let version = survey.machine.text(&file).and_then(|text| hexadecimal(&text));
        // 0: the card has no such firmware.
        if let Some(version) = version.filter(|version| *version != 0) {
            facts.insert(format!("{CARD}{name}_firmware"), Fact::new(version, &survey.display_path(&file)));
        }
    }
    if facts.is_empty()
        && let Some(minor) = gpu.render_minor
    {
        let from = format!("/sys/kernel/debug/dri/{minor}/amdgpu_firmware_info");
        // "MEC feature version: 49, firmware version: 0x0000009c"
        for line in survey.machine.text(&from).unwrap_or_default().lines() {
            let Some((name, rest)) = line.split_once(" feature version: ") else { continue };
            let version = rest.split_once("firmware version: ").and_then(|(_, version)| hexadecimal(version));
            if let Some(version) = version.filter(|version| *version != 0) {
                facts.insert(
                    format!("{CARD}{}_firmware", name.to_lowercase().replace(' ', "_")),
                    Fact::new(version, &from),
                );
            }
        }
    }
    facts
}
