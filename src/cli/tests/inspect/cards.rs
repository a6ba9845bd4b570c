//! Which cards are served by which code.

use crate::make::{self, bundle};
use rmcp_cli::commands::inspect::verdict::{Coverage, advice};
use rmcp_cli::inspect::{Targets, inspect_paths};
use rmcp_domain::gfx::{Family, GfxTarget};

fn card(name: &str) -> GfxTarget {
    name.parse().unwrap()
}

fn code(names: &[&str]) -> Targets {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

fn coverage(name: &str, targets: &[&str]) -> Coverage {
    Coverage::of_sets(card(name), [&code(targets)])
}

fn over(via: &str) -> Coverage {
    Coverage::Override { via: card(via) }
}

#[test]
fn code_of_its_own_is_better_than_any_override() {
    assert_eq!(coverage("gfx1031", &["gfx1030", "gfx1031"]), Coverage::Native);
    assert_eq!(coverage("gfx1010", &["gfx1010:xnack-"]), Coverage::Native);
}

#[test]
fn a_generic_target_serves_its_group_and_no_other() {
    for name in ["gfx1010", "gfx1011", "gfx1012", "gfx1013"] {
        assert_eq!(coverage(name, &["gfx10-1-generic"]), Coverage::Native, "{name}");
        assert_eq!(coverage(name, &["gfx10-3-generic"]), Coverage::None, "{name}");
    }
    for name in ["gfx1030", "gfx1031", "gfx1032", "gfx1033", "gfx1034", "gfx1035", "gfx1036"] {
        assert_eq!(coverage(name, &["gfx10-3-generic"]), Coverage::Native, "{name}");
        assert_eq!(coverage(name, &["gfx10-1-generic"]), Coverage::None, "{name}");
    }
    assert_eq!(coverage("gfx908", &["gfx9-generic"]), Coverage::None);
    assert_eq!(coverage("gfx906", &["gfx9-generic"]), Coverage::Native);
}

#[test]
fn rdna2_cards_take_gfx1030_code_under_10_3_0_where_that_is_known_to_work() {
    for name in ["gfx1031", "gfx1032", "gfx1034", "gfx1035"] {
        assert_eq!(coverage(name, &["gfx1030", "gfx1010"]), over("gfx1030"), "{name}");
        assert_eq!(coverage(name, &["gfx1030"]).override_version().as_deref(), Some("10.3.0"));
    }
    for name in ["gfx1033", "gfx1036", "gfx1037"] {
        assert_eq!(coverage(name, &["gfx1030"]), Coverage::None, "{name}");
    }
}

#[test]
fn rdna1_cards_take_gfx1010_code_under_10_1_0_and_never_gfx1030_code() {
    for name in ["gfx1011", "gfx1012", "gfx1013"] {
        assert_eq!(coverage(name, &["gfx1030", "gfx1010"]), over("gfx1010"), "{name}");
        assert_eq!(coverage(name, &["gfx1010"]).override_version().as_deref(), Some("10.1.0"));
    }
    for name in ["gfx1010", "gfx1011", "gfx1012", "gfx1013"] {
        assert_eq!(coverage(name, &["gfx1030", "gfx900", "gfx1100"]), Coverage::None, "{name}");
    }
}

#[test]
fn an_override_serves_only_where_all_that_is_needed_has_code_under_it() {
    let (torch, blas) = (code(&["gfx1030", "gfx1100"]), code(&["gfx1030", "gfx1031"]));
    assert_eq!(Coverage::of_sets(card("gfx1031"), [&torch, &blas]), over("gfx1030"));
    // Natively BLAS would do, and PyTorch not; under 10.3.0 PyTorch would do, and this BLAS not.
    assert_eq!(Coverage::of_sets(card("gfx1031"), [&torch, &code(&["gfx1031"])]), Coverage::None);
    assert_eq!(Coverage::of_sets(card("gfx1031"), []), Coverage::None);
}

#[test]
fn code_that_needs_page_faults_replayed_runs_on_no_gfx10_card() {
    assert_eq!(coverage("gfx1010", &["gfx1010:xnack+"]), Coverage::None);
    assert_eq!(coverage("gfx1012", &["gfx1010:xnack+"]), Coverage::None);
    assert_eq!(coverage("gfx90a", &["gfx90a:xnack+"]), Coverage::Native);
}

#[test]
fn spir_v_alone_is_not_counted_as_code() {
    assert_eq!(coverage("gfx1010", &["amdgcnspirv"]), Coverage::None);
}

#[test]
fn what_a_card_can_do_without_does_not_decide() {
    let folder = tempfile::tempdir().unwrap();
    make::write(folder.path(), "libtorch_hip.so", &bundle(&["gfx1010"]));
    make::write(folder.path(), "libhipblaslt.so.0", &bundle(&["gfx1100"]));
    make::write(folder.path(), "hipblaslt/library/TensileLibrary_lazy_gfx1100.dat", b"");
    make::write(folder.path(), "miopen/gfx1030_36.kdb", b"");
    assert_eq!(Coverage::of_inventory(card("gfx1010"), &inspect_paths(&[folder.path().into()], &[])), Coverage::Native);
    make::write(folder.path(), "rocblas/library/TensileLibrary_lazy_gfx1100.dat", b"");
    assert_eq!(Coverage::of_inventory(card("gfx1010"), &inspect_paths(&[folder.path().into()], &[])), Coverage::None);
}

#[test]
fn every_gfx10_card_that_is_not_served_natively_is_told_what_helps_and_who_says_so() {
    for version in (100_100..=100_103).chain(100_300..=100_306) {
        let card = GfxTarget::from_kfd(version).unwrap();
        for targets in [&["gfx1010"][..], &["gfx1030"], &["gfx900"]] {
            let folder = tempfile::tempdir().unwrap();
            make::write(folder.path(), "kernel.hsaco", &bundle(targets));
            let found = inspect_paths(&[folder.path().into()], &[]);
            let coverage = Coverage::of_inventory(card, &found);
            let advice = advice(card, &found, None);
            let says = |text: &str| advice.iter().any(|advice| advice.text.contains(text));
            assert_eq!(advice.is_empty(), coverage == Coverage::Native, "{card} {targets:?}");
            assert!(advice.iter().all(|advice| !advice.sources.is_empty()), "{card} {targets:?}");
            match coverage {
                Coverage::Native => {}
                Coverage::Override { .. } => assert!(says("rmcp-run sets HSA_OVERRIDE_GFX_VERSION"), "{advice:?}"),
                Coverage::None => {
                    assert!(says(&format!("Builds with {card}")), "{advice:?}");
                    let warned = says("HSA_OVERRIDE_GFX_VERSION=10.3.0");
                    assert!(warned || card.family() != Family::Rdna1, "{card} {targets:?}: {advice:?}");
                }
            }
        }
    }
}

#[test]
fn advice_is_that_for_the_release_of_rocm_that_is_known() {
    let folder = tempfile::tempdir().unwrap();
    make::write(folder.path(), "kernel.hsaco", &bundle(&["gfx900"]));
    let found = inspect_paths(&[folder.path().into()], &[]);
    let speaks_of_5_2 = |rocm: Option<&str>| {
        let advice = advice(card("gfx1010"), &found, rocm.map(|release| release.parse().unwrap()));
        advice.iter().any(|advice| advice.text.contains("builds for ROCm 5.2"))
    };
    assert!(!speaks_of_5_2(Some("10.1.0")) && !speaks_of_5_2(Some("6.4")));
    assert!(speaks_of_5_2(None), "it may be such a build");
}
