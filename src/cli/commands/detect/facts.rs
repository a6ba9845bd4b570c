//! The survey as people and programs read it.

use super::environment;
use super::problems::{self, Problem};
use super::survey::Survey;
use crate::effective_policy::{OptionValue, rewritten_memory};
use crate::host::{Access, DeviceFile, PciDetails};
use crate::installs::{self, Framework, Python, Rocm, Runtime};
use rmcp_domain::gfx::Family;
use rmcp_domain::options::TABLE;
use rmcp_domain::topology::{Gpu, IoLink, Masks};
use schemars::JsonSchema;
use serde::Serialize;
use std::path::Path;
use std::sync::Arc;

/// The machine as a GPU program finds it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Found")]
pub struct MachineReport {
    /// The computer and its system.
    pub machine: Machine,
    /// The GPUs that the kernel offers for computing, in the order of their nodes.
    pub cards: Vec<Card>,
    /// GPU nodes that this process cannot use.
    pub unusable: Vec<UnusableNode>,
    /// AMD's display devices on the PCI bus that the kernel does not offer for computing.
    pub other_devices: Vec<OtherDevice>,
    /// The variables that hide cards from HIP.
    pub masks: Vec<Mask>,
    /// ROCm installations.
    pub rocm: Vec<Installation>,
    /// Python packages that use a GPU, or could.
    pub frameworks: Vec<Package>,
    /// Applications that use a GPU, known by their folders.
    pub applications: Vec<Application>,
    /// RMCP itself.
    pub rmcp: Rmcp,
    /// The variables that GPU programs look at.
    pub environment: Vec<Variable>,
    /// What is wrong, worst first.
    pub problems: Vec<Problem>,
}

/// The computer and its system.
#[derive(Serialize, JsonSchema)]
pub struct Machine {
    /// The kernel's release.
    pub kernel: Option<String>,
    /// The distribution.
    pub system: Option<String>,
    /// The processor.
    pub cpu: Option<String>,
    /// Bytes of main memory.
    pub memory_bytes: Option<u64>,
    /// Whether the driver amdgpu is in the kernel.
    pub driver_loaded: bool,
    /// The driver's own version, which only AMD's out-of-tree (DKMS) driver has; null: the kernel's own driver, or none.
    pub driver_version: Option<String>,
    /// Whether this is the Windows Subsystem for Linux.
    pub wsl: bool,
    /// The kind of container; null: none that one can tell.
    pub container: Option<String>,
    /// The user's name; null where the machine does not know the number.
    pub user: Option<String>,
    /// The user's number.
    pub uid: u32,
    /// The groups of this process, by name or number.
    pub groups: Vec<String>,
    /// /dev/kfd.
    pub kfd: Device,
}

/// A device file.
#[derive(Serialize, JsonSchema)]
pub struct Device {
    /// Its path.
    pub path: String,
    /// Whether this process may use it.
    pub usable: bool,
    /// Why not; null where it may.
    pub why_not: Option<String>,
    /// Its group; null where there is no such file.
    pub group: Option<String>,
    /// Its permissions in octal digits.
    pub mode: Option<String>,
}

