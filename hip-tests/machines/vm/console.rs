//! What a virtual machine prints, and what is typed there.

use std::io::{Read, Write};
use std::process::ChildStdin;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The first serial port, and what QEMU says itself.
#[derive(Debug)]
pub(super) struct Console {
    printed: Arc<Printed>,
    keyboard: Mutex<ChildStdin>,
}

#[derive(Debug, Default)]
struct Printed {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    bytes: Vec<u8>,
    /// Up to where a text was waited for and found.
    seen: usize,
    ended: bool,
}

/// Why a text did not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WaitError {
    Ended,
    Late,
}

impl Console {
    pub(super) fn new(mut screen: impl Read + Send + 'static, keyboard: ChildStdin) -> Self {
        let printed = Arc::new(Printed::default());
        let writer = Arc::clone(&printed);
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                let read = screen.read(&mut buffer).unwrap_or(0);
                let mut state = writer.state.lock().unwrap_or_else(PoisonError::into_inner);
                state.bytes.extend(&buffer[..read]);
                state.ended = read == 0;
                writer.changed.notify_all();
                if state.ended {
                    return;
                }
            }
        });
        Self { printed, keyboard: Mutex::new(keyboard) }
    }

    /// Waits for a text after the one that was waited for before.
    pub(super) fn wait_for(&self, text: &str, limit: Duration) -> Result<(), WaitError> {
        self.wait(limit, |state| {
            let rest = &state.bytes[state.seen..];
            if let Some(at) = rest.windows(text.len()).position(|part| part == text.as_bytes()) {
                state.seen += at + text.len();
                return Some(Ok(()));
            }
            state.ended.then_some(Err(WaitError::Ended))
        })
    }

    /// Waits for the end of QEMU.
    pub(super) fn wait_for_end(&self, limit: Duration) -> Result<(), WaitError> {
        self.wait(limit, |state| state.ended.then_some(Ok(())))
    }

    fn wait(
        &self,
        limit: Duration,
        mut done: impl FnMut(&mut State) -> Option<Result<(), WaitError>>,
    ) -> Result<(), WaitError> {
        let end = Instant::now() + limit;
        let mut state = self.printed.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(result) = done(&mut state) {
                return result;
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(WaitError::Late);
            }
            state = self.printed.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// All that was printed so far.
    pub(super) fn text(&self) -> String {
        let state = self.printed.state.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&state.bytes).replace('\r', "")
    }

    pub(super) fn write(&self, text: &str) -> std::io::Result<()> {
        let mut keyboard = self.keyboard.lock().unwrap_or_else(PoisonError::into_inner);
        keyboard.write_all(text.as_bytes())?;
        keyboard.flush()
    }
}
