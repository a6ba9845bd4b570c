//! Whether code that exists runs on a card that exists.

use super::Targets;
use crate::gfx::GfxTarget;

/// How a card is served by code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// The code was made for this card, or for a group that it is of.
    Native,
    /// With HSA_OVERRIDE_GFX_VERSION, under which the card says it is `via`.
    Override {
        /// What the card says it is, and what the code was made for.
        via: GfxTarget,
    },
    /// Not at all.
    None,
}

/// A card that runs code made for another, as users and maintainers report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OverrideRule {
    /// The card.
    pub card: GfxTarget,
    /// What it may say it is.
    pub via: GfxTarget,
    /// Who says so.
    pub sources: &'static [&'static str],
}

const RDNA1: &[&str] =
    &["https://github.com/ROCm/rocBLAS/issues/1339", "https://github.com/ROCm/rocm-libraries/issues/8838"];
const RDNA2: &[&str] = &["https://github.com/ROCm/pytorch/issues/2730", "https://github.com/ROCm/rocBLAS/issues/1331"];

/// Every override that is reported to work. gfx1010 is not among the cards: gfx1030 code may use instructions that it
/// lacks. Nor is gfx1036: there are reports of trouble under 10.3.0 and none of success that was checked.
pub const OVERRIDES: [OverrideRule; 8] = [
    OverrideRule { card: GfxTarget::new(10, 1, 1), via: GfxTarget::new(10, 1, 0), sources: RDNA1 },
    OverrideRule { card: GfxTarget::new(10, 1, 2), via: GfxTarget::new(10, 1, 0), sources: RDNA1 },
    OverrideRule { card: GfxTarget::new(10, 1, 3), via: GfxTarget::new(10, 1, 0), sources: RDNA1 },
    OverrideRule { card: GfxTarget::new(10, 3, 1), via: GfxTarget::new(10, 3, 0), sources: RDNA2 },
    OverrideRule { card: GfxTarget::new(10, 3, 2), via: GfxTarget::new(10, 3, 0), sources: RDNA2 },
    OverrideRule { card: GfxTarget::new(10, 3, 3), via: GfxTarget::new(10, 3, 0), sources: RDNA2 },
    OverrideRule { card: GfxTarget::new(10, 3, 4), via: GfxTarget::new(10, 3, 0), sources: RDNA2 },
    OverrideRule { card: GfxTarget::new(10, 3, 5), via: GfxTarget::new(10, 3, 0), sources: RDNA2 },
];

impl Coverage {
    /// How `card` is served when it needs code from every one of `sets`, such as a framework and its BLAS library:
    /// under one name it must find code in all of them. No set at all is no code.
    pub fn of<'a>(card: GfxTarget, sets: impl IntoIterator<Item = &'a Targets>) -> Self {
        let sets: Vec<&Targets> = sets.into_iter().collect();
        let all_run_on = |name| !sets.is_empty() && sets.iter().all(|set| set.run_on(name));
        if all_run_on(card) {
            return Self::Native;
        }
        let mut rules = OVERRIDES.iter().filter(|rule| rule.card == card);
        rules.find(|rule| all_run_on(rule.via)).map_or(Self::None, |rule| Self::Override { via: rule.via })
    }

    /// The value of HSA_OVERRIDE_GFX_VERSION that it takes, as in "10.3.0".
    pub fn override_version(self) -> Option<String> {
        match self {
            Self::Override { via } => Some(override_version(via)),
            Self::Native | Self::None => None,
        }
    }
}

/// A target as HSA_OVERRIDE_GFX_VERSION wants it: three decimal numbers.
pub fn override_version(target: GfxTarget) -> String {
    format!("{}.{}.{}", target.major, target.minor, target.stepping)
}
