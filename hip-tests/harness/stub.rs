//! Programs on stub drivers, for load modes and benchmarks. See package `rmcp-loading` for what stubs cannot show.

use crate::build::target_dir;
use crate::driver;
use anyhow::{Context, Result, ensure};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock};

/// The folder with the drivers and the programs that use them.
#[derive(Debug)]
pub struct Stubs {
    root: PathBuf,
}

/// The names under which the drivers are installed.
const SYSTEM: [&str; 2] = ["libamdhip64.so.6", "libhsa-runtime64.so.1"];
/// Those that a wheel bundles, as auditwheel names them.
const BUNDLED: [&str; 2] = ["libamdhip64-1a2b3c4d.so", "libhsa-runtime64-5e6f7a8b.so"];
/// How many copies of the driver there are beside those, each under a name of its own.
pub const COPIES: usize = 5;

fn copy_names(number: usize) -> [String; 2] {
    ["libamdhip64", "libhsa-runtime64"].map(|library| format!("{library}-{number}.so"))
}

/// What [`Stubs::old_program`]'s runtime lacks.
const MISSING_FROM_OLD: [&str; 2] = ["hipHostAlloc", "hipGetDevicePropertiesR0600"];

impl Stubs {
    /// The folder, made once a process.
    ///
    /// # Panics
    /// Without cargo and a C compiler.
    pub fn get() -> &'static Stubs {
        static STUBS: OnceLock<Stubs> = OnceLock::new();
        STUBS.get_or_init(|| Stubs::make().unwrap_or_else(|error| panic!("the stub drivers: {error:#}")))
    }

    /// A program linked with the system's drivers, which makes the calls itself. `main.c` says what it takes.
    pub fn program(&self) -> PathBuf {
        self.root.join("system/program")
    }

    /// The same program on a runtime that lacks hipHostAlloc and the newer layout of hipDeviceProp_t.
    pub fn old_program(&self) -> PathBuf {
        self.root.join("old/program")
    }

    /// A program without drivers, which loads clients.
    pub fn loader(&self) -> PathBuf {
        self.root.join("loader")
    }

    /// A client library linked with the system's drivers.
    pub fn client(&self) -> PathBuf {
        self.root.join("system/libclient.so")
    }

    /// A client library in a wheel, linked with the drivers that the wheel bundles.
    pub fn wheel_client(&self) -> PathBuf {
        self.root.join("wheel/example/libclient.so")
    }

    /// A second one in the same wheel.
    pub fn second_wheel_client(&self) -> PathBuf {
        self.root.join("wheel/example/libclient-too.so")
    }

    /// A client library linked with no driver.
    pub fn orphan_client(&self) -> PathBuf {
        self.root.join("libclient.so")
    }

    /// A client library with functions of its own under the names of HIP and HSA, linked with no driver. `own.c` has them.
    pub fn own_client(&self) -> PathBuf {
        self.root.join("libown.so")
    }

    /// The same, which calls its functions without asking the loader for them.
    pub fn symbolic_own_client(&self) -> PathBuf {
        self.root.join("libown-symbolic.so")
    }

    /// A program linked with [`Stubs::own_client`], in which the library makes the calls.
    pub fn program_of_own_client(&self) -> PathBuf {
        self.root.join("own/library")
    }

    /// The same, in which the program makes them.
    pub fn program_on_own_functions(&self) -> PathBuf {
        self.root.join("own/program")
    }

    /// A library with such functions that is linked with [`Stubs::client`].
    pub fn own_plugin(&self) -> PathBuf {
        self.root.join("libplugin.so")
    }

    /// A client library with a variable under the name of a function of HIP.
    pub fn variables(&self) -> PathBuf {
        self.root.join("libvariables.so")
    }

    /// A client library linked with the system's drivers, with a hipHostMalloc of its own that passes the call on.
    pub fn wrapping_client(&self) -> PathBuf {
        self.root.join("system/libwrapper.so")
    }

    /// A program linked with [`Stubs::wrapping_client`], in which the library makes the calls.
    pub fn program_of_wrapping_client(&self) -> PathBuf {
        self.root.join("system/wrapped")
    }

    /// Another library to preload, with a hipHostMalloc of its own.
    pub fn interposer(&self) -> PathBuf {
        self.root.join("libinterposer.so")
    }

    /// A library that says so when it is loaded, to lie where RMCP's core is looked for.
    pub fn hostile(&self) -> PathBuf {
        self.root.join("libhostile.so")
    }

    /// A C library with nothing in it.
    pub fn empty(&self) -> PathBuf {
        self.root.join("libempty.so")
    }

    /// A client library linked with the system's drivers, which has the functions of `allocator.c` as well.
    pub fn allocator(&self) -> PathBuf {
        self.root.join("system/liballocator.so")
    }

    /// The same in a wheel.
    pub fn wheel_allocator(&self) -> PathBuf {
        self.root.join("wheel/example/liballocator.so")
    }

    /// A client library linked with a copy of the driver that no other library is linked with; there are [`COPIES`].
    pub fn client_of_copy(&self, number: usize) -> PathBuf {
        self.root.join(format!("copies/libclient-{number}.so"))
    }

    /// A client library that wraps functions in the driver's table. `profiler.c` says how.
    pub fn profiler(&self) -> PathBuf {
        self.root.join("system/libprofiler.so")
    }

    /// A program without drivers, which loads libraries of `allocator.c`. `loader_lock.c` says what it takes.
    pub fn loader_lock(&self) -> PathBuf {
        self.root.join("loader_lock")
    }

    /// The same; see `many.c`.
    pub fn many(&self) -> PathBuf {
        self.root.join("many")
    }

    /// [`Stubs::many`] with a leak checker.
    pub fn leak_checked_many(&self) -> PathBuf {
        self.root.join("many_leak_checked")
    }

    /// A program linked with the system's drivers; see `outcomes.cpp`.
    pub fn outcomes(&self) -> PathBuf {
        self.root.join("system/outcomes")
    }

    /// The same; see `no_memory.c`.
    pub fn no_memory(&self) -> PathBuf {
        self.root.join("system/no_memory")
    }

    /// The same; see `small_stack.c`.
    pub fn small_stack(&self) -> PathBuf {
        self.root.join("system/small_stack")
    }

    /// A folder with the drivers under every name, for LD_LIBRARY_PATH, in which HIP's functions stand behind a table. `flags`
    /// are those of `table.h` that make it doubtful.
    ///
    /// # Panics
    /// When they cannot be made.
    pub fn drivers_with_table(&self, flags: &[&str]) -> PathBuf {
        static MADE: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
        let mut made = MADE.lock().unwrap_or_else(|broken| broken.into_inner());
        let name = ["table", &flags.concat()].concat().replace(|letter: char| !letter.is_ascii_alphanumeric(), "_");
        let folder = self.root.join("tables").join(&name);
        let make = || {
            let drivers = Drivers::compile(&self.root, &name, &[flags, &["-DTABLE"]].concat())?;
            let copies: Vec<_> = (1..=COPIES).map(copy_names).collect();
            let copies = copies.iter().map(|names| names.each_ref().map(String::as_str));
            [SYSTEM, BUNDLED].into_iter().chain(copies).try_for_each(|names| drivers.install(&folder, names))
        };
        if made.insert(name.clone()) {
            make().unwrap_or_else(|error: anyhow::Error| panic!("drivers with a table: {error:#}"));
        }
        folder
    }

    /// The folder of the system's drivers, for LD_LIBRARY_PATH.
    pub fn drivers(&self) -> PathBuf {
        self.root.join("system")
    }

    /// That of the wheel's.
    pub fn wheel_drivers(&self) -> PathBuf {
        self.root.join("wheel/example.libs")
    }

    /// A KFD topology with these gfx targets, for RMCP_TOPOLOGY.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn topology(&self, targets: &[&str]) -> PathBuf {
        // Tests run in parallel and want the same machine.
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(|broken| broken.into_inner());

        let path = self.root.join("machines").join(targets.join("+"));
        write_topology(&path, targets).unwrap_or_else(|error| panic!("a topology of {targets:?}: {error:#}"));
        path
    }

    fn make() -> Result<Stubs> {
        let stubs = Stubs { root: target_dir()?.join("stubs") };
        let root = &stubs.root;
        install(&root.join("functions.h"), |new| Ok(fs::write(new, driver::functions())?))?;
        let drivers = Drivers::compile(root, "driver", &[])?;
        for folder in [stubs.drivers(), root.join("old")] {
            drivers.install(&folder, SYSTEM)?;
        }
        drivers.install(&stubs.wheel_drivers(), BUNDLED)?;
        let old = root.join("old").join(SYSTEM[0]);
        let bytes = fs::read(&old).with_context(|| format!("read {}", old.display()))?;
        let bytes = MISSING_FROM_OLD.iter().try_fold(bytes, |bytes, name| remove_symbol(bytes, name))?;
        install(&old, |new| Ok(fs::write(new, bytes)?))?;

        let system = Linked { names: &SYSTEM, folder: &stubs.drivers(), rpath: Some(&stubs.drivers()) };
        // Linked where the function exists, as programs are that meet an older runtime.
        let old = Linked { rpath: Some(&root.join("old")), ..system };
        let wheel = Linked {
            names: &BUNDLED,
            folder: &root.join("wheel/example.libs"),
            rpath: Some(Path::new("$ORIGIN/../example.libs")),
        };
        let own = Linked { names: &["libown.so"], folder: root, rpath: Some(root) };
        for number in 1..=COPIES {
            let (names, folder) = (copy_names(number), root.join("copies"));
            let names = names.each_ref().map(String::as_str);
            drivers.install(&folder, names)?;
            let copy = Linked { names: &names, folder: &folder, rpath: Some(&folder) };
            compile(&stubs.client_of_copy(number), &["client.c"], Some(copy))?;
        }
        let client = Linked { names: &["libclient.so"], ..system };
        let wrapper = Linked { names: &["libwrapper.so"], ..system };
        compile(&stubs.program(), &["main.c", "client.c"], Some(system))?;
        compile(&stubs.old_program(), &["main.c", "client.c"], Some(old))?;
        compile(&stubs.loader(), &["main.c"], None)?;
        compile(&stubs.client(), &["client.c"], Some(system))?;
        compile(&stubs.wheel_client(), &["client.c"], Some(wheel))?;
        compile(&stubs.second_wheel_client(), &["client.c"], Some(wheel))?;
        compile(&stubs.orphan_client(), &["client.c"], None)?;
        compile(&stubs.own_client(), &["client.c", "own.c"], None)?;
        compile(&stubs.symbolic_own_client(), &["-Wl,-Bsymbolic", "client.c", "own.c"], None)?;
        compile(&stubs.program_of_own_client(), &["main.c"], Some(own))?;
        compile(&stubs.program_on_own_functions(), &["main.c", "client.c"], Some(own))?;
        compile(&stubs.own_plugin(), &["own.c"], Some(client))?;
        compile(&stubs.wrapping_client(), &["client.c", "interposer.c"], Some(system))?;
        compile(&stubs.program_of_wrapping_client(), &["main.c"], Some(wrapper))?;
        compile(&stubs.allocator(), &["allocator.c", "client.c"], Some(system))?;
        compile(&stubs.wheel_allocator(), &["allocator.c", "client.c"], Some(wheel))?;
        compile(&stubs.profiler(), &["profiler.c"], Some(system))?;
        compile(&stubs.loader_lock(), &["-rdynamic", "loader_lock.c"], None)?;
        compile(&stubs.many(), &["many.c"], None)?;
        compile(&stubs.leak_checked_many(), &["-fsanitize=leak", "many.c"], None)?;
        compile(&stubs.outcomes(), &["outcomes.cpp"], Some(system))?;
        compile(&stubs.no_memory(), &["no_memory.c"], Some(system))?;
        compile(&stubs.small_stack(), &["small_stack.c"], Some(system))?;
        compile(&stubs.interposer(), &["interposer.c"], None)?;
        compile(&stubs.variables(), &["variables.c"], None)?;
        compile(&stubs.hostile(), &["hostile.c"], None)?;
        compile(&stubs.empty(), &["empty.c"], None)?;
        Ok(stubs)
    }
}

