//! The text of instructions against what LLVM prints.

use super::llvm::{decoded, lines};
use crate::row::Target;

/// LLVM's text without the suffix of the encoding.
fn plain(text: &str) -> String {
    let (name, operands) = text.split_once(' ').map_or((text, ""), |(name, operands)| (name, operands));
    let name = ["_e32", "_e64", "_sdwa", "_dpp"].iter().find_map(|form| name.strip_suffix(form)).unwrap_or(name);
    if operands.is_empty() { name.to_owned() } else { format!("{name} {operands}") }
}

/// What LLVM has names for and this crate has not.
fn is_named(text: &str) -> bool {
    ["hwreg(HW_REG_GPR_ALLOC", "offset:swizzle(", "format:[", "s_atc_probe"].iter().any(|part| text.contains(part))
}

#[test]
fn the_text_is_llvms() {
    for target in [Target::Gfx101, Target::Gfx103] {
        let mut compared = 0;
        for (words, text) in lines(target).filter(|(_, text)| !is_named(text)) {
            let Ok((inst, _)) = decoded(&words, target) else { continue };
            assert_eq!(inst.to_string(), plain(text), "{target:?} {words:08x?}");
            compared += 1;
        }
        assert!(compared > 1300, "{compared}");
    }
}
