use super::*;
use crate::options::{Options, Sources};

fn loaded(variables: &[(&str, &str)]) -> Loaded {
    let environment = variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
    Options::load(&Sources { environment, ..Sources::default() })
}

fn machine(targets: &[&str], variables: &[(&str, &str)]) -> Machine {
    let gpus = targets.iter().map(|target| Gpu::by_target(target.parse().unwrap())).collect();
    Machine::new(loaded(variables), Ok(gpus), None)
}

fn changing(machine: &Machine) -> Vec<&Hook> {
    Hook::ALL.iter().filter(|&&hook| machine.may_change(hook)).collect()
}

#[test]
fn what_can_be_changed_on_one_card_is_hooked_beside_others_too() {
    let alone = machine(&["gfx1010"], &[]);
    let beside = machine(&["gfx1100", "gfx1010"], &[]);
    assert!(alone.active() && beside.active() && !changing(&alone).is_empty());
    assert_eq!(changing(&alone), changing(&beside));
    assert!(alone.program_rules().common().is_some());
    let rules = beside.program_rules();
    assert!(rules.common().is_none(), "the cards differ");
    let active: Vec<_> = [0, 1].map(|device| rules.for_device(device).is_some_and(Rules::active)).into();
    assert_eq!(active, [false, true]);
    assert!(rules.for_device(2).is_none() && rules.for_device(-1).is_none());
}

#[test]
fn nothing_is_hooked_where_no_rule_acts_and_the_reason_names_each_card() {
    for (targets, variables, reason) in [
        (&[][..], &[][..], "no GPU is visible"),
        (&["gfx1100"], &[], "no rule acts on gfx1100: it is neither RDNA1 nor RDNA2"),
        (&["gfx1036"], &[], "no rule acts on gfx1036: apu=keep: it shares the CPU's memory, and no bus lies between"),
        (
            &["gfx1010", "gfx90a"],
            &[("RMCP_POLICY", "keep")],
            "no rule acts on gfx1010: policy=keep; gfx90a: it is neither RDNA1 nor RDNA2",
        ),
        (
            &["gfx1010"],
            &[("RMCP_HOST", "keep"), ("RMCP_MANAGED", "keep"), ("RMCP_CAPABILITIES", "real")],
            "no rule acts on gfx1010: every option says keep",
        ),
    ] {
        let machine = machine(targets, variables);
        assert_eq!(machine.inactive_reason.as_deref(), Some(reason));
        assert_eq!(changing(&machine), Vec::<&Hook>::new(), "{reason}");
        assert_eq!(machine.to_string(), format!("inactive: {reason}"));
    }
    let unknown = Machine::new(loaded(&[]), Err("there is no topology".into()), None);
    assert_eq!(unknown.to_string(), "inactive: there is no topology");
}

#[test]
fn an_event_is_hooked_only_beside_memory_that_is_made_noncoherent() {
    let event = |machine: &Machine| changing(machine).into_iter().any(|hook| hook.policy() == Policy::event_create);
    let beside = machine(&["gfx1010"], &[("RMCP_EVENT_FENCE", "system")]);
    assert!(beside.makes_noncoherent && event(&beside));
    let keep = [("RMCP_HOST", "keep"), ("RMCP_MANAGED", "keep"), ("RMCP_VRAM_FRACTION", "0.5")];
    let alone = machine(&["gfx1010"], &[&keep[..], &[("RMCP_EVENT_FENCE", "system")]].concat());
    assert!(alone.active() && !alone.makes_noncoherent && !event(&alone));
}

#[test]
fn a_start_of_the_runtime_is_hooked_where_a_queue_would_be_refused_alone() {
    let starts = |machine: &Machine| changing(machine).into_iter().any(|hook| hook.policy() == Policy::runtime_start);
    let waves = Card::parse(
        "simd_count 72\nmax_waves_per_simd 20\nsimd_per_cu 2\ngfx_target_version 100100\nnum_xcc 1\narray_count 4\n",
    );
    let gpu = Gpu { waves, ..Gpu::by_target("gfx1010".parse().unwrap()) };
    let on = |kernel: &str, variables| Machine::new(loaded(variables), Ok(vec![gpu]), kernel.parse().ok());
    assert!(starts(&on("6.12", &[])));
    assert!(!starts(&on("6.1", &[])));
    assert!(!starts(&machine(&["gfx1010"], &[])));
    let keep = [("RMCP_HOST", "keep"), ("RMCP_MANAGED", "keep"), ("RMCP_CAPABILITIES", "real")];
    let idle = on("6.12", &keep);
    assert!(!idle.active() && starts(&idle), "no other rule acts");
    assert!(!starts(&on("6.12", &[("RMCP_POLICY", "keep")])));
}
