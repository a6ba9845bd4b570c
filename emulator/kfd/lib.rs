//! `librmcp_kfd.so`: an emulated AMD KFD and render node, preloaded into the unmodified ROCm user mode.
//!
//! - `hooks` interposes libc; `tree` and `topology` are the files that an `rmcp_machine::Machine` shows
//! - `kfd` and `drm` answer ioctls, with `buffers` for memory and `queues`; `acquire` holds a new queue against what Linux asks of
//!   it; `session` is what a process has open, and `dmabuf` what processes share
//! - `engine` runs a thread for each `queue`, which is a `ring` of packets: `aql` and `sdma`; `transfer` moves bytes
//! - `dispatch` runs kernels on the memory that `card` shows them, through the cache `gl2`; `pages` tells what memory the
//!   process has
//! - `memory`, `range`, `svm`, `events` are the state behind all of it; `clock` is the card's time
//! - `log` tells what reached the kernel
#![allow(missing_docs, reason = "one small crate: what a name says is not said twice")]

mod acquire;
mod aql;
mod buffers;
mod card;
mod clock;
mod dispatch;
mod dmabuf;
mod drm;
mod engine;
mod events;
mod gl2;
mod hooks;
mod kfd;
mod log;
mod memory;
mod pages;
mod queue;
mod queues;
mod range;
mod ring;
mod sdma;
mod session;
mod svm;
mod topology;
mod trace;
mod transfer;
mod tree;
mod uapi;

use std::ffi::{CStr, c_char};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, Ordering};

use rmcp_machine::Machine;
use tree::Tree;

/// The emulated machine; none in observe mode, where `RMCP_KFD_MACHINE` is not set and everything goes
/// to the real kernel.
fn machine() -> Option<&'static Tree> {
    static TREE: OnceLock<Option<Tree>> = OnceLock::new();
    // Loading opens files itself (std looks below /sys for the number of processors): no machine for it.
    static LOADER: AtomicI32 = AtomicI32::new(0);
    if let Some(tree) = TREE.get() {
        return tree.as_ref();
    }
    // SAFETY: takes nothing and cannot fail. glibc has a function for it from 2.30 on.
    let thread = unsafe { libc::syscall(libc::SYS_gettid) } as i32;
    if LOADER.load(Ordering::Relaxed) == thread {
        return None;
    }
    let load = || {
        LOADER.store(thread, Ordering::Relaxed);
        let name = std::env::var("RMCP_KFD_MACHINE").ok().filter(|name| !name.is_empty())?;
        let tree = Machine::load(&name)
            .and_then(|machine| Tree::create(machine).map_err(|error| format!("{name}: the machine's files: {error}")));
        Some(tree.unwrap_or_else(|error| {
            eprintln!("rmcp-kfd: {error}");
            Tree::without_card()
        }))
    };
    TREE.get_or_init(load).as_ref()
}

/// Writes a `mark` event, so that a reader of the log can tell what a program was doing.
///
/// # Safety
/// `label` must be a terminated string or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmcp_kfd_mark(label: *const c_char) {
    if !label.is_null() {
        // SAFETY: the caller's promise.
        let label = unsafe { CStr::from_ptr(label) }.to_string_lossy();
        log::event("mark", serde_json::json!({ "label": label }));
    }
}