/// Libraries to link with, and where the program looks for them when it runs.
#[derive(Clone, Copy)]
struct Linked<'a> {
    names: &'a [&'a str],
    folder: &'a Path,
    rpath: Option<&'a Path>,
}

/// The drivers before they have names: object files.
struct Drivers {
    hip: String,
    hsa: String,
}

impl Drivers {
    /// Compiles them, into files whose names begin with `name`.
    fn compile(root: &Path, name: &str, flags: &[&str]) -> Result<Drivers> {
        let include = format!("-I{}", root.display());
        let object = |library: &str, more: &[&str]| -> Result<String> {
            let path = root.join(format!("{name}-{library}.o"));
            compile_program(&path, &[flags, more, &["-c", &include, "-fexceptions", "../driver.c"]].concat(), None)?;
            Ok(path.display().to_string())
        };
        Ok(Drivers { hip: object("hip", &[])?, hsa: object("hsa", &["-DHSA_DRIVER"])? })
    }

    /// Links them under these names. The HIP driver needs the HSA driver, as the real one does.
    fn install(&self, folder: &Path, [hip, hsa]: [&str; 2]) -> Result<()> {
        compile_library(&folder.join(hsa), &[&self.hsa], None)?;
        let beside = Linked { names: &[hsa], folder, rpath: Some(Path::new("$ORIGIN")) };
        compile_library(&folder.join(hip), &[&self.hip], Some(beside))
    }
}

