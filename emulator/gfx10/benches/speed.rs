//! How many instructions a second one thread interprets: `cargo bench -p gfx10`.
//!
//! CPU time is counted, not elapsed time, and of several turns the quickest: other work on the machine shows little.
#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicU32, Ordering};

use gfx10::{Atomic, Dispatch, Fault, Memory, Target};

/// Loads the address of the words and the two numbers from the arguments. Each kernel goes on with a loop, which counts s6
/// down. All were assembled by llvm-mc for gfx1030.
const START: [u32; 5] = [
    0xf404_0100,
    0xfa00_0000, // s_load_dwordx2 s[4:5], s[0:1], 0x0
    0xf404_0180,
    0xfa00_0008, // s_load_dwordx2 s[6:7], s[0:1], 0x8
    0xbf8c_c07f, // s_waitcnt lgkmcnt(0)
];

const INTEGER: &[u32] = &[
    0xd569_0002,
    0x0000_0f02, // v_mul_lo_u32 v2, v2, s7
    0x4a04_0702, // v_add_nc_u32_e32 v2, v2, v3
    0x2c08_048d, // v_lshrrev_b32_e32 v4, 13, v2
    0x3a06_0704, // v_xor_b32_e32 v3, v4, v3
    0x4a06_0606, // v_add_nc_u32_e32 v3, s6, v3
    0x3408_0687, // v_lshlrev_b32_e32 v4, 7, v3
    0x3a04_0504, // v_xor_b32_e32 v2, v4, v2
];

const FLOAT: &[u32] = &[
    0x5604_0607, // v_fmac_f32_e32 v2, s7, v3
    0x1006_04f0, // v_mul_f32_e32 v3, 0.5, v2
    0xd54b_0004,
    0x001e_0702, // v_fma_f32 v4, v2, v3, s7
    0x0604_0704, // v_add_f32_e32 v2, v4, v3
    0x2006_0902, // v_max_f32_e32 v3, v2, v4
    0x7c02_0702, // v_cmp_lt_f32_e32 vcc_lo, v2, v3
    0x0204_0702, // v_cndmask_b32_e32 v2, v2, v3, vcc_lo
];

const MEMORY: &[u32] = &[
    0x4a06_0006, // v_add_nc_u32_e32 v3, s6, v0
    0x3606_06ff,
    0x0000_00ff, // v_and_b32_e32 v3, 0xff, v3
    0x3406_0682, // v_lshlrev_b32_e32 v3, 2, v3
    0xdc30_8000,
    0x0404_0003, // global_load_dword v4, v3, s[4:5]
    0xbf8c_3f70, // s_waitcnt vmcnt(0)
    0x4a04_0504, // v_add_nc_u32_e32 v2, v4, v2
    0xdc70_8000,
    0x0004_0203, // global_store_dword v3, v2, s[4:5]
];

const LDS: &[u32] = &[
    0x3406_0082, // v_lshlrev_b32_e32 v3, 2, v0
    0xd834_0000,
    0x0000_0203, // ds_write_b32 v3, v2
    0xbf8c_c07f, // s_waitcnt lgkmcnt(0)
    0xd8d8_0000,
    0x0400_0003, // ds_read_b32 v4, v3
    0x4a04_0504, // v_add_nc_u32_e32 v2, v4, v2
];

const BASE: u64 = 0x7f00_0000_1000;
const CODE: u64 = BASE + 0x100;
const ARGUMENTS: u64 = BASE + 0x800;
const DATA: u64 = BASE + 0x1000;

/// Words that several threads could use.
struct Words(Vec<AtomicU32>);

impl Words {
    fn put(&self, va: u64, words: &[u32]) {
        for (n, word) in words.iter().enumerate() {
            self.0[(va - BASE) as usize / 4 + n].store(*word, Ordering::Relaxed);
        }
    }

    fn at(&self, va: u64, len: usize) -> Result<&[AtomicU32], Fault> {
        let first = va.checked_sub(BASE).ok_or(Fault { va })? as usize / 4;
        self.0.get(first..first + len / 4).ok_or(Fault { va })
    }
}

impl Memory for Words {
    fn load(&self, va: u64, into: &mut [u8]) -> Result<(), Fault> {
        for (word, bytes) in self.at(va, into.len())?.iter().zip(into.chunks_exact_mut(4)) {
            bytes.copy_from_slice(&word.load(Ordering::Relaxed).to_le_bytes());
        }
        Ok(())
    }

    fn store(&self, va: u64, from: &[u8]) -> Result<(), Fault> {
        for (word, bytes) in self.at(va, from.len())?.iter().zip(from.chunks_exact(4)) {
            word.store(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]), Ordering::Relaxed);
        }
        Ok(())
    }

    fn atomic(&self, va: u64, _: bool, _: Atomic, _: u64, _: u64) -> Result<u64, Fault> {
        Err(Fault { va })
    }
}

/// CPU time of this thread in ns (Linux, Documentation/scheduler/sched-stats.rst).
fn cpu_time() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("/proc/thread-self/schedstat");
    text.split_whitespace().next().and_then(|ns| ns.parse().ok()).expect("a number of ns")
}

/// Millions of instructions a second in a work-group of four waves.
fn speed(body: &[u32], wave32: bool) -> f64 {
    let memory = Words((0..0x1000).map(|_| AtomicU32::new(0)).collect());
    let words = START.len() + body.len();
    let back = u32::from((-(body.len() as i16 + 3)) as u16);
    let end = [0x8106_c106, 0xbf07_8006, 0xbf85_0000 | back, 0xbf81_0000];
    memory.put(BASE + 16, &[(CODE - BASE) as u32]);
    // 32 or 16 vector registers, the arguments in s[0:1], and v0 alone.
    memory.put(BASE + 48, &[3 | 0xf0 << 12 | 1 << 21 | 1 << 23, 2 << 1, 1 << 3 | u32::from(wave32) << 10]);
    memory.put(CODE, &START);
    memory.put(CODE + 4 * START.len() as u64, body);
    memory.put(CODE + 4 * words as u64, &end);
    memory.put(ARGUMENTS, &[DATA as u32, (DATA >> 32) as u32, 100_000, 0x3f7f_0001]);
    let items = if wave32 { 128 } else { 256 };
    let dispatch = Dispatch {
        target: Target::Gfx103,
        workgroup: [items, 1, 1],
        grid: [items.into(), 1, 1],
        private_bytes: 0,
        group_bytes: 1024,
        kernel_object: BASE,
        kernarg: ARGUMENTS,
        packet: 0,
        queue: 0,
        id: 0,
    };
    let turn = || {
        let before = cpu_time();
        let done = dispatch.run(&memory, &|| true).unwrap_or_else(|stop| panic!("{stop}"));
        done.instructions as f64 * 1e3 / (cpu_time() - before) as f64
    };
    (0..7).map(|_| turn()).fold(0.0, f64::max)
}

/// All, or those that the command line names.
fn main() {
    let names: Vec<String> = std::env::args().skip(1).filter(|name| !name.starts_with('-')).collect();
    println!("million instructions a second on one thread");
    println!("{:<10}{:>8}{:>8}", "", "wave32", "wave64");
    for (name, body) in [("integer", INTEGER), ("float", FLOAT), ("memory", MEMORY), ("LDS", LDS)] {
        if !names.is_empty() && !names.iter().any(|other| other == name) {
            continue;
        }
        println!("{name:<10}{:>8.1}{:>8.1}", speed(body, true), speed(body, false));
    }
}
