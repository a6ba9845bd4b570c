//! Queues that the kernel refuses, so that no kernel starts.

use super::{Problem, Severity, problem};
use crate::commands::detect::survey::Survey;
use crate::installs::Runtime;
use crate::save_area::MENDED;
use rmcp_domain::save_area::KERNEL_WAVES;
use std::path::PathBuf;

const SOURCES: &[&str] =
    &["https://github.com/ROCm/TheRock/issues/7472", "https://github.com/ROCm/rocm-systems/pull/11299"];

/// Each runtime that sizes the save area of a card's queues by other waves than the kernel.
pub fn refused(survey: &Survey) -> Vec<Problem> {
    let assessment = survey.policy.save_area(&survey.machine.root, survey.host.kernel.as_deref());
    let installed = survey.rocm.iter().filter_map(|rocm| Some((&rocm.prefix, rocm.runtime.as_ref()?)));
    let own =
        survey.frameworks.iter().filter_map(|(_, framework)| Some((&framework.folder, framework.runtime.as_ref()?)));
    let mut runtimes: Vec<(&PathBuf, &Runtime)> = installed.chain(own).collect();
    runtimes.sort_by_key(|(_, runtime)| &runtime.hip);
    runtimes.dedup_by_key(|(_, runtime)| &runtime.hip);
    let visible = survey.policy.visible();
    let problem = |(folder, runtime): (&PathBuf, &Runtime)| {
        let release = runtime.release?;
        let gpu = visible.iter().find(|gpu| assessment.is_refused(gpu, Some(release)))?;
        let waves = assessment.cards.get(&gpu.node)?.waves_per_unit();
        let what = format!(
            "no kernel can start on {} with ROCm {release} in {}: {waves} against {KERNEL_WAVES} waves. The runtime sizes a \
             queue's save area for {waves} waves a compute unit, and Linux {} takes it for {KERNEL_WAVES} alone (\"Freezing the \
             executable failed\", HSA_STATUS_ERROR_OUT_OF_RESOURCES)",
            gpu.target,
            survey.display_path(folder),
            assessment.kernel?,
        );
        let fix = match assessment.shows(&visible, runtime.hsa.as_deref()) {
            Ok(()) => format!("start programs with rmcp-run, or have RMCP in all by rmcp enable --system: {MENDED}"),
            Err(why) => format!("use ROCm 7.2 or 6.4, or 10.2; RMCP does not mend it: {why}"),
        };
        Some(problem("no-kernel-starts", Severity::Error, what, fix).with_sources(SOURCES))
    };
    runtimes.into_iter().filter_map(problem).collect()
}
