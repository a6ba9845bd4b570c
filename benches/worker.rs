//! Processes that are measured, or that measure themselves.

use crate::Subject;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

/// A process that measures calls of one function; `clients/worker.c`.
pub struct Worker {
    function: &'static str,
    /// Whether the time of the whole machine counts, as where another process takes part in each call.
    elapsed: bool,
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
        let mut worker = Worker::spawn(&mut command, function);
        // The first calls load, detect and bind.
        worker.measure(1000);
        worker
    }

    /// The same, where another function was called before.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start_after(before: &'static str, mut command: Command, function: &'static str) -> Worker {
        let mut worker = Worker::spawn(&mut command, before);
        worker.measure(1);
        worker.function = function;
        worker.measure(1000);
        worker
    }

    fn spawn(command: &mut Command, function: &'static str) -> Worker {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap_or_else(|error| panic!("start {command:?}: {error}"));
        let commands = process.stdin.take().expect("a pipe");
        let answers = BufReader::new(process.stdout.take().expect("a pipe"));
        Worker { function, elapsed: false, process, commands, answers }
    }

    /// To be measured by this process' clock.
    #[must_use]
    pub fn by_elapsed_time(mut self) -> Self {
        self.elapsed = true;
        self
    }

    /// Holds that RMCP changes what the function is called with, or does not.
    ///
    /// # Panics
    /// When it is otherwise.
    #[must_use]
    pub fn assert_rewritten(mut self, hook: &str, rewritten: bool) -> Self {
        let count = self.ask(hook, "rewritten");
        assert_eq!(count > 0.0, rewritten, "{count} calls of {hook} were rewritten");
        self
    }

    fn ask(&mut self, name: &str, what: impl std::fmt::Display) -> f64 {
        writeln!(self.commands, "{name} {what}").expect("the worker reads");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("the worker answers");
        answer.trim().parse().unwrap_or_else(|_| panic!("the worker did not survive {name} {what}"))
    }
}

impl Subject for Worker {
    fn measure(&mut self, times: u64) -> f64 {
        let start = Instant::now();
        let nanoseconds = self.ask(self.function, times);
        if self.elapsed { start.elapsed().as_secs_f64() * 1e9 } else { nanoseconds }
    }

    fn least(&self) -> u64 {
        1000
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The first call of a process, each time of a new one.
pub struct FirstCall {
    /// Starts it.
    pub command: Command,
    /// What it calls.
    pub function: &'static str,
}

impl Subject for FirstCall {
    fn measure(&mut self, times: u64) -> f64 {
        (0..times).map(|_| Worker::spawn(&mut self.command, self.function).measure(1)).sum()
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
