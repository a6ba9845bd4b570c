//! What is known of a machine, as named facts that signs test.
//!
//! A fact that cannot be read is not there, and decides nothing; one without a value is known to be absent.

mod bus;
mod cards;
mod kernel;
mod loader;
mod machine;
mod probe;
mod runtimes;
mod software;
mod variables;

pub use loader::library_path;

use crate::commands::detect::Survey;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// So long a group of facts may take.
const LIMIT: Duration = Duration::from_secs(5);

/// Reads facts that belong together.
type Group = fn(&mut Facts, &Survey);

/// Names the groups of facts that were not read in time.
const LATE: &str = "doctor.late";

/// What the names of a card's facts begin with.
pub const CARD: &str = "card.";

/// Every fact: its name, in which * stands for any name, and what its values are.
pub const FACTS: &[(&str, &str)] = &[
    (LATE, "groups of facts that could not be read in time, none of which is known"),
    ("kernel.release", "the kernel's release, as by uname -r"),
    ("kernel.parameters", "each word of the kernel's command line"),
    ("kernel.tainted", "letters that the kernel is marked with; absent: none"),
    ("kernel.modules", "yes: the modules of the running kernel are installed; no"),
    ("kernel.installed_since_boot", "other kernels that were installed since the machine started"),
    ("kernel.wsl", "yes: the kernel is that of the Windows Subsystem for Linux; no"),
    ("system.container", "the kind of container; absent: none"),
    ("amdgpu.loaded", "yes: the driver amdgpu is in the kernel; no"),
    (
        "amdgpu.dkms",
        "yes: it is AMD's out-of-tree module, which has a version of its own, or DKMS has that in its tree; no",
    ),
    ("amdgpu.dkms_versions", "the versions of it in DKMS's tree"),
    ("amdgpu.dkms_built", "yes: one is installed for the running kernel; no"),
    ("amdgpu.blacklisted", "what keeps modprobe from loading it; absent: nothing"),
    ("amdgpu.parameter.*", "a parameter of the driver as it runs"),
    (
        "kernel.iommu",
        "translated: a device of the machine goes through the IOMMU's tables; passthrough; absent: there is none",
    ),
    ("system.os", "the distribution's name in /etc/os-release"),
    ("system.image", "the version of its image, where it is one"),
    ("system.hypervisor", "what runs this virtual machine; absent: it is none"),
    ("system.secure_boot", "yes: the firmware checks what it starts; no"),
    ("memory.total_mib", "main memory in MiB"),
    ("memory.available_mib", "what of it is free for programs"),
    ("memory.swap_mib", "swap space in MiB"),
    ("memory.ttm_limit_mib", "how much of the main memory GPUs may use"),
    ("amdgpu.builtin", "yes: it is in the kernel and no module; no"),
    ("user.groups", "the groups of this process"),
    ("user.root", "yes: this process is root's; no"),
    ("kfd.open", "ok: this user may open /dev/kfd; otherwise the system's name of the error, such as ENOENT or EACCES"),
    ("kfd.gid", "the number of its group"),
    (
        "user.listed_in_kfd_group",
        "yes: /etc/group has the user in that group, which holds from the next session on; no",
    ),
    ("kfd.group", "the name of its group, or the number where it has none"),
    ("user.in_kfd_group", "yes: this process is in that group; no"),
    ("kfd.group_mapped", "no: the group is one of outside this user namespace; yes"),
    ("kfd.topology", "ok: the KFD's topology can be read; otherwise why not"),
    ("kfd.skipped", "how many nodes of the topology no program can use"),
    ("kfd.skipped_nodes", "each of them, and why"),
    ("cards.count", "GPUs that the KFD lists"),
    ("cards.integrated", "those of them that are part of the processor"),
    ("cards.discrete", "the others"),
    ("cards.visible", "those that HIP sees with the masks of this environment"),
    ("cards.visible_integrated", "the targets of the processor's own GPUs that HIP sees"),
    ("cards.chosen", "a value of ROCR_VISIBLE_DEVICES that shows the other visible ones alone"),
    ("cards.masks", "the variables that hide cards, with their values"),
    ("pci.cards", "AMD's display devices on the PCI bus, as far as this process sees it"),
    ("pci.nvidia", "yes: there is a display device of NVIDIA's; no"),
    ("pci.drivers", "their drivers; none where one has no driver"),
    ("card.target", "the gfx target, as the KFD says it"),
    ("card.family", "RDNA1, RDNA2 or other"),
    ("card.integrated", "yes: it is part of the processor; no"),
    ("card.vram_mib", "its memory in MiB"),
    ("card.waves_per_cu", "waves that the topology says a compute unit holds: simd_per_cu times max_waves_per_simd"),
    ("card.pcie_atomics", "no: the topology says that atomics do not pass its link; yes: it does not say so"),
    ("card.visible", "yes: HIP sees it with the masks of this environment; no"),
    ("card.render_node", "its device file in /dev/dri"),
    ("card.render_group", "the group of that, or the number where it has no name"),
    ("card.render_open", "ok: this user may use its render node; otherwise the system's name of the error"),
    ("card.pci", "its place on the PCI bus"),
    ("card.link_width", "lanes of its PCIe link at present"),
    ("card.link_width_most", "lanes that it could have"),
    ("card.link_gts", "the link's speed at present in GT/s, which falls while the card rests"),
    ("card.link_gts_most", "the speed that it could have"),
    ("card.bar_mib", "how much of its memory the processor reaches, in MiB"),
    ("card.vram_used_mib", "how much of its memory is taken"),
    ("card.gtt_mib", "how much main memory it may use"),
    ("card.gtt_used_mib", "how much it uses"),
    ("card.busy_percent", "how busy it is"),
    ("card.power", "active, or suspended: it sleeps until a program uses it"),
    ("card.displays", "screens that are connected to it"),
    ("card.in_torch", "yes: the installed PyTorch's libraries all have code for it; no"),
    (
        "card.torch_code",
        "native: the same; substitute: all have code for a target that it can be taken for; torn: some have only the one, some only the other; partial: some have neither; missing: none has either",
    ),
    ("card.rocm_part", "the version of the Python package with ROCm's code for its target, if it is no placeholder"),
    ("card.torch_part", "the same of PyTorch"),
    ("card.mec_firmware", "the version of the firmware of its compute queues, a number"),
    ("card.mes_firmware", "the same of its scheduler"),
    ("card.*_firmware", "the same of another part"),
    ("card.in_rocblas", "yes: the kernels of an installed rocBLAS have some for it; no"),
    (
        "card.trial",
        "by --try, for each runtime: the step at which the start of a kernel on it ended: start, load, open, agent, queue, memory, code-object, kernel or result; passed: it ran, and right",
    ),
    ("card.trial_failed", "those of them that are not passed"),
    ("card.trial_why", "what came in their place, and with which runtime"),
    ("override.set", "the variables that give cards another name, with their values"),
    ("override.value", "HSA_OVERRIDE_GFX_VERSION of this process"),
    ("override.readable", "no: ROCr refuses to start with it; yes; absent: none is set"),
    ("card.override", "the variable and value that holds for it; absent: none"),
    ("card.override_target", "the target that it names"),
    ("card.override_is_own", "yes: the override names its own target; no"),
    ("card.override_differs", "yes: the override names a target of another major number; no"),
    ("rocm.release", "the releases of the installed ROCm"),
    ("rocm.runtimes", "how many of them have a HIP runtime"),
    ("rocm.copies", "every copy of the HIP runtime, those that frameworks bring too: its release and place"),
    ("rocm.copies_count", "how many these are"),
    (
        "card.refused_runtimes",
        "those that size the save area of its queues by other waves than Linux, so that no kernel starts",
    ),
    ("card.save_area_obstacle", "why RMCP does not mend that; absent: it does"),
    (
        "rocm.mixed_majors",
        "yes: the runtime of the installed PyTorch and an installed ROCm differ in their first number; no",
    ),
    ("rocm.count", "how many are installed"),
    ("torch.version", "the version of the installed PyTorch"),
    ("torch.rocm", "the release of ROCm that it was built for"),
    ("torch.build", "rocm, or what else it was built for"),
    ("torch.runtime", "own: it brings the runtime that it loads; system; absent: there is none"),
    ("framework.own_runtime", "frameworks that bring a runtime"),
    ("framework.without_runtime", "frameworks that are built for ROCm where no runtime is there for them"),
    ("framework.without_rocm", "frameworks that are built for something else"),
    ("library.executable_stack", "a library of PyTorch's runtime that wants an executable stack"),
    ("library.rdna1_links", "kernels of a rocBLAS that have an RDNA1 target's name and lead to an RDNA2 target's"),
    ("rmcp.missed_framework", "packages whose calls of HIP go past RMCP"),
    ("rmcp.missed_reason", "why that is so"),
    ("rmcp.mistakes", "what is wrong in RMCP's options"),
    ("rmcp.configuration", "valid, or invalid: what `rmcp config check` finds"),
    ("rmcp.library", "librmcp.so, where it can be loaded"),
    ("rmcp.library_obstacle", "why it cannot be loaded"),
    ("glibc.release", "the release of the C library"),
    ("package.placeholder", "packages that hold a name in the public index and nothing else"),
    ("package.*", "the version of a Python package, by its name in small letters with underscores"),
    ("env.*", "a variable of this process's environment"),
    ("configured.*", "values of a variable that files of shells, sessions and services set"),
    (
        "override.configured_readable",
        "no: one of them sets an override that ROCr refuses, whatever becomes of quotes; yes",
    ),
    ("preload.others", "libraries that are preloaded beside RMCP's"),
    (
        "loader.foreign_runtime",
        "a runtime in a folder of LD_LIBRARY_PATH whose major release is not that of one that a framework brings",
    ),
    ("loader.path_runtime", "the runtimes of HIP in folders of LD_LIBRARY_PATH"),
    ("loader.configured_runtime", "the same in folders of /etc/ld.so.conf"),
];

