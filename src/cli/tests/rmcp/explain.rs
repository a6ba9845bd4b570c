//! `rmcp explain`.

use crate::machine::{Machine, NAVI10, NAVI21, RAPHAEL, failure, json, rmcp, text};
use rmcp_abi::HOOKS;

#[test]
fn each_card_of_the_machine_has_its_answer() {
    let machine = Machine::with_cards(&[&NAVI10, &RAPHAEL]);
    let answer = json(&mut machine.explain(&["hipHostMalloc", "hipHostMallocMapped|Portable"]));
    assert_eq!(answer["call"], "hipHostMalloc(Portable|Mapped)");
    assert_eq!(answer["flags"], 3);
    let [card, integrated] = &answer["cards"].as_array().unwrap()[..] else { panic!("{answer:#}") };
    assert_eq!(
        (&card["target"], &card["ordinal"], &card["pci"]),
        (&"gfx1010".into(), &0.into(), &"0000:03:00.0".into())
    );
    assert_eq!(card["outcomes"][0]["becomes"], "hipHostMalloc(Portable|NonCoherent)");
    assert_eq!(card["outcomes"][0]["flags"], 0x8000_0001_u32);
    assert!(card["outcomes"][0]["why"].as_str().unwrap().contains("ROCm/clr#285"));
    assert_eq!(integrated["outcomes"][0]["changed"], false);
    assert!(integrated["outcomes"][0]["why"].as_str().unwrap().starts_with("apu=keep"));
}

#[test]
fn every_hook_is_explained_and_as_its_schema_says() {
    for hook in &HOOKS {
        // The one whose argument has no default.
        let arguments: &[&str] = if hook.name == "hipDeviceGetAttribute" { &["managedMemory"] } else { &[] };
        let answer = json(rmcp(["explain", hook.name, "--card", "gfx1010"]).args(arguments));
        assert_eq!(answer["hooks_page"], hook.policy.text(), "{}", hook.name);
        assert_ne!(answer["cards"][0]["outcomes"][0]["why"], "", "{}", hook.name);
    }
    let list = json(&mut rmcp(["explain", "--list"]));
    assert_eq!(list["functions"].as_array().unwrap().len(), HOOKS.len());
}

#[test]
fn the_option_in_force_is_named_with_its_origin() {
    let machine = Machine::with_cards(&[&NAVI21]).file("rmcp.toml", "[program.\"solver\"]\nhost = \"keep\"\n");
    let file = machine.path("rmcp.toml");
    let mut command = machine.explain(&["hipHostMalloc"]);
    let usual = json(command.env("RMCP_CONFIG", &file));
    assert_eq!(usual["options"][0]["origin"], "default");
    assert_eq!(usual["cards"][0]["outcomes"][0]["changed"], true);
    let mut command = machine.explain(&["hipHostMalloc", "--program", "solver"]);
    let solver = json(command.env("RMCP_CONFIG", &file));
    assert_eq!(solver["options"][0]["origin"], format!("{}:2", file.display()));
    assert_eq!(solver["cards"][0]["outcomes"][0]["why"], "host=keep");
}

#[test]
fn register_coarse_can_be_tried_as_rmcp_run_sets_it() {
    let mut command = rmcp(["explain", "hipHostRegister", "--card", "gfx1010", "--set", "register=coarse"]);
    let answer = json(&mut command);
    assert_eq!(answer["cards"][0]["outcomes"][0]["changed"], true);
    assert_eq!(answer["complaints"].as_array().unwrap().len(), 0);
}

#[test]
fn what_is_not_hooked_says_so_and_what_is_misspelt_names_the_nearest() {
    let message = failure(&mut rmcp(["explain", "hipMemcpy", "--card", "gfx1010"]), 1);
    assert!(message.starts_with("rmcp: RMCP does not hook hipMemcpy: a call of it goes to the runtime"), "{message}");
    let message = failure(&mut rmcp(["explain", "hipHostMaloc", "--card", "gfx1010"]), 1);
    assert!(message.contains("(did you mean hipHostMalloc?)"), "{message}");
    let message = failure(&mut rmcp(["explain", "malloc", "--card", "gfx1010"]), 1);
    assert!(message.contains("malloc is no function of HIP or HSA"), "{message}");
    let message = failure(&mut rmcp(["explain", "hipHostMalloc", "Maped", "--card", "gfx1010"]), 1);
    assert!(message.contains("(did you mean Mapped?)"), "{message}");
    let message = failure(&mut rmcp(["explain", "hipFree", "3", "--card", "gfx1010"]), 1);
    assert!(message.contains("hipFree takes no flags"), "{message}");
}

#[test]
fn without_a_card_it_says_how_to_name_one() {
    let machine = Machine::new();
    let message = failure(&mut machine.explain(&["hipMalloc"]), 1);
    assert!(message.contains("name one: rmcp explain hipMalloc --card gfx1010"), "{message}");
    let message = failure(Machine::with_cards(&[&NAVI10]).explain(&["hipMalloc"]).env("HIP_VISIBLE_DEVICES", ""), 1);
    assert!(message.contains("HIP sees no card here"), "{message}");
    let message = failure(&mut rmcp(["explain", "hipMalloc", "--card", "rx5600xt"]), 2);
    assert!(message.contains("one looks like gfx1010"), "{message}");
}

#[test]
fn people_read_the_row_of_each_page() {
    let shown = text(&mut rmcp(["explain", "hipMallocManaged", "--card", "gfx1030"]));
    for expected in [
        "becomes  hipMallocManaged(Global), then hipMemAdvise(SetCoarseGrain)",
        "docs/reference/hooks.md",
        "docs/understand/coherence.md",
    ] {
        assert!(shown.contains(expected), "{expected}\n{shown}");
    }
}

#[test]
fn both_reckonings_of_a_save_area_are_shown_for_the_machines_cards_and_for_named_ones() {
    let machine = Machine::with_cards(&[&NAVI10, &NAVI21]);
    let answer = json(&mut machine.explain(&["save_area"]));
    let [card, other] = &answer["cards"].as_array().unwrap()[..] else { panic!("{answer:#}") };
    assert_eq!((&card["linux"]["control_stack"], &card["runtime"]["control_stack"]), (&0x4000.into(), &0x5000.into()));
    assert_eq!((&card["waves"], &card["units"], &card["ordinal"]), (&40.into(), &36.into(), &0.into()));
    assert_eq!(other["linux"], other["runtime"]);
    assert_eq!(answer["option"]["value"], "\"auto\"");
    let named = json(&mut rmcp(["explain", "save_area", "--card", "gfx1012", "--card", "gfx1030"]));
    assert_ne!(named["cards"][0]["linux"]["mapping"], named["cards"][0]["runtime"]["mapping"]);
    assert_eq!(named["cards"][1]["linux"]["mapping"], named["cards"][1]["runtime"]["mapping"]);
    assert!(failure(&mut rmcp(["explain", "save_area", "--card", "gfx1101"]), 1).contains("are not known here"));
}
