//! Libraries with rules of their own, on either way.

use crate::{RELEASES, assert_coherent, run_both};
use rmcp_hip_tests::{Client, Scene, TableProgram};

/// Each call that the library makes.
fn calls(linked: bool) -> Vec<String> {
    let ways: &[&str] = if linked { &["linked", "dlsym"] } else { &["dlsym"] };
    ways.iter().flat_map(|way| ["hipHostMalloc(0)", "hipMallocManaged"].map(|call| format!("{way} {call}"))).collect()
}

#[test]
fn a_library_that_is_known_to_need_coherent_memory_keeps_it_by_link_and_by_dlsym() {
    for release in RELEASES {
        for (library, coherent) in [("librccl", true), ("libother", false)] {
            for linked in [true, false] {
                let Some((without, with)) = run_both(release, TableProgram::Caller { library, linked }) else { return };
                for call in calls(linked) {
                    assert_coherent(&without, &call, true);
                    assert_coherent(&with, &call, coherent);
                    assert_eq!(with.call(&call), without.call(&call), "{library}, linked {linked}, on {release}");
                }
            }
        }
    }
}

/// A file of options, and whether memory that the library gets is coherent.
const SECTIONS: [(&str, bool); 2] = [
    ("[library.libother]\nhost = 'keep'\nmanaged = 'keep'\n", true),
    ("host = 'keep'\nmanaged = 'keep'\n[library.libother]\nhost = 'noncoherent'\nmanaged = 'coarse'\n", false),
];

#[test]
fn a_section_of_the_options_reaches_a_library_by_link_and_by_dlsym() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rmcp.toml");
    for (text, coherent) in SECTIONS {
        std::fs::write(&file, text).unwrap();
        for (release, linked) in RELEASES.into_iter().flat_map(|release| [(release, true), (release, false)]) {
            let scene = Scene::new(release, "gfx1010").with_rmcp().env("RMCP_CONFIG", file.to_str().unwrap());
            // The text is no part of what tells runs apart.
            let scene = scene.env("CASE", text);
            let program = TableProgram::Caller { library: "libother", linked };
            let Some(run) = scene.run(Client::Table(program)) else { return };
            calls(linked).iter().for_each(|call| assert_coherent(&run, call, coherent));
        }
    }
}
