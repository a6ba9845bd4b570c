//! A dispatch one instruction at a time.

use std::collections::VecDeque;
use std::fmt::{self, Display, Formatter};

use crate::code::Code;
use crate::dispatch::{Dispatch, Done};
use crate::grid::Grid;
use crate::group::{Group, ROUNDS, SLICE};
use crate::inst::Inst;
use crate::memory::Memory;
use crate::stop::Stop;
use crate::wave::Wave;

/// An instruction of a wave. Its [`Display`] is the text in LLVM's syntax.
#[derive(Clone, Copy)]
pub struct Step<'a> {
    /// The work-group's place in the grid, in work-groups.
    pub workgroup: [u32; 3],
    /// The wave's number in its work-group.
    pub wave: usize,
    /// The instruction's address.
    pub pc: u64,
    /// The wave's registers: before the instruction in [`Stepper::peek`] and [`Observer::before`], else after it.
    pub registers: &'a Wave,
    inst: Inst,
}

impl Step<'_> {
    /// The first word of the text, such as `v_add_f32`.
    #[must_use]
    pub fn mnemonic(&self) -> String {
        let text = self.to_string();
        text.split_once(' ').map_or(text.clone(), |(name, _)| name.to_owned())
    }
}

impl Display for Step<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.inst.fmt(f)
    }
}

/// Is shown every instruction of [`Dispatch::observe`].
pub trait Observer {
    /// The instruction is about to be done.
    fn before(&mut self, _step: &Step<'_>) {}

    /// It was done.
    fn after(&mut self, _step: &Step<'_>) {}
}

/// A dispatch that goes on by one instruction at a time, on the caller's thread and always in the same order: the waves of a
/// work-group take turns of one instruction; after 4096 rounds, or where all have ended, come to a barrier or sleep, the next
/// work-group's do.
pub struct Stepper<'a> {
    grid: Grid<'a>,
    memory: &'a dyn Memory,
    code: Code<'a>,
    /// The first one's turn it is.
    resident: VecDeque<Group>,
    /// The wave whose turn it is, and the instructions that are left of it.
    wave: Option<usize>,
    left: u64,
    /// Rounds of the waves that are left to the work-group.
    rounds: u64,
}

impl Dispatch {
    /// The dispatch before its first instruction.
    ///
    /// # Errors
    /// [`Stop`], where the kernel descriptor cannot be read or the work-group is none.
    pub fn steps<'a>(&'a self, memory: &'a dyn Memory) -> Result<Stepper<'a>, Stop> {
        let grid = Grid::new(self, memory, 1)?;
        let code = Code::new(memory, self.target, grid.kernel.vgprs());
        Ok(Stepper { grid, memory, code, resident: VecDeque::new(), wave: None, left: SLICE, rounds: ROUNDS })
    }

    /// Runs the kernel to its end as [`Stepper`] does, and shows the observer each instruction. [`Dispatch::run`] is faster.
    ///
    /// # Errors
    /// As [`Dispatch::run`].
    pub fn observe(
        &self,
        memory: &dyn Memory,
        keep_going: &dyn Fn() -> bool,
        observer: &mut dyn Observer,
    ) -> Result<Done, Stop> {
        let mut steps = self.steps(memory)?;
        let mut done = Done::default();
        while let Some(step) = steps.peek()? {
            if !keep_going() {
                return Err(Stop::Cancelled);
            }
            observer.before(&step);
            if let Some(step) = steps.step()? {
                observer.after(&step);
            }
            done.instructions += 1;
        }
        Ok(done)
    }
}

impl Stepper<'_> {
    /// The instruction that comes next; none at the end.
    ///
    /// # Errors
    /// [`Stop`], where there is no instruction.
    pub fn peek(&mut self) -> Result<Option<Step<'_>>, Stop> {
        let Some(wave) = self.turn() else { return Ok(None) };
        let pc = self.resident[0].waves[wave].pc;
        let inst = self.code.at(pc)?.inst;
        Ok(Some(self.shown(wave, pc, inst)))
    }

    /// Does the next instruction and says which it was; none at the end.
    ///
    /// # Errors
    /// [`Stop`], where the wave cannot go on.
    pub fn step(&mut self) -> Result<Option<Step<'_>>, Stop> {
        let Some(wave) = self.turn() else { return Ok(None) };
        let group = &mut self.resident[0];
        let pc = group.waves[wave].pc;
        let inst = self.code.at(pc)?.inst;
        group.run(wave, &mut self.code, self.memory, 1)?;
        self.left -= 1;
        Ok(Some(self.shown(wave, pc, inst)))
    }

    fn shown(&self, wave: usize, pc: u64, inst: Inst) -> Step<'_> {
        let group = &self.resident[0];
        Step { workgroup: group.id, wave, pc, registers: &group.waves[wave], inst }
    }

    /// The wave whose turn it is, of the first resident work-group.
    fn turn(&mut self) -> Option<usize> {
        loop {
            self.grid.fill(&mut self.resident);
            let group = self.resident.front_mut()?;
            if let Some(wave) = self.wave.filter(|&wave| self.left > 0 && group.waves[wave].is_running()) {
                return Some(wave);
            }
            self.wave = group.ready(self.wave.map_or(0, |wave| wave + 1));
            self.left = SLICE;
            if self.wave.is_none() {
                self.rounds -= 1;
                if self.rounds > 0 && group.can_go_on() {
                    continue;
                }
                self.rounds = ROUNDS;
                let ended = group.end_turn();
                let group = self.resident.pop_front().filter(|_| !ended);
                self.resident.extend(group);
            }
        }
    }
}