/// A GPU.
#[derive(Serialize, JsonSchema)]
pub struct Card {
    /// HIP's number of it; null: a mask hides it.
    pub ordinal: Option<usize>,
    /// Number of its node.
    pub node: u32,
    /// Its real gfx target.
    pub target: String,
    /// Its generation.
    pub family: &'static str,
    /// The target by which user space calls it, where HSA_OVERRIDE_GFX_VERSION changes that.
    pub reported: Option<OverriddenTarget>,
    /// What it is sold as; null where libdrm's table is missing or does not know it.
    pub name: Option<String>,
    /// What the kernel calls the chip.
    pub chip: String,
    /// PCI address.
    pub pci: String,
    /// PCI device id.
    pub device_id: u32,
    /// "GPU-" and 16 digits; "GPU-XX" where the card has no number of its own.
    pub uuid: String,
    /// Whether it shares the processor's memory.
    pub apu: bool,
    /// Bytes of VRAM.
    pub vram_bytes: u64,
    /// Whether the CPU reaches all VRAM (large or resizable BAR).
    pub large_bar: bool,
    /// Bytes of VRAM that the CPU reaches; null where the driver does not say.
    pub visible_vram_bytes: Option<u64>,
    /// Speed and width of its PCIe link at present.
    pub link: Option<String>,
    /// Whether the KFD knows that PCIe atomics do not reach the host: 32-bit, 64-bit. Null: it lists no PCIe link. That
    /// they are not known to be missing does not mean that they work.
    pub atomics_missing: Option<[bool; 2]>,
    /// Its render node; null where the kernel does not say.
    pub render: Option<Device>,
    /// What RMCP does on it: the options that change something; "keep": nothing.
    pub rules: String,
    /// Why RMCP does nothing on it; null where it does something.
    pub idle: Option<String>,
}

/// Another name of a card.
#[derive(Serialize, JsonSchema)]
pub struct OverriddenTarget {
    /// The target; null: the value names none, and the runtime does not start.
    pub target: Option<String>,
    /// The variable and its value.
    pub by: String,
}

/// A GPU node that this process cannot use.
#[derive(Serialize, JsonSchema)]
pub struct UnusableNode {
    /// Number of the node.
    pub node: u32,
    /// Why.
    pub why: String,
}

/// A display device that is not offered for computing.
#[derive(Serialize, JsonSchema)]
pub struct OtherDevice {
    /// PCI address.
    pub pci: String,
    /// PCI device id.
    pub device_id: u32,
    /// The driver that has it; null: none.
    pub driver: Option<String>,
}

/// A variable that hides cards.
#[derive(Serialize, JsonSchema)]
pub struct Mask {
    /// The variable.
    pub variable: &'static str,
    /// Its value.
    pub value: String,
    /// PCI addresses of the cards that it hides.
    pub hides: Vec<String>,
}

/// A ROCm installation.
#[derive(Serialize, JsonSchema)]
pub struct Installation {
    /// Where it is.
    pub prefix: String,
    /// Its release; null where nothing tells.
    pub release: Option<String>,
    /// Its HIP runtime; null where only other parts are installed.
    pub runtime: Option<String>,
}

/// A Python package that uses a GPU, or could.
#[derive(Serialize, JsonSchema)]
pub struct Package {
    /// Its name, as in `import`.
    pub name: String,
    /// Its version.
    pub version: Option<String>,
    /// Its folder.
    pub folder: String,
    /// The interpreter that finds it.
    pub python: String,
    /// What it was built for: "ROCm 6.4", "CUDA 12.4", "the CPU alone".
    pub built_for: String,
    /// The runtime that it brings; null: it takes the installed one.
    pub runtime: Option<String>,
}

/// An application.
#[derive(Serialize, JsonSchema)]
pub struct Application {
    /// What people call it.
    pub name: &'static str,
    /// Its folder.
    pub folder: String,
}

/// RMCP itself.
#[derive(Serialize, JsonSchema)]
pub struct Rmcp {
    /// Where librmcp.so is; null where it is not usable.
    pub library: Option<String>,
    /// Why librmcp.so is not usable.
    pub library_problem: Option<String>,
    /// Its entry in /etc/ld.so.preload; null: only programs that are started with it have it.
    pub system_wide: Option<String>,
    /// The option that restricts it to some programs there; null: it is for all.
    pub only: Option<OptionValue>,
    /// Whose memory it changes, and why.
    pub memory: String,
    /// What goes past it here, and why.
    pub past: Vec<String>,
    /// Whether LD_PRELOAD names it here.
    pub preloaded_here: bool,
    /// The options that are not at their default.
    pub options: Vec<OptionValue>,
    /// What is wrong in the configuration.
    pub complaints: Vec<String>,
}

