//! Cards and the device files by which programs reach them.

use super::{Problem, Severity, problem};
use crate::commands::detect::survey::Survey;
use crate::host::{Access, DeviceFile};

/// /dev/kfd: missing, forbidden, refused.
pub fn kfd(survey: &Survey) -> Option<Problem> {
    match &survey.kfd.access {
        Access::Granted => None,
        Access::Missing => Some(no_kfd(survey)),
        Access::Denied(_) => Some(permission_denied(survey, &survey.kfd)),
        Access::Refused(why) => Some(
            problem(
                "kfd-refused",
                Severity::Error,
                format!(
                    "/dev/kfd cannot be opened: {}. The driver has no card that it can use for computing",
                    std::io::Error::from(*why)
                ),
                "read what the driver says of the card: sudo dmesg | grep -i kfd",
            )
            .with_sources(&["https://github.com/ROCm/ROCm/issues/1148", "https://github.com/ROCm/rocminfo/issues/41"]),
        ),
    }
}

fn no_kfd(survey: &Survey) -> Problem {
    let host = &survey.host;
    let error = |id, what: &str, fix: &str| problem(id, Severity::Error, what, fix);
    if host.wsl {
        return error(
            "wsl",
            "this is the Windows Subsystem for Linux, which has no /dev/kfd, and AMD's runtime for it supports no RX 5000 \
             or RX 6000 card",
            "run Linux itself, from a second partition or disk",
        )
        .with_sources(&["https://github.com/ROCm/ROCm/issues/4215", "https://github.com/ROCm/ROCm/issues/3371"]);
    }
    if let Some(container) = &host.container {
        let what = format!("/dev/kfd is not in this container ({container})");
        return problem("container-without-kfd", Severity::Error, what, device_options()).with_sources(CONTAINER);
    }
    if host.cards.is_empty() {
        return no_card();
    }
    if host.cards.iter().all(|card| card.driver.as_deref() == Some("vfio-pci")) {
        return error(
            "card-of-a-virtual-machine",
            "the card is reserved for a virtual machine: vfio-pci has it",
            "use it inside that machine, or take its ids out of vfio-pci's configuration and reboot",
        );
    }
    if !host.driver.loaded {
        return error(
            "driver-not-loaded",
            "the driver amdgpu is not loaded, so there is no /dev/kfd",
            "sudo modprobe amdgpu; if that fails, look for `blacklist amdgpu` in /etc/modprobe.d and for nomodeset in \
             /proc/cmdline",
        )
        .with_sources(&["https://github.com/av/harbor/issues/244"]);
    }
    error(
        "kernel-without-kfd",
        "the driver amdgpu is loaded, but there is no /dev/kfd: this kernel was built without CONFIG_HSA_AMD",
        "boot your distribution's usual kernel",
    )
}

fn no_card() -> Problem {
    problem(
        "no-card",
        Severity::Error,
        "there is no AMD GPU on the PCI bus",
        "check that the card sits in its slot, has its power cables, and is not switched off in the firmware's setup; in \
         a virtual machine, pass the card through to it",
    )
}

const CONTAINER: &[&str] =
    &["https://github.com/ollama/ollama/issues/6685", "https://github.com/ROCm/ROCm-docker/issues/116"];

fn device_options() -> &'static str {
    "start the container with --device=/dev/kfd --device=/dev/dri --group-add $(stat -c %g /dev/kfd)"
}

/// A device file that is there and forbidden.
fn permission_denied(survey: &Survey, file: &DeviceFile) -> Problem {
    let account = &survey.account;
    let path = file.path.display();
    let group = file.group.clone().unwrap_or_else(|| file.gid.unwrap_or_default().to_string());
    let user = account.name.clone().unwrap_or_else(|| account.uid.to_string());
    let what = format!("{user} may not use {path}, which is for the group {group}");
    let listed = file.gid.is_some_and(|gid| account.is_listed_member(&survey.machine.root, gid));
    let fix = if survey.host.container.is_some() {
        device_options().into()
    } else if listed {
        format!("{user} was added to {group} after this session began: log out and in again, or reboot")
    } else if file.gid == Some(0) {
        "no udev rule gives the device to a group: install your distribution's udev rules for ROCm, or write one, such as \
         KERNEL==\"kfd\", GROUP=\"render\", MODE=\"0660\" in /etc/udev/rules.d/70-kfd.rules"
            .into()
    } else {
        let groups = if group == "video" { group } else { format!("{group},video") };
        format!("sudo usermod -aG {groups} {user}, then log out and in again")
    };
    problem("permission", Severity::Error, what, fix)
        .with_sources(&["https://github.com/ROCm/rocminfo/issues/34", "https://github.com/ROCm/ROCm/issues/1211"])
}

