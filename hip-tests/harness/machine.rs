//! Machines with several cards.

use crate::build::target_dir;
use anyhow::{Context, Result};
use rmcp_machine::Card;
use std::fs;

/// A machine with these built-in cards, each in a PCI slot of its own; what `Scene::new` takes. `large_bar`:
/// whether the CPU reaches all of their VRAM.
///
/// # Panics
/// When there is no such card, or the target directory cannot be written.
pub fn machine(cards: &[&str], large_bar: bool) -> String {
    compose(cards, large_bar).unwrap_or_else(|error| panic!("a machine with {cards:?}: {error:#}"))
}

fn compose(cards: &[&str], large_bar: bool) -> Result<String> {
    let mut text = String::new();
    for (index, card) in cards.iter().enumerate() {
        let card = Card::named(card).with_context(|| format!("{card} is no built-in card"))?;
        for line in card.description.lines() {
            text += &match line.split_once('=').map(|(key, _)| key.trim()) {
                Some("pci") => format!("pci = \"0000:{:02x}:00.0\"\n", 3 + index),
                Some("unique_id") => format!("unique_id = {}\n", 0x1000 + index),
                Some("large_bar") => format!("large_bar = {large_bar}\n"),
                _ => format!("{line}\n"),
            };
        }
    }
    write(&format!("{}-{large_bar}.toml", cards.join("+")), &text)
}

/// The path of a description of a machine that this release of Linux runs, with a built-in card.
///
/// # Panics
/// As [`machine`].
pub fn machine_on(kernel: &str, card: &str) -> String {
    let description = Card::named(card).unwrap_or_else(|| panic!("{card} is no built-in card")).description;
    let text = format!("kernel = \"{kernel}\"\n{description}");
    write(&format!("{card}-on-{kernel}.toml"), &text).unwrap_or_else(|error| panic!("{card} on {kernel}: {error:#}"))
}

fn write(name: &str, text: &str) -> Result<String> {
    let folder = target_dir()?.join("machines");
    fs::create_dir_all(&folder)?;
    let path = folder.join(name);
    // In one step: other tests may read the same machine.
    let mut new = tempfile::NamedTempFile::new_in(&folder)?;
    std::io::Write::write_all(&mut new, text.as_bytes())?;
    new.persist(&path)?;
    path.into_os_string().into_string().ok().context("a path in UTF-8")
}