/// An environment variable.
#[derive(Serialize, JsonSchema)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

impl MachineReport {
    /// What the survey found.
    pub fn new(survey: &Arc<Survey>) -> Self {
        let machine = &survey.policy;
        let loaded = &machine.loaded;
        let options = TABLE.iter().map(|row| OptionValue::new(row, loaded)).filter(|option| option.origin != "default");
        let (library, library_problem) = match &survey.preload.library {
            Ok(path) => (Some(path.display().to_string()), None),
            Err(why) => (None, Some(why.clone())),
        };
        let skipped = machine.topology.as_ref().map(|topology| &topology.skipped[..]).unwrap_or_default();
        let unusable = skipped.iter().map(|skipped| UnusableNode { node: skipped.node, why: skipped.reason.clone() });
        Self {
            machine: Machine::new(survey),
            cards: survey.gpus().iter().map(|gpu| Card::new(gpu, survey)).collect(),
            unusable: unusable.collect(),
            other_devices: other_devices(survey),
            masks: masks(survey),
            rocm: survey.rocm.iter().map(|rocm| Installation::new(rocm, survey)).collect(),
            frameworks: survey.frameworks.iter().map(|(python, each)| Package::new(python, each, survey)).collect(),
            applications: survey.applications.iter().map(|each| Application::new(each, survey)).collect(),
            rmcp: Rmcp {
                library,
                library_problem,
                system_wide: survey.preload.system_wide.clone(),
                only: survey.preload.only.clone(),
                memory: rewritten_memory(loaded),
                past: survey.past_rmcp(),
                preloaded_here: survey.preload.in_environment,
                options: options.collect(),
                complaints: loaded.complaints.iter().map(ToString::to_string).collect(),
            },
            environment: environment::gpu_variables(&survey.machine.variables)
                .into_iter()
                .map(|(name, value)| Variable { name, value })
                .collect(),
            problems: problems::all(survey),
        }
    }
}

impl Machine {
    fn new(survey: &Survey) -> Self {
        let (host, account) = (&survey.host, &survey.account);
        let group = |(gid, name): &(u32, Option<String>)| name.clone().unwrap_or_else(|| gid.to_string());
        Self {
            kernel: host.kernel.clone(),
            system: host.system.clone(),
            cpu: host.cpu.clone(),
            memory_bytes: host.memory_bytes,
            driver_loaded: host.driver.loaded,
            driver_version: host.driver.version.clone(),
            wsl: host.wsl,
            container: host.container.clone(),
            user: account.name.clone(),
            uid: account.uid,
            groups: account.groups.iter().map(group).collect(),
            kfd: Device::new(&survey.kfd),
        }
    }
}

impl Device {
    fn new(file: &DeviceFile) -> Self {
        let why_not = match &file.access {
            Access::Granted => None,
            Access::Missing => Some("it does not exist".into()),
            Access::Denied(_) => Some("permission denied".into()),
            Access::Refused(why) => Some(std::io::Error::from(*why).to_string()),
        };
        Self {
            path: file.path.display().to_string(),
            usable: why_not.is_none(),
            why_not,
            group: file.group.clone().or_else(|| file.gid.map(|gid| gid.to_string())),
            mode: file.mode.map(|mode| format!("{mode:04o}")),
        }
    }
}

