//! Everything that is looked at.

use super::preload_state::{self, PreloadState};
use crate::effective_policy::{self, EffectivePolicy};
use crate::host::{self, Account, DeviceFile, Host};
use crate::installs::{self, Application, Framework, Python, Rocm};
use rmcp_domain::topology::{Gpu, Overrides};
use std::env;
use std::path::{Path, PathBuf};

/// The machine, with all that its files tell.
pub struct Survey {
    /// The file system and the environment.
    pub machine: installs::Machine,
    /// The cards and RMCP's rules for them.
    pub policy: EffectivePolicy,
    /// The kernel and the bus.
    pub host: Host,
    /// The user.
    pub account: Account,
    /// /dev/kfd.
    pub kfd: DeviceFile,
    /// The variables that give cards another name.
    pub overrides: Overrides,
    /// The installations.
    pub rocm: Vec<Rocm>,
    /// The applications that are known by their folders.
    pub applications: Vec<Application>,
    /// The interpreters of the active virtual environment, in PATH and of the applications, each once.
    pub pythons: Vec<Python>,
    /// Their packages, each once.
    pub frameworks: Vec<(Python, Framework)>,
    /// librmcp.so.
    pub preload: PreloadState,
    /// The folder in which programs start.
    pub folder: PathBuf,
}

impl Survey {
    /// Looks.
    pub fn read(place: installs::Machine) -> Self {
        let root = place.root.clone();
        let applications = installs::applications(&place);
        let pythons = interpreters(&applications, &place);
        Self {
            policy: EffectivePolicy::read(&effective_policy::policy_sources(&root), &root),
            host: Host::read(&root),
            account: Account::read(&root),
            kfd: DeviceFile::kfd(&root),
            overrides: Overrides::from_process(),
            rocm: installs::installations(&place),
            frameworks: frameworks(&pythons, &place),
            applications,
            pythons,
            preload: preload_state::read(&root),
            folder: env::current_dir().unwrap_or_default(),
            machine: place,
        }
    }

    /// Every GPU that the KFD lists and this process could use.
    pub fn gpus(&self) -> &[Gpu] {
        self.policy.topology.as_ref().map_or(&[], |topology| &topology.gpus)
    }

    /// The render node of a GPU.
    pub fn render_node(&self, gpu: &Gpu) -> Option<DeviceFile> {
        gpu.render_minor.map(|minor| DeviceFile::render(&self.machine.root, minor))
    }

    /// A path as it is called on the machine.
    pub fn display_path(&self, path: &Path) -> String {
        host::display_path(&self.machine.root, path).display().to_string()
    }
}

fn interpreters(applications: &[Application], place: &installs::Machine) -> Vec<Python> {
    let environment = place.variable("VIRTUAL_ENV").map(|folder| Path::new(folder).join("bin/python"));
    let names = environment.into_iter().chain(["python3", "python"].map(PathBuf::from));
    let names = names.chain(applications.iter().flat_map(Application::interpreters));
    let mut found: Vec<Python> = Vec::new();
    for python in names.filter_map(|name| Python::find(&name, place)) {
        if !found.iter().any(|known| known.folders == python.folders) {
            found.push(python);
        }
    }
    found
}

/// Their packages, each once.
fn frameworks(pythons: &[Python], place: &installs::Machine) -> Vec<(Python, Framework)> {
    let mut found: Vec<(Python, Framework)> = Vec::new();
    for python in pythons {
        for framework in python.frameworks(place) {
            if !found.iter().any(|(_, known)| known.folder == framework.folder) {
                found.push((python.clone(), framework));
            }
        }
    }
    found
}
