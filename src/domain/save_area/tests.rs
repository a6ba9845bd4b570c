use super::*;

fn properties(target: u32, units: u32, simds: u32, waves: u32) -> String {
    format!(
        "cpu_cores_count 0\nsimd_count {}\nmax_waves_per_simd {waves}\nsimd_per_cu {simds}\n\
         gfx_target_version {target}\nnum_xcc 1\n",
        units * simds
    )
}

fn card(target: u32, units: u32, waves: u32) -> Card {
    Card::parse(&properties(target, units, 2, waves)).unwrap()
}

fn release(text: &str) -> Option<Release> {
    text.parse().ok()
}

#[test]
fn the_numbers_of_the_report_come_out() {
    // ROCm/rocm-systems#11299: an RX 5500 with 20 compute units; the thunk takes what the kernel publishes.
    let published = properties(100_102, 20, 2, 20) + "cwsr_size 6971392\nctl_stack_size 8192\n";
    let card = Card::parse(&published).unwrap();
    assert_eq!(card.runtime_sizes().mapping, 0x6a_d000);
    assert_eq!(card.kernel_sizes(), Sizes { control_stack: 0x2000, mapping: 0x6a_b000 });
}

#[test]
fn no_rdna1_card_is_sized_alike_and_every_one_is_with_the_kernels_waves() {
    for units in [8, 14, 18, 20, 22, 24, 32, 36, 40] {
        for target in [100_100, 100_101, 100_102, 100_103] {
            let as_it_is = card(target, units, 20);
            if units >= 14 {
                assert_ne!(as_it_is.runtime_sizes(), as_it_is.kernel_sizes(), "{units}");
            }
            let shown = shown_properties(&properties(target, units, 2, 20)).unwrap();
            let shown = Card::parse(&shown).unwrap();
            assert_eq!(shown.runtime_sizes(), as_it_is.kernel_sizes(), "{units}");
        }
    }
    let headline = card(100_100, 36, 20);
    assert_eq!((headline.runtime_sizes().control_stack, headline.kernel_sizes().control_stack), (0x5000, 0x4000));
}

#[test]
fn one_number_of_the_file_is_shown_otherwise_and_no_other_byte() {
    let text = properties(100_100, 36, 2, 20);
    let shown = shown_properties(&text).unwrap();
    assert_eq!(shown, text.replace("max_waves_per_simd 20\n", "max_waves_per_simd 16\n"));
    let cut = text.trim_end();
    assert_eq!(shown_properties(cut).unwrap(), shown.trim_end(), "the last line may lack its end");
}

#[test]
fn files_of_other_nodes_and_files_that_do_not_tell_are_shown_as_they_are() {
    for near in [
        properties(100_300, 36, 2, 20),
        properties(90_000, 64, 4, 10),
        properties(110_000, 36, 2, 20),
        properties(0, 0, 0, 0),
        properties(100_100, 36, 2, 16),
        properties(100_100, 36, 3, 20),
        properties(100_100, 36, 2, 20).replace("simd_per_cu", "simd_per_sa"),
        properties(100_100, 36, 2, 20).replace("max_waves_per_simd 20", "max_waves_per_simd x"),
        properties(100_100, 36, 2, 20).replace("gfx_target_version", "device"),
        String::new(),
    ] {
        assert_eq!(shown_properties(&near), None, "{near}");
    }
}

#[test]
fn auto_acts_on_a_checked_card_and_an_affected_release_alone() {
    let auto = |card, kernel| machine(SaveArea::Auto, &[card], release(kernel));
    let rdna1 = Some(card(100_100, 36, 20));
    for kernel in ["6.12", "6.12.38-amd64", "6.18.1-arch1", "7.0.0"] {
        assert_eq!(auto(rdna1, kernel), Ok(()), "{kernel}");
    }
    assert_eq!(auto(rdna1, "6.11.9"), Err(Reason::UncheckedBy(release("6.11.9").unwrap())));
    assert_eq!(auto(rdna1, "5.15"), Err(Reason::UncheckedBy(Release::new(5, 15))));
    assert_eq!(auto(rdna1, ""), Err(Reason::UnknownKernel));
    assert_eq!(auto(Some(card(100_100, 36, 16)), "6.12"), Err(Reason::NoCard));
    assert_eq!(auto(Some(card(100_300, 60, 20)), "6.12"), Err(Reason::NoCard));
    assert_eq!(auto(None, "6.12"), Err(Reason::NoCard));
    assert_eq!(machine(SaveArea::Auto, &[], release("6.12")), Err(Reason::NoCard));
    let beside = [Some(card(100_300, 60, 16)), None, rdna1];
    assert_eq!(machine(SaveArea::Auto, &beside, release("6.12")), Ok(()));

    let auto = |text| runtime(SaveArea::Auto, release(text));
    for affected in ["7.14", "7.14.1", "7.15.0", "10.0.0", "10.1.2"] {
        assert_eq!(auto(affected), Ok(()), "{affected}");
    }
    for sound in ["7.13.1", "7.2.4", "5.2.3", "10.2", "10.2.0", "11.0"] {
        assert_eq!(auto(sound), Err(Reason::Sound(release(sound).unwrap())), "{sound}");
    }
    assert_eq!(auto(""), Err(Reason::UnknownRuntime));
}

#[test]
fn on_asks_for_the_card_alone_and_off_for_nothing() {
    let rdna1 = [Some(card(100_103, 24, 20))];
    for kernel in [None, release("6.1"), release("6.12")] {
        assert_eq!(machine(SaveArea::On, &rdna1, kernel), Ok(()));
        assert_eq!(machine(SaveArea::Off, &rdna1, kernel), Err(Reason::Off));
        assert_eq!(machine(SaveArea::On, &[Some(card(100_300, 60, 16)), None], kernel), Err(Reason::NoCard));
    }
    for text in ["", "7.2.4", "10.2", "10.0.0"] {
        assert_eq!(runtime(SaveArea::On, release(text)), Ok(()));
    }
}

#[test]
fn the_files_of_nodes_are_told_by_their_paths_and_no_others_are() {
    for path in
        ["/sys/devices/virtual/kfd/kfd/topology/nodes/1/properties", "/sys/class/kfd/kfd/topology/nodes/12/properties"]
    {
        assert!(is_properties(path.as_bytes()), "{path}");
    }
    for near in [
        "/sys/devices/virtual/kfd/kfd/topology/nodes/1/mem_banks/0/properties",
        "/sys/devices/virtual/kfd/kfd/topology/nodes/1/gpu_id",
        "/sys/devices/virtual/kfd/kfd/topology/nodes//properties",
        "/sys/devices/virtual/kfd/kfd/topology/nodes/x/properties",
        "/sys/devices/virtual/kfd/kfd/topology/system_properties",
        "/home/ada/kfd/topology/nodes/1/properties",
        "/sys/properties",
        "",
    ] {
        assert!(!is_properties(near.as_bytes()), "{near}");
    }
}

#[test]
fn a_program_that_keeps_everything_keeps_the_topology() {
    let options = Options { policy: Mode::Keep, save_area: SaveArea::On, ..Options::default() };
    assert_eq!((option(&options), option(&Options::default())), (SaveArea::Off, SaveArea::Auto));
}
