//! Every opcode has a test, and every mnemonic a row or a reason.

use std::collections::BTreeSet;

use super::{control, lanes, llvm, rare, scalar, vector, wide};
use crate::opcodes::opcodes;
use crate::refused::REFUSED;
use crate::row::Target;

#[test]
fn every_opcode_has_a_test_of_its_meaning() {
    let cases = vector::CASES.iter().chain(wide::CASES).chain(rare::CASES);
    let mut tested: BTreeSet<&str> = cases.map(|case| case.name).collect();
    tested.extend(scalar::CASES.iter().map(|case| case.name));
    tested.extend(control::TESTED);
    tested.extend(lanes::TESTED);
    // `compares` and `storage` walk their whole tables and panic where they have no test for a name.
    let walked = |encoding: &str| ["vopc", "ds", "vmem", "smem", "mimg"].contains(&encoding);
    let missing: Vec<_> = [Target::Gfx101, Target::Gfx103]
        .into_iter()
        .flat_map(opcodes)
        .filter(|opcode| !walked(opcode.encoding) && !tested.contains(opcode.mnemonic))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_mnemonic_of_llvm_has_a_row_or_is_refused_for_a_reason() {
    for target in [Target::Gfx101, Target::Gfx103] {
        let known: BTreeSet<&str> = opcodes(target).into_iter().map(|opcode| opcode.mnemonic).collect();
        for (_, text) in llvm::lines(target) {
            let name = llvm::mnemonic(text);
            let refused = REFUSED.iter().any(|(begin, _)| name.starts_with(begin));
            assert!(known.contains(name) != refused, "{target:?} {text}: known is {}", known.contains(name));
        }
    }
}
