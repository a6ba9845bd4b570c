//! The kernel's code, decoded once.

use std::collections::HashMap;

use crate::decode::decode;
use crate::inst::Inst;
use crate::memory::Memory;
use crate::row::Target;
use crate::stop::Stop;

/// An instruction and the bytes it takes.
#[derive(Clone, Copy)]
pub struct Decoded {
    pub inst: Inst,
    pub size: u64,
}

const PAGE: u64 = 4096;
type Page = Box<[Option<Decoded>]>;

/// Decoded instructions by address. It is thrown away after a dispatch: the next may have other code there.
pub struct Code<'a> {
    memory: &'a dyn Memory,
    target: Target,
    /// Vector registers that a wave has.
    vgprs: usize,
    pages: HashMap<u64, Page>,
    /// The page that is being run.
    current: (u64, Page),
}

impl<'a> Code<'a> {
    pub fn new(memory: &'a dyn Memory, target: Target, vgprs: usize) -> Self {
        Self { memory, target, vgprs, pages: HashMap::new(), current: (u64::MAX, Box::default()) }
    }

    /// The instruction at `pc`.
    #[inline]
    pub fn at(&mut self, pc: u64) -> Result<&Decoded, Stop> {
        let (page, slot) = (pc / PAGE, (pc % PAGE / 4) as usize);
        if self.current.0 != page {
            self.switch_page(page);
        }
        if self.current.1[slot].is_none() {
            self.current.1[slot] = Some(self.decode(pc)?);
        }
        // Just filled.
        self.current.1[slot].as_ref().ok_or(Stop::Cancelled)
    }

    fn switch_page(&mut self, page: u64) {
        let fresh = || vec![None; (PAGE / 4) as usize].into_boxed_slice();
        let next = self.pages.remove(&page).unwrap_or_else(fresh);
        let (number, old) = std::mem::replace(&mut self.current, (page, next));
        if number != u64::MAX {
            self.pages.insert(number, old);
        }
    }

    fn decode(&self, pc: u64) -> Result<Decoded, Stop> {
        let word = |n: u64| {
            let mut bytes = [0; 4];
            self.memory.load(pc + 4 * n, &mut bytes).map(|()| u32::from_le_bytes(bytes))
        };
        let first = word(0).map_err(|fault| Stop::Fault { fault, pc, text: "fetching the instruction".into() })?;
        // What follows is needed only by long instructions, and may lie beyond the code.
        let words = [first, word(1).unwrap_or(0), word(2).unwrap_or(0), word(3).unwrap_or(0)];
        let (inst, used) =
            decode(words, self.target).map_err(|text| Stop::Unknown { pc, words: [words[0], words[1]], text })?;
        if let Some(r) = registers(&inst).into_iter().find(|&r| r >= self.vgprs) {
            let text = format!("{inst} uses v{r}, but the kernel's waves have {} vector registers", self.vgprs);
            return Err(Stop::Trap { pc, text });
        }
        Ok(Decoded { inst, size: 4 * u64::from(used) })
    }
}

/// The first of each of the instruction's vector registers. A field that the instruction does not use is 0.
fn registers(inst: &Inst) -> Vec<usize> {
    let wide = |r: u8| usize::from(r);
    match inst {
        Inst::Scalar(..) | Inst::Smem(..) => Vec::new(),
        Inst::Vector(row, i) => {
            let scalar_result = row.name.starts_with("v_cmp") || row.name.starts_with("v_read");
            let dst = (!scalar_result).then_some(wide(i.dst));
            i.src.iter().filter_map(|src| src.as_vgpr()).chain(dst).collect()
        }
        Inst::Ds(_, i) => vec![wide(i.dst), wide(i.addr), wide(i.data[0]), wide(i.data[1])],
        Inst::Vmem(_, i) => vec![wide(i.dst), wide(i.addr), wide(i.data)],
        Inst::Mimg(_, i) => vec![wide(i.data), wide(i.addr[0])],
    }
}
