//! Cards of RDNA1 and RDNA2 for which a program has no code of their own compute right with what rmcp-run gives it, on the
//! real runtime.

use rmcp_hip_tests::{Client, Release, Scene};

/// Kernels that hipcc compiled for gfx1010 and gfx1030 alone.
fn program() -> Client {
    Client::Compiled { flags: vec!["-O2", "-mcode-object-version=4", "-ffp-contract=off"] }
}

fn by_rmcp_run(card: &str) -> Scene {
    Scene::new(Release::Rocm643, card).by_rmcp_run()
}

#[test]
fn a_program_for_two_cards_computes_right_on_seven_others_under_rmcp_run() {
    for card in ["gfx1011", "gfx1012", "gfx1013", "gfx1031", "gfx1032", "gfx1034", "gfx1035"] {
        let Some(run) = by_rmcp_run(card).run(program()) else { return };
        run.assert_right(10);
        assert_eq!(run.stderr, "", "{card}: nothing is wrong that the user must hear of");
    }
}

#[test]
fn an_override_that_rmcp_run_would_not_choose_stays_where_the_user_has_chosen_it() {
    let Some(run) = by_rmcp_run("gfx1036").env("HSA_OVERRIDE_GFX_VERSION", "10.3.0").run(program()) else { return };
    run.assert_right(10);
    assert_eq!(run.stderr, "");
}
