//! Which copies of the runtime there are, for which frameworks, and what RMCP makes of them.

use super::{CARD, Fact, Facts};
use crate::commands::detect::Survey;
use crate::installs::{Backend, Framework, Python, Runtime};
use crate::save_area::Assessment;
use rmcp_domain::topology::Gpu;
use std::collections::BTreeMap;
use std::path::Path;

/// Where the packages are looked for.
const PACKAGES: &str = "the packages of the Pythons";

/// Where copies of the runtime are looked for.
const COPIES: &str = "the folders of ROCm, the packages of the Pythons";

impl Facts {
    /// The copies of the HIP runtime, and frameworks with and without one.
    pub(super) fn add_runtimes(&mut self, survey: &Survey) {
        let installed = survey.rocm.iter().filter(|rocm| rocm.runtime.is_some()).count();
        self.add("rocm.runtimes", Fact::new(installed, "the folders of ROCm"));
        let copies: Vec<String> = copies(survey).into_iter().map(|(place, runtime)| said(&place, runtime)).collect();
        self.add("rocm.copies_count", Fact::new(copies.len(), COPIES));
        self.add("rocm.copies", Fact { values: copies, from: COPIES.into() });
        let names = |which: &dyn Fn(&Framework) -> bool| {
            let those = survey.frameworks.iter().filter(|(_, framework)| which(framework));
            those.map(|(python, framework)| named(python, framework, survey)).collect::<Vec<_>>()
        };
        let mut packages = |name: &str, values: Vec<String>| self.add(name, Fact { values, from: PACKAGES.into() });
        packages("framework.own_runtime", names(&|framework| framework.runtime.is_some()));
        packages("framework.without_rocm", names(&|framework| matches!(framework.backend, Backend::Other(_))));
        let lacks = |framework: &Framework| {
            installed == 0 && framework.runtime.is_none() && matches!(framework.backend, Backend::Rocm(_))
        };
        packages("framework.without_runtime", names(&lacks));
        let missed = survey.frameworks.iter().find_map(|(_, framework)| survey.missed(framework));
        self.add("rmcp.missed_reason", Fact::of(missed.map(|(why, _)| why), "the option dispatch_table"));
        let mistakes = survey.policy.loaded.complaints.iter().map(ToString::to_string).collect();
        self.add("rmcp.mistakes", Fact { values: mistakes, from: "the files of options".into() });
        self.add(
            "rmcp.library_obstacle",
            Fact::of(survey.preload.library.as_ref().err(), "the folder of this command"),
        );
    }

    /// What the masks of this environment leave, and hide.
    pub(super) fn add_masks(&mut self, survey: &Survey) {
        let (visible, from) = (survey.policy.visible(), "the environment");
        let (integrated, cards): (Vec<&Gpu>, Vec<&Gpu>) = visible.into_iter().partition(|gpu| gpu.apu);
        let integrated = integrated.iter().map(|gpu| gpu.target.to_string()).collect();
        self.add("cards.visible_integrated", Fact { values: integrated, from: from.into() });
        // A card without a number of its own is chosen by its place among all.
        let known = cards.iter().all(|gpu| gpu.uuid() != "GPU-XX");
        let place = |card: &&Gpu| survey.gpus().iter().position(|gpu| gpu.node == card.node).unwrap_or_default();
        let chosen: Vec<String> =
            cards.iter().map(|gpu| if known { gpu.uuid() } else { place(gpu).to_string() }).collect();
        self.add("cards.chosen", Fact::of((!chosen.is_empty()).then(|| chosen.join(",")), from));
        let masks = &survey.policy.masks;
        let set = [("ROCR_VISIBLE_DEVICES", &masks.rocr), ("HIP_VISIBLE_DEVICES", &masks.hip)];
        let set = set.into_iter().chain([("CUDA_VISIBLE_DEVICES", &masks.cuda)]);
        let values = set.filter_map(|(name, value)| Some(format!("{name}={:?}", value.as_ref()?))).collect();
        self.add("cards.masks", Fact { values, from: from.into() });
        let set = survey.overrides.0.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
        self.add("override.set", Fact { values: set, from: from.into() });
    }
}

