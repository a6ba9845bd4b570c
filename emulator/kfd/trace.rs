//! Every instruction of every kernel, in the file that `RMCP_KFD_TRACE` names: queue, packet, work-group, wave, address, EXEC,
//! text.

use std::fs::File;
use std::io::Write;
use std::sync::LazyLock;

use gfx10::{Dispatch, Done, Memory, Observer, Step, Stop};

static FILE: LazyLock<Option<File>> = LazyLock::new(|| {
    let path = std::env::var_os("RMCP_KFD_TRACE")?;
    let file = File::create(&path);
    file.inspect_err(|why| eprintln!("rmcp-kfd: RMCP_KFD_TRACE={}: {why}", path.display())).ok()
});

/// One dispatch of a queue.
struct Trace {
    file: &'static File,
    queue: u32,
    packet: u64,
}

impl Observer for Trace {
    fn before(&mut self, step: &Step<'_>) {
        let (Self { queue, packet, .. }, [x, y, z]) = (&self, step.workgroup);
        let exec = step.registers.exec();
        let line = format!("{queue} {packet} {x},{y},{z} {} {:#x} {exec:#x} {step}\n", step.wave, step.pc);
        // One write for each line: dispatches of several queues run at the same time.
        let _ = self.file.write_all(line.as_bytes());
    }
}

/// Runs a dispatch, and writes what it does where there is a file for it.
///
/// # Errors
/// As [`Dispatch::run`].
pub fn run(
    launch: &Dispatch,
    queue: u32,
    memory: &dyn Memory,
    keep_going: &(dyn Fn() -> bool + Sync),
) -> Result<Done, Stop> {
    match FILE.as_ref() {
        Some(file) => launch.observe(memory, keep_going, &mut Trace { file, queue, packet: launch.id }),
        None => launch.run(memory, keep_going),
    }
}