/// What is known of one thing.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Fact {
    /// Its values; none: it is known to be absent.
    pub values: Vec<String>,
    /// Where that was read.
    pub from: String,
}

/// Something seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Evidence {
    /// What.
    pub what: String,
    /// Where: a file, a variable, or the log with a line's number.
    pub from: String,
}

/// What is known of a machine.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Facts {
    /// By name, those of the machine, of the user and of the installed software.
    pub machine: BTreeMap<String, Fact>,
    /// By name, those of each card; None: which there are is not known.
    pub cards: Option<Vec<BTreeMap<String, Fact>>>,
}

/// Whether there is such a fact.
pub fn is_known(name: &str) -> bool {
    FACTS.iter().any(|(known, _)| crate::recipes::pattern_matches(known, name))
}

impl Fact {
    fn new(value: impl ToString, from: &str) -> Self {
        Self { values: vec![value.to_string()], from: from.into() }
    }

    fn flag(value: bool, from: &str) -> Self {
        Self::new(if value { "yes" } else { "no" }, from)
    }

    fn of(value: Option<impl ToString>, from: &str) -> Self {
        Self { values: value.iter().map(ToString::to_string).collect(), from: from.into() }
    }

    /// As something seen.
    pub fn evidence(&self, name: &str) -> Evidence {
        let value = if self.values.is_empty() { "absent".into() } else { self.values.join(", ") };
        Evidence { what: format!("{name} is {value}"), from: self.from.clone() }
    }
}

