//! One kernel launch: from the packet and the kernel descriptor to waves, and through to the end.
//!
//! Descriptor and initial registers: LLVM, "User Guide for AMDGPU Backend", "Kernel Descriptor" and "Initial Kernel
//! Execution State". The older `amd_kernel_code_t` (amd_hsa_kernel_code.h) has the fields used here at the same places.

use std::collections::VecDeque;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::code::{Code, SLACK};
use crate::group::Group;
use crate::mem::SCRATCH_RESOURCE;
use crate::memory::Memory;
use crate::row::Target;
use crate::stop::Stop;
use crate::wave::{PRIVATE_APERTURE, Wave, reg};

/// A kernel launch; addresses are the card's. What the fields mean is said in the HSA specification's
/// `hsa_kernel_dispatch_packet_t`.
#[derive(Debug, Clone)]
pub struct Dispatch {
    pub target: Target,
    /// Work-items of a work-group in x, y, z.
    pub workgroup: [u16; 3],
    /// Work-items of the grid in x, y, z.
    pub grid: [u32; 3],
    /// Scratch bytes of a work-item.
    pub private_bytes: u32,
    /// LDS bytes of a work-group.
    pub group_bytes: u32,
    /// Address of the kernel descriptor.
    pub kernel_object: u64,
    /// Address of the arguments.
    pub kernarg: u64,
    /// Address of the packet.
    pub packet: u64,
    /// Address of the queue's `amd_queue_t`.
    pub queue: u64,
    /// Number of the packet.
    pub id: u64,
}

/// What a dispatch did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Done {
    /// Instructions of all waves.
    pub instructions: u64,
}

/// What the descriptor says.
struct Kernel {
    entry: u64,
    rsrc1: u32,
    rsrc2: u32,
    properties: u32,
}

impl Kernel {
    fn read(memory: &dyn Memory, at: u64) -> Result<Self, Stop> {
        let mut bytes = [0; 64];
        for (n, part) in bytes.chunks_exact_mut(8).enumerate() {
            memory.load(at + 8 * n as u64, part).map_err(|fault| Stop::Fault {
                fault,
                pc: at,
                text: "reading the kernel descriptor".into(),
            })?;
        }
        let word = |at: usize| u32::from_le_bytes(std::array::from_fn(|n| bytes[at + n]));
        let offset = u64::from(word(16)) | u64::from(word(20)) << 32;
        Ok(Self { entry: at.wrapping_add(offset), rsrc1: word(48), rsrc2: word(52), properties: word(56) })
    }

    fn lanes(&self) -> usize {
        if self.properties & 1 << 10 != 0 { 32 } else { 64 }
    }

    fn vgprs(&self) -> usize {
        let granule = if self.lanes() == 32 { 8 } else { 4 };
        (self.rsrc1 as usize & 63) * granule + granule
    }
}

/// Work-groups that run at once on a thread: enough for those of a cooperative launch to wait for each other.
const RESIDENT: u64 = 64;
/// Instructions that a wave may do before others get their turn.
const SLICE: u64 = 4096;

/// Fewer are done before another thread has started.
const GROUPS_WORTH_A_THREAD: u64 = 8;

/// The work-groups of a dispatch, as its threads share them.
struct Grid {
    kernel: Kernel,
    /// Work-groups in x, y, z, and altogether.
    counts: [u32; 3],
    total: u64,
    /// How many a thread has at once.
    share: usize,
    next: AtomicU64,
    stopped: AtomicBool,
}

impl Grid {
    /// The next work-group's id.
    fn take(&self) -> Option<[u32; 3]> {
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        let [x, y, _] = self.counts.map(u64::from);
        (n < self.total).then(|| [n % x, n / x % y, n / x / y].map(|id| id as u32))
    }
}

