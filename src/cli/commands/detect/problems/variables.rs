//! Environment variables that do harm or nothing.

use super::{Problem, Severity, problem};
use crate::commands::detect::survey::Survey;
use crate::installs::{Backend, Framework};
use rmcp_domain::gfx::{Family, GfxTarget};

const WRONG_ISA: &[&str] =
    &["https://github.com/ROCm/ROCm/issues/2527", "https://github.com/NixOS/nixpkgs/issues/298388"];

/// HSA_OVERRIDE_GFX_VERSION, card by card.
pub fn overrides(survey: &Survey) -> Vec<Problem> {
    let Ok(topology) = &survey.policy.topology else { return Vec::new() };
    let mut problems: Vec<Problem> = Vec::new();
    for gpu in survey.policy.visible() {
        let Some(set) = survey.overrides.of(gpu, topology) else { continue };
        let (variable, value) = (&set.variable, &set.value);
        let problem = match set.target {
            None => Some(problem(
                "override-unreadable",
                Severity::Error,
                format!("{variable} is {value:?}, with which no ROCm program starts"),
                "write it as three numbers, such as 10.3.0, or unset it",
            )),
            Some(target) if target == gpu.target => Some(
                problem(
                    "override-without-use",
                    Severity::Note,
                    format!("{variable}={value} says of the {target} what it is already"),
                    format!("unset {variable}: it hurts the next card or build that needs another"),
                )
                .with_sources(&["https://github.com/ROCm/ROCm/issues/5238"]),
            ),
            Some(target) => harmful_override(gpu.target, target, variable, value),
        };
        problems.extend(problem.filter(|problem| !problems.contains(problem)));
    }
    problems
}

/// An override that makes a card run code that is not for it.
fn harmful_override(real: GfxTarget, claimed: GfxTarget, variable: &str, value: &str) -> Option<Problem> {
    if real.family() == Family::Rdna1 && claimed.family() == Family::Rdna2 {
        let unset = if real == GfxTarget::new(10, 1, 0) { "unset it" } else { "use 10.1.0 instead" };
        let what = format!(
            "{variable}={value} makes the {real} run code for {claimed}, which may use instructions that it does not have: \
             memory faults and hangs are reported with ROCm from 5.3 on"
        );
        let fix = format!(
            "{unset}, and use a build with code for {}; `rmcp inspect` shows whether one has",
            rdna1_targets(real)
        );
        return Some(problem("override-of-rdna1", Severity::Warning, what, fix).with_sources(WRONG_ISA));
    }
    if real.major != claimed.major {
        let what = format!("{variable}={value} makes the {real} run code for {claimed}, another generation");
        return Some(
            problem("override-of-another-generation", Severity::Error, what, format!("unset {variable}"))
                .with_sources(&["https://github.com/ROCm/ROCm/issues/3054"]),
        );
    }
    None
}

/// The targets whose code an RDNA1 card runs.
fn rdna1_targets(real: GfxTarget) -> String {
    let gfx1010 = GfxTarget::new(10, 1, 0);
    if real == gfx1010 { real.to_string() } else { format!("{real} or {gfx1010}") }
}

/// Variables that are recommended, and change nothing here.
pub fn variables_without_effect(survey: &Survey) -> Vec<Problem> {
    let ours = survey.gpus().iter().any(|gpu| gpu.target.family() != Family::Other);
    let note = |name: &'static str, why: &str| {
        survey.machine.variable(name).filter(|_| ours)?;
        Some(problem(
            "variable-without-effect",
            Severity::Note,
            format!("{name} is set: {why}"),
            format!("unset {name}"),
        ))
    };
    [
        note(
            "HIP_HOST_COHERENT",
            "the runtime decides by the flags of the call before it looks at it, see docs/understand/coherence.md",
        ),
        note("HIP_FORCE_COARSE_GRAIN", "no ROCm release knows it"),
        note("HSA_XNACK", "RDNA1 and RDNA2 cards have no XNACK"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// PyTorch's expandable segments, which its builds for ROCm before 7 do not have.
pub fn expandable_segments(survey: &Survey) -> Option<Problem> {
    let names = ["PYTORCH_ALLOC_CONF", "PYTORCH_HIP_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF"];
    let asks = |name: &&str| {
        survey.machine.variable(name).is_some_and(|value| value.to_string_lossy().contains("expandable_segments:True"))
    };
    let name = names.into_iter().find(|name| asks(name))?;
    let old = |framework: &Framework| {
        framework.name == "torch" && matches!(framework.backend, Backend::Rocm(Some(release)) if release.major < 7)
    };
    survey.frameworks.iter().find(|(_, framework)| old(framework))?;
    let what =
        format!("{name} asks for expandable_segments, which PyTorch ignores with ROCm before 7; hangs are reported");
    let fix = "write expandable_segments:False, or leave it out";
    Some(
        problem("expandable-segments", Severity::Warning, what, fix)
            .with_sources(&["https://github.com/pytorch/pytorch/issues/179781"]),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn override_problem(real: &str, claimed: &str) -> Option<(&'static str, String)> {
        let problem =
            harmful_override(real.parse().unwrap(), claimed.parse().unwrap(), "HSA_OVERRIDE_GFX_VERSION", "x");
        problem.map(|problem| (problem.id, problem.fix))
    }

    #[test]
    fn gfx1030_code_is_refused_for_rdna1_and_fine_for_the_rest_of_rdna2() {
        let (id, fix) = override_problem("gfx1010", "gfx1030").unwrap();
        assert!(id == "override-of-rdna1" && fix.starts_with("unset it"), "{fix}");
        assert!(override_problem("gfx1012", "gfx1030").unwrap().1.starts_with("use 10.1.0 instead"));
        for rdna2 in ["gfx1031", "gfx1032", "gfx1034", "gfx1035"] {
            assert_eq!(override_problem(rdna2, "gfx1030"), None, "{rdna2}");
        }
        assert_eq!(override_problem("gfx1012", "gfx1010"), None);
    }

    #[test]
    fn another_generation_is_an_error() {
        assert_eq!(override_problem("gfx1030", "gfx1100").unwrap().0, "override-of-another-generation");
        assert_eq!(override_problem("gfx1010", "gfx900").unwrap().0, "override-of-another-generation");
    }
}
