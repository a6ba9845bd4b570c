//! `HSA_OVERRIDE_GFX_VERSION` and `HSA_OVERRIDE_GFX_VERSION_<node>`: the target by which user space calls a GPU.

use super::{Gpu, Topology};
use crate::gfx::GfxTarget;
use std::env;

/// The variables that are set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides(pub Vec<(String, String)>);

/// What holds for one GPU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// The variable.
    pub variable: String,
    /// Its value.
    pub value: String,
    /// The target that it names. None: ROCr refuses to start with this value.
    pub target: Option<GfxTarget>,
}

/// The variable that holds for every GPU.
const ALL: &str = "HSA_OVERRIDE_GFX_VERSION";

impl Overrides {
    /// As this process has them now.
    pub fn from_process() -> Self {
        let vars = env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(ALL.as_bytes()));
        let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        Self(vars.map(|(name, value)| (text(name), text(value))).collect())
    }

    /// The variable that holds for one GPU alone, from ROCm 6.2 on. (libhsakmt topology.c, topology_sysfs_get_node_props;
    /// nodes that the process cannot use are not counted there.)
    pub fn variable(gpu: &Gpu, topology: &Topology) -> String {
        let unseen = topology.skipped.iter().filter(|skipped| skipped.node < gpu.node).count();
        let node = usize::try_from(gpu.node).unwrap_or(usize::MAX).saturating_sub(unseen);
        format!("{ALL}_{node}")
    }

    /// The override of a GPU: the one for its node, else the one for all.
    pub fn of(&self, gpu: &Gpu, topology: &Topology) -> Option<Override> {
        let set = |name: &str| self.0.iter().find(|(variable, _)| variable == name);
        let (variable, value) = set(&Self::variable(gpu, topology)).or_else(|| set(ALL))?;
        Some(Override { variable: variable.clone(), value: value.clone(), target: target(value) })
    }
}

impl Override {
    /// The target that a value names; None: ROCr refuses to start with it.
    pub fn parse(value: &str) -> Option<GfxTarget> {
        target(value)
    }

    /// What a value that ROCr refuses means where that is certain, as ROCr takes it: a version in blanks and quotes, or a
    /// target's name in them.
    pub fn mended(&self) -> Option<String> {
        let bare = self.value.trim_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\''));
        let target = target(bare).or_else(|| bare.parse().ok()).filter(|_| self.target.is_none())?;
        Some(version(target))
    }

    /// The target that it names as three numbers, else the value itself.
    pub fn version(&self) -> String {
        self.target.map_or_else(|| self.value.clone(), version)
    }
}

fn version(GfxTarget { major, minor, stepping }: GfxTarget) -> String {
    format!("{major}.{minor}.{stepping}")
}

/// "10.3.0"; the first number up to 63, the others up to 255. As sscanf(3) reads it: blanks before a number do not
/// matter, and nothing may follow the last.
fn target(value: &str) -> Option<GfxTarget> {
    let number = |text: &str| text.trim_start_matches([' ', '\t', '\n', '\x0b', '\x0c', '\r']).parse::<u8>();
    let mut numbers = value.split('.').map(number);
    let mut next = || numbers.next()?.ok();
    let (major, minor, stepping) = (next()?, next()?, next()?);
    (major <= 63 && numbers.next().is_none()).then(|| GfxTarget::new(major, minor, stepping))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::{PciAddress, Skipped};

    fn gpu(node: u32) -> Gpu {
        Gpu {
            node,
            gpu_id: 1,
            target: GfxTarget::new(10, 1, 0),
            name: String::new(),
            pci: PciAddress::default(),
            device_id: 0,
            render_minor: None,
            unique_id: None,
            apu: false,
            memory: Vec::new(),
            links: Vec::new(),
        }
    }

    fn overrides(set: &[(&str, &str)]) -> Overrides {
        Overrides(set.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect())
    }

    #[test]
    fn the_variable_of_a_node_is_stronger_than_that_of_all() {
        let set = overrides(&[(ALL, "10.3.0"), ("HSA_OVERRIDE_GFX_VERSION_2", "11.0.0")]);
        let topology = Topology::default();
        assert_eq!(set.of(&gpu(1), &topology).unwrap().target, Some(GfxTarget::new(10, 3, 0)));
        assert_eq!(set.of(&gpu(2), &topology).unwrap().target, Some(GfxTarget::new(11, 0, 0)));
        assert_eq!(overrides(&[]).of(&gpu(1), &topology), None);
    }

    #[test]
    fn a_node_that_the_process_cannot_use_is_not_counted() {
        let set = overrides(&[("HSA_OVERRIDE_GFX_VERSION_1", "10.3.0")]);
        let topology = Topology { gpus: Vec::new(), skipped: vec![Skipped { node: 1, reason: String::new() }] };
        assert!(set.of(&gpu(2), &topology).is_some());
        assert!(set.of(&gpu(2), &Topology::default()).is_none());
    }

    #[test]
    fn a_value_that_rocr_refuses_names_no_target() {
        for value in ["", "10", "10.3", "10.3.0.1", "gfx1030", "64.0.0", "10.256.0", "10.3.0 "] {
            assert_eq!(target(value), None, "{value:?}");
        }
        assert_eq!(target("9.0.10"), Some(GfxTarget::new(9, 0, 10)));
        assert_eq!(target(" 10.\t3.0"), Some(GfxTarget::new(10, 3, 0)), "sscanf passes over blanks before a number");
    }

    #[test]
    fn what_is_refused_is_mended_only_where_its_meaning_is_certain() {
        let mended = |value: &str| overrides(&[(ALL, value)]).of(&gpu(1), &Topology::default()).unwrap().mended();
        for value in ["\"10.3.0\"", "'10.3.0'", "10.3.0 ", "\" 10.3.0\"\n", "\"10.3.0", "gfx1030", " \"gfx1030\""] {
            assert_eq!(mended(value).as_deref(), Some("10.3.0"), "{value:?}");
        }
        assert_eq!(mended("gfx90a").as_deref(), Some("9.0.10"));
        for value in ["", " ", "\"\"", "10.3", "10.3.0.1", "1030", "10,3,0", "64.0.0", "10.3.0 # RX 6600", "navi21"] {
            assert_eq!(mended(value), None, "{value:?}");
        }
        for value in ["10.3.0", " 10.3.0", "010.3.0"] {
            assert_eq!(mended(value), None, "{value:?} is read as it is");
        }
    }
}
