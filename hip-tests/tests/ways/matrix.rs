//! What becomes of each call, by way and release.

use crate::exports;
use rmcp_hip_tests::{Client, LoadMode, Release, Run, Scene, require};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// The calls of `clients/ways.h`.
pub const CALLS: [&str; 5] = [
    "hipHostMalloc(0)",
    "hipHostMalloc(Coherent)",
    "hipMallocManaged(Global)",
    "hipMalloc",
    "hsa_amd_memory_pool_allocate(fine)",
];

/// How a process comes to the runtime, and RMCP into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    Linked,
    Unversioned,
    RmcpRun,
    Local,
    Global,
    TwoCopies,
    Wheel,
    ProcAddress,
    EntryPoint,
    DeepBind,
    Dlsym,
    Ctypes,
    DlsymProcAddress,
}

impl Way {
    pub const ALL: [Way; 13] = [
        Way::Linked,
        Way::Unversioned,
        Way::RmcpRun,
        Way::Local,
        Way::Global,
        Way::TwoCopies,
        Way::Wheel,
        Way::ProcAddress,
        Way::EntryPoint,
        Way::DeepBind,
        Way::Dlsym,
        Way::Ctypes,
        Way::DlsymProcAddress,
    ];

    /// As the page has it.
    pub fn name(self) -> &'static str {
        match self {
            Way::Linked => "linked, imports with versions (`hipHostMalloc@hip_4.2`)",
            Way::Unversioned => "linked, imports without versions",
            Way::RmcpRun => "linked, started by `rmcp-run`",
            Way::Local => "library loaded with RTLD_LOCAL",
            Way::Global => "library loaded with RTLD_GLOBAL",
            Way::TwoCopies => "two libraries, each with its own copy of libamdhip64",
            Way::Wheel => "Python extension with bundled runtime",
            Way::ProcAddress => "`hipGetProcAddress`",
            Way::EntryPoint => "`hipGetDriverEntryPoint`",
            Way::DeepBind => "library loaded with RTLD_DEEPBIND",
            Way::Dlsym => "`dlsym` on the runtime",
            Way::Ctypes => "Python's `ctypes` on the runtime",
            Way::DlsymProcAddress => "`hipGetProcAddress`, itself looked up by `dlsym`",
        }
    }

    /// The client's part of it.
    pub fn load_mode(self) -> LoadMode {
        match self {
            Way::Linked | Way::RmcpRun => LoadMode::Linked,
            Way::Unversioned => LoadMode::Unversioned,
            Way::Local => LoadMode::Local,
            Way::Global => LoadMode::Global,
            Way::TwoCopies => LoadMode::TwoCopies,
            Way::Wheel => LoadMode::Wheel,
            Way::ProcAddress => LoadMode::ProcAddress,
            Way::EntryPoint => LoadMode::EntryPoint,
            Way::DeepBind => LoadMode::DeepBind,
            Way::Dlsym => LoadMode::Dlsym,
            Way::Ctypes => LoadMode::Ctypes,
            Way::DlsymProcAddress => LoadMode::DlsymProcAddress,
        }
    }

    /// The function that it needs of the runtime, and by which a release can be told that has it.
    fn required_function(self) -> Option<&'static str> {
        match self {
            Way::ProcAddress | Way::DlsymProcAddress => Some("hipGetProcAddress"),
            Way::EntryPoint => Some("hipGetDriverEntryPoint"),
            _ => None,
        }
    }

    /// Whether it leads to `call`: only HIP hands out its functions by name.
    fn has_call(self, call: &str) -> bool {
        ![Way::ProcAddress, Way::EntryPoint, Way::DlsymProcAddress].contains(&self) || !call.starts_with("hsa_")
    }

    /// What the client puts before its labels, once for each time that it makes the calls.
    fn prefixes(self) -> &'static [&'static str] {
        if self == Way::TwoCopies { &["", "second "] } else { &[""] }
    }

    fn scene(self, release: Release) -> Scene {
        match self {
            Way::RmcpRun => scene(release).by_rmcp_run(),
            _ => scene(release).with_rmcp(),
        }
    }

    /// The client on this way, with each function hooked, so that all its calls are counted; and with those alone that RMCP
    /// has something to do with.
    fn runs(self, release: Release) -> Option<[Arc<Run>; 2]> {
        let scene = self.scene(release);
        let run = |scene: Scene| scene.run(Client::Ways(self.load_mode()));
        Some([run(count_all(scene.clone()))?, run(scene)?])
    }

    /// Whether a call of the client asks the kernel for coherent memory where no other functions are hooked than need be.
    pub fn uncounted_is_coherent(self, release: Release, call: &str) -> Option<bool> {
        let [_, run] = self.runs(release)?;
        let coherent = self.prefixes().iter().map(|prefix| is_coherent(&format!("{prefix}{call}"), &run));
        let coherent: Vec<bool> = coherent.collect();
        assert!(coherent.iter().all(|one| *one == coherent[0]), "{call} by {}: {coherent:?}", self.name());
        Some(coherent[0])
    }
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// RMCP counted it, and the kernel hears something else than without RMCP.
    Rewritten,
    /// RMCP counted it, and the kernel hears the same.
    Forwarded,
    /// RMCP did not count it.
    Missed,
    /// The release has no such way.
    NotInRelease,
    /// The way leads to HIP alone.
    NoSuchWay,
}

