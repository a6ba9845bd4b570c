//! Amounts over time, in a fixed number of steps: each holds the most that there was during it, so that no peak is lost.

/// The most steps that there are. At the end there are at least half as many, unless the time was shorter than that.
pub const STEPS: usize = 1024;
/// The first width of a step, in ns. It doubles as often as need be.
const WIDTH: u64 = 1000;

/// The amounts of `N` kinds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeline<const N: usize> {
    /// The width of a step, in ns.
    pub width: u64,
    /// The most of each kind, step by step.
    pub steps: Vec<[u64; N]>,
    now: [u64; N],
}

impl<const N: usize> Default for Timeline<N> {
    fn default() -> Self {
        Self { width: WIDTH, steps: Vec::new(), now: [0; N] }
    }
}

impl<const N: usize> Timeline<N> {
    /// From the moment `at` on, in ns from the beginning, there is so much. Moments must not go backwards by more than
    /// a step; an earlier one counts as the last.
    pub fn record(&mut self, at: u64, now: [u64; N]) {
        self.extend_to(at);
        self.now = now;
        if let Some(step) = self.steps.last_mut() {
            *step = maximum(step, &now);
        }
    }

    /// Nothing changes until this moment.
    pub fn extend_to(&mut self, at: u64) {
        while at / self.width >= STEPS as u64 {
            self.steps = self.steps.chunks(2).map(|pair| maximum(&pair[0], &pair[pair.len() - 1])).collect();
            self.width *= 2;
        }
        let steps = (at / self.width) as usize + 1;
        if self.steps.len() < steps {
            self.steps.resize(steps, self.now);
        }
    }
}

fn maximum<const N: usize>(one: &[u64; N], other: &[u64; N]) -> [u64; N] {
    std::array::from_fn(|kind| one[kind].max(other[kind]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peak_of_one_moment_is_kept_however_long_the_time() {
        let mut timeline = Timeline::default();
        timeline.record(5_000, [1]);
        timeline.record(5_001, [100]);
        timeline.record(5_002, [2]);
        timeline.extend_to(3600 * 1_000_000_000);
        assert_eq!(timeline.steps[0], [100]);
        assert!(timeline.steps[1..].iter().all(|step| *step == [2]));
        assert!((STEPS / 2..=STEPS).contains(&timeline.steps.len()), "{}", timeline.steps.len());
    }

    #[test]
    fn between_two_changes_there_is_what_the_first_left() {
        let mut timeline = Timeline::default();
        timeline.record(0, [7]);
        timeline.record(10 * WIDTH, [3]);
        timeline.extend_to(12 * WIDTH);
        let expected: Vec<_> = [7; 11].into_iter().chain([3, 3]).map(|amount| [amount]).collect();
        assert_eq!(timeline.steps, expected);
    }
}
