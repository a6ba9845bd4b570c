//! The cards of this machine with the rules that RMCP has for each.

use crate::preload;
use crate::save_area::Assessment;
use rmcp_abi::gate::is_system_wide;
use rmcp_domain::gfx::GfxTarget;
use rmcp_domain::libraries::{LIBRARIES, Memory};
use rmcp_domain::options::{self, Loaded, Options, Row, SYSTEM_FENCES, Sources};
use rmcp_domain::policy::{self, IdleReason, Rules};
use rmcp_domain::release::Release;
use rmcp_domain::topology::{DEFAULT_ROOT, Gpu, Masks, Topology, TopologyError};
use rmcp_system::System;
use schemars::JsonSchema;
use serde::Serialize;
use std::path::Path;

/// The machine as a program would find it that is started here and now.
pub struct EffectivePolicy {
    /// The options.
    pub loaded: Loaded,
    /// The GPUs.
    pub topology: Result<Topology, TopologyError>,
    /// What hides some of them.
    pub masks: Masks,
    disabled: bool,
}

/// An option that says something on a matter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OptionValue {
    /// Its name.
    pub name: &'static str,
    /// Its value, as in a file.
    pub value: String,
    /// Where that is set: "default", "FILE:LINE" or an environment variable.
    pub origin: String,
}

impl EffectivePolicy {
    /// Reads it. `root` is the folder that has the machine's /sys and /dev, usually `/`.
    pub fn read(sources: &Sources, root: &Path) -> Self {
        let loaded = Options::load(sources);
        let topology = Topology::chosen(&loaded.options.topology, root);
        let disabled = sources.environment.iter().rev().find(|(name, _)| name == "RMCP_DISABLE");
        let disabled = options::is_disabled(disabled.map(|(_, value)| value.as_encoded_bytes()));
        Self { loaded, topology, masks: Masks::from_process(), disabled }
    }

    /// The GPUs that HIP numbers 0, 1, ...
    pub fn visible(&self) -> Vec<&Gpu> {
        self.topology.as_ref().map(|topology| topology.visible(&self.masks)).unwrap_or_default()
    }

    /// The rules for a GPU.
    pub fn rules(&self, target: GfxTarget, apu: bool) -> Rules {
        self.rules_with(&self.loaded.options, target, apu)
    }

    /// The same under options that hold for some callers.
    pub fn rules_with(&self, options: &Options, target: GfxTarget, apu: bool) -> Rules {
        match self.inactive_reason() {
            Some(_) => Rules::KEEP,
            None => Rules::for_gpu(target, apu, options),
        }
    }

    /// Whether some call could be given memory that is less coherent than what it asked for, on any of these GPUs.
    pub fn makes_noncoherent(&self, gpus: impl Iterator<Item = (GfxTarget, bool)>) -> bool {
        let options = self.loaded.all_options();
        gpus.into_iter().any(|(target, apu)| {
            options.iter().any(|options| self.rules_with(options, target, apu).makes_noncoherent())
        })
    }

    /// Why there are no rules for a GPU; None where there are.
    pub fn idle_reason(&self, target: GfxTarget, apu: bool) -> Option<String> {
        if let Some(why) = self.inactive_reason() {
            return Some(why);
        }
        match policy::idle_reason(target, apu, &self.loaded.options) {
            Some(IdleReason::UnsupportedTarget) => Some(format!("{target} is neither RDNA1 nor RDNA2")),
            Some(idle) => {
                let origin = idle.option().map(|name| self.option(name).origin).unwrap_or_default();
                Some(format!("{} ({origin})", idle.text()))
            }
            None => (!self.rules(target, apu).active()).then(|| "every option says keep".into()),
        }
    }

    /// Why RMCP does nothing in the program, whatever the GPU.
    pub fn inactive_reason(&self) -> Option<String> {
        if self.disabled {
            return Some("RMCP_DISABLE is set".into());
        }
        self.loaded.exclusion.as_ref().map(|why| format!("the program is {why}"))
    }

