//! Every compare, from its name.

use std::cmp::Ordering;

use super::state::{SDST, d, f, give, got, h, operands, set, wave};
use crate::row::Row;
use crate::valu::VectorFn;
use crate::valu::vopc;
use crate::wave::reg;

/// Values of a type, as the bits it has, and how any two compare.
pub fn values(kind: &str) -> Vec<u64> {
    match kind {
        "f32" => vec![f(-1.5), f(0.0), f(-0.0), f(2.0), f(f32::NAN), f(f32::INFINITY), 1],
        "f64" => vec![d(-1.5), d(0.0), d(-0.0), d(2.0), d(f64::NAN), d(f64::INFINITY), 1],
        "f16" => vec![h(-1.5), h(0.0), h(-0.0), h(2.0), 0x7e00, 0x7c00, 1],
        "i16" | "u16" => vec![0, 1, 0x7fff, 0x8000, 0xffff],
        "i32" | "u32" => vec![0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff],
        _ => vec![0, 1, 1 << 32, i64::MAX as u64, 1 << 63, u64::MAX],
    }
}

pub fn order(kind: &str, a: u64, b: u64) -> Option<Ordering> {
    match kind {
        "f32" => f32::from_bits(a as u32).partial_cmp(&f32::from_bits(b as u32)),
        "f64" => f64::from_bits(a).partial_cmp(&f64::from_bits(b)),
        "f16" => half::f16::from_bits(a as u16).to_f32().partial_cmp(&half::f16::from_bits(b as u16).to_f32()),
        "i16" => Some((a as i16).cmp(&(b as i16))),
        "i32" => Some((a as i32).cmp(&(b as i32))),
        "i64" => Some((a as i64).cmp(&(b as i64))),
        _ => Some(a.cmp(&b)),
    }
}

/// What a compare of that name gives for an order; none is "unordered".
pub fn holds(test: &str, order: Option<Ordering>) -> bool {
    let is = |wanted: &[Ordering]| order.is_some_and(|order| wanted.contains(&order));
    use Ordering::{Equal, Greater, Less};
    match test {
        "f" => false,
        "lt" => is(&[Less]),
        "eq" => is(&[Equal]),
        "le" => is(&[Less, Equal]),
        "gt" => is(&[Greater]),
        "lg" => is(&[Less, Greater]),
        "ge" => is(&[Greater, Equal]),
        "o" => order.is_some(),
        "u" => order.is_none(),
        "nge" => !is(&[Greater, Equal]),
        "nlg" => !is(&[Less, Greater]),
        "ngt" => !is(&[Greater]),
        "nle" => !is(&[Less, Equal]),
        "neq" | "ne" => !is(&[Equal]),
        "nlt" => !is(&[Less]),
        "tru" | "t" => true,
        other => panic!("no compare {other}"),
    }
}

/// Runs a compare of two values in lane 0, with lane 1 inactive: the mask.
fn compared(row: &Row<VectorFn>, a: u64, b: u64) -> u32 {
    let mut w = wave();
    give(&mut w, 0, &[a, b]);
    give(&mut w, 1, &[a, b]);
    w.s[usize::from(SDST)] = 0xaaaa;
    set(&mut w, 0, 0xdead_beef_0bad_f00d);
    (row.run)(&mut w, &operands(2));
    assert_eq!(got(&w, 0), 0xdead_beef_0bad_f00d, "{} writes a vector register", row.name);
    let to_exec = row.name.starts_with("v_cmpx");
    if to_exec {
        assert_eq!(w.s[usize::from(SDST)], 0xaaaa, "{} writes EXEC alone", row.name);
    }
    w.s[usize::from(if to_exec { reg::EXEC } else { SDST })]
}

#[test]
fn every_compare_does_what_its_name_says() {
    vopc::TABLE.iter().for_each(check);
}

/// Holds one compare to its name.
pub fn check(row: &Row<VectorFn>) {
    let mut parts = row.name.split('_').skip(2);
    let (test, kind) = (parts.next().unwrap(), parts.next().unwrap());
    if test == "class" {
        return classes(row, kind);
    }
    for a in values(kind) {
        for b in values(kind) {
            let wanted = u32::from(holds(test, order(kind, a, b)));
            assert_eq!(compared(row, a, b), wanted, "{} {a:#x} {b:#x}", row.name);
        }
    }
}

fn classes(row: &Row<VectorFn>, kind: &str) {
    // Signalling and quiet NaN, -inf, -normal, -denormal, -0, +0, +denormal, +normal, +inf.
    let f64s = [INF64 | 1, INF64 | 1 << 51, 1 << 63 | INF64, d(-2.0), 1 << 63 | 1, 1 << 63, 0, 1, d(2.0), INF64];
    let f32s = [0x7f80_0001, 0x7fc0_0000, 0xff80_0000, f(-2.0), 0x8000_0001, 0x8000_0000, 0, 1, f(2.0), 0x7f80_0000];
    let f16s = [0x7c01, 0x7e00, 0xfc00, h(-2.0), 0x8001, 0x8000, 0, 1, h(2.0), 0x7c00];
    let values = match kind {
        "f64" => f64s,
        "f32" => f32s,
        _ => f16s,
    };
    for (class, value) in values.into_iter().enumerate() {
        for asked in 0..10 {
            assert_eq!(compared(row, value, 1 << asked), u32::from(asked == class), "{} {value:#x}", row.name);
        }
    }
}

const INF64: u64 = 0x7ff0_0000_0000_0000;
