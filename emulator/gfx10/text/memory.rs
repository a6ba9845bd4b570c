//! SMEM, DS, FLAT, GLOBAL, SCRATCH, MUBUF and MTBUF.

use super::{Operands, sgprs, source, vgprs};
use crate::mem::address::saddr_is_off;
use crate::mem::ds::DsOp;
use crate::mem::exchange::Exchange;
use crate::mem::image::{DIMENSIONS, ImageOp};
use crate::mem::smem::SmemOp;
use crate::mem::vmem::VmemOp;
use crate::operands::{Ds, Mimg, Segment, Smem, Vmem};
use crate::row::Row;
use crate::wave::reg;

pub fn smem(row: &Row<SmemOp>, i: &Smem) -> (String, Operands) {
    let load = |count: usize, base: usize| {
        let mut of = Operands::of([sgprs(i.dst, count), sgprs(i.base, base)]);
        let sign = if i.offset < 0 { "-" } else { "" };
        let offset = format!("{sign}{:#x}", i.offset.unsigned_abs());
        if i.soffset == reg::NULL {
            of.list.push(offset);
        } else {
            of.list.push(sgprs(i.soffset, 1));
            of.flag(i.offset != 0, &format!("offset:{offset}"));
        }
        of
    };
    let of = match row.run {
        SmemOp::Load(count) => load(count, 2),
        SmemOp::BufferLoad(count) => load(count, 4),
        SmemOp::CoreTime | SmemOp::RealTime => Operands::of([sgprs(i.dst, 2)]),
        SmemOp::Nothing => Operands::default(),
    };
    (row.name.to_owned(), of)
}

pub fn ds(row: &Row<DsOp>, i: &Ds) -> (String, Operands) {
    let words = |bytes: usize| bytes.div_ceil(4);
    let (dst, addr) = (|count: usize| vgprs(i.dst, count), vgprs(i.addr, 1));
    let data = |n: usize, count: usize| vgprs(i.data[n], count);
    let returned = |wide: bool, returns: bool, rest: &[String]| {
        let result = returns.then(|| dst(1 + usize::from(wide)));
        Operands { list: result.into_iter().chain(rest.iter().cloned()).collect(), ..Operands::default() }
    };
    let mut of = match row.run {
        DsOp::Nothing => Operands::default(),
        DsOp::Gws(_) | DsOp::Src2 { .. } => Operands::of([addr]),
        DsOp::Exchange(Exchange::Swizzle) => Operands::of([dst(1), addr]),
        DsOp::Exchange(_) => Operands::of([dst(1), addr, data(0, 1)]),
        DsOp::Append | DsOp::Consume | DsOp::ReadAddTid => Operands::of([dst(1)]),
        DsOp::WriteAddTid => Operands::of([data(0, 1)]),
        DsOp::Read { bytes, .. } => Operands::of([dst(words(bytes)), addr]),
        DsOp::Read2 { bytes, .. } => Operands::of([dst(2 * words(bytes)), addr]),
        DsOp::Write { bytes, .. } => Operands::of([addr, data(0, words(bytes))]),
        DsOp::Write2 { bytes, .. } => Operands::of([addr, data(0, words(bytes)), data(1, words(bytes))]),
        DsOp::Exchange2 { bytes, .. } => {
            Operands::of([dst(2 * words(bytes)), addr, data(0, words(bytes)), data(1, words(bytes))])
        }
        DsOp::ExchangeIf => Operands::of([dst(2), addr, data(0, 2)]),
        DsOp::Atomic { wide, returns, .. } => returned(wide, returns, &[addr, data(0, 1 + usize::from(wide))]),
        DsOp::CmpSwap { wide, returns, .. } => {
            let [first, second] = [0, 1].map(|n| data(n, 1 + usize::from(wide)));
            returned(wide, returns, &[addr, first, second])
        }
    };
    if matches!(row.run, DsOp::Read2 { .. } | DsOp::Write2 { .. } | DsOp::Exchange2 { .. }) {
        for (n, offset) in i.offset.to_le_bytes().into_iter().enumerate() {
            of.flag(offset != 0, &format!("offset{n}:{offset}"));
        }
    } else {
        of.flag(i.offset != 0, &format!("offset:{}", i.offset));
    }
    of.flag(matches!(row.run, DsOp::Gws(_)), "gds");
    (row.name.to_owned(), of)
}

