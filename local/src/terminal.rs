//! The only place that prints: answers on standard output, progress and errors on standard error.

use std::io::Write;

use indicatif::{ProgressBar, ProgressStyle};

/// Whoever reads may have read enough: `docent env | head` is no reason to fail.
pub fn line(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

pub fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

pub fn error(text: &str) {
    note(&format!("error: {text}"));
}

/// Steps of a start: a spinner on a terminal, plain lines in a log.
pub struct Steps(ProgressBar);

impl Steps {
    pub fn start() -> Steps {
        let bar = ProgressBar::new_spinner();
        bar.enable_steady_tick(std::time::Duration::from_millis(120));
        Steps(bar)
    }

    pub fn step(&self, text: &str) {
        if self.0.is_hidden() {
            note(&format!("· {text}"));
        } else {
            self.0.set_message(text.to_owned());
        }
    }

    pub fn clear(&self) {
        self.0.finish_and_clear();
    }
}

/// A bar over a known amount of work.
pub fn bar(total: u64, what: &str) -> ProgressBar {
    let style =
        ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(total).with_style(style);
    bar.set_message(what.to_owned());
    bar
}

/// Files under way: a bar over all of them, and a line for each that moves. In a log there is neither; what ended is a
/// line there as well.
pub struct Work {
    all: indicatif::MultiProgress,
    bar: ProgressBar,
}

/// One file's line.
pub struct Line {
    spinner: ProgressBar,
    bar: ProgressBar,
    name: String,
}

impl Work {
    pub fn start(files: u64) -> Work {
        let all = indicatif::MultiProgress::new();
        let bar = all.add(bar(files, ""));
        Work { all, bar }
    }

    pub fn file(&self, name: &str) -> Line {
        let spinner = self.all.insert_before(&self.bar, ProgressBar::new_spinner());
        Line { spinner, bar: self.bar.clone(), name: name.to_owned() }
    }

    /// A line that stays.
    pub fn line(&self, text: &str) {
        self.all.suspend(|| note(text));
    }

    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

impl Line {
    pub fn state(&self, state: &str) {
        self.spinner.set_message(format!("{}: {state}", self.name));
        self.spinner.tick();
    }

    pub fn ended(&self) {
        self.spinner.finish_and_clear();
        self.bar.inc(1);
    }
}
