//! A dispatch run to its end.

use std::collections::VecDeque;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::code::Code;
use crate::dispatch::{Dispatch, Done};
use crate::grid::Grid;
use crate::memory::Memory;
use crate::stop::Stop;

impl Dispatch {
    /// Runs the kernel to its end, work-groups spread over the processors. `keep_going` is asked now and then.
    ///
    /// # Errors
    /// [`Stop`], at the first wave that cannot go on.
    pub fn run(&self, memory: &dyn Memory, keep_going: &(dyn Fn() -> bool + Sync)) -> Result<Done, Stop> {
        let processors = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
        let grid = Grid::new(self, memory, processors)?;
        let stopped = AtomicBool::new(false);
        let work = || {
            let done = work(&grid, memory, &|| !stopped.load(Ordering::Relaxed) && keep_going());
            if done.is_err() {
                stopped.store(true, Ordering::Relaxed);
            }
            done
        };
        let results: Vec<_> = std::thread::scope(|scope| {
            let others: Vec<_> = (1..grid.threads).map(|_| scope.spawn(work)).collect();
            let own = work();
            let joined = others.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
            std::iter::once(own).chain(joined).collect()
        });
        // A thread that only stopped because another did is not what went wrong.
        if let Some(stop) = results.iter().find_map(|r| r.as_ref().err().filter(|stop| **stop != Stop::Cancelled)) {
            return Err(stop.clone());
        }
        results
            .into_iter()
            .try_fold(Done::default(), |all, one| Ok(Done { instructions: all.instructions + one?.instructions }))
    }
}

/// One thread's work: takes work-groups as long as there are any, and gives each its turn.
fn work(grid: &Grid<'_>, memory: &dyn Memory, keep_going: &dyn Fn() -> bool) -> Result<Done, Stop> {
    let mut code = Code::new(memory, grid.dispatch.target, grid.kernel.vgprs());
    let mut done = Done::default();
    let mut resident = VecDeque::new();
    loop {
        grid.fill(&mut resident);
        let Some(mut group) = resident.pop_front() else { return Ok(done) };
        if !keep_going() {
            return Err(Stop::Cancelled);
        }
        if group.turn(&mut code, memory)? {
            done.instructions += group.instructions();
        } else {
            resident.push_back(group);
        }
    }
}
