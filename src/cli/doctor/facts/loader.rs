//! What the dynamic loader would put before a program's own libraries.

use super::{Fact, Facts};
use crate::commands::detect::Survey;
use crate::installs::{Machine, Runtime, configured_folders};
use rmcp_system::{LIST, list};
use std::env;
use std::path::PathBuf;

impl Facts {
    /// Libraries that are preloaded beside RMCP's, and runtimes that folders of the loader lead to.
    pub(super) fn add_loader(&mut self, survey: &Survey) {
        let machine = &survey.machine;
        let everywhere = list::entries(machine.text(LIST).unwrap_or_default().as_bytes());
        let here = machine.variable("LD_PRELOAD").map(|value| value.to_string_lossy().into_owned()).unwrap_or_default();
        let here = here.split([' ', ':']).filter(|entry| !entry.is_empty()).map(str::to_owned);
        let others = everywhere.into_iter().chain(here).filter(|entry| !list::is_rmcp(entry)).collect();
        self.add("preload.others", Fact { values: others, from: format!("LD_PRELOAD, {LIST}") });
        let runtimes = |folders: Vec<PathBuf>| -> Vec<Runtime> {
            folders.iter().filter_map(|folder| Runtime::in_folder(folder)).collect()
        };
        let ahead = runtimes(library_path(machine));
        self.add("loader.path_runtime", Fact { values: shown(&ahead, survey), from: "LD_LIBRARY_PATH".into() });
        let foreign = ahead.first().filter(|first| {
            let mut own = survey.frameworks.iter().filter_map(|(_, framework)| framework.runtime.as_ref());
            own.any(|own| own.hip != first.hip && own.abi() != first.abi())
        });
        let foreign = foreign.map(|runtime| survey.display_path(&runtime.hip));
        self.add("loader.foreign_runtime", Fact::of(foreign, "LD_LIBRARY_PATH"));
        let configured = runtimes(configured_folders(machine));
        let values = shown(&configured, survey);
        self.add("loader.configured_runtime", Fact { values, from: "/etc/ld.so.conf".into() });
    }
}

/// The folders of LD_LIBRARY_PATH. An empty entry is the current one. (ld.so(8))
pub fn library_path(machine: &Machine) -> Vec<PathBuf> {
    let Some(path) = machine.variable("LD_LIBRARY_PATH") else { return Vec::new() };
    env::split_paths(path).map(|folder| machine.resolve(folder)).collect()
}

/// The libraries of runtimes, as they are shown.
fn shown(runtimes: &[Runtime], survey: &Survey) -> Vec<String> {
    runtimes.iter().map(|runtime| survey.display_path(&runtime.hip)).collect()
}
