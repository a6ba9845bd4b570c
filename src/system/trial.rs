//! Programs run with a list that only they see.
//!
//! Each runs in a mount namespace of its own, once with the list as it is and once with the new one in its place, and
//! must end in the same way and say the same.

use super::list;
use super::loaders::Loader;
use super::tree::TREE;
use super::{LIST, System, SystemError, io_error, write_synced};
use nix::mount::{MsFlags, mount, umount};
use nix::sched::{CloneFlags, unshare};
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// What a program must do as before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compared {
    /// Exit status and all it prints.
    All,
    /// Exit status and standard error: what it prints lists the libraries.
    AllButLibraries,
    /// The exit status: where the list names a file that is not there, the loader says so and goes on.
    Status,
}

/// One program.
struct Check {
    what: String,
    command: Vec<PathBuf>,
    compared: Compared,
    /// As nobody, who may not read what root may.
    nobody: bool,
    /// With the libraries out of sight, as in a container that has this list and another /usr.
    hidden: bool,
}

/// The number of the user and the group nobody on every Linux. (systemd, "Users, Groups, UIDs and GIDs")
const NOBODY: u32 = 65534;

/// More than any of the programs takes on a machine under load.
const LIMIT: Duration = Duration::from_secs(60);

/// Setuid programs that print their version to anybody; the first that is there is taken.
const SETUID: [&str; 6] =
    ["/usr/bin/su", "/bin/su", "/usr/bin/mount", "/bin/mount", "/usr/bin/sudo", "/usr/bin/pkexec"];

/// Runs every check with `new` in the place of the list. Fails with [`SystemError::Trial`] when one behaves otherwise.
///
/// Only for the machine this runs on, and only for root.
pub fn run(system: &System, new: &[u8], loaders: &[Loader], scratch: &Path) -> Result<(), SystemError> {
    let list = system.path(LIST);
    let candidate = scratch.join("list");
    write_synced(&candidate, new, 0o644)?;
    // A file can only be mounted over a file. An empty list changes nothing.
    let created = match File::create_new(&list) {
        Ok(_) => true,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => false,
        Err(error) => return Err(io_error("create", &list)(error)),
    };
    let checks = checks(loaders, scratch)?;
    // A namespace belongs to a thread: what this one mounts, only its children see.
    let differences = thread::scope(|scope| {
        let tried = scope.spawn(|| differences(&list, &candidate, &checks, scratch));
        tried.join().unwrap_or_else(|_| Err(io_error("try", &list)(ErrorKind::Other.into())))
    });
    if created {
        fs::remove_file(&list).map_err(io_error("remove", &list))?;
    }
    match differences? {
        none if none.is_empty() => Ok(()),
        some => Err(SystemError::Trial(some)),
    }
}

fn checks(loaders: &[Loader], scratch: &Path) -> Result<Vec<Check>, SystemError> {
    let check = |what: &str, command: &[&str], compared| Check {
        what: what.into(),
        command: command.iter().map(PathBuf::from).collect(),
        compared,
        nobody: false,
        hidden: false,
    };
    let native = loaders[0].path;
    let mut checks = vec![
        check("true", &["/bin/true"], Compared::All),
        check("a shell", &["/bin/sh", "-c", "echo out; echo error >&2; exit 3"], Compared::All),
        check("a process without open files", &["/bin/sh", "-c", "exec /bin/true <&- >&- 2>&-"], Compared::All),
        check("the loader", &[native, "--verify", "/bin/true"], Compared::All),
        check("ldd", &["ldd", "/bin/true"], Compared::AllButLibraries),
        check("python3", &["python3", "-I", "-c", "import os, sys; print(sys.version, os.getcwd())"], Compared::All),
        Check { nobody: true, ..check("a program of another user", &["/bin/sh", "-c", "id -u"], Compared::All) },
        Check { hidden: true, ..check("a root folder without the libraries", &["/bin/true"], Compared::Status) },
    ];
    if let Some(setuid) = SETUID.into_iter().find(|path| Path::new(path).exists()) {
        let what = format!("{setuid}, which is setuid, as another user");
        checks.push(Check { nobody: true, ..check(&what, &[setuid, "--version"], Compared::All) });
    }
    for loader in loaders {
        let Some(abi) = loader.abi else { continue };
        let library = scratch.join(format!("{abi:?}.so"));
        write_synced(&library, &super::stub::program(abi), 0o755)?;
        let mut check =
            check(&format!("programs of {}", loader.path), &[loader.path, "--list"], Compared::AllButLibraries);
        check.command.push(library);
        checks.push(check);
    }
    Ok(checks)
}

