//! The page of opcodes.

use std::fmt::Write;

use crate::opcodes::{Opcode, opcodes};
use crate::refused::REFUSED;
use crate::row::Target;

fn page() -> String {
    let [rdna1, rdna2] = [Target::Gfx101, Target::Gfx103].map(opcodes);
    let mut both: Vec<Opcode> = rdna1.clone();
    both.extend(rdna2.iter().filter(|opcode| !rdna1.contains(opcode)));
    let mut page = format!(
        "<!-- Generated from the tables of opcodes by tests/opcodes.rs. -->\n\
         # Opcodes\n\n\
         {} opcodes are implemented for gfx10.1 (RDNA1) and {} for gfx10.3 (RDNA2). Mnemonics are LLVM's; those of `vmem` stand \
         for FLAT, GLOBAL,\nSCRATCH, MUBUF and MTBUF, and have `flat_`, `global_`, `scratch_`, `buffer_` or `tbuffer_` in front. \
         VOP1, VOP2 and VOPC\nexist in VOP3, too, with DPP and with SDWA where the card has that.\n\n\
         ## Refused\n\n\
         A kernel that comes to one of these stops with the reason.\n\n| mnemonics | why |\n|---|---|\n",
        rdna1.len(),
        rdna2.len()
    );
    for (begin, why) in REFUSED {
        let _ = writeln!(page, "| `{begin}`... | {why} |");
    }
    page += "\n## Implemented\n\n| encoding | opcode | gfx10.1 | gfx10.3 |\n|---|---|---|---|\n";
    let encodings =
        ["sop1", "sop2", "sopc", "sopk", "sopp", "smem", "vop1", "vop2", "vopc", "vop3", "vop3p", "ds", "vmem", "mimg"];
    for encoding in encodings {
        let mut rows: Vec<_> = both.iter().filter(|opcode| opcode.encoding == encoding).collect();
        rows.sort_by_key(|opcode| opcode.number);
        for opcode in rows {
            let number = |all: &[Opcode]| {
                if all.contains(opcode) { format!("{:#04x}", opcode.number) } else { "-".to_owned() }
            };
            let (first, second) = (number(&rdna1), number(&rdna2));
            let _ = writeln!(page, "| {encoding} | `{}` | {first} | {second} |", opcode.mnemonic);
        }
    }
    page
}

#[test]
fn the_page_of_opcodes_is_up_to_date() {
    generated_text::check("emulator/gfx10/OPCODES.md", &page());
}
