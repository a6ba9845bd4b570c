//! Every row of the hook table: a call's arguments arrive as they left, in registers and on the stack.

use crate::process::Process;
use rmcp_abi::{HOOKS, HookInfo};
use rmcp_hip_tests::Stubs;

/// The command that calls the function with a number of its own for each argument, and what the stub then notes of it.
fn call(hook: &HookInfo) -> (String, String) {
    let arguments = hook.signature.split_once('(').unwrap().1.split_once(')').unwrap().0;
    let types = arguments.split(',').filter_map(|argument| Some(argument.split_once(':')?.1.trim()));
    let (mut words, mut noted) = (Vec::new(), Vec::new());
    for (index, ty) in types.enumerate() {
        if ty.starts_with('*') {
            words.push("p".to_owned());
        } else if ty == "HipExtent" {
            words.push("e".to_owned());
            noted.push("0x1e".to_owned());
        } else {
            let number = format!("{:#x}", 0x101 + index);
            words.push(number.clone());
            noted.push(number);
        }
    }
    (format!("with:{}={}", hook.name, words.join(",")), format!("{}({})", hook.name, noted.join(", ")))
}

#[test]
fn the_first_call_and_the_second_arrive_with_their_arguments() {
    for target in ["gfx1010", "gfx1100"] {
        assert_arrive(Process::linked().gpus(&[target]), target);
    }
}

#[test]
fn recorded_calls_arrive_with_their_arguments_and_leave_errno_alone() {
    for target in ["gfx1010", "gfx1100"] {
        let records = tempfile::tempdir().unwrap();
        assert_arrive(Process::linked().gpus(&[target]).env("RMCP_TRACE", records.path()), target);
        let files = records.path().read_dir().unwrap().count();
        assert_eq!(files, 2, "a head and the calls on {target}");
    }
}

#[test]
fn calls_arrive_through_the_runtimes_own_table_with_their_arguments() {
    let records = tempfile::tempdir().unwrap();
    let process = Process::linked().env("LD_LIBRARY_PATH", Stubs::get().drivers_with_table(&[]));
    for target in ["gfx1010", "gfx1100"] {
        assert_arrive(process.clone().gpus(&[target]), target);
        assert_arrive(process.clone().gpus(&[target]).env("RMCP_TRACE", records.path()), target);
    }
}

/// Every call arrives twice as it left. A line that ends with errno is one whose call has changed that.
fn assert_arrive(process: Process, target: &str) {
    let calls: Vec<_> = HOOKS.iter().map(call).collect();
    let commands: Vec<_> = calls.iter().flat_map(|(command, _)| [command.as_str(); 2]).collect();
    let report = process.env("RMCP_POLICY", "keep").run(&commands.join(" "));
    for (lines, (command, noted)) in report.lines.chunks(2).zip(&calls) {
        for line in lines {
            assert!(line.starts_with(&format!("{command}\t0\t")), "{line} on {target}");
            assert_eq!(line.rsplit_once(": ").unwrap().1, noted, "on {target}");
        }
    }
}
