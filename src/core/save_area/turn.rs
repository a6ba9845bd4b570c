//! One thread at a time changes imports: a page that one has made writable must not be made read-only by another.

use rmcp_abi::process::fork_id;
use std::sync::atomic::{AtomicU64, Ordering};

/// The process that a thread of is at work; 0: none.
static HOLDER: AtomicU64 = AtomicU64::new(0);

/// Does the work when no other thread does any. None, and nothing done, where that takes too long. What a fork has left
/// behind is nobody's in the child.
pub fn take<T>(work: impl FnOnce() -> T) -> Option<T> {
    /// Far more than the work of any other thread takes.
    const TRIES: usize = 100_000;
    let own = fork_id();
    let free = |_: &usize| {
        let holder = HOLDER.load(Ordering::Relaxed);
        let taken = holder != own && HOLDER.compare_exchange(holder, own, Ordering::Acquire, Ordering::Relaxed).is_ok();
        if !taken {
            std::thread::yield_now();
        }
        taken
    };
    (0..TRIES).find(free)?;
    let release = Release;
    let done = work();
    drop(release);
    Some(done)
}

/// Gives the turn back, after a panic too.
struct Release;

impl Drop for Release {
    fn drop(&mut self) {
        HOLDER.store(0, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use std::sync::atomic::AtomicUsize;

    /// The tests share the turn.
    static ONE: Mutex<()> = Mutex::new(());

    #[test]
    fn no_two_threads_are_at_work() {
        let _one = ONE.lock().unwrap();
        let inside = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let alone = take(|| {
                            let before = inside.fetch_add(1, Ordering::SeqCst);
                            std::thread::yield_now();
                            inside.fetch_sub(1, Ordering::SeqCst);
                            before == 0
                        });
                        assert_eq!(alone, Some(true));
                    }
                });
            }
        });
    }

    #[test]
    fn what_another_process_held_when_it_forked_is_free_and_what_this_one_holds_is_not() {
        let _one = ONE.lock().unwrap();
        let ancestor = fork_id() + 1;
        HOLDER.store(ancestor, Ordering::Relaxed);
        assert_eq!(take(|| take(|| ())), Some(None));
        assert_eq!(take(|| 7), Some(7));
    }
}
