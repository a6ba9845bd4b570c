//! Once RMCP's core and a runtime were met, no call waits for the loader or changes what it remembers for the program.

use crate::process::Process;
use rmcp_hip_tests::Stubs;
use std::fs;

/// The program with three libraries reports the same without RMCP and with it.
#[track_caller]
fn assert_reports(way: &str, expected: &[&str]) {
    let stubs = Stubs::get();
    let folder = tempfile::tempdir().unwrap();
    let plugin = folder.path().join("libplugin.so");
    fs::copy(stubs.allocator(), &plugin).unwrap();
    let another = folder.path().join("libanother.so");
    fs::copy(stubs.allocator(), &another).unwrap();
    // The other library is linked with the same copy of the runtime, or with one of its own that was met before too.
    let others = if way == "function" { vec![another, stubs.wheel_allocator()] } else { vec![another] };
    let words: Vec<_> = others
        .iter()
        .map(|other| format!("{} {} {} {way}", stubs.allocator().display(), other.display(), plugin.display()))
        .collect();
    let options = folder.path().join("rmcp.toml");
    fs::write(&options, "[library.libplugin]\nhost = 'keep'\n").unwrap();
    let process = Process::of(stubs.loader_lock());
    let table = process.clone().env("LD_LIBRARY_PATH", stubs.drivers_with_table(&[]));
    for (process, words) in [process, table].iter().flat_map(|process| words.iter().map(move |words| (process, words)))
    {
        assert_eq!(process.clone().bare().run(words).lines, expected);
        let active = process.clone().gpus(&["gfx1010"]);
        for process in [
            active.clone(),
            active.clone().env("RMCP_CONFIG", &options),
            active.clone().env("RMCP_LOG", "trace").env("RMCP_LOG_FILE", folder.path().join("log")),
            active.env("RMCP_TRACE", folder.path()),
            process.clone().gpus(&["gfx1100"]),
        ] {
            assert_eq!(process.run(words).lines, expected, "{words} {process:?}");
        }
    }
}

#[test]
fn a_constructor_can_wait_for_the_first_call_of_another_library() {
    assert_reports("caller", &["caller\tmemory"]);
}

#[test]
fn a_constructor_can_wait_for_the_first_call_of_another_function() {
    assert_reports("function", &["function\tmemory"]);
}

#[test]
fn a_constructor_can_wait_for_the_first_call_of_its_own_library_on_another_thread() {
    assert_reports("plugin", &["plugin\tmemory"]);
}

#[test]
fn an_error_that_the_program_has_not_read_yet_outlives_every_call() {
    let calls = ["again", "caller", "function", "plugin"].map(|call| format!("{call}\tmemory\tpending"));
    assert_reports("dlerror", &calls.each_ref().map(String::as_str));
}
