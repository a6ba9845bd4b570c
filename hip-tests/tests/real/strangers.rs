//! Programs that nobody here wrote.

use crate::{RDNA, run, scenes};
use rmcp_hip_tests::Client;

fn rocminfo() -> Client {
    Client::Debian { packages: Vec::new(), program: "rocminfo", args: Vec::new() }
}

#[test]
fn rocminfo_prints_the_same_under_rmcp_run() {
    for scene in scenes(&RDNA) {
        let Some(without) = run(&scene, rocminfo()) else { return };
        let Some(with) = run(&scene.clone().by_rmcp_run(), rocminfo()) else { return };
        assert!(without.stdout.contains("gfx10"), "{}", without.stdout);
        assert_eq!(with.stdout, without.stdout, "{scene:?}");
    }
}
