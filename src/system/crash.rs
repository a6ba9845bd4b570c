//! An end at a chosen point of a change.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

thread_local! {
    static POINTS_LEFT: Cell<Option<usize>> = const { Cell::new(None) };
}

/// What a crash unwinds with.
struct Crash;

/// Does something that ends at a point, counted from 0. None: it ended there; otherwise it was done before.
pub fn at<T>(point: usize, act: impl FnOnce() -> T) -> Option<T> {
    POINTS_LEFT.set(Some(point));
    let done = catch_unwind(AssertUnwindSafe(act));
    POINTS_LEFT.set(None);
    match done {
        Ok(value) => Some(value),
        Err(payload) if payload.is::<Crash>() => None,
        Err(payload) => resume_unwind(payload),
    }
}

/// One of the points.
pub fn point() {
    match POINTS_LEFT.get() {
        Some(0) => resume_unwind(Box::new(Crash)),
        Some(left) => POINTS_LEFT.set(Some(left - 1)),
        None => {}
    }
}
