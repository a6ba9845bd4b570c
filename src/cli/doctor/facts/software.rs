//! What is installed, and what the environment says.

use super::{Fact, Facts};
use crate::commands::detect::Survey;
use crate::installs::{Backend, Framework, Rocm, Runtime, folder_entries};
use crate::preparation::glibc;
use crate::recipes::{OVERRIDE, executable_stack};
use std::fs;
use std::path::{Path, PathBuf};

impl Facts {
    /// The environment, ROCm, and the packages of the Pythons.
    pub(super) fn add_software(&mut self, survey: &Survey) {
        for (name, value) in &survey.machine.variables {
            let name = name.to_string_lossy();
            self.add(format!("env.{name}"), Fact::new(value.to_string_lossy(), "the environment"));
        }
        let releases = survey.rocm.iter().filter_map(|rocm| Some(rocm.release?.to_string())).collect();
        let places: Vec<String> = survey.rocm.iter().map(|rocm| survey.display_path(&rocm.prefix)).collect();
        let places = if places.is_empty() { "the folders of ROCm".into() } else { places.join(", ") };
        if survey.rocm.iter().all(|rocm| rocm.release.is_some()) {
            self.add("rocm.release", Fact { values: releases, from: places.clone() });
        }
        self.add("rocm.count", Fact::new(survey.rocm.len(), &places));
        for python in &survey.pythons {
            let from = format!("the packages of {}", survey.display_path(&python.interpreter));
            for package in python.distributions() {
                let name = format!("package.{}", package.name);
                self.machine.entry(name).or_insert_with(|| Fact::new(package.version, &from));
            }
        }
        let packages = self.machine.iter().filter_map(|(name, fact)| Some((name.strip_prefix("package.")?, fact)));
        let placeholders =
            packages.filter(|(name, fact)| fact.values.iter().any(|version| is_placeholder(name, version)));
        let values = placeholders.map(|(name, _)| name.to_owned()).collect();
        self.add("package.placeholder", Fact { values, from: "the packages of the Pythons".into() });
        self.add_torch(survey);
        let value = survey.overrides.0.iter().find(|(name, _)| name == OVERRIDE);
        self.add("override.value", Fact::of(value.map(|(_, value)| value), "the environment"));
        let links = survey.rocm.iter().filter_map(rocblas_folder).flat_map(|folder| rdna1_links(&folder)).collect();
        self.add("library.rdna1_links", Fact { values: links, from: places });
        let frameworks = survey.frameworks.iter().map(|(_, framework)| framework);
        let missed = frameworks.filter(|framework| survey.missed(framework).is_some());
        let values = missed.map(|framework| framework.name.clone()).collect();
        self.add("rmcp.missed_framework", Fact { values, from: "the packages of the Pythons".into() });
        let loaded = &survey.policy.loaded;
        let place = loaded.complaints.first().map_or_else(|| "the files of options".into(), ToString::to_string);
        let valid = if loaded.complaints.is_empty() { "valid" } else { "invalid" };
        self.add("rmcp.configuration", Fact::new(valid, &place));
        let library = survey.preload.library.as_ref();
        let why = library.err().cloned().unwrap_or_else(|| "the folder of this command".into());
        self.add("rmcp.library", Fact::of(library.ok().map(|library| library.display()), &why));
        let program = survey.pythons.first().map_or_else(|| "/bin/sh".into(), |python| python.interpreter.clone());
        if let Some(release) = glibc(&survey.machine.resolve(&program), &survey.machine) {
            self.add("glibc.release", Fact::new(release, "libc.so.6"));
        }
    }

    fn add_torch(&mut self, survey: &Survey) {
        let torch = torch(survey);
        let from = torch.map_or_else(|| "the Pythons in PATH".into(), |torch| survey.display_path(&torch.folder));
        self.add("torch.version", Fact::of(torch.and_then(|torch| torch.version.as_ref()), &from));
        let build = torch.map(|torch| match &torch.backend {
            Backend::Rocm(_) => "rocm".to_owned(),
            Backend::Other(other) if other.starts_with("CUDA") => "cuda".to_owned(),
            Backend::Other(_) => "cpu".to_owned(),
            Backend::Direct => "direct".to_owned(),
        });
        self.add("torch.build", Fact::of(build, &from));
        match torch.map(|torch| &torch.backend) {
            Some(Backend::Rocm(None)) => {}
            Some(Backend::Rocm(release)) => self.add("torch.rocm", Fact::of(release.as_ref(), &from)),
            _ => self.add("torch.rocm", Fact::of(None::<String>, &from)),
        }
        let runtime = torch.and_then(|torch| torch.runtime.as_ref());
        let is_system = |runtime: &Runtime| survey.rocm.iter().any(|rocm| runtime.hip.starts_with(&rocm.prefix));
        let whose = runtime.map(|runtime| if is_system(runtime) { "system" } else { "own" });
        self.add("torch.runtime", Fact::of(whose, &from));
        let other = |abi: u32| {
            let mut installed = survey.rocm.iter().filter_map(|rocm| rocm.runtime.as_ref()?.abi());
            installed.any(|installed| installed != abi)
        };
        if let Some(abi) = runtime.and_then(Runtime::abi) {
            self.add("rocm.mixed_majors", Fact::flag(other(abi), &from));
        }
        let stack = runtime.and_then(executable_stack).map(|library| survey.display_path(&library));
        self.add("library.executable_stack", Fact::of(stack, &from));
    }
}

/// PyTorch, where it is installed.
pub(super) fn torch(survey: &Survey) -> Option<&Framework> {
    survey.frameworks.iter().map(|(_, framework)| framework).find(|framework| framework.name == "torch")
}

/// Whether a package of this name and version is empty but for its name. (pkg:pypi/amd-torch-device-gfx1010@0.0.1.dev0,
/// pkg:pypi/rocm-sdk-libraries-gfx1151@0.0.1)
fn is_placeholder(name: &str, version: &str) -> bool {
    let of_amd =
        ["amd_torch_device_", "rocm_sdk_device_", "rocm_sdk_libraries_"].iter().any(|start| name.starts_with(start));
    (of_amd || name == "rocm_kpack") && version.starts_with("0.0.1")
}

/// Where the rocBLAS of an installation keeps its kernels.
pub(super) fn rocblas_folder(rocm: &Rocm) -> Option<PathBuf> {
    let folder = rocm.runtime.as_ref()?.hip.parent()?.join("rocblas/library");
    folder.is_dir().then_some(folder)
}

/// Kernels that have an RDNA1 target's name and are links to an RDNA2 target's.
fn rdna1_links(folder: &Path) -> Vec<String> {
    let names =
        |path: &Path, target: &str| path.file_name().is_some_and(|name| name.to_string_lossy().contains(target));
    let links = folder_entries(folder).into_iter().filter(|file| {
        let leads = |to: PathBuf| names(&to, "gfx103");
        names(file, "gfx101") && file.is_symlink() && fs::canonicalize(file).is_ok_and(leads)
    });
    links.map(|file| file.display().to_string()).collect()
}
