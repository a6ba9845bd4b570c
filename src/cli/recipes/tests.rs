//! The recipes on machines and programs that are made up here. hip-tests/tests/recipes builds them as files.

mod partial;
mod starting;
mod unreadable;

use super::table::parse_table;
use super::*;
use crate::installs::Known;
use rmcp_domain::gfx::GfxTarget;
use rmcp_domain::options::SYSTEM_FENCES;
use rmcp_domain::topology::{Gpu, PciAddress, Skipped};
use std::collections::BTreeSet;

/// A machine with these GPUs at nodes 1, 2, ...; those at odd nodes have a unique id.
fn machine(targets: &[&str]) -> Situation {
    let mut situation = Situation::default();
    for (index, target) in targets.iter().enumerate() {
        let node = index as u32 + 1;
        let target: GfxTarget = target.parse().unwrap();
        situation.topology.gpus.push(Gpu {
            node,
            gpu_id: node,
            target,
            name: String::new(),
            pci: PciAddress::from_kfd(0, node << 8),
            device_id: 0,
            render_minor: None,
            unique_id: (node % 2 == 1).then_some(0xabc0 + u64::from(node)),
            apu: target.integrated(),
            memory: vec![],
            links: vec![],
        });
    }
    situation
}

impl Situation {
    fn rocm(mut self, release: &str) -> Self {
        self.program.rocm = Some(release.parse().unwrap());
        self
    }

    fn framework(mut self, id: &str, release: &str) -> Self {
        self.program.framework = Some((Known::of_id(id).unwrap(), release.parse().ok()));
        self
    }

    fn library(mut self, targets: &[&str]) -> Self {
        let targets: BTreeSet<GfxTarget> = targets.iter().map(|name| name.parse().unwrap()).collect();
        self.program.libraries.push(Library { path: "lib.so".into(), targets });
        self
    }

    fn set(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.into(), value.into());
        self
    }

    fn profile(mut self, name: &str) -> Self {
        self.profiles.push(name.into());
        self
    }

    /// The changes as "NAME=value" and "-NAME".
    fn changes(&self) -> Vec<String> {
        let shown = |change: &Change| match &change.after {
            Some(value) => format!("{}={value}", change.variable),
            None => format!("-{}", change.variable),
        };
        Plan::new(self).changes.iter().map(shown).collect()
    }

    /// The recipes of the notes that are worth a line.
    fn warned_recipes(&self) -> Vec<&'static str> {
        let notes = Plan::new(self).notes;
        notes
            .iter()
            .filter(|note| note.is_warning)
            .map(|note| note.recipe.map_or("", |recipe| recipe.id.as_str()))
            .collect()
    }
}

const OVERRIDE: &str = "HSA_OVERRIDE_GFX_VERSION";

#[test]
fn rdna2_cards_take_gfx1030s_code_only_where_a_library_lacks_their_own() {
    for card in ["gfx1031", "gfx1032", "gfx1034", "gfx1035"] {
        let card = machine(&[card]).rocm("6.4");
        let own = card.topology.gpus[0].target.to_string();
        let over = [format!("{OVERRIDE}=10.3.0")];
        assert_eq!(card.clone().library(&["gfx900", "gfx1030"]).changes(), over);
        assert_eq!(card.clone().library(&["gfx1030", &own]).library(&["gfx1030"]).changes(), over);
        assert_eq!(card.clone().library(&["gfx1030", &own]).changes(), [""; 0]);
        assert_eq!(card.clone().library(&[&own]).library(&["gfx1100"]).changes(), [""; 0]);
        assert_eq!(card.changes(), [""; 0], "nothing is known of the code");
    }
}

