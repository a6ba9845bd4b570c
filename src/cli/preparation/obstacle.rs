//! The program's file, and what keeps RMCP out of it.

use crate::installs::{Machine, Program};
use crate::launchers::{ResolvedCommand, is_script};
use rmcp_domain::bounded_read::read_start;
use rmcp_domain::options;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Why RMCP does not reach a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// It loads no library.
    Static,
    /// It is linked with musl, for which there is no ROCm.
    Musl,
    /// It loads 32-bit libraries.
    Bits32,
    /// It loads libraries for another processor.
    Foreign,
    /// It runs with the rights of its owner, so the loader ignores LD_PRELOAD.
    Setuid,
    /// The same with its group.
    Setgid,
    /// The same with capabilities.
    Capabilities,
    /// It gives the program that it starts another environment.
    Outside,
}

impl Obstacle {
    /// What the program is.
    pub fn fact(self) -> &'static str {
        match self {
            Self::Static => "is statically linked",
            Self::Musl => "is linked with musl",
            Self::Bits32 => "is a 32-bit program",
            Self::Foreign => "is for another processor",
            Self::Setuid => "is setuid, and the loader preloads nothing into it",
            Self::Setgid => "is setgid, and the loader preloads nothing into it",
            Self::Capabilities => "has file capabilities, and the loader preloads nothing into it",
            Self::Outside => "starts its program without this environment",
        }
    }

    /// What the program is, and what follows.
    pub fn description(self) -> String {
        let effect = match self.passes_environment() {
            true => "only the programs that it starts",
            false => "so it runs with its environment unchanged",
        };
        format!("{}: RMCP cannot reach it, {effect}", self.fact())
    }

    /// Whether the programs that it starts may get RMCP's environment.
    pub fn passes_environment(self) -> bool {
        matches!(self, Self::Static | Self::Musl)
    }
}

/// The program that a shell here starts by this name.
pub fn resolve_program(called: &OsStr) -> options::Program {
    launched_program(&ResolvedCommand::resolve(&[called.into()], &Machine::local()), called)
}

/// The program that runs behind launchers and scripts: what the sections of the options name.
pub fn launched_program(launched: &ResolvedCommand, called: &OsStr) -> options::Program {
    let called = launched.command.first().map_or(called, OsString::as_os_str);
    options::Program::from_argv0(called, launched.file.as_deref())
}

/// What is in the way, if anything, and in which file: of the launchers before a program, or in itself.
pub fn obstacle(launched: &ResolvedCommand) -> Option<(PathBuf, Obstacle)> {
    if launched.environment_lost {
        return launched.file.clone().map(|file| (file, Obstacle::Outside));
    }
    let of = |file: &PathBuf| {
        // The kernel gives a script no rights; its interpreter is looked at, too.
        let file = Some(file).filter(|file| !is_script(file))?;
        let obstacle = privilege_obstacle(file).or_else(|| loader_obstacle(file, &launched.machine));
        obstacle.map(|obstacle| (file.clone(), obstacle))
    };
    // A static launcher passes the environment on, and needs no RMCP.
    let on_the_way = launched.launchers.iter().filter_map(of).find(|(_, obstacle)| !obstacle.passes_environment());
    on_the_way.or_else(|| of(launched.file.as_ref()?))
}

/// What the dynamic loader makes of an ELF file.
fn loader_obstacle(file: &Path, machine: &Machine) -> Option<Obstacle> {
    // The loader itself may be run, too, and then loads another.
    if file.file_name()?.to_string_lossy().starts_with("ld") {
        return None;
    }
    let header: [u8; 20] = read_start(file, 20).ok()?.try_into().ok()?;
    let [0x7f, b'E', b'L', b'F', class, ..] = header else { return None };
    // e_ident, e_type, e_machine; EM_X86_64 is 62.
    match (class, u16::from_le_bytes([header[18], header[19]])) {
        (1, _) => Some(Obstacle::Bits32),
        (2, 62) => match Program::read(file, machine).ok()? {
            program if !program.dynamic => Some(Obstacle::Static),
            program => program.musl.then_some(Obstacle::Musl),
        },
        _ => Some(Obstacle::Foreign),
    }
}

/// Whether the kernel will mark the process AT_SECURE.
fn privilege_obstacle(file: &Path) -> Option<Obstacle> {
    let metadata = fs::metadata(file).ok()?;
    let rights = FilePrivileges {
        mode: metadata.mode(),
        owner: metadata.uid(),
        group: metadata.gid(),
        capabilities: rustix::fs::getxattr(file, "security.capability", &mut [0u8; 64]).is_ok(),
    };
    rights.obstacle_for(nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw())
}

/// What decides on the rights of a process that executes a file.
struct FilePrivileges {
    mode: u32,
    owner: u32,
    group: u32,
    capabilities: bool,
}

impl FilePrivileges {
    /// What gives a process of that user and group more rights than it has. (Linux security/commoncap.c,
    /// cap_bprm_creds_from_file)
    fn obstacle_for(&self, user: u32, group: u32) -> Option<Obstacle> {
        if self.mode & 0o4000 != 0 && self.owner != user {
            Some(Obstacle::Setuid)
        } else if self.mode & 0o2010 == 0o2010 && self.group != group {
            // Without the right to execute for the group the bit means something else.
            Some(Obstacle::Setgid)
        } else if self.capabilities && user != 0 {
            Some(Obstacle::Capabilities)
        } else {
            None
        }
    }
}

/// Why it could not be executed. exec(3) says the same of a missing program and of one whose interpreter is missing.
pub fn exec_failure(program: &OsStr, error: &io::Error) -> String {
    let by_path = program.as_bytes().contains(&b'/');
    match (error.kind(), Machine::local().find_program(program)) {
        (ErrorKind::NotFound, Some(_)) => "its interpreter or loader does not exist".into(),
        (ErrorKind::NotFound, None) if by_path => "no such file".into(),
        (ErrorKind::NotFound, None) => "not found in PATH".into(),
        (ErrorKind::PermissionDenied, Some(file)) if file.is_dir() => "is a folder".into(),
        (ErrorKind::PermissionDenied, _) => "not executable".into(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_gives_rights_to_all_but_those_who_have_them() {
        let rights = |mode, capabilities| FilePrivileges { mode, owner: 0, group: 0, capabilities };
        for (rights, user, group, expected) in [
            (rights(0o755, false), 1000, 1000, None),
            (rights(0o4755, false), 1000, 1000, Some(Obstacle::Setuid)),
            (rights(0o4755, false), 0, 0, None),
            (rights(0o2755, false), 1000, 1000, Some(Obstacle::Setgid)),
            (rights(0o2755, false), 1000, 0, None),
            (rights(0o2745, false), 1000, 1000, None),
            (rights(0o755, true), 1000, 1000, Some(Obstacle::Capabilities)),
            (rights(0o755, true), 0, 0, None),
        ] {
            assert_eq!(rights.obstacle_for(user, group), expected, "{:o} for {user}:{group}", rights.mode);
        }
    }
}
