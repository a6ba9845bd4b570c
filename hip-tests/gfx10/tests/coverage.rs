//! Every opcode has a test.

use std::collections::BTreeSet;

use super::{rare, scalar, vector, wide};
use crate::row::{Target, mnemonics};

#[test]
fn every_opcode_has_a_test_of_its_meaning() {
    let mut tested: BTreeSet<&str> =
        vector::CASES.iter().chain(wide::CASES).chain(rare::CASES).map(|case| case.name).collect();
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
