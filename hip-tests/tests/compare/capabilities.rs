//! `capabilities = "no-managed"`.

use rmcp_abi::flags::MANAGED_CAPABILITIES;
use rmcp_hip_tests::{Client, Release, Run, Scene, on_every_release};

#[test]
fn no_managed_hides_managed_memory_from_the_attribute_and_from_both_layouts_of_the_properties() {
    on_every_release(|release| {
        let client = || Client::Options { option: "capabilities" };
        let scene = Scene::new(release, "gfx1010");
        let Some(without) = scene.run(client()) else { return };
        let Some(with) = scene.with_rmcp().env("RMCP_CAPABILITIES", "no-managed").run(client()) else { return };
        let mut sources = vec!["attribute", "properties"];
        if release >= Release::Rocm643 {
            sources.push("older properties");
        }
        for source in sources {
            let value = |run: &Run, name: &str| {
                let call = run.call(&format!("{source} {name}"));
                assert_eq!(call.code, 0, "{source} {name} on {release}");
                call.flags
            };
            assert_eq!(value(&without, "managedMemory"), 1, "{source} without RMCP on {release}");
            for field in MANAGED_CAPABILITIES {
                assert_eq!(value(&with, field.name), 0, "{source} {} on {release}", field.name);
            }
            assert_eq!(value(&with, "warpSize"), value(&without, "warpSize"), "{source} on {release}");
        }
        assert_eq!(with.call("hipMallocManaged").code, 0, "still served on {release}");
    });
}
