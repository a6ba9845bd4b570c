//! The mutation run: each opcode is given another meaning, and its tests have to notice.
//!
//! A mutant of an opcode has the meaning of another opcode of its family, or does nothing, or undoes the lowest or the
//! highest bit of what it should change first. `MUTATION.md` has the counts and every opcode that was not noticed.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, Once};

use super::{compares, control, lanes, lds, rare, scalar, state, storage, vector, wide};
use crate::mem::{ds, image, smem, vmem};
use crate::operands::{Scalar, Vector};
use crate::row::Row;
use crate::salu::ScalarFn;
use crate::valu::VectorFn;
use crate::wave::Wave;

/// The opcode of a family that is spoilt at the moment on this thread, and its meaning.
pub struct Spoilt<T: 'static>(Cell<Option<(&'static str, T)>>);

impl<T: Copy> Spoilt<T> {
    const fn none() -> Self {
        Self(Cell::new(None))
    }

    /// The row as the tests are to have it.
    pub fn of(&self, row: &Row<T>) -> Row<T> {
        match self.0.get() {
            Some((name, run)) if name == row.name => Row { run, ..*row },
            _ => *row,
        }
    }

    /// Runs `tests` with a row spoilt: whether they noticed.
    fn notices(&self, name: &'static str, run: T, tests: impl Fn() -> bool) -> bool {
        self.0.set(Some((name, run)));
        let passed = catch_unwind(AssertUnwindSafe(tests));
        self.0.set(None);
        !matches!(passed, Ok(true))
    }
}

thread_local! {
    pub static SCALAR: Spoilt<ScalarFn> = const { Spoilt::none() };
    pub static VECTOR: Spoilt<VectorFn> = const { Spoilt::none() };
    /// The true meaning of what loses a bit.
    static SCALAR_TRUE: Cell<ScalarFn> = const { Cell::new(|_, _| {}) };
    static VECTOR_TRUE: Cell<VectorFn> = const { Cell::new(|_, _| {}) };
}

/// A bit of a change.
#[derive(Clone, Copy)]
enum End {
    Lowest,
    Highest,
}

/// Undoes one bit of the first register that differs from `before`, or SCC, or the jump.
fn undo(before: &Wave, w: &mut Wave, end: End) {
    let bit = |a: u32, b: u32| match end {
        End::Lowest => 1 << (a ^ b).trailing_zeros(),
        End::Highest => 1 << (31 - (a ^ b).leading_zeros()),
    };
    let vector = before.v.iter().flatten().zip(w.v.iter_mut().flatten());
    let mut registers = vector.chain(before.s.iter().zip(&mut w.s));
    if let Some((old, new)) = registers.find(|(old, new)| *old != *new) {
        *new ^= bit(*old, *new);
    } else if before.scc != w.scc {
        w.scc = before.scc;
    } else if before.pc != w.pc {
        w.pc = before.pc;
    } else if before.status != w.status {
        w.status = before.status.clone();
    } else {
        w.mode = before.mode;
        w.flat_scratch = before.flat_scratch;
    }
}

fn scalar_loses(w: &mut Wave, i: &Scalar, end: End) {
    let before = w.clone();
    SCALAR_TRUE.get()(w, i);
    undo(&before, w, end);
}

fn vector_loses(w: &mut Wave, i: &Vector, end: End) {
    let before = w.clone();
    VECTOR_TRUE.get()(w, i);
    undo(&before, w, end);
}

thread_local! {
    /// What an instruction that reaches memory loses.
    static LOSES: Cell<Option<Loss>> = const { Cell::new(None) };
}

#[derive(Clone, Copy)]
enum Loss {
    Everything,
    Bit(End),
}

/// Runs an instruction on `w` and `memory`, which does nothing if the mutation run wants it, or loses a bit of the first thing
/// that changed.
pub fn loses(w: &mut Wave, memory: &Mutex<Vec<u8>>, run: impl FnOnce(&mut Wave)) {
    let end = match LOSES.get() {
        None => return run(w),
        Some(Loss::Everything) => return,
        Some(Loss::Bit(end)) => end,
    };
    let (before, bytes) = (w.clone(), memory.lock().unwrap().clone());
    run(w);
    let mut memory = memory.lock().unwrap();
    match memory.iter_mut().zip(bytes).find(|(new, old)| **new != *old) {
        Some((new, old)) => {
            let changed = *new ^ old;
            *new ^= match end {
                End::Lowest => 1 << changed.trailing_zeros(),
                End::Highest => 0x80 >> changed.leading_zeros(),
            };
        }
        None => undo(&before, w, end),
    }
}

