//! Programs of which some libraries have no code for the card.

use super::*;

impl Situation {
    fn named_library(self, path: &str, targets: &[&str]) -> Self {
        let mut situation = self.library(targets);
        situation.program.libraries.last_mut().unwrap().path = path.into();
        situation
    }

    fn told(&self, recipe: &str) -> Option<String> {
        let notes = Plan::new(self).notes;
        notes.iter().find(|note| note.recipe.is_some_and(|row| row.id == recipe)).map(Note::sentence)
    }
}

/// Six libraries, of which rocBLAS's kernels alone have RDNA1's code.
fn jax(target: &str) -> Situation {
    let rdna2 = ["gfx900", "gfx1030", "gfx1100"];
    let plugin = machine(&[target]).rocm("6.0").framework("jax", "0.5.0");
    let names = ["_linalg.so", "_prng.so", "_rnn.so", "_solver.so", "_sparse.so"];
    let plugin = names.iter().fold(plugin, |plugin, name| plugin.named_library(name, &rdna2));
    plugin.named_library("rocblas/library", &["gfx900", "gfx1010", "gfx1012", "gfx1030", "gfx1100"])
}

#[test]
fn libraries_without_code_are_named_though_another_has_it() {
    for (target, recipe) in [("gfx1010", "gfx1010-partial-code"), ("gfx1012", "rdna1-partial-code")] {
        let told = jax(target).told(recipe).unwrap();
        let names =
            "5 of 6 libraries (_linalg.so, _prng.so, _rnn.so, _solver.so, _sparse.so) of the program have no code";
        assert!(told.contains(names), "{told}");
    }
    assert_eq!(jax("gfx1030").warned_recipes(), [""; 0]);
    // All of them have gfx1030's.
    assert_eq!(jax("gfx1031").changes(), [format!("{OVERRIDE}=10.3.0")]);
    assert_eq!(jax("gfx1031").warned_recipes(), [""; 0]);
}

#[test]
fn what_lacks_all_code_has_the_recipe_for_that_alone_and_what_has_all_has_none() {
    let partial = |situation: &Situation| {
        let told = situation.warned_recipes();
        told.into_iter().filter(|id| id.contains("code")).collect::<Vec<_>>()
    };
    let card = || machine(&["gfx1010"]).rocm("6.4");
    assert_eq!(partial(&card().library(&["gfx1030"]).library(&["gfx1100"])), ["gfx1010-no-code"]);
    assert_eq!(partial(&card().library(&["gfx1010"]).library(&["gfx1010", "gfx1030"])), [""; 0]);
    assert_eq!(partial(&card().library(&["gfx1010"]).library(&["gfx1030"])), ["gfx1010-partial-code"]);
    let rdna2 = machine(&["gfx1031"]).rocm("6.4");
    assert_eq!(partial(&rdna2.clone().library(&["gfx1030"]).library(&["gfx1010"])), ["rdna2-partial-code"]);
    assert_eq!(partial(&rdna2.library(&["gfx1031"]).library(&["gfx1030"])), ["rdna2-torn-code"]);
}

#[test]
fn with_rocm_5_2_the_code_that_gfx1010_passes_for_counts_and_where_the_release_is_unknown_the_users_override() {
    let card = |libraries: &[&[&str]]| libraries.iter().fold(machine(&["gfx1010"]), |card, code| card.library(code));
    let old = card(&[&["gfx1030"], &["gfx900"]]).rocm("5.2");
    assert_eq!(old.warned_recipes(), ["gfx1010-partial-code-rocm52"]);
    assert_eq!(card(&[&["gfx1030"], &["gfx1030", "gfx1010"]]).rocm("5.2").warned_recipes(), [""; 0]);
    let unknown = card(&[&["gfx1010"], &["gfx1030"]]);
    assert_eq!(unknown.warned_recipes(), ["gfx1010-partial-code-unknown"]);
    assert!(!unknown.set(OVERRIDE, "10.3.0").warned_recipes().contains(&"gfx1010-partial-code-unknown"));
}

#[test]
fn more_libraries_than_one_reads_are_counted() {
    let card = machine(&["gfx1010"]).rocm("6.4").library(&["gfx1010"]);
    let card = (0..10).fold(card, |card, _| card.library(&["gfx1030"]));
    let told = card.told("gfx1010-partial-code").unwrap();
    assert!(told.contains("10 of 11 libraries (lib.so, ") && told.contains(", and 2 more)"), "{told}");
}

#[test]
fn cupys_parts_that_need_code_are_told_on_rdna1_and_gfx1031_gets_the_override() {
    let cupy = |target| {
        let cupy = machine(&[target]).rocm("7.0").framework("cupy", "14.2.0");
        let wheel = ["gfx900", "gfx1030", "gfx1100"];
        let names = ["cub.so", "thrust.so", "_generator_api.so"];
        let cupy = names.iter().fold(cupy, |cupy, name| cupy.named_library(name, &wheel));
        cupy.named_library("rocblas/library", &["gfx1010", "gfx1030"])
    };
    assert_eq!(cupy("gfx1010").warned_recipes(), ["gfx1010-partial-code", "cupy-without-code"]);
    assert!(
        cupy("gfx1010").told("gfx1010-partial-code").unwrap().contains("3 of 4 libraries (cub.so, thrust.so, _gen")
    );
    assert_eq!(cupy("gfx1031").changes(), [format!("{OVERRIDE}=10.3.0")]);
    assert_eq!(cupy("gfx1031").warned_recipes(), [""; 0]);
    let mut whole = cupy("gfx1010");
    whole
        .program
        .libraries
        .iter_mut()
        .for_each(|library| library.targets.extend(["gfx1010".parse::<GfxTarget>().unwrap()]));
    assert_eq!(whole.warned_recipes(), [""; 0], "built for the card");
}