#[test]
fn rdna1_cards_take_gfx1010s_code_only_where_a_library_lacks_their_own() {
    for card in ["gfx1011", "gfx1012", "gfx1013"] {
        let machine = machine(&[card]).rocm("7.2");
        assert_eq!(machine.clone().library(&["gfx1010", "gfx1030"]).changes(), [format!("{OVERRIDE}=10.1.0")]);
        assert_eq!(machine.clone().library(&["gfx1010", card]).changes(), [""; 0]);
        let without = machine.library(&["gfx1030"]);
        assert_eq!((without.changes().len(), without.warned_recipes()), (0, vec!["rdna1-no-code"]));
    }
}

#[test]
fn gfx1010_takes_gfx1030s_code_with_rocm_5_2_and_not_with_a_later_one() {
    let card = machine(&["gfx1010"]).library(&["gfx900", "gfx1030"]);
    assert_eq!(card.clone().rocm("5.2.3").changes(), [format!("{OVERRIDE}=10.3.0")]);
    for (release, told) in [("5.3", "gfx1010-no-code"), ("6.4.3", "gfx1010-no-code")] {
        let card = card.clone().rocm(release);
        assert_eq!((card.changes().len(), card.warned_recipes()), (0, vec![told]));
    }
    assert_eq!(card.warned_recipes(), ["gfx1010-no-code-unknown"]);
    assert_eq!(machine(&["gfx1010"]).rocm("5.2").library(&["gfx900"]).warned_recipes(), ["gfx1010-no-code-rocm52"]);
    assert_eq!(machine(&["gfx1010"]).rocm("6.4").library(&["gfx1010"]).warned_recipes(), [""; 0]);
}

#[test]
fn the_override_under_which_rdna1_faults_is_removed_and_the_right_one_set() {
    for card in ["gfx1010", "gfx1011", "gfx1012", "gfx1013"] {
        let card = machine(&[card]).set(OVERRIDE, "10.3.0");
        let newer = card.clone().rocm("5.3");
        assert_eq!(newer.changes(), [format!("-{OVERRIDE}")]);
        assert_eq!(newer.warned_recipes(), ["rdna1-under-gfx1030"]);
        let older = card.clone().rocm("5.2");
        assert_eq!((older.changes().len(), older.warned_recipes().len()), (0, 0));
        assert!(Plan::new(&older).notes.iter().any(|note| note.text.contains("is left")));
        assert_eq!((card.changes().len(), card.warned_recipes()), (0, vec!["rdna1-under-gfx1030-unknown"]));
    }
    let card = machine(&["gfx1012"]).set(OVERRIDE, "10.3.0").rocm("6.4").library(&["gfx1010", "gfx1030"]);
    assert_eq!(card.changes(), [format!("{OVERRIDE}=10.1.0")]);
    assert_eq!(Plan::new(&card).changes[0].before.as_deref(), Some("10.3.0"));
}

#[test]
fn what_the_user_keeps_is_kept_and_called_harmful() {
    let mut card = machine(&["gfx1010"]).set(OVERRIDE, "10.3.0").rocm("6.4");
    card.keep_environment = true;
    assert_eq!((card.changes().len(), card.warned_recipes()), (0, vec!["rdna1-under-gfx1030"]));
    assert!(Plan::new(&card).notes[0].text.contains("kept as you wish"));
}

#[test]
fn an_override_that_the_user_has_set_wins() {
    let card = machine(&["gfx1031"]).rocm("6.4").library(&["gfx1030", "gfx1010"]);
    for value in ["10.3.0", "10.1.0"] {
        assert_eq!(card.clone().set(OVERRIDE, value).changes(), [""; 0]);
    }
    assert!(Plan::new(&card.set(OVERRIDE, "10.1.0")).notes[0].text.contains("which you have set"));
}

#[test]
fn an_override_of_another_generation_is_removed() {
    let card = machine(&["gfx1030"]).set(OVERRIDE, "11.0.0");
    assert_eq!((card.changes(), card.warned_recipes()), (vec![format!("-{OVERRIDE}")], vec!["override-other-major"]));
    let other = machine(&["gfx1100"]).set(OVERRIDE, "10.3.0");
    assert_eq!((other.changes().len(), other.warned_recipes().len()), (0, 0), "no GPU of ours");
}

