//! What the runs came to: one line for each fault, and each violation with the words that replay it.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::{Duration, Instant};

use super::run::Measured;

#[derive(Default)]
struct Line {
    runs: usize,
    asked: usize,
    slowest: Duration,
    violations: usize,
}

pub struct Report {
    began: Instant,
    lines: BTreeMap<usize, (&'static str, Line)>,
    cancelled: Vec<Duration>,
    /// Runs that were late beside others and were played again alone.
    pub again: usize,
    pub violations: Vec<String>,
}

impl Report {
    pub fn new() -> Report {
        Report {
            began: Instant::now(),
            lines: BTreeMap::new(),
            cancelled: Vec::new(),
            again: 0,
            violations: Vec::new(),
        }
    }

    /// `place` is the fault's in the table.
    pub fn add(&mut self, place: usize, fault: &'static str, run: &str, outcome: Result<Measured, String>) {
        let (_, line) = self.lines.entry(place).or_insert_with(|| (fault, Line::default()));
        line.runs += 1;
        match outcome {
            Ok(measured) => {
                line.asked += measured.asked;
                line.slowest = line.slowest.max(measured.took);
                self.cancelled.extend(measured.cancelled);
            }
            Err(why) => {
                line.violations += 1;
                let text = format!("DOCENT_FAULT={fault} {run}: {why}");
                say(&text);
                self.violations.push(text);
            }
        }
    }

    /// The time below which so many of a hundred providers saw the client go.
    pub fn cancelled(&self, percent: usize) -> Option<Duration> {
        let mut sorted = self.cancelled.clone();
        sorted.sort_unstable();
        let place = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
        sorted.get(place).copied()
    }

    pub fn print(&self) {
        say(&format!("{:<22}{:>7}{:>10}{:>14}{:>12}", "fault", "runs", "requests", "slowest (ms)", "violations"));
        let mut runs = 0;
        for (fault, line) in self.lines.values() {
            let Line { runs: of, asked, slowest, violations } = line;
            say(&format!("{fault:<22}{of:>7}{asked:>10}{:>14}{violations:>12}", slowest.as_millis()));
            runs += of;
        }
        let millis = |percent| self.cancelled(percent).unwrap_or_default().as_secs_f64() * 1000.0;
        say(&format!(
            "{runs} runs in {:.0} s, {} of them again alone; {} violations; {} cancelled, p50 {:.1} ms, p99 {:.1} ms",
            self.began.elapsed().as_secs_f64(),
            self.again,
            self.violations.len(),
            self.cancelled.len(),
            millis(50),
            millis(99)
        ));
    }
}

fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
