//! The facts of the runtimes on which recipes stand, seen on the real ones.

use rmcp_hip_tests::{Client, Release, Scene, machine};

/// The GPUs that ROCr hands out: names and UUIDs.
fn agents(release: Release, cards: &[&str], (name, value): (&str, &str)) -> Option<Vec<[String; 2]>> {
    let scene = Scene::new(release, &machine(cards, true)).env(name, value);
    let run = scene.run(Client::Agents)?;
    let agent =
        |line: &str| Some(line.strip_prefix("agent ")?.split_once(' ')?).map(|(name, uuid)| [name.into(), uuid.into()]);
    Some(run.stdout.lines().filter_map(agent).collect())
}

fn names(agents: &[[String; 2]]) -> Vec<&str> {
    agents.iter().map(|[name, _]| name.as_str()).collect()
}

/// The recipes per-node-override and no-per-node-override.
#[test]
fn an_override_of_one_node_is_known_to_6_4_and_7_2_and_not_to_5_2_and_5_7() {
    for release in Release::ALL {
        let first = if release < Release::Rocm643 { "gfx1010" } else { "gfx1012" };
        let one = ("HSA_OVERRIDE_GFX_VERSION_1", "10.1.2");
        let Some(agents) = agents(release, &["gfx1010", "gfx1030"], one) else { return };
        assert_eq!(names(&agents), [first, "gfx1030"], "{release:?}");
    }
}

#[test]
fn the_override_without_a_number_holds_for_every_gpu() {
    for release in Release::ALL {
        let all = ("HSA_OVERRIDE_GFX_VERSION", "10.3.0");
        let Some(agents) = agents(release, &["gfx1010", "gfx1030"], all) else { return };
        assert_eq!(names(&agents), ["gfx1030", "gfx1030"], "{release:?}");
    }
}

/// The recipe igpu-beside-card. The emulated cards' unique ids are 0x1000 and 0x1001.
#[test]
fn rocr_visible_devices_shows_a_card_by_its_uuid_and_by_its_number() {
    for release in Release::ALL {
        for card in ["GPU-0000000000001001", "1"] {
            let shown = ("ROCR_VISIBLE_DEVICES", card);
            let Some(agents) = agents(release, &["gfx1036", "gfx1030"], shown) else { return };
            assert_eq!(agents, [["gfx1030", "GPU-0000000000001001"]], "{release:?} {card}");
        }
    }
}
