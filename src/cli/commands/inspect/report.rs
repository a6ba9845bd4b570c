//! What `rmcp inspect` reports.

use super::verdict::{self, Coverage};
use crate::effective_policy::{self, EffectivePolicy};
use crate::inspect::{Code, CodeInventory, Isa, Kind, device_wheel};
use crate::installs::Release;
use crate::output::{self, BAD, FAINT, GOOD, Report, STRONG, WARN, styled};
use crate::recipes::Confidence;
use rmcp_domain::gfx::GfxTarget;
use schemars::JsonSchema;
use serde::Serialize;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// What files have code for, and which cards they serve.
#[derive(Serialize, JsonSchema)]
pub struct Inspection {
    /// The Python packages that were named.
    packages: Vec<Package>,
    /// Each file and library folder with GPU code.
    files: Vec<File>,
    /// How many files were looked at that have none.
    without_code: u64,
    /// What could not be looked at, and why.
    problems: Vec<Problem>,
    /// The cards, as HIP numbers them or as --card names them. Empty where the machine has none.
    cards: Vec<Card>,
    /// Why there are no cards; null where there are.
    no_cards: Option<String>,
}

/// A Python package.
#[derive(Serialize, JsonSchema)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its folder.
    pub folder: PathBuf,
    /// Its version; null where that is not known.
    pub version: Option<String>,
    /// What it was built for; null for a package that RMCP does not know.
    pub backend: Option<String>,
    /// The HIP runtime that it loads; null where it loads none, or none is found.
    pub runtime: Option<PathBuf>,
    /// The release of ROCm that it computes with.
    #[serde(skip)]
    pub rocm: Option<Release>,
}

/// The GPU code of a file or of a library folder.
#[derive(Serialize, JsonSchema)]
struct File {
    /// The file or folder.
    path: PathBuf,
    /// What it is.
    kind: &'static str,
    /// Each target id, and how many code objects or files there are for it.
    targets: Vec<Target>,
    /// Targets under whose names a library folder has the kernels of another target; no card is served by these.
    borrowed: Vec<Borrowed>,
    /// Entries that are not for an AMD GPU known here.
    foreign: Vec<String>,
    /// Offload bundles in it, or in the kpack archives that it names.
    bundles: u64,
    /// How many of these are compressed.
    compressed: u64,
    /// Whether a card that this has no code for does without it.
    optional: bool,
    /// Whether it asks something of cards: it has code for some, or looks for code elsewhere, if in vain.
    #[serde(skip)]
    needs_targets: bool,
    /// What is broken in it.
    problems: Vec<String>,
    /// How many of its bytes were read to find out; 0 for a library folder.
    bytes_read: u64,
    /// How each card is served by this alone, in the order of `cards`.
    coverage: Vec<CoverageKind>,
}

/// A target and how often there is code for it.
#[derive(Serialize, JsonSchema)]
struct Target {
    /// As in gfx90a:xnack- or gfx10-3-generic.
    name: String,
    /// Code objects, or files of a library folder.
    count: u64,
}

/// A target under whose name another target's kernels lie.
#[derive(Serialize, JsonSchema)]
struct Borrowed {
    /// Whose name it is.
    name: String,
    /// Whose kernels they are.
    of: String,
}

/// A file or folder that was not looked at.
#[derive(Serialize, JsonSchema)]
struct Problem {
    /// Which.
    path: PathBuf,
    /// Why.
    reason: String,
}

/// How a card is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum CoverageKind {
    /// The code was made for it.
    Native,
    /// With HSA_OVERRIDE_GFX_VERSION.
    Override,
    /// Not at all.
    None,
}

/// A card and how it is served by all that is not optional.
#[derive(Serialize, JsonSchema)]
struct Card {
    /// HIP's number of it; null for one that --card names.
    ordinal: Option<usize>,
    /// Its real gfx target.
    target: String,
    /// Its PCI address; null for one that --card names.
    pci: Option<String>,
    /// How it is served.
    coverage: CoverageKind,
    /// The value of HSA_OVERRIDE_GFX_VERSION that it takes; null where it takes none.
    override_version: Option<String>,
    /// The wheels with code for it that are not installed beside a library that looks for such.
    device_wheels: Vec<DeviceWheel>,
    /// What to do.
    advice: Vec<Advice>,
}

/// A wheel with the code for one target.
#[derive(Serialize, JsonSchema)]
struct DeviceWheel {
    /// Its name.
    name: String,
    /// The version that fits.
    version: String,
    /// The version that is installed, and does not fit; null where none is.
    installed: Option<String>,
}

/// What to do about a card.
#[derive(Serialize, JsonSchema)]
struct Advice {
    /// A sentence.
    text: String,
    /// How sure it is: A confirmed by maintainers, source code or at least two users; B one report, or disputed; C
    /// inferred.
    confidence: Confidence,
    /// Where that is known from.
    sources: Vec<String>,
}

