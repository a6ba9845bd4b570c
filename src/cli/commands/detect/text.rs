//! The survey for people.

use super::facts::{Card, Device, Machine, MachineReport, Rmcp};
use super::problems::{Problem, Severity};
use crate::output::{self, BAD, FAINT, GOOD, Report, STRONG, WARN, bytes, styled};
use anstyle::Style;
use std::io::{self, Write};

type Facts = Vec<(&'static str, String)>;

impl Report for MachineReport {
    const SCHEMA: &'static str = "rmcp.detect/1";

    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        write_section(out, "Machine", self.machine.facts())?;
        for card in &self.cards {
            write_section(out, &card.title(), card.facts())?;
        }
        if self.cards.is_empty() {
            write_list(out, "Cards", [styled(BAD, "none that a program here could use")].into_iter())?;
        }
        write_section(out, "Also on the PCI bus", self.other_devices())?;
        write_section(out, "Visible devices", self.masks())?;
        write_section(out, "ROCm", self.software())?;
        write_section(out, "RMCP", self.rmcp.facts())?;
        let variables =
            self.environment.iter().map(|each| format!("{}={}", each.name, output::escape_line(&each.value)));
        write_list(out, "Environment", variables)?;
        if self.problems.is_empty() {
            return writeln!(out, "{}", styled(GOOD, "Nothing is wrong that can be seen from here."));
        }
        self.problems.iter().try_for_each(|problem| problem.text(out))
    }
}

/// A heading and what stands below it; nothing where there is nothing.
fn write_section(out: &mut dyn Write, title: &str, facts: Facts) -> io::Result<()> {
    if facts.is_empty() {
        return Ok(());
    }
    writeln!(out, "{}\n{}\n", styled(STRONG, title), output::fact_table("  ", facts))
}

fn write_list(out: &mut dyn Write, title: &str, lines: impl Iterator<Item = String>) -> io::Result<()> {
    let lines: Vec<String> = lines.map(|line| format!("  {line}\n")).collect();
    if lines.is_empty() { Ok(()) } else { writeln!(out, "{}\n{}", styled(STRONG, title), lines.concat()) }
}

impl Machine {
    fn facts(&self) -> Facts {
        let memory = self.memory_bytes.map(|memory| format!(", {} of memory", bytes(memory))).unwrap_or_default();
        let driver = match (&self.driver_version, self.driver_loaded) {
            (Some(version), _) => format!("amdgpu {version}, AMD's own (DKMS)"),
            (None, true) => "amdgpu of this kernel".into(),
            (None, false) => styled(BAD, "amdgpu is not loaded"),
        };
        let mut facts = vec![
            ("system", self.system.clone().unwrap_or_else(|| "unknown".into())),
            ("kernel", format!("{}, {driver}", self.kernel.as_deref().unwrap_or("unknown"))),
        ];
        facts.extend(self.cpu.as_ref().map(|cpu| ("processor", format!("{cpu}{memory}"))));
        facts.extend(self.wsl.then(|| ("runs in", "the Windows Subsystem for Linux".into())));
        facts.extend(self.container.as_ref().map(|kind| ("runs in", format!("a container ({kind})"))));
        let user = self.user.clone().unwrap_or_else(|| self.uid.to_string());
        facts.push(("user", format!("{user}, in the groups {}", self.groups.join(", "))));
        facts.push(("/dev/kfd", self.kfd.state()));
        facts
    }
}

impl Device {
    fn state(&self) -> String {
        let whose = match (&self.group, &self.mode) {
            (Some(group), Some(mode)) => format!(" (group {group}, mode {mode})"),
            _ => String::new(),
        };
        match &self.why_not {
            None => format!("{}{whose}", styled(GOOD, "usable")),
            Some(why) => format!("{}{whose}", styled(BAD, why)),
        }
    }
}

impl Card {
    fn title(&self) -> String {
        let name = self.name.as_ref().map_or_else(|| self.chip.clone(), |name| format!("{name}, {}", self.chip));
        let number = self.ordinal.map_or_else(|| "Hidden".into(), |ordinal| format!("GPU {ordinal}"));
        format!("{number}: {} ({name})", self.target)
    }

    fn facts(&self) -> Facts {
        let mut facts = Facts::new();
        facts.extend(self.reported.as_ref().map(|reported| {
            let target = reported.target.clone().unwrap_or_else(|| styled(BAD, "nothing: no program starts"));
            ("reported as", format!("{target}, by {}", reported.by))
        }));
        let kind = if self.apu { "integrated, shares the processor's memory" } else { "a card" };
        facts.push(("kind", if self.family == "other" { kind.into() } else { format!("{}, {kind}", self.family) }));
        let link = self.link.as_ref().map(|link| format!(", {link}")).unwrap_or_default();
        facts.push(("place", format!("PCI {}, KFD node {}{link}", self.pci, self.node)));
        facts.push(("UUID", self.uuid.clone()));
        let bar = match (self.large_bar, self.visible_vram_bytes) {
            _ if self.apu => String::new(),
            (true, _) => ", all of it in reach of the CPU (large BAR)".into(),
            (false, Some(visible)) => format!(", {} of it in reach of the CPU (small BAR)", bytes(visible)),
            (false, None) => ", part of it in reach of the CPU (small BAR)".into(),
        };
        facts.push(("VRAM", format!("{}{bar}", bytes(self.vram_bytes))));
        facts.extend(self.atomics_missing.map(|missing| ("PCIe atomics", atomics(missing))));
        facts
            .extend(self.render.as_ref().map(|render| ("render node", format!("{}: {}", render.path, render.state()))));
        let rules = match &self.idle {
            None => styled(GOOD, &self.rules),
            Some(why) => format!("leaves it alone: {why}"),
        };
        facts.push(("RMCP", rules));
        facts
    }
}

