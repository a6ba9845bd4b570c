//! An HSA_OVERRIDE_GFX_VERSION that ROCr does not read, and with which no program starts on any GPU.

use super::plan::{Change, Note, Plan, Planner, assignment, condition_recipe, gpu_label};
use super::situation::Situation;
use super::table::Condition;
use rmcp_domain::topology::{Gpu, Override};
use std::collections::BTreeMap;

/// Writes it as ROCr reads it where its meaning is certain, removes it elsewhere. Returns what the other recipes look at.
pub(super) fn repair(situation: &Situation, plan: &mut Plan) -> Situation {
    let mut repaired = situation.clone();
    let mut maker = Planner { situation, plan: std::mem::take(plan), gpus: situation.visible() };
    if let Some(recipe) = condition_recipe(Condition::OverrideUnreadable).filter(|_| maker.any_supported()) {
        for (variable, (set, gpus)) in unreadable(situation) {
            let mended = set.mended().filter(|_| situation.may_change(&variable));
            match &mended {
                Some(mended) => {
                    let text = format!(
                        "{} is written as {mended} for {} (--keep-env keeps it): {}",
                        assignment(&variable, &set.value),
                        gpus.join(" and "),
                        recipe.why
                    );
                    maker.plan.notes.push(Note::new(true, text, Some(recipe)));
                    let (before, after) = (Some(set.value), Some(mended.clone()));
                    maker.add_change(Change { variable: variable.clone(), before, after, recipe, gpus });
                }
                None => maker.handle_user_value(&variable, &set.value, recipe, gpus),
            }
            if situation.may_change(&variable) {
                match mended {
                    Some(mended) => repaired.environment.insert(variable, mended),
                    None => repaired.environment.remove(&variable),
                };
            }
        }
    }
    *plan = maker.plan;
    repaired
}

/// Those that ROCr would read, by variable, with the GPUs for which it does. It reads them for hidden GPUs too.
fn unreadable(situation: &Situation) -> BTreeMap<String, (Override, Vec<String>)> {
    let mut found = BTreeMap::<String, (Override, Vec<String>)>::new();
    let read = |gpu: &Gpu| Some((gpu_label(gpu), situation.user_override(gpu).filter(|set| set.target.is_none())?));
    for (gpu, set) in situation.topology.gpus.iter().filter_map(read) {
        found.entry(set.variable.clone()).or_insert_with(|| (set, Vec::new())).1.push(gpu);
    }
    found
}
