//! The table of options.

use super::values::{
    Apu, DeviceFinegrained, DeviceUncached, EventFence, Host, HsaPool, Level, Managed, Mode, Raw, Value,
};
use std::path::PathBuf;

/// What an option takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One of some words.
    Word(&'static [Choice]),
    /// A path.
    Path,
    /// A list of texts: an array in a file, separated by colons in the environment.
    List,
}

/// One word that an option takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The word.
    pub word: &'static str,
    /// What it selects, one sentence.
    pub what: &'static str,
}

/// One option.
#[derive(Debug)]
pub struct Row {
    /// The key in a file; the environment name derives from it.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// Its documentation, Markdown by lines; the first is the one-line help.
    pub doc: &'static [&'static str],
    set: fn(&mut Options, &Raw) -> bool,
    get: fn(&Options) -> String,
}

impl Row {
    /// The environment variable, such as RMCP_HOST.
    pub fn env(&self) -> String {
        format!("RMCP_{}", self.name.to_ascii_uppercase())
    }

    /// One line of help.
    pub fn help(&self) -> &'static str {
        self.doc[0].trim()
    }

    /// Sets the option; false, and no change, when `raw` is not a value of it.
    pub fn set(&self, options: &mut Options, raw: &Raw) -> bool {
        (self.set)(options, raw)
    }

    /// The value as a TOML file would hold it.
    pub fn get(&self, options: &Options) -> String {
        (self.get)(options)
    }

    /// What is allowed, in words.
    pub fn allowed(&self) -> String {
        match self.kind {
            Kind::Word(choices) => choices.iter().map(|c| c.word).collect::<Vec<_>>().join(", "),
            Kind::Path => "a path".into(),
            Kind::List => "a list of program names or paths".into(),
        }
    }
}

/// The option of that name.
pub fn row(name: &str) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.name == name)
}

macro_rules! options {
    ($( $(#[doc = $doc:literal])+ $name:ident : $ty:ty = $default:expr; )*) => {
        /// What the user wants. [`Options::default`] is what RMCP does when nobody says anything.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Options { $( $(#[doc = $doc])+ pub $name: $ty, )* }

        impl Default for Options {
            fn default() -> Self {
                Self { $( $name: $default, )* }
            }
        }

        /// Every option, in the order of the documentation.
        pub static TABLE: &[Row] = &[$( Row {
            name: stringify!($name),
            kind: <$ty as Value>::KIND,
            doc: &[$($doc),+],
            set: |options, raw| <$ty as Value>::read(raw).map(|value| options.$name = value).is_some(),
            get: |options| options.$name.toml(),
        }, )*];
    };
}

options! {
    /// Whether RMCP rewrites anything.
    ///
    /// `keep` forwards every call unchanged and still counts it. To be rid of RMCP altogether set `RMCP_DISABLE=1` in
    /// the environment, which is looked at before any file.
    policy: Mode = Mode::Auto;

    /// Pinned host memory: hipHostMalloc, hipHostAlloc, hipMemAllocHost.
    ///
    /// On gfx10 default pinned memory is fine-grained, which means uncached for the GPU, and GPU atomics other than
    /// add, swap and compare-and-swap on it are reported lost on the bus (ROCm/clr#285). No environment variable of
    /// ROCm changes it: the runtime decides by the flags before it looks at HIP_HOST_COHERENT.
    ///
    /// Risk: a program whose CPU watches host memory *while* a kernel writes it needs coherent memory. Give such a
    /// program `host = "keep"` in a section of its own. `force` also overrides programs that ask for coherent memory
    /// in so many words.
    host: Host = Host::Noncoherent;

    /// Managed memory: hipMallocManaged.
    ///
    /// On gfx10 managed memory is uncached for the GPU unless it is advised coarse-grained. llama.cpp advises it
    /// likewise; one report from an APU says 97 to 180 tokens per second (ggml-org/llama.cpp#7399). An advice that
    /// the runtime refuses is dropped silently.
    ///
    /// Risk: atomics by CPU and GPU on the same managed memory at the same time.
    managed: Managed = Managed::Coarse;

    /// hipExtMallocWithFlags with Finegrained.
    ///
    /// ROCm up to 6.2.2 answers hipErrorOutOfMemory on gfx10; later releases hand out the same memory as hipMalloc.
    /// `auto` gives the older ones the behaviour of the later.
    device_finegrained: DeviceFinegrained = DeviceFinegrained::Auto;

    /// hipExtMallocWithFlags with Uncached or Contiguous.
    ///
    /// Risk: flags that another GPU or a network card polls in this memory need it uncached, therefore `keep`.
    device_uncached: DeviceUncached = DeviceUncached::Keep;

    /// hsa_amd_memory_pool_allocate called by a program itself; calls from libamdhip64 are never changed.
    ///
    /// Risk: a program that speaks HSA chooses its pools knowingly, therefore `keep`.
    hsa_pool: HsaPool = HsaPool::Keep;

    /// Events that give up the system-scope release: hipEventCreateWithFlags.
    ///
    /// Once memory was made non-coherent in a process, the CPU sees what a kernel wrote to it only after a release to
    /// system scope. `system` therefore drops DisableSystemFence and ReleaseToDevice from then on.
    event_fence: EventFence = EventFence::System;

    /// GPUs that share the CPU's memory: gfx1013, gfx1033, gfx1035, gfx1036.
    ///
    /// No bus lies between such a GPU and host memory, so the reason for `host` does not hold there.
    apu: Apu = Apu::Keep;

    /// Programs in which RMCP stays inactive.
    ///
    /// Names (`Xorg`) or full paths (`/usr/bin/blender`), matched like the sections of a program.
    exclude: Vec<String> = Vec::new();

    /// How much RMCP says.
    log: Level = Level::Off;

    /// Where it says it: this file instead of standard error.
    ///
    /// Must be writable by every program that runs under RMCP.
    log_file: Option<PathBuf> = None;

    /// Where the KFD describes the GPUs. For tests.
    topology: PathBuf = crate::topology::DEFAULT_ROOT.into();
}
