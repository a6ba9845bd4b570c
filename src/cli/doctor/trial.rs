//! Starting a kernel on each card, in a process of its own that has so long and no longer.

use super::facts::{CARD, Fact, Facts, library_path};
use crate::commands::detect::Survey;
use crate::installs::{Runtime, configured_folders};
use rmcp_domain::topology::Gpu;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The program, which is installed beside librmcp.so.
pub const PROGRAM: &str = "rmcp-trial-client";
/// The step that comes after the last.
const PASSED: &str = "passed";
/// So much of what a program says is kept, in bytes.
const OUTPUT: usize = 1 << 20;
/// So long a process that was killed may take to end: one that the driver holds does not.
const GRACE: Duration = Duration::from_secs(2);

/// How the start of a kernel on a card went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Trial {
    /// The card's gfx target.
    pub target: String,
    /// Its place on the PCI bus.
    pub pci: String,
    /// The runtime, by its release and its file.
    pub runtime: String,
    /// The step at which it ended: start (of the program), load, open, agent, queue, memory, code-object, kernel, result;
    /// passed: the kernel ran and its result is right.
    pub step: String,
    /// What came in place of the step's end; null: it passed.
    pub why: Option<String>,
    /// What the runtime complained of.
    #[serde(skip)]
    pub output: String,
}

/// A line of the program.
#[derive(Deserialize)]
struct Line {
    step: String,
    failed: Option<String>,
}

impl Trial {
    /// Whether the kernel ran, and right.
    pub fn passed(&self) -> bool {
        self.step == PASSED
    }

    fn of(gpu: &Gpu, runtime: &Runtime, ended: (String, Option<String>, String)) -> Self {
        let release = runtime.release.map_or_else(String::new, |release| format!("ROCm {release}, "));
        let (step, why, output) = ended;
        let runtime = format!("{release}{}", runtime.hip.display());
        Self { target: gpu.target.to_string(), pci: gpu.pci.to_string(), runtime, step, why, output }
    }
}

/// Starts a kernel on every card that programs of this environment see, through each of these runtimes, one after another.
pub fn run(program: &Path, survey: &Survey, runtimes: &[Runtime], limit: Duration) -> Vec<Trial> {
    let visible = survey.policy.visible();
    let cards = visible.iter().enumerate();
    let all = cards.flat_map(|card| runtimes.iter().map(move |runtime| (card, runtime)));
    let try_one = |((device, gpu), runtime): ((usize, &&Gpu), &Runtime)| {
        let mut command = Command::new(program);
        command.arg(gpu.pci.to_string()).arg(device.to_string()).arg(&runtime.hip);
        Trial::of(gpu, runtime, ended(&mut command, limit))
    };
    all.map(try_one).collect()
}

/// Every copy of the runtime that a program of this environment could load, once.
pub fn runtimes(survey: &Survey) -> Vec<Runtime> {
    let machine = &survey.machine;
    let folders = library_path(machine).into_iter().chain(configured_folders(machine));
    let installed = survey.rocm.iter().filter_map(|rocm| rocm.runtime.clone());
    let own = survey.frameworks.iter().filter_map(|(_, framework)| framework.runtime.clone());
    let mut found: Vec<Runtime> = Vec::new();
    for runtime in installed.chain(own).chain(folders.filter_map(|folder| Runtime::in_folder(&folder))) {
        if !found.iter().any(|known| known.hip == runtime.hip) {
            found.push(runtime);
        }
    }
    found
}

/// Runs the program: the step at which it ended, what came in place of the step's end, and what was said meanwhile.
fn ended(command: &mut Command, limit: Duration) -> (String, Option<String>, String) {
    let start = || "start".to_owned();
    // A group of its own, so that what it starts ends with it.
    command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            let why = format!("cannot run {}: {error}", command.get_program().display());
            return (start(), Some(why), String::new());
        }
    };
    let (done, ends) = channel();
    let stdout = keep(child.stdout.take(), done.clone());
    let stderr = keep(child.stderr.take(), done);
    let end = Instant::now() + limit;
    let late = (0..2).any(|_| ends.recv_timeout(end.saturating_duration_since(Instant::now())).is_err());
    let status = wait(child, late);
    let text = |bytes: &Mutex<Vec<u8>>| {
        String::from_utf8_lossy(&bytes.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    };
    let lines = text(&stdout);
    // A runtime may print lines of its own.
    let last = lines.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok()).next_back();
    let (step, failed) = last.map_or_else(|| (start(), None), |line| (line.step, line.failed));
    let why = match (step.as_str(), failed) {
        (PASSED, _) => None,
        (_, Some(failed)) => Some(failed),
        _ if late => Some(format!("it did not end within {} seconds", limit.as_secs())),
        _ => Some(how(status)),
    };
    (step, why, text(&stderr))
}

