//! Nanoseconds of CPU time per call on a stub driver that answers at once: without RMCP, with it inactive, forwarding and
//! rewriting, and with others in its place.
#![forbid(unsafe_code)]

use rmcp_benches::{Clients, Program, Runtime, Variant, Worker, compare, criterion, peer, print, run_by};
use rmcp_hip_tests::{Build, Stubs, target_dir};
use std::path::PathBuf;
use std::process::Command;

/// A state of RMCP: what the table calls it, the GPU, and the environment.
struct State {
    name: &'static str,
    gpu: &'static str,
    environment: &'static [(&'static str, &'static str)],
    /// Whether calls are changed.
    rewrites: bool,
}

const fn state(name: &'static str, gpu: &'static str, rewrites: bool) -> State {
    State { name, gpu, environment: &[], rewrites }
}

const INACTIVE: State = state("inactive", "gfx1100", false);
/// No rule could change the call: it goes straight to the runtime.
const STRAIGHT: State = state("no rule for it", "gfx1010", false);
/// A rule could change the call, but not with these arguments.
const OTHER_FLAGS: State = state("not with these flags", "gfx1010", false);
/// A rule could change the call, but not from this library.
const OTHER_LIBRARY: State =
    State { environment: &[("RMCP_CONFIG", "keep.toml")], ..state("not from this library", "gfx1010", false) };
const REWRITTEN: State = state("rewritten", "gfx1010", true);
const REWRITTEN_POOL: State = State { environment: &[("RMCP_HSA_POOL", "coarse")], ..REWRITTEN };

/// For [`OTHER_LIBRARY`].
const KEEP: &str = "[library.libcalls0]\nhost = \"keep\"\nmanaged = \"keep\"\n";

/// What is called, the hook that meets it, and the states that make a difference to it.
const LINKED: [(&str, &str, &[State]); 5] = [
    ("hipMalloc", "hipMalloc", &[INACTIVE, STRAIGHT]),
    ("hipHostMalloc", "hipHostMalloc", &[INACTIVE, OTHER_LIBRARY, REWRITTEN]),
    ("hipHostMalloc_coherent", "hipHostMalloc", &[OTHER_FLAGS]),
    ("hipMallocManaged", "hipMallocManaged", &[INACTIVE, OTHER_LIBRARY, REWRITTEN]),
    ("hsa_amd_memory_pool_allocate", "hsa_amd_memory_pool_allocate", &[INACTIVE, STRAIGHT, REWRITTEN_POOL]),
];

/// The same where a library loads the runtime by dlopen.
const LOADED: [(&str, &str, &[State]); 2] =
    [("hipMalloc", "hipMalloc", &[INACTIVE, STRAIGHT]), ("hipHostMalloc", "hipHostMalloc", &[INACTIVE, REWRITTEN])];

fn main() {
    let clients = Clients::of(Runtime::Stub);
    let (linked, loaded) = (clients.linked(1), clients.loaded());
    let mut criterion = criterion();
    let mut rows = Vec::new();
    let ways: [(&[_], &str, &dyn Fn() -> Command); 2] =
        [(&LINKED, "linked", &|| linked.command()), (&LOADED, "dlopen", &|| loaded.command())];
    for (table, way, command) in ways {
        for &(function, hook, states) in table {
            let mut variants = vec![Variant::new("without", || Worker::start(command(), function))];
            variants.extend(states.iter().map(|state| {
                let start = || Worker::start(with_rmcp(command(), state), function);
                Variant::new(state.name, move || start().assert_rewritten(hook, state.rewrites))
            }));
            let title = format!("{function}, {way}");
            let compared = compare(&mut criterion, ("calls", &title), &variants);
            rows.extend(compared.into_iter().flat_map(|compared| compared.rows(&title, 1.0, None)));
        }
    }
    print("ns of CPU time per call", &rows);

    let mut rows = Vec::new();
    for (function, state) in [("hipMalloc", &STRAIGHT), ("hipHostMalloc", &REWRITTEN)] {
        let compared = compare(&mut criterion, ("peers", function), &peers(&linked, function, state));
        rows.extend(compared.into_iter().flat_map(|compared| compared.rows(function, 1.0, None)));
    }
    print("ns of CPU time per call, beside others", &rows);

    if let Some(ltrace) = ltrace(&linked) {
        let compared = compare(&mut criterion, ("ltrace", "hipMalloc"), &ltrace);
        let rows = compared.map_or_else(Vec::new, |compared| compared.rows("hipMalloc", 1.0, None));
        print("ns that pass per call", &rows);
    }
    criterion.final_summary();
}

fn with_rmcp(mut command: Command, state: &State) -> Command {
    let build = Build::find().unwrap_or_else(|error| panic!("{error:#}"));
    command.env("LD_PRELOAD", build.gate()).env("RMCP_TOPOLOGY", Stubs::get().topology(&[state.gpu]));
    command.env("RMCP_CONFIG", "").envs(state.environment.iter().copied());
    if state.environment.iter().any(|&(name, _)| name == "RMCP_CONFIG") {
        command.env("RMCP_CONFIG", keep());
    }
    command
}

/// The file of options for [`OTHER_LIBRARY`].
fn keep() -> PathBuf {
    let file = target_dir().unwrap_or_else(|error| panic!("{error:#}")).join("bench-clients/keep.toml");
    std::fs::write(&file, KEEP).expect("write a file of options");
    file
}

/// Other ways to stand between a program and the runtime.
fn peers<'a>(program: &'a Program, function: &'static str, state: &'a State) -> Vec<Variant<'a>> {
    let with = move |variable: &'static str, library: PathBuf| {
        move || {
            let mut command = program.command();
            command.env(variable, &library);
            Worker::start(command, function)
        }
    };
    vec![
        Variant::new("without", move || Worker::start(program.command(), function)),
        Variant::new("an empty library", with("LD_PRELOAD", Stubs::get().empty())),
        Variant::new("a bare jump", with("LD_PRELOAD", peer("jumps"))),
        Variant::new("a shim in C with dlsym(RTLD_NEXT)", with("LD_PRELOAD", peer("next"))),
        Variant::new("LD_AUDIT, counting", with("LD_AUDIT", peer("audit"))),
        Variant::new("RMCP", move || Worker::start(with_rmcp(program.command(), state), function)),
    ]
}

/// ltrace, which another process does: the time that passes counts. None where it is not installed.
fn ltrace<'a>(program: &'a Program) -> Option<[Variant<'a>; 2]> {
    Command::new("ltrace").arg("--version").output().ok()?;
    let arguments = ["-o", "/dev/null", "-e", "hipMalloc", "-l", "libcalls0.so"];
    let traced = move || run_by("ltrace", &arguments, &program.command());
    let start = |command| Worker::start(command, "hipMalloc").by_elapsed_time();
    Some([
        Variant::new("without", move || start(program.command())),
        Variant::new("ltrace -e hipMalloc", move || start(traced())),
    ])
}
