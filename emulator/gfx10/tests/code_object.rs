//! Code objects that clang made (tests/code/saxpy.hip), from the file to the result.

use crate::code_object::CodeObject;
use crate::dispatch::Dispatch;
use crate::memory::Memory;
use crate::ram::Ram;
use crate::row::Target;

const FILES: [&[u8]; 3] = [
    include_bytes!("code/saxpy-v4.hsaco"),
    include_bytes!("code/saxpy-v5.hsaco"),
    include_bytes!("code/saxpy-wave64.hsaco"),
];

const CODE: u64 = 0x7f00_0000_0000;
const PACKET: u64 = CODE + 0x1_0000;
const ARGUMENTS: u64 = CODE + 0x1_1000;
const X: u64 = CODE + 0x1_2000;
const Y: u64 = CODE + 0x1_3000;

#[test]
fn a_compiled_kernel_computes_what_its_source_says() {
    for file in FILES {
        let object = CodeObject::parse(file).unwrap();
        assert_eq!(object.target, Target::Gfx101);
        assert_eq!(object.kernels.iter().map(|kernel| kernel.name.as_str()).collect::<Vec<_>>(), ["saxpy"]);
        let kernel = object.kernel("saxpy").unwrap();
        assert_eq!((kernel.group_bytes, kernel.private_bytes), (0, 0));
        let dispatch = Dispatch {
            target: object.target,
            workgroup: [4, 1, 1],
            grid: [10, 1, 1],
            private_bytes: kernel.private_bytes,
            group_bytes: kernel.group_bytes,
            kernel_object: CODE + kernel.descriptor,
            kernarg: ARGUMENTS,
            packet: PACKET,
            queue: 0,
            id: 0,
        };
        let ram = Ram::new(CODE, 0x1_4000);
        ram.store(CODE, &object.image(CODE)).unwrap();
        ram.store(PACKET, &dispatch.packet_bytes()).unwrap();
        let explicit = [&9_u32.to_le_bytes()[..], &2_f32.to_le_bytes(), &X.to_le_bytes(), &Y.to_le_bytes()].concat();
        let arguments = object.arguments(kernel, &explicit, &dispatch);
        assert_eq!(arguments.len(), kernel.kernarg_bytes as usize);
        ram.store(ARGUMENTS, &arguments).unwrap();
        ram.put(X, &(1..=10).map(|n| (n as f32).to_bits()).collect::<Vec<_>>());
        ram.put(Y, &[100_f32.to_bits(); 10]);
        dispatch.run(&ram, &|| true).unwrap();
        let y: Vec<_> = (0..10).map(|n| f32::from_bits(ram.word(Y + 4 * n))).collect();
        // The tenth work-item is beyond n.
        assert_eq!(y, [102.0, 104.0, 106.0, 108.0, 110.0, 112.0, 114.0, 116.0, 118.0, 100.0]);
    }
}

#[test]
fn the_hidden_arguments_say_the_grids_size_since_code_object_version_5() {
    let dispatch = Dispatch {
        target: Target::Gfx101,
        workgroup: [4, 2, 1],
        grid: [10, 4, 1],
        private_bytes: 0,
        group_bytes: 0,
        kernel_object: 0,
        kernarg: 0,
        packet: 0,
        queue: 0,
        id: 0,
    };
    let [v4, v5] = [FILES[0], FILES[1]].map(|file| {
        let object = CodeObject::parse(file).unwrap();
        object.arguments(object.kernel("saxpy").unwrap(), &[7; 20], &dispatch)
    });
    assert_eq!(v4, [[7; 20].as_slice(), &[0; 4]].concat());
    assert_eq!(v5[..24], [[7; 20].as_slice(), &[0; 4]].concat());
    let word = |at: usize| u32::from_le_bytes(std::array::from_fn(|n| v5[24 + at + n]));
    let half = |at: usize| word(at & !3) >> (8 * (at & 2)) & 0xffff;
    assert_eq!([0, 4, 8].map(word), [2, 2, 1], "whole work-groups");
    assert_eq!([12, 14, 16].map(half), [4, 2, 1], "their sizes");
    assert_eq!([18, 20, 22].map(half), [2, 0, 0], "what remains");
    assert_eq!(half(64), 2, "dimensions");
}

#[test]
fn what_is_no_code_object_of_these_cards_is_refused_and_a_part_of_one_harms_nothing() {
    let refusal = |file: &[u8]| CodeObject::parse(file).err().map(|error| error.to_string());
    assert!(refusal(b"").is_some_and(|text| text.contains("no ELF file")));
    let mut file = FILES[1].to_vec();
    // e_flags: gfx90a.
    file[48] = 0x3f;
    assert!(refusal(&file).is_some_and(|text| text.contains("machine 0x3f")), "{:?}", refusal(&file));
    // e_machine: x86-64.
    file[18..20].copy_from_slice(&62_u16.to_le_bytes());
    assert_eq!(refusal(&file).as_deref(), Some("an ELF file for another machine"));
    for len in 0..FILES[1].len() {
        let _ = CodeObject::parse(&FILES[1][..len]);
    }
    for at in 0..FILES[1].len() {
        let mut file = FILES[1].to_vec();
        file[at] ^= 0xff;
        let _ = CodeObject::parse(&file);
    }
}
