//! An override that ROCr does not read.

use super::*;

#[test]
fn an_override_that_rocm_does_not_read_is_written_as_it_does_or_removed() {
    let card = |value| machine(&["gfx1031"]).rocm("6.4").library(&["gfx1010", "gfx1030"]).set(OVERRIDE, value);
    for value in ["\"10.3.0\"", "10.3.0 ", "gfx1030"] {
        let card = card(value);
        assert_eq!(card.changes(), [format!("{OVERRIDE}=10.3.0")], "{value:?}");
        assert_eq!(card.warned_recipes(), ["override-unreadable"], "{value:?}");
        let change = &Plan::new(&card).changes[0];
        assert_eq!((change.before.as_deref(), change.recipe.id.as_str()), (Some(value), "override-unreadable"));
    }
    let without = machine(&["gfx1030"]).rocm("6.4");
    for value in ["", "10.3", "ten"] {
        // What the card needs comes in its place.
        assert_eq!(card(value).changes(), [format!("{OVERRIDE}=10.3.0")], "{value:?}");
        let without = without.clone().set(OVERRIDE, value);
        assert_eq!(
            (without.changes(), without.warned_recipes()),
            (vec![format!("-{OVERRIDE}")], vec!["override-unreadable"])
        );
    }
    assert!(Plan::new(&without.set(OVERRIDE, "10.3")).notes[0].text.starts_with("HSA_OVERRIDE_GFX_VERSION=10.3 is removed for gfx1030 at 0000:01:00.0 (--keep-env keeps it): ROCm takes three numbers"));
    let text = Plan::new(&card("\"10.3.0\"")).notes[0].text.clone();
    assert!(text.starts_with("HSA_OVERRIDE_GFX_VERSION='\"10.3.0\"' is written as 10.3.0 for gfx1031 at"), "{text}");
}

#[test]
fn an_override_that_rocm_reads_stays_byte_for_byte() {
    for value in ["10.3.0", " 10.3.0", "010.3.0"] {
        let card = machine(&["gfx1031"]).rocm("6.4").library(&["gfx1030"]).set(OVERRIDE, value);
        assert_eq!((card.changes().len(), card.warned_recipes()), (0, vec![]), "{value:?}");
        let harmful = machine(&["gfx1010"]).rocm("6.4").set(OVERRIDE, value);
        assert_eq!(harmful.warned_recipes(), ["rdna1-under-gfx1030"], "{value:?}");
    }
    let other = machine(&["gfx1100"]).set(OVERRIDE, "\"11.0.0\"");
    assert_eq!((other.changes().len(), other.warned_recipes().len()), (0, 0), "no GPU of ours");
}

#[test]
fn a_mended_override_under_which_the_card_faults_is_removed() {
    let card = machine(&["gfx1010"]).rocm("6.4").set(OVERRIDE, "\"10.3.0\"");
    assert_eq!(card.changes(), [format!("-{OVERRIDE}")]);
    assert_eq!(card.warned_recipes(), ["override-unreadable", "rdna1-under-gfx1030"]);
    assert_eq!(Plan::new(&card).changes[0].before.as_deref(), Some("\"10.3.0\""));
    assert_eq!(card.set(OVERRIDE, "\"10.1.0\"").changes(), [format!("{OVERRIDE}=10.1.0")]);
}

#[test]
fn an_unreadable_override_that_is_kept_or_set_later_is_told() {
    let mut kept = machine(&["gfx1030"]).set(OVERRIDE, "gfx1030");
    kept.keep_environment = true;
    assert_eq!((kept.changes().len(), kept.warned_recipes()), (0, vec!["override-unreadable"]));
    let mut later = machine(&["gfx1030"]).set(OVERRIDE, "gfx1030");
    later.pinned.insert(OVERRIDE.into());
    assert_eq!((later.changes().len(), later.warned_recipes()), (0, vec!["override-unreadable"]));
    assert!(Plan::new(&later).notes[0].text.contains("set after rmcp-run"));
}

#[test]
fn the_unreadable_override_of_a_node_is_mended_where_the_release_reads_it() {
    let numbered = format!("{OVERRIDE}_2");
    let cards = machine(&["gfx1031", "gfx1032"]).set(&numbered, "'10.3.0'");
    assert_eq!(cards.clone().rocm("6.4").changes(), [format!("{numbered}=10.3.0")]);
    assert_eq!(cards.rocm("5.7").changes(), [""; 0]);
    // A hidden GPU's is read, too.
    let hidden = machine(&["gfx1030", "gfx1100"]).rocm("6.4").set("ROCR_VISIBLE_DEVICES", "0");
    assert_eq!(hidden.set(&numbered, "x").changes(), [format!("-{numbered}")]);
}