impl Inspection {
    /// Judges what was found for these cards; where none are named, for the machine's.
    pub fn new(found: CodeInventory, packages: Vec<Package>, named: &[GfxTarget]) -> Self {
        let mut no_cards = None;
        let cards: Vec<(Option<usize>, GfxTarget, Option<String>)> = if named.is_empty() {
            let machine = EffectivePolicy::read(&effective_policy::policy_sources(Path::new("/")), Path::new("/"));
            let visible = machine.visible();
            if visible.is_empty() {
                let why = machine.topology.as_ref().err().map(ToString::to_string);
                no_cards = Some(why.unwrap_or_else(|| "the KFD lists no usable GPU, or all are hidden".into()));
            }
            let cards = visible.iter().enumerate();
            cards.map(|(ordinal, gpu)| (Some(ordinal), gpu.target, Some(gpu.pci.to_string()))).collect()
        } else {
            named.iter().map(|&target| (None, target, None)).collect()
        };
        let targets: Vec<GfxTarget> = cards.iter().map(|card| card.1).collect();
        let rocm = packages.iter().find_map(|package| package.rocm);
        Self {
            packages,
            files: found.code.iter().map(|code| File::new(code, &targets)).collect(),
            without_code: found.without_code,
            cards: cards.into_iter().map(|card| Card::new(card, &found, rocm)).collect(),
            problems: found.problems.into_iter().map(|p| Problem { path: p.path, reason: p.reason }).collect(),
            no_cards,
        }
    }

    /// Whether none is without code.
    pub fn covers_every_card(&self) -> bool {
        self.cards.iter().all(|card| card.coverage != CoverageKind::None)
    }
}

impl File {
    fn new(code: &Code, cards: &[GfxTarget]) -> Self {
        let targets = code.targets.counts().map(|(isa, count)| Target { name: isa.to_string(), count });
        let borrowed = code.borrowed.iter().map(|(isa, of)| {
            let of = Isa { processor: *of, sramecc: None, xnack: None };
            Borrowed { name: isa.to_string(), of: of.to_string() }
        });
        Self {
            path: code.path.clone(),
            kind: kind_name(code.kind),
            targets: targets.collect(),
            borrowed: borrowed.collect(),
            foreign: code.foreign.iter().cloned().collect(),
            bundles: code.bundles,
            compressed: code.compressed,
            optional: code.optional,
            needs_targets: code.needs_targets(),
            problems: code.problems.clone(),
            bytes_read: code.bytes_read,
            coverage: cards.iter().map(|&card| coverage_kind(Coverage::of_sets(card, [&code.targets]))).collect(),
        }
    }
}

impl Card {
    fn new(
        (ordinal, target, pci): (Option<usize>, GfxTarget, Option<String>),
        found: &CodeInventory,
        rocm: Option<Release>,
    ) -> Self {
        let coverage = Coverage::of_inventory(target, found);
        let advice = verdict::advice(target, found, rocm).into_iter().map(|advice| Advice {
            text: advice.text,
            confidence: advice.confidence,
            sources: advice.sources,
        });
        let wheels = device_wheel::missing_device_wheels(found, target).into_iter().map(|wheel| DeviceWheel {
            name: wheel.name,
            version: wheel.version,
            installed: wheel.installed,
        });
        Self {
            ordinal,
            target: target.to_string(),
            pci,
            coverage: coverage_kind(coverage),
            override_version: coverage.override_version(),
            device_wheels: wheels.collect(),
            advice: advice.collect(),
        }
    }

    fn name(&self) -> String {
        match (self.ordinal, &self.pci) {
            (Some(ordinal), Some(pci)) => format!("GPU {ordinal} ({}, {pci})", self.target),
            _ => self.target.clone(),
        }
    }
}

fn coverage_kind(coverage: Coverage) -> CoverageKind {
    match coverage {
        Coverage::Native => CoverageKind::Native,
        Coverage::Override { .. } => CoverageKind::Override,
        Coverage::None => CoverageKind::None,
    }
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Elf => "ELF",
        Kind::CodeObject => "code object",
        Kind::Bundle => "offload bundle",
        Kind::Archive => "archive",
        Kind::KpackHost => "ELF with kpack archives",
        Kind::Kpack => "kpack archive",
        Kind::RocBlas => "rocBLAS kernels",
        Kind::BlasLt => "hipBLASLt kernels",
        Kind::Cycles => "Cycles kernels",
        Kind::Tensile => "Tensile kernels",
        Kind::MiOpen => "MIOpen databases",
    }
}

