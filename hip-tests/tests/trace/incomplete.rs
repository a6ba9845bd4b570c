//! A report whose program may have made calls past RMCP says so.

use crate::traced::{RELEASE, Trace, Traced, endings_client};
use rmcp_hip_tests::Release;

fn run(release: Release, options: &[&str], how: &'static str) -> Option<Traced> {
    let traced = Trace::new("gfx1010", options).client(release, &endings_client(&[how]))?.run();
    assert_eq!(traced.output.status.code(), Some(5), "{}", traced.stderr());
    Some(traced)
}

#[test]
fn a_report_is_incomplete_where_the_runtimes_own_table_does_not_lead_to_rmcp() {
    for (release, options, expected) in [
        (RELEASE, &[][..], false),
        (Release::Rocm724, &[], false),
        (RELEASE, &["--set", "dispatch_table=off"], true),
        (Release::Rocm523, &[], true),
        (Release::Rocm571, &[], true),
    ] {
        let Some(traced) = run(release, options, "return") else { return };
        let notes = traced.json["notes"].to_string();
        assert_eq!(traced.json["incomplete"], expected, "{release} {options:?}: {notes}");
        assert_eq!(notes.contains("Incomplete in process"), expected, "{release} {options:?}: {notes}");
    }
}

#[test]
fn what_is_incomplete_in_a_process_is_so_in_its_forked_child() {
    let Some(traced) = run(Release::Rocm571, &[], "fork") else { return };
    let processes = traced.json["processes"].as_array().unwrap();
    assert_eq!(processes.iter().map(|process| &process["incomplete"]).collect::<Vec<_>>(), [true, true]);
}