#[test]
fn an_override_without_code_is_called_harmful() {
    let card = machine(&["gfx1031"]).rocm("6.4").library(&["gfx1031"]).set(OVERRIDE, "10.3.0");
    assert_eq!((card.changes().len(), card.warned_recipes()), (0, vec!["override-lacks-code"]));
    let own = machine(&["gfx1031"]).rocm("6.4").library(&["gfx1030"]).set(OVERRIDE, "10.3.1");
    assert_eq!(own.warned_recipes(), [""; 0]);
}

#[test]
fn rdna3_under_a_larger_gpus_override_is_told() {
    for card in ["gfx1102", "gfx1103"] {
        assert_eq!(machine(&[card]).set(OVERRIDE, "11.0.0").warned_recipes(), ["rdna3-vgprs"]);
        assert_eq!(machine(&[card]).set(OVERRIDE, "11.0.2").warned_recipes(), [""; 0]);
    }
}

#[test]
fn integrated_gpus_without_an_established_override_are_told() {
    for igpu in ["gfx1033", "gfx1036", "gfx1037"] {
        let machine = machine(&[igpu]).rocm("6.4").library(&["gfx1030"]);
        assert_eq!((machine.changes().len(), machine.warned_recipes()), (0, vec!["rdna2-igpu-unknown"]));
        assert_eq!(machine.set(OVERRIDE, "10.3.0").warned_recipes(), [""; 0]);
    }
}

#[test]
fn cards_without_any_code_are_told() {
    for card in ["gfx1030", "gfx1031", "gfx1036"] {
        assert_eq!(machine(&[card]).rocm("6.4").library(&["gfx1100"]).warned_recipes(), ["rdna2-no-code"]);
    }
    let torn = machine(&["gfx1031"]).rocm("6.4").library(&["gfx1031"]).library(&["gfx1030"]);
    assert_eq!((torn.changes().len(), torn.warned_recipes()), (0, vec!["rdna2-torn-code"]));
}

#[test]
fn an_integrated_gpu_beside_a_card_is_hidden_by_the_cards_uuid() {
    let machine = machine(&["gfx1030", "gfx1036"]);
    assert_eq!(machine.changes(), ["ROCR_VISIBLE_DEVICES=GPU-000000000000abc1"]);
    for mask in ["ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL"] {
        assert_eq!(machine.clone().set(mask, "0,1").changes(), [""; 0], "{mask}");
    }
}

#[test]
fn a_card_without_a_unique_id_is_shown_by_its_number_and_that_is_said() {
    let machine = machine(&["gfx1036", "gfx1030", "gfx1030"]);
    assert_eq!(machine.changes(), ["ROCR_VISIBLE_DEVICES=1,GPU-000000000000abc3"]);
    assert!(Plan::new(&machine).notes[0].text.contains("0000:02:00.0 has no unique id"));
}

#[test]
fn no_gpu_is_hidden_where_none_is_rdna1_or_rdna2_or_all_are_integrated() {
    assert_eq!(machine(&["gfx1100", "gfx1103"]).changes(), [""; 0]);
    assert_eq!(machine(&["gfx1035", "gfx1036"]).changes(), [""; 0]);
}

#[test]
fn one_override_serves_cards_of_one_kind_and_the_card_whose_name_it_is() {
    let cards = machine(&["gfx1031", "gfx1030", "gfx1032"]).rocm("5.7").library(&["gfx1030"]);
    assert_eq!(cards.changes(), [format!("{OVERRIDE}=10.3.0")]);
    assert_eq!(Plan::new(&cards).changes[0].gpus.len(), 2);
}

