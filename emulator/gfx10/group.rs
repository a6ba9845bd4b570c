//! A work-group: its waves, LDS and barriers.

use crate::code::Code;
use crate::mem::Storage;
use crate::memory::Memory;
use crate::stop::Stop;
use crate::wave::{Status, Wave, reg};

/// Instructions that a wave may do before the next one of its work-group. The card issues one of each wave in turn, and
/// kernels that lack a barrier are right there by it: rocSOLVER's potf2 reads in all waves what the first then overwrites.
pub const SLICE: u64 = 1;
/// How often it is each wave's turn before another work-group's.
pub const ROUNDS: u64 = 4096 / SLICE;

/// A work-group that runs.
pub struct Group {
    /// Its place in the grid, in work-groups.
    pub id: [u32; 3],
    pub waves: Vec<Wave>,
    pub lds: Vec<u8>,
}

impl Group {
    /// Runs its waves in turn until none can go on or other work-groups are to have their turn, and says whether all have
    /// ended.
    pub fn turn(&mut self, code: &mut Code<'_>, memory: &dyn Memory) -> Result<bool, Stop> {
        // The order of a wave that is alone does not depend on slices.
        let (rounds, slice) = if self.waves.len() == 1 { (1, SLICE * ROUNDS) } else { (ROUNDS, SLICE) };
        for _ in 0..rounds {
            let mut next = 0;
            while let Some(wave) = self.ready(next) {
                self.run(wave, code, memory, slice)?;
                next = wave + 1;
            }
            if !self.can_go_on() {
                break;
            }
        }
        Ok(self.end_turn())
    }

    /// Whether a wave neither waits nor lets others run first.
    pub fn can_go_on(&self) -> bool {
        self.waves.iter().any(Wave::is_running)
    }

    /// The first wave from number `from` on that can run.
    pub fn ready(&mut self, from: usize) -> Option<usize> {
        (from..self.waves.len()).find(|&n| {
            let status = &mut self.waves[n].status;
            if *status == Status::Yielding {
                *status = Status::Running;
            }
            *status == Status::Running
        })
    }

    /// Opens the barrier where every wave has come to it, and says whether all have ended.
    pub fn end_turn(&mut self) -> bool {
        // Waves that have ended do not hold up a barrier.
        if self.waves.iter().any(|wave| !matches!(wave.status, Status::Waiting | Status::Ended)) {
            return false;
        }
        let waiting = self.waves.iter_mut().filter(|wave| wave.status == Status::Waiting);
        waiting.map(|wave| wave.status = Status::Running).count() == 0
    }

    /// Runs a wave for up to `slice` instructions, or until something else is to be done first.
    #[inline]
    pub fn run(&mut self, wave: usize, code: &mut Code<'_>, memory: &dyn Memory, slice: u64) -> Result<(), Stop> {
        run(&mut self.waves[wave], &mut Storage { memory, lds: &mut self.lds }, code, slice)
    }

    /// Instructions that its waves have done.
    pub fn instructions(&self) -> u64 {
        self.waves.iter().map(|wave| wave.count).sum()
    }
}

/// Runs one wave until something else is to be done first. For whole slices and for single steps it is compiled apart.
#[inline(always)]
fn run(w: &mut Wave, storage: &mut Storage<'_>, code: &mut Code<'_>, slice: u64) -> Result<(), Stop> {
    for _ in 0..slice {
        let pc = w.pc;
        let decoded = code.at(pc)?;
        w.pc += decoded.size;
        w.count += 1;
        let done = decoded.inst.execute(w, storage);
        if let Err(fault) = done {
            return Err(Stop::Fault { fault, pc, text: decoded.inst.to_string() });
        }
        match &w.status {
            Status::Running => {}
            Status::Interrupting => {
                storage.memory.interrupt(w.s32(reg::M0) & 0xff_ffff);
                w.status = Status::Running;
            }
            Status::Trapped(text) => return Err(Stop::Trap { pc, text: text.clone() }),
            Status::Yielding | Status::Waiting | Status::Ended => break,
        }
    }
    Ok(())
}