fn atomics(missing: [bool; 2]) -> String {
    match missing {
        [false, false] => "not known to be missing: add, swap and compare-and-swap, as PCIe has no others".into(),
        [true, true] => styled(WARN, "missing on the way to the host"),
        [true, false] => styled(WARN, "32-bit ones missing on the way to the host"),
        [false, true] => styled(WARN, "64-bit ones missing on the way to the host"),
    }
}

impl MachineReport {
    fn other_devices(&self) -> Facts {
        let unusable = self.unusable.iter().map(|node| ("not usable", format!("KFD node {}: {}", node.node, node.why)));
        let other = |device: &super::facts::OtherDevice| {
            let driver = device.driver.as_deref().unwrap_or("no driver");
            ("not for computing", format!("{:#06x} at {}, {driver}", device.device_id, device.pci))
        };
        unusable.chain(self.other_devices.iter().map(other)).collect()
    }

    fn masks(&self) -> Facts {
        let hides = |mask: &super::facts::Mask| {
            let what = if mask.hides.is_empty() { "nothing".into() } else { mask.hides.join(", ") };
            (mask.variable, format!("{} hides {what}", mask.value))
        };
        self.masks.iter().map(hides).collect()
    }

    fn software(&self) -> Facts {
        let installed = self.rocm.iter().map(|rocm| {
            let release = rocm.release.as_deref().unwrap_or("unknown release");
            let runtime = rocm.runtime.as_deref().unwrap_or("no runtime");
            ("installed", format!("{release} in {}: {runtime}", rocm.prefix))
        });
        let frameworks = self.frameworks.iter().map(|package| {
            let version = package.version.as_deref().unwrap_or_default();
            let runtime = package.runtime.as_deref().unwrap_or("the installed runtime");
            let name = [&package.name, version].join(" ");
            ("Python", format!("{} for {}, {runtime} ({})", name.trim(), package.built_for, package.python))
        });
        let none = || ("Python", "no framework recognised: recipes by code objects only".to_owned());
        let none = (self.frameworks.is_empty() && !self.rocm.is_empty()).then(none);
        let application = |it: &super::facts::Application| ("application", format!("{} in {}", it.name, it.folder));
        let applications = self.applications.iter().map(application);
        let all: Facts = installed.chain(frameworks).chain(none).chain(applications).collect();
        if all.is_empty() { vec![("installed", styled(BAD, "nothing"))] } else { all }
    }
}

impl Rmcp {
    fn facts(&self) -> Facts {
        let library = match (&self.library, &self.library_problem) {
            (Some(path), _) => format!("{path}, {}", styled(GOOD, "can be loaded")),
            (None, why) => styled(BAD, why.as_deref().unwrap_or("not found")),
        };
        let mut facts = vec![("library", library)];
        let loaded = match (&self.system_wide, self.preloaded_here) {
            (Some(entry), _) => format!("by every process (/etc/ld.so.preload: {entry})"),
            (None, true) => "by what is started from here (LD_PRELOAD)".into(),
            (None, false) => "by programs that rmcp-run starts".into(),
        };
        facts.push(("loaded", loaded));
        facts.extend(self.only.as_ref().map(|only| ("active there", only.restriction())));
        facts.push(("memory", self.memory.clone()));
        facts.extend(self.past.iter().map(|past| ("past it", past.clone())));
        facts.extend(self.options.iter().map(|option| {
            ("option", format!("{} = {} {}", option.name, option.value, styled(FAINT, format!("({})", option.origin))))
        }));
        if self.options.is_empty() {
            facts.push(("options", "the defaults".into()));
        }
        facts.extend(self.complaints.iter().map(|complaint| ("wrong", styled(BAD, complaint))));
        facts
    }
}

impl Problem {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let (style, word): (Style, &str) = match self.severity {
            Severity::Error => (BAD, "Error"),
            Severity::Warning => (WARN, "Warning"),
            Severity::Note => (FAINT, "Note"),
        };
        let mut facts = vec![("what to do", self.fix.clone())];
        facts.extend(self.sources.iter().map(|source| ("see", source.clone())));
        writeln!(
            out,
            "{} {} {}",
            styled(style, format!("{word}:")),
            self.what,
            styled(FAINT, format!("[{}]", self.id))
        )?;
        writeln!(out, "{}\n", output::fact_table("  ", facts))
    }
}
