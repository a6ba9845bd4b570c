//! Instructions as text: LLVM's syntax without the suffix of the encoding; lane masks are written as a wave32 has them.

mod memory;
mod scalar;
mod vector;

use std::fmt::{self, Display, Formatter};

use crate::inst::Inst;
use crate::operands::Src;
use crate::row::Row;

impl Display for Inst {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (name, operands) = match self {
            Self::Scalar(row, i) => scalar::operands(row, i),
            Self::Vector(row, i) => vector::operands(row, i),
            Self::Smem(row, i) => memory::smem(row, i),
            Self::Ds(row, i) => memory::ds(row, i),
            Self::Vmem(row, i) => memory::vmem(row, i),
            Self::Mimg(row, i) => memory::mimg(row, i),
        };
        f.write_str(&name)?;
        if !operands.list.is_empty() {
            write!(f, " {}", operands.list.join(", "))?;
        }
        f.write_str(&operands.modifiers)
    }
}

/// What stands behind a mnemonic.
#[derive(Default)]
struct Operands {
    list: Vec<String>,
    /// Each with a space in front.
    modifiers: String,
}

impl Operands {
    fn of<const N: usize>(list: [String; N]) -> Self {
        Self { list: list.into(), modifiers: String::new() }
    }

    fn flag(&mut self, is_set: bool, text: &str) {
        if is_set {
            self.modifiers += " ";
            self.modifiers += text;
        }
    }
}

/// Whether a row is one of a table.
fn is_in<T>(table: &'static [Row<T>], row: &'static Row<T>) -> bool {
    table.as_ptr_range().contains(&std::ptr::from_ref(row))
}

/// Registers that a type in a mnemonic takes, such as 2 for `b64`.
fn registers_of(kind: &str) -> Option<usize> {
    let bits = kind.strip_prefix(['b', 'f', 'i', 'u'])?;
    bits.parse().ok().map(|bits: usize| bits.div_ceil(32))
}

/// Registers of the first and of the last type of a mnemonic: most results and most sources.
fn first_and_last(name: &str) -> (usize, usize) {
    let mut kinds = name.split('_').filter_map(registers_of);
    let first = kinds.next().unwrap_or(1);
    (first, kinds.next_back().unwrap_or(first))
}

fn range(letter: &str, first: usize, count: usize) -> String {
    if count == 1 { format!("{letter}{first}") } else { format!("{letter}[{first}:{}]", first + count - 1) }
}

fn vgprs(first: u8, count: usize) -> String {
    range("v", first.into(), count)
}

/// Scalar registers from a code on.
fn sgprs(code: u8, count: usize) -> String {
    let half = |name: &str, low: u8| match (count, code - low) {
        (1, 0) => format!("{name}_lo"),
        (1, _) => format!("{name}_hi"),
        _ => name.to_owned(),
    };
    match code {
        0..=105 => range("s", code.into(), count),
        106 | 107 => half("vcc", 106),
        108..=123 => range("ttmp", usize::from(code) - 108, count),
        124 => "m0".to_owned(),
        125 => "null".to_owned(),
        _ => half("exec", 126),
    }
}

/// A source of so many registers.
fn source(src: Src, count: usize) -> String {
    const FLOATS: [&str; 9] = ["0.5", "-0.5", "1.0", "-1.0", "2.0", "-2.0", "4.0", "-4.0", "0.15915494"];
    const APERTURES: [&str; 4] = ["src_shared_base", "src_shared_limit", "src_private_base", "src_private_limit"];
    match src.code {
        0..=127 => sgprs(src.code as u8, count),
        128..=192 => (src.code - 128).to_string(),
        193..=208 => format!("-{}", src.code - 192),
        235..=238 => APERTURES[usize::from(src.code - 235)].to_owned(),
        240..=248 => FLOATS[usize::from(src.code - 240)].to_owned(),
        251 => "src_vccz".to_owned(),
        252 => "src_execz".to_owned(),
        253 => "src_scc".to_owned(),
        Src::LITERAL => format!("{:#x}", src.literal),
        code => vgprs((code - 256) as u8, count),
    }
}
