//! Each way to the runtime, in each state of RMCP.

use crate::process::{Process, Report};
use crate::{NON_COHERENT, SYSTEM, gate_without_core, host_malloc};
use rmcp_hip_tests::Stubs;
use std::fs;

/// How a program reaches its runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// It is linked with it.
    Linked,
    /// As Python loads extension modules.
    LibraryLoadedLocally,
    LibraryLoadedGlobally,
    /// A library whose runtime has another file name and lies beside it.
    Wheel,
    /// Another library, preloaded after RMCP, has a hipHostMalloc of its own: it gets what the program asked for.
    Interposed,
    /// The same before RMCP.
    InterposedBefore,
    /// Before main runs.
    ConstructorOfTheProgram,
    /// While the loader holds its lock.
    ConstructorOfALibrary,
}

const WAYS: [Way; 8] = [
    Way::Linked,
    Way::LibraryLoadedLocally,
    Way::LibraryLoadedGlobally,
    Way::Wheel,
    Way::Interposed,
    Way::InterposedBefore,
    Way::ConstructorOfTheProgram,
    Way::ConstructorOfALibrary,
];

const CALL: &str = "hipHostMalloc=0";

impl Way {
    fn process(self) -> Process {
        let stubs = Stubs::get();
        match self {
            Way::Linked => Process::linked(),
            Way::LibraryLoadedLocally => Process::loading(&[("local", stubs.client())]),
            Way::LibraryLoadedGlobally => Process::loading(&[("global", stubs.client())]),
            Way::Wheel => Process::loading(&[("local", stubs.wheel_client())]),
            Way::Interposed => Process::linked().preload(stubs.interposer()),
            Way::InterposedBefore => Process::linked().preload_before(stubs.interposer()),
            Way::ConstructorOfTheProgram => Process::linked().env("CLIENT_AT_START", CALL),
            Way::ConstructorOfALibrary => Process::loading(&[("local", stubs.client())]).env("CLIENT_AT_START", CALL),
        }
    }

    fn commands(self) -> &'static str {
        match self {
            Way::ConstructorOfTheProgram | Way::ConstructorOfALibrary => "status",
            _ => "hipHostMalloc=0 status",
        }
    }

    /// The call reaches this way's runtime with `flags`, and rmcp_status then says `status`.
    #[track_caller]
    fn expect(self, report: &Report, flags: &str, status: &str) {
        let copy = if self == Way::Wheel { "libamdhip64-1a2b3c4d.so" } else { SYSTEM };
        let flags = if self == Way::Interposed { "0x0" } else { flags };
        let mut lines = Vec::new();
        if matches!(self, Way::Interposed | Way::InterposedBefore) {
            lines.push("interposer: hipHostMalloc(0x1000, 0x0)".to_owned());
        }
        lines.push(host_malloc(copy, flags));
        lines.push(format!("status\t{status}"));
        assert_eq!((&report.lines, report.stderr.as_str()), (&lines, ""), "{self:?}");
    }
}

#[test]
fn on_gfx1010_a_call_reaches_its_runtime_rewritten_whichever_way_it_comes_but_through_another_library() {
    for way in WAYS {
        let report = way.process().gpus(&["gfx1010"]).run(way.commands());
        way.expect(&report, NON_COHERENT, "2\tgpus=1\ttargets=gfx1010\treason=");
    }
}

#[test]
fn on_another_card_a_call_reaches_its_runtime_unchanged() {
    for way in WAYS {
        let report = way.process().gpus(&["gfx1100"]).run(way.commands());
        way.expect(
            &report,
            "0x0",
            "1\tgpus=1\ttargets=gfx1100\treason=no rule acts on gfx1100: it is neither RDNA1 nor RDNA2",
        );
    }
}

#[test]
fn rmcp_disable_leaves_every_call_unchanged() {
    for way in WAYS {
        let report = way.process().gpus(&["gfx1010"]).env("RMCP_DISABLE", "1").run(way.commands());
        way.expect(&report, "0x0", "1\tgpus=0\ttargets=\treason=RMCP_DISABLE is set");
    }
}

#[test]
fn without_its_core_the_gate_forwards_every_call_unchanged() {
    let (_folder, gate) = gate_without_core();
    for way in WAYS {
        let report = way.process().gate(&gate).gpus(&["gfx1010"]).run(way.commands());
        way.expect(&report, "0x0", "0");
    }
}

#[test]
fn a_core_that_is_no_library_counts_as_none() {
    let (folder, gate) = gate_without_core();
    fs::write(folder.path().join("librmcp_core.so"), "not an ELF file").unwrap();
    for way in WAYS {
        let report = way.process().gate(&gate).gpus(&["gfx1010"]).run(way.commands());
        way.expect(&report, "0x0", "0");
    }
}

#[test]
fn a_broken_config_file_counts_as_none_and_nothing_is_printed() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("rmcp.toml");
    fs::write(&config, "host = \"keep\"\n[[[").unwrap();
    for way in WAYS {
        let report = way.process().gpus(&["gfx1010"]).env("RMCP_CONFIG", &config).run(way.commands());
        way.expect(&report, NON_COHERENT, "2\tgpus=1\ttargets=gfx1010\treason=");
    }
}

#[test]
fn a_setgid_program_under_a_system_wide_preload_is_left_alone() {
    for way in WAYS {
        // A secure process does not look beside a library for others, with RMCP or without.
        if way == Way::Wheel {
            continue;
        }
        let process = way.process().gpus(&["gfx1010"]);
        let Some(report) = process.run_secure(way.commands()) else { return };
        way.expect(&report, "0x0", "0");
        let report = process.run_secure("process").unwrap();
        assert_eq!(report.lines.last().unwrap(), "process\tsecure=1\tgate=1\tcore=0", "{way:?}");
    }
}

#[test]
fn a_library_loaded_with_deepbind_is_missed() {
    let process = Process::loading(&[("deepbind", Stubs::get().client())]).gpus(&["gfx1010"]);
    let report = process.run("hipHostMalloc=0");
    assert_eq!(report.lines, [host_malloc(SYSTEM, "0x0")]);
}
