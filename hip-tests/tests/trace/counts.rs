//! Amounts, compared with what the program did and with RMCP's own counters.

use crate::traced::{RELEASE, Trace, Traced, assert_client_calls, endings_client};
use rmcp_hip_tests::{Client, Release};

/// The calls that were rewritten, by the report.
fn rewritten(traced: &Traced, function: &str) -> u64 {
    let choices = traced.rows("choices", "function", function);
    choices.iter().filter(|row| row["outcome"] != "as-asked").map(|row| row["calls"].as_u64().unwrap()).sum()
}

#[test]
fn the_calls_of_64_threads_are_recorded_as_librmcp_counts_them() {
    for release in [Release::Rocm523, Release::Rocm724] {
        let hammer = Client::Threads { program: "hammer", args: vec!["64", "250", "all"] };
        let Some(mut trace) = Trace::new("gfx1010", &[]).client(release, &hammer) else { return };
        let traced = trace.run();
        assert!(traced.output.status.success(), "{}", traced.stderr());
        let stdout = traced.stdout();
        let mut compared = 0;
        for line in stdout.lines().filter(|line| line.ends_with(" rewritten")) {
            let words: Vec<_> = line.split([':', ' ', ',']).collect();
            let (function, counted) = (words[0], [words[2], words[5]].map(|count| count.parse::<u64>().unwrap()));
            // Asks, and neither gives nor takes.
            if function == "hipHostGetFlags" {
                continue;
            }
            assert_eq!(traced.number(function, "calls"), counted.iter().sum::<u64>(), "{function} on {release}");
            assert_eq!(rewritten(&traced, function), counted[1], "{function} on {release}");
            assert_eq!(traced.calls(function)["failures"], 0, "{function} on {release}");
            compared += 1;
        }
        assert_eq!(compared, 7, "{stdout}");
        // It frees all that it allocates, in whatever order its threads do.
        for function in ["hipMalloc", "hipExtMallocWithFlags", "hipMallocManaged", "hipHostMalloc", "hipHostAlloc"] {
            assert_eq!(traced.number(function, "never_freed"), 0, "{function} on {release}");
        }
        for nothing in ["lost_calls", "unknown_frees", "unseen_frees"] {
            assert_eq!(traced.json[nothing], 0, "{nothing} on {release}");
        }
    }
}

#[test]
fn every_allocation_call_shows_what_it_asked_for_and_was_given() {
    for release in [Release::Rocm571, Release::Rocm643] {
        let Some(mut trace) = Trace::new("gfx1010", &[]).client(release, &Client::Allocations) else { return };
        let traced = trace.run();
        let choice = |function: &str, asked: &str| {
            let rows = traced.rows("choices", "function", function);
            let row = rows.iter().find(|row| row["asked"] == asked);
            let row = row.unwrap_or_else(|| panic!("no {function}({asked}) on {release}"));
            let coherent = |field: &str| row[field].as_bool();
            (row["given"].as_str().unwrap().to_owned(), coherent("asked_coherent"), coherent("given_coherent"))
        };
        let rewritten = |given: &str| (given.to_owned(), Some(true), Some(false));
        let kept = |given: &str, coherent| (given.to_owned(), Some(coherent), Some(coherent));
        assert_eq!(choice("hipHostMalloc", "Default"), rewritten("NonCoherent"));
        assert_eq!(choice("hipHostMalloc", "Portable|Mapped"), rewritten("Portable|NonCoherent"));
        assert_eq!(choice("hipHostMalloc", "NumaUser"), rewritten("NumaUser|NonCoherent"));
        assert_eq!(choice("hipHostMalloc", "Coherent"), kept("Coherent", true));
        assert_eq!(choice("hipHostMalloc", "Portable"), kept("Portable", false));
        assert_eq!(choice("hipMallocManaged", "Global"), rewritten("Global, advised SetCoarseGrain"));
        assert_eq!(choice("hipHostRegister", "Default"), kept("Default", true));
        assert_eq!(choice("hipExtMallocWithFlags", "Finegrained"), kept("Finegrained", false));
        for kind in ["vram", "pinned", "managed", "registered"] {
            assert_eq!(traced.memory(kind)["peak"], 0xa0_0000, "{kind} on {release}");
            assert_eq!(traced.memory(kind)["never_freed"], 0, "{kind} on {release}");
        }
        assert_eq!(traced.json["processes"][0]["gpus"], "gfx1010");
    }
}

#[test]
fn calls_are_recorded_and_left_alone_on_a_card_that_rmcp_is_not_for() {
    let Some(mut trace) = Trace::new("gfx1100", &[]).client(RELEASE, &endings_client(&["return"])) else { return };
    let traced = trace.run();
    assert_client_calls(&traced, 1);
    assert_eq!(rewritten(&traced, "hipHostMalloc"), 0);
    let inactive = traced.json["processes"][0]["inactive"].as_str().unwrap();
    assert_eq!(inactive, "no rule acts on gfx1100: it is neither RDNA1 nor RDNA2");
}

#[test]
fn allocations_of_a_program_that_speaks_hsa_are_told_by_their_pools() {
    let Some(mut trace) = Trace::new("gfx1010", &["--set", "hsa_pool=coarse"]).client(RELEASE, &Client::HsaPools)
    else {
        return;
    };
    let traced = trace.run();
    let rows = traced.rows("choices", "function", "hsa_amd_memory_pool_allocate");
    let words: Vec<_> =
        rows.iter().map(|row| (row["asked"].as_str().unwrap(), row["given"].as_str().unwrap())).collect();
    assert!(words.contains(&("fine-grained pool of the CPU", "coarse-grained pool of the CPU")), "{words:?}");
    assert!(words.contains(&("kernarg pool of the CPU", "kernarg pool of the CPU")), "{words:?}");
    assert!(words.contains(&("coarse-grained pool of the GPU", "coarse-grained pool of the GPU")), "{words:?}");
    for kind in ["vram", "pinned"] {
        assert_eq!(traced.memory(kind)["peak"], 0xa0_0000, "{kind}");
        assert_eq!(traced.memory(kind)["never_freed"], 0, "{kind}");
    }
}