/// The checks that came out otherwise, a line each.
fn differences(list: &Path, candidate: &Path, checks: &[Check], scratch: &Path) -> Result<Vec<String>, SystemError> {
    let mounting = |error: nix::Error| io_error("make a private mount namespace for a trial of", list)(error.into());
    unshare(CloneFlags::CLONE_NEWNS).map_err(mounting)?;
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, private, None::<&str>).map_err(mounting)?;

    let before: Vec<_> = checks.iter().map(|check| outcome(check, scratch)).collect();
    mount(Some(candidate), list, None::<&str>, MsFlags::MS_BIND, None::<&str>).map_err(mounting)?;
    let mut differences = Vec::new();
    if !gate_is_loaded(scratch) {
        differences.push(format!("  a program was started, and {} was not in it", list::GATE));
    }
    for (check, before) in checks.iter().zip(before) {
        if check.hidden {
            mount(Some("none"), TREE, Some("tmpfs"), MsFlags::empty(), None::<&str>).map_err(mounting)?;
        }
        let after = outcome(check, scratch);
        if check.hidden {
            umount(TREE).map_err(mounting)?;
        }
        differences.extend(difference(check, before, after).map(|how| format!("  {}: {how}", check.what)));
    }
    Ok(differences)
}

/// What a program did; None: it could not be started.
struct Outcome {
    status: Option<ExitStatus>,
    out: Vec<u8>,
    error: Vec<u8>,
}

/// Whether a program that starts now has RMCP in it. Without that a trial of a list that nobody reads would pass.
fn gate_is_loaded(scratch: &Path) -> bool {
    let maps = Check {
        what: String::new(),
        command: vec!["cat".into(), "/proc/self/maps".into()],
        compared: Compared::All,
        nobody: false,
        hidden: false,
    };
    outcome(&maps, scratch).is_some_and(|maps| String::from_utf8_lossy(&maps.out).contains(list::GATE))
}

/// Runs a program; None where there is no such program.
fn outcome(check: &Check, scratch: &Path) -> Option<Outcome> {
    let (out, error) = (scratch.join("out"), scratch.join("error"));
    let run = || -> io::Result<Outcome> {
        let [program, arguments @ ..] = &check.command[..] else { return Err(ErrorKind::NotFound.into()) };
        let mut command = Command::new(program);
        command.args(arguments).env_clear().envs([("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"), ("LC_ALL", "C")]);
        // Into files, because a program that hangs would keep a pipe open.
        command.current_dir("/").stdin(Stdio::null()).stdout(File::create(&out)?).stderr(File::create(&error)?);
        if check.nobody {
            command.uid(NOBODY).gid(NOBODY);
        }
        let status = wait(&mut command)?;
        Ok(Outcome { status, out: fs::read(&out)?, error: fs::read(&error)? })
    };
    run().ok()
}

/// The status; None when the program had to be ended.
fn wait(command: &mut Command) -> io::Result<Option<ExitStatus>> {
    let mut child = command.spawn()?;
    let start = Instant::now();
    while start.elapsed() < LIMIT {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        thread::sleep(Duration::from_millis(2));
    }
    child.kill()?;
    child.wait()?;
    Ok(None)
}

fn difference(check: &Check, before: Option<Outcome>, after: Option<Outcome>) -> Option<String> {
    let before = before?;
    let Some(after) = after else { return Some("cannot be started any more".into()) };
    if before.status != after.status {
        let word = |status: Option<ExitStatus>| status.map_or("did not end".into(), |status| status.to_string());
        let stderr = String::from_utf8_lossy(&after.error);
        return Some(format!("{}, not {}; it says {:?}", word(after.status), word(before.status), stderr.trim()));
    }
    let differs = match check.compared {
        Compared::All => before.out != after.out || before.error != after.error,
        Compared::AllButLibraries => before.error != after.error,
        Compared::Status => false,
    };
    differs.then(|| {
        let all =
            |outcome: &Outcome| String::from_utf8_lossy(&[&outcome.out[..], &outcome.error].concat()).into_owned();
        format!("it says {:?}, not {:?}", all(&after).trim(), all(&before).trim())
    })
}