/// Reads a pipe to its end, of which it sends word, and keeps the beginning.
fn keep(pipe: Option<impl Read + Send + 'static>, done: Sender<()>) -> Arc<Mutex<Vec<u8>>> {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let text = Arc::clone(&kept);
    thread::spawn(move || {
        let mut block = [0; 4096];
        if let Some(mut pipe) = pipe {
            while let Ok(read @ 1..) = pipe.read(&mut block) {
                let mut text = text.lock().unwrap_or_else(PoisonError::into_inner);
                if text.len() < OUTPUT {
                    text.extend_from_slice(&block[..read]);
                }
            }
        }
        let _ = done.send(());
    });
    kept
}

/// Waits for the program's end, and brings it about where the time is over. None: the driver holds it.
fn wait(mut child: Child, late: bool) -> Option<ExitStatus> {
    if late {
        let group = nix::unistd::Pid::from_raw(i32::try_from(child.id()).ok()?);
        let _ = nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL);
    }
    let (done, ended) = channel();
    thread::spawn(move || done.send(child.wait()));
    ended.recv_timeout(GRACE).ok()?.ok()
}

fn how(status: Option<ExitStatus>) -> String {
    match status {
        None => "the driver does not let the program go".into(),
        Some(status) => match status.signal() {
            Some(signal) => {
                let name = nix::sys::signal::Signal::try_from(signal).map_or("a signal", |signal| signal.as_str());
                format!("{name} ended the program")
            }
            None => format!("the program ended itself ({status})"),
        },
    }
}

impl Facts {
    /// What trials showed of the cards.
    pub fn add_trials(&mut self, trials: &[Trial]) {
        for card in self.cards.iter_mut().flatten() {
            let Some(pci) = card.get("card.pci").map(|fact| fact.values.clone()) else { continue };
            let of_card: Vec<&Trial> = trials.iter().filter(|trial| pci.contains(&trial.pci)).collect();
            if of_card.is_empty() {
                continue;
            }
            let failed: Vec<&&Trial> = of_card.iter().filter(|trial| !trial.passed()).collect();
            let from = "rmcp doctor --try";
            let mut add = |name: &str, values: Vec<String>| {
                card.insert(format!("{CARD}{name}"), Fact { values, from: from.into() });
            };
            add("trial", of_card.iter().map(|trial| trial.step.clone()).collect());
            add("trial_failed", failed.iter().map(|trial| trial.step.clone()).collect());
            let why = |trial: &&&Trial| format!("{} ({})", trial.why.clone().unwrap_or_default(), trial.runtime);
            add("trial_why", failed.iter().map(why).collect());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, seconds: u64) -> (String, Option<String>) {
        let mut command = Command::new("sh");
        let (step, why, _) = ended(command.args(["-c", script]), Duration::from_secs(seconds));
        (step, why)
    }

    #[test]
    fn the_step_that_was_announced_last_is_where_a_program_ended() {
        let begun = |step: &str| format!("echo '{{\"step\": \"{step}\"}}'; ");
        for (script, step, why) in [
            (begun("open") + &begun("passed"), "passed", None),
            (begun("queue") + "kill -SEGV $$", "queue", Some("SIGSEGV ended the program")),
            (
                begun("kernel") + "echo of a runtime; exit 3",
                "kernel",
                Some("the program ended itself (exit status: 3)"),
            ),
            (r#"echo '{"step": "memory", "failed": "hipMalloc: x"}'; exit 1"#.into(), "memory", Some("hipMalloc: x")),
            ("exit 1".into(), "start", Some("the program ended itself (exit status: 1)")),
        ] {
            assert_eq!(shell(&script, 60), (step.to_owned(), why.map(str::to_owned)), "{script}");
        }
    }

    #[test]
    fn what_does_not_end_is_ended_with_all_that_it_started() {
        let script = r#"echo '{"step": "kernel"}'; sleep 1000 & sleep 1000"#;
        assert_eq!(shell(script, 1), ("kernel".to_owned(), Some("it did not end within 1 seconds".to_owned())));
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let (step, why, _) = ended(&mut Command::new("/nowhere/x"), Duration::from_secs(1));
        assert_eq!(step, "start");
        assert!(why.unwrap().contains("cannot run /nowhere/x: "));
    }
}
