//! The table of options.

use super::values::{
    Apu, Callers, Capabilities, DeviceFinegrained, DeviceUncached, DispatchTable, EventFence, FRACTION, Fraction, Host,
    HsaPool, Kind, Level, Managed, Mode, RawValue, Register, SaveArea, Value,
};
use std::path::PathBuf;

/// Where an option may stand, beside the general part of a file and the sections of programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// In no other section: it holds for a whole process.
    Process,
    /// In the sections of libraries too: it is looked at call by call.
    Call,
    /// In the section `[system]` alone; its environment variable is refused.
    System,
}

/// One option.
#[derive(Debug)]
pub struct Row {
    /// The key in a file; the environment name derives from it.
    pub name: &'static str,
    /// Where it may stand.
    pub scope: Scope,
    /// What it takes.
    pub kind: Kind,
    /// Its documentation, Markdown by lines; the first is the one-line help.
    pub doc: &'static [&'static str],
    set: fn(&mut Options, &RawValue) -> bool,
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
    pub fn set(&self, options: &mut Options, raw: &RawValue) -> bool {
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
            Kind::Fraction => FRACTION.into(),
            Kind::Path => "a path".into(),
            Kind::List => "a list of program names or paths".into(),
        }
    }
}

/// The option of that name.
pub fn row(name: &str) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.name == name)
}

/// The scope that a row begins with, in brackets.
macro_rules! scope {
    () => {
        Scope::Process
    };
    ([call]) => {
        Scope::Call
    };
    ([system]) => {
        Scope::System
    };
}

