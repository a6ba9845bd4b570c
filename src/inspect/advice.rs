//! What helps a card that code was not made for. Only what is reported to help, with who says so and how sure that is.

use super::coverage::{Coverage, OVERRIDES};
use crate::gfx::{Family, GfxTarget};

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// A sentence for people.
    pub text: String,
    /// Who says so.
    pub sources: &'static [&'static str],
    /// How sure it is.
    pub confidence: Confidence,
}

/// How sure it is that something helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confidence {
    /// Maintainers, source code or at least two users say so.
    Confirmed,
    /// One report, or a disputed one.
    Reported,
    /// Nobody was found to say so: it follows from how things work.
    Inferred,
}

const NATIVE_TORCH: &[&str] =
    &["https://github.com/pytorch/pytorch/issues/132570", "https://github.com/ROCm/rocBLAS/issues/1339"];
const FOREIGN_ISA: &[&str] =
    &["https://github.com/ROCm/ROCm/issues/2527", "https://github.com/NixOS/nixpkgs/issues/298388"];
const RAPHAEL: &[&str] = &["https://github.com/ROCm/ROCm/issues/3015"];

/// What to do about a card that is covered like this; none for one that needs nothing.
pub fn advice(card: GfxTarget, coverage: Coverage) -> Vec<Advice> {
    match coverage {
        Coverage::Native => Vec::new(),
        Coverage::Override { via } => {
            let rule = OVERRIDES.iter().find(|rule| rule.card == card && rule.via == via);
            let version = coverage.override_version().unwrap_or_default();
            let text = format!(
                "set HSA_OVERRIDE_GFX_VERSION={version} for this program: the {card} then runs the code for {via}. A build \
                 with {card} needs none of that"
            );
            let sources = rule.map_or(&[][..], |rule| rule.sources);
            vec![Advice { text, sources, confidence: Confidence::Confirmed }]
        }
        Coverage::None => none(card),
    }
}

fn none(card: GfxTarget) -> Vec<Advice> {
    let build = |sources, confidence| Advice {
        text: format!(
            "install a build that has {card}: a wheel of TheRock for its family, or Debian's or Arch's package"
        ),
        sources,
        confidence,
    };
    match card.family() {
        Family::Rdna1 => {
            let text = format!(
                "do not set HSA_OVERRIDE_GFX_VERSION=10.3.0: code for gfx1030 may use instructions that a {card} lacks, and \
                 faults or hangs"
            );
            vec![
                build(NATIVE_TORCH, Confidence::Confirmed),
                Advice { text, sources: FOREIGN_ISA, confidence: Confidence::Confirmed },
            ]
        }
        Family::Rdna2 if card == GfxTarget::new(10, 3, 6) => {
            let text =
                "or hide it with ROCR_VISIBLE_DEVICES where there is another card; 10.3.0 is reported to fail on it";
            vec![
                build(RAPHAEL, Confidence::Reported),
                Advice { text: text.into(), sources: RAPHAEL, confidence: Confidence::Reported },
            ]
        }
        Family::Rdna2 => vec![build(NATIVE_TORCH, Confidence::Confirmed)],
        Family::Other => vec![Advice {
            text: format!("install a build that has {card}"),
            sources: &[],
            confidence: Confidence::Inferred,
        }],
    }
}

impl Confidence {
    /// One word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Reported => "reported",
            Self::Inferred => "inferred",
        }
    }
}