/// A copy of the driver that lacks a function: under another name no lookup finds it.
fn remove_symbol(mut driver: Vec<u8>, name: &str) -> Result<Vec<u8>> {
    let entry = [&[0], name.as_bytes(), &[0]].concat();
    let places: Vec<_> =
        driver.windows(entry.len()).enumerate().filter(|(_, window)| *window == entry).map(|(at, _)| at).collect();
    ensure!(!places.is_empty(), "the driver has no {name}");
    for place in places {
        driver[place + 1] = b'_';
    }
    Ok(driver)
}

/// Compiles sources of `loading/clients`, among which flags of the compiler may stand: a library when `output` is called one,
/// else a program.
fn compile(output: &Path, sources: &[&str], libraries: Option<Linked>) -> Result<()> {
    match output.extension() == Some(OsStr::new("so")) {
        true => compile_library(output, sources, libraries),
        false => compile_program(output, sources, libraries),
    }
}

fn compile_library(output: &Path, sources: &[&str], libraries: Option<Linked>) -> Result<()> {
    compile_program(output, &[&["-shared"], sources].concat(), libraries)
}

fn compile_program(output: &Path, sources: &[&str], libraries: Option<Linked>) -> Result<()> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let is_cpp = sources.iter().any(|source| source.ends_with(".cpp"));
    let (variable, compiler, standard) =
        if is_cpp { ("CXX", "c++", "-std=gnu++17") } else { ("CC", "cc", "-std=gnu11") };
    let mut command = Command::new(std::env::var_os(variable).unwrap_or_else(|| compiler.into()));
    command.args([standard, "-O2", "-Wall", "-Wextra", "-Werror", "-fPIC", "-pthread", "-Wl,--as-needed"]);
    // LD_LIBRARY_PATH goes before what is written in the file.
    command.arg("-Wl,--enable-new-dtags").arg("-I").arg(here.join("../include"));
    let (flags, sources): (Vec<&str>, Vec<_>) = sources.iter().partition(|source| source.starts_with('-'));
    command.args(flags).args(sources.into_iter().map(|source| here.join("loading/clients").join(source)));
    if let Some(Linked { names, folder, rpath }) = libraries {
        // All references are weak, and so count for nothing under --as-needed.
        command.arg("-Wl,--no-as-needed").arg("-L").arg(folder).args(names.iter().map(|name| format!("-l:{name}")));
        command.args(rpath.map(|rpath| format!("-Wl,-rpath,{}", rpath.display())));
    }
    install(output, |new| run_to_success(command.arg("-ldl").arg("-o").arg(new)))
}

