//! Every opcode has a test, and the tests can tell it from others.

use std::collections::BTreeSet;

use super::{scalar, state, vector, wide};
use crate::row::{Target, mnemonics};

#[test]
fn every_opcode_has_a_test_of_its_meaning() {
    let mut tested: BTreeSet<&str> = vector::CASES.iter().chain(wide::CASES).map(|case| case.name).collect();
    tested.extend(scalar::CASES.iter().map(|case| case.name));
    tested.extend(scalar::ELSEWHERE);
    tested.extend(super::lanes::TESTED);
    // `compares` and `memory` walk their whole tables.
    let walked = |encoding: &str| ["vopc", "ds", "vmem", "smem"].contains(&encoding);
    let missing: Vec<_> = [Target::Gfx101, Target::Gfx103]
        .into_iter()
        .flat_map(mnemonics)
        .filter(|(encoding, _, name)| !walked(encoding) && !tested.contains(name))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// Runs each opcode's cases with the meaning of nothing and of every other opcode: a mutation run without a compiler. Some
/// pairs mean the same, or differ only in what is not modelled or in an operand that only one of them has.
#[test]
fn an_opcode_that_did_something_else_would_be_noticed() {
    let names: BTreeSet<&str> = vector::CASES.iter().chain(wide::CASES).map(|case| case.name).collect();
    let (mut pairs, mut unnoticed) = (0, Vec::new());
    for name in &names {
        let passes = |run| {
            let mut cases = vector::CASES.iter().chain(wide::CASES).filter(|case| case.name == *name);
            cases.all(|case| case.check(run).is_ok())
        };
        let does_nothing = ["v_nop", "v_pipeflush", "v_clrexcp"].contains(name);
        assert_eq!(passes(|_, _| {}), does_nothing, "{name} left out");
        let own = state::vector_row(name);
        for other in state::vector_rows().filter(|row| !std::ptr::eq(*row, own)) {
            // Their destination is another register.
            if !other.name.starts_with("v_cmp") && !other.name.starts_with("v_read") {
                pairs += 1;
                if passes(other.run) {
                    unnoticed.push((*name, other.name));
                }
            }
        }
    }
    assert!(pairs > 50_000 && unnoticed.len() * 300 < pairs, "{} of {pairs}: {unnoticed:?}", unnoticed.len());
}
