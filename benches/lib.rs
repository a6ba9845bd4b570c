//! What RMCP costs, measured against the same thing without it.
//!
//! LD_PRELOAD cannot change within a process, so every variant is a process of its own. A variant and its baseline take
//! turns within each sample, so that what disturbs the machine disturbs both; of each, the quickest turn counts. The
//! samples go round several pairs of processes: where a process happens to lie in memory can matter more than RMCP. In
//! the end that quarter of the samples counts in which the baseline was quickest.
#![forbid(unsafe_code)]

use criterion::{Criterion, SamplingMode};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// Something to measure.
pub trait Subject {
    /// Does it so often; the nanoseconds that all of it took.
    fn measure(&mut self, times: u64) -> f64;
}

/// A process that measures calls of one function; `hip-tests/loading/clients/bench.c`.
pub struct Worker {
    function: &'static str,
    process: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Worker {
    /// Starts `command`, to call `function`.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(mut command: Command, function: &'static str) -> Worker {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap_or_else(|error| panic!("start {command:?}: {error}"));
        let commands = process.stdin.take().expect("a pipe");
        let answers = BufReader::new(process.stdout.take().expect("a pipe"));
        let mut worker = Worker { function, process, commands, answers };
        // The first calls load, detect and bind.
        worker.measure(1000);
        worker
    }
}

impl Subject for Worker {
    fn measure(&mut self, times: u64) -> f64 {
        let function = self.function;
        writeln!(self.commands, "{function} {times}").expect("the worker reads");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("the worker answers");
        answer.trim().parse().unwrap_or_else(|_| panic!("the worker did not survive {times} calls of {function}"))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A program that is started and waited for.
pub struct Start(pub Command);

impl Subject for Start {
    fn measure(&mut self, times: u64) -> f64 {
        let start = Instant::now();
        for _ in 0..times {
            let status = self.0.status().unwrap_or_else(|error| panic!("start {:?}: {error}", self.0));
            assert!(status.success(), "{:?}: {status}", self.0);
        }
        start.elapsed().as_secs_f64() * 1e9
    }
}

/// A subject beside its baseline: medians over the quiet samples, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Compared {
    /// The subject's.
    pub subject: f64,
    /// The baseline's.
    pub baseline: f64,
    /// That of the differences within each sample.
    pub difference: f64,
    /// Half of the differences lie between these.
    pub quartiles: (f64, f64),
}

/// Turns of each side within a sample.
const TURNS: u64 = 8;
/// Pairs of processes.
const PAIRS: usize = 10;

/// Measures a subject beside its baseline and reports the subject to criterion. None when criterion's arguments do not
/// ask for it.
pub fn compare<S: Subject, B: Subject>(
    criterion: &mut Criterion,
    (group, name): (&str, &str),
    start: impl Fn() -> (S, B),
) -> Option<Compared> {
    let mut pairs: Vec<(S, B)> = Vec::new();
    let mut samples: Vec<(u64, f64, f64)> = Vec::new();
    let mut group = criterion.benchmark_group(group);
    group.sampling_mode(SamplingMode::Flat);
    group.bench_function(name, |bencher| {
        if pairs.is_empty() {
            pairs.extend((0..PAIRS).map(|_| start()));
        }
        bencher.iter_custom(|times| {
            let (subject, baseline) = &mut pairs[samples.len() % PAIRS];
            let turn = times.div_ceil(TURNS);
            let each = |nanoseconds: f64| nanoseconds / turn as f64;
            let (mut of_subject, mut of_baseline) = (f64::INFINITY, f64::INFINITY);
            for _ in 0..TURNS {
                of_subject = of_subject.min(each(subject.measure(turn)));
                of_baseline = of_baseline.min(each(baseline.measure(turn)));
            }
            samples.push((times, of_subject, of_baseline));
            Duration::from_secs_f64(of_subject * times as f64 / 1e9)
        });
    });
    // Under flat sampling all but the warm-up are of one size.
    let (size, ..) = *samples.last()?;
    samples.retain(|&(times, ..)| times == size);
    samples.sort_by(|(.., one), (.., other)| one.total_cmp(other));
    samples.truncate(samples.len().div_ceil(4));
    Some(summary(&samples.iter().map(|&(_, subject, baseline)| (subject, baseline)).collect::<Vec<_>>()))
}

fn summary(samples: &[(f64, f64)]) -> Compared {
    let sorted = |value: fn(&(f64, f64)) -> f64| {
        let mut values: Vec<f64> = samples.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        values
    };
    let quantile = |values: &[f64], share: f64| values[((values.len() - 1) as f64 * share).round() as usize];
    let differences = sorted(|(subject, baseline)| subject - baseline);
    Compared {
        subject: quantile(&sorted(|sample| sample.0), 0.5),
        baseline: quantile(&sorted(|sample| sample.1), 0.5),
        difference: quantile(&differences, 0.5),
        quartiles: (quantile(&differences, 0.25), quantile(&differences, 0.75)),
    }
}

/// Prints what was compared, divided by `unit` nanoseconds.
pub fn print(unit: &str, nanoseconds: f64, rows: &[(String, Compared)]) {
    println!("\n{unit:42}      with   without  difference (quartiles)          of it");
    for (name, row) in rows {
        let [with, without, difference, low, high] =
            [row.subject, row.baseline, row.difference, row.quartiles.0, row.quartiles.1].map(|it| it / nanoseconds);
        let share = 100.0 * row.difference / row.baseline;
        println!("{name:42} {with:9.2} {without:9.2}   {difference:+9.2} ({low:+.2} .. {high:+.2})   {share:+.1} %");
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
