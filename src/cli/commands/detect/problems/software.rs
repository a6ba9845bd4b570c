//! ROCm, frameworks, and RMCP itself.

use super::{Problem, Severity, problem};
use crate::commands::detect::survey::Survey;
use crate::installs::{Backend, Framework, Runtime};
use std::env;
use std::path::PathBuf;

const INSTALL: &str = "install your distribution's ROCm (Debian: sudo apt install hipcc rocminfo) or AMD's \
                       (https://rocm.docs.amd.com), or a framework built for ROCm, which brings its own";

fn built_for_rocm(framework: &Framework) -> bool {
    matches!(framework.backend, Backend::Rocm(_))
}

/// No HIP runtime at all, or none but a framework's.
pub fn rocm(survey: &Survey) -> Option<Problem> {
    if survey.rocm.iter().any(|rocm| rocm.runtime.is_some()) {
        return None;
    }
    let own = survey.frameworks.iter().find(|(_, framework)| framework.runtime.is_some());
    Some(match own {
        Some((_, framework)) => problem(
            "rocm-only-in-a-framework",
            Severity::Note,
            format!("ROCm is not installed; {} brings a runtime of its own, which serves it alone", framework.name),
            "nothing, unless other programs are to use the card",
        ),
        None => problem("no-rocm", Severity::Error, "ROCm is not installed: there is no libamdhip64", INSTALL),
    })
}

/// Frameworks that cannot use the card.
pub fn frameworks(survey: &Survey) -> Vec<Problem> {
    let no_runtime = survey.rocm.iter().all(|rocm| rocm.runtime.is_none());
    let mut problems = Vec::new();
    for (python, framework) in &survey.frameworks {
        let name = framework.version.as_ref().map_or(framework.name.clone(), |v| format!("{} {v}", framework.name));
        let place = format!("{name} of {}", survey.display_path(&python.interpreter));
        match &framework.backend {
            Backend::Other(what) => problems.push(problem(
                "framework-without-rocm",
                Severity::Warning,
                format!("{place} is built for {what}, and cannot use an AMD GPU"),
                "install its build for ROCm, from the index that its makers name for that, in place of this one",
            )),
            Backend::Rocm(_) if framework.runtime.is_none() && no_runtime => problems.push(problem(
                "framework-without-runtime",
                Severity::Error,
                format!("{place} is built for ROCm, and there is no runtime that it could load"),
                INSTALL,
            )),
            Backend::Rocm(_) | Backend::Direct => {}
        }
        if let Some((why, fix)) = survey.missed(framework) {
            let what = format!("{place} looks up the functions of HIP itself, and its allocations go past RMCP: {why}");
            problems.push(problem("framework-past-rmcp", Severity::Warning, what, fix));
        }
    }
    problems
}

/// More than one copy of the runtime.
pub fn runtime_copies(survey: &Survey) -> Option<Problem> {
    let shown = |whose: String, runtime: &Runtime| {
        let release = runtime.release.map_or_else(|| "unknown".into(), |release| release.to_string());
        format!("{release} in {whose}")
    };
    let installed =
        survey.rocm.iter().filter_map(|rocm| Some((survey.display_path(&rocm.prefix), rocm.runtime.as_ref()?)));
    let own = survey.frameworks.iter().filter(|(_, framework)| built_for_rocm(framework));
    let own =
        own.filter_map(|(_, framework)| Some((survey.display_path(&framework.folder), framework.runtime.as_ref()?)));
    let mut copies: Vec<(String, &Runtime)> = installed.chain(own).collect();
    copies.sort_by(|(_, one), (_, other)| one.hip.cmp(&other.hip));
    copies.dedup_by(|(_, one), (_, other)| one.hip == other.hip);
    if copies.len() < 2 {
        return None;
    }
    let list: Vec<_> = copies.into_iter().map(|(whose, runtime)| shown(whose, runtime)).collect();
    Some(problem(
        "several-runtimes",
        Severity::Note,
        format!("there are {} copies of the HIP runtime: {}", list.len(), list.join("; ")),
        "nothing: RMCP follows the copy that each program loads. Remove those that nothing uses, to know which one that is",
    ))
}

/// LD_LIBRARY_PATH that puts one release's libraries before a framework's own of another.
pub fn library_path(survey: &Survey) -> Option<Problem> {
    let path = survey.machine.variable("LD_LIBRARY_PATH")?;
    let folders: Vec<PathBuf> = env::split_paths(path).map(|folder| survey.machine.resolve(folder)).collect();
    let ahead = folders.iter().find_map(|folder| Runtime::in_folder(folder))?;
    let (_, framework) = survey.frameworks.iter().find(|(_, framework)| {
        let own = framework.runtime.as_ref();
        own.is_some_and(|own| own.hip != ahead.hip && own.abi() != ahead.abi())
    })?;
    let what = format!(
        "LD_LIBRARY_PATH leads to {}, which is of another major release than the runtime that {} brings",
        survey.display_path(&ahead.hip),
        framework.name
    );
    let fix = format!("unset LD_LIBRARY_PATH for {}", framework.name);
    Some(
        problem("mixed-runtimes", Severity::Warning, what, fix)
            .with_sources(&["https://github.com/ROCm/ROCm/issues/2728"]),
    )
}

/// RMCP's own library and configuration.
pub fn rmcp(survey: &Survey) -> Vec<Problem> {
    let library = survey.preload.library.as_ref().err().map(|why| {
        let fix = "install RMCP anew: bin and lib/rmcp come together";
        problem("rmcp-library", Severity::Warning, format!("rmcp-run cannot work: {why}"), fix)
    });
    let complaints = &survey.policy.loaded.complaints;
    let configuration = complaints.first().map(|first| {
        let more = if complaints.len() > 1 { format!(", and {} more", complaints.len() - 1) } else { String::new() };
        problem("rmcp-configuration", Severity::Warning, format!("{first}{more}"), "rmcp config check shows all of it")
    });
    library.into_iter().chain(configuration).collect()
}