impl Card {
    fn new(gpu: &Gpu, survey: &Survey) -> Self {
        let visible = survey.policy.visible();
        let details = PciDetails::read(&survey.machine.root, gpu.pci, gpu.device_id);
        let topology = survey.policy.topology.as_ref().ok();
        let reported = topology.and_then(|topology| survey.overrides.of(gpu, topology)).map(|by| OverriddenTarget {
            target: by.target.map(|target| target.to_string()),
            by: format!("{}={}", by.variable, by.value),
        });
        let pcie = gpu.links.iter().find(|link| link.kind == IoLink::PCIE);
        Self {
            ordinal: visible.iter().position(|other| other.node == gpu.node),
            node: gpu.node,
            target: gpu.target.to_string(),
            family: match gpu.target.family() {
                Family::Rdna1 => "RDNA1",
                Family::Rdna2 => "RDNA2",
                Family::Other => "other",
            },
            reported,
            name: details.name,
            chip: gpu.name.clone(),
            pci: gpu.pci.to_string(),
            device_id: gpu.device_id,
            uuid: gpu.uuid(),
            apu: gpu.apu,
            vram_bytes: gpu.vram_bytes(),
            large_bar: gpu.large_bar(),
            visible_vram_bytes: details.visible_vram_bytes,
            link: details.link,
            atomics_missing: pcie.map(|link| [link.no_atomics_32(), link.no_atomics_64()]),
            render: survey.render_node(gpu).map(|file| Device::new(&file)),
            rules: survey.policy.rules(gpu.target, gpu.apu).to_string(),
            idle: survey.policy.idle_reason(gpu.target, gpu.apu),
        }
    }
}

fn other_devices(survey: &Survey) -> Vec<OtherDevice> {
    let computing = |pci| survey.gpus().iter().any(|gpu| gpu.pci == pci);
    let others = survey.host.cards.iter().filter(|card| !computing(card.pci));
    let device = |card: &crate::host::PciCard| OtherDevice {
        pci: card.pci.to_string(),
        device_id: card.device_id,
        driver: card.driver.clone(),
    };
    others.map(device).collect()
}

/// What each mask hides of what the one before it left.
fn masks(survey: &Survey) -> Vec<Mask> {
    let Ok(topology) = &survey.policy.topology else { return Vec::new() };
    let set = &survey.policy.masks;
    let rocr = Masks { rocr: set.rocr.clone(), ..Masks::default() };
    let places = |masks: &Masks| topology.visible(masks).iter().map(|gpu| gpu.pci.to_string()).collect::<Vec<_>>();
    let (all, after_rocr, after_hip) = (places(&Masks::default()), places(&rocr), places(set));
    let without = |all: &[String], left: &[String]| all.iter().filter(|pci| !left.contains(pci)).cloned().collect();
    // HIP looks at CUDA_VISIBLE_DEVICES only where HIP_VISIBLE_DEVICES is not set.
    let hip = set.hip.as_ref().map(|value| ("HIP_VISIBLE_DEVICES", value));
    let hip = hip.or(set.cuda.as_ref().map(|value| ("CUDA_VISIBLE_DEVICES", value)));
    let rocr = set.rocr.as_ref().map(|value| ("ROCR_VISIBLE_DEVICES", value, without(&all, &after_rocr)));
    let hip = hip.map(|(variable, value)| (variable, value, without(&after_rocr, &after_hip)));
    let masks = rocr.into_iter().chain(hip);
    masks.map(|(variable, value, hides)| Mask { variable, value: value.clone(), hides }).collect()
}

impl Installation {
    fn new(rocm: &Rocm, survey: &Survey) -> Self {
        Self {
            prefix: survey.display_path(&rocm.prefix),
            release: rocm.release.map(|release| release.to_string()),
            runtime: rocm.runtime.as_ref().map(|runtime| runtime_path(runtime, survey)),
        }
    }
}

impl Package {
    fn new(python: &Python, framework: &Framework, survey: &Survey) -> Self {
        Self {
            name: framework.name.clone(),
            version: framework.version.clone(),
            folder: survey.display_path(&framework.folder),
            python: survey.display_path(&python.interpreter),
            built_for: framework.backend.to_string(),
            runtime: framework.runtime.as_ref().map(|runtime| runtime_path(runtime, survey)),
        }
    }
}

impl Application {
    fn new(application: &installs::Application, survey: &Survey) -> Self {
        Self { name: application.known.title, folder: survey.display_path(&application.folder) }
    }
}

fn runtime_path(runtime: &Runtime, survey: &Survey) -> String {
    survey.display_path(Path::new(&runtime.hip))
}