pub fn vmem(row: &Row<VmemOp>, i: &Vmem) -> (String, Operands) {
    let prefix = match (i.segment, i.format) {
        (Segment::Flat, _) => "flat",
        (Segment::Global, _) => "global",
        (Segment::Scratch, _) => "scratch",
        (Segment::Buffer, None) => "buffer",
        (Segment::Buffer, Some(_)) => "tbuffer",
    };
    let name = format!("{prefix}_{}", row.name);
    let data = vgprs(i.data, data_registers(row.run));
    let result = match row.run {
        VmemOp::Nothing => return (name, Operands::default()),
        VmemOp::Load { .. } | VmemOp::LoadFormat { .. } | VmemOp::LoadAddTid => {
            Some(vgprs(i.dst, data_registers(row.run)))
        }
        VmemOp::Atomic { wide, .. } if i.returns => Some(vgprs(i.dst, 1 + usize::from(wide))),
        _ => None,
    };
    let loads = matches!(row.run, VmemOp::Load { .. } | VmemOp::LoadFormat { .. } | VmemOp::LoadAddTid);
    let mut of = Operands::default();
    if i.segment == Segment::Buffer {
        let addr = match usize::from(i.offen) + usize::from(i.idxen) {
            0 => "off".to_owned(),
            count => vgprs(i.addr, count),
        };
        of.list = vec![data, addr, sgprs(i.saddr, 4), source(i.soffset, 1)];
        if let Some(format) = i.format {
            of.flag(true, &format!("format:{format}"));
        }
        of.flag(i.idxen, "idxen");
        of.flag(i.offen, "offen");
    } else {
        of.list.extend(result);
        let off = saddr_is_off(i.saddr);
        let by_lane = matches!(row.run, VmemOp::LoadAddTid | VmemOp::StoreAddTid);
        match i.segment {
            _ if by_lane => {}
            Segment::Scratch if !off => of.list.push("off".to_owned()),
            Segment::Flat => of.list.push(vgprs(i.addr, 2)),
            Segment::Global if off => of.list.push(vgprs(i.addr, 2)),
            _ => of.list.push(vgprs(i.addr, 1)),
        }
        if !loads {
            of.list.push(data);
        }
        match i.segment {
            Segment::Flat => {}
            _ if off => of.list.push("off".to_owned()),
            Segment::Global => of.list.push(sgprs(i.saddr, 2)),
            _ => of.list.push(sgprs(i.saddr, 1)),
        }
    }
    of.flag(i.offset != 0, &format!("offset:{}", i.offset));
    of.flag(i.returns, "glc");
    (name, of)
}

pub fn mimg(row: &Row<ImageOp>, i: &Mimg) -> (String, Operands) {
    let (dimension, ..) = DIMENSIONS[usize::from(i.dimension)];
    let addresses = row.run.addresses(i.dimension);
    let addr = if i.apart {
        format!("[{}]", i.addr[..addresses].iter().map(|&r| vgprs(r, 1)).collect::<Vec<_>>().join(", "))
    } else {
        vgprs(i.addr[0], addresses)
    };
    let components = if matches!(row.run, ImageOp::Gather(_)) { 4 } else { i.mask.count_ones() as usize };
    let data = vgprs(i.data, if i.d16 { components.div_ceil(2) } else { components });
    let mut of = Operands::of([data, addr, sgprs(i.resource, 8)]);
    if row.run.has_sampler() {
        of.list.push(sgprs(i.sampler, 4));
    }
    of.flag(true, &format!("dmask:{:#x} dim:SQ_RSRC_IMG_{dimension}", i.mask));
    of.flag(i.unnormalized, "unorm");
    of.flag(i.glc, "glc");
    of.flag(i.d16, "d16");
    (row.name.to_owned(), of)
}

/// Registers that are loaded or stored, or that an atomic operation takes.
fn data_registers(op: VmemOp) -> usize {
    match op {
        VmemOp::Load { bytes, .. } | VmemOp::Store { bytes, .. } => bytes.div_ceil(4),
        VmemOp::Atomic { op, wide } => (1 + usize::from(wide)) * (1 + usize::from(op.compares())),
        VmemOp::LoadFormat { count, d16 } | VmemOp::StoreFormat { count, d16 } => {
            if d16 {
                count.div_ceil(2)
            } else {
                count
            }
        }
        VmemOp::LoadAddTid | VmemOp::StoreAddTid | VmemOp::Nothing => 1,
    }
}
