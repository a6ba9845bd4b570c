//! The option `save_area`: while a runtime reads the topology, it is shown the kernel's number of waves.
//!
//! libhsakmt reads a file for each node within hsa_init, by an import of its own library (fopen in every release from 5.2.3
//! to 7.2.4). For that time the import leads to a function that hands out the file with one number changed, and every other
//! file as it is; nobody else's calls go through the import. Where anything is not as expected nothing is changed, and the
//! log says so.

mod import;
mod page;
mod properties;
mod turn;

use crate::copies::Copy;
use crate::isolation::isolated;
use crate::machine;
use import::Imports;
use log::{info, warn};
use once_cell::race::OnceBox;
use rmcp_abi::copies::MOST;
use rmcp_abi::find_object::module_of;
use rmcp_abi::link_map::{LinkMap, find_in_scope};
use rmcp_abi::module::with_loader_lock;
use rmcp_abi::process::fork_id;
use rmcp_domain::options::SaveArea;
use rmcp_domain::release::Release;
use rmcp_domain::save_area::{KERNEL_WAVES, runtime};
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// What is known of a copy, and who is within its hsa_init.
struct State {
    wanted: OnceBox<bool>,
    imports: OnceBox<Option<Imports>>,
    /// The threads that are within; those of `process`, which a fork leaves behind.
    threads: AtomicUsize,
    process: AtomicU64,
}

static STATES: [State; MOST] = [const {
    State { wanted: OnceBox::new(), imports: OnceBox::new(), threads: AtomicUsize::new(0), process: AtomicU64::new(0) }
}; MOST];

/// Starts a copy of libhsa-runtime64.
pub fn while_topology_is_read<R>(copy: &'static Copy, start: impl FnOnce() -> R) -> R {
    let state = &STATES[copy.number() % MOST];
    let before = properties::shown();
    let taken = isolated(|| state.enter(copy)) == Some(true);
    let result = start();
    if taken {
        isolated(|| {
            state.leave();
            if properties::shown() > before {
                info!("save_area: {} was shown {KERNEL_WAVES} waves a compute unit", path(copy));
            }
        });
    }
    result
}

impl State {
    /// Has the imports lead to the substitutes; whether [`State::leave`] is to follow.
    fn enter(&'static self, copy: &'static Copy) -> bool {
        // A look at its release reads all of its file.
        if machine::disabled() || !self.wanted.get_or_init(|| Box::new(is_wanted(copy))) {
            return false;
        }
        let imports = self.imports.get_or_init(|| Box::new(find(copy)));
        let Some(imports) = imports else {
            warn!(
                "save_area: nothing is changed for {}, which does not read files by an import of its own",
                path(copy)
            );
            return false;
        };
        let entered = turn::take(|| -> Result<(), String> {
            if self.threads() == 0 {
                imports.take()?;
            }
            self.set_threads(self.threads() + 1);
            Ok(())
        });
        let why: String = match entered {
            Some(Ok(())) => return true,
            Some(Err(why)) => why,
            None => "another thread is at its imports".into(),
        };
        warn!("save_area: nothing is changed for {}: {why}", path(copy));
        false
    }

    /// Has the imports lead where they did, when nobody is within any more.
    fn leave(&self) {
        let left = turn::take(|| {
            // In a forked child this thread is the only one that is within.
            self.set_threads(self.threads().max(1) - 1);
            match self.imports.get() {
                Some(Some(imports)) if self.threads() == 0 => imports.give_back(),
                _ => Ok(()),
            }
        });
        if let Some(Err(why)) = left {
            warn!("save_area: an import still leads to RMCP, which hands every file on: {why}");
        }
    }

    fn threads(&self) -> usize {
        let own = self.process.load(Ordering::Relaxed) == fork_id();
        if own { self.threads.load(Ordering::Relaxed) } else { 0 }
    }

    fn set_threads(&self, threads: usize) {
        self.threads.store(threads, Ordering::Relaxed);
        self.process.store(fork_id(), Ordering::Relaxed);
    }
}

/// Whether the option, the machine and the copy's release ask for it.
fn is_wanted(copy: &Copy) -> bool {
    let Some(option) = machine::detected().and_then(|machine| machine.save_area).filter(|_| !machine::disabled())
    else {
        return false;
    };
    let release = if option == SaveArea::On { None } else { Release::of_hsa_runtime(Path::new(&path(copy))) };
    let wanted = runtime(option, release);
    if let Err(why) = wanted {
        info!("save_area: nothing is changed for {}: {why}", path(copy));
    }
    wanted.is_ok()
}

/// The imports of the library that reads the topology: libhsakmt where the copy needs one, otherwise the copy itself.
fn find(copy: &Copy) -> Option<Imports> {
    let runtime = copy.map()?;
    let reader = || {
        let thunk = |map: &LinkMap| map.module().has_file_prefix("libhsakmt");
        Some(find_in_scope(runtime, LinkMap::first()?, thunk).unwrap_or(runtime))
    };
    let reader = with_loader_lock(reader)?;
    Imports::of(reader, &module_of(reader.dynamic.addr())?, copy.number())
}

fn path(copy: &Copy) -> String {
    copy.map().map_or_else(String::new, |map| map.module().path().to_string_lossy().into_owned())
}