#[test]
fn cards_of_different_kinds_get_an_override_each() {
    let cards = machine(&["gfx1100", "gfx1032", "gfx1012"]).rocm("6.2").library(&["gfx1010", "gfx1030", "gfx1100"]);
    let expected = [format!("{OVERRIDE}_2=10.3.0"), format!("{OVERRIDE}_3=10.1.0")];
    assert_eq!(cards.changes(), expected);
    assert_eq!(cards.warned_recipes(), [""; 0]);
    assert!(Plan::new(&cards).notes.iter().any(|note| note.recipe.unwrap().id == "per-node-override"));
}

#[test]
fn releases_before_6_2_cannot_override_one_card_and_that_is_said() {
    let cards = machine(&["gfx1100", "gfx1032"]).rocm("5.7").library(&["gfx1030", "gfx1100"]);
    assert_eq!((cards.changes().len(), cards.warned_recipes()), (0, vec!["no-per-node-override"]));
    let text = &Plan::new(&cards).notes[0].text;
    assert!(text.contains("gfx1032") && text.contains("10.3.0"), "{text}");
}

#[test]
fn an_unknown_release_gets_the_numbers_and_a_word() {
    let cards = machine(&["gfx1100", "gfx1032"]).library(&["gfx1030", "gfx1100"]);
    assert_eq!(cards.changes(), [format!("{OVERRIDE}_2=10.3.0")]);
    assert_eq!(cards.warned_recipes(), ["per-node-override"]);
}

#[test]
fn a_hidden_gpu_of_another_generation_gets_no_override_either() {
    let machine = machine(&["gfx1031", "gfx1103"]).library(&["gfx1030"]);
    let expected = |variable: &str| vec![format!("ROCR_VISIBLE_DEVICES=GPU-{:016x}", 0xabc1), variable.to_owned()];
    let changes = |machine: &Situation| {
        let mut changes = machine.changes();
        changes.sort();
        changes.reverse();
        changes
    };
    assert_eq!(changes(&machine.clone().rocm("6.4")), expected("HSA_OVERRIDE_GFX_VERSION_1=10.3.0"));
    assert_eq!(changes(&machine.rocm("5.7")), expected("HSA_OVERRIDE_GFX_VERSION=10.3.0"));
}

#[test]
fn nodes_are_counted_as_the_runtime_counts_them() {
    let mut cards = machine(&["gfx1100", "gfx1100", "gfx1032"]).rocm("6.4").library(&["gfx1030", "gfx1100"]);
    cards.topology.gpus.remove(0);
    cards.topology.skipped.push(Skipped { node: 1, reason: "no render node".into() });
    assert_eq!(cards.changes(), [format!("{OVERRIDE}_2=10.3.0")]);
}

#[test]
fn an_override_that_harms_one_card_is_replaced_by_one_for_the_other() {
    let cards = machine(&["gfx1010", "gfx1031"]).rocm("6.4").set(OVERRIDE, "10.3.0");
    let expected = [format!("-{OVERRIDE}"), format!("{OVERRIDE}_2=10.3.0")];
    assert_eq!(cards.clone().library(&["gfx1010", "gfx1030"]).changes(), expected);
    assert_eq!(cards.changes(), expected, "what the user gave the other card stays, known or not");
}

#[test]
fn the_numbered_override_of_the_user_goes_before_the_plain_one() {
    let cards = machine(&["gfx1010", "gfx1031"]).rocm("6.4").library(&["gfx1010", "gfx1030"]);
    let cards = cards.set(&format!("{OVERRIDE}_1"), "10.3.0").set(OVERRIDE, "10.3.0");
    assert_eq!(cards.changes(), [format!("-{OVERRIDE}_1")]);
}

