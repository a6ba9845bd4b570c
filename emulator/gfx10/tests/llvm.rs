//! The decoder against LLVM's disassembler.

use std::collections::HashSet;
use std::io::Write;
use std::process::{Command, Stdio};

use crate::decode::decode;
use crate::inst::Inst;
use crate::opcodes::opcodes;
use crate::row::Target;

/// A line of `llvm.txt` for `target`: words and text.
pub fn lines(target: Target) -> impl Iterator<Item = (Vec<u32>, &'static str)> {
    let name = if target == Target::Gfx101 { "gfx101" } else { "gfx103" };
    include_str!("llvm.txt").lines().filter(|line| !line.starts_with('#')).filter_map(move |line| {
        let (who, rest) = line.split_once(' ').unwrap();
        let (words, text) = rest.split_once(' ').unwrap();
        let words = words.split(',').map(|word| u32::from_str_radix(word, 16).unwrap()).collect();
        (who == "both" || who == name).then_some((words, text))
    })
}

/// LLVM's mnemonic as the tables have it: without the encoding, and of memory without the prefix that says where.
pub fn mnemonic(text: &str) -> &str {
    let name = text.split_once(' ').map_or(text, |(name, _)| name);
    let name = ["_e32", "_e64", "_sdwa", "_dpp"].iter().find_map(|form| name.strip_suffix(form)).unwrap_or(name);
    let places = ["flat_", "global_", "scratch_", "buffer_", "tbuffer_"];
    places.iter().find_map(|place| name.strip_prefix(place)).unwrap_or(name)
}

fn name(inst: &Inst) -> &'static str {
    match inst {
        Inst::Scalar(row, _) => row.name,
        Inst::Vector(row, _) => row.name,
        Inst::Smem(row, _) => row.name,
        Inst::Ds(row, _) => row.name,
        Inst::Vmem(row, _) => row.name,
        Inst::Mimg(row, _) => row.name,
    }
}

pub fn decoded(words: &[u32], target: Target) -> Result<(Inst, u32), String> {
    // What follows an instruction must not matter to it.
    decode(std::array::from_fn(|n| words.get(n).copied().unwrap_or(0xdead_beef)), target)
}

#[test]
fn every_opcode_decodes_to_llvms_mnemonic_and_length_or_is_refused() {
    for target in [Target::Gfx101, Target::Gfx103] {
        let known: HashSet<&str> = opcodes(target).into_iter().map(|opcode| opcode.mnemonic).collect();
        for (words, text) in lines(target) {
            let wanted = mnemonic(text);
            match decoded(&words, target) {
                Ok((inst, used)) => {
                    assert_eq!(name(&inst), wanted, "{target:?} {words:08x?} {text}");
                    assert_eq!(used as usize, words.len(), "{target:?} {words:08x?} {text}");
                }
                Err(why) => assert!(!known.contains(wanted), "{target:?} {words:08x?} {text}: {why}"),
            }
        }
    }
}

#[test]
fn llvm_knows_every_opcode_of_the_tables_on_the_same_target() {
    for target in [Target::Gfx101, Target::Gfx103] {
        let theirs: HashSet<&str> = lines(target).map(|(_, text)| mnemonic(text)).collect();
        for opcode in opcodes(target) {
            assert!(theirs.contains(opcode.mnemonic), "{target:?} {opcode:x?}");
        }
    }
}

/// Numbers of the registers in a text, in order, without VCC, EXEC and null.
fn registers(text: &str) -> Vec<(char, u32)> {
    let operands = text.split_once(' ').map_or("", |(_, operands)| operands);
    let words = operands.split([',', ' ']).filter(|word| !word.is_empty());
    let number = |word: &str| {
        let kind = word.chars().next().filter(|kind| "sv".contains(*kind))?;
        let digits = word[1..].trim_start_matches('[');
        let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
        digits[..end].parse().ok().map(|n| (kind, n))
    };
    words.filter_map(number).collect()
}

#[test]
fn vector_operands_are_those_that_llvm_prints() {
    for target in [Target::Gfx101, Target::Gfx103] {
        let mut compared = 0;
        for (words, text) in lines(target) {
            let Ok((Inst::Vector(row, i), _)) = decoded(&words, target) else { continue };
            // Compares into EXEC, and what has no operands, encode a destination that is not printed.
            if row.name.starts_with("v_cmpx") || !text.contains(' ') {
                continue;
            }
            let scalar = row.name.starts_with("v_cmp") || row.name.starts_with("v_read");
            let first = (if scalar { 's' } else { 'v' }, u32::from(i.dst));
            let second = (i.sdst != i.dst && i.sdst < 106).then_some(('s', i.sdst.into()));
            let kind = |code: u16| match code {
                0..=105 => Some(('s', u32::from(code))),
                256.. => Some(('v', u32::from(code) - 256)),
                _ => None,
            };
            let ours = std::iter::once(first).chain(second).chain(i.src.iter().filter_map(|src| kind(src.code)));
            let theirs = registers(text);
            // A short form prints VCC where the long one prints a register; unused sources come last.
            let ours: Vec<_> = ours.collect();
            let ours = if text.contains("vcc_lo,") && scalar { &ours[1..] } else { &ours[..] };
            assert_eq!(&ours[..theirs.len()], &theirs[..], "{target:?} {words:08x?} {text}");
            compared += 1;
        }
        assert!(compared > 500, "{compared}");
    }
}

/// `cargo test -p gfx10 -- --ignored`, after a line was added or another LLVM is to be tried.
#[test]
#[ignore = "needs llvm-mc, and prints as LLVM 14 does"]
fn llvm_prints_these_lines() {
    for (target, cpu) in [(Target::Gfx101, "gfx1010"), (Target::Gfx103, "gfx1030")] {
        let bytes = |words: Vec<u32>| {
            words.iter().flat_map(|word| word.to_le_bytes()).map(|byte| format!("{byte:#04x} ")).collect::<String>()
        };
        let input: String = lines(target).map(|(words, _)| bytes(words) + "\n").collect();
        let mut llvm = Command::new("llvm-mc")
            .args(["-disassemble", "-arch=amdgcn", "-mattr=+wavefrontsize32", &format!("-mcpu={cpu}")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("llvm-mc of Debian's package llvm");
        let mut stdin = llvm.stdin.take().unwrap();
        let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
        let output = llvm.wait_with_output().unwrap();
        writer.join().unwrap().unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        let theirs: Vec<_> = printed.lines().map(words).filter(|line| !line.is_empty() && line != ".text").collect();
        let ours: Vec<_> = lines(target).map(|(_, text)| words(text)).collect();
        assert_eq!(ours, theirs, "{cpu}");
    }
}