macro_rules! options {
    ($( $(#[doc = $doc:literal])+ $([$scope:tt])? $name:ident : $ty:ty = $default:expr; )*) => {
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
            scope: scope!($([$scope])?),
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
    /// With `keep` RMCP is inactive, as on a machine without a card that it is for; what is recorded for `rmcp trace` is
    /// recorded all the same. To be rid of RMCP altogether set `RMCP_DISABLE=1` in the environment, which is looked at before
    /// any file.
    policy: Mode = Mode::Auto;

    /// Pinned host memory: hipHostMalloc, hipHostAlloc, hipMemAllocHost.
    ///
    /// On gfx10 default pinned memory is fine-grained, which means uncached for the GPU, and GPU atomics other than
    /// add, swap and compare-and-swap on it are reported lost on the bus (ROCm/clr#285). No environment variable of
    /// ROCm changes it: the runtime decides by the flags before it looks at HIP_HOST_COHERENT. HIP_HOST_COHERENT=1 is a
    /// wish for coherent memory all the same, and makes `keep` the default of this option; so does HSA_DISABLE_CACHE=1, of
    /// this and of `managed`.
    ///
    /// Libraries that are known to need coherent memory keep it; [libraries](libraries.md) lists them. So does memory of a
    /// library, or a program, that uses hipStreamWaitValue32 and the like, or has graphs call its functions
    /// ([coherence](../understand/coherence.md)), unless a section `[library]` says otherwise.
    ///
    /// Risk: a program whose CPU watches host memory *while* a kernel writes it needs coherent memory. Give such a
    /// program `host = "keep"` in a section of its own. `force` also overrides programs that ask for coherent memory
    /// in so many words.
    [call] host: Host = Host::Noncoherent;

    /// Managed memory: hipMallocManaged.
    ///
    /// On gfx10 managed memory is uncached for the GPU unless it is advised coarse-grained. llama.cpp advises it
    /// likewise; one report from an APU says 97 to 180 tokens per second (ggml-org/llama.cpp#7399). An advice that
    /// the runtime refuses is dropped silently. The program's own advice comes later and wins: hipMemAdvise, with
    /// UnsetCoarseGrain too, is forwarded as it is.
    ///
    /// Risk: atomics by CPU and GPU on the same managed memory at the same time.
    [call] managed: Managed = Managed::Coarse;

    /// Host memory that a program registers: hipHostRegister.
    ///
    /// ROCm 5.2.3 to 7.2.4 make it fine-grained whatever the flags, CoarseGrained included (ROCm/rocm-systems#6278 gives
    /// that flag its meaning in 2026). `coarse` makes the runtime take the coarse-grained pool of the CPU.
    ///
    /// `coarse` needs `AMD_OPT_FLUSH=0` in the environment, which `rmcp-run` sets with it; without that it is `keep` and
    /// the log says so. By default kernels acquire and release with the scope of the device, and the GPU may go on
    /// reading its old copy of host memory that the CPU has written since: only an acquire with the scope of the system
    /// drops it (ROCm/rocm-systems#10639). With 0 every kernel of the process acquires so, and from ROCm 6.0 on releases
    /// so, on every GPU, at some cost per launch (ROCm/clr, rocclr/device/rocm/rocvirtual.cpp; the dispatch packets of
    /// ROCm 5.2.3, 5.7.1, 6.4.3 and 7.2.4 show it). hipDeviceSynchronize releases so in any case.
    ///
    /// Risk: a program whose CPU watches registered memory *while* a kernel writes it, as with `host`; streams that wait for
    /// a word of registered memory (hipStreamWaitValue32), which wait for ever; events between processes, whose words the
    /// runtime registers.
    register: Register = Register::Keep;

    /// hipExtMallocWithFlags with Finegrained.
    ///
    /// ROCm up to 6.2.2 answers hipErrorOutOfMemory on gfx10; later releases hand out the same memory as hipMalloc.
    /// `auto` gives the older ones the behaviour of the later.
    ///
    /// Risk: the refusal is an answer. RCCL asks so whether cards can talk to each other directly, and takes another way
    /// where they cannot; with `auto` it goes on with memory that is not what it asked for. Therefore `keep`.
    [call] device_finegrained: DeviceFinegrained = DeviceFinegrained::Keep;

    /// hipExtMallocWithFlags with Uncached or Contiguous.
    ///
    /// Risk: flags that another GPU or a network card polls in this memory need it uncached, therefore `keep`.
    [call] device_uncached: DeviceUncached = DeviceUncached::Keep;

    /// hsa_amd_memory_pool_allocate called by a program itself; calls from libamdhip64 are never changed.
    ///
    /// Risk: a program that speaks HSA chooses its pools knowingly, therefore `keep`.
    [call] hsa_pool: HsaPool = HsaPool::Keep;

    /// Events that give up the system-scope release: hipEventCreateWithFlags.
    ///
    /// The CPU sees what a kernel wrote to non-coherent memory only after a release to system scope. Where another option
    /// can make memory non-coherent in the process, on any GPU and for any caller, `system` therefore drops
    /// DisableSystemFence and ReleaseToDevice, whatever was allocated when the event is made: what counts is the memory
    /// that there is when it is recorded.
    [call] event_fence: EventFence = EventFence::System;

    /// The part of a card's memory that may be in use.
    ///
    /// Below 1 a call that allocates device memory answers hipErrorOutOfMemory when more than this part would be in use
    /// after it, and hipMemGetInfo reports this part as the whole. A caching allocator then frees what it holds, and a
    /// desktop on the same card keeps the rest. Sizes count in steps of 2 MiB, as in the kernel driver's own account.
    ///
    /// In use is what hipMemGetInfo says: in ROCm 5.2.3 the memory of the program itself, from 5.7 on that of all compute
    /// programs and what the kernel has pinned, but not the rest of a desktop's. What the runtime takes for itself is
    /// counted and never refused.
    [call] vram_fraction: Fraction = Fraction::ALL;

    /// What programs hear of managed memory: hipDeviceGetAttribute, hipGetDeviceProperties.
    ///
    /// For programs that take managed memory wherever it is offered. `no-managed` answers 0 for managedMemory,
    /// concurrentManagedAccess, directManagedMemAccessFromHost, pageableMemoryAccess and
    /// pageableMemoryAccessUsesHostPageTables. A hipMallocManaged is still served.
    ///
    /// Risk: a program that refuses to run without managed memory.
    [call] capabilities: Capabilities = Capabilities::Real;

    /// HIP functions that a program looks up itself (dlsym, ctypes), and calls of libraries loaded with RTLD_DEEPBIND.
    ///
    /// They go past every preloaded library. From ROCm 6 on each function of libamdhip64 jumps through a table in the library's
    /// own memory (ROCm/clr, hipamd/src/hip_api_trace.cpp). With `on` the hooks stand there, in every copy of the library, from
    /// its call of hsa_init on, that is, within the first HIP call of the process. RMCP finds the table by itself, and takes
    /// it only where the functions' own code and the table agree; where they do not, `log = "debug"` says so. ROCm 5 has no
    /// such table: there these calls go past RMCP, as with `off`.
    ///
    /// Risk: RMCP writes into memory of the runtime, as profilers do that wrap the same functions.
    dispatch_table: DispatchTable = DispatchTable::On;

    /// The waves of an RX 5000 card by which the runtime sizes a queue's save area.
    ///
    /// ROCm from 7.14 to 10.1 sizes it by the topology, which says 40 waves for a compute unit of gfx101x; Linux reckons with
    /// 32, and from 6.12 on refuses a queue that differs, so that no kernel starts ("Freezing the executable failed",
    /// HSA_STATUS_ERROR_OUT_OF_RESOURCES). Seen with 7.15 nightlies and 10.0.0, likely with 7.14 and 10.1
    /// (ROCm/TheRock#7472, ROCm/rocm-systems#6125 and #11299). While hsa_init reads the topology, RMCP shows the runtime
    /// `max_waves_per_simd 16` in place of 20: [how and why](../understand/save-area.md).
    ///
    /// `auto` does so where all hold: a gfx101x is visible, its topology says more than 32 waves, Linux is 6.12 or later, and
    /// the runtime's own build, its `.info/version` or the wheel that brings it says one of these releases. `on` asks for the
    /// card and its waves alone: for a runtime that does not say its release.
    ///
    /// AMD's own driver (DKMS) may check queues on an older Linux too, which its release does not tell: `on` serves there.
    ///
    /// Risk: RMCP writes into the runtime's table of imports for the time of hsa_init. Programs hear of 32 waves for a compute
    /// unit in place of 40, so of 2048 threads for a multiprocessor in place of 2560 (hipDeviceProp_t): some choose the size of
    /// their launches by that.
    save_area: SaveArea = SaveArea::Auto;

    /// GPUs that share the CPU's memory: gfx1013, gfx1033, gfx1035, gfx1036.
    ///
    /// No bus lies between such a GPU and host memory, so the reason for `host` does not hold there.
    apu: Apu = Apu::Keep;

    /// Programs in which RMCP stays inactive.
    ///
    /// Names (`Xorg`) or full paths (`/usr/bin/blender`), matched like the sections of a program.
    exclude: Vec<String> = Vec::new();

    /// The programs in which RMCP is active where it was loaded through /etc/ld.so.preload; none: in all.
    ///
    /// Turns `exclude` round, with names and paths as there, on a machine with `rmcp enable --system`. `exclude` is
    /// stronger. Programs that `rmcp-run` starts, or that have librmcp.so from LD_PRELOAD, are served whatever stands here.
    [system] only: Vec<String> = Vec::new();

    /// For whose memory `host` and `managed` act where RMCP was loaded through /etc/ld.so.preload.
    ///
    /// There nobody has chosen RMCP for the program at hand. `known` leaves all memory as asked but that of libraries which
    /// are known to be right with non-coherent memory ([libraries](libraries.md) lists them), or which a section
    /// `[library]` names; in programs that `only` or a section `[program]` names it acts as `all`.
    [system] callers: Callers = Callers::Known;

    /// How much RMCP says.
    ///
    /// With `trace` a line for each call of a [hooked function](hooks.md), on every GPU, once it has returned: the arguments,
    /// who called, what was returned, and the address of what was allocated.
    ///
    /// A line has at most 4096 bytes, and the log never waits, ends a process or keeps a descriptor: a line that cannot be
    /// written at once is lost, because a pipe is full or broken, a disk is full or a file may not grow, and the next that can
    /// be says how many were. Standard error is what is number 2 when the log begins, at the first call; when the
    /// program makes another file of that number, lines are lost. With `log_file` they are not.
    log: Level = Level::Off;

    /// Where it says it: this file instead of standard error.
    ///
    /// It is made where it is not there, its folder is not. It must be writable by every program that runs under RMCP, and is
    /// opened for each line by the path that it had at the first call. A symbolic link is not followed. Where the file cannot
    /// be opened at the first call the log goes to standard error, and says so.
    log_file: Option<PathBuf> = None;

    /// Records every call that gives or takes memory, into files in this folder. For `rmcp trace`.
    ///
    /// 64 bytes a call, in files that are made ahead of need: 64 KiB at first, later up to 16 MiB. Each process has files
    /// of its own. Calls are recorded on every GPU, and where RMCP is inactive for lack of one it is for; not in programs
    /// that are excluded, and not under `RMCP_DISABLE=1`.
    trace: Option<PathBuf> = None;

    /// Where the KFD describes the GPUs. For tests.
    topology: PathBuf = crate::topology::DEFAULT_ROOT.into();
}
