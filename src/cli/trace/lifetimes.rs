//! How long allocations lived: shortest and longest exactly, the middle to one part in a hundred, in fixed memory.

/// Buckets of each power of two.
const PARTS: u32 = 64;
/// Smaller numbers have a bucket each.
const EXACT: u64 = PARTS as u64;

/// A collection of times, in ns.
#[derive(Clone, Debug, Default)]
pub struct Lifetimes {
    count: u64,
    least: u64,
    greatest: u64,
    buckets: Vec<u64>,
}

impl Lifetimes {
    /// Adds one.
    pub fn add(&mut self, time: u64) {
        self.least = if self.count == 0 { time } else { self.least.min(time) };
        self.greatest = self.greatest.max(time);
        self.count += 1;
        let bucket = bucket(time);
        if self.buckets.len() <= bucket {
            self.buckets.resize(bucket + 1, 0);
        }
        self.buckets[bucket] += 1;
    }

    /// The shortest, the middle and the longest; None where there is none.
    pub fn summary(&self) -> Option<[u64; 3]> {
        let mut below = 0;
        let middle = self.buckets.iter().position(|count| {
            below += count;
            2 * below >= self.count
        })?;
        Some([self.least, value(middle).clamp(self.least, self.greatest), self.greatest])
    }
}

fn bucket(time: u64) -> usize {
    if time < EXACT {
        return time as usize;
    }
    // The bits after the highest one.
    let octave = time.ilog2() - EXACT.ilog2();
    let part = (time >> octave) as u32 - PARTS;
    (PARTS * (octave + 1) + part) as usize
}

/// The middle of a bucket.
fn value(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < EXACT {
        return bucket;
    }
    let (octave, part) = (bucket / EXACT - 1, bucket % EXACT);
    ((EXACT + part) << octave) + ((1 << octave) >> 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_is_right_to_one_part_in_a_hundred_at_every_scale() {
        for middle in [0, 1, 63, 64, 65, 999, 123_456, 7_000_000_000, u64::MAX / 3] {
            let mut lifetimes = Lifetimes::default();
            [middle, 0, u64::MAX].into_iter().for_each(|time| lifetimes.add(time));
            let [least, found, greatest] = lifetimes.summary().unwrap();
            assert_eq!((least, greatest), (0, u64::MAX));
            assert!(found.abs_diff(middle) <= middle / 100, "{found} for {middle}");
        }
    }

    #[test]
    fn of_one_time_all_three_are_that_time() {
        let mut lifetimes = Lifetimes::default();
        assert_eq!(lifetimes.summary(), None);
        lifetimes.add(1_000_003);
        assert_eq!(lifetimes.summary(), Some([1_000_003; 3]));
    }
}