    /// Queues that the kernel refuses; `root` as for [`EffectivePolicy::read`], `kernel`: its release, else that of this
    /// machine.
    pub fn save_area(&self, root: &Path, kernel: Option<&str>) -> Assessment {
        let options = Some(&self.loaded.options).filter(|_| self.inactive_reason().is_none());
        let chosen = &self.loaded.options.topology;
        let folder = if chosen == Path::new(DEFAULT_ROOT) { under_root(root, DEFAULT_ROOT) } else { chosen.clone() };
        let kernel = kernel.map_or_else(Release::of_kernel, |kernel| kernel.parse().ok());
        let none = Topology::default();
        Assessment::new(&folder, self.topology.as_ref().unwrap_or(&none), options, kernel)
    }

    /// An option with its value and origin.
    pub fn option(&self, name: &'static str) -> OptionValue {
        OptionValue::new(options::row(name).expect("a row of the table"), &self.loaded)
    }
}

impl OptionValue {
    /// An option as it was loaded.
    pub fn new(row: &'static Row, loaded: &Loaded) -> Self {
        let origin = loaded.origin(row.name).map(ToString::to_string).unwrap_or_default();
        Self { name: row.name, value: row.get(&loaded.options), origin }
    }

    /// What `only` says.
    pub fn restriction(&self) -> String {
        format!("in {} alone ([system] {}, {})", self.value.trim_matches(['[', ']']), self.name, self.origin)
    }
}

/// What the options of a program come from that is started here: this command's own sections interest nobody, and the
/// sections `[system]` count where it has RMCP from `rmcp enable --system` alone. `root` as for [`EffectivePolicy::read`].
pub fn policy_sources(root: &Path) -> Sources {
    let entry = System::with_root(root).entry().ok().flatten();
    let system = entry.is_some_and(|entry| is_system_wide(entry.as_bytes())) && !preload::gate_in_environment();
    Sources { system, program: None, ..Sources::from_command() }
}

/// The programs to which `[system]` restricts RMCP where the list has it by this entry; None: it does not.
pub fn only_option(entry: &str) -> Option<OptionValue> {
    let system = is_system_wide(entry.as_bytes());
    let loaded = Options::load(&Sources { system, program: None, ..Sources::from_command() });
    let row = options::row("only").expect("a row of the table");
    (!loaded.options.only.is_empty()).then(|| OptionValue::new(row, &loaded))
}

/// For whose memory `host` and `managed` act in a program that no section names, and why, as the end of a sentence.
pub fn rewritten_memory(loaded: &Loaded) -> String {
    let of = |memory: &[Memory]| {
        let rows = LIBRARIES.iter().filter(|library| memory.contains(&library.memory));
        rows.map(|library| library.name).collect::<Vec<_>>().join(", ")
    };
    let callers = OptionValue::new(options::row("callers").expect("a row of the table"), loaded);
    if loaded.known_callers_only() {
        format!(
            "that of libraries known to be right with it ({}), and all in programs that a file of options names: every \
             process has RMCP, and nobody has chosen it for others ([system] {} = {}, {})",
            of(&[Memory::Rewrite, Memory::Unmapped]),
            callers.name,
            callers.value,
            callers.origin
        )
    } else {
        format!("all but that of libraries known to need it coherent ({})", of(&[Memory::Keep]))
    }
}

/// The same on a machine whose list has RMCP by this entry.
pub fn rewritten_memory_of_entry(entry: &str) -> String {
    let system = is_system_wide(entry.as_bytes());
    rewritten_memory(&Options::load(&Sources { system, program: None, ..Sources::from_command() }))
}

/// Sets options as `rmcp-run --set` does.
pub fn apply_settings(sources: &mut Sources, settings: &[(&'static Row, String)]) {
    if settings.is_empty() {
        return;
    }
    let settings = settings.iter().map(|(row, value)| (row.env().into(), value.into()));
    sources.environment.extend(settings);
    let (name, value) = SYSTEM_FENCES;
    if !sources.environment.iter().any(|(set, _)| set == name) {
        sources.environment.push((name.into(), value.into()));
    }
}

/// An absolute path below another root.
pub fn under_root(root: &Path, path: &str) -> std::path::PathBuf {
    root.join(path.trim_start_matches('/'))
}
