//! A work-group: its waves, LDS and barriers.

use crate::code::Code;
use crate::mem::Storage;
use crate::memory::Memory;
use crate::stop::Stop;
use crate::wave::{Status, Wave, reg};

/// A work-group that runs.
pub struct Group {
    pub waves: Vec<Wave>,
    pub lds: Vec<u8>,
}

impl Group {
    /// Runs each wave for up to `slice` instructions or to its barrier, and says whether all have ended.
    pub fn step(&mut self, code: &mut Code<'_>, memory: &dyn Memory, slice: u64) -> Result<bool, Stop> {
        for wave in &mut self.waves {
            if wave.status == Status::Yielding {
                wave.status = Status::Running;
            }
            if wave.status == Status::Running {
                run(wave, &mut Storage { memory, lds: &mut self.lds }, code, slice)?;
            }
        }
        // Waves that have ended do not hold up a barrier.
        if self.waves.iter().all(|wave| matches!(wave.status, Status::Waiting | Status::Ended)) {
            let waiting = self.waves.iter_mut().filter(|wave| wave.status == Status::Waiting);
            return Ok(waiting.map(|wave| wave.status = Status::Running).count() == 0);
        }
        Ok(false)
    }
}

/// Runs one wave until something else is to be done first.
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
