//! What a person sees while apt works: a bar on a terminal, a few plain lines elsewhere.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;

/// Progress of one stack on stderr, in percent of the download.
pub(crate) struct Progress {
    name: String,
    bar: Option<ProgressBar>,
    last: u64,
}

impl Progress {
    pub(crate) fn new(name: &str) -> Progress {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{prefix} [{bar:30}] {percent:>3}% {msg}");
            let bar = ProgressBar::with_draw_target(Some(100), ProgressDrawTarget::stderr());
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.set_prefix(name.to_owned());
            bar
        });
        Progress { name: name.to_owned(), bar, last: 0 }
    }

    /// Announces the next step.
    pub(crate) fn step(&mut self, message: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(message.to_owned()),
            None => eprintln!("{}: {message}", self.name),
        }
    }

    /// Shows how far the download is; without a terminal, every quarter.
    pub(crate) fn percent(&mut self, percent: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(percent);
        } else if percent / 25 > self.last / 25 {
            eprintln!("{}: {percent}%", self.name);
        }
        self.last = percent;
    }

    /// Prints a line that stays.
    pub(crate) fn note(&self, message: &str) {
        match &self.bar {
            Some(bar) => bar.println(format!("{}: {message}", self.name)),
            None => eprintln!("{}: {message}", self.name),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
