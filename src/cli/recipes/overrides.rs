//! HSA_OVERRIDE_GFX_VERSION: one variable for all GPUs, or one for each.

use super::plan::{Note, Planner, condition_recipe, gpu_label};
use super::situation::{OVERRIDE, Situation};
use super::table::{Action, Condition, Recipe, pattern_matches, recipes};
use rmcp_domain::gfx::GfxTarget;
use rmcp_domain::topology::{Gpu, Override};
use std::collections::BTreeMap;

/// What one GPU needs.
struct OverrideRequest<'a> {
    gpu: &'a Gpu,
    value: String,
    /// The target that the value names.
    target: Option<GfxTarget>,
    recipe: &'static Recipe,
}

/// Variables that the user has set and that were removed, each with the numbers of the nodes that it harmed.
type RemovedOverrides = BTreeMap<String, Vec<u32>>;

/// Applies the recipes that are about the override.
pub(super) fn plan_overrides(maker: &mut Planner<'_>) {
    let gpus = maker.gpus.clone();
    let removed = remove_harmful(maker, &gpus);
    let mut requests = Vec::new();
    for gpu in gpus {
        let recipe = override_recipe(maker.situation, gpu);
        let request = recipe.and_then(|recipe| {
            Some(OverrideRequest {
                gpu,
                value: recipe.variables.get(OVERRIDE)?.clone(),
                target: recipe.substitute,
                recipe,
            })
        });
        let Some(Override { variable, value, target }) = maker.situation.user_override(gpu) else {
            requests.extend(request);
            continue;
        };
        match removed.get(&variable) {
            Some(nodes) if nodes.contains(&gpu.node) => requests.extend(request),
            // Gone because of another GPU; this one keeps what the user gave it, in a variable of its own.
            Some(_) if target != Some(gpu.target) => {
                requests.extend(recipe.or(condition_recipe(Condition::PerNode)).map(|recipe| OverrideRequest {
                    gpu,
                    value,
                    target,
                    recipe,
                }));
            }
            Some(_) => {}
            None => {
                if let Some(request) = request {
                    maker.set(variable, request.value, request.recipe, vec![gpu_label(gpu)]);
                }
            }
        }
    }
    assign_overrides(maker, &requests);
}

/// Looks at what the user has set, GPU by GPU.
fn remove_harmful(maker: &mut Planner<'_>, gpus: &[&Gpu]) -> RemovedOverrides {
    let situation = maker.situation;
    let mut condemned = RemovedOverrides::new();
    let rows = recipes().iter().filter(|recipe| recipe.is_override() && recipe.action != Action::Set);
    let rows = rows.filter(|recipe| recipe.condition != Some(Condition::OverrideUnreadable));
    for recipe in rows.filter(|recipe| !recipe.targets.is_empty() || maker.any_supported()).collect::<Vec<_>>() {
        let mut found: BTreeMap<(String, String), Vec<&Gpu>> = BTreeMap::new();
        for &gpu in gpus {
            let Some(set) = situation.user_override(gpu) else { continue };
            let version = set.version();
            let Override { variable: name, value, .. } = set;
            let pattern = recipe.variables.get(OVERRIDE).is_some_and(|pattern| pattern_matches(pattern, &version));
            let done = condemned.get(&name).is_some_and(|nodes| nodes.contains(&gpu.node));
            if pattern && !done && recipe.matches_program(situation) && recipe.matches_gpu(situation, gpu) {
                found.entry((name, value)).or_default().push(gpu);
            }
        }
        for ((name, value), gpus) in found {
            maker.handle_user_value(&name, &value, recipe, gpus.iter().copied().map(gpu_label).collect());
            if recipe.action == Action::Remove {
                condemned.entry(name).or_default().extend(gpus.iter().map(|gpu| gpu.node));
            }
        }
    }
    if situation.keep_environment { RemovedOverrides::new() } else { condemned }
}

/// The recipe that sets this GPU's override.
fn override_recipe(situation: &Situation, gpu: &Gpu) -> Option<&'static Recipe> {
    recipes().iter().find(|recipe| {
        recipe.action == Action::Set
            && recipe.variables.contains_key(OVERRIDE)
            && recipe.matches_program(situation)
            && recipe.matches_gpu(situation, gpu)
    })
}

/// Sets the plain variable where that suits every GPU of the machine, else the numbered ones.
fn assign_overrides(maker: &mut Planner<'_>, requests: &[OverrideRequest<'_>]) {
    let situation = maker.situation;
    let Some(first) = requests.first() else { return };
    let same = |gpu: &Gpu| match requests.iter().find(|request| request.gpu.node == gpu.node) {
        Some(request) => request.value == first.value,
        None => first.target == Some(gpu.target) || has_numbered_override(situation, gpu),
    };
    let per_node = situation.supports_numbered_override();
    // ROCm refuses an override of another generation for hidden GPUs too (ROCm/rocm-systems#5686); releases without
    // numbered overrides do not.
    let plain = match per_node {
        Some(false) => maker.gpus.iter().all(|gpu| same(gpu)),
        _ => situation.topology.gpus.iter().all(same),
    };
    if plain {
        let gpus = requests.iter().map(|request| gpu_label(request.gpu)).collect();
        return maker.set(OVERRIDE.into(), first.value.clone(), first.recipe, gpus);
    }
    if let (Some(false), Some(recipe)) = (per_node, condition_recipe(Condition::NoPerNode)) {
        for request in requests {
            let why = recipe.why.replace("{value}", &request.value);
            maker.warn(&[gpu_label(request.gpu)], recipe, why, recipe.fix.clone());
        }
        return;
    }
    for request in requests {
        maker.set(
            situation.numbered_variable(request.gpu),
            request.value.clone(),
            request.recipe,
            vec![gpu_label(request.gpu)],
        );
    }
    let Some(recipe) = condition_recipe(Condition::PerNode) else { return };
    let mut text = recipe.why.clone();
    if let (None, Some(range)) = (per_node, &recipe.rocm) {
        text += &format!(" The ROCm release of this program is not known; the number needs {range}.");
    }
    maker.plan.notes.push(Note::new(per_node.is_none(), text, Some(recipe)));
}

fn has_numbered_override(situation: &Situation, gpu: &Gpu) -> bool {
    situation.environment.contains_key(&situation.numbered_variable(gpu))
}