#[test]
fn the_allocators_string_is_a_matter_of_the_profile_the_release_and_pytorchs_version() {
    let short = "garbage_collection_threshold:0.6,max_split_size_mb:128";
    let torch = |release| machine(&["gfx1032"]).framework("pytorch", release);
    assert_eq!(torch("2.4").rocm("6.1").changes(), [""; 0]);
    let low = |release, rocm| torch(release).rocm(rocm).profile("low-vram").changes();
    assert_eq!(low("2.4", "6.1"), [format!("PYTORCH_HIP_ALLOC_CONF={short},expandable_segments:False")]);
    assert_eq!(low("2.9", "7.0"), [format!("PYTORCH_HIP_ALLOC_CONF={short}")]);
    assert_eq!(low("1.13.1", "5.2"), [format!("PYTORCH_HIP_ALLOC_CONF={short}")]);
    for name in ["PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_ALLOC_CONF", "PYTORCH_HIP_ALLOC_CONF"] {
        let set = torch("2.4").rocm("6.1").profile("low-vram").set(name, "max_split_size_mb:64");
        assert_eq!(set.changes(), [""; 0], "{name}");
        assert_eq!(set.warned_recipes().first(), Some(&"low-vram"), "{name}");
    }
}

#[test]
fn expandable_segments_are_told_where_they_do_not_work_or_do_harm() {
    let torch = |rocm, value| {
        let torch = machine(&["gfx1032"]).framework("pytorch", "2.9").rocm(rocm);
        torch.set("PYTORCH_CUDA_ALLOC_CONF", value).warned_recipes()
    };
    assert_eq!(torch("6.4", "expandable_segments:True"), ["expandable-segments-rocm6"]);
    assert_eq!(torch("6.4", "expandable_segments:False"), [""; 0]);
    assert_eq!(torch("7.2", "expandable_segments:True"), [""; 0]);
    assert_eq!(torch("7.2", "expandable_segments:True,max_split_size_mb:64"), ["expandable-segments-split"]);
    assert_eq!(torch("7.2", "max_split_size_mb:64,expandable_segments:True"), ["expandable-segments-split"]);
}

#[test]
fn a_library_path_into_another_rocm_is_told_where_the_program_brings_its_own() {
    let mut program = machine(&["gfx1030"]).set("LD_LIBRARY_PATH", "/opt/rocm-6.4.0/lib:/usr/lib");
    assert_eq!(program.warned_recipes(), [""; 0]);
    program.program.bundled = true;
    assert_eq!((program.changes().len(), program.warned_recipes()), (0, vec!["mixed-libraries"]));
    assert_eq!(program.set("LD_LIBRARY_PATH", "/usr/lib").warned_recipes(), [""; 0]);
}

#[test]
fn a_framework_without_rocm_is_told() {
    let mut program = machine(&["gfx1030"]).framework("pytorch", "2.9");
    assert_eq!(program.warned_recipes(), [""; 0]);
    program.program.without_rocm = true;
    assert_eq!((program.changes().len(), program.warned_recipes()), (0, vec!["without-rocm"]));
}

#[test]
fn coarse_registered_memory_comes_with_system_fences() {
    let mut program = machine(&["gfx1030"]);
    program.register_coarse = true;
    assert_eq!(program.changes(), ["AMD_OPT_FLUSH=0"]);
    let row = recipes().iter().find(|recipe| recipe.condition == Some(Condition::RegisterCoarse)).unwrap();
    assert_eq!(row.variables, [(SYSTEM_FENCES.0.to_owned(), SYSTEM_FENCES.1.to_owned())].into());
}

#[test]
fn a_profile_applies_to_the_gpus_of_its_reports_and_says_so_elsewhere() {
    for (profile, target, first) in [
        ("miopen-gemm-fault", "gfx1031", "MIOPEN_DEBUG_CONV_GEMM=0"),
        ("gfx1010-conv-hang", "gfx1010", "MIOPEN_DEBUG_CONV_DIRECT=0"),
        ("apu-copy-hang", "gfx90c", "HSA_ENABLE_SDMA=0"),
        ("gfx1034-copy-fails", "gfx1034", "HSA_ENABLE_SDMA=0"),
    ] {
        assert_eq!(machine(&[target]).rocm("5.7").changes(), [""; 0]);
        let asked = machine(&[target]).rocm("5.7").profile(profile);
        assert_eq!((asked.changes()[0].as_str(), asked.warned_recipes().len()), (first, 0));
        let elsewhere = machine(&["gfx1100"]).rocm("5.7").profile(profile);
        assert_eq!(elsewhere.changes(), [""; 0]);
        let text = &Plan::new(&elsewhere).notes[0].text;
        assert!(text.contains("changes nothing here") && text.contains(target), "{text}");
    }
}