impl Report for Inspection {
    const SCHEMA: &'static str = "rmcp.inspect/1";

    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        for package in &self.packages {
            let version = package.version.as_deref().map(|version| format!(" {version}")).unwrap_or_default();
            let backend =
                package.backend.as_deref().map(|backend| format!(", built for {backend}")).unwrap_or_default();
            writeln!(
                out,
                "{}{}{}",
                styled(STRONG, &package.name),
                output::escape_line(version),
                output::escape_line(backend)
            )?;
            writeln!(out, "  in {}", output::escape_line(package.folder.display()))?;
            if let Some(runtime) = &package.runtime {
                writeln!(out, "  with {}", output::escape_line(runtime.display()))?;
            }
            writeln!(out)?;
        }
        let headers = ["file or folder", "what", "code for"].map(str::to_owned).into_iter();
        let mut table = output::table(headers.chain(self.cards.iter().map(|card| card.target.clone())));
        for file in &self.files {
            let row = [output::escape_line(file.path.display()), file.kind_text(), file.target_list()];
            table.add_row(row.into_iter().chain(file.coverage.iter().map(|&served| file.coverage_cell(served))));
        }
        writeln!(out, "{table}")?;
        if self.without_code > 0 {
            writeln!(out, "{}", styled(FAINT, format!("{} other files have no GPU code", self.without_code)))?;
        }
        for file in &self.files {
            for problem in &file.problems {
                let (file, problem) = (output::escape_line(file.path.display()), output::escape_line(problem));
                writeln!(out, "{} {file}: {problem}", styled(WARN, "broken:"))?;
            }
        }
        for file in &self.files {
            for Borrowed { name, of } in &file.borrowed {
                let path = output::escape_line(file.path.display());
                let warning = styled(WARN, "another card's code:");
                writeln!(out, "{warning} {path}: what is named {name} are links to {of}'s files, or copies of them")?;
            }
        }
        for problem in &self.problems {
            let path = output::escape_line(problem.path.display());
            writeln!(out, "{} {path}: {}", styled(WARN, "not read:"), problem.reason)?;
        }
        if let Some(why) = &self.no_cards {
            writeln!(out, "\nNo card to compare with ({why}). --card gfx1010 names one.")?;
        }
        let needed: Vec<&File> = self.files.iter().filter(|file| !file.optional && file.needs_targets).collect();
        self.cards.iter().enumerate().try_for_each(|(index, card)| {
            let without = needed.iter().filter(|file| file.coverage[index] == CoverageKind::None).count();
            card.text(without, needed.len(), out)
        })
    }
}

impl File {
    fn kind_text(&self) -> String {
        match (self.bundles, self.compressed) {
            (0, _) => self.kind.into(),
            (1, 0) => format!("{}, 1 bundle", self.kind),
            (bundles, 0) => format!("{}, {bundles} bundles", self.kind),
            (bundles, compressed) if bundles == compressed => format!("{}, {bundles} compressed", self.kind),
            (bundles, compressed) => format!("{}, {bundles} bundles, {compressed} compressed", self.kind),
        }
    }

    /// The targets; those that only some of the bundles have, with the number.
    fn target_list(&self) -> String {
        let most = self.targets.iter().map(|target| target.count).max().unwrap_or_default();
        let target = |target: &Target| match target.count {
            count if count == most || self.bundles == 0 => target.name.clone(),
            count => format!("{} ({count} of {most})", target.name),
        };
        self.targets
            .iter()
            .map(target)
            .chain(self.borrowed.iter().map(|borrowed| format!("{} ({}'s)", borrowed.name, borrowed.of)))
            .chain(self.foreign.iter().map(output::escape_line))
            .collect::<Vec<_>>()
            .join(" ")
    }

    fn coverage_cell(&self, served: CoverageKind) -> String {
        if !self.needs_targets {
            return styled(FAINT, "-");
        }
        match served {
            CoverageKind::Native => styled(GOOD, "native"),
            CoverageKind::Override => styled(WARN, "override"),
            CoverageKind::None if self.optional => styled(FAINT, "none (optional)"),
            CoverageKind::None => styled(BAD, "none"),
        }
    }
}

impl Card {
    /// `without` of the `needed` files have no code for it.
    fn text(&self, without: usize, needed: usize, out: &mut dyn Write) -> io::Result<()> {
        let verdict = match (self.coverage, &self.override_version) {
            (CoverageKind::Native, _) => styled(GOOD, "has code of its own"),
            (_, Some(version)) => styled(WARN, format!("has code under HSA_OVERRIDE_GFX_VERSION={version}")),
            _ if without == needed => styled(BAD, "has no code"),
            _ if without == 0 => styled(BAD, "has code in each, but under no one name in all"),
            _ => styled(BAD, format!("has no code in {without} of {needed}")),
        };
        writeln!(out, "\n{} {verdict}", styled(STRONG, self.name()))?;
        for advice in &self.advice {
            writeln!(out, "  {} (confidence {:?})", advice.text, advice.confidence)?;
            for source in &advice.sources {
                writeln!(out, "    {}", styled(FAINT, source))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::{self, Targets};

    #[test]
    fn a_target_of_some_bundles_only_says_of_how_many() {
        let mut targets = Targets::default();
        for name in ["gfx1010", "gfx1010", "gfx1030"] {
            targets.add(name.parse().unwrap());
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut code = inspect::inspect_file(file.path()).unwrap();
        (code.bundles, code.targets) = (2, targets);
        assert_eq!(File::new(&code, &[]).target_list(), "gfx1010 gfx1030 (1 of 2)");
    }
}