/// The KFD is there, and has no card for this process.
pub fn cards(survey: &Survey) -> Option<Problem> {
    if survey.kfd.access == Access::Missing || !survey.gpus().is_empty() {
        return None;
    }
    let topology = match &survey.policy.topology {
        Ok(topology) => topology,
        Err(why) => {
            let fix = "read what the driver says: sudo dmesg | grep -i kfd";
            return Some(problem("no-topology", Severity::Error, why.to_string(), fix));
        }
    };
    if let Some(skipped) = topology.skipped.first() {
        let what = format!("no card can be used: node {}: {}", skipped.node, skipped.reason);
        let fix = match &survey.host.container {
            Some(_) => device_options(),
            None => "read what the driver says of the card: sudo dmesg | grep -iE 'amdgpu|kfd'",
        };
        return Some(problem("card-unusable", Severity::Error, what, fix));
    }
    if survey.host.cards.is_empty() {
        return Some(no_card());
    }
    Some(
        problem(
            "card-not-in-kfd",
            Severity::Error,
            "the driver has the card for display, but not for computing",
            "read why: sudo dmesg | grep -i kfd. After `PCI rejects atomics` update linux-firmware and the initramfs, or \
             put the card into a slot of the processor's own",
        )
        .with_sources(&["https://github.com/ROCm/ROCm/issues/1214", "https://github.com/ROCm/ROCm/issues/722"]),
    )
}

/// Render nodes that are there and forbidden.
pub fn render_nodes(survey: &Survey) -> Option<Problem> {
    // The groups are mostly the same: one message is enough.
    if survey.kfd.access.is_denied() {
        return None;
    }
    let files = survey.gpus().iter().filter_map(|gpu| survey.render_node(gpu));
    files.into_iter().find(|file| file.access.is_denied()).map(|file| permission_denied(survey, &file))
}

/// Masks that leave no card.
pub fn masks(survey: &Survey) -> Option<Problem> {
    if survey.gpus().is_empty() || !survey.policy.visible().is_empty() {
        return None;
    }
    let masks = &survey.policy.masks;
    let set = [("ROCR_VISIBLE_DEVICES", &masks.rocr), ("HIP_VISIBLE_DEVICES", &masks.hip)];
    let set = set.into_iter().chain([("CUDA_VISIBLE_DEVICES", &masks.cuda)]);
    let set: Vec<_> = set.filter_map(|(name, value)| Some(format!("{name}={:?}", value.as_ref()?))).collect();
    Some(problem(
        "masked",
        Severity::Error,
        format!("every card is hidden: {}", set.join(", ")),
        "unset it, or name a card by number from 0 or by UUID; the first entry that names none ends the list",
    ))
}

/// An integrated GPU beside a card.
pub fn integrated(survey: &Survey) -> Option<Problem> {
    let visible = survey.policy.visible();
    let integrated = visible.iter().find(|gpu| gpu.apu)?;
    let cards: Vec<_> = visible.iter().filter(|gpu| !gpu.apu).map(|gpu| gpu.uuid()).collect();
    if cards.is_empty() {
        return None;
    }
    let known = cards.iter().all(|uuid| uuid != "GPU-XX");
    let numbers = || {
        let all = survey.gpus().iter().enumerate().filter(|(_, gpu)| !gpu.apu);
        all.map(|(number, _)| number.to_string()).collect::<Vec<_>>()
    };
    let chosen = if known { cards } else { numbers() }.join(",");
    let what = format!("programs also see the processor's own GPU ({}), and some of them take it", integrated.target);
    let fix = format!("hide it: ROCR_VISIBLE_DEVICES={chosen}. rmcp-run does that by itself");
    Some(
        problem("integrated-gpu", Severity::Warning, what, fix)
            .with_sources(&["https://github.com/ROCm/ROCm/issues/3401", "https://github.com/ROCm/TheRock/issues/3392"]),
    )
}