/// What came out for one opcode.
#[derive(Default)]
struct Outcome {
    /// Of the mutants that are no other opcode.
    spoilt: usize,
    spoilt_noticed: usize,
    /// Of those that are another opcode.
    swapped: usize,
    /// The opcodes whose meaning its tests take for its own.
    like: Vec<&'static str>,
}

impl Outcome {
    fn add(&mut self, other: Option<&'static str>, noticed: bool) {
        match other {
            None => {
                self.spoilt += 1;
                self.spoilt_noticed += usize::from(noticed);
            }
            Some(name) => {
                self.swapped += 1;
                if !noticed {
                    self.like.push(name);
                }
            }
        }
    }

    /// Every spoilt one was noticed, and of the swaps nine in ten: some opcodes mean the same.
    fn noticed(&self) -> bool {
        self.spoilt == self.spoilt_noticed && self.like.len() * 10 <= self.swapped
    }
}

/// Opcodes that change nothing that is modelled, so nothing can be lost of them, and they all mean the same.
fn does_nothing(name: &str) -> bool {
    let hints = [
        "v_cmpx_tru",
        "v_cmpx_t_",
        "nop",
        "wait",
        "setprio",
        "icache",
        "ttrace",
        "prefetch",
        "clause",
        "wakeup",
        "perflevel",
        "cdbg",
        "pipeflush",
        "clrexcp",
        "_inv",
        "dcache",
        "atc_probe",
        "s_version",
    ];
    hints.iter().any(|hint| name.contains(hint))
}

fn differs(name: &str, other: &str) -> bool {
    name != other && !(does_nothing(name) && does_nothing(other))
}

/// Family, opcode, outcome.
type Outcomes = Vec<(&'static str, &'static str, Outcome)>;

fn scalars(outcomes: &mut Outcomes) {
    for row in scalar::rows() {
        let tests = || {
            let mut cases = scalar::CASES.iter().filter(|case| case.name == row.name);
            let passed = cases.all(|case| case.check().is_ok());
            if passed && row.name.starts_with("s_cmp") {
                scalar::check_compare(row.name);
            }
            if passed && control::TESTED.contains(&row.name) {
                control::TESTS.iter().for_each(|test| test());
            }
            passed
        };
        assert!(tests(), "{}", row.name);
        let mut outcome = Outcome::default();
        let mut try_one = |other, run| outcome.add(other, SCALAR.with(|spoilt| spoilt.notices(row.name, run, tests)));
        if !does_nothing(row.name) {
            SCALAR_TRUE.set(row.run);
            try_one(None, |_, _| {});
            try_one(None, |w, i| scalar_loses(w, i, End::Lowest));
            try_one(None, |w, i| scalar_loses(w, i, End::Highest));
        }
        for other in scalar::rows().filter(|other| differs(row.name, other.name)) {
            try_one(Some(other.name), other.run);
        }
        outcomes.push(("scalar", row.name, outcome));
    }
}

fn vectors(outcomes: &mut Outcomes) {
    for row in state::vector_rows() {
        let compares = row.name.starts_with("v_cmp");
        let tests = || {
            if compares {
                compares::check(&VECTOR.with(|spoilt| spoilt.of(row)));
                return true;
            }
            let run = state::vector_row(row.name).run;
            let mut cases = vector::CASES.iter().chain(wide::CASES).chain(rare::CASES);
            let passed = cases.all(|case| case.name != row.name || case.check(run).is_ok());
            if passed && lanes::TESTED.contains(&row.name) {
                lanes::TESTS.iter().for_each(|test| test());
            }
            passed
        };
        assert!(tests(), "{}", row.name);
        let mut outcome = Outcome::default();
        let mut try_one = |other, run| outcome.add(other, VECTOR.with(|spoilt| spoilt.notices(row.name, run, tests)));
        if !does_nothing(row.name) {
            VECTOR_TRUE.set(row.run);
            try_one(None, |_, _| {});
            try_one(None, |w, i| vector_loses(w, i, End::Lowest));
            try_one(None, |w, i| vector_loses(w, i, End::Highest));
        }
        for other in state::vector_rows().filter(|other| differs(row.name, other.name)) {
            try_one(Some(other.name), other.run);
        }
        outcomes.push((if compares { "compares" } else { "vector" }, row.name, outcome));
    }
}

