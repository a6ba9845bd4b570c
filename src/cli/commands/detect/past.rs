//! What goes past RMCP on this machine.

use super::survey::Survey;
use crate::installs::{Backend, Framework, Release, Runtime};
use crate::lookups::Lookups;

/// Calls that no preloaded library sees, whatever the runtime.
const OUT_OF_REACH: &str = "programs that are statically linked, linked with musl, or 32-bit";
const LOOKED_UP: &str = "functions of HIP that a program looks up itself (dlsym, ctypes), and calls of libraries loaded with \
    RTLD_DEEPBIND";

impl Survey {
    /// What becomes of functions that are looked up, with a runtime of this release.
    pub fn lookups(&self, release: Option<Release>) -> Lookups {
        Lookups::new(self.policy.loaded.options.dispatch_table, release)
    }

    /// Why a framework's calls of HIP go past RMCP, and what to do. None where they do not.
    pub fn missed(&self, framework: &Framework) -> Option<(&'static str, &'static str)> {
        let looks_up = matches!(framework.backend, Backend::Rocm(_))
            && framework.known().is_some_and(|row| row.looks_functions_up);
        self.lookups(framework.rocm_release()).miss().filter(|_| looks_up)
    }

    /// What goes past RMCP, and why; one line each.
    pub fn past_rmcp(&self) -> Vec<String> {
        let installed = self.rocm.iter().filter_map(|rocm| Some((rocm.runtime.as_ref()?, rocm.release)));
        let own = self.frameworks.iter().filter_map(|(_, each)| Some((each.runtime.as_ref()?, each.rocm_release())));
        let tells = |(runtime, release): (&Runtime, Option<Release>)| {
            let (why, _) = self.lookups(release.or(runtime.release)).miss()?;
            Some((why, self.display_path(&runtime.hip)))
        };
        let mut runtimes: Vec<_> = installed.chain(own).filter_map(tells).collect();
        runtimes.sort();
        runtimes.dedup();
        let line = |(why, runtime)| format!("{LOOKED_UP}, with {runtime}: {why}");
        runtimes.into_iter().map(line).chain([OUT_OF_REACH.into()]).collect()
    }
}
