//! The state of one wave.

use crate::operands::Src;

/// One 32-bit value per lane; a wave32 uses the first half.
pub type Lanes32 = [u32; 64];

/// Lanes that the card works on at a time.
pub const PASS: usize = 32;

/// One value per lane of a pass.
pub type Pass<T> = [T; PASS];

/// Numbers of scalar registers with a meaning.
pub mod reg {
    pub const VCC: u8 = 106;
    pub const M0: u8 = 124;
    pub const NULL: u8 = 125;
    pub const EXEC: u8 = 126;
}

/// Vector registers past what a wave has, so that operands of several registers end within.
pub const SLACK: usize = 16;

/// Where flat addresses mean LDS and scratch (Linux, kfd_flat_memory.c: `MAKE_LDS_APP_BASE_V9`).
pub const SHARED_APERTURE: u64 = 1 << 48;
pub const PRIVATE_APERTURE: u64 = 2 << 48;
const APERTURE_LAST: u64 = 0xffff_ffff;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    Running,
    /// Lets others run first: `s_sleep`.
    Yielding,
    /// At `s_barrier`.
    Waiting,
    Ended,
    /// Sent MSG_INTERRUPT, and goes on.
    Interrupting,
    /// Something that is not modelled.
    Trapped(String),
}

/// The registers of a wave, and what else is its own.
#[derive(Clone)]
pub struct Wave {
    /// Scalar registers by the code of the encoding: 0 to 105, VCC, trap temporaries, M0, null, EXEC.
    pub(crate) s: [u32; 128],
    pub(crate) v: Vec<Lanes32>,
    pub(crate) scc: bool,
    /// Address of the next instruction.
    pub(crate) pc: u64,
    /// 32 or 64.
    pub(crate) lanes: usize,
    /// The MODE register: rounding in bits 0 to 3, denormals in 4 to 7, DX10_CLAMP 8, IEEE 9.
    pub(crate) mode: u32,
    /// FLAT_SCRATCH; kept for `s_getreg`, since scratch is the wave's own.
    pub(crate) flat_scratch: [u32; 2],
    pub(crate) status: Status,
    /// How many barriers had been passed when the wave came to the one of all waves that it waits at.
    pub(crate) at_barrier: Option<u64>,
    /// Scratch of the lanes, one after the other.
    pub(crate) scratch: Vec<u8>,
    /// Bytes of scratch of a lane.
    pub(crate) private_bytes: u32,
    /// Instructions done.
    pub(crate) count: u64,
}

impl Wave {
    pub(crate) fn new(lanes: usize, vgprs: usize) -> Self {
        Self {
            s: [0; 128],
            v: vec![[0; 64]; vgprs],
            scc: false,
            pc: 0,
            lanes,
            mode: 0x3f0,
            flat_scratch: [0; 2],
            status: Status::Running,
            at_barrier: None,
            scratch: Vec::new(),
            private_bytes: 0,
            count: 0,
        }
    }

    /// Address of the next instruction.
    #[must_use]
    pub fn pc(&self) -> u64 {
        self.pc
    }

    /// 32 or 64.
    #[must_use]
    pub fn lanes(&self) -> usize {
        self.lanes
    }

    /// A scalar register by its code in the encoding: 0 to 105 are s0 to s105, 106 and 107 VCC, 124 M0, 126 and 127 EXEC.
    ///
    /// # Panics
    /// For a code above 127.
    #[must_use]
    pub fn sgpr(&self, code: u8) -> u32 {
        self.s[usize::from(code)]
    }

    /// A vector register's value in a lane.
    ///
    /// # Panics
    /// Where the wave has no such register or lane.
    #[must_use]
    pub fn vgpr(&self, register: usize, lane: usize) -> u32 {
        assert!(lane < self.lanes, "lane {lane} of a wave of {} lanes", self.lanes);
        self.v[register][lane]
    }

    /// Lane mask VCC.
    #[must_use]
    pub fn vcc(&self) -> u64 {
        self.mask(reg::VCC)
    }

    /// The scalar condition code.
    #[must_use]
    pub fn scc(&self) -> bool {
        self.scc
    }

    /// The MODE register: rounding in bits 0 to 3, denormals in 4 to 7, `DX10_CLAMP` 8, IEEE 9.
    #[must_use]
    pub fn mode(&self) -> u32 {
        self.mode
    }