/// What holds for every card: which are visible, the copies of the runtime, and what is known of queues.
pub(super) struct Runtimes<'a> {
    visible: Vec<&'a Gpu>,
    copies: Vec<(String, &'a Runtime)>,
    assessment: Assessment,
}

impl<'a> Runtimes<'a> {
    pub(super) fn read(survey: &'a Survey) -> Self {
        Self {
            visible: survey.policy.visible(),
            copies: copies(survey),
            assessment: survey.policy.save_area(&survey.machine.root, survey.host.kernel.as_deref()),
        }
    }

    /// What a card's queues become with the installed runtimes, and by which name user space calls it.
    pub(super) fn card(&self, survey: &Survey, gpu: &Gpu) -> BTreeMap<String, Fact> {
        let mut facts = BTreeMap::new();
        let mut add = |name: &str, fact: Fact| _ = facts.insert(format!("{CARD}{name}"), fact);
        add("visible", Fact::flag(self.visible.iter().any(|other| other.node == gpu.node), "the environment"));
        if let Some(node) = survey.render_node(gpu) {
            let path = node.path.display().to_string();
            let group = node.group.clone().or_else(|| node.gid.map(|gid| gid.to_string()));
            add("render_group", Fact::of(group, &path));
            add("render_node", Fact::new(&path, &path));
        }
        let set = survey.policy.topology.as_ref().ok().and_then(|topology| survey.overrides.of(gpu, topology));
        let (text, target) =
            set.map_or((None, None), |set| (Some(format!("{}={}", set.variable, set.value)), set.target));
        let flag = |is: bool| if is { "yes" } else { "no" };
        let mut of_override = |name: &str, is: Option<&str>| add(name, Fact::of(is, "the environment"));
        of_override("override", text.as_deref());
        of_override("override_is_own", target.map(|target| flag(target == gpu.target)));
        of_override("override_differs", target.map(|target| flag(target.major != gpu.target.major)));
        add("override_target", Fact::of(target, "the environment"));
        let refused: Vec<_> = self
            .copies
            .iter()
            .filter(|(_, runtime)| runtime.release.is_some() && self.assessment.is_refused(gpu, runtime.release))
            .collect();
        let shows = |runtime: &Runtime| self.assessment.shows(&self.visible, runtime.hsa.as_deref());
        let obstacle = refused.iter().find_map(|(_, runtime)| shows(runtime).err());
        add("save_area_obstacle", Fact::of(obstacle, "rmcp explain save_area"));
        let values = refused.iter().map(|(place, runtime)| format!("ROCm {}", said(place, runtime))).collect();
        add("refused_runtimes", Fact { values, from: COPIES.into() });
        facts
    }
}

/// Every copy of the HIP runtime, once, with whose it is.
fn copies(survey: &Survey) -> Vec<(String, &Runtime)> {
    let place = |folder: &Path| survey.display_path(folder);
    let installed = survey.rocm.iter().filter_map(|rocm| Some((place(&rocm.prefix), rocm.runtime.as_ref()?)));
    let frameworks = survey.frameworks.iter().map(|(_, framework)| framework);
    let own = frameworks.filter_map(|framework| Some((place(&framework.folder), framework.runtime.as_ref()?)));
    let mut copies: Vec<(String, &Runtime)> = installed.chain(own).collect();
    copies.sort_by(|(_, one), (_, other)| one.hip.cmp(&other.hip));
    copies.dedup_by(|(_, one), (_, other)| one.hip == other.hip);
    copies
}

fn said(place: &str, runtime: &Runtime) -> String {
    let release = runtime.release.map_or_else(|| "unknown".into(), |release| release.to_string());
    format!("{release} in {place}")
}

fn named(python: &Python, framework: &Framework, survey: &Survey) -> String {
    let version = framework.version.as_deref().map(|version| format!(" {version}")).unwrap_or_default();
    format!("{}{version} of {}", framework.name, survey.display_path(&python.interpreter))
}