/// Those that reach memory, whose meanings are data: the tests are given a row with another's.
fn memory_rows<T: Copy + PartialEq>(
    outcomes: &mut Outcomes,
    family: &'static str,
    table: &'static [Row<T>],
    check: fn(&Row<T>),
) {
    for row in table {
        let mut outcome = Outcome::default();
        let mut try_one = |other, run| {
            let noticed = catch_unwind(AssertUnwindSafe(|| check(&Row { run, ..*row }))).is_err();
            outcome.add(other, noticed);
        };
        if !does_nothing(row.name) {
            for loss in [Loss::Everything, Loss::Bit(End::Lowest), Loss::Bit(End::Highest)] {
                LOSES.set(Some(loss));
                try_one(None, row.run);
                LOSES.set(None);
            }
        }
        for other in table.iter().filter(|other| differs(row.name, other.name) && other.run != row.run) {
            try_one(Some(other.name), other.run);
        }
        outcomes.push((family, row.name, outcome));
    }
}

/// Panics of tests that notice are no news.
fn quietly<R>(f: impl FnOnce() -> R) -> R {
    thread_local!(static QUIET: Cell<bool> = const { Cell::new(false) });
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                usual(info);
            }
        }));
    });
    QUIET.set(true);
    let result = f();
    QUIET.set(false);
    result
}

fn page(outcomes: &Outcomes) -> String {
    let mut families: BTreeMap<&str, [usize; 6]> = BTreeMap::new();
    for (family, _, outcome) in outcomes {
        let counts = [
            1,
            usize::from(outcome.noticed()),
            outcome.spoilt,
            outcome.spoilt_noticed,
            outcome.swapped,
            outcome.swapped - outcome.like.len(),
        ];
        let sums = families.entry(family).or_default();
        sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
    }
    let mut text = String::from(
        "<!-- Generated by tests/mutation.rs, where `WRITE_GENERATED` is set. -->\n\
         # Which opcodes' tests notice that they are spoilt\n\n\
         Each opcode in turn does nothing, or undoes the lowest or the highest bit of the first thing that it changes\n\
         (*spoilt*; not for hints and waits, which change nothing here), or has the meaning of another opcode of its\n\
         family (*swapped*); then its tests run. An opcode counts as noticed where they fail for every spoilt one and for nine\n\
         in ten of the swapped.\n\n\
         | family | opcodes | noticed | spoilt | noticed | swapped | noticed |\n|---|---|---|---|---|---|---|\n",
    );
    let mut all = [0; 6];
    for (family, counts) in &families {
        all.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        let [opcodes, seen, spoilt, spoilt_seen, swapped, swapped_seen] = counts;
        writeln!(text, "| {family} | {opcodes} | {seen} | {spoilt} | {spoilt_seen} | {swapped} | {swapped_seen} |")
            .unwrap();
    }
    let [opcodes, seen, spoilt, spoilt_seen, swapped, swapped_seen] = all;
    writeln!(text, "| all | {opcodes} | {seen} | {spoilt} | {spoilt_seen} | {swapped} | {swapped_seen} |").unwrap();
    let unnoticed: Vec<_> =
        outcomes.iter().filter(|(_, _, outcome)| !outcome.noticed()).map(|(_, name, _)| *name).collect();
    write!(
        text,
        "\n## Opcodes that were not noticed\n\n{}\n",
        if unnoticed.is_empty() { "None.".into() } else { unnoticed.join(", ") }
    )
    .unwrap();
    text.push_str("\n## Swaps that were not noticed\n\nMost of these mean the same here.\n\n");
    for (_, name, outcome) in outcomes.iter().filter(|(_, _, outcome)| !outcome.like.is_empty()) {
        writeln!(text, "- {name}: {}", outcome.like.join(", ")).unwrap();
    }
    text
}

#[test]
fn spoilt_opcodes_are_noticed_by_their_tests() {
    let outcomes = quietly(|| {
        let mut outcomes = Outcomes::new();
        scalars(&mut outcomes);
        vectors(&mut outcomes);
        memory_rows(&mut outcomes, "SMEM", smem::TABLE, storage::check_smem);
        memory_rows(&mut outcomes, "DS", ds::TABLE, lds::check_ds);
        memory_rows(&mut outcomes, "vector memory", vmem::TABLE, storage::check_vmem);
        memory_rows(&mut outcomes, "images", image::TABLE, super::image::check);
        outcomes
    });
    let noticed = outcomes.iter().filter(|(_, _, outcome)| outcome.noticed()).count();
    let missed: Vec<_> =
        outcomes.iter().filter(|(_, _, outcome)| !outcome.noticed()).map(|(_, name, _)| name).collect();
    assert!(
        noticed * 100 >= outcomes.len() * 95,
        "{noticed} of {} opcodes are noticed; not {missed:?}",
        outcomes.len()
    );
    generated_text::check("emulator/gfx10/MUTATION.md", &page(&outcomes));
}
