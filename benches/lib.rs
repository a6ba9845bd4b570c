//! What RMCP costs, measured against the same thing without it and with others in its place.
//!
//! LD_PRELOAD cannot change within a process, so every variant is a process of its own. All variants take turns within each
//! sample, so that what disturbs the machine disturbs all of them; of each, the quickest turn counts. The samples go round
//! several sets of processes: where a process happens to lie in memory can matter more than RMCP. In the end that quarter
//! of the samples counts in which all together were quickest.
#![forbid(unsafe_code)]

mod clients;
mod worker;

pub use clients::{Clients, Program, Runtime, peer, run_by};
pub use worker::{FirstCall, Start, Worker};

use criterion::{Criterion, SamplingMode};
use std::time::Duration;

/// Something to measure.
pub trait Subject {
    /// Does it so often; the nanoseconds that all of it took.
    fn measure(&mut self, times: u64) -> f64;

    /// So often at least: what is done once must not count.
    fn least(&self) -> u64 {
        1
    }
}

/// One way to do it.
pub struct Variant<'a> {
    name: String,
    start: Box<dyn Fn() -> Box<dyn Subject> + 'a>,
}

impl<'a> Variant<'a> {
    /// One that is called so; `start` begins a process of it.
    pub fn new<S: Subject + 'static>(name: &str, start: impl Fn() -> S + 'a) -> Self {
        Self { name: name.to_owned(), start: Box::new(move || Box::new(start())) }
    }
}

/// Turns of each variant within a sample.
const TURNS: u64 = 8;
/// Sets of processes.
const SETS: usize = 10;

/// Measures the variants beside each other and reports the last to criterion. None when criterion's arguments do not ask
/// for it.
pub fn compare(criterion: &mut Criterion, (group, name): (&str, &str), variants: &[Variant]) -> Option<Compared> {
    let mut sets: Vec<Vec<Box<dyn Subject>>> = Vec::new();
    let mut samples: Vec<(u64, Vec<f64>)> = Vec::new();
    let mut group = criterion.benchmark_group(group);
    group.sampling_mode(SamplingMode::Flat);
    group.bench_function(name, |bencher| {
        if sets.is_empty() {
            sets.extend((0..SETS).map(|_| variants.iter().map(|variant| (variant.start)()).collect()));
        }
        bencher.iter_custom(|times| {
            let set = &mut sets[samples.len() % SETS];
            let least = set.iter().map(|subject| subject.least()).max().unwrap_or(1);
            let turn = times.div_ceil(TURNS).max(least);
            let mut quickest = vec![f64::INFINITY; set.len()];
            for _ in 0..TURNS {
                for (subject, quickest) in set.iter_mut().zip(&mut quickest) {
                    *quickest = quickest.min(subject.measure(turn) / turn as f64);
                }
            }
            let last = quickest.last().copied().unwrap_or_default();
            samples.push((times, quickest));
            Duration::from_secs_f64(last * times as f64 / 1e9)
        });
    });
    // Under flat sampling all but the warm-up are of one size.
    let size = samples.last()?.0;
    let mut samples: Vec<_> =
        samples.into_iter().filter(|&(times, _)| times == size).map(|(_, sample)| sample).collect();
    samples.sort_by(|one, other| one.iter().sum::<f64>().total_cmp(&other.iter().sum()));
    samples.truncate(samples.len().div_ceil(4));
    Some(Compared { names: variants.iter().map(|variant| variant.name.clone()).collect(), samples })
}

/// What the variants took in each quiet sample, in nanoseconds.
pub struct Compared {
    names: Vec<String>,
    samples: Vec<Vec<f64>>,
}

impl Compared {
    /// Rows of a table in Markdown: each variant but the first beside the first; `beside`: the last beside that one too.
    pub fn rows(&self, title: &str, nanoseconds: f64, beside: Option<usize>) -> Vec<String> {
        let last = self.names.len() - 1;
        let pairs = (1..=last).map(|subject| (subject, 0)).chain(beside.map(|baseline| (last, baseline)));
        pairs.map(|(subject, baseline)| self.row(title, nanoseconds, subject, baseline)).collect()
    }

    fn row(&self, title: &str, nanoseconds: f64, subject: usize, baseline: usize) -> String {
        let sorted = |value: &dyn Fn(&Vec<f64>) -> f64| {
            let mut values: Vec<f64> = self.samples.iter().map(|sample| value(sample) / nanoseconds).collect();
            values.sort_by(f64::total_cmp);
            values
        };
        let quantile = |values: &[f64], share: f64| values[((values.len() - 1) as f64 * share).round() as usize];
        let with = quantile(&sorted(&|sample| sample[subject]), 0.5);
        let without = quantile(&sorted(&|sample| sample[baseline]), 0.5);
        let differences = sorted(&|sample| sample[subject] - sample[baseline]);
        let [low, difference, high] = [0.25, 0.5, 0.75].map(|share| quantile(&differences, share));
        let name = match baseline {
            0 => self.names[subject].clone(),
            other => format!("{}, beside {}", self.names[subject], self.names[other]),
        };
        let share = 100.0 * difference / without;
        format!(
            "| {title} | {name} | {without:.2} | {with:.2} | {difference:+.2} ({low:+.2} .. {high:+.2}) | {share:+.1} % |"
        )
    }
}

/// Prints a table of [`Compared::rows`].
pub fn print(unit: &str, rows: &[String]) {
    if !rows.is_empty() {
        println!("\n| {unit} | | without | with | difference (quartiles) | of it |\n|---|---|---|---|---|---|");
        rows.iter().for_each(|row| println!("{row}"));
    }
}

/// Short enough that all benchmarks take a few minutes.
pub fn criterion() -> Criterion {
    Criterion::default()
        .sample_size(80)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args()
}
