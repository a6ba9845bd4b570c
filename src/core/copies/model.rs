//! A hook's target on loom's atomics, in every order of the steps of threads that take its place, give it back and call.

#[allow(clippy::duplicate_mod)] // the second time on purpose: the atomics are those of this module
#[allow(dead_code)]
#[path = "target.rs"]
mod target;

use loom::sync::Arc;
use loom::sync::atomic::AtomicPtr;
use loom::thread;
use std::ffi::c_void;
use std::ptr::{null_mut, without_provenance_mut};
use std::sync::atomic::Ordering::{AcqRel, Acquire};
use target::Target;

fn address(number: usize) -> *mut c_void {
    without_provenance_mut(number)
}

/// The runtime's function.
const FUNCTION: usize = 1;
/// Its export, which jumps to what stands in the table.
const EXPORT: usize = 2;
/// RMCP's hook.
const HOOK: usize = 3;
/// A profiler's function, which calls what it found in the table.
const PROFILER: usize = 4;

struct Process {
    target: Target,
    place: &'static AtomicPtr<c_void>,
    found_by_profiler: AtomicPtr<c_void>,
}

impl Process {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            target: Target { function: AtomicPtr::new(null_mut()), place: AtomicPtr::new(null_mut()) },
            place: Box::leak(Box::new(AtomicPtr::new(address(FUNCTION)))),
            found_by_profiler: AtomicPtr::new(null_mut()),
        })
    }

    fn take(&self) {
        self.target.take(self.place, address(HOOK), address(EXPORT));
    }

    fn give_back(&self) {
        self.target.give_back(address(HOOK));
    }

    /// A call that comes to one of them ends in the runtime's function: how often it met the hook on its way.
    fn call(&self, first: usize) -> usize {
        let (mut next, mut hooks) = (address(first), 0);
        for _ in 0..8 {
            next = match next.addr() {
                FUNCTION => return hooks,
                EXPORT => self.place.load(Acquire),
                PROFILER => self.found_by_profiler.load(Acquire),
                HOOK => {
                    hooks += 1;
                    let known = self.target.function();
                    if known.is_null() { self.target.note_export(address(EXPORT)) } else { known }
                }
                other => unreachable!("a call went to {other}"),
            };
        }
        panic!("a call goes round for ever");
    }
}

fn check(model: impl Fn(&Arc<Process>) + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(move || model(&Process::new()));
}

fn spawn<T: 'static>(process: &Arc<Process>, run: impl FnOnce(&Process) -> T + 'static) -> thread::JoinHandle<T> {
    let process = process.clone();
    thread::spawn(move || run(&process))
}

#[test]
fn a_call_reaches_the_function_while_its_place_is_taken_and_given_back() {
    check(|process| {
        let taker = spawn(process, |process| {
            process.take();
            process.give_back();
        });
        let caller = spawn(process, |process| {
            process.call(HOOK);
            process.call(EXPORT);
        });
        process.call(EXPORT);
        taker.join().unwrap();
        caller.join().unwrap();
        assert_eq!(process.call(EXPORT), 0);
        assert!(process.call(HOOK) >= 1);
    });
}

#[test]
fn a_place_that_two_threads_take_leads_to_the_hook_once() {
    check(|process| {
        let other = spawn(process, Process::take);
        process.take();
        other.join().unwrap();
        assert_eq!(process.call(EXPORT), 1);
        process.give_back();
        assert_eq!(process.call(EXPORT), 0);
    });
}

#[test]
fn a_place_that_a_profiler_has_put_itself_before_is_not_taken_again() {
    check(|process| {
        process.take();
        let profiler = spawn(process, |process| {
            let found = process.place.load(Acquire);
            process.found_by_profiler.store(found, std::sync::atomic::Ordering::Release);
            process.place.compare_exchange(found, address(PROFILER), AcqRel, Acquire).is_ok()
        });
        process.give_back();
        let stands = profiler.join().unwrap();
        process.take();
        assert!(!stands || process.place.load(Acquire) == address(PROFILER));
        process.call(EXPORT);
        process.call(HOOK);
    });
}