#[test]
fn implicit_gemm_alone_is_left_by_the_profile_for_hanging_convolutions() {
    let changes = machine(&["gfx1010"]).profile("gfx1010-conv-hang").changes();
    let zero = |solver| format!("MIOPEN_DEBUG_CONV_{solver}=0");
    let expected =
        [zero("DIRECT"), zero("FFT"), zero("GEMM"), "MIOPEN_DEBUG_CONV_IMPLICIT_GEMM=1".into(), zero("WINOGRAD")];
    assert_eq!(changes, expected);
}

#[test]
fn every_recipe_has_a_name_of_its_own_a_source_and_a_reason() {
    // An address, or a package as its registry names it.
    let schemes = ["https://", "pkg:"];
    let mut ids = BTreeSet::new();
    for recipe in recipes() {
        let id = &recipe.id;
        assert!(ids.insert(id), "{id} is there twice");
        assert!(
            !recipe.sources.is_empty()
                && recipe.sources.iter().all(|source| schemes.iter().any(|scheme| source.starts_with(scheme))),
            "{id}"
        );
        assert!(!recipe.variables.is_empty() || recipe.action == Action::Warn, "{id}");
        assert_eq!(recipe.why.ends_with('.'), recipe.action == Action::Set, "{id}: the others go on after a colon");
        assert!(recipe.code != Some(CodeMatch::Substitute) || recipe.substitute.is_some(), "{id}");
        assert!(recipe.fix.is_some() || !recipe.is_about_packages(), "{id}: what is to be done?");
        assert!(recipe.version.is_none() || !recipe.frameworks.is_empty(), "{id}");
        if let (Action::Set, Some(value), Some(substitute)) =
            (recipe.action, recipe.variables.get(OVERRIDE), recipe.substitute)
        {
            let GfxTarget { major, minor, stepping } = substitute;
            assert_eq!(*value, format!("{major}.{minor}.{stepping}"), "{id}");
        }
    }
}

#[test]
fn what_is_no_recipe_is_refused_with_its_line() {
    let row = "[[recipe]]\nid = 'x'\naction = 'set'\nwhy = 'y'\nsources = []\nconfidence = 'A'\n";
    assert!(parse_table(row).is_ok());
    for (line, complaint) in [
        ("targets = ['gfx10']", "is not a gfx target"),
        ("rocm = '5.2'", "neither >= nor <"),
        ("rocm = '>=x'", "is no ROCm release"),
        ("when = 'never'", "unknown variant"),
        ("color = 'red'", "unknown field"),
        ("frameworks = ['torch']", "\"torch\" is no framework; known are bitsandbytes, "),
    ] {
        let error = parse_table(&(row.to_owned() + line)).unwrap_err().to_string();
        assert!(error.contains(complaint) && error.contains("line 7"), "{error}");
    }
}

#[test]
fn a_range_holds_the_releases_from_the_first_on_and_before_the_second() {
    let range: Range = ">=5.3, <7.0".parse().unwrap();
    for (release, inside) in [
        ("5.2.21151-afdc89f8", false),
        ("5.3", true),
        ("5.3.0", true),
        ("6.4.3", true),
        ("7.0.0", false),
        ("10.0", false),
    ] {
        assert_eq!(range.contains(release.parse().ok()), inside, "{release}");
    }
    assert!(!range.contains(None));
    assert!("unknown".parse::<Range>().unwrap().contains(None));
}