impl Facts {
    /// Reads what a look at the machine tells. What takes too long is not known.
    pub fn read(survey: &Arc<Survey>) -> Self {
        const GROUPS: [(&str, Group); 9] = [
            ("the kernel", Facts::add_kernel),
            ("the driver", Facts::add_driver),
            ("the machine", Facts::add_machine),
            ("the device files", Facts::add_access),
            ("the loader", Facts::add_loader),
            ("the files that set variables", Facts::add_configured),
            ("what is installed", Facts::add_software),
            ("the runtimes", Facts::add_runtimes),
            ("the cards", Facts::add_cards),
        ];
        let looks = GROUPS.map(|(_, read)| {
            let survey = Arc::clone(survey);
            probe::start(move || {
                let mut facts = Self::default();
                read(&mut facts, &survey);
                facts
            })
        });
        let (mut facts, mut late) = (Self::default(), Vec::new());
        for ((group, _), found) in GROUPS.iter().zip(probe::results(looks, LIMIT)) {
            match found {
                Some(found) => {
                    facts.machine.extend(found.machine);
                    facts.cards = facts.cards.or(found.cards);
                }
                None => late.push((*group).to_owned()),
            }
        }
        if !late.is_empty() {
            facts.add(LATE, Fact { values: late, from: format!("after {} seconds", LIMIT.as_secs()) });
        }
        facts.trace_environment();
        facts
    }

    fn add(&mut self, name: impl Into<String>, fact: Fact) {
        self.machine.insert(name.into(), fact);
    }

    /// A fact of the machine. What a program could have and has not is absent: a variable, or a package where Pythons
    /// were looked at.
    pub fn of_machine(&self, name: &str) -> Option<Fact> {
        let absent = || Fact { values: Vec::new(), from: "the environment".into() };
        let is_listed = ["env.", "package.", "configured."].iter().any(|start| name.starts_with(start));
        match self.machine.get(name) {
            Some(fact) => Some(fact.clone()),
            None if is_listed && !self.machine.contains_key(LATE) => Some(absent()),
            None => None,
        }
    }
}
