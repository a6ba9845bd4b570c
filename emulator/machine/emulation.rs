//! What a program needs in its environment to find the emulated machine.

use crate::{Card, Machine};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The library that emulates kernel driver and card.
pub const LIBRARY: &str = "librmcp_kfd.so";

/// Under it HIP copies through SDMA whatever the size, where it would start a kernel of its own for a small copy.
const COPY_BY_SDMA: (&str, &str) = ("GPU_FORCE_BLIT_COPY_SIZE", "0");

/// The preloaded library, the machine that it shows, and where it logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Emulation {
    library: PathBuf,
    machine: Option<String>,
    log: Option<PathBuf>,
    /// Whether kernels run on every card of the machine.
    executes: bool,
}

impl Emulation {
    /// The machine of this built-in card, or of the description at this path. `library` is [`LIBRARY`].
    ///
    /// # Errors
    /// When the library is no file, or there is no such card or no right description: one line that says what to do.
    pub fn new(library: PathBuf, machine: &str) -> Result<Self, String> {
        let description = Machine::load(machine)?;
        let executes = description.gpu.iter().all(|gpu| gpu.gfx.major == 10);
        let name = match Card::named(machine) {
            Some(card) => Some(card.name.into()),
            // The program may start in another folder.
            None => std::path::absolute(machine).ok().and_then(|path| path.into_os_string().into_string().ok()),
        };
        let name = name.ok_or_else(|| format!("{machine} lies in a folder whose path is no Unicode"))?;
        Ok(Self { executes, machine: Some(name), ..Self::observer(library)? })
    }

    /// The real card and driver, whose calls are logged.
    ///
    /// # Errors
    /// When the library is no file.
    pub fn observer(library: PathBuf) -> Result<Self, String> {
        if !library.is_file() {
            return Err(format!(
                "{} is missing: it emulates the card, and is installed beside librmcp.so",
                library.display()
            ));
        }
        Ok(Self { library, machine: None, log: None, executes: true })
    }

    /// The same with a log of what reaches the kernel boundary, appended to this file.
    #[must_use]
    pub fn log(mut self, file: &Path) -> Self {
        self.log = Some(file.into());
        self
    }

    /// The name of the built-in card, or the absolute path of the description; empty for the real card.
    pub fn machine(&self) -> &str {
        self.machine.as_deref().unwrap_or_default()
    }

    /// Gives the program, and what it starts, the machine. `preload`: the libraries that come before the emulator's in
    /// LD_PRELOAD, as librmcp.so does.
    pub fn apply(&self, command: &mut Command, preload: &OsStr) {
        let other = |entry: &&[u8]| !entry.is_empty() && !Path::new(OsStr::from_bytes(entry)).ends_with(LIBRARY);
        // The loader takes blanks and colons as separators. (ld.so(8))
        let others = preload.as_bytes().split(|byte| b" :".contains(byte)).filter(other);
        let entries: Vec<&[u8]> = others.chain([self.library.as_os_str().as_bytes()]).collect();
        command.env("LD_PRELOAD", OsString::from_vec(entries.join(&b':')));
        command.envs(self.machine.iter().map(|machine| ("RMCP_KFD_MACHINE", machine)));
        command.envs(self.log.iter().map(|log| ("RMCP_KFD_LOG", log)));
        if !self.executes && std::env::var_os(COPY_BY_SDMA.0).is_none() {
            command.env(COPY_BY_SDMA.0, COPY_BY_SDMA.1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The variables that a program gets on this machine.
    fn environment(machine: &str, preload: &str) -> Vec<(String, String)> {
        let folder = tempfile::tempdir().unwrap();
        let library = folder.path().join(LIBRARY);
        std::fs::write(&library, "").unwrap();
        let mut command = Command::new("program");
        let emulation = Emulation::new(library.clone(), machine).unwrap();
        emulation.log(Path::new("/log")).apply(&mut command, preload.as_ref());
        let text = |text: &OsStr| text.to_str().unwrap().replace(library.to_str().unwrap(), "EMULATOR");
        command.get_envs().map(|(name, value)| (text(name), text(value.unwrap()))).collect()
    }

    #[test]
    fn the_emulator_comes_last_and_once() {
        for (preload, expected) in [
            ("", "EMULATOR"),
            ("/r/librmcp.so", "/r/librmcp.so:EMULATOR"),
            ("librmcp.so /other/librmcp_kfd.so:a.so", "librmcp.so:a.so:EMULATOR"),
        ] {
            let environment = environment("gfx1010", preload);
            let set = [("LD_PRELOAD", expected), ("RMCP_KFD_LOG", "/log"), ("RMCP_KFD_MACHINE", "gfx1010")];
            assert_eq!(environment, set.map(|(name, value)| (name.to_owned(), value.to_owned())), "{preload}");
        }
    }

    #[test]
    fn a_card_that_runs_no_kernels_has_its_copies_done_by_sdma() {
        let sets = |card| environment(card, "").contains(&(COPY_BY_SDMA.0.to_owned(), COPY_BY_SDMA.1.to_owned()));
        assert_eq!(["gfx1010", "gfx1036", "gfx1100", "gfx90a"].map(sets), [false, false, true, true]);
    }

    #[test]
    fn the_path_of_a_description_leads_to_it_from_any_folder() {
        let description = tempfile::NamedTempFile::new_in(".").unwrap();
        std::fs::write(description.path(), Card::named("gfx1030").unwrap().description).unwrap();
        let relative = Path::new(description.path().file_name().unwrap()).to_str().unwrap();
        let machine = environment(relative, "").pop().unwrap();
        assert!(Path::new(&machine.1).is_absolute() && machine.0 == "RMCP_KFD_MACHINE", "{machine:?}");
    }

    #[test]
    fn a_missing_library_and_an_unknown_card_are_named() {
        let error = Emulation::observer("/nowhere/librmcp_kfd.so".into()).unwrap_err();
        assert!(error.starts_with("/nowhere/librmcp_kfd.so is missing"), "{error}");
        let error = Emulation::new(LIBRARY.into(), "navi10").unwrap_err();
        assert!(error.starts_with("navi10: ") && error.contains("gfx1010, gfx1011"), "{error}");
    }
}
