//! The line on the terminal while the program runs.

use super::text::grouped;
use crate::output::bytes;
use crate::trace::files::{Process, record};
use crate::trace::replay::{MemoryKind, Replay};
use indicatif::{ProgressBar, ProgressStyle};
use rmcp_domain::trace::RECORD;
use std::collections::HashMap;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Bytes that are read at once, and how often in one look, so that the line does not stand still.
const CHUNK: usize = 1024 * RECORD;
const CHUNKS: usize = 256;

/// What is recorded, as far as it can be told at once: calls are taken in the order in which they began, up to the first
/// that has not returned.
pub struct LiveLine {
    bar: Option<ProgressBar>,
    folder: PathBuf,
    tails: HashMap<PathBuf, ProcessTail>,
    replay: Replay,
}

/// How far the files of a process were read.
struct ProcessTail {
    process: Process,
    number: usize,
    file: u32,
    at: u64,
}

impl LiveLine {
    /// For records in `folder`; nothing is shown, and nothing read, where that is not wanted or no terminal is there.
    pub fn new(folder: &Path, wanted: bool) -> Self {
        let bar = wanted.then(ProgressBar::new_spinner).filter(|bar| !bar.is_hidden());
        if let Some(bar) = &bar {
            bar.set_style(
                ProgressStyle::with_template("rmcp trace [{elapsed}] {msg}").unwrap_or_else(|_| unreachable!()),
            );
        }
        Self { bar, folder: folder.into(), tails: HashMap::new(), replay: Replay::default() }
    }

    /// Whether anybody sees it.
    pub fn is_shown(&self) -> bool {
        self.bar.is_some()
    }

    /// Reads on and shows.
    pub fn tick(&mut self) {
        let Some(bar) = self.bar.clone() else { return };
        for head in fs::read_dir(&self.folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
            if head.extension().is_some_and(|extension| extension == "head")
                && !self.tails.contains_key(&head)
                && let Ok(Some(process)) = Process::read(&head)
            {
                let number = self.tails.len();
                self.tails.insert(head, ProcessTail { process, number, file: 0, at: 0 });
            }
        }
        for tail in self.tails.values_mut() {
            tail.read(&mut self.replay);
        }
        // An empty line is no news.
        if !self.tails.is_empty() {
            bar.set_message(self.message());
        }
    }

    fn message(&self) -> String {
        let programs = self.replay.functions.iter().filter(|((by_runtime, _), _)| !by_runtime);
        let calls = programs.map(|(_, function)| function.calls).sum();
        let memory =
            MemoryKind::ALL.iter().zip(["VRAM", "pinned", "managed", "registered"]).filter_map(|(kind, name)| {
                let usage = self.replay.memory[*kind as usize];
                (usage.total > 0).then(|| format!("{name} {} (peak {})", bytes(usage.now), bytes(usage.peak)))
            });
        let processes = match self.tails.len() {
            1 => String::new(),
            many => format!("{many} processes, "),
        };
        let parts: Vec<_> = std::iter::once(format!("{processes}{} calls", grouped(calls))).chain(memory).collect();
        parts.join(", ")
    }

    /// Takes the line away.
    pub fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl ProcessTail {
    fn read(&mut self, replay: &mut Replay) {
        let mut buffer = vec![0; CHUNK];
        for _ in 0..CHUNKS {
            let Ok(file) = File::open(self.process.file(self.file)) else { return };
            let filled = file.read_at(&mut buffer, self.at).unwrap_or(0);
            if filled < RECORD {
                // Full. The next number can be one that was thrown away again.
                let Some(next) = (self.file + 1..self.file + 65).find(|next| self.process.file(*next).exists()) else {
                    return;
                };
                (self.file, self.at) = (next, 0);
                continue;
            }
            for bytes in buffer[..filled].chunks_exact(RECORD) {
                match record(bytes) {
                    Some(record) if record.end != 0 => replay.apply(self.number, &record),
                    _ => return,
                }
                self.at += RECORD as u64;
            }
        }
    }
}