/// Puts in place what `write` makes, in one step: another test process may hold the old file.
fn install(path: &Path, write: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let folder = path.parent().context("a file lies in a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    let new = path.with_extension(std::process::id().to_string());
    write(&new).with_context(|| format!("make {}", path.display()))?;
    fs::rename(&new, path).with_context(|| format!("rename {}", new.display()))
}

fn run_to_success(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("start {command:?}"))?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

fn write_topology(root: &Path, targets: &[&str]) -> Result<()> {
    let nodes = root.join("nodes");
    let node = |number: usize, gpu_id: usize, properties: &str| -> Result<()> {
        let folder = nodes.join(number.to_string());
        install(&folder.join("properties"), |new| Ok(fs::write(new, properties)?))?;
        install(&folder.join("gpu_id"), |new| Ok(fs::write(new, format!("{gpu_id}\n"))?))
    };
    node(0, 0, "cpu_cores_count 8\nsimd_count 0\n")?;
    for (index, target) in targets.iter().enumerate() {
        let version = kfd_version(target).with_context(|| format!("{target} is no gfx target"))?;
        let number = index + 1;
        node(number, 0x1000 + number, &format!("cpu_cores_count 0\nsimd_count 80\ngfx_target_version {version}\n"))?;
    }
    Ok(())
}

/// gfx1010 is 100100: major, minor and stepping, the last two hexadecimal digits in the name.
fn kfd_version(target: &str) -> Option<u32> {
    let digits = target.strip_prefix("gfx")?;
    let (major, rest) = digits.split_at_checked(digits.len().checked_sub(2)?)?;
    let (minor, stepping) = rest.split_at_checked(1)?;
    let hex = |digit| u32::from_str_radix(digit, 16).ok();
    Some(major.parse::<u32>().ok()? * 10_000 + hex(minor)? * 100 + hex(stepping)?)
}