impl Dispatch {
    /// Runs the kernel to its end, work-groups spread over the processors. `keep_going` is asked now and then.
    ///
    /// # Errors
    /// [`Stop`], at the first wave that cannot go on.
    pub fn run(&self, memory: &dyn Memory, keep_going: &(dyn Fn() -> bool + Sync)) -> Result<Done, Stop> {
        let kernel = Kernel::read(memory, self.kernel_object)?;
        if self.workgroup.contains(&0) || self.workgroup.iter().map(|&n| u32::from(n)).product::<u32>() > 1024 {
            return Err(Stop::Refused(format!("a work-group of {:?} work-items", self.workgroup)));
        }
        let counts: [u32; 3] = std::array::from_fn(|n| self.grid[n].max(1).div_ceil(self.workgroup[n].into()));
        let total = counts.iter().map(|&n| u64::from(n)).product();
        let processors = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
        let threads = processors.min(total / GROUPS_WORTH_A_THREAD).max(1);
        let grid = Grid {
            kernel,
            counts,
            total,
            share: total.div_ceil(threads).min(RESIDENT) as usize,
            next: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
        };
        let work = || {
            let done = self.work(&grid, memory, keep_going);
            if done.is_err() {
                grid.stopped.store(true, Ordering::Relaxed);
            }
            done
        };
        let results: Vec<_> = std::thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
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

    /// One thread's work: takes work-groups as long as there are any, and gives each its turn.
    fn work(&self, grid: &Grid, memory: &dyn Memory, keep_going: &dyn Fn() -> bool) -> Result<Done, Stop> {
        let mut code = Code::new(memory, self.target, grid.kernel.vgprs());
        let mut done = Done::default();
        let mut resident: VecDeque<Group> = VecDeque::new();
        loop {
            while resident.len() < grid.share
                && let Some(id) = grid.take()
            {
                resident.push_back(self.group(&grid.kernel, id));
            }
            let Some(mut group) = resident.pop_front() else { return Ok(done) };
            if grid.stopped.load(Ordering::Relaxed) || !keep_going() {
                return Err(Stop::Cancelled);
            }
            if group.step(&mut code, memory, SLICE)? {
                done.instructions += group.waves.iter().map(|wave| wave.count).sum::<u64>();
            } else {
                resident.push_back(group);
            }
        }
    }

    /// A work-group as it starts.
    fn group(&self, kernel: &Kernel, id: [u32; 3]) -> Group {
        // The last group of a dimension may be a part of one.
        let size: [u32; 3] = std::array::from_fn(|n| {
            u32::from(self.workgroup[n]).min(self.grid[n].max(1) - id[n] * u32::from(self.workgroup[n]))
        });
        let items: u32 = size.iter().product();
        let lanes = kernel.lanes();
        let waves = (0..items.div_ceil(lanes as u32)).map(|n| {
            let first = n * lanes as u32;
            self.wave(kernel, id, size, first, items)
        });
        // LDS is allocated by 512 bytes.
        Group { waves: waves.collect(), lds: vec![0; (self.group_bytes as usize).next_multiple_of(512)] }
    }

    fn wave(&self, kernel: &Kernel, id: [u32; 3], size: [u32; 3], first: u32, items: u32) -> Wave {
        let lanes = kernel.lanes();
        let mut w = Wave::new(lanes, kernel.vgprs() + SLACK);
        w.pc = kernel.entry;
        // FLOAT_MODE, DX10_CLAMP and IEEE_MODE.
        w.mode = kernel.rsrc1 >> 12 & 0xff | (kernel.rsrc1 >> 21 & 1) << 8 | (kernel.rsrc1 >> 23 & 1) << 9;
        w.private_bytes = self.private_bytes.next_multiple_of(4);
        w.scratch = vec![0; w.private_bytes as usize * lanes];
        let present = (items - first).min(lanes as u32);
        w.set_mask(reg::EXEC, u64::MAX >> (64 - present));
        self.scalars(&mut w, kernel, id);

        let dimensions = (kernel.rsrc2 >> 11 & 3).min(2);
        for lane in 0..present {
            let item = first + lane;
            let place = [item % size[0], item / size[0] % size[1], item / size[0] / size[1]];
            for (n, at) in place.into_iter().enumerate().take(dimensions as usize + 1) {
                w.v[n][lane as usize] = at;
            }
        }
        w
    }

    /// Scalar registers: what the kernel asked for, in a fixed order.
    fn scalars(&self, w: &mut Wave, kernel: &Kernel, id: [u32; 3]) {
        let wants = |bit: u32| kernel.properties >> bit & 1 != 0;
        let mut user: Vec<u32> = Vec::new();
        let pair = |v: u64| [v as u32, (v >> 32) as u32];
        if wants(0) {
            user.extend(SCRATCH_RESOURCE);
        }
        for (bit, value) in [(1, self.packet), (2, self.queue), (3, self.kernarg), (4, self.id)] {
            if wants(bit) {
                user.extend(pair(value));
            }
        }
        if wants(5) {
            user.extend(pair(PRIVATE_APERTURE));
        }
        if wants(6) {
            user.push(self.private_bytes);
        }
        // What was asked for beyond USER_SGPR_COUNT is not there.
        let count = (kernel.rsrc2 >> 1 & 31) as usize;
        user.resize(count, 0);
        for (n, wanted) in [7, 8, 9].into_iter().enumerate() {
            if kernel.rsrc2 >> wanted & 1 != 0 {
                user.push(id[n]);
            }
        }
        if kernel.rsrc2 >> 10 & 1 != 0 {
            user.push(0);
        }
        // Offset of the wave's scratch: each has its own.
        if kernel.rsrc2 & 1 != 0 {
            user.push(0);
        }
        w.s[..user.len()].copy_from_slice(&user);
    }
}
