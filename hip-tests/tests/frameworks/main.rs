//! Programs on frameworks that nobody here wrote, unmodified: without RMCP, with it preloaded and under `rmcp-run`.
//!
//! What a framework is promised to do is its table of [`Row`]s: the tests hold it, and docs/reference/frameworks.md shows it.
#![forbid(unsafe_code)]

mod jax;
mod page;

use rmcp_hip_tests::{Release, Scene, require};
use std::process::Command;

/// All of them.
const FRAMEWORKS: [&Framework; 1] = [&jax::JAX];

/// A framework, and what is promised of it.
struct Framework {
    name: &'static str,
    /// Its version, and how it is had.
    version: &'static str,
    release: Release,
    /// The day on which its rows were last changed.
    date: &'static str,
    /// What it needs beyond the release.
    needs: &'static str,
    /// Known limits.
    limits: &'static str,
    rows: &'static [Row],
}

/// A program on a card.
struct Row {
    /// What the program does.
    program: &'static str,
    card: &'static str,
    /// Without RMCP, with it preloaded, and under `rmcp-run`.
    outcomes: [Outcome; 3],
}

/// How a program ends.
#[derive(Clone, Copy)]
enum Outcome {
    /// With success.
    Works,
    /// Without, and says this.
    Fails(&'static str),
}

impl Framework {
    /// Runs `command` as the row for `program` and `card` says: each of the three ends as the row has it, and those that work
    /// have printed the same.
    #[track_caller]
    fn run(&self, program: &str, card: &str, command: impl FnOnce() -> anyhow::Result<Command>) {
        let row = self.rows.iter().find(|row| row.program == program && row.card == card);
        let row = row.unwrap_or_else(|| panic!("{} has no row for {program} on {card}", self.name));
        let Some(command) = require(self.name, command()) else { return };
        let bare = Scene::new(self.release, card);
        let scenes = [bare.clone(), bare.clone().with_rmcp(), bare.by_rmcp_run()];
        let mut printed: Option<String> = None;
        for (scene, outcome) in scenes.iter().zip(row.outcomes) {
            let ended = scene.output(&command).unwrap_or_else(|error| panic!("{scene:?}: {error:#}"));
            let told = format!("{}{}", ended.stdout, ended.stderr);
            match outcome {
                Outcome::Works => {
                    assert!(ended.status.success(), "{scene:?} ended with {}:\n{told}", ended.status);
                    assert_eq!(printed.get_or_insert(ended.stdout.clone()), &ended.stdout, "{scene:?}");
                }
                Outcome::Fails(text) => {
                    assert!(
                        !ended.status.success() && told.contains(text),
                        "{scene:?} ended with {}:\n{told}",
                        ended.status
                    );
                }
            }
        }
    }
}
