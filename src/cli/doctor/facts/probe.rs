//! Looks that may hang, as at files of a driver or of a network: beside each other, and each for a limited time.

use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Starts a look. What is not done in time goes on until the process ends, and nobody hears of it.
pub fn start<T: Send + 'static>(look: impl FnOnce() -> T + Send + 'static) -> Receiver<T> {
    let (send, receive) = channel();
    let run = move || _ = send.send(look());
    // Without a thread there is no answer, as without time.
    let _ = thread::Builder::new().spawn(run);
    receive
}

/// The answers in the order of the looks; None: it did not come within the limit.
pub fn results<T>(looks: impl IntoIterator<Item = Receiver<T>>, limit: Duration) -> Vec<Option<T>> {
    let end = Instant::now() + limit;
    let answer = |look: Receiver<T>| look.recv_timeout(end.saturating_duration_since(Instant::now())).ok();
    looks.into_iter().map(answer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_that_does_not_end_or_panics_costs_its_own_answer_alone() {
        let (hold, held) = channel::<()>();
        let hangs = start(move || {
            let _ = held.recv();
            1
        });
        let looks = [hangs, start(|| panic!("of a test")), start(|| 3)];
        // The third has answered before the first is given up.
        assert_eq!(results(looks, Duration::from_millis(200)), [None, None, Some(3)]);
        drop(hold);
    }
}
