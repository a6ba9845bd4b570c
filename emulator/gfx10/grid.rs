//! The work-groups of a dispatch, as its threads share them.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::dispatch::Dispatch;
use crate::group::Group;
use crate::kernel::Kernel;
use crate::memory::Memory;
use crate::stop::Stop;

/// Work-groups that run at once on a thread: enough for those of a cooperative launch to wait for each other.
const RESIDENT: u64 = 64;
/// Fewer are done before another thread has started.
const GROUPS_WORTH_A_THREAD: u64 = 8;

pub struct Grid<'a> {
    pub dispatch: &'a Dispatch,
    pub kernel: Kernel,
    pub threads: u64,
    /// Work-groups in x, y, z, and altogether.
    counts: [u32; 3],
    total: u64,
    /// How many a thread has at once.
    share: usize,
    next: AtomicU64,
}

impl<'a> Grid<'a> {
    /// The grid of a dispatch, for so many threads or fewer.
    pub fn new(dispatch: &'a Dispatch, memory: &dyn Memory, threads: u64) -> Result<Self, Stop> {
        let kernel = Kernel::read(memory, dispatch.kernel_object)?;
        let workgroup = dispatch.workgroup;
        if workgroup.contains(&0) || workgroup.iter().map(|&n| u32::from(n)).product::<u32>() > 1024 {
            return Err(Stop::Refused(format!("a work-group of {workgroup:?} work-items")));
        }
        let counts: [u32; 3] = std::array::from_fn(|n| dispatch.grid[n].max(1).div_ceil(workgroup[n].into()));
        let total: u64 = counts.iter().map(|&n| u64::from(n)).product();
        let threads = threads.min(total / GROUPS_WORTH_A_THREAD).max(1);
        let share = total.div_ceil(threads).min(RESIDENT) as usize;
        Ok(Self { dispatch, kernel, threads, counts, total, share, next: AtomicU64::new(0) })
    }

    /// The next work-group's id.
    fn take(&self) -> Option<[u32; 3]> {
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        let [x, y, _] = self.counts.map(u64::from);
        (n < self.total).then(|| [n % x, n / x % y, n / x / y].map(|id| id as u32))
    }

    /// Adds work-groups to those that a thread has.
    pub fn fill(&self, resident: &mut VecDeque<Group>) {
        while resident.len() < self.share
            && let Some(id) = self.take()
        {
            resident.push_back(self.kernel.group(self.dispatch, id));
        }
    }
}