pub type Matrix = BTreeMap<(Way, Release, &'static str), Cell>;

/// The card and the options of every cell. The pool of a direct HSA call is left alone by default.
pub fn scene(release: Release) -> Scene {
    Scene::new(release, "gfx1010").env("RMCP_HSA_POOL", "coarse")
}

/// A call is counted by its hook, and for a log of each call every function has one.
pub fn count_all(scene: Scene) -> Scene {
    scene.env("RMCP_LOG", "trace").env("RMCP_LOG_FILE", "/dev/null")
}

/// Every cell, observed once a process; `None` where this machine cannot have a stack.
pub fn matrix() -> Option<&'static Matrix> {
    static MATRIX: OnceLock<Option<Matrix>> = OnceLock::new();
    MATRIX.get_or_init(observe).as_ref()
}

fn observe() -> Option<Matrix> {
    let exports = require("ROCm's libraries", exports::by_release())?;
    let exists = |way: Way, release: Release| {
        way.required_function()
            .is_none_or(|function| exports.iter().any(|(of, names)| *of == release && names.contains(function)))
    };
    let mut pairs = Vec::new();
    for release in Release::ALL {
        pairs.extend(Way::ALL.map(|way| (way, release)).into_iter().filter(|&(way, release)| exists(way, release)));
    }
    run_all(&pairs);
    let mut matrix = Matrix::new();
    for release in Release::ALL {
        let without = scene(release).run(Client::Ways(LoadMode::Linked))?;
        for way in Way::ALL {
            let with = match exists(way, release) {
                true => Some(way.runs(release)?),
                false => None,
            };
            for call in CALLS {
                let cell = match &with {
                    _ if !way.has_call(call) => Cell::NoSuchWay,
                    None => Cell::NotInRelease,
                    Some([with, _]) => cell(way, call, &without, with),
                };
                matrix.insert((way, release, call), cell);
            }
        }
    }
    Some(matrix)
}

/// Makes the runs on every core; each is kept for whoever asks later.
fn run_all(pairs: &[(Way, Release)]) {
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some((way, release)) = pairs.get(next.fetch_add(1, Ordering::Relaxed)) {
            let _: Option<[Arc<Run>; 2]> = way.runs(*release);
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| (0..cores).for_each(|_| drop(scope.spawn(work))));
}

fn cell(way: Way, call: &str, without: &Run, with: &Run) -> Cell {
    let cells: Vec<Cell> =
        way.prefixes().iter().map(|prefix| observed_cell(&format!("{prefix}{call}"), call, without, with)).collect();
    assert!(cells.iter().all(|cell| *cell == cells[0]), "{call} by {}: {cells:?}", way.name());
    cells[0]
}

/// What became of the call `label`, which is `call` in the run without RMCP.
fn observed_cell(label: &str, call: &str, without: &Run, with: &Run) -> Cell {
    let counted = match (without.call(call).counted, with.call(label).counted) {
        (0, 0) => false,
        (0, 1) => true,
        other => panic!("{label} was counted {other:?} times without and with RMCP"),
    };
    assert_eq!((without.call(call).code, with.call(label).code), (0, 0), "{label}:\n{}", with.stderr);
    let (before, after) = (is_coherent(call, without), is_coherent(label, with));
    assert_eq!(before, !call.starts_with("hipMalloc") || call.starts_with("hipMallocManaged"), "{call} without RMCP");
    match (counted, before == after) {
        (true, true) => Cell::Forwarded,
        (true, false) => Cell::Rewritten,
        (false, true) => Cell::Missed,
        (false, false) => panic!("{label} is another call at the kernel boundary, and RMCP did not count it"),
    }
}

/// Whether what reaches the kernel under this mark is coherent memory.
fn is_coherent(mark: &str, run: &Run) -> bool {
    let events = run.log.under(mark);
    assert!(!events.is_empty(), "{mark} does not reach the kernel");
    match events.iter().find(|event| event.kind == "alloc") {
        Some(memory) => memory.has("COHERENT"),
        // Managed memory is an SVM range, coherent until it is told otherwise.
        None => !events.iter().any(|event| event.svm("CLR_FLAGS", "COHERENT")),
    }
}
