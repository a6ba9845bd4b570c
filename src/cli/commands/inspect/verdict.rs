//! Whether code that exists serves a card that exists, and what helps where it does not: as config/recipes.toml says.

use crate::inspect::device_wheel::{DeviceWheel, missing_device_wheels};
use crate::inspect::{CodeInventory, Targets};
use crate::installs::Release;
use crate::recipes::{Action, CodeMatch, Confidence, Recipe, recipes};
use rmcp_domain::gfx::{Family, GfxTarget};

/// How a card is served by code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// The code was made for this card, or for a group that it is of.
    Native,
    /// With HSA_OVERRIDE_GFX_VERSION, under which the card says it is another.
    Override {
        /// What the card says it is, and what the code was made for.
        via: GfxTarget,
    },
    /// Not at all.
    None,
}

/// What to do about a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// A sentence for people.
    pub text: String,
    /// Where that is known from; empty for what goes without saying.
    pub sources: Vec<String>,
    /// How sure it is.
    pub confidence: Confidence,
}

impl Coverage {
    /// How `card` is served when it needs code from every one of `sets`, such as a framework and its BLAS library:
    /// under one name it must find code in all of them. No set at all is no code.
    pub fn of_sets<'a>(card: GfxTarget, sets: impl IntoIterator<Item = &'a Targets>) -> Self {
        let sets: Vec<&Targets> = sets.into_iter().collect();
        let all_run_on = |name| !sets.is_empty() && sets.iter().all(|set| set.runs_on(name));
        if all_run_on(card) {
            return Self::Native;
        }
        let mut substitutes =
            code_recipes(card, CodeMatch::Substitute, Action::Set, None).filter_map(|recipe| recipe.substitute);
        substitutes.find(|&via| all_run_on(via)).map_or(Self::None, |via| Self::Override { via })
    }

    /// The same for all that was found, but for what a card can do without: see [`CodeInventory::required`].
    pub fn of_inventory(card: GfxTarget, found: &CodeInventory) -> Self {
        Self::of_sets(card, required_targets(found))
    }

    /// The value of HSA_OVERRIDE_GFX_VERSION that it takes, as in "10.3.0".
    pub fn override_version(self) -> Option<String> {
        match self {
            Self::Override { via } => Some(format!("{}.{}.{}", via.major, via.minor, via.stepping)),
            Self::Native | Self::None => None,
        }
    }
}

/// What helps a card with what was found, under the release of ROCm that it is for, where that is known; nothing where it is served natively.
pub fn advice(card: GfxTarget, found: &CodeInventory, rocm: Option<Release>) -> Vec<Advice> {
    let mut advice: Vec<Advice> = missing_device_wheels(found, card).iter().map(wheel_advice).collect();
    advice.extend(code_advice(card, found, rocm));
    advice
}

/// The code for the card comes in a wheel of its own.
fn wheel_advice(wheel: &DeviceWheel) -> Advice {
    let DeviceWheel { name, version, host, installed } = wheel;
    let installed = match installed {
        Some(installed) => format!("only {installed} is installed"),
        None => "it is not installed".into(),
    };
    Advice {
        text: format!(
            "The code for this card of {host} {version} is in the wheel {name}=={version}; {installed}. Install it from \
             the index that {host} came from: what PyPI has of that name is empty."
        ),
        sources: vec![
            "https://github.com/ROCm/TheRock/issues/5446".into(),
            "https://github.com/ROCm/TheRock/issues/8151".into(),
        ],
        confidence: Confidence::A,
    }
}

fn code_advice(card: GfxTarget, found: &CodeInventory, rocm: Option<Release>) -> Vec<Advice> {
    let coverage = Coverage::of_inventory(card, found);
    match coverage {
        Coverage::Native => Vec::new(),
        Coverage::Override { via } => {
            let version = coverage.override_version().unwrap_or_default();
            let chosen = code_recipes(card, CodeMatch::Substitute, Action::Set, None)
                .filter(|recipe| recipe.substitute == Some(via));
            let text = |why: &str| {
                format!("rmcp-run sets HSA_OVERRIDE_GFX_VERSION={version} for a program with this code. {why}")
            };
            chosen.map(|recipe| recipe_advice(recipe, text(&recipe.why))).collect()
        }
        Coverage::None => {
            let in_all = |target| required_targets(found).all(|set: &Targets| set.runs_on(target));
            let unsure = code_recipes(card, CodeMatch::Substitute, Action::Warn, rocm)
                .filter(|recipe| recipe.substitute.is_some_and(in_all));
            let missing = || code_recipes(card, CodeMatch::Missing, Action::Warn, rocm);
            let mut advice: Vec<Advice> =
                unsure.map(|recipe| recipe_advice(recipe, capitalized_reason(recipe))).collect();
            if advice.is_empty() {
                advice.extend(missing().map(|recipe| recipe_advice(recipe, capitalized_reason(recipe))));
            }
            advice.push(build_advice(card));
            advice
        }
    }
}

/// Where code for the card is to be had.
fn build_advice(card: GfxTarget) -> Advice {
    match card.family() {
        Family::Rdna1 | Family::Rdna2 => Advice {
            text: format!(
                "Builds with {card} may be had as a wheel of TheRock for its family, or as Debian's or Arch's package."
            ),
            sources: vec![
                "https://github.com/pytorch/pytorch/issues/132570".into(),
                "https://github.com/ROCm/rocBLAS/issues/1339".into(),
            ],
            confidence: Confidence::A,
        },
        Family::Other => {
            Advice { text: format!("Use a build that has {card}."), sources: Vec::new(), confidence: Confidence::C }
        }
    }
}

fn required_targets(found: &CodeInventory) -> impl Iterator<Item = &Targets> {
    found.required().map(|code| &code.targets)
}

/// The recipes about the code for a card that hold for any program of this ROCm release; where that is not known, those that
/// hold for whatever release.
fn code_recipes(
    card: GfxTarget,
    code: CodeMatch,
    action: Action,
    rocm: Option<Release>,
) -> impl Iterator<Item = &'static Recipe> {
    recipes().iter().filter(move |recipe| {
        let any_program = recipe.frameworks.is_empty() && recipe.profile.is_none() && recipe.condition.is_none();
        let of_release = recipe.rocm.as_ref().is_none_or(|range| range.contains(rocm));
        recipe.targets.contains(&card)
            && recipe.code == Some(code)
            && recipe.action == action
            && any_program
            && of_release
    })
}

fn recipe_advice(recipe: &Recipe, text: String) -> Advice {
    Advice { text, sources: recipe.sources.clone(), confidence: recipe.confidence }
}

/// The reason of a warning, which begins small and points to this command.
fn capitalized_reason(recipe: &Recipe) -> String {
    recipe.sentence().replace(" (rmcp inspect shows what is there)", "")
}