    /// Whether it has come to its end.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.status == Status::Ended
    }

    pub(crate) fn is_running(&self) -> bool {
        self.status == Status::Running
    }

    /// The active lanes.
    #[must_use]
    pub fn exec(&self) -> u64 {
        self.mask(reg::EXEC)
    }

    /// A lane mask: one register in a wave32, two in a wave64.
    pub(crate) fn mask(&self, r: u8) -> u64 {
        if self.lanes == 64 { self.s64(r) } else { self.s32(r).into() }
    }

    pub(crate) fn set_mask(&mut self, r: u8, mask: u64) {
        if self.lanes == 64 { self.set_s64(r, mask) } else { self.set_s32(r, mask as u32) }
    }

    pub(crate) fn s32(&self, r: u8) -> u32 {
        self.s[usize::from(r & 127)]
    }

    pub(crate) fn s64(&self, r: u8) -> u64 {
        let r = usize::from(r & 127);
        if r == usize::from(reg::NULL) {
            return 0;
        }
        u64::from(self.s[r]) | u64::from(self.s[(r + 1) & 127]) << 32
    }

    pub(crate) fn set_s32(&mut self, r: u8, value: u32) {
        if r != reg::NULL {
            self.s[usize::from(r & 127)] = value;
        }
    }

    pub(crate) fn set_s64(&mut self, r: u8, value: u64) {
        if r != reg::NULL {
            self.s[usize::from(r & 127)] = value as u32;
            self.s[usize::from((r + 1) & 127)] = (value >> 32) as u32;
        }
    }

    /// A scalar source of 32 bits. `decode` lets no other codes through.
    pub(crate) fn src32(&self, src: Src) -> u32 {
        match src.code {
            0..=127 => self.s[usize::from(src.code)],
            235..=238 => (self.aperture(src.code) >> 32) as u32,
            240..=248 => FLOATS[usize::from(src.code - 240)].0,
            251 => u32::from(self.mask(reg::VCC) == 0),
            252 => u32::from(self.exec() == 0),
            253 => self.scc.into(),
            Src::LITERAL => src.literal,
            _ => integer(src.code) as u32,
        }
    }

    /// A scalar source of 64 bits; literals are extended with zeros.
    pub(crate) fn src64(&self, src: Src) -> u64 {
        match src.code {
            0..=127 => self.s64(src.code as u8),
            235..=238 => self.aperture(src.code),
            240..=248 => FLOATS[usize::from(src.code - 240)].1,
            251..=255 => self.src32(src).into(),
            _ => integer(src.code) as u64,
        }
    }

    /// A scalar source of which either half may be used. Of constants the lower half alone is something.
    pub(crate) fn src16(&self, src: Src) -> u32 {
        match src.code {
            240..=248 => FLOATS[usize::from(src.code - 240)].2.into(),
            _ => self.src32(src),
        }
    }

    fn aperture(&self, code: u16) -> u64 {
        match code {
            235 => SHARED_APERTURE,
            236 => SHARED_APERTURE + APERTURE_LAST,
            237 => PRIVATE_APERTURE,
            _ => PRIVATE_APERTURE + APERTURE_LAST,
        }
    }

    /// Stops the wave with a reason.
    pub(crate) fn trap(&mut self, why: impl Into<String>) {
        self.status = Status::Trapped(why.into());
    }

    /// How often the card's 32 lanes have to pass: twice for a wave64.
    pub(crate) fn passes(&self) -> usize {
        self.lanes / PASS
    }

    /// The active lanes of a pass.
    pub(crate) fn exec_of(&self, pass: usize) -> u32 {
        self.s[usize::from(reg::EXEC) + pass]
    }

    /// The lanes of a vector register in a pass.
    #[inline]
    pub(crate) fn v_of(&self, r: usize, pass: usize) -> &Pass<u32> {
        &self.v[r].as_chunks().0[pass]
    }

    /// Writes the lanes of a vector register in a pass that are in `mask`.
    #[inline]
    pub(crate) fn set_v_of(&mut self, r: usize, pass: usize, values: &Pass<u32>, mask: u32) {
        #[inline(never)]
        fn masked(to: &mut Pass<u32>, values: &Pass<u32>, mask: u32) {
            for lane in 0..PASS {
                to[lane] = if mask & 1 << lane != 0 { values[lane] } else { to[lane] };
            }
        }
        let to = &mut self.v[r].as_chunks_mut().0[pass];
        if mask == u32::MAX { *to = *values } else { masked(to, values, mask) }
    }

    /// Writes the lanes of a vector register that are in `mask`.
    pub(crate) fn set_v(&mut self, r: usize, values: &Lanes32, mask: u64) {
        for pass in 0..self.passes() {
            self.set_v_of(r, pass, &values.as_chunks().0[pass], (mask >> (PASS * pass)) as u32);
        }
    }
}

/// A number of one scalar register or of a pair of them.
pub trait Sgpr: Copy + Default + PartialEq {
    fn source(w: &Wave, src: Src) -> Self;
    fn read(w: &Wave, r: u8) -> Self;
    fn write(self, w: &mut Wave, r: u8);
}

macro_rules! sgpr {
    ($t:ty, $source:ident, $read:ident, $write:ident) => {
        impl Sgpr for $t {
            fn source(w: &Wave, src: Src) -> Self {
                w.$source(src)
            }

            fn read(w: &Wave, r: u8) -> Self {
                w.$read(r)
            }

            fn write(self, w: &mut Wave, r: u8) {
                w.$write(r, self);
            }
        }
    };
}

sgpr!(u32, src32, s32, set_s32);
sgpr!(u64, src64, s64, set_s64);

/// The lanes whose bit is set.
pub fn bits(mut mask: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let lane = (mask != 0).then(|| mask.trailing_zeros() as usize)?;
        mask &= mask - 1;
        Some(lane)
    })
}

fn integer(code: u16) -> i64 {
    match code {
        128..=192 => i64::from(code) - 128,
        193..=208 => 192 - i64::from(code),
        _ => 0,
    }
}

/// Inline constants 240 to 248 as 32, 64 and 16 bits: 0.5, -0.5, 1, -1, 2, -2, 4, -4, 1/(2 pi).
const FLOATS: [(u32, u64, u16); 9] = [
    (0x3f00_0000, 0x3fe0_0000_0000_0000, 0x3800),
    (0xbf00_0000, 0xbfe0_0000_0000_0000, 0xb800),
    (0x3f80_0000, 0x3ff0_0000_0000_0000, 0x3c00),
    (0xbf80_0000, 0xbff0_0000_0000_0000, 0xbc00),
    (0x4000_0000, 0x4000_0000_0000_0000, 0x4000),
    (0xc000_0000, 0xc000_0000_0000_0000, 0xc000),
    (0x4080_0000, 0x4010_0000_0000_0000, 0x4400),
    (0xc080_0000, 0xc010_0000_0000_0000, 0xc400),
    (0x3e22_f983, 0x3fc4_5f30_6dc9_c882, 0x3118),
];
