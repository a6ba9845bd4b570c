//! What RMCP is for, as installed: on an emulated card.

use rmcp_hip_tests::{Log, Stack};
use rmcp_machines::{Machine, Release, installed, require};

/// A machine with RMCP installed and a ROCm of the cache in /mnt/stacks.
fn with_stack(release: Release, rocm: rmcp_hip_tests::Release) -> Option<Machine> {
    let stack = require("ROCm from Debian", Stack::fetch(rocm))?;
    let stacks = stack.prefix().parent()?.to_owned();
    Some(installed(release)?.share("stacks", &stacks))
}

/// What README.md shows of `rmcp demo`.
fn demo_of_the_readme() -> String {
    let readme = include_str!("../../../../README.md");
    let shown = readme.lines().skip_while(|line| !line.starts_with("    ROCm 6.4.3 from Debian"));
    let shown: Vec<_> = shown.take_while(|line| line.is_empty() || line.starts_with("    ")).collect();
    shown.iter().map(|line| format!("{}\n", line.trim_start())).collect::<String>().trim_end().to_owned() + "\n"
}

#[test]
fn rmcp_demo_shows_what_the_readme_shows() {
    for release in Release::ALL {
        let Some(machine) = with_stack(release, rmcp_hip_tests::Release::Rocm643) else { return };
        assert_eq!(machine.bash("RMCP_CACHE=/mnt rmcp demo"), demo_of_the_readme(), "{release:?}");
    }
}

/// The flags of the memory that a HIP program gets from hipHostMalloc(0) there, when it is started so.
fn pinned_memory_is_coherent(machine: &Machine, start: &str) -> bool {
    let client = "/usr/lib/rmcp/rmcp-demo-client 0 libamdhip64.so.5";
    let emulator = "RMCP_KFD_MACHINE=gfx1010 RMCP_KFD_LOG=/tmp/kfd.log";
    let log = machine.bash(&format!("{emulator} {start} {client} > /dev/null; cat /tmp/kfd.log"));
    let log = Log::parse(&log).unwrap();
    let mut pinned = log.under("hipHostMalloc(0)").into_iter().filter(|event| event.kind == "alloc");
    let first = pinned.next().unwrap_or_else(|| panic!("{start}: hipHostMalloc(0) allocates nothing:\n{log}"));
    first.has("COHERENT")
}

#[test]
fn a_hip_program_with_debians_own_rocm_has_rmcp_in_each_of_the_three_ways() {
    use rmcp_hip_tests::Release::{Rocm523, Rocm571};
    const KFD: &str = "/usr/lib/rmcp/librmcp_kfd.so";
    for (release, rocm) in [(Release::Bookworm, Rocm523), (Release::Trixie, Rocm571)] {
        let Some(machine) = with_stack(release, rocm) else { return };
        // As if installed: what the machine does not have already, where the loader looks.
        machine.bash(&format!(
            "mkdir -p /opt/rocm/lib; shopt -s nullglob
             for file in /mnt/stacks/{rocm}/{{usr/,}}lib/x86_64-linux-gnu/*.so*; do
                 [ -e /lib/x86_64-linux-gnu/${{file##*/}} ] || ln -sf $file /opt/rocm/lib/
             done
             ln -s /mnt/stacks/{rocm}/usr/share/libdrm /usr/share/
             echo /opt/rocm/lib > /etc/ld.so.conf.d/rocm.conf
             ldconfig"
        ));
        let coherent = |start: &str| pinned_memory_is_coherent(&machine, start);
        assert!(coherent(&format!("LD_PRELOAD={KFD}")), "{rocm}");
        assert!(!coherent(&format!("LD_PRELOAD=librmcp.so:{KFD}")), "{rocm}");
        assert!(!coherent(&format!("LD_PRELOAD={KFD} rmcp-run")), "{rocm}");
        machine.bash("rmcp enable --system");
        // There nobody has chosen RMCP for this program; then somebody does.
        assert!(coherent(&format!("LD_PRELOAD={KFD}")), "{rocm}");
        machine.bash("printf '[system]\\nonly = [\"rmcp-demo-client\"]\\n' >> /etc/rmcp.toml");
        assert!(!coherent(&format!("LD_PRELOAD={KFD}")), "{rocm}");
        machine.bash("rmcp disable --system");
        assert!(coherent(&format!("LD_PRELOAD={KFD}")), "{rocm}");
    }
}
