//! What the recipes look at.

use super::table::{CodeMatch, Condition, recipes};
use crate::installs::{Known, Release};
use crate::save_area::Assessment;
use rmcp_domain::gfx::{Family, GfxTarget};
use rmcp_domain::topology::{Gpu, Masks, Override, Overrides, Topology};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// The machine, the program and the user's wishes.
#[derive(Clone, Debug, Default)]
pub struct Situation {
    /// The GPUs.
    pub topology: Topology,
    /// The environment that the program would get without RMCP.
    pub environment: BTreeMap<String, String>,
    /// The program.
    pub program: Program,
    /// The profiles that were asked for.
    pub profiles: Vec<String>,
    /// The release of the C library.
    pub glibc: Option<Release>,
    /// The kernel, and what the topology says of the cards' waves.
    pub save_area: Assessment,
    /// Whether the option register is coarse for this program.
    pub register_coarse: bool,
    /// Whether nothing may be removed that the user has set.
    pub keep_environment: bool,
    /// The variables that the user's launchers set or remove after rmcp-run.
    pub pinned: BTreeSet<String>,
}

/// What is known about a program.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// The application that it is of.
    pub application: Option<&'static Known>,
    /// What it computes with, and the release of that.
    pub framework: Option<(&'static Known, Option<Release>)>,
    /// The ROCm release that it runs with.
    pub rocm: Option<Release>,
    /// Its libhsa-runtime64.
    pub hsa: Option<PathBuf>,
    /// Whether the framework says that it was built without ROCm.
    pub without_rocm: bool,
    /// Whether it brings ROCm itself, as a wheel does.
    pub bundled: bool,
    /// The packages of its Python with their versions, by the names that pip compares: in small letters, with underscores.
    pub packages: BTreeMap<String, String>,
    /// A library of its runtime that wants an executable stack.
    pub executable_stack: Option<PathBuf>,
    /// Its libraries with GPU code; empty: not known, or none.
    pub libraries: Vec<Library>,
    /// What its user must know, in sentences.
    pub notes: Vec<String>,
}

impl Program {
    /// Whether it is known to compute on a GPU.
    pub fn is_gpu_program(&self) -> bool {
        self.framework.is_some() || self.application.is_some() || self.rocm.is_some() || !self.libraries.is_empty()
    }

    /// What it computes with, as in "PyTorch 2.4" and "ComfyUI with PyTorch 2.4".
    pub fn framework_label(&self) -> Option<String> {
        let framework = self.framework.map(|(framework, release)| match release {
            Some(release) => format!("{} {release}", framework.title),
            None => framework.title.into(),
        });
        match self.application {
            Some(application) => Some(framework.map_or_else(
                || application.title.into(),
                |framework| format!("{} with {framework}", application.title),
            )),
            None => framework,
        }
    }
}

/// A library, or a folder of code objects, of a program.
#[derive(Clone, Debug)]
pub struct Library {
    /// Where it is.
    pub path: PathBuf,
    /// The gfx10 targets, and those of this machine's GPUs, that its code runs on.
    pub targets: BTreeSet<GfxTarget>,
}

/// The variable that overrides every GPU's target. Those of one GPU begin like it.
pub const OVERRIDE: &str = "HSA_OVERRIDE_GFX_VERSION";

impl Situation {
    /// The GPUs that HIP sees with the user's environment.
    pub fn visible(&self) -> Vec<&Gpu> {
        let var = |name: &str| self.environment.get(name).cloned();
        let masks = Masks {
            rocr: var("ROCR_VISIBLE_DEVICES"),
            hip: var("HIP_VISIBLE_DEVICES"),
            cuda: var("CUDA_VISIBLE_DEVICES"),
        };
        self.topology.visible(&masks)
    }

    /// Whether the user has chosen GPUs.
    pub fn has_masks(&self) -> bool {
        ["ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL"]
            .iter()
            .any(|name| self.environment.contains_key(*name))
    }

    /// What those of the program's libraries that have code for a target or its substitute hold for it; None where that is not known.
    pub fn code_match(&self, target: GfxTarget, substitute: Option<GfxTarget>) -> Option<CodeMatch> {
        let own = |library: &&Library| library.targets.contains(&target);
        let other = |library: &&Library| substitute.is_some_and(|target| library.targets.contains(&target));
        let libraries = &self.program.libraries;
        let serving: Vec<&Library> = libraries.iter().filter(|library| own(library) || other(library)).collect();
        Some(if libraries.is_empty() {
            return None;
        } else if serving.is_empty() {
            CodeMatch::Missing
        } else if serving.iter().all(own) {
            CodeMatch::Native
        } else if serving.iter().all(other) {
            CodeMatch::Substitute
        } else {
            CodeMatch::Torn
        })
    }

    /// The libraries that have code neither for a target nor for its substitute.
    pub fn libraries_without(&self, target: GfxTarget, substitute: Option<GfxTarget>) -> Vec<&Library> {
        let serves = |library: &Library| {
            library.targets.contains(&target) || substitute.is_some_and(|other| library.targets.contains(&other))
        };
        self.program.libraries.iter().filter(|library| !serves(library)).collect()
    }

    /// The variable that overrides one GPU's target.
    pub fn numbered_variable(&self, gpu: &Gpu) -> String {
        Overrides::variable(gpu, &self.topology)
    }

    /// How the user overrides this GPU's target.
    pub fn user_override(&self, gpu: &Gpu) -> Option<Override> {
        let numbered = self.supports_numbered_override() != Some(false);
        let set = self.environment.iter().filter(|(name, _)| *name == OVERRIDE || numbered);
        Overrides(set.map(|(name, value)| (name.clone(), value.clone())).collect()).of(gpu, &self.topology)
    }

    /// Where caches of this user lie.
    pub fn cache(&self) -> Option<String> {
        let set = |name: &str| self.environment.get(name).filter(|value| value.starts_with('/'));
        set("XDG_CACHE_HOME").cloned().or_else(|| Some(format!("{}/.cache", set("HOME")?)))
    }

    /// Whether what the user has set may be changed.
    pub fn may_change(&self, variable: &str) -> bool {
        !self.keep_environment && !self.pinned.contains(variable)
    }

    /// Whether the runtime knows the numbered override; None where its release is not known.
    pub fn supports_numbered_override(&self) -> Option<bool> {
        let release = self.program.rocm?;
        let row = recipes().iter().find(|recipe| recipe.condition == Some(Condition::PerNode))?;
        Some(row.rocm.as_ref()?.contains(Some(release)))
    }
}

/// Whether RMCP is for this GPU.
pub fn is_supported(gpu: &Gpu) -> bool {
    gpu.target.family() != Family::Other
}
