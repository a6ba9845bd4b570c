//! A work-group: its waves, LDS and barriers.

use crate::code::Code;
use crate::mem::Storage;
use crate::memory::Memory;
use crate::stop::Stop;
use crate::wave::{Status, Wave, reg};

/// A work-group that runs.
pub struct Group {
    /// Its place in the grid, in work-groups.
    pub id: [u32; 3],
    pub waves: Vec<Wave>,
    pub lds: Vec<u8>,
}

impl Group {
    /// Runs each wave for up to `slice` instructions or to its barrier, and says whether all have ended.
    pub fn turn(&mut self, code: &mut Code<'_>, memory: &dyn Memory, slice: u64) -> Result<bool, Stop> {
        let mut next = 0;
        while let Some(wave) = self.ready(next) {
            self.run(wave, code, memory, slice)?;
            next = wave + 1;
        }
        Ok(self.end_turn())
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
